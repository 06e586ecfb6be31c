"""code: the installed package and its libraries → data/code.sha256.

A project lies outside the package, and DVC sees nothing outside a project. So this runs at every
`dvc repro`; the stages that depend on the file run where the digest is another one.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_file, digest_json
from pipeline.params import Params
from pipeline.parts.code import PACKAGE
from pipeline.parts.plan import Summary

DISTRIBUTION = "multimodal-pipeline"


@dataclass(frozen=True)
class CodePlan:
    """One file with the digest of all code that stages may run."""

    out: Path

    # It is what looks.
    key = ""

    @property
    def outs(self) -> list[Path]:
        return [self.out]

    @cached_property
    def text(self) -> str:
        """The line that the file holds."""
        files = sorted(path for path in PACKAGE.rglob("*") if _is_code(path))
        return (
            digest_json(
                {
                    "files": {
                        path.relative_to(PACKAGE).as_posix(): digest_file(path) for path in files
                    },
                    "libraries": _libraries(),
                    "python": list(sys.version_info[:2]),
                }
            )
            + "\n"
        )

    @property
    def stands(self) -> bool:
        """Whether the file says this already."""
        return self.out.is_file() and self.out.read_text() == self.text

    def run(self) -> Summary:
        if self.stands:
            return Summary(planned=1, reused=1)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.out) as temporary:
            temporary.write_text(self.text)
        return Summary(planned=1, computed=1)


def plan(params: Params, item: str = "", root: Path = Path("data")) -> CodePlan:
    """Digest the package and its libraries into <root>/code.sha256."""
    return CodePlan(root / "code.sha256")


def _is_code(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _libraries() -> dict[str, str]:
    """Name → version of what the package asks pip for, extras included where they are installed."""
    versions = {}
    for requirement in requires(DISTRIBUTION) or ():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions
