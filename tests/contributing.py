"""The examples of CONTRIBUTING.md, and a package of a third party that they make."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parents[1]
PAGE = HERE / "CONTRIBUTING.md"
FENCE = re.compile(
    r"^```(?:python|html|toml)\n(?:# |<!-- )([\w/.]+)(?: -->)?\n(.*?)^```", re.M | re.S
)


def examples() -> dict[str, str]:
    """The file that an example stands in → what it adds there."""
    return dict(FENCE.findall(PAGE.read_text()))


def install(folder: Path) -> Path:
    """Put the package `acme` in a folder, as `pip install` would; the folder goes on sys.path."""
    for path, text in examples().items():
        if path.startswith("acme/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    about = folder / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "top_level.txt").write_text("acme\n")
    lines = []
    for group, points in tomllib.loads(examples()["pyproject.toml"])["project"][
        "entry-points"
    ].items():
        lines += [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return folder
