"""Answers of many models to the same samples → which is better, by how much, and is it sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.models.bootstrap import interval
from pipeline.models.metrics import calibration, calibration_error
from pipeline.protocol.paired import differences
from pipeline.protocol.scores import Sampled, Scorer

if TYPE_CHECKING:
    import numpy as np

Table = list[dict[str, Any]]
CHOSEN = "chosen"


@dataclass(frozen=True)
class Candidate:
    """A model's answers out of fold to n samples, all of known truth.

    Attributes
    ----------
    kind:
        `single` (one modality), `partial` (some), `fusion` (all), `baseline` or `chance`.
    probabilities:
        Seed → float32 (n, classes), with everything shown. Chance has none.
    predictions:
        Shown modalities, joined by `+` → by seed, int (n,).
    inner:
        Fold → its mean score over seeds within the training folds.
    """

    name: str
    kind: str
    modalities: tuple[str, ...]
    probabilities: Sequence[np.ndarray]
    predictions: Mapping[str, Sequence[np.ndarray]]
    inner: Mapping[int, float]
    parameters: int | None = None

    @property
    def whole(self) -> str:
        return "+".join(self.modalities)

    @property
    def answers(self) -> Sequence[np.ndarray]:
        """By seed, what it says with everything shown, int (n,)."""
        return self.predictions[self.whole]


def chosen(candidates: Sequence[Candidate], fold: np.ndarray) -> tuple[Candidate, dict[int, str]]:
    """What comes of choosing the fusion in each fold by its inner score, and what was chosen.

    The choice sees nothing of the fold that it is judged on, so the score is that of the whole
    procedure, choice included. fold: int (n,).
    """
    import numpy as np

    fusions = [one for one in candidates if one.kind == "fusion"]
    picked = {
        number: max(fusions, key=lambda one: (one.inner[number], one.name))
        for number in sorted({*fold.tolist()})
    }
    first = fusions[0]

    def assembled(parts: Mapping[int, np.ndarray]) -> np.ndarray:
        whole = np.empty_like(next(iter(parts.values())))
        for number, part in parts.items():
            whole[fold == number] = part[fold == number]
        return whole

    seeds = range(len(first.probabilities))
    return (
        Candidate(
            name=CHOSEN,
            kind="fusion",
            modalities=first.modalities,
            probabilities=[
                assembled({k: one.probabilities[s] for k, one in picked.items()}) for s in seeds
            ],
            predictions={
                shown: [
                    assembled({k: one.predictions[shown][s] for k, one in picked.items()})
                    for s in seeds
                ]
                for shown in first.predictions
            },
            inner={number: one.inner[number] for number, one in picked.items()},
        ),
        {number: one.name for number, one in picked.items()},
    )


def leaderboard(
    candidates: Sequence[Candidate],
    scores: Mapping[str, Sampled],
    scorer: Scorer,
    truth: np.ndarray,
    confidence: float,
    bins: int,
) -> Table:
    """A row a candidate, the best first.

    `macro_f1` is the mean over seeds with the interval over components; `deviation` that over
    seeds; `together` what the mean of the seeds' probabilities scores; `ece` the mean over seeds.
    """
    import numpy as np

    rows = []
    for one in candidates:
        score = scores[one.name]
        low, high = interval(score.drawn, confidence)
        singles = [scorer.score([answer]).value for answer in one.answers]
        row = {
            "model": one.name,
            "kind": one.kind,
            "modalities": one.whole,
            "parameters": one.parameters,
            "macro_f1": score.value,
            "low": low,
            "high": high,
            "deviation": float(np.std(singles)),
            "accuracy": float(np.mean([(answer == truth).mean() for answer in one.answers])),
            "inner_macro_f1": float(np.mean(list(one.inner.values()))) if one.inner else None,
            "together": None,
            "ece": None,
        }
        if one.probabilities:
            together = np.mean(one.probabilities, 0)
            row["together"] = scorer.score([together.argmax(1)]).value
            row["ece"] = float(np.mean([_ece(p, truth, bins) for p in one.probabilities]))
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["macro_f1"], row["model"]))


def paired(
    candidates: Sequence[Candidate], scores: Mapping[str, Sampled], confidence: float
) -> Table:
    """Every fusion against the best single modality, the best fusion and the best baseline."""

    def best(kind: str) -> str | None:
        named = [one.name for one in candidates if one.kind == kind and one.name != CHOSEN]
        return max(named, key=lambda name: scores[name].value, default=None)

    fusions = [one.name for one in candidates if one.kind == "fusion"]
    pairs = [
        (name, other)
        for kind in ("single", "baseline", "fusion")
        for other in [best(kind)]
        for name in fusions
        if other is not None and name != other
    ]
    return [asdict(one) for one in differences(scores, pairs, confidence)]


def missing(
    one: Candidate, candidates: Sequence[Candidate], scorer: Scorer, confidence: float
) -> Table:
    """What a fusion loses where modalities are missing, against the model trained for what is left.

    A row a proper subset: its score there, and the best of the models that have just that subset.
    """
    rows = []
    for shown, answers in one.predictions.items():
        if shown == one.whole:
            continue
        own = scorer.score(answers)
        row: dict[str, Any] = {"model": one.name, "shown": shown, "macro_f1": own.value}
        rivals = {
            other.name: scorer.score(other.answers)
            for other in candidates
            if other.whole == shown and other.kind in ("single", "partial")
        }
        if rivals:
            name = max(rivals, key=lambda rival: rivals[rival].value)
            low, high = interval(own.drawn - rivals[name].drawn, confidence)
            row |= {
                "other": name,
                "other_macro_f1": rivals[name].value,
                "value": own.value - rivals[name].value,
                "low": low,
                "high": high,
            }
        rows.append(row)
    return rows


def _ece(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    correct = probabilities.argmax(1) == truth
    return float(calibration_error(calibration(probabilities.max(1), correct, bins)))
