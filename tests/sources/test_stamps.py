"""The stamps' file names and name lists, with the quirks of the real package."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Inline, Sample
from pipeline.raw.folders import LocalFolder
from pipeline.sources.stamps import Options, first, letters, recordings, scan, written

NAME = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,8}(_[a-z]{4,8})?", fullmatch=True)
LOCALE = st.sampled_from(["fr", "el", "ast", "pt_BR", "zh_tw", "en_GB"])


def put(folder: Path, *paths: str, text: bytes = b"") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)


def by_id(folder: Path) -> dict[str, Sample]:
    found = scan(LocalFolder(folder), Options()).samples
    assert len({sample.sample_id for sample in found}) == len(found)
    return {sample.sample_id: sample for sample in found}


def test_a_subject_with_everything(tmp_path: Path) -> None:
    put(tmp_path, "animals/birds/duck_desc.ogg", "animals/birds/duck_desc_fr.ogg")
    put(tmp_path, "animals/birds/duck.png", "animals/birds/duck.svg", "animals/birds/duck.ogg")
    names = "A duck.\nfr.utf8=Un canard.\nel.utf8=Πάπια.\n".encode()
    put(tmp_path, "animals/birds/duck.txt", text=names)

    samples = by_id(tmp_path)

    assert sorted(samples) == ["animals/birds/duck@en", "animals/birds/duck@fr"]
    french = samples["animals/birds/duck@fr"]
    assert french.group == "animals/birds/duck"
    assert french.licence == "GPL-2"
    assert french.targets == {
        "category": "animals",
        "language": "fr",
        "picture": "png",
        "style": "plain",
        "letters": 8.0,
        "name": "Un canard.",
    }
    assert french.assets == {
        "audio": "animals/birds/duck_desc_fr.ogg",
        "image": "animals/birds/duck.png",
        "text": Inline(b"Un canard.", "animals/birds/duck.txt"),
    }
    english = samples["animals/birds/duck@en"]
    assert english.assets["text"] == Inline(b"A duck.", "animals/birds/duck.txt")


def test_picture_and_text_may_be_missing(tmp_path: Path) -> None:
    put(tmp_path, "food/pie_desc_fr.ogg", "food/tart_desc_fr.ogg", "food/tart.svg")
    put(tmp_path, "food/cake_desc_fr.ogg")
    put(tmp_path, "food/cake.txt", text=b"A cake.\n")

    samples = by_id(tmp_path)

    assert set(samples["food/pie@fr"].assets) == {"audio"}
    assert set(samples["food/tart@fr"].assets) == {"audio", "image"}
    assert set(samples["food/cake@fr"].assets) == {"audio"}, "an English name is not a French one"


def test_subjects_without_speech_make_no_sample(tmp_path: Path) -> None:
    put(tmp_path, "food/pie.png", "food/pie.dat", "food/pie_mirror.png", "food/pie.ogg")
    assert by_id(tmp_path) == {}


def test_digits_say_their_names_in_their_sounds(tmp_path: Path) -> None:
    put(tmp_path, "symbols/9.png", "symbols/9.ogg", "symbols/9_en_GB.ogg", "symbols/9_zh_tw.ogg")
    put(tmp_path, "symbols/9_fr.ogg", "symbols/9_desc_fr.ogg", "symbols/A_filled.txt")
    put(tmp_path, "symbols/A_filled_en_GB.ogg")

    samples = by_id(tmp_path)

    assert sorted(samples) == [
        "symbols/9@en",
        "symbols/9@en_GB",
        "symbols/9@fr",
        "symbols/9@zh_TW",
        "symbols/A_filled@en_GB",
    ]
    assert samples["symbols/9@fr"].assets["audio"] == "symbols/9_desc_fr.ogg"
    assert samples["symbols/9@zh_TW"].targets == {
        "category": "symbols",
        "language": "zh",
        "picture": "png",
        "style": "plain",
        "letters": None,
        "name": None,
    }


def test_a_sound_whose_name_ends_like_a_language_is_no_speech(tmp_path: Path) -> None:
    put(tmp_path, "food/apple.png", "food/apple_red.png", "food/apple_red.ogg")
    put(tmp_path, "seasonal/bat_left.ogg", "seasonal/tom_tom.ogg")
    assert by_id(tmp_path) == {}


def test_odd_names_of_recordings(tmp_path: Path) -> None:
    put(tmp_path, "town/hut_desc_da.ogg.ogg", "food/yam_desc_pt_BR.wav")
    put(tmp_path, "food/nut_desc_fr.wav", "food/nut_desc_fr.ogg")

    samples = by_id(tmp_path)

    assert samples["town/hut@da"].assets["audio"] == "town/hut_desc_da.ogg.ogg"
    assert samples["food/yam@pt_BR"].assets["audio"] == "food/yam_desc_pt_BR.wav"
    assert samples["food/nut@fr"].assets["audio"] == "food/nut_desc_fr.ogg"


def test_a_locale_falls_back_to_its_language(tmp_path: Path) -> None:
    put(tmp_path, "food/yam_desc_pt_BR.ogg", "food/yam_en_GB.ogg")
    put(tmp_path, "food/yam.txt", text=b"A yam.\npt.utf8=Um inhame.\n")

    samples = by_id(tmp_path)

    assert samples["food/yam@pt_BR"].assets["text"] == Inline(b"Um inhame.", "food/yam.txt")
    assert samples["food/yam@en_GB"].assets["text"] == Inline(b"A yam.", "food/yam.txt")


def test_names_that_are_not_utf8_pass_as_they_are() -> None:
    names = written(b"Gar\xe7on\r\nfr.utf8=Gar\xe7on.\r\nes.utf8= \nnot a name\nde=Junge\n")
    assert names == {"en": b"Gar\xe7on", "fr": b"Gar\xe7on."}


def test_letters_are_counted_in_any_script() -> None:
    assert [letters(name.encode()) for name in ("L'âne, 9", "Πάπια.", "鴨子")] == [5, 5, 2]
    assert letters(b"Gar\xe7on") is None


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe"])
def test_odd_name_lists(data: bytes) -> None:
    assert set(written(data)) <= {"en"}


@given(st.binary(max_size=200))
def test_any_name_list_is_read(data: bytes) -> None:
    for name in written(data).values():
        assert name in data
        assert name.strip()


@given(st.dictionaries(NAME, st.sets(LOCALE, min_size=1), min_size=1, max_size=4))
def test_every_description_is_found_again(spoken: dict[str, set[str]]) -> None:
    paths = [f"a/{name}_desc_{locale}.ogg" for name, found in spoken.items() for locale in found]
    found = {(r.subject, r.locale.lower()) for r in first(recordings(paths))}
    assert found == {(f"a/{n}", locale.lower()) for n, ls in spoken.items() for locale in ls}


@given(st.lists(st.text("abc_/.", min_size=1, max_size=12).map(lambda s: s + ".ogg")))
def test_any_file_name_is_read_once_at_most(paths: list[str]) -> None:
    found = list(recordings(sorted(set(paths))))
    assert len({recording.path for recording in found}) == len(found)
    assert {recording.path for recording in found} <= set(paths)
