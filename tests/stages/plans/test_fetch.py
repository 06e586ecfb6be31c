"""Fetching a Debian package's folder: three ways, the same bytes, all or nothing."""

from __future__ import annotations

import errno
import io
import lzma
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import DigestCache
from pipeline.parts.summary import Summary
from pipeline.sources.stamps import FetchOptions
from pipeline.stages.plans import fetch
from tests.recipe import recipe

ROOT = Path("data")
BATCH = ROOT / "raw" / "stamps" / "1.0-1"
FILES = {
    "usr/share/tuxpaint/stamps/food/pie.png": b"picture" * 1000,
    "usr/share/tuxpaint/stamps/food/pie_desc_fr.ogg": b"sound",
    "usr/share/doc/readme": b"not wanted",
}
STAMPS = {name.split("stamps/")[1]: data for name, data in FILES.items() if "stamps" in name}


@pytest.fixture(autouse=True)
def _no_apt_but_a_tests_own(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(inside / "bin"))


def tar(*odd: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in odd:
            archive.addfile(member)
        for name, data in FILES.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


def deb(data: bytes | None = None, name: str = "data.tar.xz") -> bytes:
    control = ("control.tar.xz", b"odd")
    packed = lzma.compress(tar()) if data is None else data
    return ar(("debian-binary", b"2.0\n"), control, (name, packed))


def write(path: str, data: bytes) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)
    return Path(path)


def install(folder: str = "installed") -> Path:
    for name, data in STAMPS.items():
        write(f"{folder}/{name}", data)
    return Path(folder)


def options(package: bytes = b"", **where: Path) -> FetchOptions:
    return FetchOptions(
        version="1.0-1",
        sha256=sha256(package or deb()).hexdigest(),
        tree=DigestCache({}).tree(install("reference")),
        **({"folder": Path("nowhere")} | where),
    )


def run(asked: FetchOptions) -> Summary:
    params = recipe(
        sources={"stamps": {"kind": "stamps"}}, fetch={"stamps": asked.model_dump(mode="json")}
    )
    return fetch.plan(params, "stamps", ROOT).run()


def fetched(folder: Path = BATCH) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def apt(script: str) -> None:
    path = write("bin/apt-get", f"#!/bin/sh\n{script}\n".encode())
    path.chmod(0o755)


def by_folder() -> FetchOptions:
    return options(folder=install())


def by_deb() -> FetchOptions:
    return options(deb=write("package.deb", deb()))


def by_apt() -> FetchOptions:
    source = write("served.deb", deb()).absolute()
    apt(f'[ "$*" = "download --quiet tuxpaint-stamps-default=1.0-1" ] && /bin/cp {source} x.deb')
    return options()


@pytest.mark.parametrize("way", [by_folder, by_deb, by_apt])
def test_every_way_gives_the_same_files(way: Callable[[], FetchOptions]) -> None:
    assert run(way()) == Summary(planned=1, computed=1)
    assert fetched() == STAMPS
    assert list(BATCH.parent.iterdir()) == [BATCH]


def test_what_a_killed_run_left_is_removed() -> None:
    asked = by_deb()
    for _ in ("fetched", "left alone"):
        write(f"{BATCH.parent}/.fetching/tree/food/half.png", b"hal")
        run(asked)
        assert fetched() == STAMPS
        assert list(BATCH.parent.iterdir()) == [BATCH]


def test_nothing_is_moved_from_one_file_system_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.rename

    def replace(source: Path, target: Path) -> Path:
        if (Path(source).parts[0] == "data") != (Path(target).parts[0] == "data"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)
        return target

    monkeypatch.setattr(Path, "replace", replace)
    asked = by_deb()
    run(asked)
    assert fetched() == STAMPS
    write(f"{BATCH}/stray", b"")
    run(asked)
    assert fetched() == STAMPS


def test_neither_ingest_nor_dvc_sees_a_fetch_that_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.sources._packages._check_tree", killed)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        run(by_deb())
    assert not BATCH.exists()
    (scratch,) = BATCH.parent.iterdir()
    assert scratch.name.startswith(".")  # to ingest, no batch
    assert fetched(scratch / "tree") == STAMPS
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    from dvc.repo import Repo

    with Repo() as repo:
        seen = [name for *_, names in repo.dvcignore.walk(repo.fs, str(ROOT)) for name in names]
    assert seen == []


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("data.tar", bytes),
        ("data.tar.gz", lambda data: pa.compress(data, "gzip", asbytes=True)),
        ("data.tar.zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
def test_other_compressions(name: str, pack: Callable[[bytes], bytes]) -> None:
    package = deb(pack(tar()), name)
    run(options(package, deb=write("package.deb", package)))
    assert fetched() == STAMPS


def test_what_is_complete_is_left_alone() -> None:
    run(by_folder())
    before = {path: path.stat().st_ino for path in BATCH.rglob("*")}
    assert run(options()) == Summary(planned=1, reused=1)
    assert {path: path.stat().st_ino for path in BATCH.rglob("*")} == before


def test_what_is_incomplete_is_replaced() -> None:
    asked = by_deb()
    write(f"{BATCH}/food/pie.png", b"pict")
    write(f"{BATCH}/stray", b"")
    run(asked)
    assert fetched() == STAMPS


def test_another_version_that_is_installed_is_passed_over() -> None:
    folder = install()
    write("installed/food/new.png", b"new")
    run(options(folder=folder, deb=write("package.deb", deb())))
    assert fetched() == STAMPS


def test_where_none_can_be_had_the_three_ways_are_told() -> None:
    with pytest.raises(PipelineError) as told:
        run(options(deb=Path("gone.deb")))
    message = str(told.value)
    assert "there is no folder nowhere" in message
    assert "there is no file gone.deb" in message
    assert "this machine has no apt-get" in message
    assert not BATCH.exists()


def test_what_apt_complains_of_is_told() -> None:
    apt("echo 'E: Version not found' >&2; exit 100")
    with pytest.raises(PipelineError, match="failed: E: Version not found"):
        run(options())


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"no archive at all",
        deb()[:-100],
        deb()[:100],
        deb(b"not xz"),
        deb(lzma.compress(tar())[:-400]),
        ar(("debian-binary", b"2.0\n")),
        deb(lzma.compress(b"")),
    ],
)
def test_half_a_package_never_counts(package: bytes) -> None:
    for asked in (
        options(deb=write("package.deb", package)),  # the .deb's own digest tells
        options(package or b"x", deb=write("package.deb", package)),  # and if not, its insides
    ):
        with pytest.raises(PipelineError, match=r"three ways"):
            run(asked)
    assert not BATCH.exists()


def test_links_and_paths_that_leave_are_not_made() -> None:
    link = tarfile.TarInfo("usr/share/tuxpaint/stamps/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    up = tarfile.TarInfo("usr/share/tuxpaint/stamps/../../../../../escaped")
    package = deb(lzma.compress(tar(link)))
    run(options(package, deb=write("package.deb", package)))
    assert fetched() == STAMPS
    package = deb(lzma.compress(tar(up)))
    write(f"{BATCH}/stray", b"")
    with pytest.raises(PipelineError, match="not a whole Debian package"):
        run(options(package, deb=write("package.deb", package)))
    assert not any(Path(folder, "escaped").exists() for folder in (".", "..", ".pipeline"))


def test_a_source_that_cannot_fetch_itself_says_so() -> None:
    with pytest.raises(PipelineError, match=r"fetch\.mine: a source of kind folder cannot fetch"):
        recipe(fetch={"mine": {}})
