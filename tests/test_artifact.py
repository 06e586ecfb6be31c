from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import artifact
from pipeline.errors import PipelineError
from pipeline.fingerprint import Fingerprint
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
    return artifact.Plan(out, function, inputs, make).run().computed == 1


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
