"""Names of entries, which become folders, stages and columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from pipeline.core.records import SPLITS
from pipeline.models.alignment.options import ALIGNMENT
from pipeline.store.views import is_table

# Names that become folders and stages of DVC, for which a dot leads into a section.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
NAMED = ("sources", "features", "models", "compress", "predict", "verification")
# Names of targets become folders of learning curves and fields of SQL.
TARGET = re.compile(r"\w([\w -]*\w)?")
# What the project calls so itself where such a name would stand, in whatever case.
RESERVED = {
    "features": {"sample_id", "sample_ids", "split"},  # beside sets, in what is exported
    "targets": {*SPLITS, "score", ALIGNMENT},  # beside tasks, among the curves of a training
}
Mistakes = Iterator[tuple[str, str]]


def check_names(named: Mapping[str, Collection[str]]) -> Mistakes:
    """Names that cannot be what they become, or that are taken.

    named: section → all the names that it gives.
    """
    for section in NAMED:
        yield from check_folder_names(section, named[section])
    for name in named["targets"]:
        if not TARGET.fullmatch(name):
            reason = "names are letters and digits, with blanks and - between them"
            yield f"targets.{name}", f"'{name}' cannot name a target; {reason}"
    for section in (*NAMED, "targets"):
        yield from _taken(section, named[section])


def check_folder_names(section: str, names: Collection[str]) -> Mistakes:
    """Names of a section that cannot name a folder, a stage or a view of SQL."""
    for name in names:
        if not NAME.fullmatch(name):
            yield (
                f"{section}.{name}",
                f"'{name}' cannot name a folder; names are letters and digits of ASCII, with "
                "any of _ - after the first",
            )
        elif section == "features" and is_table(name):
            yield f"{section}.{name}", f"'{name}' is a table of the store's SQL: take another name"


def _taken(section: str, names: Collection[str]) -> Mistakes:
    """Names that the project uses itself, and those of which only case makes two."""
    for name in names:
        if name.lower() in RESERVED.get(section, ()):
            reason = f"'{name}' is a name that the project uses itself: take another"
            yield f"{section}.{name}", f"{reason}, such as '{name}_given'; columns keep theirs"
        others = sorted(other for other in names if other.lower() == name.lower() and other < name)
        if others:
            yield f"{section}.{name}", f"'{name}' and '{others[0]}' differ by case alone"
