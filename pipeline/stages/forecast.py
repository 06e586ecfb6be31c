"""What `dvc repro` would compute, and why, before it does; nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import digests_of, open_digest_cache
from pipeline.core.folders import CURATED, DATA, SAMPLES
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint_diff import differences
from pipeline.parts.manifest import MANIFEST, read, read_each, read_function, read_manifest
from pipeline.parts.plan import PartsPlan, State, inspect
from pipeline.parts.text_file import TextFilePlan
from pipeline.parts.up_to_date import is_up_to_date
from pipeline.stages.graph import upstream
from pipeline.stages.plans import curate, download, ingest
from pipeline.stages.run import find


@dataclass(frozen=True)
class Forecast:
    """What one stage would do.

    `rows` would be computed and `reused_rows` copied from parts made before; of the parts, `reused`
    stand, `restored` come from DVC's cache and `computed` are made. Where `exact` is False, because
    an earlier stage has work whose results decide, each is the most that it can be, or None if
    nothing bounds it. A stage that has work has `reasons`.
    """

    stage: str
    rows: int | None = 0
    reused_rows: int | None = 0
    reused: int | None = 0
    restored: int | None = 0
    computed: int | None = 0
    exact: bool = True
    reasons: list[str] = field(default_factory=list)
    # Rows that later stages would find changed, at most; of ingest, new assets by modality.
    changed: int | None = 0
    new_assets: dict[str, int] | None = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return bool(self.reasons)


def forecast(params: Params, wanted: Iterable[str], root: Path = Path(DATA)) -> Iterator[Forecast]:
    """One forecast a wanted stage (`clean/image`); what it reads from is looked at before."""
    known: dict[str, Forecast] = {}

    def forecast_of(stage: str) -> Forecast:
        if stage not in known:
            direct = upstream(params, *_name_item(stage))
            above = {source: forecast_of(source) for source in direct}
            known[stage] = _after(params, stage, above, root)
        return known[stage]

    return map(forecast_of, wanted)


def _name_item(stage: str) -> tuple[str, str]:
    name, _, item = stage.partition("/")
    return name, item


# What nobody knows of a stage of parts before those that it reads from have run.
UNKNOWN: dict[str, Any] = dict.fromkeys(("reused", "restored", "computed", "reused_rows"))


def _after(params: Params, stage: str, above: Mapping[str, Forecast], root: Path) -> Forecast:
    """The forecast of a stage, given those of the stages that it reads from."""
    name, item = _name_item(stage)
    working = [source for source, known in above.items() if known.works]
    # What another of them waits for itself goes without saying.
    implied = {each for source in working for each in upstream(params, *_name_item(source))}
    waits = [f"after {source}" for source in working if source not in implied]
    planner: Any = find(params, name, item)
    try:
        alone = _alone(stage, planner(params, item, root), root)
    except (PipelineError, OSError):
        if not waits:
            raise
        alone = Forecast(stage)  # what it reads is not there yet
    if not waits:
        return alone
    bound = replace(alone, exact=False, reasons=[*alone.reasons, *waits])
    if name in ("clean", "augment", "extract"):
        brought = _rows_brought(params, name, item, above)
        rows, changed = _sum(alone.rows, brought), _sum(alone.changed, brought)
        return replace(bound, rows=rows, changed=changed, **UNKNOWN)
    if name == "ingest":
        return replace(bound, rows=None, changed=None, new_assets=None, **UNKNOWN)
    if name == "curate":
        return replace(bound, rows=None if above["ingest"].works else _samples(root), **UNKNOWN)
    return replace(bound, reused=1, restored=1, computed=1)


def _alone(stage: str, plan: Any, root: Path) -> Forecast:
    """The forecast of a stage by what it reads now."""
    if isinstance(plan, PartsPlan):
        return _parts(stage, plan)
    if isinstance(plan, artifact.ArtifactPlan):
        return _artifact(stage, plan)
    if isinstance(plan, ingest.IngestPlan):
        return _ingest(stage, plan)
    if isinstance(plan, curate.CuratePlan):
        return _curate(stage, plan, root)
    if isinstance(plan, TextFilePlan):
        return _whole(stage, plan.stands, plan.reason)
    if isinstance(plan, download.DownloadPlan):
        number = len(plan.asked)
        return replace(_whole(stage, not number, f"{number:,} URLs are to be asked"), rows=number)
    return _whole(stage, all(out.exists() for out in plan.outs), "it is not there")


def _whole(stage: str, stands: bool, reason: str) -> Forecast:
    """Of a stage that makes all that it writes at once."""
    return Forecast(stage, reused=1) if stands else Forecast(stage, computed=1, reasons=[reason])


def _rows_brought(
    params: Params, name: str, item: str, above: Mapping[str, Forecast]
) -> int | None:
    """Rows, at most, that the work of earlier stages brings to one of parts."""
    if name == "clean":
        new = above["ingest"].new_assets
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
        return sum(entry.rows for entry in read_manifest(root / SAMPLES))
    except PipelineError:
        return None


def _parts(stage: str, plan: PartsPlan) -> Forecast:
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
        stage,
        rows=rows,
        reused_rows=sum(len(job.reused) for job in state.jobs),
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


def _artifact(stage: str, plan: artifact.ArtifactPlan) -> Forecast:
    if plan.whole:
        return Forecast(stage, reused=1)
    reasons = ["it was never made"]
    if (plan.out / artifact.MANIFEST).is_file():
        manifest = artifact.read_manifest(plan.out)
        before, now = manifest["inputs"], dict(plan.inputs)
        names = sorted(before.keys() | now.keys())
        reasons = differences(manifest["function"], asdict(plan.fingerprint))
        reasons += [f"input {name} changed" for name in names if before.get(name) != now.get(name)]
    reasons = reasons or ["its files are gone or damaged"]
    cached = Cache().md5s([plan.key])
    if cached and all(map(Cache().holds, cached.values())):
        return Forecast(stage, restored=1, reasons=reasons)
    return Forecast(stage, computed=1, reasons=reasons)


def _ingest(stage: str, plan: ingest.IngestPlan) -> Forecast:
    """The table of samples, and the assets that come and go, whose files are read for digests."""
    columns = ["digest", "media_type"]
    reasons, new_assets = [], {}
    for modality, assets in plan.assets.items():
        planned = {tuple(row.spec[column] for column in columns) for row in assets.rows()}
        try:
            table = read(assets.out, columns)
            stored = {*zip(*(table[column].to_pylist() for column in columns), strict=True)}
        except (PipelineError, OSError, KeyError):
            stored = set()
        new_assets[modality] = len(planned - stored)
        if planned != stored:
            gone = len(stored - planned)
            reasons.append(f"{modality}: {new_assets[modality]} new assets, {gone} gone")
    samples = _parts(stage, plan.samples)
    return replace(samples, reasons=reasons or samples.reasons, new_assets=new_assets)


def _curate(stage: str, plan: curate.CuratePlan, root: Path) -> Forecast:
    """It is recomputed whole, from small columns; what it writes may well stay as it is."""
    if is_up_to_date(stage, plan.key, plan.outs) is not None:
        return Forecast(stage, reused=len(read_manifest(root / CURATED)))
    reasons = ["recomputed whole, from small columns"]
    return Forecast(stage, _samples(root), exact=False, reasons=reasons, **UNKNOWN)
