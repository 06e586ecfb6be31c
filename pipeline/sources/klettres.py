"""The letters and syllables of KLettres (Debian: klettres-data), spoken by one voice a language.

Below `<language>/alpha` lie letters, below `<language>/syllab` syllables; `<language>/sounds.xml`
says what is heard in each: `<sound name="É" file="fr/alpha/a-26.ogg"/>`. Where it says nothing, the
file's name stands for it. The format is that of KLettres' own reader, src/soundfactory.cpp.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import ClassVar

from defusedxml import DefusedXmlException, ElementTree

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Refusal, Sample, Scan
from pipeline.raw.folders import Folder
from pipeline.sources import _packages
from pipeline.sources._packages import Package
from pipeline.sources._packages import fetch as fetch

LICENCE = "GPL-2+"
PACKAGE = "klettres-data"
SUBTREE = "usr/share/klettres"

CLIP = re.compile(r"(?P<voice>[^/]+)/(?:(?P<kind>[^/]+)/)?(?P<name>[^/]+)\.ogg")
UTTERANCES = {"alpha": "letter", "syllab": "syllable"}
SOUNDS = "sounds.xml"


class Options(Base):
    """A batch of letters leaves nothing to choose."""


class FetchOptions(_packages.FetchOptions):
    """Which version of the package."""

    PACKAGES: ClassVar = {PACKAGE: Package("apt", {SUBTREE: ""})}


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every clip; its group is the voice, which is the language's."""
    files = sorted(folder.listing.files)
    spoken: dict[str, str] = {}
    tables = [path for path in files if PurePosixPath(path).name == SOUNDS]
    refused = []
    for path in tables:
        try:
            spoken |= names(folder.read(path))
        except Rejected as reject:
            refused.append(Refusal("file", path, reject.reason, reject.message))
    clips = map(CLIP.fullmatch, files)
    return Scan([_sample(clip, spoken) for clip in clips if clip], refused, tables)


def names(data: bytes) -> dict[str, str]:
    """Path → what is heard there, of one sounds.xml; Rejected if it is no XML."""
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError):
        raise Rejected("not_xml", "it is not well-formed XML, or has entities") from None
    return {
        sound.attrib["file"]: sound.attrib["name"]
        for sound in root.iter("sound")
        if {"file", "name"} <= sound.attrib.keys()
    }


def _sample(clip: re.Match[str], spoken: dict[str, str]) -> Sample:
    voice = clip["voice"]
    return Sample(
        sample_id=str(PurePosixPath(clip[0]).with_suffix("")),
        group=voice,
        assets={"audio": clip[0]},
        licence=LICENCE,
        targets={"utterance": UTTERANCES.get(clip["kind"]), "language": voice.split("_")[0]},
        attributes={"voice": voice, "phrase": spoken.get(clip[0], clip["name"])},
    )
