from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.parts import artifact
from pipeline.parts.fingerprint import Fingerprint
from tests.toy import function

OUT = Path("out")
Make = Callable[[Path], None]


def write(names: list[str]) -> Make:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)

    return make


def build(out: Path, function: Fingerprint, inputs: dict[str, str], make: Make) -> bool:
    return artifact.ArtifactPlan(out, function, inputs, make).run().computed == 1


def never(folder: Path) -> None:
    raise AssertionError("made again")


def test_made_once_and_again_when_its_key_changes(inside: Path) -> None:
    assert build(OUT, function(), {"x": "1"}, write(["a", "sub/b"]))
    assert not build(OUT, function(), {"x": "1"}, never)
    before = artifact.digest(OUT)
    assert build(OUT, function(), {"x": "2"}, write(["a"]))
    assert {path.name for path in OUT.rglob("*")} == {"a", "manifest.json"}
    assert artifact.digest(OUT) != before
    assert build(OUT, function(p=1), {"x": "2"}, write(["a"]))


@pytest.mark.parametrize("harm", ["delete", "alter"])
def test_a_harmed_file_is_made_again(inside: Path, harm: str) -> None:
    build(OUT, function(), {}, write(["a", "b"]))
    digest = artifact.digest(OUT)
    if harm == "delete":
        (OUT / "a").unlink()
    else:
        (OUT / "a").write_text("other")
    assert build(OUT, function(), {}, write(["a", "b"]))
    assert artifact.digest(OUT) == digest
    assert (OUT / "a").read_text() == "a"


def test_a_failed_make_leaves_what_was_there(inside: Path) -> None:
    build(OUT, function(), {"x": "1"}, write(["a"]))
    with pytest.raises(AssertionError, match="made again"):
        build(OUT, function(), {"x": "2"}, never)
    assert artifact.read_manifest(OUT)["inputs"] == {"x": "1"}
    assert (OUT / "a").read_text() == "a"


def test_reading_what_was_never_made_says_what_to_run(inside: Path) -> None:
    with pytest.raises(PipelineError, match="dvc repro"):
        artifact.read_manifest(OUT)


def test_on_another_file_system_nothing_is_copied_into_a_link(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC may put links into its cache where files were: what they lead to stays as it is."""
    build(OUT, function(), {"x": "1"}, write(["a"]))
    cached = Path("cached")
    (OUT / "a").rename(cached)
    cached.write_text("what an earlier revision needs")
    (OUT / "a").symlink_to(cached.absolute())

    def rename(source: object, target: object, **_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "rename", rename)
    build(OUT, function(), {"x": "2"}, write(["a"]))
    assert cached.read_text() == "what an earlier revision needs"
    assert ((OUT / "a").is_symlink(), (OUT / "a").read_text()) == (False, "a")
    assert {path.name for path in OUT.iterdir()} == {"a", "manifest.json"}
