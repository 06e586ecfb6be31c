"""Digests: what params, data, code and weights this page was made from."""

from __future__ import annotations

from typing import Any

from pipeline.core.files.digest import digest_json
from pipeline.core.folders import EVALUATION, MODELS
from pipeline.parts import artifact
from pipeline.reporting.inputs import Absent, ReportInputs
from pipeline.reporting.options import ReportOptions


def build(inputs: ReportInputs, options: ReportOptions) -> dict[str, Any] | Absent:
    functions = {stage.name: stage.function for stage in inputs.stages}
    digests = inputs.digests()
    for name in digests:
        if name.startswith((f"{MODELS}/", f"{EVALUATION}/")):
            functions[name] = artifact.read_manifest(inputs.root / name)["function"]
    weights = sorted(
        {
            (file, digest, name)
            for name, function in functions.items()
            for file, digest in function.get("weights", {}).items()
        }
    )
    libraries = sorted(
        {pair for function in functions.values() for pair in function.get("libraries", {}).items()}
    )
    return {
        "params": inputs.params_digest,
        "outputs": [
            (name, digest, digest_json(functions.get(name, {}).get("code", {})))
            for name, digest in digests.items()
        ],
        "weights": weights,
        "libraries": libraries,
        "pythons": sorted({f["python"] for f in functions.values() if "python" in f}),
        "processors": sorted({f["processor"] for f in functions.values() if "processor" in f}),
    }
