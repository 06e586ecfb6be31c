from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pipeline.models.training.batches import Tensors, prefetch
from tests.models.synthetic import joined, split_of


def test_ahead_gives_the_same_in_the_same_order():
    assert list(prefetch(iter(range(1, 100)))) == list(range(1, 100))
    assert list(prefetch([])) == []


def test_the_next_is_made_while_the_last_is_used():
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    given = prefetch(items())
    assert next(given) == 1
    assert made.wait(5)
    assert list(given) == [2]


def test_what_goes_wrong_is_raised():
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    given = prefetch(items())
    assert next(given) == 1
    with pytest.raises(ZeroDivisionError):
        next(given)


def test_rows_come_at_the_views_that_were_asked_for():
    one = split_of(joined(), "train", {"words": "text"})
    views = np.stack([one.values["words"][0] + v for v in range(3)])
    lengths = np.stack([one.lengths["words"][0] + v for v in range(3)])
    examples = type(one)(**{**vars(one), "values": {"words": views}, "lengths": {"words": lengths}})
    source = Tensors(examples, torch.device("cpu"))
    rows, chosen = np.array([5, 0, 7, 5]), np.array([2, 0, 1, 1])
    result = source.gather(rows, {"text": chosen})
    np.testing.assert_array_equal(result.values["words"].numpy(), views[chosen, rows])
    np.testing.assert_array_equal(result.lengths["words"].numpy(), lengths[chosen, rows])
    plain = source.gather(rows)
    np.testing.assert_array_equal(plain.values["words"].numpy(), views[0, rows])
