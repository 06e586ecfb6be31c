"""What `dvc repro` would compute, and why, before it does; nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest_cache import digests_of, open_digest_cache
from pipeline.params import Params
from pipeline.parts import artifact
from pipeline.parts.dvc_restore import Cache
from pipeline.parts.fingerprint_diff import differences
from pipeline.parts.manifest import MANIFEST, read, read_function
from pipeline.parts.plan import PartsPlan, inspect
from pipeline.parts.up_to_date import is_up_to_date
from pipeline.stages.plans import code, curate, fetch, ingest, look
from pipeline.stages.plans import params as resolving
from pipeline.stages.run import find


@dataclass(frozen=True)
class Forecast:
    """What one stage would do.

    `rows` would be computed and `taken` copied from parts made before; `exact` is False where an
    earlier stage has work, whose results decide: `rows` is then the most that it can be.
    """

    stage: str
    rows: int = 0
    taken: int = 0
    reused: int = 0
    restored: int = 0
    computed: int = 0
    exact: bool = True
    reasons: list[str] = field(default_factory=list)
    # New assets by modality, which ingest alone knows.
    new: dict[str, int] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return bool(self.rows or self.taken or self.restored or self.computed)


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
            found = _parts(label, planned)
        elif isinstance(planned, artifact.ArtifactPlan):
            found = _artifact(label, planned)
        elif isinstance(planned, ingest.IngestPlan):
            found = _ingest(label, planned)
        elif isinstance(planned, curate.CuratePlan):
            found = _curate(label, planned)
        elif isinstance(planned, code.CodePlan | resolving.ParamsPlan):
            return _file(label, planned)
        else:
            return _looks(label, planned)
    except (PipelineError, OSError) as error:
        if not working:
            raise
        return Forecast(label, computed=1, exact=False, reasons=waits or [str(error)])
    if not working:
        return found
    more = _more(params, name, item, above)
    return Forecast(
        label,
        rows=found.rows + more,
        taken=found.taken,
        reused=found.reused,
        restored=found.restored,
        computed=max(found.computed, 1),
        exact=False,
        reasons=[*found.reasons, *waits],
    )


def _more(params: Params, name: str, item: str, above: Mapping[str, Forecast]) -> int:
    """Rows, at most, that the work of earlier stages brings."""
    if name == "clean":
        return above["ingest"].new.get(item, 0)
    if name == "augment":
        return above[f"clean/{item}"].rows * int(params.augment[item].views)
    if name == "extract":
        modality = params.features[item].modality
        return above[f"clean/{modality}"].rows * (1 + int(params.augment[modality].views))
    return 0


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
    return Forecast(
        label,
        rows=rows,
        taken=sum(len(job.reused) for job in state.jobs),
        reused=len(state.valid),
        restored=len(state.restorable),
        computed=len(state.jobs),
        reasons=reasons,
    )


def _artifact(label: str, plan: artifact.ArtifactPlan) -> Forecast:
    if plan.whole:
        return Forecast(label, reused=1)
    reasons = differences(read_function(plan.out), asdict(plan.fingerprint))
    if (plan.out / MANIFEST).is_file():
        inputs = artifact.read_manifest(plan.out)["inputs"]
        now = dict(plan.inputs)
        changed = sorted(k for k in inputs.keys() | now.keys() if inputs.get(k) != now.get(k))
        reasons += [f"input {name} changed" for name in changed]
    held = Cache().md5s([plan.key])
    restored = bool(held) and all(map(Cache().holds, held.values()))
    reasons = reasons or ["its files are gone or damaged"]
    if restored:
        return Forecast(label, restored=1, reasons=reasons)
    return Forecast(label, computed=1, rows=1, reasons=reasons)


def _ingest(label: str, plan: ingest.IngestPlan) -> Forecast:
    """Assets that are new and gone, modality by modality; the files are read for their digests."""
    reasons, new = [], {}
    for modality, assets in plan.assets.items():
        now = {row.digest for row in assets.rows()}
        try:
            there = set(read(assets.out, ["digest"])["digest"].to_pylist())
        except (PipelineError, OSError, KeyError):
            there = set()
        if now != there:
            reasons.append(f"{modality}: {len(now - there)} new assets, {len(there - now)} gone")
            new[modality] = len(now - there)
    samples = _parts(label, plan.samples)
    if samples.works and not reasons:
        reasons = ["samples changed"]
    return Forecast(
        label,
        rows=sum(new.values()),
        computed=max(samples.computed, int(bool(reasons))),
        reused=samples.reused,
        reasons=reasons,
        new=new,
    )


def _curate(label: str, plan: curate.CuratePlan) -> Forecast:
    """It is recomputed whole, from small columns; what it writes may well stay as it is."""
    if is_up_to_date(label, plan.key, plan.outs) is not None:
        return Forecast(label, reused=1)
    return Forecast(label, computed=1, reasons=["recomputed whole, from small columns"])


def _file(label: str, plan: code.CodePlan | resolving.ParamsPlan) -> Forecast:
    if plan.stands:
        return Forecast(label, reused=1)
    return Forecast(label, computed=1, reasons=["what it says changed, or it is not there"])


def _looks(label: str, plan: fetch.FetchPlan | look.LookPlan) -> Forecast:
    there = all(out.exists() for out in plan.outs)
    return Forecast(label, reused=1) if there else Forecast(
        label, computed=1, reasons=["it is not there"]
    )  # fmt: skip
