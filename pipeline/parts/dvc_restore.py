"""Bring back from DVC's cache what was made before.

DVC keeps persisted outs out of its run cache, so going back to an earlier parameter would compute
again. A local table says under which MD5, DVC's own name for it, the file of a key was made; if
the cache still holds that file, it is copied back. The table is a convenience: it may be deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file
from pipeline.core.files.dvc_cache import cache_folder, dvc_folder, place
from pipeline.core.files.sqlite_cache import SqliteCache

MEMORY = SqliteCache(
    Path(".pipeline", "made.sqlite"),
    "CREATE TABLE IF NOT EXISTS made (key TEXT PRIMARY KEY, md5 TEXT) WITHOUT ROWID",
)
REMEMBER = (
    "INSERT INTO made VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET md5 = excluded.md5"
    " WHERE md5 != excluded.md5"
)


class _Damaged(Exception):
    """A file of the cache is not what its name says."""


class Cache:
    """DVC's cache, asked for keys."""

    def md5s(self, keys: Iterable[str]) -> dict[str, str]:
        """Key → MD5 of the file that was made under it, for those that are known."""
        rows = ([key] for key in keys)
        return dict(MEMORY.load("SELECT key, md5 FROM made WHERE key = ?", rows))

    def remember(self, md5s: Mapping[str, str]) -> None:
        """Keep key → MD5."""
        MEMORY.save(REMEMBER, sorted(md5s.items()))

    def holds(self, md5: str) -> bool:
        return self._folder is not None and self._path(md5).is_file()

    def restore(self, md5: str, path: Path) -> bool:
        """Put a file of the cache at `path`; False if the cache lacks it or holds it damaged."""
        if not self.holds(md5):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_write(path) as temporary:
                shutil.copyfile(self._path(md5), temporary)
                if digest_file(temporary, "md5") != md5:
                    raise _Damaged
        except _Damaged:
            return False
        return True

    def _path(self, md5: str) -> Path:
        return Path(self._folder or "", *place(md5))

    @cached_property
    def _folder(self) -> Path | None:
        dvc = dvc_folder(Path())
        return cache_folder(dvc) if dvc else None
