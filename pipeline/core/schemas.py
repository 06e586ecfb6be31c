"""The columns of every table that flows between stages.

Changing one changes every digest, as `pipeline.core.records.SCHEMA_VERSION` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from pipeline.core.registry import load


def samples_schema(modalities: Iterable[str], targets: Mapping[str, str]) -> pa.Schema:
    """sample_id, source, batch, group, split_given, licence, target.*, attr, one digest a modality.

    Targets that are numbers by their kind are float64, all others strings; attributes are one map
    column, so that sources with different attributes share a schema.
    """
    text = pa.string()
    return pa.schema(
        [
            pa.field("sample_id", text, nullable=False),
            pa.field("source", text, nullable=False),
            pa.field("batch", text, nullable=False),
            pa.field("group", text, nullable=False),
            ("split_given", text),
            ("licence", text),
            *(
                (f"target.{name}", pa.float64() if load("models/tasks", kind).NUMBER else text)
                for name, kind in sorted(targets.items())
            ),
            ("attributes", pa.map_(text, text)),
            *((modality, text) for modality in sorted(modalities)),
        ]
    )


def curated_schema(modalities: Iterable[str], targets: Mapping[str, str]) -> pa.Schema:
    """A sample plus its component, its split, and the assets that joined it to its component."""
    return pa.schema(
        [
            *samples_schema(modalities, targets),
            pa.field("component", pa.string(), nullable=False),
            pa.field("split", pa.string(), nullable=False),
            ("joined_by", pa.list_(pa.string())),
        ]
    )


def assets_schema() -> pa.Schema:
    """digest, source, batch, size (bytes), media_type, locator, data.

    `locator` is a path relative to the raw root (data/raw), or the URI of a file at a root
    elsewhere. `data` holds the bytes of inline assets and is null where the locator's file is the
    asset.
    """
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("batch", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("media_type", pa.string(), nullable=False),
            pa.field("locator", pa.string(), nullable=False),
            ("data", pa.binary()),
        ]
    )


def clean_schema(measurements: pa.Schema) -> pa.Schema:
    """digest, row key, content digest, shape and data of the cleaned asset, then measurements."""
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            pa.field("content", pa.string(), nullable=False),
            pa.field("shape", pa.list_(pa.int32()), nullable=False),
            pa.field("data", pa.binary(), nullable=False),
            *measurements,
        ]
    )


def augmented_schema() -> pa.Schema:
    """digest, row key, view (1..k), recipe (JSON: a list of operations in order)."""
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            pa.field("view", pa.int32(), nullable=False),
            pa.field("recipe", pa.string(), nullable=False),
        ]
    )


def predictions_schema() -> pa.Schema:
    """One row a sample, split and task: probabilities over `classes` of the model card, and truth.

    Labels stand in `prediction` and `truth` with `|` between them; a number stands there as text,
    and has no probabilities; a text has one, of the whole. `present` lists the modalities that the
    model saw.
    """
    text = pa.string()
    return pa.schema(
        [
            pa.field("sample_id", text, nullable=False),
            pa.field("model", text, nullable=False),
            pa.field("split", text, nullable=False),
            pa.field("task", text, nullable=False),
            pa.field("present", pa.list_(text), nullable=False),
            pa.field("probabilities", pa.list_(pa.float32()), nullable=False),
            pa.field("prediction", text, nullable=False),
            ("truth", text),
        ]
    )
