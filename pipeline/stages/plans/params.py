"""params: params.yaml → data/params.json, in which every option stands.

DVC compares params by the names that stages give, and refuses to run where one is missing. So what
it compares is this file, and params.yaml may leave out whatever has a default.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import holds
from pipeline.core.folders import DATA, PARAMS
from pipeline.params import Params
from pipeline.params.resolved import resolved
from pipeline.parts.plan import Summary


@dataclass(frozen=True)
class ParamsPlan:
    """The file that says what params mean."""

    params: Params
    out: Path

    # The file is compared with what it should hold, each time.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @cached_property
    def text(self) -> str:
        """What the file holds: JSON, its sections in the order of `Params`."""
        return json.dumps(resolved(self.params), indent=1, ensure_ascii=False) + "\n"

    @property
    def stands(self) -> bool:
        """Whether the file says this already."""
        return holds(self.out, self.text)

    def run(self) -> Summary:
        if self.stands:
            return Summary(planned=1, reused=1)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.out) as temporary:
            temporary.write_text(self.text, encoding="utf-8")
        return Summary(planned=1, computed=1)


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> ParamsPlan:
    """Write what params mean into <root>/params.json."""
    return ParamsPlan(params, root / PARAMS)
