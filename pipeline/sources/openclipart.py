"""Drawings of the Open Clip Art Library (Debian: openclipart-svg) and what they say of themselves.

A batch holds `<folder>/…/<name>.svg` and `drawings.jsonl`, a line for each with what its metadata
(Dublin Core in RDF) state: title, keywords, description, creator, licence. Targets are the caption,
a text, which is the title; the keywords, labels; and the top folder, a class. The sample's text is
the keywords, or what else `words` names. A creator's drawings are a group.

Many titles are of a series and say nothing of its single drawings, as `Etiquette Icons` on 207 of
them: a title that more than `series` drawings bear is left out, and the drawing has none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, ValidationError

from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan
from pipeline.raw.folders import Folder
from pipeline.sources import _packages
from pipeline.sources._packages import Package

SUFFIX, STATED = ".svg", "drawings.jsonl"
METADATA = re.compile(r"<metadata\b.*?</metadata>", re.DOTALL)
TITLE = re.compile(r"<dc:title\b[^>]*>([^<]*)</dc:title>")
DESCRIPTION = re.compile(r"<dc:description\b[^>]*>([^<]*)</dc:description>")
CREATOR = re.compile(r"<dc:creator\b[^>]*>(.*?)</dc:creator>", re.DOTALL)
SUBJECT = re.compile(r"<dc:subject\b[^>]*>(.*?)</dc:subject>", re.DOTALL)
KEYWORD = re.compile(r"<rdf:li\b[^>]*>([^<]*)</rdf:li>")
LICENCE = re.compile(r"<cc:license\b[^>]*rdf:resource=\"([^\"]*)\"")
LICENCES = {"publicdomain": "public domain", "gpl": "GPL-2.0"}


class Options(Base):
    """Which of the drawings are taken, and which titles count."""

    topics: tuple[str, ...] = Field((), description="top folders that are taken; empty: all")
    titled: bool = Field(False, description="whether drawings without a title are left out")
    series: int = Field(5, ge=1, description="drawings that may share a title, at most")
    words: tuple[Literal["title", "keywords", "description"], ...] = Field(
        ("keywords",), min_length=1, description="what a sample's text says, in this order"
    )


class FetchOptions(_packages.FetchOptions):
    """Which version of the package."""

    PACKAGES: ClassVar = {
        "openclipart-svg": Package("apt", {"usr/share/openclipart/svg": ""}),
    }


class Drawing(Base):
    """What a drawing states of itself; what it leaves out is empty."""

    path: str
    title: str = ""
    keywords: tuple[str, ...] = ()
    description: str = ""
    creator: str = ""
    licence: str = ""

    @property
    def folder(self) -> str:
        return self.path.split("/")[0] if "/" in self.path else ""


def fetch(folder: Path, options: FetchOptions) -> bool:
    """Put the package's drawings at <folder>/<version>, whole, or raise a PipelineError."""

    def finish(tree: Path) -> None:
        paths = sorted(path.relative_to(tree).as_posix() for path in tree.rglob(f"*{SUFFIX}"))
        drawings = (read_drawing(path, (tree / path).read_bytes()) for path in paths)
        lines = [f"{each.model_dump_json(exclude_defaults=True)}\n" for each in drawings]
        (tree / STATED).write_text("".join(lines), encoding="utf-8", newline="")

    return _packages.fetch(folder, options, finish)


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every drawing that `drawings.jsonl` tells of."""
    if STATED not in folder.listing.files:
        return Scan([])
    drawings, refused = [], []
    for number, line in enumerate(folder.read(STATED).splitlines(), start=1):
        try:
            drawing = Drawing.model_validate_json(line)
        except ValidationError as error:
            refused.append(Refusal("row", f"{STATED}:{number}", "undecodable", str(error)))
            continue
        if not options.topics or drawing.folder in options.topics:
            drawings.append(drawing)
    bearers = Counter(drawing.title for drawing in drawings)
    titled = [each.title != "" and bearers[each.title] <= options.series for each in drawings]
    return Scan(
        [
            _sample(drawing, is_titled, options.words)
            for drawing, is_titled in zip(drawings, titled, strict=True)
            if is_titled or not options.titled
        ],
        refused,
        [STATED],
    )


def read_drawing(path: str, data: bytes) -> Drawing:
    """The metadata of an SVG; what is no UTF-8 becomes the replacement character."""
    found = METADATA.search(data.decode(errors="replace"))
    metadata = found[0] if found else ""
    work = CREATOR.sub("", metadata)  # whose name stands in a title, too
    return Drawing(
        path=path,
        title=next(_stated(TITLE, work), ""),
        keywords=tuple(
            dict.fromkeys(
                keyword
                for subject in SUBJECT.findall(metadata)
                for keyword in _stated(KEYWORD, subject)
            )
        ),
        description=next(_stated(DESCRIPTION, metadata), ""),
        creator=next((n for c in CREATOR.findall(metadata) for n in _stated(TITLE, c)), ""),
        licence=next(
            (name for url in LICENCE.findall(metadata)
             for part, name in LICENCES.items() if part in url.lower()),
            "",
        ),
    )  # fmt: skip


def _stated(pattern: re.Pattern[str], metadata: str) -> Iterator[str]:
    """What elements hold, each on one line; those that hold nothing are passed over."""
    for held in pattern.findall(metadata):
        if text := " ".join(unescape(held).split()):
            yield text


def _sample(drawing: Drawing, is_titled: bool, words: Iterable[str]) -> Sample:
    assets: dict[str, str | Inline] = {"image": drawing.path}
    stated = {
        "title": drawing.title,
        "keywords": ", ".join(drawing.keywords),
        "description": drawing.description,
    }
    if text := ". ".join(dict.fromkeys(stated[name] for name in words if stated[name])):
        assets["text"] = Inline(text.encode(), STATED)
    return Sample(
        sample_id=drawing.path.removesuffix(SUFFIX),
        group=drawing.creator or None,
        assets=assets,
        licence=drawing.licence or None,
        targets={
            "caption": drawing.title if is_titled else None,
            "keywords": json.dumps(drawing.keywords, ensure_ascii=False)
            if drawing.keywords
            else None,
            "folder": drawing.folder or None,
        },
        attributes={
            "name": PurePosixPath(drawing.path).stem,
            "creator": drawing.creator or None,
            "description": drawing.description or None,
        },
    )
