"""What flows between stages: samples as sources tell them, and the reject.

The columns of the tables stand in `pipeline.core.schemas`; SCHEMA_VERSION in each file's footer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

SCHEMA_VERSION = 2

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
# Below this a figure has no interval: five components can be drawn anew in 126 ways, four in 35,
# of which the outermost twentieth is two.
MIN_COMPONENTS = 5
# Why a sample is left out with which nothing is wrong: it can be answered, and teaches nothing. No
# limit of what may be refused counts it.
UNLABELLED = "no_target"


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
    a path or a URL, or, for text that stands inside a table or a file of many lines, to the text
    itself as `Inline`. A modality that the sample lacks is left out.

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
