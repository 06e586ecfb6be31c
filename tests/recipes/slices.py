"""Recipes run on slices of data that tests make, in this process: as many stages as they have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline import recipes
from pipeline.params import Params, load
from pipeline.stages.graph import STAGES, items
from pipeline.stages.run import find
from tests.dataset import CLASSES, picture, sound

# Options that few small rows ask for.
SMALL: dict[str, dict[str, Any]] = {
    "parts": {"mean_rows": 16},
    "curate": {
        "splits": "balanced",
        "join_on": {},
        "max_component_share": 0.5,
        "min_components_per_class": 3,
    },
    "evaluate": {"resamples": 100, "draws": 1},
    "report": {"gallery": 2, "sheet": 1, "draws": 100},
    "execution": {"executor": "serial"},
}
FEW_FOLDS = {"folds": 2, "seeds": 1, "inner": 2, "resamples": 1000, "shuffles": 100}
BRIEF = {"epochs": 1, "batch_size": 16}
# They digest the package, fetch, or are of DVC alone.
LEFT_OUT = ("code", "params", "fetch")


def put_slice(
    folder: Path,
    name: str,
    raw: Callable[[Path], None] | Mapping[str, Callable[[Path], None]],
    models: Collection[str],
    features: Mapping[str, Mapping[str, Any]],
    training: Mapping[str, Any] = BRIEF,
) -> Params:
    """A recipe's project on its raw data as `raw` puts them; the working directory is `folder`.

    Parameters
    ----------
    raw:
        Puts the batches of the recipe's one source into a folder; of several one each, by name.
    models:
        Those of the recipe, and of its comparison, that are trained.
    features:
        Feature set → options in place of the recipe's.
    training:
        Options of each model in place of the recipe's.
    """
    document = yaml.safe_load(recipes.load(name).params)
    del document["fetch"]
    by_source = raw if isinstance(raw, Mapping) else dict.fromkeys(document["sources"], raw)
    for source, put in by_source.items():
        put(folder / "data" / "raw" / source)
    for section, options in SMALL.items():
        document[section] = {**document.get(section, {}), **options}
    document.get("comparison", {}).update(FEW_FOLDS)
    for part in (document, document.get("comparison", {"models": {}})):
        part["models"] = {
            name: {**model, **training} for name, model in part["models"].items() if name in models
        }
    if not document.get("comparison", {"models": {}})["models"]:
        document.pop("comparison", None)
    for feature_set, options in features.items():
        document["features"][feature_set].update(options)
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    return load(folder / "params.yaml")


def run_slice(params: Params, compares: bool = False) -> None:
    """Every stage of the everyday graph, with `compares` those of the comparison too."""
    for stage, known in STAGES.items():
        if stage in LEFT_OUT or (known.compares and not compares):
            continue
        for item in items(params, stage):
            find(params, stage, item)(params, item).run()


def put_stamps(folder: Path, subjects: int = 10) -> None:
    """A batch as Tux Paint's: subjects of three categories, named in two languages."""
    for category in CLASSES:
        place = folder / "1" / category / "cartoon"
        place.mkdir(parents=True)
        for i in range(subjects):
            name = place.parent / f"{category}{i}" if i % 2 else place / f"{category}{i}"
            if i % 3:
                name.with_suffix(".png").write_bytes(picture(category, i))
            else:
                name.with_suffix(".svg").write_text(SVG.format(i))
            name.with_suffix(".txt").write_text(f"A {category} {i}.\nfr.utf8=Un {category} {i}.\n")
            Path(f"{name}_desc.wav").write_bytes(sound(category, i))
            Path(f"{name}_desc_fr.wav").write_bytes(sound(category, i + 50))


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
    '<circle cx="20" cy="20" r="1{0}" fill="#1{0}4"/></svg>'
)
