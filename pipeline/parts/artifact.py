"""Outputs that are made whole or not at all: a model, an evaluation, a report.

An artifact is a directory that is one part: its key stands in its manifest beside the digests of
its files, and equal keys compute nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.files.digest_cache import DigestCache, digests_of, open_digest_cache
from pipeline.core.files.documents import document
from pipeline.core.files.lock import lock_path, locked
from pipeline.core.records import SCHEMA_VERSION
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint import Fingerprint
from pipeline.parts.summary import Summary

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What an artifact's manifest says: name → digest of all that it was made from, and of its
    files."""

    key: str
    files: dict[str, str]
    function: dict[str, Any]
    inputs: dict[str, str]
    schema: int


@dataclass(frozen=True)
class ArtifactPlan:
    """An artifact that is to be.

    Parameters
    ----------
    inputs:
        Name → digest of everything that `make` reads.
    make:
        Writes the files into the empty directory that it is given. It is called only if the key
        changed or a file is missing or altered, and DVC's cache does not hold what it would write.
    count:
        Reads rows, rejected and reasons off the finished directory.
    """

    out: Path
    fingerprint: Fingerprint
    inputs: Mapping[str, str]
    make: Callable[[Path], None]
    count: Callable[[], Summary] = Summary

    @cached_property
    def key(self) -> str:
        return digest_json([self.fingerprint.digest, dict(self.inputs)])

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @property
    def whole(self) -> bool:
        """Whether the directory holds what was made under this key, unharmed."""
        with open_digest_cache(digests_of(self.out), "md5") as digests:
            return _whole(self.out, self.key, digests)

    def run(self) -> Summary:
        """Bring the directory to what `make` makes of the inputs."""
        with locked(self.out), open_digest_cache(digests_of(self.out), "md5") as digests:
            if _whole(self.out, self.key, digests):
                return replace(self.count(), planned=1, reused=1)
            scratch = _scratch(self.out)
            restored = self._restore(scratch)
            if not restored:
                self._make(scratch)
            _install(scratch, self.out)
            for name, md5 in read_manifest(self.out)["files"].items():
                digests.add(self.out / name, md5)
            Cache().remember({self.key: digests.file(self.out / MANIFEST)})
        return replace(self.count(), planned=1, restored=int(restored), computed=int(not restored))

    def _make(self, scratch: Path) -> None:
        shutil.rmtree(scratch, ignore_errors=True)  # what a killed run left
        scratch.mkdir(parents=True)
        self.make(scratch)
        manifest = {
            "schema": SCHEMA_VERSION,
            "key": self.key,
            "function": asdict(self.fingerprint),
            "inputs": dict(self.inputs),
            "files": {name: digest_file(scratch / name, "md5") for name in _files(scratch)},
        }
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        (scratch / MANIFEST).write_text(text)

    def _restore(self, scratch: Path) -> bool:
        """Bring back from DVC's cache what was made under this key before; False if it cannot."""
        shutil.rmtree(scratch, ignore_errors=True)
        cache = Cache()
        for md5 in cache.md5s([self.key]).values():
            if cache.restore(md5, scratch / MANIFEST):
                files = document(scratch / MANIFEST, Manifest).files
                return all(cache.restore(file, scratch / name) for name, file in files.items())
        return False


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a finished artifact: key, function, inputs, files.

    Raises
    ------
    PipelineError
        There is none, or it is damaged.
    """
    try:
        return asdict(document(out / MANIFEST, Manifest))
    except FileNotFoundError:
        raise PipelineError(f"{out} is not finished: run `dvc repro` to make it") from None


def digest(out: Path) -> str:
    """Digest of what a finished artifact holds."""
    return digest_json(read_manifest(out)["files"])


def _whole(out: Path, key: str, digests: DigestCache) -> bool:
    try:
        manifest = read_manifest(out)
    except PipelineError:
        return False
    return manifest.get("key") == key and all(
        (out / name).is_file() and digests.file(out / name) == md5
        for name, md5 in manifest["files"].items()
    )


def _install(scratch: Path, out: Path) -> None:
    """Move finished files in place, the manifest last.

    Without its manifest a directory is unfinished, so nobody reads old files beside new.
    """
    files = [name for name in _files(scratch) if name != MANIFEST]
    (out / MANIFEST).unlink(missing_ok=True)
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        # What stands there may be a link into DVC's cache, so nothing is ever copied into it.
        with atomic_write(out / name) as temporary:
            shutil.move(scratch / name, temporary)
    _remove_all_but(out, set(files))
    with atomic_write(out / MANIFEST) as temporary:
        shutil.copyfile(scratch / MANIFEST, temporary)
    shutil.rmtree(scratch)


def _scratch(out: Path) -> Path:
    return Path(".pipeline", "tmp", lock_path(out))


def _remove_all_but(out: Path, files: set[str]) -> None:
    for name in set(_files(out)) - files:
        (out / name).unlink()
    for folder in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
