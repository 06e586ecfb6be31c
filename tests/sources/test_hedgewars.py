"""The voices' file names."""

from __future__ import annotations

from pathlib import Path

from pipeline.raw.folders import LocalFolder
from pipeline.sources.hedgewars import Options, scan


def test_a_clip_is_a_phrase_of_a_voice(tmp_path: Path) -> None:
    for path in ("Pirate/Hello.ogg", "Default_pl/Hello.ogg", "Pirate/read.me", "Intro.ogg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    polish, pirate = scan(LocalFolder(tmp_path), Options()).samples
    assert (polish.sample_id, polish.group) == ("Default_pl/Hello", "Default_pl")
    assert polish.targets == {"utterance": "phrase", "language": "pl"}
    assert (pirate.group, pirate.assets) == ("Pirate", {"audio": "Pirate/Hello.ogg"})
    assert pirate.targets == {"utterance": "phrase", "language": "en"}
    assert pirate.attributes == {"voice": "Pirate", "phrase": "Hello"}
    assert pirate.licence == "GFDL-1.3"
