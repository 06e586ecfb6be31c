"""The voices of Hedgewars (Debian: hedgewars-data): one phrase a clip, spoken by several voices.

A voice is a folder, a phrase the name of a file in it: `Pirate/Watchthis.ogg` and
`British/Watchthis.ogg` say the same. `Default_pl` speaks Polish; a voice whose name ends in no
language speaks English. Some voices borrow clips of others, bytes and all, which curation joins.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import ClassVar

from pipeline.core.options import Options as Base
from pipeline.core.records import Sample, Scan
from pipeline.raw.folders import Folder
from pipeline.sources import _packages
from pipeline.sources._packages import Package
from pipeline.sources._packages import fetch as fetch

LICENCE = "GFDL-1.3"
PACKAGE = "hedgewars-data"
SUBTREE = "usr/share/games/hedgewars/Data/Sounds/voices"

CLIP = re.compile(r"(?P<voice>[^/]+)/(?P<phrase>[^/]+)\.ogg")
LANGUAGE = re.compile(r".+_(?P<language>[a-z]{2,3})")


class Options(Base):
    """A batch of voices leaves nothing to choose."""


class FetchOptions(_packages.FetchOptions):
    """Which version of the package."""

    PACKAGES: ClassVar = {PACKAGE: Package("apt", {SUBTREE: ""})}


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every clip; its group is the voice."""
    clips = map(CLIP.fullmatch, sorted(folder.listing.files))
    return Scan([_sample(clip) for clip in clips if clip])


def _sample(clip: re.Match[str]) -> Sample:
    voice, phrase = clip["voice"], clip["phrase"]
    language = LANGUAGE.fullmatch(voice)
    return Sample(
        sample_id=str(PurePosixPath(clip[0]).with_suffix("")),
        group=voice,
        assets={"audio": clip[0]},
        licence=LICENCE,
        targets={"utterance": "phrase", "language": language["language"] if language else "en"},
        attributes={"voice": voice, "phrase": phrase},
    )
