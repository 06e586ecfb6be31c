from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import Algorithm, digest_file
from pipeline.core.files.dvc_cache import place
from pipeline.core.files.lock import locked
from pipeline.execution.processes import Processes
from pipeline.execution.ray import RayExecutor
from pipeline.parts import manifest
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.job import CompletedPart, Executor, Job
from pipeline.parts.part import FOOTER, Work, read_footer, write_table
from pipeline.parts.plan import plan_parts
from pipeline.parts.serial import Serial
from pipeline.parts.summary import Summary
from pipeline.parts.up_to_date import skip_if_up_to_date
from tests.execution.reading import Disturbed
from tests.toy import Square, function, put, rows

OUT = Path("out")


def bring(numbers: list[int], executor: Executor | None = None, **how: object) -> Summary:
    work = Square(function(), **how)  # type: ignore[arg-type]
    return put(OUT, work, rows(numbers), executor=executor, limit=0.5)


class Shuffled(Serial):
    """Parts arrive in an order of their own."""

    def run(self, work: Work, jobs: Sequence[Job], out: Path) -> Iterator[CompletedPart]:
        made = list(super().run(work, sorted(jobs, key=lambda job: job.part.key[::-1]), out))
        yield from reversed(made)


def tree(folder: Path = OUT) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(folder.iterdir())}


numbers = st.lists(st.integers(0, 10**6), unique=True, max_size=60)


@given(numbers, st.integers(1, 8))
def test_plan_holds_every_row_once_and_ignores_their_order(found: list[int], mean: int) -> None:
    plan = plan_parts(function(), rows(found), mean, 10**6)
    again = plan_parts(function(), reversed(rows(found)), mean, 10**6)
    assert plan == again
    assert sorted(row.spec for part in plan for row in part.rows) == sorted(found)
    assert len({part.key for part in plan}) == len(plan)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=40, max_size=80), st.integers())
def test_one_more_row_changes_at_most_two_parts(found: list[int], extra: int) -> None:
    before = {part.key for part in plan_parts(function(), rows(found), 4, 10**6)}
    after = {part.key for part in plan_parts(function(), rows([*found, -1 - abs(extra)]), 4, 10**6)}
    assert len(after - before) <= 2


@given(numbers)
def test_no_part_is_over_its_bytes(found: list[int]) -> None:
    for one in plan_parts(function(), rows(found), 10**6, max_bytes=40):
        assert sum(row.size for row in one.rows) <= 40


def test_key_follows_parameters_and_rows() -> None:
    def key(parameters: dict[str, int], found: list[int]) -> str:
        return plan_parts(function(**parameters), rows(found), 10**9, 10**6)[0].key

    assert key({"a": 1}, [1, 2]) == key({"a": 1}, [2, 1])
    assert key({"a": 1}, [1, 2]) != key({"a": 2}, [1, 2])
    assert key({"a": 1}, [1, 2]) != key({"a": 1}, [1, 3])


def test_rows_in_are_rows_out_and_rejected(inside: Path) -> None:
    summary = bring([1, 2, 3, -4])
    assert (summary.rows, summary.rejected, summary.reasons) == (3, 1, {"negative": 1})
    assert sorted(manifest.read(OUT)["square"].to_pylist()) == [1, 4, 9]
    assert [reject.message for reject in manifest.rejects(OUT.joinpath)] == [
        "the number is below zero"
    ]


def test_again_computes_nothing_and_more_rows_only_theirs(inside: Path) -> None:
    first = bring(list(range(50)))
    before = tree()
    assert bring(list(range(50))).computed == 0
    assert tree() == before
    more = bring(list(range(51)))
    assert 1 <= more.computed <= 2
    assert more.reused == more.planned - more.computed
    assert first.computed == first.planned


def test_removes_what_no_plan_names(inside: Path) -> None:
    bring(list(range(50)))
    summary = bring([1])
    assert summary.removed > 0
    assert {path.suffix for path in OUT.iterdir()} == {".json", ".parquet"}
    assert len(list(OUT.glob("*.parquet"))) == 1


@pytest.mark.parametrize(
    "executor",
    [
        Shuffled(),
        Processes(1),
        Processes(2),
        pytest.param(RayExecutor(1), marks=pytest.mark.slow),
        pytest.param(RayExecutor(2), marks=pytest.mark.slow),
        pytest.param(RayExecutor(4), marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_same_bytes_from_every_executor(
    inside: Path, executor: Executor, request: pytest.FixtureRequest
) -> None:
    if isinstance(executor, RayExecutor):
        request.getfixturevalue("ray_runs")
    bring(list(range(-3, 60)))
    expected = tree()
    for path in OUT.iterdir():
        path.unlink()
    bring(list(range(-3, 60)), executor)
    assert tree() == expected


def test_a_failed_run_leaves_the_previous_outputs_and_resumes(inside: Path) -> None:
    bring(list(range(10)))
    before = (OUT / manifest.MANIFEST).read_bytes()
    with pytest.raises(PipelineError, match="told to break"):
        bring(list(range(60)), breaks_on=59)
    assert (OUT / manifest.MANIFEST).read_bytes() == before
    assert sorted(manifest.read(OUT)["square"].to_pylist()) == [n * n for n in range(10)]
    finished = len(list(OUT.glob("*.parquet"))) - len(manifest.read_manifest(OUT))
    summary = bring(list(range(60)))
    assert summary.reused >= finished
    expected = tree()
    for path in OUT.iterdir():
        path.unlink()
    bring(list(range(60)))
    assert tree() == expected


def test_past_its_reject_limit_a_stage_fails_and_says_why(inside: Path) -> None:
    bring([1, 2])
    before = manifest.read_manifest(OUT)
    with pytest.raises(PipelineError, match=r"(?s)3 of 4 rows.*75.0%.*50.0%.*3 negative"):
        bring([-1, -2, -3, 4])
    assert manifest.read_manifest(OUT) == before
    assert sorted(manifest.read(OUT)["square"].to_pylist()) == [1, 4]


@pytest.mark.parametrize("harm", ["truncate", "alter", "delete"])
def test_a_part_that_was_harmed_is_made_again(inside: Path, harm: str) -> None:
    bring(list(range(20)))
    expected = tree()
    victim = sorted(OUT.glob("*.parquet"))[0]
    data = bytearray(victim.read_bytes())
    if harm == "truncate":
        victim.write_bytes(data[:-20])
    elif harm == "alter":
        data[len(data) // 3] ^= 1
        victim.write_bytes(data)
    else:
        victim.unlink()
    assert bring(list(range(20))).computed == 1
    assert tree() == expected


def test_a_half_written_part_of_a_killed_run_is_not_used(inside: Path) -> None:
    bring(list(range(20)))
    expected = tree()
    (OUT / manifest.MANIFEST).unlink()
    victim = sorted(OUT.glob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:100])
    (OUT / f".{victim.name}.123.tmp").write_bytes(b"half")
    summary = bring(list(range(20)))
    assert summary.computed == 1
    assert tree() == expected


def test_a_half_that_its_dying_writer_takes_away_itself_is_not_missed(inside: Path) -> None:
    bring(list(range(4)))
    half = OUT / ".one.parquet.123.tmp"
    half.write_bytes(b"half")
    put(OUT, Square(function()), rows(list(range(8))), executor=Disturbed(Serial(), 1, half.unlink))
    assert not half.exists()


def test_what_dying_workers_leave_is_removed_after_the_work_too(inside: Path) -> None:
    def leave() -> None:
        (OUT / ".two.parquet.123.tmp").write_bytes(b"half")
        (OUT / "folder").mkdir()

    work = Square(function())
    put(OUT, work, rows(list(range(8))), executor=Disturbed(Serial(), 1, leave))
    listed = {f"{entry.key}.parquet" for entry in manifest.read_manifest(OUT)}
    assert {path.name for path in OUT.iterdir()} == {*listed, manifest.MANIFEST}


def test_a_refusal_by_the_machine_is_tried_again_and_costs_its_neighbours_nothing(
    inside: Path,
) -> None:
    bring([-1, *range(20)])
    expected = tree()
    for path in OUT.iterdir():
        path.unlink()
    Path(".pipeline/made.sqlite").unlink(missing_ok=True)

    def unlucky(times: int) -> Summary:
        seen = Path(f"seen{times}")
        seen.mkdir()
        work = Square(function(), fails_on=7 if times < 2 else None, seen=seen)
        summary = put(OUT, work, rows([-1, *range(20)]), limit=0.5)
        assert {path.name for path in seen.iterdir()} == ({"7"} if times else {"-1", *LUCKY})
        return summary

    LUCKY = set(map(str, range(20)))
    for times in range(2):
        summary = unlucky(times)
        assert (summary.rows, summary.reasons) == (19, {"failed": 1, "negative": 1})
        assert summary.provisional == 1
    assert (summary.computed_rows, summary.computed) == (1, 1)
    summary = unlucky(2)
    assert (summary.rows, summary.computed_rows, summary.provisional) == (20, 1, 0)
    assert tree() == expected
    assert bring([-1, *range(20)]).computed == 0


def test_a_refusal_by_the_machine_is_not_taken_over_nor_remembered(inside: Path) -> None:
    work = Square(function(), fails_on=7)
    put(OUT, work, rows([7, 8]), limit=0.5)
    keys = [entry.key for entry in manifest.read_manifest(OUT)]
    assert Cache().md5s(keys) == {}
    bring([7, 8, 9])
    assert sorted(manifest.read(OUT)["square"].to_pylist()) == [49, 64, 81]


@pytest.mark.parametrize("damaged", [b"{", b"gar\xffbage"])
def test_a_damaged_manifest_is_said_by_readers_and_healed_by_the_stage(
    inside: Path, damaged: bytes
) -> None:
    bring([1, 2])
    expected = tree()
    (OUT / manifest.MANIFEST).write_bytes(damaged)
    with pytest.raises(PipelineError, match="is damaged"):
        manifest.read(OUT)
    assert bring([1, 2]).computed == 0
    assert tree() == expected


def test_reading_what_was_never_made_says_what_to_run(inside: Path) -> None:
    with pytest.raises(PipelineError, match="dvc repro"):
        manifest.read(OUT)


def _hold(started: multiprocessing.synchronize.Event) -> None:
    with locked(OUT):
        started.set()
        multiprocessing.Event().wait(60)


def test_one_writer_at_a_time_and_a_killed_one_lets_go(inside: Path) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    holder = context.Process(target=_hold, args=(started,))
    holder.start()
    assert started.wait(20)
    with pytest.raises(PipelineError, match="another process is writing out"):
        bring([1])
    holder.kill()
    holder.join()
    assert bring([1]).computed == 1


def test_what_is_made_or_restored_is_read_once(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this project: DVC reads the outputs too."""
    read: list[str] = []

    def count(path: Path, algorithm: Algorithm = "sha256") -> str:
        read.append(digest_file(path, "md5"))
        return digest_file(path, algorithm)

    for module in ("parts.part", "parts.dvc_restore", "core.files.digest_cache"):
        monkeypatch.setattr(f"pipeline.{module}.digest_file", count)

    def run() -> Summary:
        read.clear()
        return skip_if_up_to_date("toy", "key", [OUT], lambda: bring(list(range(30))))

    assert run().computed > 1
    made = {entry.md5: OUT / f"{entry.key}.parquet" for entry in manifest.read_manifest(OUT)}
    assert Counter(read) == Counter([*made, digest_file(OUT / manifest.MANIFEST, "md5")])

    Path(".dvc").mkdir()
    for md5, path in made.items():
        cached = Path(".dvc/cache").joinpath(*place(md5))
        cached.parent.mkdir(parents=True, exist_ok=True)
        path.rename(cached)
    (OUT / manifest.MANIFEST).unlink()
    assert run().restored == len(made)
    assert max(Counter(read).values()) == 1


def test_a_stage_that_the_machine_failed_does_not_blame_the_data_alone(inside: Path) -> None:
    with pytest.raises(PipelineError, match=r"tried again.*execution\.timeout, or mend the data"):
        put(OUT, Square(function(), fails_on=2), rows([1, 2]))
    assert put(OUT, Square(function()), rows([1, 2])).rows == 2


def test_a_stage_with_a_row_to_try_again_is_not_done(inside: Path) -> None:
    def run(fails_on: int | None) -> Summary:
        work = Square(function(), fails_on=fails_on)
        return skip_if_up_to_date(
            "toy", "key", [OUT], lambda: put(OUT, work, rows([1, 2]), limit=0.5)
        )

    assert run(2).provisional == 1
    assert (run(None).rows, run(None).computed_rows) == (2, 0)


def test_parts_are_parquet_that_says_where_it_comes_from(inside: Path) -> None:
    bring([3])
    (path,) = OUT.glob("*.parquet")
    footer = read_footer(path)
    assert footer["function"]["parameters"] == {}
    assert footer["key"] == path.stem
    assert pq.read_table(path)["square"].to_pylist() == [9]


@pytest.mark.parametrize("footer", [None, "[]", "[" * 100_000, "{"])
def test_a_part_without_a_footer_of_its_own_is_made_again(inside: Path, footer: str | None) -> None:
    bring([1, 2])
    (part,) = OUT.glob("*.parquet")
    metadata = {} if footer is None else {FOOTER: footer.encode()}
    write_table(pq.read_table(part), part, metadata)
    (OUT / manifest.MANIFEST).unlink()
    assert bring([1, 2]).computed == 1
