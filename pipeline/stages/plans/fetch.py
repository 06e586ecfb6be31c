"""A source that can fetch itself → its batch below data/raw/<source>."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files.lock import locked
from pipeline.core.folders import DATA, RAW
from pipeline.core.options import Options
from pipeline.params import Params
from pipeline.parts.summary import Summary
from pipeline.sources import fetchable


@dataclass(frozen=True)
class FetchPlan:
    """One source fetched into `folder`."""

    folder: Path
    kind: str
    options: Options

    # What is there is compared with the digest that is asked for, each time.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.folder / self.options.model_dump()["version"]]

    def run(self) -> Summary:
        """Fetch, or leave what is there complete as it is.

        Raises
        ------
        PipelineError
            Another process fetches, or nothing can be had.
        """
        with locked(self.folder):
            fetched = fetchable(self.kind).fetch(self.folder, self.options)
        return Summary(planned=1, computed=int(fetched), reused=int(not fetched))


def plan(params: Params, name: str, root: Path = Path(DATA)) -> FetchPlan:
    """Fetch one source into <root>/raw/<name>."""
    return FetchPlan(root / RAW / name, params.sources[name].kind, params.fetch[name])
