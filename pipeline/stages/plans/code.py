"""code: the installed package and its libraries → data/code.sha256, the digest of what they do.

Every other stage depends on that file and not on the package's own, so that a comment, a docstring
or a blank line changes nothing in the eyes of DVC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import requires, version
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import holds
from pipeline.core.files.lock import locked
from pipeline.core.folders import CODE, DATA
from pipeline.core.registry import plugins
from pipeline.params import Params
from pipeline.parts.code import package_digest, remember
from pipeline.parts.plan import Summary


@dataclass(frozen=True)
class CodePlan:
    """The digest of the package, of its templates and of third parties' plug-ins."""

    out: Path

    # Nothing is cheaper than to look again.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @cached_property
    def text(self) -> str:
        """What the file is to hold."""
        digest = digest_json([package_digest(plugins()), libraries()])
        remember()
        return f"{digest}\n"

    @property
    def stands(self) -> bool:
        """Whether the file holds it already."""
        return holds(self.out, self.text)

    def run(self) -> Summary:
        """Bring the file to the code that is installed; PipelineError if another process does."""
        with locked(self.out):
            changed = not self.stands
            if changed:
                self.out.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.out) as temporary:
                    temporary.write_text(self.text)
        return Summary(planned=1, computed=int(changed), reused=int(not changed))


def libraries() -> dict[str, str]:
    """Name → version of what the package needs; extras, without which it works too, left out."""
    needed = (one for one in requires("multimodal-pipeline") or () if "extra ==" not in one)
    names = [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in needed]
    return {name: version(name) for name in sorted(names)}


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> CodePlan:
    """<root>/code.sha256 of the package that is installed."""
    return CodePlan(root / CODE)
