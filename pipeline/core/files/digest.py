"""Digests: SHA-256 in hex for what is ours, MD5 for what DVC names by it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

Algorithm = Literal["sha256", "md5"]


def digest_bytes(data: bytes | memoryview) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path, algorithm: Algorithm = "sha256") -> str:
    """Digest of a file's bytes, as `sha256sum` or `md5sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON-able value in its canonical form: sorted keys, no white space."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return digest_bytes(text.encode())
