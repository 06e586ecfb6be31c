"""Rows that were computed once are computed no more, wherever they go; a bad row costs itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.parts import manifest
from pipeline.parts.part import Row, apply_bisecting
from pipeline.parts.summary import Summary
from tests.toy import Square, function, put

# What a run is asked for: batch → numbers, none of them in two batches.
Wanted = dict[str, set[int]]


def rows(wanted: Mapping[str, set[int]]) -> list[Row]:
    return [
        Row(digest_bytes(str(n).encode()), str(n), "s", batch, 8, spec=n)
        for batch, numbers in wanted.items()
        for n in numbers
    ]


def bring(out: Path, wanted: Wanted, seen: Path | None = None, **parameters: object) -> Summary:
    return put(out, Square(function(**parameters), seen=seen), rows(wanted), limit=1.0)


def tree(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


worlds = st.dictionaries(st.integers(-9, 60), st.sampled_from("abc"), max_size=40).map(
    lambda places: {b: {n for n, at in places.items() if at == b} for b in set(places.values())}
)


@given(st.lists(worlds, min_size=2, max_size=4))
@settings(max_examples=40)
def test_only_new_rows_are_computed_and_the_bytes_are_those_of_a_clean_run(
    tmp_path_factory: pytest.TempPathFactory, history: list[Wanted]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        out, before = folder / "out", set[int]()
        for step, wanted in enumerate(history):
            seen = folder / f"seen{step}"
            seen.mkdir()
            summary = bring(out, wanted, seen)
            now = set().union(*wanted.values())
            assert {int(path.name) for path in seen.iterdir()} == now - before
            assert summary.computed_rows == len(now - before)
            assert summary.rows + summary.rejected == len(now)
            before = now
        bring(folder / "clean", history[-1])
        assert tree(out) == tree(folder / "clean")


def test_a_renamed_batch_keeps_its_parts(inside: Path) -> None:
    bring(Path("out"), {"a": {1, 2, 3, -4}})
    before = tree(Path("out"))
    summary = bring(Path("out"), {"z": {1, 2, 3, -4}})
    assert (summary.computed, summary.removed) == (0, 0)
    assert {reject.batch for reject in manifest.rejects(Path("out").joinpath)} == {"z"}
    after = tree(Path("out"))
    assert {name: after[name] for name in before if name.endswith("parquet")} == {
        name: data for name, data in before.items() if name.endswith("parquet")
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": {-4}, "b": {-5}}, {"b": {-4, -5}}),  # the batch that held the row is removed
        ({"b": {-4}}, {"a": {-4}, "b": {5}}),  # another that sorts before holds it too
        ({"b": {-4, 1}}, {"a": {-4}, "b": {1}}),
        ({"a": {-4}}, {"a": {-4, 1}}),
    ],
)
def test_parts_of_refused_rows_alone_are_taken_over(
    inside: Path, before: Wanted, after: Wanted
) -> None:
    bring(Path("out"), before)
    summary = bring(Path("out"), after)
    new = set().union(*after.values()) - set().union(*before.values())
    assert summary.computed_rows == len(new)
    bring(Path("clean"), after)
    assert tree(Path("out")) == tree(Path("clean"))


def test_a_row_is_not_taken_from_another_function(inside: Path) -> None:
    bring(Path("out"), {"a": {1, 2, 3}}, p=1)
    summary = bring(Path("out"), {"a": {1, 2, 3}}, p=2)
    assert (summary.computed_rows, summary.reused_rows) == (3, 0)


def test_a_damaged_part_lends_no_rows(inside: Path) -> None:
    bring(Path("out"), {"a": {1}})
    (part,) = Path("out").glob("*.parquet")
    data = bytearray(part.read_bytes())
    data[8] ^= 1
    part.write_bytes(data)
    summary = bring(Path("out"), {"a": {1, 2}})
    assert (summary.computed_rows, summary.reused_rows) == (2, 0)
    assert sorted(manifest.read(Path("out"))["square"].to_pylist()) == [1, 4]


def test_one_result_serves_another_row_under_its_own_digest(inside: Path) -> None:
    """Two assets that clean to the same content are encoded once, and keep their own digests."""
    one, two = (Row(digest_bytes(n), "same", "s", "b", 8, spec=3) for n in (b"one", b"two"))
    put(Path("out"), Square(function()), [one])
    summary = put(Path("out"), Square(function()), [two])
    assert (summary.computed_rows, summary.reused_rows) == (0, 1)
    (part,) = Path("out").glob("*.parquet")
    assert pq.read_table(part)["digest"].to_pylist() == [two.digest]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.sets(st.integers(0, 9)))
def test_halving_finds_every_bad_row(numbers: list[int], bad: set[int]) -> None:
    calls = []

    def step(some: list[Row], values: list[int]) -> list[int]:
        calls.append(len(values))
        if bad & set(values):
            raise ValueError
        return [-value for value in values]

    given = [Row(str(i), str(i), "s", "b", 1) for i in range(len(numbers))]
    found = apply_bisecting(step, given, numbers, "toy/x")
    assert [isinstance(one, Rejected) for one in found] == [n in bad for n in numbers]
    assert [one for one in found if not isinstance(one, Rejected)] == [
        -n for n in numbers if n not in bad
    ]
    reasons = {(one.reason, one.message) for one in found if isinstance(one, Rejected)}
    assert reasons <= {("failed", "toy raised ValueError")}
    if not bad & set(numbers):
        assert calls == [len(numbers)]


@pytest.mark.parametrize("error", [MemoryError(), ImportError("libx.so: failed to map segment")])
def test_trouble_of_the_machine_is_no_reject(error: Exception) -> None:
    def step(some: list[Row], values: list[int]) -> list[int]:
        raise error

    with pytest.raises(PipelineError, match="fell short"):
        apply_bisecting(step, [Row("d", "k", "s", "b", 1)], [1], "toy")


def test_a_full_disk_is_said_and_finished_parts_stand(inside: Path) -> None:
    """A file system of one megabyte, where it may be mounted."""
    Path("out").mkdir()
    if shutil.which("mount") is None or _mount("out") != 0:
        pytest.skip("this user may not mount a small file system")
    try:
        Path("out", "filler").write_bytes(b"x" * (2**20 - 3 * 4096))
        with pytest.raises((PipelineError, OSError), match="No space left"):
            bring(Path("out"), {"a": set(range(400))})
        assert not list(Path("out").glob("*.tmp"))
        Path("out", "filler").unlink()
        assert bring(Path("out"), {"a": set(range(400))}).rows == 400
    finally:
        _run("umount", "out")


def _mount(folder: str) -> int:
    return _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)


def _run(*command: str) -> int:
    import subprocess

    return subprocess.run(command, capture_output=True, check=False).returncode
