from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pipeline.models.training.batches import Tensors, fits, prefetch
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


class Stream:
    """A GPU's stream as far as it says what waits for what."""

    def __init__(self, name: str) -> None:
        self.name, self.log, self.events = name, list[str](), 0

    def record_event(self) -> str:
        self.events += 1
        self.log.append(f"{self.name} {self.events}")
        return self.log[-1]

    def wait_event(self, event: str) -> None:
        self.log.append(f"after {event}")


def test_on_a_gpu_batches_are_made_on_a_stream_beside_the_step(monkeypatch):
    """Each behind the step before the last, whose memory it may take; each step behind its own."""
    main, side = Stream("main"), Stream("side")
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: side)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext(stream))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)

    def items() -> Iterator[int]:
        for number in (1, 2, 3):
            side.log.append(f"make {number}")
            yield number

    for item in prefetch(items(), torch.device("cuda")):
        main.log.append(f"step {item}")
    assert side.log == [
        *("after main 1", "make 1", "side 1"),
        *("after main 2", "make 2", "side 2"),
        *("after main 3", "make 3", "side 3"),
        *("after main 4", "side 4"),
    ]
    assert main.log == [
        "main 1",
        *("after side 1", "main 2", "step 1"),
        *("after side 2", "main 3", "step 2"),
        *("after side 3", "main 4", "step 3"),
    ]


def test_features_stay_on_a_card_that_has_room_for_twice_as_much():
    assert fits(10**15, None)
    assert fits(50, 100)
    assert not fits(51, 100)


@pytest.mark.parametrize(("free", "home"), [(10**9, "meta"), (100, "cpu")])
def test_features_that_do_not_fit_are_sent_row_by_row(monkeypatch, free, home):
    monkeypatch.setattr("pipeline.models.training.batches._free_bytes", lambda device: free)
    source = Tensors(split_of(joined(), "train"), torch.device("meta"))
    assert {str(one.device) for one in source.values.values()} == {home}
    result = source.gather(np.array([3, 1]))
    assert [*result.values] == ["pixels", "spectrum", "words"]
    sent = [*result.values.values(), *result.lengths.values(), result.present]
    assert {str(one.device) for one in sent} == {"meta"}


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
