"""A batch comes in whole, looked through and versioned, or not at all."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.raw.folders import batches
from pipeline.raw.roots import Raw
from pipeline.raw.tracking import untracked
from pipeline.stages import add
from tests.command import call
from tests.dataset import params, put_batch, run

RAW = Path("data", "raw", "shapes")


@pytest.fixture
def landed(inside: Path) -> Path:
    """A project of DVC, and a folder beside it whose data are to come in."""
    Path("params.yaml").write_text(yaml.safe_dump(params()))
    run(inside, "dvc", "init", "--quiet", "--no-scm")
    folder = inside / "landed"
    put_batch(folder, 0, 1)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_becomes_a_batch_of_plain_files(landed: Path) -> None:
    (landed / "in.png").symlink_to("circle-0.png")
    (landed / "deep" / "empty").mkdir(parents=True)
    (landed / "deep" / "a.txt").write_text("a")
    code, output = call("add", "landed", "--source", "shapes", "--batch", "2026-01")
    assert code == 0, output
    assert output.startswith("data/raw/shapes/2026-01: 9 files, ")
    assert "3 samples\nNext: `git add data/raw`, `dvc repro`" in output
    batch = RAW / "2026-01"
    assert not any(path.is_symlink() for path in batch.rglob("*"))
    assert (batch / "in.png").read_bytes() == (landed / "circle-0.png").read_bytes()
    assert names(batch) == [name for name in names(landed) if name != "deep/empty"]
    assert "nfiles: 9" in Path(f"{batch}.dvc").read_text()
    assert (
        sorted(path.name for path in RAW.iterdir())
        == [".gitignore", "2026-01", "2026-01.dvc"][not (RAW / ".gitignore").exists() :]
    )


def put_unfit(folder: Path) -> dict[str, str]:
    """What no batch may hold; returns path → what is said of it."""
    Path("secret").write_text("a secret")
    (folder / "out.txt").symlink_to(Path("secret").absolute())
    (folder / "dangling").symlink_to("nowhere")
    (folder / "linked").symlink_to(".")
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(folder / "socket"))
    (folder / "dvc.yaml").write_text("stages: {x: {cmd: touch made}}")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "x.dvc").write_text("outs: []")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("")
    return {
        "out.txt": "the link leads out of the batch's folder",
        "dangling": "the link leads nowhere",
        "linked": "not a regular file",
        "pipe.png": "not a regular file",
        "socket": "not a regular file",
        "dvc.yaml": "DVC or git would take it for its own",
        ".git": "DVC or git would take it for its own",
        "sub/x.dvc": "DVC or git would take it for its own",
        "caf\\xe9.txt": "the name of the file is not UTF-8",
    }


def test_all_that_is_unfit_is_said_at_once_and_nothing_comes_in(landed: Path) -> None:
    expected = put_unfit(landed)
    code, output = call("add", "landed", "--source", "shapes")
    assert code == 1
    for path, why in expected.items():
        assert f"  {path}: {why}" in output
    assert not RAW.exists()


def test_a_file_that_cannot_be_read_is_said(landed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("cross-0.wav"))
    code, output = call("add", "landed", "--source", "shapes")
    assert (code, "cross-0.wav: it cannot be read" in output) == (1, True)


def test_check_looks_through_the_batches_that_stand(landed: Path) -> None:
    batch = RAW / "b"
    shutil.copytree(landed, batch)
    assert "data/raw" not in call("check")[1]
    expected = put_unfit(batch)
    Path(".dvcignore").write_text("/data/raw/shapes/b/pipe.png\n")
    del expected["pipe.png"], expected[".git"]  # which DVC passes over by itself
    _, output = call("check")
    for path, why in expected.items():
        assert f"data/raw/shapes/b/{path}: {why}" in output
    assert "b/pipe.png:" not in output


@pytest.mark.parametrize("linked", [RAW / "b", RAW])
def test_a_batch_that_is_a_link_is_refused(landed: Path, linked: Path) -> None:
    linked.parent.mkdir(parents=True)
    (landed / "inner").mkdir()
    linked.symlink_to(landed)
    with pytest.raises(PipelineError, match=f"{linked} is a link, and neither ingest nor DVC"):
        batches(Raw(Path("data", "raw"), {}), "shapes")
    assert f"{linked} is a link, and neither ingest nor DVC" in call("check")[1]
    # Below a root of its own `look` reads every byte, so that a link hides nothing.
    root = linked.absolute().parent if linked != RAW else linked.absolute()
    assert batches(Raw(Path("data", "raw"), {"shapes": root.as_uri()}), "shapes")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("landed", "--source", "shape"), "unknown source 'shape'; there are: far, shapes"),
        (("landed", "--source", "far"), "the batches of far lie at file:///far"),
        (("nowhere", "--source", "shapes"), "there is no folder nowhere"),
        (("params.yaml", "--source", "shapes"), "there is no folder params.yaml"),
        (("empty", "--source", "shapes"), "there is no file in empty"),
        (("landed", "--source", "shapes", "--batch", "../x"), "'../x' cannot name a batch"),
        (("landed", "--source", "shapes", "--batch", ".x"), "'.x' cannot name a batch"),
        (("landed", "--source", "shapes", "--batch", "x.dvc"), "'x.dvc' cannot name a batch"),
        (("landed", "--source", "shapes", "--batch", "-x"), "'-x' cannot name a batch"),
        (
            ("landed", "--source", "shapes", "--batch", "old"),
            "shapes/old already",
        ),
        (
            ("landed", "--source", "shapes", "--batch", "gone"),
            "shapes/gone already",
        ),
    ],
)
def test_what_cannot_be_brought_in_is_said(
    landed: Path, arguments: tuple[str, ...], message: str
) -> None:
    document = params()
    document["sources"]["far"] = {"kind": "folder", "root": "file:///far"}  # type: ignore[index]
    Path("params.yaml").write_text(yaml.safe_dump({**document, "look": {"far": {}}}))
    Path("empty", "folder").mkdir(parents=True)
    (RAW / "old").mkdir(parents=True)
    (RAW / "gone.dvc").write_text("outs: []")
    before = names(Path("data"))
    code, output = call("add", *arguments)
    assert (code, message in output) == (1, True), output
    assert names(Path("data")) == before


def test_a_batch_that_dvc_does_not_take_does_not_stay(landed: Path) -> None:
    shutil.rmtree(".dvc")
    code, output = call("add", "landed", "--source", "shapes")
    assert code == 1
    assert "`dvc add data/raw/shapes/landed` failed: you are not inside of a DVC " in output
    assert names(RAW) == []


def test_half_a_copy_is_no_batch(landed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[object] = []

    def fails(source: Path, target: Path) -> bool:
        target.write_text("half")
        copied.append(source)
        if len(copied) == 3:
            raise OSError(28, "No space left on device", str(target))
        return True

    with monkeypatch.context() as patched:
        patched.setattr(add, "_shares_blocks", fails)
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed, it tidies nothing
        code, output = call("add", "landed", "--source", "shapes")
    assert code == 1
    assert "No space left" in output
    with pytest.raises(PipelineError, match="has no batch"):
        batches(Raw(Path("data", "raw"), {}), "shapes")
    code, output = call("add", "landed", "--source", "shapes")
    assert code == 0, output
    assert not (RAW / ".adding").exists()


def test_a_batch_without_its_table_is_told(landed: Path) -> None:
    (landed / "metadata.csv").unlink()
    code, output = call("add", "landed", "--source", "shapes")
    assert code == 0
    assert "0 samples; refused: 1 bad_metadata" in output


def test_the_one_source_that_takes_batches_need_not_be_named(landed: Path) -> None:
    code, output = call("add", "landed")
    assert (code, "data/raw/shapes/landed: 7 files" in output) == (0, True), output
    document = params()
    document["sources"]["other"] = {"kind": "folder"}  # type: ignore[index]
    Path("params.yaml").write_text(yaml.safe_dump(document))
    code, output = call("add", "landed", "--batch", "more")
    assert code == 1
    assert "say with --source which source it is of; there are: other, shapes" in output


def test_the_same_files_do_not_come_in_twice_under_another_name(landed: Path) -> None:
    assert call("add", "landed")[0] == 0
    before = names(RAW)
    code, output = call("add", "landed", "--batch", "again")
    assert code == 1
    assert "data/raw/shapes/landed holds the same files as landed" in output
    assert names(RAW) == before
    (landed / "circle-0.png").write_bytes((landed / "cross-0.png").read_bytes())
    assert call("add", "landed", "--batch", "again")[0] == 0


def test_a_table_comes_in_as_the_source_reads_it_and_its_files_beside_it(landed: Path) -> None:
    (landed / "metadata.csv").rename(landed / "Train.CSV")
    (landed / "media" / "deep").mkdir(parents=True)
    for path in [*landed.glob("*.png"), *landed.glob("*.wav")]:
        path.rename(landed / "media" / "deep" / path.name)
    code, output = call("add", "landed")
    assert (code, "; Train.CSV as metadata.csv" in output) == (0, True), output
    assert "3 samples" in output
    assert "refused" not in output
    assert (RAW / "landed" / "circle-0.png").is_file()
    (landed / "circle-0.png").write_text("another")
    code, output = call("add", "landed", "--batch", "more")
    assert code == 1
    assert "two would come in as circle-0.png: rename one" in output


def test_a_batch_that_nobody_gave_to_dvc_is_named(landed: Path) -> None:
    shutil.copytree(landed, RAW / "b")
    lines = untracked(Path("data", "raw"), ["shapes"], {})
    assert [line.split(": ")[0] for line in lines] == ["data/raw/shapes/b"]
    assert "data/raw/shapes/b: DVC keeps no copy" in call("plan", "ingest")[1]
    _, output = call("stage", "ingest")
    assert "data/raw/shapes/b: DVC keeps no copy" in output
    assert untracked(Path("data", "raw"), ["shapes"], {"shapes": "b"}) == []
    run(landed.parent, "dvc", "add", "data/raw/shapes/b")
    assert untracked(Path("data", "raw"), ["shapes"], {}) == []
