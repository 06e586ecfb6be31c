"""Whatever happened before, the result is that of a clean build, and only the new was computed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipeline.core.files.digest import digest_file
from pipeline.params import Params, parse
from pipeline.parts import dvc_restore
from pipeline.parts.job import CompletedPart, Job
from pipeline.parts.serial import Serial
from pipeline.parts.summary import Summary
from pipeline.parts.up_to_date import skip_if_up_to_date
from pipeline.stages import graph
from pipeline.stages.run import find
from tests import dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DATA = Path("data")
ENCODERS = {"image": "colour_hog", "audio": "mfcc", "text": "hashing"}
# What a sample is: its name → (its label, the number that its contents are drawn from).
Samples = dict[str, tuple[str, int]]


class Killed(Exception):
    """In place of a SIGKILL, which tests/test_crash.py sends to real processes."""


@dataclass
class World:
    """What lies in the raw root, and the params."""

    batches: dict[str, Samples] = field(default_factory=dict)
    level: float = -23.0
    side: int = 256
    words: int = 512

    def write(self, raw: Path) -> None:
        """Bring a raw root to it; files that stay the same are left alone."""
        shutil.rmtree(raw, ignore_errors=True)
        for batch, samples in self.batches.items():
            folder = raw / "shapes" / batch
            folder.mkdir(parents=True)
            rows = []
            for name, (label, i) in samples.items():
                rows.append(
                    {
                        "sample_id": name,
                        "image_file_name": f"{name}.png",
                        "audio_file_name": f"{name}.wav",
                        "text": f"a {label} called {i}",
                        "shape": label,
                    }
                )
                (folder / f"{name}.png").write_bytes(dataset.picture(label, i))
                (folder / f"{name}.wav").write_bytes(dataset.sound(label, i))
            dataset.write_metadata(folder, rows or [{"sample_id": "", "shape": ""}])

    def params(self) -> Params:
        document: dict[str, Any] = dataset.params(executor="serial")
        document["clean"]["audio"]["level_dbfs"] = self.level
        document["clean"]["image"]["max_side"] = self.side
        document["features"]["hashing"]["dimension"] = self.words
        document["curate"]["min_components_per_class"] = 1
        document["curate"]["max_component_share"] = 1.0
        document["curate"]["reject_limit"] = 1.0
        return parse(document)

    def contents(self) -> set[tuple[str, int]]:
        return {content for samples in self.batches.values() for content in samples.values()}


def build(params: Params, root: Path = DATA) -> dict[str, Summary]:
    """Every stage but those of models, as `pipeline stage` runs them."""
    done = {}
    for name in ("ingest", "clean", "augment", "extract", "curate"):
        for item in graph.items(params, name):
            stage = graph.label(name, item)
            planned = find(params, name, item)(params, item, root)  # type: ignore[call-arg]
            done[stage] = skip_if_up_to_date(stage, planned.key, planned.outs, planned.run)
    return done


def tree(root: Path) -> dict[str, str]:
    made = (path for path in root.rglob("*") if path.is_file() and "raw" not in path.parts)
    return {path.relative_to(root).as_posix(): digest_file(path) for path in sorted(made)}


def commit() -> None:
    """Put every output into the cache as DVC does: by its MD5."""
    for path in DATA.rglob("*"):
        if path.is_file() and "raw" not in path.parts:
            md5 = digest_file(path, "md5")
            held = Path("cache", "files", "md5", md5[:2], md5[2:])
            if not held.exists():
                held.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, held)


class History(RuleBasedStateMachine):
    """Random histories of a project."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = Path(self.directory.mktemp("history"))
        self.patch.chdir(self.folder)
        self.patch.setattr(dvc_restore.Cache, "_folder", self.folder / "cache")
        self.world, self.past = World(), list[World]()
        self.ever: set[tuple[str, int]] = set()
        self.before: set[tuple[str, int]] = set()
        self.names = 0

    directory: pytest.TempPathFactory

    @initialize(count=st.integers(3, 8))
    def begin(self, count: int) -> None:
        self.world.batches["b0"] = self.fresh(count)
        self.check(unchanged_params=True)

    def fresh(self, count: int) -> Samples:
        found = {}
        for _ in range(count):
            self.names += 1
            found[f"n{self.names}"] = (dataset.CLASSES[self.names % 3], self.names)
        return found

    def check(self, unchanged_params: bool) -> None:
        """Run; what is new, and nothing else, went through the functions."""
        self.world.write(DATA / "raw")
        done = build(self.world.params())
        now = self.world.contents()
        if unchanged_params:
            for modality, encoder in (
                ("image", "colour_hog"),
                ("audio", "mfcc"),
                ("text", "hashing"),
            ):
                decoded, encoded = done[f"clean/{modality}"], done[f"extract/{encoder}"]
                assert len(now - self.ever) <= decoded.computed_rows <= len(now - self.before)
                assert encoded.computed_rows <= 2 * len(now - self.before)
                if now - self.before <= now - self.ever:
                    assert decoded.computed_rows == len(now - self.before)
                    assert encoded.computed_rows == 2 * decoded.computed_rows
        commit()
        self.before = now
        self.ever |= now
        self.past.append(deepcopy(self.world))

    @rule(count=st.integers(1, 3))
    def add_a_batch(self, count: int) -> None:
        self.world.batches[f"b{len(self.past)}"] = self.fresh(count)
        self.check(True)

    @rule(count=st.integers(1, 3), data=st.data())
    def add_files_to_a_batch(self, count: int, data: st.DataObject) -> None:
        self.world.batches[data.draw(st.sampled_from(sorted(self.world.batches)))] |= self.fresh(
            count
        )
        self.check(True)

    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        batch, name = self.some(data)
        self.names += 1
        self.world.batches[batch][name] = (self.world.batches[batch][name][0], self.names)
        self.check(True)

    @precondition(lambda self: sum(map(len, self.world.batches.values())) > 3)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        batch, name = self.some(data)
        del self.world.batches[batch][name]
        self.check(True)

    @rule(data=st.data())
    def rename_a_file(self, data: st.DataObject) -> None:
        batch, name = self.some(data)
        self.names += 1
        samples = self.world.batches[batch]
        samples[f"r{self.names}"] = samples.pop(name)
        self.check(True)

    @rule(data=st.data())
    def duplicate_a_file(self, data: st.DataObject) -> None:
        batch, name = self.some(data)
        self.names += 1
        self.world.batches[batch][f"d{self.names}"] = self.world.batches[batch][name]
        self.check(True)

    @rule(data=st.data())
    def move_to_another_batch(self, data: st.DataObject) -> None:
        batch, name = self.some(data)
        other = data.draw(st.sampled_from([*sorted(self.world.batches), "a-new-one"]))
        content = self.world.batches[batch].pop(name)
        self.world.batches.setdefault(other, {})[name] = content
        self.check(True)

    @rule(data=st.data())
    def rename_a_batch(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(self.world.batches)))
        self.world.batches[f"z{len(self.past)}"] = self.world.batches.pop(batch)
        self.check(True)

    @rule(level=st.sampled_from([-23.0, -20.0]), words=st.sampled_from([256, 512]))
    def change_parameters(self, level: float, words: int) -> None:
        same = (level, words) == (self.world.level, self.world.words)
        self.world.level, self.world.words = level, words
        self.check(same)

    @rule(parts=st.integers(0, 3), count=st.integers(1, 2))
    def be_killed(self, parts: int, count: int) -> None:
        """Add rows, and die after so many parts of a stage."""
        self.world.batches[f"k{len(self.past)}"] = self.fresh(count)
        self.world.write(DATA / "raw")
        run, left = Serial.run, [parts]

        def dying(executor: Any, work: Any, jobs: list[Job], out: Path) -> Iterator[CompletedPart]:
            for made in run(executor, work, jobs, out):
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                yield made

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Serial, "run", dying)
            with pytest.raises(Killed):
                build(self.world.params())
        # Whatever it had done before it died counts as seen, so only the bytes are held to account.
        self.check(False)

    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        """To any earlier state: everything stands in the cache, so nothing is computed."""
        self.world = deepcopy(data.draw(st.sampled_from(self.past)))
        self.world.write(DATA / "raw")
        done = build(self.world.params())
        assert {
            label for label, one in done.items() if one.computed_rows and label not in WHOLE
        } == set()
        self.check(True)

    def some(self, data: st.DataObject) -> tuple[str, str]:
        places = [(b, name) for b, samples in self.world.batches.items() for name in samples]
        return data.draw(st.sampled_from(sorted(places)))

    def teardown(self) -> None:
        try:
            if self.past:
                clean = self.folder / "clean"
                clean.mkdir()
                os.chdir(clean)
                self.world.write(DATA / "raw")
                build(self.world.params())
                assert tree(DATA) == tree(self.folder / "data")
        finally:
            self.patch.undo()
            shutil.rmtree(self.folder)


# Stages whose rows are at hand anyway, so that nothing is computed by writing them.
WHOLE = {"ingest", "curate"}


def test_any_history_ends_where_a_clean_build_does(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History, "directory", tmp_path_factory, raising=False)
    run = settings(max_examples=10, stateful_step_count=8, deadline=None)
    run_state_machine_as_test(History, settings=run)  # type: ignore[no-untyped-call]
