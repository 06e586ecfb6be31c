"""Every fusion and tower states the shapes of its tensors, and what it states is held."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from pipeline.core import registry
from pipeline.models.fusion import FOLDER as FUSIONS
from pipeline.models.positions import positions
from pipeline.models.towers import FOLDER
from tests.models import test_decisions, test_towers
from tests.models.shapes import held, hints, methods, parts
from tests.models.test_fusion import EVERY, NAMES, WIDTH, draw, make, masks, some


def built(name: str) -> torch.nn.Module:
    """A fusion or a tower as it is built, without the tests' wrapping."""
    folder, kind = name.rsplit("/", 1)
    if folder == FOLDER:
        (shape, *_) = [shape for one, shape in test_towers.CASES if one == kind]
        return test_towers.make(kind, shape).kind
    if kind in NAMES:
        fusion = some(kind)[0]
        return getattr(fusion, "fusion", fusion)
    return test_decisions.make(kind)


@pytest.mark.parametrize(
    "name", [f"{folder}/{one}" for folder in (FUSIONS, FOLDER) for one in registry.names(folder)]
)
def test_every_tensor_has_its_shape_stated(name):
    result = methods(type(built(name)))
    assert "forward" in result
    bare = [
        f"{method}: {where}"
        for method, function in result.items()
        for where, hint in hints(function).items()
        if {Tensor, Any} & set(parts(hint))
    ]
    assert bare == []


@pytest.mark.parametrize("name", EVERY)
def test_a_fusion_is_held_to_what_it_takes(name):
    if name in NAMES:
        fusion, sets = some(name)
        join, numbers = fusion, draw(4, sets, WIDTH)
    else:
        decision, sets = test_decisions.make(name), 3
        join, numbers = lambda *given: decision(0, *given), draw(4, sets, 5)
    present = masks(sets)[-1:].expand(4, sets)
    join(numbers, present)
    for wrong in [
        (numbers[1:], present),
        (numbers[..., None], present),
        (numbers.int(), present),
        (numbers, present[:, 0]),
        (numbers, present.float()),
    ]:
        with pytest.raises(TypeCheckError):
            join(*wrong)


@pytest.mark.parametrize(("kind", "shape"), test_towers.CASES)
def test_a_tower_is_held_to_what_it_takes(kind, shape):
    read = test_towers.make(kind, shape).kind
    values, lengths = test_towers.draw(shape)
    read(values, lengths)
    for wrong in [
        (values, lengths[1:]),
        (values.int(), lengths),
        (values, lengths.float()),
        (values, lengths[:, None]),
    ]:
        with pytest.raises(TypeCheckError):
            read(*wrong)


def test_a_result_of_another_shape_is_refused():
    fusion = make("concatenation", 3)
    fusion.width += 1
    with pytest.raises(TypeCheckError, match="return value"):
        fusion(draw(8, 3, WIDTH), masks(3))


@pytest.mark.parametrize(("kind", "shape"), test_towers.CASES)
def test_a_token_is_as_wide_as_it_was_asked_to_be(kind, shape):
    """Unlike the bands, so that what is stated of one cannot hold by chance for the other."""
    tower = test_towers.make(kind, shape, width=10)
    if tower is not None:  # `identity` is as wide as its set
        assert tower(*test_towers.draw(shape)).shape == (5, 10)


def test_positions_are_as_stated():
    assert held(positions)(3, 4).dtype == torch.float32
