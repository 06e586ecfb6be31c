"""What every modality promises: a new one is tested by being there."""

from __future__ import annotations

import copy
import io
import json
import wave
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.errors import Rejected
from pipeline.core.randomness import generator
from pipeline.core.registry import load, names
from tests.modalities.image.pictures import encoded, scene, svg

MODALITIES = names("modalities")


def chirp(seconds: float = 0.6, rate: int = 22_050) -> np.ndarray:
    """A tone that rises, between silences, as int16."""
    time = np.arange(int(seconds * rate)) / rate
    loudness = np.sin(np.pi * np.clip((time - 0.1) / (seconds - 0.2), 0, 1))
    return (12_000 * loudness * np.sin(2 * np.pi * (300 + 600 * time) * time)).astype("<i2")


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(22_050)
        writer.writeframes(chirp().tobytes())
    return file.getvalue()


def ogg() -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, chirp(), 22_050, format="OGG", subtype="VORBIS")
    return file.getvalue()


@cache
def files(modality: str) -> dict[str, bytes]:
    """Good files by media type."""
    if modality == "image":
        return {
            "image/png": encoded(scene(), ".png"),
            "image/jpeg": encoded(scene(), ".jpg"),
            "image/webp": encoded(scene(), ".webp"),
            "image/svg+xml": svg('<circle cx="50" cy="25" r="20" fill="#c33"/>'),
        }
    if modality == "audio":
        return {"audio/wav": wav(), "audio/ogg": ogg()}
    if modality == "text":
        return {"text/plain": "Ein kleiner, weißer Hund und τρία πρόβατα".encode()}
    raise NotImplementedError(f"give files of the modality {modality}")


FILES = [(modality, media_type) for modality in MODALITIES for media_type in files(modality)]


def clean(modality: str, data: bytes, media_type: str) -> tuple[Any, dict[str, Any]]:
    module = load(f"modalities/{modality}", "clean")
    content, measured = module.clean(data, media_type, module.Options())
    return content, measured


def stored(modality: str, content: Any) -> Any:
    """The content as later stages see it."""
    module = load(f"modalities/{modality}", "content")
    data, shape = module.pack(content)
    return module.unpack(data, list(shape))


def same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    return type(first) is type(second) and first == second


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_clean_content_survives_storage(modality: str, media_type: str) -> None:
    content, _ = clean(modality, files(modality)[media_type], media_type)
    module = load(f"modalities/{modality}", "content")
    data, shape = module.pack(content)
    assert isinstance(data, bytes)
    assert all(isinstance(size, int) for size in shape)
    assert same(module.unpack(data, list(shape)), content)


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_clean_content_takes_no_more_than_is_planned_for(modality: str, media_type: str) -> None:
    data = files(modality)[media_type]
    content, _ = clean(modality, data, media_type)
    packed, _ = load(f"modalities/{modality}", "content").pack(content)
    module = load(f"modalities/{modality}", "clean")
    assert len(packed) <= module.most_bytes(len(data), module.Options())


@pytest.mark.parametrize(("modality", "media_type"), FILES)
def test_cleaning_repeats_and_measures_what_it_declares(modality: str, media_type: str) -> None:
    data = files(modality)[media_type]
    content, measured = clean(modality, data, media_type)
    again, measured_again = clean(modality, data, media_type)
    assert same(content, again)
    assert measured == measured_again
    declared = dict(load(f"modalities/{modality}", "clean").MEASUREMENTS)
    assert set(measured) == set(declared)
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
    if modality != "text":
        assert not survives(modality, b"\x00" + noise, media_type)


@pytest.mark.parametrize(("modality", "media_type"), FILES)
@given(share=st.floats(0, 0.99))
@settings(max_examples=20)
def test_a_cut_file_is_rejected_or_whole(modality: str, media_type: str, share: float) -> None:
    whole = files(modality)[media_type]
    cut = whole[: int(len(whole) * share)]
    passed = survives(modality, cut, media_type)
    if modality != "text" and passed:  # Only an end mark was missing.
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
    module = load(f"modalities/{modality}", "augment")
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
@pytest.mark.parametrize("part", ["clean", "augment"])
def test_options_are_frozen_typed_and_data(modality: str, part: str) -> None:
    module = load(f"modalities/{modality}", part)
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
