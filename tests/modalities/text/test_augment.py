from __future__ import annotations

import json
import unicodedata
from collections import Counter
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.randomness import generator
from pipeline.modalities.text.augment import Options, apply, draw, letters
from pipeline.modalities.text.content import is_readable

ALL = Options(dropout=1, swap=1, noise=1, dropout_share=0.9, swap_share=1, noise_share=1)
SENTENCE = "A large grey wolf howls at the moon tonight"


def operation(name: str, share: float, seed: int = 0) -> list[dict[str, object]]:
    return [{"op": name, "share": share, "seed": seed}]


def clean_texts() -> st.SearchStrategy[str]:
    """Readable text in NFC with single spaces, of any script."""
    words = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=6)
    texts = words.map(lambda parts: unicodedata.normalize("NFC", " ".join(parts).strip()))
    return texts.map(lambda text: " ".join(text.split())).filter(is_readable)


def test_recipes_are_plain_data_and_a_function_of_the_generator() -> None:
    first = draw(generator(1, "augment", "digest", 1), ALL)
    assert first == draw(generator(1, "augment", "digest", 1), ALL)
    assert first == json.loads(json.dumps(first))
    assert first != draw(generator(1, "augment", "digest", 2), ALL)
    assert [step["op"] for step in first] == ["dropout", "swap", "noise"]


def test_an_operation_of_probability_zero_is_never_drawn() -> None:
    options = Options(dropout=0, swap=0, noise=0)
    assert all(draw(generator(0, view), options) == [] for view in range(50))


def test_one_operations_probability_does_not_move_the_others() -> None:
    def noises(options: Options) -> list[dict[str, object]]:
        recipes = (draw(generator(0, view), options) for view in range(20))
        return [step for recipe in recipes for step in recipe if step["op"] == "noise"]

    assert noises(Options(dropout=0)) == noises(Options(dropout=1, swap=1))


@given(clean_texts(), st.integers(0, 2**32))
def test_views_are_clean_readable_and_repeatable(text: str, seed: int) -> None:
    recipe = draw(generator(seed, "augment"), ALL)
    view = apply(text, recipe)
    assert view == apply(text, recipe)
    assert is_readable(view)
    assert view == " ".join(view.split())
    assert view == unicodedata.normalize("NFC", view)


def test_no_operation_leaves_the_text() -> None:
    assert apply(SENTENCE, []) == SENTENCE


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_dropout_leaves_out_its_share_and_keeps_the_order(share: float) -> None:
    words = SENTENCE.split()
    left = apply(SENTENCE, operation("dropout", share)).split()
    assert len(left) == len(words) - max(1, round(share * len(words)))
    assert left == [word for word in words if word in left]


def test_the_last_word_stays() -> None:
    assert apply("Penguin.", operation("dropout", 0.9)) == "Penguin."


def test_swap_keeps_every_word() -> None:
    swapped = apply(SENTENCE, operation("swap", 0.3))
    assert swapped != SENTENCE
    assert Counter(swapped.split()) == Counter(SENTENCE.split())


def test_a_single_swap_moves_a_word_by_one_place() -> None:
    assert apply("one two", operation("swap", 0)) == "two one"


def test_noise_touches_single_letters_in_their_own_alphabet() -> None:
    for seed in range(40):
        noisy = apply("Пингвин", operation("noise", 0, seed))
        assert set(noisy) <= set("Пингвин")
        assert abs(len(noisy) - len("Пингвин")) <= 1


def test_noise_deletes_inserts_replaces_and_transposes() -> None:
    views = {apply("ab", operation("noise", 0, seed)) for seed in range(300)}
    assert views == {"a", "b", "aab", "abb", "aba", "aa", "bb", "ba", "ab"}


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_noise_touches_its_share(share: float) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E64)))
    noisy = apply(text, operation("noise", share))
    untouched = SequenceMatcher(a=text, b=noisy, autojunk=False)
    lost = len(text) - sum(block.size for block in untouched.get_matching_blocks())
    assert 0 < lost <= round(share * len(text))


def test_a_letter_goes_with_its_marks_and_joiners() -> None:
    assert letters("કિ ক\u200dষ") == ["કિ", " ", "ক\u200d", "ষ"]


def test_a_long_text_is_augmented_in_no_time() -> None:
    view = apply("word " * 20_000, operation("noise", 1.0))
    assert len(view) > 50_000


def test_a_share_of_all_words_is_no_option() -> None:
    with pytest.raises(ValidationError):
        Options(dropout_share=1.0)
