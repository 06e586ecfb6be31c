from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.options import Options
from pipeline.parts.job import Job
from pipeline.parts.part import Outcome, Part
from pipeline.parts.serial import Serial
from pipeline.stages.work import batch_invariance
from pipeline.stages.work.batch_invariance import BATCHES, ProvenExtract, broken_places
from tests.toy import function, rows

SIZE = 5
calls: list[list[float]] = []


class Batched(Options):
    batch_size: int = SIZE
    device: str = "cpu"
    law: str = "kept"


class Toy:
    """Adds a row's number to its place or its neighbours', as `law` says; -1 is refused."""

    def __init__(self, options: Batched) -> None:
        self.law = options.law

    def encode(self, numbers: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        if -1 in numbers:
            raise Rejected("odd", "the number is odd")
        calls.append(list(numbers))
        broken = {
            "kept": np.zeros(len(numbers)),
            "place": np.arange(len(numbers)) > 3,
            "neighbour": np.full(len(numbers), sum(set(numbers))),
        }[self.law]
        return np.float32(numbers + 1e-3 * broken)[:, None], np.ones(len(numbers), np.int32)


@pytest.fixture(autouse=True)
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    encoder = SimpleNamespace(MODALITY="text", COST_MS=1.0, Encoder=Toy)
    expensive = SimpleNamespace(**{**vars(encoder), "COST_MS": 1000.0})
    kinds = {"toy": encoder, "expensive": expensive}
    monkeypatch.setattr(batch_invariance, "_kind", kinds.__getitem__)


def run(numbers: Sequence[float], encoder: str = "toy", key: int = 0, **options: Any) -> list[Any]:
    work = ProvenExtract("set", encoder, Batched(**options), Path(), function(key=key))
    found = rows(list(range(len(numbers))))
    return list(work.open()(found, list(numbers)))


def values(outcomes: Sequence[Outcome]) -> list[float | str]:
    return [one.reason if isinstance(one, Rejected) else float(one[0][0]) for one in outcomes]


def test_a_law_that_holds_is_proven_once_a_key_and_changes_nothing() -> None:
    given: list[float] = [3.0, 4.0, 5.0]
    assert values(run(given)) == given
    assert calls == [[3.0], [4.0], [3, 4, 3, 4, 3], [4, 3, 4, 3, 4], given]
    assert len(calls) == BATCHES + 1
    calls.clear()
    assert values(run(given)) == given
    assert calls == [given]
    calls.clear()
    run(given, key=1)
    assert len(calls) == BATCHES + 1


@pytest.mark.parametrize(
    ("law", "told"),
    [("place", "1 of 5 places differ, the first at 4"), ("neighbour", "5 of 5 places differ")],
)
def test_an_encoder_that_breaks_it_stops_its_stage(inside: Path, law: str, told: str) -> None:
    for _ in range(2):  # what failed is not remembered as proven
        with pytest.raises(PipelineError, match=rf"extract/set: .*\n?.*{told}.*Nothing was stored"):
            run([3.0, 4.0], law=law)


def test_no_part_is_made_by_an_encoder_that_breaks_it(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = ProvenExtract("set", "toy", Batched(law="place"), Path(), function())
    monkeypatch.setattr(ProvenExtract, "read", lambda self, some: [row.spec for row in some])
    monkeypatch.setattr(ProvenExtract, "prepare", lambda self, some, read: read)
    job = Job(Part("key", "s", "b", 0, tuple(rows([3, 4]))))
    with pytest.raises(PipelineError, match="depend on its place"):
        list(Serial().run(work, [job], inside / "out"))
    assert not list(inside.rglob("*.parquet"))


def test_a_single_row_is_its_own_neighbour() -> None:
    with pytest.raises(PipelineError, match="1 of 5 places differ"):
        run([3.0], law="place")


def test_rejects_prove_nothing_and_are_kept() -> None:
    assert values(run([-1, -1], law="place")) == ["odd", "odd"]
    with pytest.raises(PipelineError, match="places differ"):
        run([-1, 3.0, -1], law="place")
    assert values(run([-1, 3.0])) == ["odd", 3.0]


def test_where_it_costs_too_much_or_has_one_row_a_batch_is_not_tried() -> None:
    run([3.0, 4.0], "expensive", law="place")
    assert calls == [[3.0, 4.0]]
    with pytest.raises(PipelineError, match="places differ"):
        run([3.0, 4.0], "expensive", law="place", device="cuda")
    calls.clear()
    run([3.0, 4.0], law="place", batch_size=1)
    assert calls == [[3.0], [4.0]]


def test_a_cache_that_cannot_be_written_costs_another_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        run([3.0, 4.0])
    assert len(calls) == 2 * (BATCHES + 1)


def test_each_place_has_each_neighbour() -> None:
    pairs = set()

    def encode(order: Sequence[int]) -> list[Outcome]:
        pairs.update(enumerate(order))
        return [(np.array([row]), 1) for row in order]

    assert broken_places(encode, [7, 8, 9], 4) == []
    assert pairs == {(place, row) for place in range(4) for row in (7, 8)}
