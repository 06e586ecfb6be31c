"""aliases.yaml: which model at which revision is in use, as a pointer that git versions.

An alias is a name (`champion` is the model in use) of a model of params.yaml and of the commit
whose dvc.lock names its files, so that moving it, or taking the move back, computes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from pipeline.core.files.atomic import atomic_write
from pipeline.core.options import Options
from pipeline.params.document import fill, read

ALIASES = "aliases.yaml"
CHAMPION = "champion"
NAME = re.compile(r"[A-Za-z][\w.-]*")
ABOUT = "# Alias -> the model that it stands for, and the commit at which its files are.\n"


class Alias(Options):
    """What a name stands for."""

    model: str = Field(min_length=1, description="name of a model of params.yaml at the revision")
    revision: str = Field(pattern=r"^[0-9a-f]{40,64}$", description="whole hash of a commit")


Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


def read_aliases(root: Path) -> dict[str, Alias]:
    """Alias → what it stands for, of the project in `root`; empty where there is no aliases.yaml.

    Raises
    ------
    PipelineError
        The file is not YAML or not of this form: all that is wrong with it.
    """
    path = root / ALIASES
    if not path.is_file():
        return {}
    return parse_aliases(read(path), str(path))


def parse_aliases(document: object, what: str = ALIASES) -> dict[str, Alias]:
    """As `read_aliases`, of YAML that was parsed; `what` is what messages call the document."""
    aliases: dict[str, Alias] = fill(dict[Name, Alias], document, what)
    return aliases


def write_aliases(root: Path, aliases: Mapping[str, Alias]) -> None:
    """Write aliases.yaml whole or not at all, its names in order."""
    lines = {name: alias.model_dump() for name, alias in sorted(aliases.items())}
    with atomic_write(root / ALIASES) as temporary:
        temporary.write_text(ABOUT + yaml.safe_dump(lines, sort_keys=False))
