"""A crafted package ends in a sentence, and a full disk is not called a bad package."""

from __future__ import annotations

import errno
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.sources._archives import unpack
from tests.stages.plans.test_fetch import ar, deb, tar

SUBTREE = "usr/share/tuxpaint/stamps"


def refused(package: bytes, folder: Path, message: str = "not a whole Debian package") -> None:
    (folder / "package.deb").write_bytes(package)
    with pytest.raises(PipelineError, match=message):
        unpack(folder / "package.deb", {SUBTREE: ""}, folder / "out")


@pytest.mark.timeout(20)
def test_a_member_of_negative_size_does_not_go_round_for_ever(tmp_path: Path) -> None:
    first = ar(("debian-binary", b"")).replace(b"0         `", b"-60       `")
    refused(first, tmp_path)


def test_a_file_of_holes_fills_no_disk(tmp_path: Path) -> None:
    sparse = tarfile.TarInfo(f"./{SUBTREE}/holes")
    sparse.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,0",
        "GNU.sparse.size": str(1 << 50),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(sparse)
    refused(deb(buffer.getvalue(), "data.tar"), tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError("not enough")]
)
def test_a_full_disk_is_told(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(*_: object) -> None:
        raise error

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    refused(deb(tar(), "data.tar"), tmp_path, "this machine fell short")
