"""params: params.yaml → data/params.json, in which every option stands.

DVC compares params by the names that stages give, and refuses to run where one is missing. So what
it compares is this file, and params.yaml may leave out whatever has a default.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from pipeline.core.folders import DATA, PARAMS
from pipeline.params import Params
from pipeline.params.resolved import resolved
from pipeline.parts.text_file import TextFilePlan


def plan(params: Params, item: str = "", root: Path = Path(DATA)) -> TextFilePlan:
    """What params mean, in <root>/params.json, its sections in the order of `Params`."""
    return TextFilePlan(root / PARAMS, partial(_as_json, params))


def _as_json(params: Params) -> str:
    return json.dumps(resolved(params), indent=1, ensure_ascii=False) + "\n"
