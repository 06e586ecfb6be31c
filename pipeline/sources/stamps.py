"""The stamps of Tux Paint (Debian: tuxpaint-stamps-default): pictures, their names spoken, written.

A subject is a path without its ending, such as `animals/birds/duck`. Beside it may lie

- `duck.png`, `duck.svg`: its picture; where both are there, the PNG;
- `duck.txt`: its name, in English on the first line, then one `fr.utf8=Un canard.` a language;
- `duck_desc.ogg`, `duck_desc_fr.ogg`: the name spoken, in English where no language is given;
- `duck.ogg`: a sound that it makes, which is no speech. But digits and letters say their names:
  if `9_fr.ogg` lies beside it, `9.ogg` is English;
- `duck.dat` (how the program may transform it) and `duck_mirror.png`, which nothing here uses.

Its targets are the category, the language, whether the picture is drawn in lines (svg) or in pixels
(png), whether it is a cartoon, how many letters the written name has, and that name, a text.

The formats stand in Tux Paint's documentation, docs/en/EXTENDING.txt, "Stamps".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import Field

from pipeline.core.errors import Rejected
from pipeline.core.options import Options as Base
from pipeline.core.records import Inline, Refusal, Sample, Scan
from pipeline.raw.folders import Folder
from pipeline.sources import _debian

LICENCE = "GPL-2"
PACKAGE = "tuxpaint-stamps-default"
SUBTREE = "usr/share/tuxpaint/stamps"

PICTURES = (".png", ".svg")
RECORDINGS = (".ogg", ".wav")
LOCALE = r"(?P<language>[a-z]{2,3})(?:_(?P<territory>[A-Za-z]{2}))?"
SPOKEN = re.compile(rf"(?P<subject>.+)_desc(?:_{LOCALE})?")
LOCALISED = re.compile(rf"(?P<subject>.+?)_{LOCALE}")
WRITTEN = re.compile(rb"([A-Za-z_@]+)\.utf8=(.*)")


class Options(Base):
    """A batch of stamps leaves nothing to choose."""


class FetchOptions(_debian.FetchOptions):
    """Which version of the package, and where it may be found on this machine."""

    folder: Path = Field(
        Path("/", SUBTREE), description="folder of an installed copy, taken if it is there"
    )


@dataclass(frozen=True, order=True)
class Recording:
    """A spoken name; of two in one locale the smaller is taken: a description, an .ogg."""

    subject: str
    locale: str
    is_sound: bool
    suffix: int
    path: str


def fetch(folder: Path, options: FetchOptions) -> bool:
    """Put the package's stamps at <folder>/<version>, whole, or raise a PipelineError.

    False where they stand there already.
    """
    return _debian.fetch(PACKAGE, SUBTREE, folder, options)


def scan(folder: Folder, options: Options) -> Scan:
    """A sample for every subject and locale for which a spoken name exists."""
    files = folder.listing.files
    names: dict[str, dict[str, bytes]] = {}
    samples, refused = [], []
    for recording in first(recordings(files)):
        subject, locale = recording.subject, recording.locale
        if subject not in names:
            text = f"{subject}.txt"
            try:
                names[subject] = written(folder.read(text)) if text in files else {}
            except Rejected as reject:
                names[subject] = {}
                refused.append(Refusal("file", text, reject.reason, reject.message))
        picture = next((s for s in PICTURES if subject + s in files), "")
        assets: dict[str, str | Inline] = {"audio": recording.path}
        if picture:
            assets["image"] = subject + picture
        name = names[subject].get(locale) or names[subject].get(language_of(locale))
        style = "cartoon" if "/cartoon/" in subject else "plain"
        if name:
            assets["text"] = Inline(name, f"{subject}.txt")
        samples.append(
            Sample(
                sample_id=f"{subject}@{locale}",
                group=subject,
                assets=assets,
                licence=LICENCE,
                targets={
                    "category": subject.split("/")[0] if "/" in subject else None,
                    "language": language_of(locale),
                    "picture": picture.removeprefix(".") or None,
                    "style": style,
                    "letters": letters(name) if name else None,
                    "name": _decoded(name) if name else None,
                },
                attributes={
                    "subject": subject.split("/")[-1],
                    "locale": locale,
                    "picture": picture.removeprefix(".") or "none",
                    "style": style,
                    "recording": "sound" if recording.is_sound else "description",
                },
            )
        )
    return Scan(samples, refused)


def recordings(files: Iterable[str]) -> Iterator[Recording]:
    """The spoken names among a batch's files, by their paths."""
    stems = {path: _stem(path) for path in files}
    subjects = {s for path, s in stems.items() if not path.endswith(RECORDINGS)}
    sounds: dict[str, str] = {}
    localised: set[str] = set()
    for path, stem in stems.items():
        if not path.endswith(RECORDINGS):
            continue
        if spoken := SPOKEN.fullmatch(stem):
            yield _recording(spoken, path, is_sound=False)
        elif stem in subjects:
            sounds[stem] = path
        elif (sound := LOCALISED.fullmatch(stem)) and sound["subject"] in subjects:
            localised.add(sound["subject"])
            yield _recording(sound, path, is_sound=True)
    for subject in sounds.keys() & localised:
        yield Recording(subject, "en", True, 0, sounds[subject])


def first(found: Iterable[Recording]) -> list[Recording]:
    """One recording for each subject and locale, sorted by them."""
    chosen: dict[tuple[str, str], Recording] = {}
    for recording in sorted(found):
        chosen.setdefault((recording.subject, recording.locale), recording)
    return list(chosen.values())


def written(data: bytes) -> dict[str, bytes]:
    """Locale → name, as the bytes that stand in a .txt file, UTF-8 or not."""
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()
    names = {"en": lines[0]} if lines else {}
    for line in lines[1:]:
        if match := WRITTEN.fullmatch(line):
            names[match[1].decode("ascii")] = match[2]
    return {locale: name for locale, name in names.items() if name.strip()}


def letters(name: bytes) -> float | None:
    """Letters, digits and ideographs of a name; None of what is not UTF-8."""
    try:
        return float(sum(character.isalnum() for character in name.decode()))
    except UnicodeDecodeError:
        return None


def language_of(locale: str) -> str:
    """The language of a locale: `pt` of `pt_BR`, `en` of `en_GB`."""
    return locale.split("_")[0]


def _decoded(name: bytes) -> str | None:
    """A written name; None if it is no UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def _stem(path: str) -> str:
    """A path without its ending; one file of the package is called `….ogg.ogg`."""
    suffix = PurePosixPath(path).suffix
    while suffix and path.endswith(suffix):
        path = path.removesuffix(suffix)
    return path


def _recording(match: re.Match[str], path: str, is_sound: bool) -> Recording:
    language, territory = match["language"] or "en", match["territory"]
    locale = f"{language}_{territory.upper()}" if territory else language
    suffix = RECORDINGS.index(PurePosixPath(path).suffix)
    return Recording(match["subject"], locale, is_sound, suffix, path)
