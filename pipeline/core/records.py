"""What flows between stages: the columns of every table, and the reject.

Changing one of these changes every digest; SCHEMA_VERSION stands in each file's footer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.core.registry import load

# pyarrow brings NumPy, which is loaded after the process knows its instruction set: see
# `pipeline.core.machine.environment`. Commands read manifests before.
if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
# Below this a figure has no interval: five components can be drawn anew in 126 ways, four in 35,
# of which the outermost twentieth is two.
MIN_COMPONENTS = 5


@dataclass(frozen=True, order=True)
class Reject:
    """A row that a stage did not pass on, with its reason.

    `subject` is what was refused: an asset's digest, a sample's id or a file's path relative to
    its batch, as `subject_kind` says. `digest` is the digest of the refused input, empty where
    there are no bytes to digest.
    """

    stage: str
    source: str
    batch: str
    subject_kind: Literal["asset", "sample", "file", "row"]
    subject: str
    digest: str
    reason: str
    message: str


@dataclass(frozen=True)
class Sample:
    """One example as a source tells it, its assets by path relative to the batch's folder.

    `sample_id` is unique within the batch; ingest puts the source's and the batch's name before
    it. `group` names what must not straddle splits, the same name meaning the same thing in every
    batch of the source; None stands for a sample that is its own group. `assets` maps a modality to
    a path, or, for text that stands inside a table or a file of many lines, to the text itself as
    `Inline`. A modality that the sample lacks is left out.

    `where` says for people where the source reads of it, and `columns` which column there says it:
    of a modality, by its name, and of a target, as `target.<name>`.
    """

    sample_id: str
    group: str | None
    assets: Mapping[str, str | Inline]
    split_given: Split | None = None
    licence: str | None = None
    targets: Mapping[str, str | float | None] | None = None
    attributes: Mapping[str, str | None] | None = None
    where: str = field(default="", compare=False)
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Inline:
    """Text content that is not a file of its own: `data` is UTF-8 or whatever bytes stood there.

    `path` says in which file of the batch they stood.
    """

    data: bytes
    path: str


@dataclass(frozen=True)
class Refusal:
    """What a source could not make a sample of: a Reject before ingest says of which batch."""

    subject_kind: Literal["sample", "file", "row"]
    subject: str
    reason: str
    message: str


@dataclass(frozen=True)
class Scan:
    """One batch as its source understands it, from names and tables alone, no asset opened.

    `metadata` lists the files that say something about others and are no asset themselves; one of
    them that is refused costs all samples that it tells of. Ingest checks that the assets are
    there, and counts the files that no sample uses: `advice` is what it then tells people, such as
    which column may name them, and empty where nothing is to be said.
    """

    samples: Sequence[Sample]
    refused: Sequence[Refusal] = ()
    metadata: Sequence[str] = ()
    advice: str = ""


def samples_schema(modalities: Iterable[str], targets: Mapping[str, str]) -> pa.Schema:
    """sample_id, source, batch, group, split_given, licence, target.*, attr, one digest a modality.

    Targets that are numbers by their kind are float64, all others strings; attributes are one map
    column, so that sources with different attributes share a schema.
    """
    import pyarrow as pa

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
    import pyarrow as pa

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
    import pyarrow as pa

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
    import pyarrow as pa

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
    import pyarrow as pa

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
    and has no probabilities. `present` lists the modalities that the model saw.
    """
    import pyarrow as pa

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
