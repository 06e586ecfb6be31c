"""Where batches lie changes nothing but what their files are called."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.fs as fs
import pytest

from pipeline.core.errors import PipelineError
from pipeline.params import Params, parse
from pipeline.parts import manifest
from pipeline.raw import folders, roots
from pipeline.raw.folders import batches
from pipeline.raw.listing import listing_from_infos
from pipeline.raw.roots import Raw, open_filesystem
from pipeline.stages.plans import clean, ingest, look
from tests.dataset import params as dataset_params
from tests.dataset import put_batch, tree
from tests.s3 import s3_server

KINDS = ("file", "mock", "memory", "s3")
ROOT = Path("data")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server, empty at first."""
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def _place(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(folders, "SETTLED_NS", -(10**18))
    put_batch(ROOT / "raw" / "shapes" / "b 1", 0, 2)
    put_batch(ROOT / "raw" / "shapes" / "b2", 2, 1)
    (ROOT / "raw" / "shapes" / "b2" / "left é%20.gz").write_bytes(b"no sample uses it")


@pytest.fixture(params=KINDS)
def root(request: pytest.FixtureRequest, inside: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A root of each kind that holds what data/raw/shapes does."""
    local = ROOT / "raw" / "shapes"
    if request.param == "file":
        uri = f"{(inside / 'far').as_uri()}/"
        fs.copy_files(str(local), str(inside / "far"))
        return uri
    if request.param == "s3":
        uri = bucket(request.getfixturevalue("s3"))
    elif request.param == "mock":
        uri = f"mock:///{inside.name}"
    else:
        uri = "memory://photos"
        memory = in_memory(inside.name)
        for module in (roots, folders):
            monkeypatch.setattr(module, "open_filesystem", lambda _: (memory, "photos"))
    system, base = roots.open_filesystem(uri)
    assert system is not None
    fs.copy_files(str(local), base, destination_filesystem=system)
    return uri


def in_memory(name: str) -> fs.FileSystem:
    """A file system that keeps no times."""
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.memory import MemoryFileSystem

    whole = MemoryFileSystem(skip_instance_cache=True)
    whole.mkdirs(f"/{name}", exist_ok=True)
    return fs.PyFileSystem(fs.FSSpecHandler(DirFileSystem(f"/{name}", whole)))


def bucket(address: str) -> str:
    uri = f"s3://bucket/photos?scheme=http&endpoint_override={address}&region=us-east-1"
    making, _ = fs.FileSystem.from_uri(f"{uri}&allow_bucket_creation=true")
    making.create_dir("bucket")
    making.delete_dir_contents("bucket", missing_dir_ok=True)
    return uri


def recipe(root: str | None = None, executor: str = "serial") -> Params:
    document: dict[str, Any] = dataset_params(executor=executor, workers=2)
    if root is not None:
        document["sources"]["shapes"]["root"] = root
        document["look"] = {"shapes": {}}
    return parse(document)


def run(params: Params) -> dict[str, str]:
    """Path → digest of all that ingest and clean make."""
    ingest.plan(params, root=ROOT).run()
    for modality in params.modalities:
        clean.plan(params, modality, root=ROOT).run()
    return tree(Path())


def assets() -> list[dict[str, Any]]:
    folders = sorted((ROOT / "assets").iterdir())
    return [row for folder in folders for row in manifest.read(folder).to_pylist()]


def put(root: str, path: str, data: bytes) -> None:
    system, base = roots.open_filesystem(root)
    if system is None:
        Path(base, path).write_bytes(data)
        return
    with system.open_output_stream(f"{base}/{path}", compression=None) as stream:
        stream.write(data)


def take(root: str, path: str) -> None:
    system, base = roots.open_filesystem(root)
    if system is None:
        Path(base, path).unlink()
    else:
        system.delete_file(f"{base}/{path}")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files below roots that were read."""
    seen: list[str] = []

    def read(root: str, path: str) -> bytes:
        seen.append(path)
        return original(root, path)

    original = roots.read
    for module in (roots, folders):
        monkeypatch.setattr(module, "read", read)
    return seen


def test_the_same_bytes_come_out_wherever_batches_lie(root: str) -> None:
    here, listed = run(recipe()), assets()

    there = run(recipe(root))

    assert {asset.pop("locator").rpartition("/")[0] for asset in assets()} == {
        f"{root.partition('?')[0].rstrip('/')}/{batch}" for batch in ("b 1", "b2")
    }
    for ours, theirs in zip(listed, assets(), strict=True):
        path = ours.pop("locator").removeprefix("shapes/")
        assert theirs.pop("locator").endswith(f"/{path}")
        assert ours == theirs
    same = {name for name in here if not name.startswith("assets/")}
    assert {name: here[name] for name in same} == {
        name: digest for name, digest in there.items() if not name.startswith("assets/")
    }
    assert any(name.startswith("clean/") for name in same)


def test_workers_read_for_themselves(s3: str) -> None:
    here = run(recipe())
    uri = bucket(s3)
    system, base = open_filesystem(uri)
    fs.copy_files(str(ROOT / "raw" / "shapes"), base, destination_filesystem=system)
    params = recipe(uri, "processes")
    ingest.plan(params, root=ROOT).run()
    shutil.rmtree(ROOT / "clean" / "image")

    assert clean.plan(params, "image", root=ROOT).run().computed > 1

    there = tree(Path())
    assert {n: d for n, d in here.items() if n.startswith("clean/")} == {
        n: d for n, d in there.items() if n.startswith("clean/")
    }


def test_files_are_read_once_where_times_are_kept(root: str, reads: list[str]) -> None:
    ingest.plan(recipe(root), root=ROOT).run()
    first = list(reads)
    reads.clear()

    ingest.plan(recipe(root), root=ROOT).run()

    tables = ["b 1/metadata.csv", "b2/metadata.csv"]
    if root.startswith("file:"):
        assert reads == first == []  # read as any folder of this machine
    elif root.startswith("memory:"):
        assert sorted(reads) == sorted(first)
    else:
        assert sorted(reads) == tables
        assert len(set(first)) == len(first) > len(tables)


def test_looking_writes_what_changed_and_only_then(root: str) -> None:
    params, out = recipe(root), ROOT / "raw" / "shapes" / "looked.sha256"
    assert look.plan(params, "shapes", ROOT).run().computed == 1
    before = out.read_text().splitlines()
    assert look.plan(params, "shapes", ROOT).run().computed == 0
    put(root, "b2/circle-2.png", b"another picture")
    take(root, "b2/left é%20.gz")

    assert look.plan(params, "shapes", ROOT).run().computed == 1

    gone = set(before) - set(out.read_text().splitlines())
    assert sorted(line.rpartition("/")[2] for line in gone) == ["circle-2.png", "left é%20.gz"]
    assert "endpoint" not in out.read_text()


@pytest.mark.parametrize("harm", ["take", "put"])
def test_a_file_that_changed_since_ingest_stops_clean(root: str, harm: str) -> None:
    ingest.plan(recipe(root), root=ROOT).run()
    if harm == "take":
        take(root, "b2/circle-2.png")
    else:
        put(root, "b2/circle-2.png", b"another picture")
    with pytest.raises(PipelineError, match=r"b2/circle-2\.png.*run `dvc repro` again"):
        clean.plan(recipe(root), "image", root=ROOT).run()


def test_the_same_is_refused(inside: Path) -> None:
    far = inside / "far"
    put_batch(far / "b", 0, 1)
    os.mkfifo(far / "b" / "pipe")
    (far / "b" / "linked").symlink_to("..")
    (folder,) = batches(Raw(ROOT, {"shapes": far.as_uri()}), "shapes").values()
    assert {path: why for path, (why, _) in folder.listing.refused.items()} == {
        "linked": "outside_folder",
        "pipe": "not_a_file",
    }


def test_names_that_lead_elsewhere_are_refused() -> None:
    names = {"good": fs.FileType.File, "pipe": fs.FileType.Unknown, "in": fs.FileType.Directory}
    names |= dict.fromkeys(("../up", "in/./here", "in//here"), fs.FileType.File)
    found = listing_from_infos(
        {name: fs.FileInfo(name, kind, size=3) for name, kind in names.items()}
    )
    assert found.files == {"good": 3}
    assert {name: why for name, (why, _) in found.refused.items()} == {
        "../up": "bad_name",
        "in/./here": "bad_name",
        "in//here": "bad_name",
        "pipe": "not_a_file",
    }


def test_packed_files_come_as_they_are(root: str) -> None:
    folder = batches(Raw(ROOT, {"shapes": root}), "shapes")["b2"]
    assert folder.read("left é%20.gz") == b"no sample uses it"


def test_what_cannot_be_read_is_said(s3: str, inside: Path) -> None:
    uri = bucket(s3)
    cases = {
        uri: r"cannot read s3://bucket/photos.*Path does not exist",
        uri.replace("bucket/photos", "nowhere/photos"): r"s3://nowhere/photos.*NO_SUCH_BUCKET",
        "odd://bucket/photos": r"cannot read odd://bucket/photos: Unrecognized",
        (inside / "nothing").as_uri(): r"has no batch: put one at file:///.*/nothing/<batch>/",
    }
    for root, message in cases.items():
        with pytest.raises(PipelineError, match=message):
            ingest.plan(recipe(root), root=ROOT).run()


def test_wrong_credentials_are_said(s3: str) -> None:
    uri = bucket(s3)
    put(uri, "b/a.txt", b"?")
    open_filesystem.cache_clear()
    allow(s3, 0)
    try:
        with pytest.raises(PipelineError, match=r"s3://bucket/photos.*AWS_ACCESS_KEY_ID"):
            ingest.plan(recipe(uri), root=ROOT).run()
    finally:
        allow(s3, 10**9)


def allow(address: str, requests: int) -> None:
    """How many requests the server answers before it asks who is there."""
    url = f"http://{address}/moto-api/reset-auth"
    headers = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(url, str(requests).encode(), headers)
    with urllib.request.urlopen(asked):
        pass


@pytest.mark.parametrize(
    ("source", "section", "message"),
    [
        ({"root": "photos"}, {"s": {}}, r"sources\.s\.root: give a URI"),
        ({"root": "s3://"}, {"s": {}}, r"sources\.s\.root: give a URI"),
        ({"root": "s3://key:word@bucket"}, {"s": {}}, r"sources\.s\.root: .*no place for a pass"),
        ({"root": "abfs://a/b?client_secret=x"}, {"s": {}}, r"sources\.s\.root: .*no place for"),
        ({"root": "s3://bucket"}, {}, r"sources\.s\.root: DVC does not see .*`look: {s: {}}`"),
        ({}, {"s": {}}, r"look\.s: the source has no root"),
        ({}, {"t": {}}, r"look\.t: unknown source 't'; there are: s"),
    ],
)
def test_mistakes_about_roots_are_said(
    source: dict[str, Any], section: dict[str, Any], message: str
) -> None:
    document = dataset_params() | {"sources": {"s": {"kind": "folder"} | source}, "look": section}
    with pytest.raises(PipelineError, match=message):
        parse(document)
