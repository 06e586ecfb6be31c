"""Batches → samples and assets: what the sources tell, checked against what lies there."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.core.batches import in_order
from pipeline.core.errors import Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.files.digest_cache import DigestCache
from pipeline.core.options import Options
from pipeline.core.records import Inline, Refusal, Reject, Sample, Scan
from pipeline.core.registry import load
from pipeline.raw.folders import Facts, Folder, batches
from pipeline.raw.listing import Listing, absent
from pipeline.raw.roots import Raw

STAGE = "ingest"
Record = dict[str, Any]
Contents = dict[str, str | Inline]  # by modality: the path of a file, or text


@dataclass(frozen=True)
class Batch:
    """What one batch holds, as records of the tables `samples` and `assets`.

    `assets` holds (modality, record) once for each file or text of the batch, so that two may
    have one digest. `rejects` are of three kinds: a row that the source made no sample of, a
    sample that is refused, and a file that is. A refused file empties its modality of the samples
    that name it, and is told once, however many they are; a sample with none left is refused too.

    `counts` is JSON-able:

    - `files` and `bytes`: what lies in the folder. `files` = `used` + `unused` + `refused`, where
      `used` are assets and tables, `unused` no sample needs (`unused_by_suffix` says of what
      kind), and `refused` may not be opened;
    - `missing`: paths that samples name and at which no file of the batch lies;
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


def catalogue(
    raw: Raw,
    sources: Mapping[str, tuple[str, Options]],
    modalities: Sequence[str],
    targets: Mapping[str, str],
    digests: DigestCache,
) -> Iterator[Batch]:
    """Look through all batches of all sources, in the order of their names.

    Parameters
    ----------
    raw:
        Where the batches of the sources lie.
    sources:
        Name → (kind, options).
    modalities, targets:
        Those that the tables have. Files of other modalities count as unused.

    Raises
    ------
    PipelineError
        A source has no batch, or a file cannot be read. Both are trouble of the machine or of
        params, and no reason to go on with fewer samples.
    """
    numbers = {name: load("models/tasks", kind).NUMBER for name, kind in targets.items()}
    for source, (kind, options) in sorted(sources.items()):
        scan = load("sources", kind).scan
        for name, folder in batches(raw, source).items():
            scanned = scan(folder, options)
            yield _batch(raw, source, name, folder, scanned, modalities, numbers, digests)


def first_of_each(batches: Iterable[Batch], modality: str) -> list[Record]:
    """One record a digest: of the first batch that holds it, and its first path there."""
    found = (record for batch in batches for named, record in batch.assets if named == modality)
    chosen: dict[str, Record] = {}
    for record in sorted(found, key=lambda r: (r["source"], in_order(r["batch"]), r["locator"])):
        chosen.setdefault(record["digest"], record)
    return list(chosen.values())


def _batch(
    raw: Raw,
    source: str,
    name: str,
    folder: Folder,
    scan: Scan,
    modalities: Sequence[str],
    targets: Mapping[str, bool],
    digests: DigestCache,
) -> Batch:
    """targets: name → whether it is a number."""
    there = folder.listing
    times = Counter(sample.sample_id for sample in scan.samples)
    wanted = [_wanted(sample, modalities) for sample in scan.samples]
    named = {_path(content) for contents in wanted for content in contents.values()}
    missing = named - there.files.keys() - there.refused.keys()
    refused = [Refusal("file", path, *why) for path, why in there.refused.items()]
    refused += [Refusal("file", path, *absent(path)) for path in sorted(missing)]
    refused += scan.refused
    facts = folder.facts(sorted(_files(wanted) & there.files.keys()), digests)
    samples: list[Record] = []
    assets: dict[tuple[str, str | Inline], Record] = {}
    for sample, contents in zip(scan.samples, wanted, strict=True):
        sample_id = f"{source}/{name}/{sample.sample_id}"
        try:
            if times[sample.sample_id] > 1:
                raise Rejected("duplicate_sample_id", "another row of the batch has this id too")
            contents = _left(contents, there, modalities)
            values = {f"target.{t}": _target(sample, t, number) for t, number in targets.items()}
        except Rejected as reject:
            refused.append(Refusal("sample", sample_id, reject.reason, reject.message))
            continue
        for modality, content in contents.items():
            if (modality, content) not in assets:
                found = _asset(content, there, facts)
                locator = raw.locator(source, f"{name}/{_path(content)}")
                about = {"source": source, "batch": name, "locator": locator}
                assets[modality, content] = found | about
        samples.append(
            {
                "sample_id": sample_id,
                "source": source,
                "batch": name,
                "group": sample.group or sample_id,
                "split_given": sample.split_given,
                "licence": sample.licence,
                **values,
                "attributes": sorted((sample.attributes or {}).items()),
                **{
                    m: assets[m, contents[m]]["digest"] if m in contents else None
                    for m in modalities
                },
            }
        )
    rejects = [
        Reject(STAGE, source, name, r.subject_kind, r.subject, "", r.reason, r.message)
        for r in refused
    ]
    used = {_path(content) for _, content in assets}
    unused = there.files.keys() - used - set(scan.metadata)
    counts = {
        "files": len(there.files) + len(there.refused),
        "bytes": sum(there.files.values()),
        "used": len(there.files) - len(unused),
        "unused": len(unused),
        "unused_by_suffix": _counts(PurePosixPath(path).suffix.lower() for path in unused),
        "refused": len(there.refused),
        "missing": len(missing),
        "samples": len(samples),
        "rejects": len(rejects),
        "rejects_by_kind": _counts(reject.subject_kind for reject in rejects),
        "rejects_by_reason": _counts(reject.reason for reject in rejects),
    }
    return Batch(
        source, name, samples, [(m, record) for (m, _), record in assets.items()], rejects, counts
    )


def _wanted(sample: Sample, modalities: Sequence[str]) -> Contents:
    return {m: content for m, content in sample.assets.items() if m in modalities}


def _left(contents: Contents, there: Listing, modalities: Sequence[str]) -> Contents:
    """Those of a sample's contents that may be read."""
    left = {m: content for m, content in contents.items() if _path(content) in there.files}
    if not left:
        lost = f"; refused: {', '.join(map(_path, contents.values()))}" if contents else ""
        raise Rejected("no_modality", f"the sample has none of {', '.join(modalities)}{lost}")
    return left


def _files(wanted: Iterable[Contents]) -> set[str]:
    """The assets among what samples want that are files of their own."""
    return {content for contents in wanted for content in contents.values() if type(content) is str}


def _asset(content: str | Inline, there: Listing, facts: Facts) -> Record:
    """What a file is, or a text that stands inside one."""
    if isinstance(content, Inline):
        digest, size = digest_bytes(content.data), len(content.data)
        media_type, data = "text/plain", content.data
    else:
        digest, media_type = facts[content]
        size, data = there.files[content], None
    return {"digest": digest, "size": size, "media_type": media_type, "data": data}


def _path(content: str | Inline) -> str:
    return content.path if isinstance(content, Inline) else content


def _target(sample: Sample, name: str, is_number: bool) -> str | float | None:
    value = (sample.targets or {}).get(name)
    if value is None:
        return None
    if not is_number:
        return value if isinstance(value, str) else json.dumps(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Rejected("bad_target", f"the target {name} is not a finite number")
    return number


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
