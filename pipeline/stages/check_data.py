"""Look at the data as params describe it: names, tables and sizes, no asset opened whole.

What is found here is what `dvc repro` would stop at, hours later in the worst case. Only what the
assets hold is not known yet: damaged ones, and near-equal ones, which join groups.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import DigestCache, Stamp
from pipeline.core.folders import DATA, RAW
from pipeline.core.identity import alike
from pipeline.core.records import UNLABELLED, Reject
from pipeline.curation.curate import Curation, curate
from pipeline.curation.duplicate_links import Asset
from pipeline.params import Params
from pipeline.raw.batch import Batch, alike_names
from pipeline.raw.catalogue import catalogue
from pipeline.raw.media_types import by_name
from pipeline.raw.roots import Raw
from pipeline.raw.tracking import untracked
from pipeline.stages.plans.ingest import check_batches

# Rejects of a batch and reason, and names of a source and column, that are told; the rest are
# counted.
SHOWN = 5
SPLIT_FOR = {"train": "which is learnt from", "validation": "by which training stops"}


@dataclass(frozen=True)
class Findings:
    """`problems` are what `dvc repro` would stop at; `notes` what is worth knowing before."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Paths(DigestCache):
    """Calls files by their paths, so that none is read: digests only tell them apart here."""

    def __init__(self) -> None:
        super().__init__({})

    def file(self, path: Path) -> str:
        return str(path)

    def get_or_compute(self, name: bytes, stamp: Stamp, find: Any, settled_ns: int) -> str:
        path = name.decode(errors="replace").replace(" ", "_")
        return f"{path} {by_name(path)}"


def check_data(params: Params, raw: Path = Path(DATA, RAW)) -> Findings:
    """What is wrong with the batches that are there, and with what params make of them."""
    findings = Findings()
    batches = _batches(params, raw, findings)
    findings.notes.extend(
        untracked(raw, params.sources.keys() - params.roots.keys(), params.fetched)
    )
    _check_rejects(params, batches, findings)
    findings.notes.extend(_alike_lines(batches))
    learned = [batch for batch in batches if batch.source not in params.predicted]
    if any(batch.samples for batch in learned) and not findings.problems:
        _check_curation(params, learned, findings)
    return findings


def _batches(params: Params, raw: Path, findings: Findings) -> list[Batch]:
    batches: list[Batch] = []
    for name, source in sorted(params.sources.items()):
        has_batch = source.root or any(path.is_dir() for path in (raw / name).glob("[!.]*"))
        if not has_batch and name in params.fetch:
            findings.notes.append(f"{name}: not fetched yet, so that nothing is known of its data")
        elif not has_batch and name in params.predicted:
            findings.notes.append(f"{name}: nothing to answer for yet")
        elif not has_batch:
            findings.problems.append(
                f"sources.{name}: it has no batch; `pipeline add FOLDER --source {name}` brings one"
            )
        else:
            kinds = {name: (source.kind, source.options)}
            try:
                batches += catalogue(
                    Raw(raw, params.roots, params.download),
                    kinds,
                    params.modalities,
                    params.targets,
                    _Paths(),
                    expected=True,
                )
            except PipelineError as error:
                findings.problems.append(f"sources.{name}: {error}")
    return batches


def _check_rejects(params: Params, batches: Sequence[Batch], findings: Findings) -> None:
    """Hold what ingest would refuse to its limits, as ingest does."""
    if not batches:
        return
    try:
        check_batches(batches, params)
    except PipelineError as error:
        findings.problems.append(str(error).replace("\nThe previous outputs stand.", "\n "))
        return
    findings.notes.extend(_reject_lines(reject for b in batches for reject in b.rejects))
    if not any(batch.samples for batch in batches):
        findings.problems.append("the batches hold no sample")


def _reject_lines(rejects: Iterable[Reject]) -> Iterator[str]:
    """Of each batch and reason: how many there are, and the first few."""

    def place(reject: Reject) -> tuple[str, str, str]:
        return reject.source, reject.batch, reject.reason

    for (source, batch, reason), group in groupby(sorted(rejects, key=place), place):
        members = list(group)
        yield f"{source}/{batch}: {len(members):,} {reason} will be refused"
        yield from (f"  {reject.subject}: {reject.message}" for reject in members[:SHOWN])
        if len(members) > SHOWN:
            yield f"  and {len(members) - SHOWN:,} more"


def _alike_lines(batches: Sequence[Batch]) -> Iterator[str]:
    """Of each source and column: names that may be one, as Python spells them."""
    alike_by_column: dict[tuple[str, str], dict[tuple[str, ...], None]] = defaultdict(dict)
    for batch, columns in zip(batches, alike_names(batches), strict=True):
        prefix = f"{batch.source}/{batch.name}/"
        ids = alike(sample["sample_id"].removeprefix(prefix) for sample in batch.samples)
        for column, sets in [("sample_id", ids), *columns.items()]:
            alike_by_column[batch.source, column].update(dict.fromkeys(map(tuple, sets)))
    for (source, column), several in sorted(alike_by_column.items()):
        listed = [repr(name) for names in several for name in names]
        if listed:
            more = f" and {len(listed) - SHOWN:,} more" if len(listed) > SHOWN else ""
            yield (
                f"{source}: {len(listed):,} names of {column} differ from one another only by "
                f"case, blanks or the form of a number: {', '.join(listed[:SHOWN])}{more}"
            )


def _check_curation(params: Params, batches: Sequence[Batch], findings: Findings) -> None:
    samples = [sample for batch in batches for sample in batch.samples]
    assets = {
        modality: {
            sample[modality]: Asset(sample[modality])
            for sample in samples
            if sample[modality] is not None
        }
        for modality in params.modalities
    }
    try:
        curation = curate(samples, assets, params.curate, params.targets, params.seed)
    except PipelineError as error:
        findings.problems.append(str(error))
        return
    refused = [reject for reject in curation.rejects if reject.reason != UNLABELLED]
    total = len(curation.records) + len(refused)
    share, limit = len(refused) / total, params.curate.reject_limit
    rare = [
        _rare_classes(target, classes, params)
        for target, classes in sorted(curation.summary["set_aside"].items())
        if classes
    ]
    if share > limit:
        reasons = Counter(reject.reason for reject in refused).most_common()
        listed = ", ".join(f"{n:,} {reason}" for reason, n in reasons)
        findings.problems.append(
            f"curate would refuse {len(refused):,} of {total:,} samples ({share:.1%}; "
            f"curate.reject_limit is {limit:.1%}): {listed}"
        )
        findings.problems.extend(rare)
        return
    findings.notes.extend([*rare, *_splits(curation, params)])
    findings.problems.extend(_untrainable(curation, params))


def _rare_classes(target: str, classes: Mapping[str, Mapping[str, int]], params: Params) -> str:
    named = ", ".join(f"{name} ({counts['components']})" for name, counts in classes.items())
    few = params.curate.min_components_per_class
    return (
        f"targets.{target}: {len(classes)} of its classes have fewer than {few} components, or "
        f"none in train, and are set aside: {_short(named)}; curate.min_components_per_class says "
        f"how few are too few"
    )


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _splits(curation: Curation, params: Params) -> Iterator[str]:
    records, splits = curation.records, curation.summary["splits"]
    counts = ", ".join(f"{name} {split['samples']:,}" for name, split in splits.items())
    yield f"samples: {len(records):,} ({counts}), before near-equal assets join groups"
    named = Counter(record["split"] for record in records if record["split_given"] is not None)
    if named:
        listed = ", ".join(f"{name} {named[name]:,}" for name in splits if named[name])
        yield f"the data names the split of {named.total():,} of them ({listed}): " + (
            "curate.ratios are shares of all samples, so the others go where a split still lacks "
            "some of its share"
            if named.total() < len(records)
            else "curate.ratios decide nothing"
        )
    if not splits["test"]["samples"]:
        advice = _ratios(curation, params)
        yield f"the test split will be empty, so that nothing is measured on it: {advice}"


def _values(records: Iterable[Mapping[str, Any]], task: str, split: str) -> set[Any]:
    return {record[f"target.{task}"] for record in records if record["split"] == split} - {None}


def _ratios(curation: Curation, params: Params) -> str:
    given = {record["split_given"] for record in curation.records}
    if "train" in given and None not in given:
        return (
            "the data names the split of every sample: say by the source's option `splits` which "
            "of them stand, such as [test], and the others are split by curate.ratios"
        )
    return "look at the splits that the data names, and at curate.ratios, which count them" + (
        "" if params.targets else "; there are no targets"
    )


def _untrainable(curation: Curation, params: Params) -> Iterator[str]:
    """Models whose training would stop, since their samples lack what they learn or stop by.

    Those of one problem stand in one sentence, and advice on splits stands there once.
    """
    models: dict[str, list[str]] = defaultdict(list)
    of_splits = False
    for name, model in params.models.items():
        modalities = sorted({params.features[one].modality for one in model.features})
        seen = [
            record
            for record in curation.records
            if any(record[modality] is not None for modality in modalities)
        ]
        for task in model.tasks:
            inputs, lacking = f"one of {', '.join(modalities)}", []
            for split in ("train", "validation") if task == model.primary else ("train",):
                if not _values(seen, task, split):
                    beside = f" and {inputs}" if _values(curation.records, task, split) else ""
                    what = SPLIT_FOR[split]
                    lacking.append(f"no sample of the {split} split, {what}, has '{task}'{beside}")
            of_splits |= bool(lacking)
            if len(_values(seen, task, "train")) == 1:
                (only,) = _values(seen, task, "train")
                lacking.append(
                    f"all samples of the train split with {inputs} have the same '{task}', {only}: "
                    f"there is nothing to tell apart"
                )
            for problem in lacking:
                models[problem].append(name)
    for problem, names in models.items():
        yield f"models.{', '.join(dict.fromkeys(names))}: {problem}"
    if of_splits:
        yield f"splits: {_ratios(curation, params)}"
