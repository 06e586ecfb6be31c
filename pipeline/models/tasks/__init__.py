"""Kinds of target that can be learned, one file each: `Task` is what a file has.

Code elsewhere asks the task and never its name, so that a kind is added by adding a file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import AfterValidator

from pipeline.core import registry
from pipeline.core.errors import unknown

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

FOLDER = "models/tasks"
# So many of a task's figures are its headlines; the first stands in DVC's metrics.
HEADLINES = 3


@dataclass(frozen=True)
class Figure:
    """How a figure is told: its title, whether it is a share, shown in per cent, which is best."""

    title: str
    share: bool = True
    less_is_better: bool = False

    @property
    def sign(self) -> int:
        """By what values are multiplied so that more is better: 1 or -1."""
        return -1 if self.less_is_better else 1


class Task(Protocol):
    """A kind of target: a module of pure functions.

    Attributes
    ----------
    ONE_CLASS:
        A sample has one class of several; its target is an int64 index.
    NUMBER:
        A cell is a number, and stands as float64 in tables; of any other kind it is text.
    SOFTMAX:
        There is one logit per class, and their softmax is the answer.
    SEQUENCE:
        The answer is a sequence of classes, such as words; it is then a `Generative`.
    Options:
        A `TaskOptions`.
    FIGURES:
        Every figure that is measured of it, in the order of reports. By the first models are
        chosen and ranked, and early stopping wants it best; the first HEADLINES are its headlines.
        Of a task of one class they include `metrics.SCORES`, which it need not compute; `ece`
        stands for the calibration error of its probabilities.
    TRIVIAL:
        What the answer that looks at nothing is called.
    FITTED:
        The fields of `Decoding` that it has; with `thresholds` it is a `Thresholded`.
    """

    ONE_CLASS: bool
    NUMBER: bool
    SOFTMAX: bool
    SEQUENCE: bool
    Options: Any
    FIGURES: Mapping[str, Figure]
    TRIVIAL: str
    FITTED: tuple[str, ...]

    def classes(self, values: Iterable[object], options: Any) -> list[str]:
        """Names of the classes, in the order of the probabilities; PipelineError if they cannot.

        values: of all splits, or of the train split alone where they are what is learnt (SEQUENCE).
        """

    def encode(self, values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
        """Cells of a table → an array (see `targets`)."""

    def layer(self, width: int, classes: int, options: Any) -> nn.Module:
        """The head: (n, width) → logits (n, outputs)."""

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
        """Of each example, (n,) or (n, labels).

        Whatever stands where the target is missing, as long as its gradient is finite.
        """

    def answer(self, logits: Tensor) -> Tensor:
        """Probabilities (n, classes), or values (n, 1)."""

    def decide(self, answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
        """An index (n,), labels 0 or 1 (n, labels) or a value (n,)."""

    def say(self, decision: Any, classes: Sequence[str]) -> str:
        """A decision, or a truth, as text, of which `encode` makes the decision again."""

    def confidence(self, answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """The probability of the decision (n,), or of each label (n, labels); 1 of a value."""

    def correct(self, truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """Whether that of which `confidence` is the probability came true, of its shape."""

    def certainty(self, answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """The probability of the decision, (n,); of labels that of the least sure one."""

    def figures(
        self, truth: np.ndarray, answer: np.ndarray, decision: np.ndarray
    ) -> dict[str, float]:
        """Those of FIGURES that are not measured of all classes; fewer where they don't exist.

        Of a sequence truth and decision come as `say` has them, object (n,) of str.
        """


class Thresholded(Task, Protocol):
    """A kind that answers from a probability on that is fitted."""

    def fit_thresholds(self, answer: np.ndarray, truth: np.ndarray) -> list[float]:
        """On validation: one, or one per label."""


class Generative(Task, Protocol):
    """A kind whose answer is a sequence, made class by class.

    Its targets are int64 (n, longest): classes, -1 beyond the end. What its `layer` gives is called
    with the fusion's tokens, float (n, tokens, width), which of them are absent, bool (n, tokens),
    the targets or None, whether it is taught, and what `encode_source` makes of the text that its
    options name, or None. Taught, it says what `loss` wants to know of each class of each target,
    float (n, longest, terms). Else it answers, float32 (n, 1 + longest): the
    probability of the answer, then its classes, -1 beyond the end; of targets it sees at most the
    first class, if that is what it is told.
    """

    def encode_source(self, written: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Classes of texts, int64 (n, longest), -1 beyond, from ids of `utf8`, float32 (n, bytes).

        A row of zeros is no text.
        """

    def begin(self, value: str, classes: Sequence[str]) -> int:
        """The class that tells the head a value; PipelineError if it can be told no such."""

    def statistics(self, truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """Of each answer what its figures are made of, float64 (n, terms)."""

    def from_sums(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """The figures of sums of `statistics`: (…, terms) → (…) each."""


def kinds() -> list[str]:
    """Every kind of target."""
    return registry.names(FOLDER)


def _check_kind(kind: str) -> str:
    if kind not in kinds():
        raise ValueError(unknown("kind", kind, kinds()))
    return kind


Kind = Annotated[str, AfterValidator(_check_kind)]


@functools.cache
def task_of(kind: str) -> Task:
    """The task of a kind, which is asked for at each sample: finding it lists a folder."""
    return registry.load(FOLDER, kind, Task)


def ranked_by(task: Task) -> str:
    """The figure by which models are chosen and ranked."""
    return next(iter(task.FIGURES))


def headline(task: Task, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was measured, what stands in DVC's metrics."""
    return {name: measured[name] for name in [*task.FIGURES][:HEADLINES] if name in measured}
