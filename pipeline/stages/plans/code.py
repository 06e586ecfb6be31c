"""code: the installed package and its libraries → data/code.sha256, the digest of what they do.

Every other stage depends on that file and not on the package's own, so that a comment, a docstring
or a blank line changes nothing in the eyes of DVC.
"""

from __future__ import annotations

import re
from importlib.metadata import requires, version
from pathlib import Path

from pipeline.core.files.digest import digest_json
from pipeline.core.folders import CODE, DATA
from pipeline.core.registry import plugins
from pipeline.params import Params
from pipeline.parts.code import package_digest, remember
from pipeline.parts.text_file import TextFilePlan


def code_digest() -> str:
    """A line: the digest of the package, of its libraries and of third parties' plug-ins."""
    digest = digest_json([package_digest(plugins()), libraries()])
    remember()
    return f"{digest}\n"


def libraries() -> dict[str, str]:
    """Name → version of what the package needs; extras, without which it works too, left out."""
    needed = (one for one in requires("multimodal-pipeline") or () if "extra ==" not in one)
    names = [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in needed]
    return {name: version(name) for name in sorted(names)}


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> TextFilePlan:
    """<root>/code.sha256 of the package that is installed."""
    return TextFilePlan(root / CODE, code_digest)
