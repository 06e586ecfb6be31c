"""Acted dialogue of Fish Fillets (Debian: fillets-ng-data, -cs, -nl) with its lines' sentiment.

A batch holds

- `script/<scene>/dialogs_<language>.lua`: for each line, in the order of the scene,
  `dialogId("<line>", "font_<speaker>", "<English>")` and, but in the English file,
  `dialogStr("<words>")`;
- `script/<scene>/models.lua`, whose `createRoom(…, "images/"..codename.."/<picture>")` names the
  background, `images/<scene>/<picture>`;
- `sound/<scene>/<language>/<line>.ogg`: the line as an actor speaks it;
- `sentiment.csv`: `line`, as `<scene>/<line>`, and the sentiment that its speaker expresses, from
  -2 to 2, as the `first` and the `second` reader of the English script have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from statistics import mean
from typing import ClassVar

from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan
from pipeline.raw.folders import Folder, LocalFolder
from pipeline.raw.table_file import TableRow, read
from pipeline.sources import _packages
from pipeline.sources._packages import Package

LICENCE = "GPL-2"
GAME = "usr/share/games/fillets-ng"
LABELS = "sentiment.csv"
READERS = ("first", "second")
LANGUAGE = r"^[a-z]{2}(_[A-Z]{2})?$"
STRING = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(
    rf"dialogId\(\s*{STRING}\s*,\s*{STRING}\s*,\s*{STRING}\s*\)"
    rf"(?:\s*dialogStr\(\s*{STRING}\s*\))?"
)
TRANSLATION = re.compile(r"script/[^/]+/dialogs_[^/]+\.lua")
BACKGROUND = re.compile(r'createRoom\([^"]*"images/"\s*\.\.\s*codename\s*\.\.\s*"/([^"]+)"')


class Options(Base):
    """Which voices are heard, and in which language the words stand."""

    voices: tuple[str, ...] = Field(
        default=("cs", "nl"), min_length=1, description="languages of the recordings, each a sample"
    )
    words: str = Field(
        default="nl",
        pattern=LANGUAGE,
        description="language of the words; the sentiment was read from the English ones",
    )


class FetchOptions(_packages.FetchOptions):
    """Which packages hold the game and its voices."""

    PACKAGES: ClassVar = {
        "fillets-ng-data": Package("apt", {f"{GAME}/script": "script", f"{GAME}/images": "images"}),
        "fillets-ng-data-cs": Package("apt", {f"{GAME}/sound": "sound"}),
        "fillets-ng-data-nl": Package("apt", {f"{GAME}/sound": "sound"}),
    }


def fetch(folder: Path, options: FetchOptions) -> bool:
    """Put what belongs to the labelled lines at <folder>/<version>; see `_packages.fetch`."""
    return _packages.fetch(folder, options, _keep_labelled)


def _keep_labelled(tree: Path) -> None:
    labels = files("pipeline") / "recipes" / "fillets" / LABELS
    (tree / LABELS).write_bytes(labels.read_bytes())
    batch = LocalFolder(tree)
    used = {path for path in batch.listing.files if TRANSLATION.fullmatch(path)}
    scanned = scan(batch, Options())
    for sample in scanned.samples:
        used |= {path for path in sample.assets.values() if isinstance(path, str)}
    _packages.keep(tree, {*used, *scanned.metadata})


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for each labelled line and language in which it is spoken."""
    if LABELS not in folder.listing.files:
        return Scan([])
    scripts = _Scripts(folder)
    samples: list[Sample] = []
    refused = []
    try:
        table = read(LABELS, folder.read(LABELS))
        if lacking := {"line", *READERS} - {*table.columns}:
            raise Rejected("missing_column", f"there is no column {', '.join(sorted(lacking))}")
    except Rejected as reject:
        return Scan([], [Refusal("file", LABELS, reject.reason, reject.message)], [LABELS])
    for row in table.rows:
        try:
            samples += _samples(row, scripts, options)
        except Rejected as reject:
            message = f"{LABELS}, line {row.number}: {reject.message}"
            refused.append(Refusal("row", f"{LABELS}:{row.number}", reject.reason, message))
    return Scan(samples, refused, [LABELS, *scripts.texts])


@dataclass(frozen=True)
class _Line:
    """A line of a scene in one language; no words where it is not translated."""

    speaker: str
    words: str


@dataclass(frozen=True)
class _Scripts:
    """The scripts of a batch; `texts` are those that were read, by path."""

    folder: Folder
    texts: dict[str, str] = field(default_factory=dict)
    _lines: dict[str, dict[str, _Line]] = field(default_factory=dict)

    def lines(self, scene: str, language: str) -> dict[str, _Line]:
        """The lines of a scene by their names."""
        path = f"script/{scene}/dialogs_{language}.lua"
        if path not in self._lines:
            self._lines[path] = {
                name: _Line(font.removeprefix("font_"), _unescaped(words))
                for name, font, english, translated in LINE.findall(self._text(path))
                for words in [english if language == "en" else translated]
            }
        return self._lines[path]

    def background(self, scene: str) -> str | None:
        """Path of the picture of a scene."""
        match = BACKGROUND.search(self._text(f"script/{scene}/models.lua"))
        return f"images/{scene}/{match[1]}" if match else None

    def _text(self, path: str) -> str:
        if path not in self.folder.listing.files:
            return ""
        if path not in self.texts:
            self.texts[path] = self.folder.read(path).decode("utf-8", "replace")
        return self.texts[path]


def _samples(row: TableRow, scripts: _Scripts, options: Options) -> Iterator[Sample]:
    """Those of one line, each with another voice."""
    if row.problem:
        raise Rejected("bad_row", row.problem)
    name = str(row.cells.get("line", ""))
    scene, _, line = name.partition("/")
    english = scripts.lines(scene, "en").get(line)
    if english is None:
        raise Rejected("unknown_line", f"the scene '{scene}' has no line '{line}'")
    sentiment = mean(float(_label(row, reader)) for reader in READERS)
    translated = scripts.lines(scene, options.words).get(line)
    assets: dict[str, str | Inline] = {}
    if background := scripts.background(scene):
        assets["image"] = background
    if translated and translated.words:
        path = f"script/{scene}/dialogs_{options.words}.lua"
        assets["text"] = Inline(translated.words.encode(), path)
    recordings = {voice: f"sound/{scene}/{voice}/{line}.ogg" for voice in options.voices}
    if not {*recordings.values()} & scripts.folder.listing.files.keys():
        raise Rejected("no_recording", f"nobody speaks {name} in {', '.join(options.voices)}")
    for voice, recording in recordings.items():
        if recording in scripts.folder.listing.files:
            yield Sample(
                sample_id=f"{name}@{voice}",
                group=scene,
                assets={**assets, "audio": recording},
                licence=LICENCE,
                targets={"sentiment": sentiment, "polarity": polarity(sentiment)},
                attributes={"speaker": english.speaker or None, "voice": voice},
            )


def polarity(sentiment: float) -> str:
    """Its sign in words."""
    return "neutral" if not sentiment else "positive" if sentiment > 0 else "negative"


def _label(row: TableRow, reader: str) -> int:
    cell = str(row.cells.get(reader, ""))
    if cell not in ("-2", "-1", "0", "1", "2"):
        raise Rejected("bad_label", f"column {reader}: '{cell}' is no whole number from -2 to 2")
    return int(cell)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
