"""Learning curves as DVCLive lays them out: plots/metrics/NAME.tsv with `step` and the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dvclive.live import Live


class Quiet(Live):
    """A DVCLive that writes into its folder and nowhere else.

    By itself it starts a DVC repository where there is only a git one, fails where git has no
    commits, leaves signal files in .dvc/tmp and talks to DVC Studio if that is set up.
    """

    def _init_dvc(self) -> None:
        self._dvc_file = "dvc.yaml"

    def _init_studio(self) -> None:
        self._studio_events_to_skip.update({"start", "data", "done"})


def write_curves(folder: Path, curves: Sequence[Mapping[str, float]]) -> None:
    """Write figure → value of each epoch, epochs counted from 0."""
    live = Quiet(dir=str(folder), dvcyaml=False, save_dvc_exp=False, report=None)
    for number, figures in enumerate(curves):
        live.step = number
        for name, value in figures.items():
            live.log_metric(name, value)
