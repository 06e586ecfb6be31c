"""extract@set: data/clean and data/augmented → data/features/<set>."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import manifest, parts
from pipeline.digest import digest_bytes
from pipeline.execution.choose import chooser
from pipeline.fingerprint import fingerprint
from pipeline.options import Options
from pipeline.params import FeatureSet, Params
from pipeline.part import Row
from pipeline.parts import Summary
from pipeline.registry import load
from pipeline.work.extract import Extract, Recipe


def run(params: Params, name: str, root: Path = Path("data")) -> Summary:
    """Encode every cleaned asset and view of one modality with one encoder."""
    feature = params.features[name]
    encoder = load("encoders", feature.encoder)
    identity = fingerprint(
        f"extract/{feature.encoder}",
        [
            "pipeline.work.extract",
            encoder.__name__,
            f"pipeline.modalities.{feature.modality}.content",
        ],
        getattr(encoder, "parameters", _all)(feature.options),
        encoder.weights(feature.options),
        _torch_device(feature.options),
    )
    clean = root / "clean" / feature.modality
    work = Extract(name, feature.encoder, feature.options, clean.absolute(), identity)
    rows = list(_rows(feature, root))
    planned = parts.plan(identity, rows, params.parts.mean_rows, params.parts.max_bytes)
    executor = chooser(params.execution, getattr(feature.options, "device", "cpu"))
    return parts.run(
        root / "features" / name, work, planned, executor, reject_limit=feature.reject_limit
    )


def _torch_device(options: Options) -> str | None:
    """Where torch computes: encoders that may use it have the options `device` and `backend`."""
    if getattr(options, "backend", "torch") != "torch":
        return None
    return getattr(options, "device", None)


def _all(options: Options) -> dict[str, Any]:
    """An encoder may say which of its options are keyed; all of them are where it does not."""
    return options.model_dump(mode="json")


def _rows(feature: FeatureSet, root: Path) -> Iterator[Row]:
    """View 0 of every cleaned asset, then its augmented views.

    A row is known by the content that it encodes, so that cleaning anew what comes out the same
    encodes nothing; an augmented one also by its recipe and the code that applies it.
    """
    size = 4 * math.prod(load("encoders", feature.encoder).shape(feature.options))
    clean: dict[str, tuple[str, str]] = {}
    for entry, table in manifest.read_each(
        root / "clean" / feature.modality, ["digest", "content"]
    ):
        for digest, content in zip(*table.to_pydict().values(), strict=True):
            clean[digest] = (entry.key, content)
            yield Row(digest, content, entry.source, entry.batch, size, 0, Recipe(entry.key, "[]"))
    module = load(f"modalities/{feature.modality}", "augment")
    code = fingerprint("apply", [module.__name__], {}).digest
    augmented = root / "augmented" / feature.modality
    for entry, table in manifest.read_each(augmented, ["digest", "recipe"]):
        for digest, recipe in zip(*table.to_pydict().values(), strict=True):
            part, content = clean[digest]
            key = f"{content} {digest_bytes(recipe.encode())} {code}"
            yield Row(
                digest, key, entry.source, entry.batch, size, entry.view, Recipe(part, recipe)
            )
