"""evaluate@model: data/models/<model> on held-out splits → data/evaluation/<model>."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import artifact
from pipeline.errors import PipelineError, unknown
from pipeline.fingerprint import fingerprint
from pipeline.params import Params
from pipeline.parts import Summary, manifest_digest
from pipeline.registry import load

if TYPE_CHECKING:
    import numpy as np

    from pipeline.store.join import Joined

SPLITS = ("validation", "test")


def run(params: Params, name: str, root: Path = Path("data")) -> Summary:
    """Measure one model; nothing if neither it, its inputs nor the options changed.

    Raises
    ------
    PipelineError
        The model is not trained, or `group_by` names what no sample has.
    """
    sets = {one: params.features[one].modality for one in params.models[name].features}
    out = root / "evaluation" / name
    made = artifact.build(
        out,
        fingerprint(
            "evaluate",
            [
                "pipeline.models.results",
                load("models/fusion", params.models[name].fusion).__name__,
            ],
            {
                "model": name,
                "evaluate": params.evaluate.model_dump(mode="json"),
                "seed": params.seed,
            },
        ),
        {
            "model": artifact.digest(root / "models" / name),
            "curated": manifest_digest(root / "curated"),
            **{f"features/{one}": manifest_digest(root / "features" / one) for one in sets},
        },
        lambda folder: _make(folder, params, name, sets, root),
    )
    return Summary(planned=1, reused=int(not made), computed=int(made), rows=_rows(out))


def _make(folder: Path, params: Params, name: str, sets: dict[str, str], root: Path) -> None:
    from pipeline.models.determinism import deterministic
    from pipeline.models.evaluation import Split, evaluate
    from pipeline.models.examples import examples
    from pipeline.models.results import write
    from pipeline.models.saving import load as load_model
    from pipeline.store.join import join

    joined = join(root, sets)
    model = load_model(root / "models" / name)
    whole = examples([joined], sets, model.classes)
    groups = _groups(joined, params.evaluate.group_by)
    splits = [
        Split(split, whole.take(rows), {a: values[rows] for a, values in groups.items()})
        for split in SPLITS
        for rows in [joined.split == split]
    ]
    with deterministic(params.seed, "evaluate"):
        found = evaluate(name, model, splits, params.evaluate, params.seed)
    write(folder, name, model.options.primary, found)


def _groups(joined: Joined, names: Sequence[str]) -> dict[str, np.ndarray]:
    """By target or attribute, its value of each sample, None where it has none."""
    import numpy as np

    found = {}
    attributes = {name for one in joined.attributes for name in one}
    for name in names:
        if name in joined.targets:
            found[name] = joined.targets[name]
        elif name in attributes:
            found[name] = np.array([one.get(name) for one in joined.attributes], dtype=object)
        else:
            known = {*joined.targets, *attributes}
            raise PipelineError(f"evaluate.group_by: {unknown('target or attribute', name, known)}")
    return found


def _rows(out: Path) -> int:
    """Samples that were predicted."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    samples = pq.read_table(out / "predictions.parquet", columns=["sample_id"])["sample_id"]
    return int(pc.count_distinct(samples).as_py())
