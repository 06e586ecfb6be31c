"""How far the run of this night has come, so that the next start goes on where one was killed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.core.files.atomic import MEMORY, atomic_write
from pipeline.core.files.documents import document

FOLDER = Path(MEMORY, "nightly")
JOURNAL = FOLDER / "journal.json"
# What one run at a time, or one decision, holds; see `files.lock`.
LOCK = Path("nightly")
State = Literal[
    "chosen",  # which landings are taken, and what their batches are called
    "landed",  # every one is a batch of DVC's, or held, or a duplicate
    "checked",  # batches that fail the contract are held
    "reproduced",  # `dvc repro` has run
    "judged",  # the challenger has its verdict
    "committed",  # params, dvc.lock and batches are in git, under the run's tag
    "recorded",  # so are pointer, ledger and record
    "pushed",  # both are where the options say
    "notified",  # people have been told
]
STATES: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]
Fate = Literal["pending", "taken", "held", "duplicate", "left"]
Outcome = Literal["promoted", "held", "nothing", "bad_data"]


@dataclass(frozen=True)
class Delivery:
    """A landing on its way in.

    Attributes
    ----------
    root:
        The inbox; empty for what was held here and released.
    why:
        Why it is held, or what it is a duplicate of.
    noted:
        What is odd about single rows of it.
    rows:
        Id of a sample within the batch → why it is held, though the batch is in.
    """

    source: str
    landing: str
    root: str
    stamp: str
    batch: str
    fate: Fate = "pending"
    content: str = ""
    why: str = ""
    noted: str = ""
    files: int = 0
    bytes: int = 0
    rows: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What became of the challenger.

    Attributes
    ----------
    rule:
        Which rule decided, in a word.
    why:
        One paragraph for a person.
    figures:
        Name → value of what was measured.
    looks:
        What the gate asked of test sets, to be kept with the ledger.
    """

    outcome: Outcome
    rule: str
    why: str
    figures: dict[str, float] = field(default_factory=dict)
    looks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Answers:
    """What the model in use answered to tonight's samples without labels.

    Attributes
    ----------
    samples, answered:
        Without labels, and those of them that the model saw anything of.
    file:
        Where the answers lie; empty if there are none.
    expected, usual:
        Macro-F1 that is expected of them, and what it is on the test split; None: not known.
    why:
        A sentence for a person.
    """

    samples: int
    answered: int
    file: str = ""
    expected: float | None = None
    usual: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Night:
    """A run and its state.

    Attributes
    ----------
    base, revision:
        The commit that it began on, and that of its data and models.
    left:
        `<source>/<landing>` → why it waits for another night.
    began:
        When this machine's clock said that it began, by which stages record their runs; `started`
        is by the clock that nights go by, which a simulation sets.
    drift:
        What the tests of drift said of tonight's batches: rows of the record's column.
    answers:
        To tonight's samples without labels; None if there are none.
    """

    run: str
    started: str
    base: str
    state: State = "chosen"
    deliveries: list[Delivery] = field(default_factory=list)
    verdict: Verdict | None = None
    revision: str = ""
    left: dict[str, str] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)
    began: str = ""
    answers: Answers | None = None

    def batches(self) -> list[Delivery]:
        """What became a batch tonight."""
        return [delivery for delivery in self.deliveries if delivery.fate == "taken"]

    def held(self) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if delivery.fate == "held"]


def read_journal() -> Night | None:
    """The run that has not ended, if there is one.

    Raises
    ------
    PipelineError
        The journal is damaged.
    """
    try:
        return document(JOURNAL, Night)
    except FileNotFoundError:
        return None


def save(night: Night) -> Night:
    """Write the journal whole or not at all, and give the same back."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with atomic_write(JOURNAL) as temporary:
        temporary.write_text(json.dumps(asdict(night), indent=1), encoding="utf-8")
    return night


def close() -> None:
    """The run has ended."""
    JOURNAL.unlink(missing_ok=True)
