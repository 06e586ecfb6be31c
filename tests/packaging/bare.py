"""Run a package's predict.py where nothing can be imported but itself and what it asks for.

    python bare.py FOLDER FORBIDDEN FILE…

Prints what predict.py prints, then a line of JSON: what of this environment was loaded from
FORBIDDEN, a folder of which no module may come.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from importlib.metadata import packages_distributions
from pathlib import Path


class Bare:
    """Finds no library whose distribution the package does not name."""

    def __init__(self, requirements: Path) -> None:
        lines = requirements.read_text().splitlines()
        self._named = {_plain(line.partition("==")[0]) for line in lines}
        # What is under test is installed here, too, and comes with the package.
        self._distributions = {**packages_distributions(), "pipeline": []}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        brings = self._distributions.get(name.partition(".")[0], [])
        if path is None and brings and not self._named & {_plain(one) for one in brings}:
            raise ModuleNotFoundError(f"no requirement brings {name}", name=name)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    folder, forbidden, *files = sys.argv[1:]
    # As Python does it for a script: its own folder first, and none of this one's.
    sys.path[0] = folder
    sys.argv = ["predict.py", *files]
    others = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
    sys.meta_path[:] = [Bare(Path(folder, "requirements.txt")), *others]  # type: ignore[list-item]
    runpy.run_path(str(Path(folder, "predict.py")), run_name="__main__")
    origins = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name != "__main__" and getattr(module, "__file__", None)
    }
    loaded = sorted(name for name, origin in origins.items() if origin.startswith(forbidden))
    print(json.dumps({"loaded": loaded, "pipeline": origins["pipeline"]}))
