"""What `dvc repro` would compute, and why, before it does; nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import digests_of, open_digest_cache
from pipeline.core.folders import DATA
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint_diff import differences
from pipeline.parts.manifest import MANIFEST, read, read_function
from pipeline.parts.plan import PartsPlan, inspect
from pipeline.parts.up_to_date import is_up_to_date
from pipeline.stages.graph import upstream
from pipeline.stages.plans import code, curate, ingest
from pipeline.stages.plans import params as resolving
from pipeline.stages.run import Planned, find


@dataclass(frozen=True)
class Forecast:
    """What one stage would do.

    `rows` would be computed and `reused_rows` copied from parts made before; `exact` is False where
    an earlier stage has work, whose results decide: `rows` is then the most that it can be.
    `new_assets` of a modality are known where ingest is looked at by itself.
    """

    stage: str
    rows: int = 0
    reused_rows: int = 0
    reused: int = 0
    restored: int = 0
    computed: int = 0
    exact: bool = True
    reasons: list[str] = field(default_factory=list)
    new_assets: dict[str, int] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return bool(self.rows or self.reused_rows or self.restored or self.computed)


def forecast(params: Params, wanted: Iterable[str], root: Path = Path(DATA)) -> Iterator[Forecast]:
    """One forecast a wanted stage (`clean/image`); what it reads from is looked at before."""
    known: dict[str, Forecast] = {}

    def forecast_of(stage: str) -> Forecast:
        if stage not in known:
            name, _, item = stage.partition("/")
            above = {source: forecast_of(source) for source in upstream(params, name, item)}
            planner: Any = find(params, name, item)
            plan = partial(planner, params, item, root)
            known[stage] = _after(stage, plan, above, _rows_to_come(params, stage, above))
        return known[stage]

    return map(forecast_of, wanted)


def _after(
    stage: str, plan: Callable[[], Any], above: Mapping[str, Forecast], more_rows: int
) -> Forecast:
    """The forecast of a stage, given those of the stages that it reads from.

    `more_rows` is what their work brings it, at most.
    """
    waits = [f"after {name}" for name, source in above.items() if source.works]
    try:
        alone = _alone(stage, plan())
    except (PipelineError, OSError):
        if not waits:
            raise
        return Forecast(stage, computed=1, exact=False, reasons=waits)
    if not waits:
        return alone
    return replace(
        alone,
        rows=alone.rows + more_rows,
        computed=max(alone.computed, 1),
        exact=False,
        reasons=[*alone.reasons, *waits],
    )


def _alone(stage: str, plan: Any) -> Forecast:
    """The forecast of a stage by what it reads now."""
    if isinstance(plan, PartsPlan):
        return _parts(stage, plan)
    if isinstance(plan, artifact.ArtifactPlan):
        return _artifact(stage, plan)
    if isinstance(plan, ingest.IngestPlan):
        return _ingest(stage, plan)
    if isinstance(plan, curate.CuratePlan):
        return _curate(stage, plan)
    if isinstance(plan, code.CodePlan | resolving.ParamsPlan):
        return _file(stage, plan)
    return _outs(stage, plan)


def _rows_to_come(params: Params, stage: str, above: Mapping[str, Forecast]) -> int:
    """Rows, at most, that the work of the stages above brings."""
    name, _, item = stage.partition("/")
    if name == "clean":
        return above["ingest"].new_assets.get(item, 0)
    if name in ("augment", "extract"):
        modality = item if name == "augment" else params.features[item].modality
        views = int(params.augment[modality].views)
        return above[f"clean/{modality}"].rows * (views + (name == "extract"))
    return 0


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
    return Forecast(
        stage,
        rows=rows,
        reused_rows=sum(len(job.reused) for job in state.jobs),
        reused=len(state.valid),
        restored=len(state.restorable),
        computed=len(state.jobs),
        reasons=reasons,
    )


def _artifact(stage: str, plan: artifact.ArtifactPlan) -> Forecast:
    if plan.whole:
        return Forecast(stage, reused=1)
    reasons = differences(read_function(plan.out), asdict(plan.fingerprint))
    if (plan.out / MANIFEST).is_file():
        before, now = artifact.read_manifest(plan.out)["inputs"], dict(plan.inputs)
        names = sorted(before.keys() | now.keys())
        changed = [name for name in names if before.get(name) != now.get(name)]
        reasons += [f"input {name} changed" for name in changed]
    reasons = reasons or ["its files are gone or damaged"]
    cached = Cache().md5s([plan.key])
    if cached and all(map(Cache().holds, cached.values())):
        return Forecast(stage, restored=1, reasons=reasons)
    return Forecast(stage, computed=1, rows=1, reasons=reasons)


def _ingest(stage: str, plan: ingest.IngestPlan) -> Forecast:
    """Assets that are new and gone, modality by modality; the files are read for their digests."""
    reasons, new_assets = [], {}
    for modality, assets in plan.assets.items():
        planned = {row.digest for row in assets.rows()}
        try:
            stored = set(read(assets.out, ["digest"])["digest"].to_pylist())
        except (PipelineError, OSError, KeyError):
            stored = set()
        if planned != stored:
            new, gone = len(planned - stored), len(stored - planned)
            reasons.append(f"{modality}: {new} new assets, {gone} gone")
            new_assets[modality] = new
    samples = _parts(stage, plan.samples)
    if samples.works and not reasons:
        reasons = ["samples changed"]
    return Forecast(
        stage,
        rows=sum(new_assets.values()),
        computed=max(samples.computed, int(bool(reasons))),
        reused=samples.reused,
        reasons=reasons,
        new_assets=new_assets,
    )


def _curate(stage: str, plan: curate.CuratePlan) -> Forecast:
    """It is recomputed whole, from small columns; what it writes may well stay as it is."""
    if is_up_to_date(stage, plan.key, plan.outs) is not None:
        return Forecast(stage, reused=1)
    return Forecast(stage, computed=1, reasons=["recomputed whole, from small columns"])


def _file(stage: str, plan: code.CodePlan | resolving.ParamsPlan) -> Forecast:
    if plan.stands:
        return Forecast(stage, reused=1)
    return Forecast(stage, computed=1, reasons=[f"{plan.out} says something else, or is not there"])


def _outs(stage: str, plan: Planned) -> Forecast:
    """Of a stage that looks for itself, no more is known than whether its outputs are there."""
    if all(out.exists() for out in plan.outs):
        return Forecast(stage, reused=1)
    return Forecast(stage, computed=1, reasons=["it is not there"])
