"""Packages at hand for a source that fetches itself, and the digest of what it makes of them."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError


def package_options(
    folder: Path, files: Mapping[str, Mapping[str, bytes]]
) -> dict[str, dict[str, str]]:
    """The option `packages`, each a tar archive in `folder` of the files that it holds."""
    options = {}
    for number, (name, held) in enumerate(files.items()):
        path = folder / f"{number}.tar"
        with tarfile.open(path, "w") as archive:
            for inside, data in held.items():
                member = tarfile.TarInfo(inside)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        digest = sha256(path.read_bytes()).hexdigest()
        options[name] = {"version": "1", "sha256": digest, "file": str(path)}
    return options


def fetch_whatever_comes(kind: Any, folder: Path, options: Callable[[str], Any]) -> Path:
    """Fetch by the digest that the first try tells."""
    with pytest.raises(PipelineError, match="files have the digest") as told:
        kind.fetch(folder, options("0" * 64))
    digest = re.findall(r"[0-9a-f]{64}", str(told.value))[0]
    assert kind.fetch(folder, options(digest)) is True
    assert kind.fetch(folder, options(digest)) is False
    return folder / str(options(digest).version)
