"""Which file is probably meant by a path at which none lies."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import unquote


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _closed_up(path: str) -> str:
    return "/".join("".join(part.split()) for part in path.split("/"))


# What two spellings of a path may differ in → what brings them to one.
DIFFERENCES: dict[str, Callable[[str], str]] = {
    "in %-codes such as %20": unquote,
    "in \\ for /": lambda path: path.replace("\\", "/"),
    "in the form of its letters (Unicode NFC, NFD)": _composed,
    "in blanks": _closed_up,
    "in case": str.casefold,
}


class NearNames:
    """The files of a batch, found by names that are nearly theirs."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = files

    def hint(self, path: str) -> str:
        """What to say of the file that is probably meant, beginning with `; `; empty if none is."""
        whole = _plain(path)
        if near := self._by_path.get(whole):
            return f"; there is '{near}', which differs {_difference(path, near)}: write it so"
        name = PurePosixPath(whole).name
        if places := self._by_name.get(name):
            more = f", and {len(places) - 1} more of that name" if len(places) > 1 else ""
            return f"; there is '{places[0]}'{more}: paths begin at the batch's folder"
        if places := self._by_stem.get(name):
            return f"; there is '{places[0]}': a path has its ending"
        if places := self._by_stem.get(PurePosixPath(name).stem):
            return f"; there is '{places[0]}', which has another ending"
        return ""

    @cached_property
    def _by_path(self) -> dict[str, str]:
        return {_plain(path): path for path in reversed([*self._files])}

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return self._grouped(lambda path: path.name)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return self._grouped(lambda path: path.stem)

    def _grouped(self, key: Callable[[PurePosixPath], str]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for path in self._files:
            grouped.setdefault(key(PurePosixPath(_plain(path))), []).append(path)
        return grouped


def _plain(path: str, without: str = "") -> str:
    for difference, bring in DIFFERENCES.items():
        if difference != without:
            path = bring(path)
    return PurePosixPath(path).as_posix()


def _difference(path: str, near: str) -> str:
    """In what two paths differ that are one once they are plain."""
    ways = [way for way in DIFFERENCES if _plain(path, way) != _plain(near, way)]
    return " and ".join(ways) or "in spelling"
