"""DVC's objects, named by their MD5: in its cache here or, one by one, from its remotes.

DVC is imported only when the cache lacks something.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_file
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder, place, stamps

DIRECTORY = ".dir"
# What a remote says that has no good copy, so that it need not be asked again.
NO_SUCH_FILE, DAMAGED = "it has no such file", "what it has is damaged"
NOT_BY_HASH = "it keeps files under their own names, which are not looked for"
BLOCK = 2**20
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"


class RemoteUnavailable(PipelineError):
    """A remote could not be asked, so a good copy may be there."""


@dataclass(frozen=True, slots=True)
class DvcObject:
    """An object as DVC knows it: `md5` ends in `.dir` for the listing of a folder.

    `size` is in bytes, None where nothing says it.
    """

    md5: str
    size: int | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Where it lies below a cache or a remote."""
        return place(self.md5)

    def is_whole(self, path: Path, check: bool = False) -> bool:
        """Whether a file can be this object: by its size, or by its bytes if `check`."""
        try:
            size = path.stat().st_size
        except OSError:
            return False
        if size != self.size if self.size is not None else not size and self.md5 != EMPTY:
            return False
        return not check or digest_file(path, "md5") == self.md5.removesuffix(DIRECTORY)


def object_path(project: Path, dvc_object: DvcObject, what: str, check: bool = False) -> Path:
    """The file of an object, in DVC's cache; brought there from a remote if need be.

    Parameters
    ----------
    what:
        What it is, for people.
    check:
        Compare its bytes with its MD5, and not its size alone.

    Raises
    ------
    PipelineError
        Neither the cache nor a remote has it whole, or there is no cache.
    """
    dvc = dvc_folder(project)
    if dvc is None:
        raise PipelineError(f"{project} belongs to no DVC repository: `dvc init` makes one")
    path = cache_folder(dvc).joinpath(*dvc_object.parts)
    return path if dvc_object.is_whole(path, check) else fetch_object(dvc, dvc_object, what, check)


def fetch_object(dvc: Path, dvc_object: DvcObject, what: str, check: bool = False) -> Path:
    """Bring one object from the first remote that has it to DVC's cache, by rename.

    Its bytes are checked before they are put in place. The default remote is asked first.

    Raises
    ------
    PipelineError
        No remote gives it whole; `RemoteUnavailable` where one did not answer.
    """
    config = _config(dvc, stamps(dvc))
    path = cache_folder(dvc).joinpath(*dvc_object.parts)
    default = config["core"].get("remote")
    refused = []
    for name in sorted(config["remote"], key=lambda name: (name != default, name)):
        why = _download(config, name, dvc_object, path)
        if why is None:
            return path
        refused.append(f"{name}: {why}")
    damaged = "damaged in" if path.is_file() else "not in"
    missing = f"{what} is {damaged} DVC's cache, as {path}"
    if not refused:
        raise PipelineError(
            f"{missing}, and DVC knows no remote: `dvc remote add --default <name> <url>` names "
            f"the one that `dvc push` filled from that revision, where the data were made"
        )
    answered = all(why.endswith((NO_SUCH_FILE, DAMAGED, NOT_BY_HASH)) for why in refused)
    raise (PipelineError if answered else RemoteUnavailable)(
        f"{missing}, and no remote gives it ({'; '.join(refused)}): `dvc push` puts it there from "
        f"a checkout of that revision, where the data were made; `dvc fetch` then brings it"
    )


def _download(config: Any, name: str, dvc_object: DvcObject, path: Path) -> str | None:
    """Bring an object from one remote to `path`; why not, if not."""
    from dvc.fs import get_cloud_fs  # type: ignore[import-untyped]

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, chosen = tempfile.mkstemp(".tmp", ".", path.parent)
    os.close(handle)
    temporary = Path(chosen)
    try:
        kind, options, root = get_cloud_fs(config, name=name)
        if options.pop("worktree", False) or options.get("version_aware"):
            return NOT_BY_HASH
        system = kind(**options)
        system.get_file(system.join(root, *dvc_object.parts), str(temporary))
        if not dvc_object.is_whole(temporary, check=True):
            return DAMAGED
        temporary.chmod(0o444)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except FileNotFoundError:
        return NO_SUCH_FILE
    except Exception as error:  # each remote's library has its own
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    finally:
        temporary.unlink(missing_ok=True)
    return None


@functools.lru_cache(maxsize=8)
def _config(dvc: Path, stamp: tuple[int, ...]) -> Any:
    """DVC's configuration as DVC reads it."""
    from dvc.config import Config, ConfigError  # type: ignore[import-untyped]

    try:
        return Config(str(dvc))
    except ConfigError as error:
        raise PipelineError(f"{dvc}: DVC's configuration cannot be read: {error}") from None


@dataclass(frozen=True)
class Remote:
    """A remote of DVC's, object by object."""

    name: str
    system: Any
    root: str

    @classmethod
    def of(cls, dvc: Path, name: str) -> Remote:
        """The remote of a name; `default` is also the default one.

        Raises
        ------
        PipelineError
            DVC knows none of that name, or it names no files by their MD5.
        """
        from dvc.fs import get_cloud_fs

        config = _config(dvc, stamps(dvc))
        remotes = config["remote"]
        chosen = config["core"].get("remote") if name == "default" and name not in remotes else name
        if chosen not in remotes:
            raise PipelineError(unknown("remote of DVC", str(chosen or name), remotes))
        kind, options, root = get_cloud_fs(config, name=chosen)
        if options.pop("worktree", False) or options.get("version_aware"):
            raise PipelineError(f"the remote {chosen} keeps files under their own names")
        return cls(chosen, kind(**options), root)

    def objects(self) -> dict[str, int]:
        """Path → bytes of every object that it has; many are asked about at once."""
        start = self.system.join(self.root, "files", "md5")
        with self._reporting_errors():
            paths = sorted(self.system.find(start))
            infos = zip(paths, self.system.info(paths), strict=True)
            # Some keep an empty object for each folder.
            return {path: info["size"] or 0 for path, info in infos if info["type"] == "file"}

    def written(self, path: str) -> float | None:
        """When an object was put there, in seconds since 1970; None where it keeps no times."""
        with self._reporting_errors():
            try:
                return float(self.system.modified(path).timestamp())
            except NotImplementedError:
                return None

    def md5(self, path: str) -> str:
        """The MD5 of an object's bytes, all of which are read."""
        digest = hashlib.md5(usedforsecurity=False)
        with self._reporting_errors(), self.system.open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def remove(self, path: str) -> None:
        """Remove an object."""
        with self._reporting_errors():
            self.system.remove(path)

    def put(self, source: Path, path: str) -> None:
        """Replace an object by a file of this machine."""
        with self._reporting_errors():
            self.system.remove(path)
            self.system.put_file(str(source), path)

    @contextmanager
    def _reporting_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each remote's library has its own
            message = str(error).strip().partition("\n")[0]
            raise RemoteUnavailable(
                f"the remote {self.name}: {type(error).__name__}: {message}"
            ) from error
