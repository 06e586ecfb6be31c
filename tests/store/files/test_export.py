from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from pipeline.core.errors import PipelineError
from pipeline.store import open_store
from pipeline.store.feature_set import FeatureSet
from pipeline.store.files import export as module
from pipeline.store.files.export import WRITERS, export_set
from pipeline.store.files.matrices import write_joined
from pipeline.store.files.output_path import replacing_folder
from tests.store.small import COUNT, small, sound

__all__ = ["small"]


@pytest.fixture
def look(small: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSet:
    """A set of which every block holds three rows."""
    monkeypatch.setattr(module, "BLOCK", 60)
    return open_store(small)["look"]


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """Digests and vectors of an export, by what people would read it with."""
    if path.suffix in (".parquet", ".arrow", ".lance"):
        return of_arrow(table(path))
    if path.suffix == ".npy":
        tabs = pyarrow.csv.ParseOptions(delimiter="\t")
        rows = pyarrow.csv.read_csv(path.with_suffix(".rows.tsv"), parse_options=tabs)
        return rows["digest"].to_pylist(), np.load(path)
    if path.suffix == ".safetensors":
        result = load_file(path)
        return [row.tobytes().hex() for row in result["digest"]], result["vector"]
    if path.suffix == ".csv":
        lines = pyarrow.csv.read_csv(path)
        columns = [lines[f"v{i}"].to_numpy() for i in range(5)]
        return lines["digest"].to_pylist(), np.stack(columns, 1).astype(np.float32)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["digest"] for row in rows], np.array([row["vector"] for row in rows], np.float32)


def table(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.suffix == ".arrow":
        return pa.ipc.open_file(path).read_all()
    import lance

    return lance.dataset(str(path)).to_table()


def of_arrow(found: pa.Table) -> tuple[list[str], np.ndarray]:
    return found["digest"].to_pylist(), np.array(found["vector"].to_pylist(), np.float32)


@pytest.mark.parametrize(
    "form", ["parquet", "arrow", "npy", "safetensors", "csv", "jsonl", "lance"]
)
@pytest.mark.parametrize("where", [None, "split = 'train'", "false"])
def test_every_form_holds_the_rows(look: FeatureSet, form: str, where: str | None) -> None:
    if form == "lance":
        pytest.importorskip("lance")
    path = Path(f"out.{form}")
    wanted = look.to_numpy(["digest", "vector"], where)
    assert export_set(look, path, where=where) == len(wanted["digest"])
    digests, vectors = read(path)
    assert digests == wanted["digest"].tolist()
    assert np.array_equal(vectors.reshape(-1, 5), wanted["vector"])
    beside = {"out.rows.tsv"} if form == "npy" else set()
    assert {one.name for one in Path().iterdir()} - {"data", "params.yaml", ".pipeline"} == {
        path.name, *beside,
    }  # fmt: skip


def test_hugging_face_reads_its_folder(look: FeatureSet) -> None:
    datasets = pytest.importorskip("datasets")
    path = Path("out")
    for force in (False, True):
        export_set(look, path, "huggingface", view=1, force=force)
    result = datasets.load_from_disk(str(path)).with_format("numpy")
    assert np.array_equal(result["vector"][:], look.to_numpy(view=1))
    assert not list(Path().glob(".out*"))


# A child that is stopped before its n-th rename.
STOPPED = """
import os, sys
from pathlib import Path
from pipeline.store.files.output_path import replacing_folder
left = [int(sys.argv[1])]
def stop(event, arguments):
    if event == "os.rename":
        left[0] -= 1
        if left[0] < 0:
            os._exit(1)
sys.addaudithook(stop)
with replacing_folder(Path("out"), "mark") as temporary:
    temporary.mkdir()
    (temporary / "mark").write_text("new")
"""


@pytest.mark.parametrize("project", [False, True])
def test_a_folder_that_is_replaced_stands_there_old_or_new(inside: Path, project: bool) -> None:
    if project:
        Path(".pipeline").mkdir()
    out, texts = Path("out"), set()
    for renames in range(4):
        out.mkdir(exist_ok=True)
        (out / "mark").write_text("old")
        subprocess.run([sys.executable, "-c", STOPPED, str(renames)], check=False)
        texts.add((out / "mark").read_text())
    assert (out / "mark").read_text() == "new"
    assert texts <= {"old", "new"}


def test_where_folders_cannot_be_exchanged_the_old_one_stands(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(*paths: Path) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("pipeline.store.files.output_path.exchange", exchange)
    Path("out").mkdir()
    Path("out/mark").write_text("old")
    with (
        pytest.raises(PipelineError, match=r"out cannot be replaced.*remove it yourself"),
        replacing_folder(Path("out"), "mark") as temporary,
    ):
        temporary.mkdir()
    assert Path("out/mark").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["out"]


def test_tensors_keep_their_shape(look: FeatureSet) -> None:
    sounds = open_store()["sound"]
    wanted = sounds.to_numpy()
    export_set(sounds, Path("s.npy"))
    export_set(sounds, Path("s.safetensors"))
    export_set(sounds, Path("s.parquet"))
    assert np.array_equal(np.load("s.npy"), wanted)
    assert np.array_equal(load_file("s.safetensors")["vector"], wanted)
    assert pq.read_schema("s.parquet").field("vector").metadata == {b"shape": b"4,2"}


def test_equal_rows_give_equal_bytes(look: FeatureSet) -> None:
    for form in ("parquet", "arrow", "npy", "safetensors", "csv", "jsonl"):
        export_set(look, Path(f"a.{form}"))
        export_set(look, Path(f"b.{form}"))
        assert Path(f"a.{form}").read_bytes() == Path(f"b.{form}").read_bytes()


@pytest.mark.parametrize(
    "form", ["parquet", "arrow", "npy", "csv", "jsonl", "lance", "huggingface"]
)
def test_what_fails_midway_leaves_nothing(
    look: FeatureSet, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form in ("lance", "huggingface"):
        pytest.importorskip({"lance": "lance", "huggingface": "datasets"}[form])
    before = set(Path().rglob("*"))

    def broken(self: Any) -> Any:
        yield from list(blocks(self))[:2]
        raise PipelineError("a part is missing")

    blocks = module.Chosen.blocks
    monkeypatch.setattr(module.Chosen, "blocks", broken)
    with pytest.raises(Exception, match="a part is missing"):
        export_set(look, Path("out"), form)
    assert set(Path().rglob("*")) == before


def test_what_is_there_is_replaced_only_when_told(look: FeatureSet) -> None:
    Path("x.csv").write_text("mine")
    with pytest.raises(PipelineError, match="--force replaces it"):
        export_set(look, Path("x.csv"))
    assert Path("x.csv").read_text() == "mine"
    export_set(look, Path("x.csv"), force=True)
    assert pyarrow.csv.read_csv("x.csv").num_rows == COUNT - 1
    Path("home").mkdir()
    Path("home/letter").touch()
    for form in ("lance", "huggingface"):
        pytest.importorskip({"lance": "lance", "huggingface": "datasets"}[form])
        with pytest.raises(PipelineError, match="remove it yourself"):
            export_set(look, Path("home"), form, force=True)
    assert Path("home/letter").is_file()


def test_the_rows_beside_an_npy_are_replaced_only_when_told(look: FeatureSet) -> None:
    Path("x.rows.tsv").write_text("mine")
    with pytest.raises(PipelineError, match=r"x\.rows\.tsv is there already: --force"):
        export_set(look, Path("x.npy"))
    assert (Path("x.rows.tsv").read_text(), Path("x.npy").exists()) == ("mine", False)
    export_set(look, Path("x.npy"), force=True)
    assert Path("x.rows.tsv").read_text().startswith('"digest"')


@pytest.mark.parametrize(
    ("path", "form", "says"),
    [
        ("data/x.csv", "", "where stages alone write"),
        ("data/features/../x.csv", "", "where stages alone write"),
        ("link/x.csv", "", "where stages alone write"),
        ("nowhere/x.csv", "", "there is no folder"),
        ("x", "", "give --form, one of arrow, csv"),
        ("x.csv", "xml", "unknown form 'xml'"),
    ],
)
def test_a_path_that_cannot_be_is_told(look: FeatureSet, path: str, form: str, says: str) -> None:
    Path("link").symlink_to("data/features")
    with pytest.raises(PipelineError, match=says):
        export_set(look, Path(path), form)


@pytest.mark.parametrize(("form", "package"), [("lance", "pylance"), ("huggingface", "datasets")])
def test_a_missing_library_is_named(
    look: FeatureSet, form: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets" if form != "lance" else form, None)
    with pytest.raises(PipelineError, match=f"pip install {package}"):
        export_set(look, Path("x"), form)


def test_every_form_is_in_the_module_s_table() -> None:
    message = {
        line.split("|")[1].strip() for line in str(module.__doc__).splitlines() if "|" in line
    }
    assert message - {"form", "---"} == set(WRITERS)


def test_a_join_is_the_same_in_every_form(look: FeatureSet) -> None:
    joined = open_store().join(["look", "sound"], split="test")
    for suffix in ("npz", "safetensors", "parquet"):
        write_joined(joined, Path(f"j.{suffix}"))
    with np.load("j.npz") as result:
        assert result["sample_ids"].tolist() == joined.sample_ids
        assert np.array_equal(result["sound"], joined.values["sound"])
        assert result["sound.present"].tolist() == joined.present["sound"].tolist()
        assert np.array_equal(result["target.size"], joined.targets["size"], equal_nan=True)
        assert result["target.category"].tolist() == joined.targets["category"].tolist()
    tensors = load_file("j.safetensors")
    assert np.array_equal(tensors["look"], joined.values["look"])
    rows = pq.read_table("j.parquet").to_pylist()
    for row, there in zip(rows, joined.present["sound"], strict=True):
        i = int(row["sample_id"].removeprefix("s/"))
        assert (row["sound"] is not None) == bool(there) == bool(i % 3)
        if there:
            assert np.float32(row["sound"]).tolist() == sound(i).reshape(-1).tolist()
        assert row["target.size"] == (float(i) if i % 4 else None)
