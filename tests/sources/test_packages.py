"""A batch of several packages: any client, the same files, all or nothing."""

from __future__ import annotations

import gzip
import io
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import DigestCache
from pipeline.sources._packages import FetchOptions, Package, fetch
from tests.stages.plans.test_fetch import STAMPS, deb, tar, write

BATCH = Path("mine", "3")
SUBTREE = "usr/share/tuxpaint/stamps"


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in STAMPS.items():
            archive.writestr(f"{SUBTREE}/{name}", data)
        archive.writestr("words.json", "{}")
    return buffer.getvalue()


FILES = {"pictures": deb(), "words": wheel(), "@sounds/all": gzip.compress(tar(), mtime=0)}


class Options(FetchOptions):
    PACKAGES: ClassVar = {
        "pictures": Package("apt", {SUBTREE: ""}),
        "words": Package("pip", {"words.json": "words"}),
        "@sounds/all": Package("npm", {f"{SUBTREE}/food": "sounds"}),
    }


WHOLE = {
    **STAMPS,
    "words/words.json": b"{}",
    **{name.replace("food", "sounds"): data for name, data in STAMPS.items()},
}


@pytest.fixture(autouse=True)
def _no_client_but_a_tests_own(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(inside / "bin"))


def options(**files: Path | None) -> Options:
    for name, data in WHOLE.items():
        write(f"reference/{name}", data)
    packages: dict[str, Any] = {
        name: {"version": "1:1.0-1", "sha256": sha256(data).hexdigest(), "file": files.get(name)}
        for name, data in FILES.items()
    }
    tree = DigestCache({}).tree(Path("reference"))
    return Options(version="3", tree=tree, packages=packages)


def client(command: str, package: str, arguments: str, request: str = "") -> None:
    """A client that brings a package if it is asked as it should be."""
    served = write(f"served/{command}", FILES[package]).absolute()
    script = (
        f'#!/bin/sh\nread -r asked\n[ "$*" = "{arguments}" ] && [ "$asked" = "{request}" ] '
        f"|| {{ echo asked otherwise >&2; exit 1; }}\n/bin/cp {served} file\n"
    )
    write(f"bin/{command}", script.encode()).chmod(0o755)


def clients() -> None:
    digest = sha256(FILES["words"]).hexdigest()
    client("apt-get", "pictures", "download --quiet pictures=1:1.0-1")
    client("npm", "@sounds/all", "pack --silent @sounds/all@1:1.0-1")
    client(
        "pip",
        "words",
        "download --quiet --disable-pip-version-check --no-deps --require-hashes "
        "--requirement /dev/stdin",
        f"words==1:1.0-1 --hash=sha256:{digest}",
    )


def fetched() -> dict[str, bytes]:
    files = (path for path in BATCH.rglob("*") if path.is_file())
    return {path.relative_to(BATCH).as_posix(): path.read_bytes() for path in files}


def test_each_comes_by_the_client_of_its_registry() -> None:
    clients()
    assert fetch(Path("mine"), options()) is True
    assert fetched() == WHOLE
    assert fetch(Path("mine"), options()) is False
    assert [*Path("mine").iterdir()] == [BATCH]


def test_files_at_hand_ask_no_client() -> None:
    files = {name: write(f"at hand/{i}", data) for i, (name, data) in enumerate(FILES.items())}
    assert fetch(Path("mine"), options(**files)) is True
    assert fetched() == WHOLE


def test_all_that_cannot_be_had_is_told_and_nothing_placed() -> None:
    clients()
    write("bin/npm", b"#!/bin/sh\necho E404 >&2; exit 1\n")
    with pytest.raises(PipelineError) as told:
        fetch(Path("mine"), options(pictures=Path("gone.deb"), words=write("odd.whl", b"odd")))
    message = str(told.value)
    assert "pictures 1:1.0-1 (apt): there is no file gone.deb" in message
    assert "words 1:1.0-1 (pip): odd.whl has SHA-256" in message
    assert "`npm pack --silent @sounds/all@1:1.0-1` failed: E404" in message
    assert "set `file` of each package" in message
    assert [*Path("mine").iterdir()] == []


def test_a_client_that_is_not_there_is_named() -> None:
    with pytest.raises(PipelineError, match="this machine has no npm"):
        fetch(Path("mine"), options())


def test_a_package_that_lacks_what_is_taken_of_it_is_another() -> None:
    clients()
    asked = options()
    other = {**Options.PACKAGES, "words": Package("pip", {"words.json": "", "more": ""})}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Options, "PACKAGES", other)
        with pytest.raises(PipelineError, match="holds nothing below more: it is another package"):
            fetch(Path("mine"), asked)


def test_options_name_exactly_the_packages_of_the_source() -> None:
    known = options().model_dump()
    del known["packages"]["words"]
    with pytest.raises(ValidationError, match="takes exactly pictures, words, @sounds/all"):
        Options(**known)
