"""The letters' folders, and the table that says what is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import Rejected
from pipeline.raw.folders import LocalFolder
from pipeline.sources.klettres import Options, names, scan

TABLE = """<!-- KLettres --><klettres><language code="fr"><alphabet>
<sound name="É" file="fr/alpha/a-26.ogg" /><sound file="fr/alpha/a-1.ogg" />
</alphabet></language></klettres>"""


def put(folder: Path, *paths: str, data: bytes = b"") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def test_a_clip_is_a_letter_or_a_syllable_of_the_one_voice_of_a_language(tmp_path: Path) -> None:
    put(tmp_path, "fr/alpha/a-26.ogg", "fr/alpha/a-1.ogg", "pt_BR/syllab/ba.ogg", "pics/x.png")
    put(tmp_path, "fr/sounds.xml", data=TABLE.encode())
    scanned = scan(LocalFolder(tmp_path), Options())
    samples = {sample.sample_id: sample for sample in scanned.samples}
    assert sorted(samples) == ["fr/alpha/a-1", "fr/alpha/a-26", "pt_BR/syllab/ba"]
    letter, syllable = samples["fr/alpha/a-26"], samples["pt_BR/syllab/ba"]
    assert letter.attributes == {"voice": "fr", "phrase": "É"}
    assert letter.targets == {"utterance": "letter", "language": "fr"}
    assert samples["fr/alpha/a-1"].attributes == {"voice": "fr", "phrase": "a-1"}
    assert (syllable.group, syllable.targets) == (
        "pt_BR",
        {"utterance": "syllable", "language": "pt"},
    )
    assert (scanned.metadata, scanned.refused) == (["fr/sounds.xml"], [])


def test_a_table_that_is_no_xml_is_refused_and_its_clips_are_known_by_name(tmp_path: Path) -> None:
    put(tmp_path, "fr/alpha/a-26.ogg")
    put(tmp_path, "fr/sounds.xml", data=TABLE.encode()[:-9])
    scanned = scan(LocalFolder(tmp_path), Options())
    assert [(r.subject, r.reason) for r in scanned.refused] == [("fr/sounds.xml", "not_xml")]
    assert scanned.samples[0].attributes == {"voice": "fr", "phrase": "a-26"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"<a>&x;</a>", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
     b'<?xml version="1.0" encoding="no-such"?><a/>'],
)  # fmt: skip
def test_what_is_no_plain_xml_is_refused(data: bytes) -> None:
    with pytest.raises(Rejected, match="well-formed"):
        names(data)
