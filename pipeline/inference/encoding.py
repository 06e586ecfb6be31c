"""Raw bytes → cleaned content → features, by the work of the stages clean and extract itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.core.errors import Rejected
from pipeline.inference.samples import Asset
from pipeline.params import Params
from pipeline.parts.part import Compute, Outcome, Row, Work, apply_bisecting
from pipeline.stages.plans import clean as clean_stage
from pipeline.stages.plans import extract as extract_stage
from pipeline.stages.work.clean import Source
from pipeline.stages.work.extract import Recipe

LOG = logging.getLogger(__name__)


class Encoding:
    """What the stages clean and extract make of raw bytes, for feature sets of one modality.

    Encoders are loaded when they are first asked for. Threads may share it: cleaning runs beside
    itself, and each encoder answers one thread at a time.
    """

    def __init__(self, modality: str, params: Params, sets: Iterable[str]) -> None:
        self.modality = modality
        self._clean: Work = clean_stage.plan(params, modality).work
        self._clean_rows = self._clean.open()
        self._extract: dict[str, Work] = {
            name: extract_stage.plan(params, name).work for name in sets
        }
        self._opened: dict[str, Compute] = {}
        self._locks = {name: threading.Lock() for name in self._extract}

    @property
    def functions(self) -> dict[str, Mapping[str, Any]]:
        """Stage, or feature set → the fingerprint of what is done: see `check_features`."""
        works = {self._clean.stage: self._clean, **self._extract}
        return {name: vars(work.fingerprint) for name, work in works.items()}

    def clean(self, asset: Asset) -> Outcome:
        """What cleaning makes of it: the row of data/clean, or why it is refused."""
        source = Source("", asset.media_type, asset.data)
        row = Row(asset.digest, asset.digest, "", "", 0, 0, source)
        taken = apply_bisecting(self._clean.prepare, [row], [asset.data], self._clean.stage)
        (outcome,) = apply_bisecting(self._clean_rows, [row], taken, self._clean.stage)
        return _logged(self._clean.stage, row, outcome)

    def features(self, name: str, cleaned: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """(values, length) of each cleaned row by a feature set, or why it is refused.

        `values` is of the set's shape and dtype, as a row of the store has it.
        """
        work = self._extract[name]
        rows = [
            Row(row["digest"], row["content"], "", "", 0, 0, Recipe("", "[]")) for row in cleaned
        ]
        contents = [(row["data"], row["shape"]) for row in cleaned]
        with self._locks[name]:
            if name not in self._opened:
                self._opened[name] = work.open()
            prepared = apply_bisecting(work.prepare, rows, contents, work.stage)
            outcomes = apply_bisecting(self._opened[name], rows, prepared, work.stage)
        return [_logged(work.stage, *pair) for pair in zip(rows, outcomes, strict=True)]


def _logged(stage: str, row: Row, outcome: Outcome) -> Outcome:
    """The outcome; what was raised where nothing was refused is logged, as the stages do."""
    if isinstance(outcome, Rejected) and outcome.raised:
        raised = outcome.raised
        LOG.warning("%s raised %s on %s", stage, raised.exception, row.digest)
        LOG.debug("%s", raised.traceback)
    return outcome
