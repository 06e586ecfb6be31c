"""A project whose nights take milliseconds: git is real, DVC and its stages are played."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.nightly import quarantine
from pipeline.nightly.journal import Delivery, Night, Verdict
from pipeline.nightly.notify import message, notify
from pipeline.nightly.options import Channel, NightlyOptions, load_options
from pipeline.nightly.run import Tools, run
from pipeline.nightly.watch import Findings
from pipeline.params import Params, load
from pipeline.params.aliases import Alias
from pipeline.stages import add
from tests.dataset import AUTHOR, HERE, params, write_metadata
from tests.dataset import run as command

START = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
INBOX = {"inbox": {"shapes": {"root": "inbox"}}, "model": "gated"}


def give_to_dvc(place: Path) -> None:
    """As `dvc add` does, seen from git."""
    Path(f"{place}.dvc").write_text(f"outs:\n- path: {place.name}\n")


def put_landing(name: str, first: int, count: int = 3, ready: bool = True) -> Path:
    """A folder of texts in the inbox, with its table."""
    folder = Path("inbox", name)
    folder.mkdir(parents=True)
    rows = [
        {"sample_id": f"s{i}", "text": f"a shape of number {i}", "shape": "circle"}
        for i in range(first, first + count)
    ]
    write_metadata(folder, rows)
    (folder / "notes.txt").write_text(f"{first} to {first + count}")
    if ready:
        (folder / "_SUCCESS").touch()
    return folder


def put_git(folder: Path, options: dict[str, object]) -> None:
    """params.yaml, nightly.yaml and a first commit."""
    Path(folder, "params.yaml").write_text(yaml.safe_dump(params()))
    Path(folder, "nightly.yaml").write_text(yaml.safe_dump(options))
    Path(folder, ".pipeline").mkdir()
    shutil.copy(HERE / ".gitignore", folder)
    command(folder, "git", "init", "--quiet", "--initial-branch=main")
    for name, value in (AUTHOR[1].split("="), AUTHOR[3].split("=")):
        command(folder, "git", "config", name, value)
    (folder / ".git" / "info" / "exclude").write_text("/inbox/\n/told\n")
    command(folder, "git", "add", "--all")
    command(folder, "git", "commit", "--quiet", "--message", "start")


@dataclass
class World:
    """What a run meets, and what it did there."""

    folder: Path
    now: datetime = START
    outcome: str = "promoted"
    told: list[Night] = field(default_factory=list)
    pushed: int = 0
    reports: int = 0
    reproduced: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    odd: dict[str, dict[str, str]] = field(default_factory=dict)
    reproduce: Callable[[], None] | None = None
    push: Callable[[], None] | None = None

    @property
    def params(self) -> Params:
        return load()

    @property
    def options(self) -> NightlyOptions:
        return load_options(self.params)

    def night(self, one: bool = False, **played: Any) -> Night:
        self.now += timedelta(days=1)
        return run(self.params, self.options, replace(self.tools(), **played), one)

    def batches(self) -> list[str]:
        """What lies below data/raw, as git and the file system agree."""
        return sorted(
            path.name
            for path in Path("data", "raw").glob("*/*")
            if path.is_dir() and quarantine.is_in(path)
        )

    def tools(self) -> Tools:
        return Tools(
            now=lambda: self.now,
            has_work=lambda: False,
            reproduce=self._reproduce,
            problems=self._problems,
            findings=self._findings,
            judge=self._judge,
            push=self._push,
            notify=self.told.append,
            report=self._report,
        )

    def telling(self, channels: Sequence[Channel]) -> Tools:
        """The same, but that people are truly told."""
        return replace(
            self.tools(), notify=lambda night: [*notify(channels, *message(night, "shapes"))]
        )

    def _reproduce(self) -> None:
        self.reproduced += 1
        if self.reproduce is not None:
            self.reproduce()
        # Every batch is of the data; the same batches give the same bytes.
        Path("dvc.lock").write_text("".join(f"# {name}\n" for name in self.batches()))

    def _problems(self, delivery: Delivery) -> list[str]:
        why = self.problems.get(delivery.landing, "")
        return [why] if why else []

    def _findings(self, deliveries: list[Delivery]) -> Findings:
        keys = {each.landing: (each.source, each.batch) for each in deliveries}
        odd = {keys[name]: rows for name, rows in self.odd.items() if name in keys}
        return Findings(
            {keys[name]: why for name, why in self.broken.items() if name in keys},
            {key: f"{len(rows)} of its samples are held" for key, rows in odd.items()},
            odd,
        )

    def _judge(self, night: Night, champion: Alias | None) -> Night:
        why = "It is better." if self.outcome == "promoted" else "It is no better."
        verdict = Verdict(self.outcome, "rule", why, {"gain": 0.01})  # type: ignore[arg-type]
        return replace(night, verdict=verdict)

    def _push(self) -> None:
        if self.push is not None:
            self.push()
        self.pushed += 1

    def _report(self) -> None:
        self.reports += 1


def new_world(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object] | None = None
) -> World:
    if options is None:
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
    else:
        put_git(folder, options)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(add, "_give_to_dvc", give_to_dvc)
    return World(folder)


@functools.cache
def _template() -> Path:
    """Starting git takes longer than copying what it made."""
    folder = Path(tempfile.mkdtemp(prefix="nightly-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    put_git(folder, INBOX)
    return folder
