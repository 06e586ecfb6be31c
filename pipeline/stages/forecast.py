"""What `dvc repro` would compute, and why, before it does; nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import digests_of, open_digest_cache
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint_diff import differences
from pipeline.parts.manifest import MANIFEST, read, read_each, read_function, read_manifest
from pipeline.parts.plan import PartsPlan, State, inspect
from pipeline.parts.up_to_date import is_up_to_date
from pipeline.stages.plans import curate, fetch, ingest, look
from pipeline.stages.run import find


@dataclass(frozen=True)
class Forecast:
    """What one stage would do.

    `rows` would be computed and `taken` copied from parts made before; of the parts, `reused`
    stand, `restored` come from DVC's cache and `computed` are made. Where `exact` is False, because
    an earlier stage has work whose results decide, each is the most that it can be, or None if
    nothing bounds it. A stage that has work has `reasons`.
    """

    stage: str
    rows: int | None = 0
    taken: int | None = 0
    reused: int | None = 0
    restored: int | None = 0
    computed: int | None = 0
    exact: bool = True
    reasons: list[str] = field(default_factory=list)
    # Rows that later stages would find changed, at most; of ingest, new assets by modality.
    changed: int | None = 0
    new: dict[str, int] | None = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return bool(self.reasons)


def forecast(
    params: Params, wanted: Iterable[str], root: Path = Path("data")
) -> Iterator[Forecast]:
    """One forecast a wanted stage (`clean/image`); what it reads from is looked at before."""
    known: dict[str, Forecast] = {}

    def look_at(label: str) -> Forecast:
        if label not in known:
            name, _, item = label.partition("/")
            above = {one: look_at(one) for one in _above(params, name, item)}
            known[label] = _one(params, label, find(params, name, item), above, root)
        return known[label]

    return map(look_at, wanted)


def _above(params: Params, name: str, item: str) -> list[str]:
    """The stages that a stage reads from."""
    modalities = [f"clean/{modality}" for modality in params.modalities]
    if name == "ingest":
        return [*(f"fetch/{one}" for one in params.fetch), *(f"look/{one}" for one in params.look)]
    if name == "clean":
        return ["ingest"]
    if name == "augment":
        return [f"clean/{item}"]
    if name == "extract":
        modality = params.features[item].modality
        return [f"clean/{modality}", f"augment/{modality}"]
    if name == "curate":
        return ["ingest", *modalities]
    if name == "train":
        return ["curate", *(f"extract/{one}" for one in params.models[item].features)]
    if name == "evaluate":
        return [f"train/{item}"]
    if name == "report":
        ends = [f"extract/{one}" for one in params.features]
        return ["curate", *modalities, *ends, *(f"evaluate/{one}" for one in params.models)]
    compared = params.comparison.models if params.comparison else {}
    if name == "crossvalidate":
        return ["curate", *(f"extract/{one}" for one in compared[item].features)]
    if name == "compare":
        return ["curate", *modalities, *(f"crossvalidate/{one}" for one in compared)]
    return []


def _one(
    params: Params, label: str, stage: Any, above: Mapping[str, Forecast], root: Path
) -> Forecast:
    working = [name for name, one in above.items() if one.works]
    waits = [f"after {name}" for name in working]
    name, _, item = label.partition("/")
    try:
        planned = stage(params, item, root)
        if isinstance(planned, PartsPlan):
            known = _parts(label, planned)
        elif isinstance(planned, artifact.ArtifactPlan):
            known = _artifact(label, planned)
        elif isinstance(planned, ingest.IngestPlan):
            known = _ingest(label, planned)
        elif isinstance(planned, curate.CuratePlan):
            known = _curate(label, planned, root)
        else:
            return _looks(label, planned)
    except (PipelineError, OSError):
        if not working:
            raise
        known = Forecast(label)  # what it reads is not there yet
    if not working:
        return known
    reasons = [*known.reasons, *waits]
    if name in ("clean", "augment", "extract"):
        brought = _brought(params, name, item, above)
        unknown_parts: dict[str, None] = dict.fromkeys(("reused", "restored", "computed", "taken"))
        return Forecast(
            label,
            rows=_sum(known.rows, brought),
            exact=False,
            reasons=reasons,
            changed=_sum(known.changed, brought),
            **unknown_parts,
        )
    if name == "ingest":
        return Forecast(
            label,
            None,
            None,
            None,
            None,
            None,
            exact=False,
            reasons=reasons,
            changed=None,
            new=None,
        )
    if name == "curate":
        rows = None if above["ingest"].works else _samples(root)
        return Forecast(label, rows, None, None, None, None, exact=False, reasons=reasons)
    return Forecast(label, reused=1, restored=1, computed=1, exact=False, reasons=reasons)


def _brought(params: Params, name: str, item: str, above: Mapping[str, Forecast]) -> int | None:
    """Rows, at most, that the work of earlier stages brings to one of parts."""
    if name == "clean":
        new = above["ingest"].new
        return None if new is None else new.get(item, 0)
    modality = item if name == "augment" else params.features[item].modality
    cleaned = above[f"clean/{modality}"].changed
    if name == "augment":
        return None if cleaned is None else cleaned * int(params.augment[item].views)
    return _sum(cleaned, above[f"augment/{modality}"].changed)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _samples(root: Path) -> int | None:
    """Samples that ingest left, each of which curation accepts or refuses."""
    try:
        return sum(entry.rows for entry in read_manifest(root / "samples"))
    except PipelineError:
        return None


def _parts(label: str, plan: PartsPlan) -> Forecast:
    with open_digest_cache(digests_of(plan.out), "md5") as digests:
        state = inspect(plan, Cache(), digests)
    rows = sum(len(job.rows) for job in state.jobs)
    reasons = []
    if state.jobs or state.restorable:
        reasons = differences(read_function(plan.out), asdict(plan.work.fingerprint))
        if not reasons and rows:
            reasons = [f"{rows} rows are new or tried again, or their parts are gone or damaged"]
        elif not reasons:
            reasons = ["rows moved between parts"]
    elif state.removed:
        reasons = ["rows are gone"]
    elif not (plan.out / MANIFEST).is_file():
        reasons = ["it never finished"]
    return Forecast(
        label,
        rows=rows,
        taken=sum(len(job.reused) for job in state.jobs),
        reused=len(state.valid),
        restored=len(state.restorable),
        computed=len(state.jobs),
        reasons=reasons,
        changed=_changed(plan, state),
    )


def _changed(plan: PartsPlan, state: State) -> int:
    """Rows that are not in the manifest's parts as they will be."""
    try:
        listed = {entry.key for entry in read_manifest(plan.out)}
    except PipelineError:
        listed = set()
    jobs = {job.part.key: job for job in state.jobs}
    kept = _listed_rows(plan.out) if any(job.reused for job in state.jobs) else set()
    changed = 0
    for part in plan.parts:
        if part.key in jobs:
            job = jobs[part.key]
            changed += len(job.rows)
            changed += sum((digest, part.view) not in kept for digest in job.reused)
        elif part.key not in listed:
            changed += len(part.rows)
    return changed


def _listed_rows(out: Path) -> set[tuple[str, int]]:
    """Digest and view of the rows that readers of a stage see now."""
    try:
        return {
            (digest, entry.view)
            for entry, table in read_each(out, ["digest"])
            for digest in table["digest"].to_pylist()
        }
    except (PipelineError, OSError, KeyError):
        return set()


def _artifact(label: str, plan: artifact.ArtifactPlan) -> Forecast:
    if plan.whole:
        return Forecast(label, reused=1)
    reasons = ["it was never made"]
    if (plan.out / artifact.MANIFEST).is_file():
        made = artifact.read_manifest(plan.out)
        reasons = differences(made["function"], asdict(plan.fingerprint))
        inputs = made["inputs"]
        now = dict(plan.inputs)
        changed = sorted(k for k in inputs.keys() | now.keys() if inputs.get(k) != now.get(k))
        reasons += [f"input {name} changed" for name in changed]
    held = Cache().md5s([plan.key])
    restored = bool(held) and all(map(Cache().holds, held.values()))
    reasons = reasons or ["its files are gone or damaged"]
    if restored:
        return Forecast(label, restored=1, reasons=reasons)
    return Forecast(label, computed=1, reasons=reasons)


def _ingest(label: str, plan: ingest.IngestPlan) -> Forecast:
    """The table of samples, and the assets that come and go, whose files are read for digests."""
    columns = ["digest", "media_type"]
    reasons, new = [], {}
    for modality, assets in plan.assets.items():
        now = {tuple(row.spec[column] for column in columns) for row in assets.rows()}
        try:
            read_now = read(assets.out, columns)
            before = {*zip(*(read_now[column].to_pylist() for column in columns), strict=True)}
        except (PipelineError, OSError, KeyError):
            before = set()
        new[modality] = len(now - before)
        if now != before:
            reasons.append(f"{modality}: {new[modality]} new assets, {len(before - now)} gone")
    samples = _parts(label, plan.samples)
    return replace(samples, reasons=reasons or samples.reasons, new=new)


def _curate(label: str, plan: curate.CuratePlan, root: Path) -> Forecast:
    """It is recomputed whole, from small columns; what it writes may well stay as it is."""
    if is_up_to_date(label, plan.key, plan.outs) is not None:
        return Forecast(label, reused=len(read_manifest(root / "curated")))
    reasons = ["recomputed whole, from small columns"]
    return Forecast(label, _samples(root), None, None, None, None, exact=False, reasons=reasons)


def _looks(label: str, plan: fetch.FetchPlan | look.LookPlan) -> Forecast:
    if isinstance(plan, look.LookPlan):
        stands = not plan.changed
        reason = "what lies at the root changed"
    else:
        stands = all(out.exists() for out in plan.outs)
        reason = "it is not there"
    return Forecast(label, reused=1) if stands else Forecast(label, computed=1, reasons=[reason])
