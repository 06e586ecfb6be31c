"""What every modality promises: a new one is tested by being there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.errors import Rejected
from pipeline.core.media_card import CardOptions
from pipeline.core.randomness import generator
from pipeline.modalities import (
    Augmentation,
    Cleaning,
    augmentation_of,
    cleaning_of,
    content_of,
    examples_of,
    modalities,
    modality_of,
    showing_of,
)
from pipeline.raw.media_types import by_content, by_name

MODALITIES = modalities()


@cache
def files(modality: str) -> dict[str, bytes]:
    """Good files by media type."""
    return dict(examples_of(modality).files())


FILES = [(modality, media_type) for modality in MODALITIES for media_type in files(modality)]


def clean(modality: str, data: bytes, media_type: str) -> tuple[Any, dict[str, Any]]:
    module = cleaning_of(modality)
    content, measured = module.clean(data, media_type, module.Options())
    return content, measured


def stored(modality: str, content: Any) -> Any:
    """The content as later stages see it."""
    module = content_of(modality)
    data, shape = module.pack(content)
    return module.unpack(data, list(shape))


def same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    return type(first) is type(second) and first == second


@pytest.mark.parametrize("modality", MODALITIES)
def test_media_types_are_told_by_ending_and_signature(modality: str) -> None:
    folder = modality_of(modality)
    named = {one.name: one for one in folder.MEDIA_TYPES}
    assert files(modality).keys() <= named.keys()
    assert folder.INLINE in {None, *named}
    for media_type, data in files(modality).items():
        known = named[media_type]
        assert all(by_name(f"a/b{ending}") == media_type for ending in known.endings)
        assert not known.signature or re.compile(known.signature, re.DOTALL).match(data)
        assert by_content(data, f"b{known.endings[0]}") == media_type


@pytest.mark.parametrize("modality", MODALITIES)
def test_near_contents_are_told_by_a_hash_of_64_bits(modality: str) -> None:
    leak_key = modality_of(modality).LEAK_KEY
    if leak_key is None:
        return
    assert dict(cleaning_of(modality).MEASUREMENTS)[leak_key] == "string"
    for media_type, data in files(modality).items():
        _, measured = clean(modality, data, media_type)
        assert re.fullmatch("[0-9a-f]{16}", str(measured[leak_key]))


@pytest.mark.parametrize("modality", [name for name in MODALITIES if showing_of(name)])
def test_what_is_shown_is_the_same_each_time(modality: str) -> None:
    showing = showing_of(modality)
    assert showing
    for content in examples_of(modality).contents():
        card = showing.show(content, CardOptions())
        assert card.picture or card.sound or card.words
        assert card == showing.show(copy.deepcopy(content), CardOptions())


@pytest.mark.parametrize("modality", MODALITIES)
def test_examples_are_contents_as_cleaning_makes_them(modality: str) -> None:
    contents = examples_of(modality).contents()
    assert len(contents) >= 5
    media_type, data = next(iter(files(modality).items()))
    kind = type(clean(modality, data, media_type)[0])
    for content in contents:
        assert type(content) is kind
        assert same(stored(modality, content), stored(modality, stored(modality, content)))


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_clean_content_survives_storage(modality: str, media_type: str) -> None:
    content, _ = clean(modality, files(modality)[media_type], media_type)
    module = content_of(modality)
    data, shape = module.pack(content)
    assert isinstance(data, bytes)
    assert all(isinstance(size, int) for size in shape)
    assert same(module.unpack(data, list(shape)), content)


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_clean_content_takes_no_more_than_is_planned_for(modality: str, media_type: str) -> None:
    data = files(modality)[media_type]
    content, _ = clean(modality, data, media_type)
    packed, _ = content_of(modality).pack(content)
    module = cleaning_of(modality)
    assert len(packed) <= module.most_bytes(len(data), module.Options())


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_cleaning_repeats_and_measures_what_it_declares(modality: str, media_type: str) -> None:
    data = files(modality)[media_type]
    content, measured = clean(modality, data, media_type)
    again, measured_again = clean(modality, data, media_type)
    assert same(content, again)
    assert measured == measured_again
    declared = dict(cleaning_of(modality).MEASUREMENTS)
    assert set(measured) == set(declared)
    if cut := cleaning_of(modality).CUT:
        lost, whole = (float(measured[name]) for name in cut)
        assert 0 <= lost <= whole
    for name, kind in declared.items():
        assert pa.array([measured[name]], pa.type_for_alias(kind)).null_count == 0


def survives(modality: str, data: bytes, media_type: str) -> bool:
    """Whether cleaning passes the bytes on; whatever they are, nothing but Rejected is raised."""
    try:
        content, _ = clean(modality, data, media_type)
    except Rejected as caught:
        rejected = caught
    else:
        assert same(stored(modality, content), content)
        return True
    assert rejected.reason.isidentifier()
    assert rejected.reason == rejected.reason.lower()
    assert rejected.message
    assert "\n" not in rejected.message
    return False


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_empty_file_is_rejected(modality: str) -> None:
    assert not survives(modality, b"", next(iter(files(modality))))


@pytest.mark.parametrize(("modality", "media_type"), FILES)
@given(data=st.data())
@settings(max_examples=30)
def test_garbage_is_rejected_or_read(modality: str, media_type: str, data: st.DataObject) -> None:
    """Bytes at random, with or without a beginning that promises something."""
    start = data.draw(st.integers(0, 40))
    noise = data.draw(st.binary(max_size=200))
    survives(modality, files(modality)[media_type][:start] + noise, media_type)
    if examples_of(modality).TELLS_DAMAGE:
        assert not survives(modality, b"\x00" + noise, media_type)


@pytest.mark.parametrize(("modality", "media_type"), FILES)
@given(share=st.floats(0, 0.99))
@settings(max_examples=20)
def test_a_cut_file_is_rejected_or_whole(modality: str, media_type: str, share: float) -> None:
    whole = files(modality)[media_type]
    cut = whole[: int(len(whole) * share)]
    passed = survives(modality, cut, media_type)
    if examples_of(modality).TELLS_DAMAGE and passed:  # Only an end mark was missing.
        assert same(clean(modality, cut, media_type)[0], clean(modality, whole, media_type)[0])


@pytest.mark.parametrize(("modality", "media_type"), FILES)
@given(place=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=1, max_size=8))
@settings(max_examples=30)
def test_damage_raises_nothing_else(
    modality: str, media_type: str, place: float, noise: bytes
) -> None:
    whole = files(modality)[media_type]
    at = int(len(whole) * place)
    survives(modality, whole[:at] + noise + whole[at + len(noise) :], media_type)
    survives(modality, whole[:at] + noise + whole[at:], media_type)


def augmenter(modality: str) -> tuple[Any, Any]:
    module = augmentation_of(modality)
    return module, module.Options()


def recipe(modality: str, *purpose: str | int) -> list[dict[str, Any]]:
    module, options = augmenter(modality)
    drawn: list[dict[str, Any]] = module.draw(generator(*purpose), options)
    return drawn


@pytest.mark.parametrize("modality", MODALITIES)
def test_recipes_are_data_drawn_from_seed_digest_and_view(modality: str) -> None:
    recipes = []
    for seed in (1, 2):
        for digest in ("aa", "bb"):
            for view in range(1, 12):
                drawn = recipe(modality, seed, digest, view)
                assert drawn == recipe(modality, seed, digest, view)
                assert json.loads(json.dumps(drawn)) == drawn
                assert all(isinstance(operation["op"], str) for operation in drawn)
                recipes.append(json.dumps(drawn))
    assert len(set(recipes)) > len(recipes) / 2


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_views_replay_and_leave_the_original_alone(modality: str, media_type: str) -> None:
    module, _ = augmenter(modality)
    content, _ = clean(modality, files(modality)[media_type], media_type)
    content = stored(modality, content)
    if isinstance(content, np.ndarray):
        content.flags.writeable = False
    before, changed = copy.deepcopy(content), 0
    assert same(module.apply(content, []), content)
    for view in range(1, 13):
        drawn = recipe(modality, 5, "digest", view)
        copied = copy.deepcopy(drawn)
        made = module.apply(content, drawn)
        assert same(made, module.apply(content, json.loads(json.dumps(drawn))))
        for operation in drawn:
            module.apply(content, [operation])
        assert same(content, before)
        assert drawn == copied
        assert type(made) is type(content)
        assert same(stored(modality, made), stored(modality, stored(modality, made)))
        changed += not same(made, content)
    assert changed >= 6


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("part_of", [cleaning_of, augmentation_of])
def test_options_are_frozen_typed_and_data(
    modality: str, part_of: Callable[[str], Cleaning | Augmentation]
) -> None:
    module = part_of(modality)
    options = module.Options()
    given_options = options.model_dump(mode="json")
    assert module.Options(**json.loads(json.dumps(given_options))) == options
    assert all(field.description for field in module.Options.model_fields.values())
    with pytest.raises(ValidationError):
        module.Options(no_such_option=1)
    for field in module.Options.model_fields:
        with pytest.raises(ValidationError):
            setattr(options, field, given_options[field])


@pytest.mark.parametrize("modality", MODALITIES)
def test_views_are_counted_from_zero(modality: str) -> None:
    module, _ = augmenter(modality)
    assert module.Options(views=0).views == 0
    with pytest.raises(ValidationError):
        module.Options(views=-1)
