"""The scripts of Fish Fillets, their recordings, and the labels of their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.records import Inline, Scan
from pipeline.raw.folders import LocalFolder
from pipeline.sources import fillets
from pipeline.sources.fillets import GAME, LABELS, FetchOptions, Options, scan
from tests.sources.packages import fetch_whatever_comes, package_options

ENGLISH = (
    '\ndialogId("c-m-hi", "font_small", "Hi, \\"crab\\"!")\n'
    '\ndialogId("c-v-no", "font_big", "Ignore it.")\n'
)
DUTCH = (
    'dialogId("c-m-hi", "font_small", "Hi, \\"crab\\"!")\ndialogStr("Dag, \\"krab\\"!")\n\n'
    'dialogId("c-v-no", "font_big", "Ignore it.")\n'
)
FILES = {
    "script/cave/dialogs_en.lua": ENGLISH,
    "script/cave/dialogs_nl.lua": DUTCH,
    "script/cave/models.lua": 'createRoom(9, 7, "images/"..codename.."/cave-p.png")',
    "images/cave/cave-p.png": "picture",
    "sound/cave/cs/c-m-hi.ogg": "voice",
    "sound/cave/nl/c-m-hi.ogg": "voice",
    "sound/cave/cs/c-v-no.ogg": "voice",
    LABELS: "line,first,second\ncave/c-m-hi,1,2\ncave/c-v-no,-1,0\n",
}


def scanned(folder: Path, labels: str = "", **options: str) -> Scan:
    files = {**FILES, **({LABELS: labels} if labels else {})}
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return scan(LocalFolder(folder), Options.model_validate(options))


def test_a_line_is_a_sample_for_each_voice(tmp_path: Path) -> None:
    found = scanned(tmp_path)
    assert not found.refused
    samples = {sample.sample_id: sample for sample in found.samples}
    assert [*samples] == ["cave/c-m-hi@cs", "cave/c-m-hi@nl", "cave/c-v-no@cs"]
    dutch = samples["cave/c-m-hi@nl"]
    assert dutch.group == "cave"
    assert dutch.assets == {
        "image": "images/cave/cave-p.png",
        "text": Inline(b'Dag, "krab"!', "script/cave/dialogs_nl.lua"),
        "audio": "sound/cave/nl/c-m-hi.ogg",
    }
    assert dutch.targets == {"sentiment": 1.5, "polarity": "positive"}
    assert dutch.attributes == {"speaker": "small", "voice": "nl"}
    untranslated = samples["cave/c-v-no@cs"]
    assert "text" not in untranslated.assets
    assert untranslated.targets == {"sentiment": -0.5, "polarity": "negative"}
    assert {*found.metadata} == {path for path in FILES if path.startswith("script")} | {LABELS}


def test_words_may_be_the_english_ones(tmp_path: Path) -> None:
    text = scanned(tmp_path, words="en").samples[0].assets["text"]
    assert text == Inline(b'Hi, "crab"!', "script/cave/dialogs_en.lua")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cave/c-m-hi,1,3", "bad_label"),
        ("cave/c-m-hi,1,", "bad_label"),
        ("cave/c-m-bye,1,1", "unknown_line"),
        ("nowhere,1,1", "unknown_line"),
        ("cave/c-m-hi,1", "bad_row"),
    ],
)
def test_a_label_of_no_use_is_refused_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    found = scanned(tmp_path, labels=f"line,first,second\ncave/c-v-no,0,0\n{line}\n")
    assert [sample.sample_id for sample in found.samples] == ["cave/c-v-no@cs"]
    (refusal,) = found.refused
    assert (refusal.subject, refusal.reason) == (f"{LABELS}:3", reason)
    assert refusal.message.startswith(f"{LABELS}, line 3: ")


def test_a_line_that_nobody_speaks_is_refused(tmp_path: Path) -> None:
    found = scanned(tmp_path, voices=["de"])
    assert {refusal.reason for refusal in found.refused} == {"no_recording"}
    assert len(found.refused) == 2


def test_labels_without_their_columns_are_refused(tmp_path: Path) -> None:
    (refusal,) = scanned(tmp_path, labels="line,first\ncave/c-v-no,0\n").refused
    assert (refusal.subject, refusal.reason) == (LABELS, "missing_column")


def test_a_batch_keeps_what_belongs_to_labelled_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tmp_path / "recipes" / "fillets" / LABELS
    labels.parent.mkdir(parents=True)
    labels.write_text(FILES[LABELS])
    monkeypatch.setattr(fillets, "files", lambda package: tmp_path)
    held = {f"{GAME}/{path}": text.encode() for path, text in FILES.items() if path != LABELS}
    voices = {path: data for path, data in held.items() if "/sound/" in path}
    unused = {f"{GAME}/images/cave/fish.png": b"", f"{GAME}/script/cave/code.lua": b""}
    packages = package_options(
        tmp_path,
        {
            "fillets-ng-data": {**held, **unused},
            "fillets-ng-data-cs": {**voices, f"{GAME}/sound/cave/cs/c-x.ogg": b""},
            "fillets-ng-data-nl": voices,
        },
    )
    batch = fetch_whatever_comes(
        fillets,
        tmp_path / "raw",
        lambda tree: FetchOptions.model_validate(
            {"version": "1", "tree": tree, "packages": packages}
        ),
    )
    assert {*LocalFolder(batch).listing.files} == {*FILES}


def test_the_labels_are_whole_and_of_at_least_400_lines() -> None:
    labels = fillets.files("pipeline") / "recipes" / "fillets" / LABELS
    header, *lines = labels.read_text(encoding="utf-8").splitlines()
    assert header == "line,first,second"
    names = [line.split(",")[0] for line in lines]
    assert len({*names}) == len(names) >= 400
    assert {value for line in lines for value in line.split(",")[1:]} <= {*map(str, range(-2, 3))}
