"""Batches → samples and assets: what the sources tell, checked against what lies there."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from types import ModuleType

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.files.digest_cache import DigestCache
from pipeline.core.identity import canonical
from pipeline.core.options import Options
from pipeline.core.parsing import parse_json
from pipeline.core.records import Inline, Refusal, Reject, Sample, Scan
from pipeline.core.registry import load
from pipeline.raw.batch import STAGE, Batch, Record, count_by_name, outcome_counts, without_held
from pipeline.raw.downloads import Downloads, is_url
from pipeline.raw.folders import Facts, Folder, batches
from pipeline.raw.held_samples import of_batch, read_held
from pipeline.raw.listing import Listing, absent
from pipeline.raw.media_types import UNKNOWN, inline_types, modality_by_name
from pipeline.raw.near_names import NearNames
from pipeline.raw.roots import Raw

Contents = dict[str, str | Inline]  # by modality: the path of a file, or text


def catalogue(
    raw: Raw,
    sources: Mapping[str, tuple[str, Options]],
    modalities: Sequence[str],
    targets: Mapping[str, str],
    digests: DigestCache,
    expected: bool = False,
    may_lack: Collection[str] = (),
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
    expected:
        Take what the stage `download` has not asked for yet as if it would come.

    may_lack:
        Sources that need not have a batch.

    Raises
    ------
    PipelineError
        A source has no batch, or a file cannot be read. Both are trouble of the machine or of
        params, and no reason to go on with fewer samples.
    """
    tasks = {name: load("models/tasks", kind) for name, kind in targets.items()}
    for source, (kind, options) in sorted(sources.items()):
        scan = load("sources", kind).scan
        downloads = raw.downloads(source, expected)
        held = read_held(raw.folder / source)
        for name, folder in batches(raw, source, source not in may_lack).items():
            scanned = scan(folder, options)
            batch = _batch(
                raw, source, name, folder, scanned, modalities, tasks, digests, downloads
            )
            yield without_held(batch, of_batch(held, name))


def _batch(
    raw: Raw,
    source: str,
    name: str,
    folder: Folder,
    scan: Scan,
    modalities: Sequence[str],
    targets: Mapping[str, ModuleType],
    digests: DigestCache,
    downloads: Downloads,
) -> Batch:
    """targets: name → the task that its kind is."""
    names = [canonical(sample.sample_id) for sample in scan.samples]
    twins = _twins(names, scan.samples)
    wanted = [_wanted(sample, modalities) for sample in scan.samples]
    where_named = _first_to_name(scan.samples, wanted)
    downloaded = downloads.files(filter(is_url, where_named))
    near = NearNames(folder.listing.files)
    listing = Listing(folder.listing.files | downloaded, folder.listing.refused)
    missing = where_named.keys() - listing.files.keys() - listing.refused.keys()
    refused = [Refusal("file", path, *why) for path, why in listing.refused.items()]
    for path in sorted(missing):
        reason, message = downloads.problem(path) if is_url(path) else absent(path, near)
        refused.append(Refusal("file", path, reason, f"{where_named[path]}{message}"))
    refused += scan.refused
    facts = folder.facts(sorted(_files(wanted) & folder.listing.files.keys()), digests)
    facts |= downloads.facts(downloaded)
    samples: list[Record] = []
    assets: dict[tuple[str, str | Inline], Record] = {}
    for sample, own_name, contents in zip(scan.samples, names, wanted, strict=True):
        sample_id = f"{source}/{name}/{own_name}"
        try:
            if own_name in twins:
                raise Rejected("duplicate_sample_id", twins[own_name])
            contents = _left(sample, contents, listing, modalities)
            values = {f"target.{t}": _target(sample, t, task) for t, task in targets.items()}
        except Rejected as reject:
            message = f"{sample.where}{reject.message}"
            refused.append(Refusal("sample", sample_id, reject.reason, message))
            continue
        for modality, content in contents.items():
            if (modality, content) not in assets:
                asset = _asset(modality, content, listing, facts)
                place = content.path if isinstance(content, Inline) else content
                locator = raw.locator(source, name, place)
                about = {"source": source, "batch": name, "locator": locator}
                assets[modality, content] = asset | about
        samples.append(
            {
                "sample_id": sample_id,
                "source": source,
                "batch": name,
                "group": canonical(sample.group or "") or sample_id,
                "split_given": sample.split_given,
                "licence": sample.licence,
                **values,
                "attributes": _attributes(sample),
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
    unused = listing.files.keys() - used - set(scan.metadata)
    counts = {
        "files": len(listing.files) + len(listing.refused),
        "bytes": sum(listing.files.values()),
        "used": len(listing.files) - len(unused),
        "unused": len(unused),
        "unused_by_suffix": count_by_name(PurePosixPath(path).suffix.lower() for path in unused),
        "unused_by_modality": count_by_name(name for name in map(modality_by_name, unused) if name),
        "refused": len(listing.refused),
        "missing": len(missing),
        **outcome_counts(samples, rejects),
    }
    unusable = [
        r.message
        for r in scan.refused
        if r.subject_kind == "file" and (r.subject in scan.metadata or not scan.samples)
    ]
    return Batch(
        source,
        name,
        samples,
        [(m, record) for (m, _), record in assets.items()],
        rejects,
        counts,
        "".join(unusable[:1]),
        scan.advice,
    )


def _twins(names: Sequence[str], samples: Sequence[Sample]) -> dict[str, str]:
    """Ids that several samples have → message."""
    times = Counter(names)
    places: dict[str, list[str]] = {name: [] for name, n in times.items() if n > 1}
    for name, sample in zip(names, samples, strict=True):
        if name in places and sample.where:
            places[name].append(sample.where.removesuffix(": "))
    return {
        name: f"{times[name]} samples of the batch have the id '{name}'"
        + (f" ({'; '.join(stated[:3])}{', …' * (len(stated) > 3)})" if stated else "")
        + ": give each its own, such as by a column sample_id"
        for name, stated in places.items()
    }


def _first_to_name(samples: Iterable[Sample], wanted: Iterable[Contents]) -> dict[str, str]:
    """Path → where it is named first, for people."""
    where_named: dict[str, str] = {}
    for sample, contents in zip(samples, wanted, strict=True):
        for modality, content in contents.items():
            if _path(content) not in where_named:
                column = sample.columns.get(modality)
                stated = f"column {column}: " if column else ""
                where_named[_path(content)] = f"{sample.where}{stated}"
    return where_named


def _attributes(sample: Sample) -> list[tuple[str, str | None]]:
    return sorted((k, v and (canonical(v) or None)) for k, v in (sample.attributes or {}).items())


def _wanted(sample: Sample, modalities: Sequence[str]) -> Contents:
    return {m: content for m, content in sample.assets.items() if m in modalities}


def _left(
    sample: Sample, contents: Contents, there: Listing, modalities: Sequence[str]
) -> Contents:
    """Those of a sample's contents that may be read."""
    left = {m: content for m, content in contents.items() if _path(content) in there.files}
    if not left:
        others = sorted(sample.assets.keys() - contents.keys())
        lost = f"; refused: {', '.join(map(_path, contents.values()))}" if contents else ""
        beside = f"; it has {', '.join(others)}, which params.yaml does not name" if others else ""
        message = f"the sample has none of {', '.join(modalities)}{beside}{lost}"
        raise Rejected("no_modality", message)
    return left


def _files(wanted: Iterable[Contents]) -> set[str]:
    """The assets among what samples want that are files of their own."""
    return {
        _path(content)
        for contents in wanted
        for content in contents.values()
        if isinstance(content, str)
    }


def _asset(modality: str, content: str | Inline, there: Listing, facts: Facts) -> Record:
    """What a file is, a span of its time, or content that stands inside one."""
    if isinstance(content, Inline):
        digest, size = digest_bytes(content.data), len(content.data)
        media_type, data = inline_types().get(modality, UNKNOWN), content.data
    else:
        path, span = spans.split(content, spans.PATH)
        digest, media_type = facts[path]
        digest = spans.digest(digest, span)
        media_type = spans.join(media_type, spans.MEDIA_TYPE, span)
        size, data = there.files[path], None
    return {"digest": digest, "size": size, "media_type": media_type, "data": data}


def _path(content: str | Inline) -> str:
    """The file, of which the content may be a span."""
    return content.path if isinstance(content, Inline) else spans.split(content, spans.PATH)[0]


def _target(sample: Sample, name: str, task: ModuleType) -> str | float | None:
    """A number, or the canonical name of a class; of several labels in a cell, of each.

    What is a text of many words stands as the source has it.
    """
    value = (sample.targets or {}).get(name)
    if value is None:
        return None
    if task.SEQUENCE and isinstance(value, str):
        return value if value.strip() else None
    if not task.NUMBER:
        return (canonical(value) if task.ONE_CLASS else _labels(value)) or None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        column = sample.columns.get(f"target.{name}")
        stated = f"column {column}: " if column else ""
        raise Rejected(
            "bad_target",
            f"{stated}'{str(value)[:40]}' is no finite number, which the target {name} is; write "
            f"digits with a decimal point, or leave the cell empty",
        )
    return number


def _labels(value: str | float) -> str:
    """Labels parted by `|`, or a list of JSON, with each label in its canonical form."""
    text = canonical(value)
    if text.startswith("["):
        try:
            listed = parse_json(text)
        except ValueError:
            listed = None
        if isinstance(listed, list):
            return json.dumps([canonical(label) for label in listed], ensure_ascii=False)
    return "|".join(map(canonical, text.split("|")))
