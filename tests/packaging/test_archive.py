from __future__ import annotations

import os
import zipfile
from pathlib import Path

from pipeline.packaging.archive import write_zip


def put(folder: Path, names: list[str], time: int, mode: int) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
        path.chmod(mode)
        os.utime(path, (time, time))
    return folder


def test_only_names_and_bytes_shape_an_archive(tmp_path: Path) -> None:
    names = ["z.txt", "a/b.bin", "a/c/d.bin", "ü.md"]
    one = put(tmp_path / "one", names, 10**9, 0o600)
    two = put(tmp_path / "two", names[::-1], 1_500_000_000, 0o755)
    (tmp_path / "here").mkdir()
    write_zip(one, tmp_path / "model.zip")
    write_zip(two, tmp_path / "here" / "model.zip")
    data = (tmp_path / "model.zip").read_bytes()
    assert data == (tmp_path / "here" / "model.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"model/{name}" for name in sorted(names)]
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out/model/a/c/d.bin").read_bytes() == b"a/c/d.bin" * 100
