"""DVC's cache, which names files by their MD5: where it is, and where a file lies in it.

DVC says the same, but importing what tells it takes a tenth of a second, and starting DVC half a
second.
"""

from __future__ import annotations

import functools
import os
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from pipeline.core.errors import PipelineError


def dvc_folder(project: Path) -> Path | None:
    """The folder `.dvc` of the repository that a project belongs to, its own or one above."""
    project = Path(os.path.abspath(project))  # noqa: PTH100
    folders = (folder / ".dvc" for folder in (project, *project.parents))
    return next((folder for folder in folders if folder.is_dir()), None)


def cache_folder(dvc: Path) -> Path:
    """Where the cache of a repository lies, given its folder `.dvc`.

    Raises
    ------
    PipelineError
        DVC's configuration cannot be read.
    """
    return _cache_folder(dvc, stamps(dvc))


def stamps(dvc: Path) -> tuple[int, ...]:
    """Other numbers once DVC's configuration changes, for those who remember what they read."""
    paths = _configs(dvc)
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


def place(md5: str) -> tuple[str, ...]:
    """Where the file of an MD5 lies below a cache or a remote."""
    return ("files", "md5", md5[:2], md5[2:])


def _configs(dvc: Path) -> tuple[Path, ...]:
    """This checkout's, the repository's, the user's and the machine's: each hides the later."""
    user, machine = _folders(*map(os.getenv, ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")))
    return dvc / "config.local", dvc / "config", user / "config", machine / "config"


@functools.lru_cache(maxsize=8)
def _folders(user: str | None, machine: str | None) -> tuple[Path, Path]:
    """Where the user's and the machine's configuration lie, unless the environment says."""
    import platformdirs

    return (
        Path(user or platformdirs.user_config_dir("dvc", "iterative")),
        Path(machine or platformdirs.site_config_dir("dvc", "iterative")),
    )


@functools.lru_cache(maxsize=8)
def _cache_folder(dvc: Path, stamps: tuple[int, ...]) -> Path:
    for path in _configs(dvc):
        config = ConfigParser(strict=False, interpolation=None, inline_comment_prefixes=("#",))
        try:
            config.read(path, encoding="utf-8")
        except (ConfigError, UnicodeDecodeError, OSError):
            raise PipelineError(
                f"{path} cannot be read: mend it, or write it anew with `dvc config`"
            ) from None
        stated = config.get("cache", "dir", fallback="").strip("'\"")
        if stated:  # a relative path is one from the file that says it
            return Path(os.path.abspath(path.parent / Path(stated).expanduser()))  # noqa: PTH100
    return dvc / "cache"
