"""extract@set: data/clean and data/augmented → data/features/<set>."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.folders import AUGMENTED, CLEAN, DATA, FEATURES
from pipeline.core.options import Options
from pipeline.core.registry import locate
from pipeline.encoders import FOLDER, encoder_of
from pipeline.execution.choose import chooser
from pipeline.execution.probe import processor_on
from pipeline.modalities import part
from pipeline.params import FeatureSection, Params
from pipeline.parts import manifest
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row, row_key
from pipeline.parts.plan import PartsPlan
from pipeline.stages.work.batch_invariance import ProvenExtract
from pipeline.stages.work.extract import Recipe


def plan(params: Params, name: str, root: Path = Path(DATA)) -> PartsPlan:
    """Encode every cleaned asset and view of one modality with one encoder."""
    feature = params.features[name]
    encoder = encoder_of(feature.encoder)
    identity = fingerprint(
        f"extract/{feature.encoder}",
        [
            "pipeline.stages.work.extract",
            locate(FOLDER, feature.encoder),
            part(feature.modality, "content"),
            *getattr(encoder, "modules", _none)(feature.options),
        ],
        getattr(encoder, "parameters", _all)(feature.options) | _stored(feature),
        encoder.weights(feature.options),
        processor=processor_on(_torch_device(feature.options), params.execution),
    )
    clean = root / CLEAN / feature.modality
    augmented = root / AUGMENTED / feature.modality
    apply = fingerprint("apply", [part(feature.modality, "augment")], {}).digest
    return PartsPlan(
        out=root / FEATURES / name,
        work=ProvenExtract(
            name,
            feature.encoder,
            feature.options,
            clean.absolute(),
            identity,
            feature.dtype,
            feature.profile,
        ),
        rows=lambda: _rows(feature, clean, augmented, apply),
        reads=lambda: [apply, *map(manifest.manifest_digest, (clean, augmented))],
        cut=(params.parts.mean_rows, params.parts.max_bytes),
        executor=chooser(params.execution, getattr(feature.options, "device", "cpu"), foreign=True),
        reject_limit=feature.reject_limit,
    )


def _stored(feature: FeatureSection) -> dict[str, Any]:
    """How values are kept, where that is not the usual way."""
    usual = {"dtype": "float32", "profile": "mapped"}
    chosen = {name: getattr(feature, name) for name in usual}
    return {name: value for name, value in chosen.items() if value != usual[name]}


def _torch_device(options: Options) -> str | None:
    """Where torch computes: encoders that may use it have the options `device` and `backend`."""
    if getattr(options, "backend", "torch") != "torch":
        return None
    return getattr(options, "device", None)


def _all(options: Options) -> dict[str, Any]:
    """An encoder may say which of its options are keyed; all of them are where it does not."""
    return options.model_dump(mode="json")


def _none(options: Options) -> list[str]:
    """An encoder may call others by name, and then says which modules they are."""
    return []


def _rows(feature: FeatureSection, clean: Path, augmented: Path, apply: str) -> Iterator[Row]:
    """View 0 of every cleaned asset, then its augmented views.

    A row is known by the content that it encodes, so that cleaning anew what comes out the same
    encodes nothing; an augmented one also by its recipe and `apply`, the code that follows it.
    """
    size = 4 * math.prod(encoder_of(feature.encoder).shape(feature.options))
    cleaned: dict[str, tuple[str, str]] = {}
    for entry, table in manifest.read_each(clean, ["digest", "content"]):
        for digest, content in zip(*table.to_pydict().values(), strict=True):
            cleaned[digest] = (entry.key, content)
            key = row_key(content)
            yield Row(digest, key, entry.source, entry.batch, size, 0, Recipe(entry.key, "[]"))
    for entry, table in manifest.read_each(augmented, ["digest", "recipe"]):
        for digest, recipe in zip(*table.to_pydict().values(), strict=True):
            part, content = cleaned[digest]
            key = row_key(content, recipe, apply)
            yield Row(
                digest, key, entry.source, entry.batch, size, entry.view, Recipe(part, recipe)
            )
