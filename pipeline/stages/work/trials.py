"""People's features → trials, a verifier, and its figures on people whom it has not seen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.files.csv_table import write_table
from pipeline.core.folders import FEATURES

if TYPE_CHECKING:
    from pipeline.models.verification.crossfit import Judged
    from pipeline.models.verification.figures import Figure
    from pipeline.models.verification.options import VerificationOptions
    from pipeline.models.verification.people import People

METRICS, PROTOCOL, TRIALS = "metrics.json", "protocol.json", "trials.parquet"
FIGURES, PEOPLE, DET, ROC = "figures.csv", "people.csv", "det.csv", "roc.csv"
# Points of a curve, at most.
POINTS = 200


@dataclass(frozen=True)
class TrialsWork:
    """One verification, written into `folder`.

    Parameters
    ----------
    sets:
        Feature set → modality.
    root:
        The data directory.
    """

    folder: Path
    options: VerificationOptions
    sets: Mapping[str, str]
    seed: int
    root: Path

    def run(self) -> None:
        """Draw, score, calibrate and measure; write all but the page.

        Raises
        ------
        PipelineError
            There are too few people, or nothing is called as the options name people or content.
        """
        from pipeline.models.verification.crossfit import cross_fit
        from pipeline.models.verification.figures import measure
        from pipeline.models.verification.people import people_of
        from pipeline.models.verification.verifier import save_verifier
        from pipeline.parts.manifest import read_function
        from pipeline.store.join import join_work_tree

        people = people_of(join_work_tree(self.root, self.sets), self.options, self.seed)
        made_by = {name: read_function(self.root / FEATURES / name) for name in self.sets}
        judged, verifier = cross_fit(people, self.options, self.seed, made_by)
        save_verifier(self.folder, verifier)
        figures = measure(people, judged, self.options, self.seed)
        self._json(METRICS, _metrics(figures))
        self._json(PROTOCOL, self._protocol(people, judged))
        rows = [asdict(figure) for figure in figures]
        write_table(self.folder / FIGURES, list(rows[0]), rows)
        errors = list(_errors_of_people(people, judged, self.options))
        write_table(self.folder / PEOPLE, list(errors[0]), errors)
        curves = list(_curves(judged))
        write_table(self.folder / DET, list(curves[0]), curves)
        answering = self.options.answering, self.options.enrolled[-1]
        roc = [
            {"false_acceptance": row["false_acceptance"], "acceptance": 1 - row["miss"]}
            for row in curves
            if (row["system"], row["enrolled"]) == answering
        ]
        write_table(self.folder / ROC, ["false_acceptance", "acceptance"], roc)
        self._trials(people, judged)

    def _protocol(self, people: People, judged: Mapping[int, Judged]) -> dict[str, Any]:
        """What was held against what, in numbers."""
        return {
            "options": self.options.model_dump(mode="json"),
            "answers": self.options.answering,
            "threshold": self.options.threshold,
            "people": len(people.names),
            "circles": len(set(people.circle.tolist())),
            "samples": len(people.person),
            "left_out": people.left_out,
            "trials": {
                str(count): {
                    "same": int(each.trials.same.sum()),
                    "other": int((~each.trials.same).sum()),
                    "other_same_content": int((~each.trials.same & each.trials.same_content).sum()),
                }
                for count, each in judged.items()
            },
        }

    def _json(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        (self.folder / name).write_text(text, encoding="utf-8")

    def _trials(self, people: People, judged: Mapping[int, Judged]) -> None:
        """A row a trial: both sides, the truth, and what each system says (null: nothing)."""
        ids = np.array(people.sample_ids, object)
        names = np.array(people.names, object)
        tables = [
            pa.table(
                {
                    "probe": pa.array(ids[each.trials.probe], pa.string()),
                    "person": pa.array(
                        names[people.person[each.trials.enrolled[:, 0]]], pa.string()
                    ),
                    "enrolled": pa.array(
                        [ids[rows].tolist() for rows in each.trials.enrolled],
                        pa.list_(pa.string()),
                    ),
                    "same": each.trials.same,
                    "same_content": each.trials.same_content,
                    "fold": each.trials.fold.astype(np.int32),
                    **{
                        f"llr.{name}": pa.array(ratios.astype(np.float32), from_pandas=True)
                        for name, ratios in each.ratios.items()
                    },
                }
            )
            for each in judged.values()
        ]
        pq.write_table(pa.concat_tables(tables), self.folder / TRIALS, compression="zstd")


def _metrics(figures: Sequence[Figure]) -> dict[str, Any]:
    """System → number enrolled → figure, against all impostors."""
    from pipeline.models.verification.figures import ALL

    metrics: dict[str, Any] = {}
    for each in figures:
        if each.impostors == ALL:
            by_count = metrics.setdefault(each.system, {})
            by_count.setdefault(f"enrolled_{each.enrolled}", {})[each.figure] = each.value
    return metrics


def _curves(judged: Mapping[int, Judged]) -> Iterator[dict[str, Any]]:
    """Error rates of each system against all impostors, at thresholds evenly spread in probit."""
    from scipy.stats import norm

    from pipeline.models.verification.detection import error_curve

    grid = norm.cdf(np.linspace(-3.5, 3.5, POINTS))
    for count, each in judged.items():
        for name, ratios in each.ratios.items():
            known = ~np.isnan(ratios)
            curve = error_curve(ratios[known], each.trials.same[known], np.ones(known.sum()))
            places = np.unique(np.searchsorted(curve.false, grid, "right") - 1)
            for place in places.tolist():
                yield {
                    "system": name,
                    "enrolled": count,
                    "false_acceptance": float(curve.false[place]),
                    "miss": float(curve.miss[place]),
                }


def _errors_of_people(
    people: People, judged: Mapping[int, Judged], options: VerificationOptions
) -> Iterator[dict[str, Any]]:
    """Of each person: own trials that were refused, and others that were taken for them."""
    for count, each in judged.items():
        ratios, trials = each.ratios[options.answering], each.trials
        claimed = people.person[trials.enrolled[:, 0]]
        for person, name in enumerate(people.names):
            rows = (claimed == person) & ~np.isnan(ratios)
            own, others = rows & trials.same, rows & ~trials.same
            yield {
                "person": name,
                "enrolled": count,
                "own": int(own.sum()),
                "missed": _below(ratios[own], options.threshold),
                "others": int(others.sum()),
                "falsely_accepted": int(others.sum()) - _below(ratios[others], options.threshold),
            }


def _below(ratios: np.ndarray, threshold: float) -> int:
    return int((ratios < threshold).sum())
