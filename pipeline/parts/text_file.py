"""A stage whose output is one small text, which is compared with what it should be at each run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import holds
from pipeline.core.files.lock import locked
from pipeline.parts.summary import Summary


@dataclass(frozen=True)
class TextFilePlan:
    """Bring a file to the text that `make` gives."""

    out: Path
    make: Callable[[], str]

    # Nothing is cheaper than to compare again.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @cached_property
    def text(self) -> str:
        """What the file is to hold."""
        return self.make()

    @property
    def stands(self) -> bool:
        """Whether the file holds it already."""
        return holds(self.out, self.text)

    @property
    def reason(self) -> str:
        """Why there is something to do, where there is."""
        return f"{self.out} says something else, or is not there"

    def run(self) -> Summary:
        """Write the file, unless it stands; PipelineError if another process writes it."""
        with locked(self.out):
            stands = self.stands
            if not stands:
                self.out.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.out) as temporary:
                    temporary.write_text(self.text, encoding="utf-8")
        return Summary(planned=1, computed=int(not stands), reused=int(stands))
