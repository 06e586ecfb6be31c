"""Nights of a project's own data with planted faults, each of which must get the right verdict.

The batches of a source are cut into landings by a seeded plan, and a copy of the project lives
through them: the same run, the same gate, a clock of its own. What is wanted of a night is known,
for what was planted is. In the end all that was accepted is built anew, and must be the same.
"""

from __future__ import annotations

import csv
import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import MEMORY, remove
from pipeline.core.files.digest import digest_file
from pipeline.core.folders import DATA, RAW
from pipeline.core.randomness import generator
from pipeline.core.records import Inline
from pipeline.nightly import repository
from pipeline.nightly.journal import STATES, Night
from pipeline.nightly.options import Inbox, NightlyOptions
from pipeline.nightly.record import read_record
from pipeline.nightly.repository import Failed
from pipeline.nightly.run import Tools, run
from pipeline.nightly.tools import tools_of
from pipeline.nightly.watch import with_learnt_contract
from pipeline.params import Params, load
from pipeline.raw.folders import LocalFolder
from pipeline.sources import source_of
from pipeline.store.trees.git import git

TABLE = "metadata.csv"
START = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
# Of all samples, what lands in the first night: a model needs some to begin with.
FIRST = 0.4
# Nights without a fault at the start, from which the contract is learnt.
CALM = 4


class Crashed(BaseException):
    """As if the process were gone: nothing of the run is called after it."""


@dataclass(frozen=True)
class Piece:
    """What must land together: files, and their row of the table, if there is one."""

    files: tuple[str, ...]
    row: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Fault:
    """What is planted in a night, and the outcomes that are right then.

    Attributes
    ----------
    fails:
        How often the night must be started anew.
    """

    name: str
    right: tuple[str, ...]
    fails: int = 0


GOOD = ("promoted", "held")
PLANTED = (
    Fault("nothing", ("nothing",)),
    Fault("corrupt", ("bad_data",)),
    Fault("duplicate", ("nothing",)),
    Fault("schema", ("bad_data",)),
    Fault("missing", ("bad_data",)),
    Fault("poisoned", ("held",)),
    Fault("disk full", GOOD, fails=1),
    Fault("remote down", GOOD, fails=1),
    *(Fault(f"crash before {state}", GOOD, fails=1) for state in STATES[1:]),
)


@dataclass(frozen=True)
class Lived:
    """A night of the simulation."""

    night: str
    planted: str
    wanted: str
    outcome: str
    starts: int
    landed: int
    computed_rows: int
    seconds: float
    right: bool
    why: str


def plan_faults(nights: int, seed: int) -> list[Fault]:
    """What is planted in which night: calm ones first, then faults and calm ones in turn."""
    rng = generator(seed, "nights", "faults")
    order = [PLANTED[place] for place in rng.permutation(len(PLANTED))]
    calm = Fault("", GOOD)
    planted: list[Fault] = [calm] * min(CALM, nights)
    while len(planted) < nights:
        planted += [order.pop(0)] if order and len(planted) % 4 else [calm]
    return planted


def cut(
    params: Params, source: str, nights: Sequence[Fault], seed: int
) -> tuple[Path, list[list[Piece]]]:
    """The folder of a source's first batch, and its pieces by night.

    Raises
    ------
    PipelineError
        There are too few pieces, or the batch has a table that is not `metadata.csv`.
    """
    folders = sorted(path for path in Path(DATA, RAW, source).glob("[!.]*") if path.is_dir())
    if not folders:
        raise PipelineError(f"{source} has no batch here that could be cut into nights")
    folder = max(folders, key=lambda path: sum(1 for _ in path.rglob("*")))
    pieces = [*_pieces(params, source, folder)]
    landing = [n for n, fault in enumerate(nights) if fault.name not in ("nothing", "duplicate")]
    if len(pieces) < 10 * len(nights):
        raise PipelineError(
            f"{folder} has {len(pieces)} samples or groups of files; {len(nights)} nights take "
            f"at least {10 * len(nights)}"
        )
    order = generator(seed, "nights", "samples").permutation(len(pieces))
    first = int(FIRST * len(pieces))
    rest = np.array_split(order[first:], max(len(landing) - 1, 1))
    shares = {place: rest[number - 1] for number, place in enumerate(landing) if number}
    shares[landing[0]] = order[:first]
    return folder, [[pieces[each] for each in shares.get(n, ())] for n in range(len(nights))]


def put_landing(
    folder: Path,
    pieces: Sequence[Piece],
    fault: Fault,
    inbox: Path,
    name: str,
    target: str,
    seed: int,
) -> int:
    """Let pieces land, spoilt as the fault says; how many files did."""
    rng = generator(seed, "nights", "spoil", name)
    place = inbox / name
    place.mkdir(parents=True)
    rows = [dict(piece.row) for piece in pieces if piece.row is not None]
    if fault.name == "poisoned" and rows:
        labels = [row[target] for row in rows]
        for row, other in zip(rows, rng.permutation(len(rows)), strict=True):
            row[target] = labels[int(other)]
    wanted = {path for piece in pieces for path in piece.files}
    if fault.name == "missing" and wanted:
        ending, _ = Counter(PurePosixPath(path).suffix for path in sorted(wanted)).most_common(1)[0]
        wanted = {path for path in wanted if not path.endswith(ending)}
        rows = [{k: "" if v.endswith(ending) else v for k, v in row.items()} for row in rows]
    for path in sorted(wanted):
        copy = place / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, copy)
    if fault.name == "corrupt":
        for spoilt in [file for file in place.rglob("*") if file.is_file()]:
            data = spoilt.read_bytes()
            spoilt.write_bytes(data[: len(data) // 3])
    if rows:
        if fault.name == "schema":
            rows = [{(f"{k}_new" if k == target else k): v for k, v in r.items()} for r in rows]
        with (place / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*rows[0]])
            writer.writeheader()
            writer.writerows(rows)
    (place / "_SUCCESS").touch()
    return len(wanted)


def live(
    options: NightlyOptions,
    load: Callable[[], Params],
    tools: Callable[[Params], Tools],
    faults: Sequence[Fault],
    land: Callable[[int, Fault], int],
    learn: Callable[[], None],
) -> Iterator[Lived]:
    """Go through the nights in the project of the current folder.

    Parameters
    ----------
    land:
        Lets what is planned for a night land; how many files did.
    learn:
        Writes the contract, once the calm nights are over.
    """
    for place, fault in enumerate(faults):
        if place == CALM:
            learn()
        landed = land(place, fault)
        now = START + timedelta(days=place)
        yield _live_one(options, load, tools, fault, landed, now)


def _live_one(
    options: NightlyOptions,
    load: Callable[[], Params],
    tools: Callable[[Params], Tools],
    fault: Fault,
    landed: int,
    now: datetime,
) -> Lived:
    begun, starts = datetime.now(UTC), 0
    night: Night | None = None
    while night is None:
        starts += 1
        params = load()
        played = replace(tools(params), now=lambda: now)
        if starts <= fault.fails:
            played = _failing(played, fault)
        try:
            night = run(params, options, played)
        except (Crashed, Failed, OSError):
            if starts > fault.fails:
                raise
    assert night.verdict
    outcome = night.verdict.outcome
    return Lived(
        night.run,
        fault.name,
        " or ".join(fault.right),
        outcome,
        starts,
        landed,
        read_record(night.run)["computed_rows"],
        (datetime.now(UTC) - begun).total_seconds(),
        outcome in fault.right and starts == fault.fails + 1,
        night.verdict.why,
    )


def _failing(tools: Tools, fault: Fault) -> Tools:
    """The tools with the planted failure."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def down() -> None:
        raise Failed("dvc push", "the remote does not answer")

    def crash(state: str) -> None:
        if fault.name == f"crash before {state}":
            raise Crashed

    if fault.name == "disk full":
        return replace(tools, reproduce=full)
    if fault.name == "remote down":
        return replace(tools, push=down)
    return replace(tools, reached=crash)


def data_digests(root: Path = Path(DATA)) -> dict[str, str]:
    """Path → digest of all that stages made of the accepted batches, but for the report."""
    return {
        path.relative_to(root).as_posix(): digest_file(path)
        for path in sorted(root.rglob("[!.]*"))
        if path.is_file() and path.relative_to(root).parts[0] not in (RAW, "held", "reports")
    }


def _pieces(params: Params, source: str, folder: Path) -> Iterator[Piece]:
    section = params.sources[source]
    local = LocalFolder(folder)
    scan = source_of(section.kind).scan(local, section.options)
    if TABLE in scan.metadata:
        with (folder / TABLE).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                named = tuple(cell for cell in row.values() if cell in local.listing.files)
                yield Piece(named, row)
        return
    if scan.metadata:
        raise PipelineError(f"{folder} has a table that is not {TABLE}, which is not cut")
    yield from _connected(scan.samples)


def _connected(samples: Sequence[Any]) -> Iterator[Piece]:
    """Files that samples share land together."""
    parent: dict[str, str] = {}

    def root(path: str) -> str:
        while parent.setdefault(path, path) != path:
            parent[path] = path = parent[parent[path]]
        return path

    for sample in samples:
        paths = [one.path if isinstance(one, Inline) else one for one in sample.assets.values()]
        for path in paths:
            parent[root(path)] = root(paths[0])
    together: dict[str, list[str]] = {}
    for path in parent:
        together.setdefault(root(path), []).append(path)
    for paths in together.values():
        yield Piece(tuple(sorted(paths)))


def simulate(
    params: Params,
    options: NightlyOptions,
    source: str,
    folder: Path,
    nights: int,
    seed: int,
    reproduce: Callable[[], None] = repository.reproduce,
) -> Iterator[Lived | bool]:
    """Live through nights in a new folder; at last, whether a clean build gives the same bytes.

    Parameters
    ----------
    folder:
        Is made; the project, its inbox, a remote and the clean build lie there afterwards.

    Raises
    ------
    PipelineError
        The folder is there already, or the source cannot be cut into so many nights.
    """
    if folder.exists():
        raise PipelineError(f"{folder} is there already: name a new folder")
    faults = plan_faults(nights, seed)
    batch, pieces = cut(params, source, faults, seed)
    batch = batch.absolute()
    inbox = (folder / "inbox").absolute()
    played = options.model_copy(
        update={
            "inbox": {source: Inbox.model_validate({"root": str(inbox)})},
            "notify": (),
            "git_remote": "",
            "dvc_remote": "",
        }
    )
    column = _target_column(params, source, options.model)
    _copy_project(folder / "project", source, played)
    _copy_project(folder / "clean", source, played)

    def land(place: int, fault: Fault) -> int:
        name = f"{START + timedelta(days=place):%Y-%m-%d}"
        if fault.name == "nothing":
            return 0
        if fault.name == "duplicate":
            first = sorted(inbox.iterdir())[0]
            shutil.copytree(first, inbox / name)
            return sum(1 for path in first.rglob("*") if path.is_file())
        return put_landing(batch, pieces[place], fault, inbox, name, column, seed)

    def learn() -> None:
        path = Path("params.yaml")
        path.write_text(with_learnt_contract(path.read_text(), load(), [source]))

    def tools(params: Params) -> Tools:
        return replace(tools_of(params, played), reproduce=reproduce)

    here = Path.cwd()
    try:
        os.chdir(folder / "project")
        yield from live(played, load, tools, faults, land, learn)
        made = data_digests()
        shutil.copyfile("params.yaml", here / folder / "clean" / "params.yaml")
        accepted = Path(DATA, RAW).absolute()
        os.chdir(here / folder / "clean")
        shutil.copytree(accepted, Path(DATA, RAW), dirs_exist_ok=True)
        reproduce()
        yield data_digests() == made
    finally:
        os.chdir(here)


def _target_column(params: Params, source: str, model: str) -> str:
    """The column that holds what the model is judged by; its target where none is named."""
    primary = params.models[model].primary
    columns = getattr(params.sources[source].options, "targets", {})
    return next((column for column, target in columns.items() if target == primary), primary)


def _copy_project(folder: Path, source: str, options: NightlyOptions) -> None:
    """A clone of this project's commit without data, with one source and its inbox."""
    git(Path(), "clone", "--quiet", "--no-hardlinks", ".", str(folder.absolute()))
    for name, fallback in (("user.name", "night"), ("user.email", "night@localhost")):
        git(folder, "config", name, fallback)
    document = yaml.safe_load((folder / "params.yaml").read_text())
    document |= {"sources": {source: document["sources"][source]}, "fetch": {}, "look": {}}
    document.pop("contract", None)
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    stated = options.model_dump(mode="json", exclude_defaults=True)
    (folder / "nightly.yaml").write_text(yaml.safe_dump(stated))
    for path in (folder / "dvc.lock", folder / "aliases.yaml", folder / "nightly", folder / DATA):
        remove(path)
    (folder / MEMORY).mkdir(exist_ok=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "Before the first night")
