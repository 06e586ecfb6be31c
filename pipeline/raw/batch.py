"""What one batch of a source holds: its samples and assets, and what was refused of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.core.batches import in_order
from pipeline.core.identity import alike
from pipeline.core.records import Reject
from pipeline.raw.held_samples import HELD

STAGE = "ingest"
Record = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """What one batch holds, as records of the tables `samples` and `assets`.

    `assets` holds (modality, record) once for each file or text of the batch, so that two may
    have one digest. `rejects` are of three kinds: a row that the source made no sample of, a
    sample that is refused, and a file that is. A refused file empties its modality of the samples
    that name it, and is told once, however many they are; a sample with none left is refused too.

    `unusable` says why the source found no sample at all, or none in one of its tables; `advice`
    what it would do about files that no sample uses.

    Samples that `held_samples` names are refused, and no limit counts them.

    `counts` is JSON-able:

    - `files` and `bytes`: what lies in the folder, and what was fetched for it. `files` = `used` +
      `unused` + `refused`, where `used` are assets and tables, `unused` no sample needs
      (`unused_by_suffix` says of what kind), and `refused` may not be opened;
    - `missing`: paths that samples name and at which no file of the batch lies, and URLs of which
      no bytes are here;
    - `samples`: those taken up. With the rejects of kinds row and sample they are the rows told
      of;
    - `rejects`, in all, `rejects_by_kind` and `rejects_by_reason`. Those of kind file are
      `refused` + `missing`, and tables that cannot be used.
    """

    source: str
    name: str
    samples: list[Record]
    assets: list[tuple[str, Record]]
    rejects: list[Reject]
    counts: dict[str, Any]
    unusable: str = ""
    advice: str = ""


def without_held(batch: Batch, held: Mapping[str, str]) -> Batch:
    """The batch without samples that are held, which are refused; their files count as used.

    Parameters
    ----------
    held:
        Id within the batch → why.
    """
    prefix = f"{batch.source}/{batch.name}/"
    why = {f"{prefix}{sample}": reason for sample, reason in held.items()}
    out = [sample["sample_id"] for sample in batch.samples if sample["sample_id"] in why]
    if not out:
        return batch
    rejects = [
        *batch.rejects,
        *(
            Reject(STAGE, batch.source, batch.name, "sample", sample, "", HELD, why[sample])
            for sample in out
        ),
    ]
    samples = [sample for sample in batch.samples if sample["sample_id"] not in why]
    counts = batch.counts | outcome_counts(samples, rejects)
    return replace(batch, samples=samples, rejects=rejects, counts=counts)


def first_of_each(
    batches: Iterable[Batch], modality: str, last: Collection[str] = ()
) -> list[Record]:
    """One record a digest: of the first batch that holds it, and its first path there.

    Batches of the sources `last` come after all others, so that they own what no other has.
    """
    of_modality = (
        record for batch in batches for named, record in batch.assets if named == modality
    )
    chosen: dict[str, Record] = {}
    for record in sorted(
        of_modality,
        key=lambda r: (r["source"] in last, r["source"], in_order(r["batch"]), r["locator"]),
    ):
        chosen.setdefault(record["digest"], record)
    return list(chosen.values())


def alike_names(batches: Sequence[Batch]) -> list[dict[str, list[list[str]]]]:
    """For each batch: column → names in it that differ from others in case, blanks or numbers.

    The others stand in any batch, for groups in one of the same source; see `identity.alike`.
    """
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    held = []
    for batch in batches:
        columns: dict[tuple[str, str], set[str]] = defaultdict(set)
        for sample in batch.samples:
            if sample["group"] != sample["sample_id"]:
                columns[batch.source, "group"].add(sample["group"])
            for column, value in sample.items():
                if column.startswith("target.") and isinstance(value, str):
                    columns["", column].add(value)
        held.append(columns)
        for place, names in columns.items():
            spellings[place] |= names
    several = {place: alike(names) for place, names in spellings.items()}
    return [
        {
            place[1]: sets
            for place, names in sorted(columns.items())
            if (sets := [s for s in several[place] if not names.isdisjoint(s)])
        }
        for columns in held
    ]


def outcome_counts(samples: Sequence[Record], rejects: Sequence[Reject]) -> dict[str, Any]:
    """The counts of `Batch` that say what became of its samples."""
    return {
        "samples": len(samples),
        "rejects": len(rejects),
        "rejects_by_kind": count_by_name(reject.subject_kind for reject in rejects),
        "rejects_by_reason": count_by_name(reject.reason for reject in rejects),
    }


def count_by_name(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
