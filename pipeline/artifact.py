"""Outputs that are made whole or not at all: a model, an evaluation, a report.

An artifact is a directory that is one part: its key stands in its manifest beside the digests of
its files, and equal keys compute nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.digest import digest_file, digest_json
from pipeline.errors import PipelineError
from pipeline.fingerprint import Fingerprint
from pipeline.manifest import MANIFEST
from pipeline.part import replacing
from pipeline.parts import locked
from pipeline.records import SCHEMA_VERSION


def build(
    out: Path,
    fingerprint: Fingerprint,
    inputs: Mapping[str, str],
    make: Callable[[Path], None],
) -> bool:
    """Bring `out` to what `make` makes of `inputs`; True if it had to be made.

    Parameters
    ----------
    inputs:
        Name → digest of everything that `make` reads.
    make:
        Writes the files into the empty directory that it is given. It is called only if the key
        changed or a file is missing or altered.
    """
    key = digest_json([fingerprint.digest, dict(inputs)])
    with locked(out):
        if _whole(out, key):
            return False
        scratch = Path(".pipeline", "tmp", out.as_posix().strip("/").replace("/", "-"))
        shutil.rmtree(scratch, ignore_errors=True)  # what a killed run left
        scratch.mkdir(parents=True)
        make(scratch)
        files = {name: digest_file(scratch / name) for name in _files(scratch)}
        manifest = {
            "schema": SCHEMA_VERSION,
            "key": key,
            "function": asdict(fingerprint),
            "inputs": dict(inputs),
            "files": files,
        }
        # Without its manifest a directory is unfinished, so nobody reads old files beside new.
        (out / MANIFEST).unlink(missing_ok=True)
        for name in files:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(scratch / name, out / name)
        _remove_all_but(out, set(files))
        with replacing(out / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        shutil.rmtree(scratch)
        return True


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a finished artifact: key, function, inputs, files."""
    try:
        manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        raise PipelineError(f"{out} is not finished: run `dvc repro` to make it") from None
    return manifest


def digest(out: Path) -> str:
    """Digest of what a finished artifact holds."""
    return digest_json(read_manifest(out)["files"])


def _whole(out: Path, key: str) -> bool:
    try:
        manifest = read_manifest(out)
    except PipelineError:
        return False
    return manifest.get("key") == key and all(
        (out / name).is_file() and digest_file(out / name) == file_digest
        for name, file_digest in manifest["files"].items()
    )


def _remove_all_but(out: Path, files: set[str]) -> None:
    for name in set(_files(out)) - files:
        (out / name).unlink()
    for folder in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
