"""What a run does to the world, as `pipeline nightly run` does it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.folders import DATA, REPORTS
from pipeline.nightly import repository
from pipeline.nightly.journal import FOLDER, Delivery, Night
from pipeline.nightly.judge import judge
from pipeline.nightly.labels import model_to_ask
from pipeline.nightly.notify import message, notify
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.page import render
from pipeline.nightly.quarantine import scan_problems
from pipeline.nightly.record import read_records
from pipeline.nightly.repository import Failed
from pipeline.nightly.run import Tools
from pipeline.nightly.unlabelled import answer
from pipeline.nightly.watch import Findings, check_batches, drift, drift_rows
from pipeline.params import Params
from pipeline.params.aliases import CHAMPION, Alias, read_aliases
from pipeline.stages.forecast import forecast
from pipeline.stages.graph import labels

SITE = FOLDER / "site"
# What a page shows at a glance.
NIGHTS = 90
DRIFT = "drift_p"


def tools_of(params: Params, options: NightlyOptions) -> Tools:
    """Git, DVC, the gate, and the channels of nightly.yaml."""

    def problems(delivery: Delivery) -> list[str]:
        return scan_problems(params, delivery.source, delivery.batch)

    def findings(deliveries: list[Delivery]) -> Findings:
        if not any(delivery.source in params.contract for delivery in deliveries):
            return Findings()
        task = params.models[options.model].primary
        files = model_to_ask(params, read_aliases(Path()).get(CHAMPION), task)
        of_contract = ["ingest", *(f"clean@{name}" for name in params.modalities)]
        of_labels = []
        if files is not None:
            of_labels = ["curate", *(f"extract@{name}" for name in files.about.features)]
        try:
            repository.run_dvc("repro", *of_contract, *of_labels)
        except Failed:
            # What breaks its contract is held for that, and not for what failed with it.
            repository.run_dvc("repro", *of_contract)
            breaches = check_batches(params, deliveries)
            if not breaches.held:
                raise
            return breaches
        return check_batches(params, deliveries, files, task)

    def judged(night: Night, champion: Alias | None) -> Night:
        verdict = judge(params, options, night, champion)
        answers = answer(params, night, champion)
        if answers and answers.file:
            repository.run_dvc("add", "--quiet", answers.file)
        night = replace(night, answers=answers)
        if not night.batches():
            return replace(night, verdict=verdict)
        earlier = [
            row["value"]
            for record in read_records()
            for row in record["judged"]
            if row["name"] == DRIFT
        ]
        seen = drift(params, options.model, night.batches(), earlier)
        why = f"{verdict.why} {seen.why}" if seen.alarm else verdict.why
        figures = {**verdict.figures, DRIFT: seen.p}
        return replace(
            night, drift=drift_rows(seen), verdict=replace(verdict, why=why, figures=figures)
        )

    def tell(night: Night) -> None:
        notify(options.notify, *message(night, Path.cwd().name))

    return Tools(
        now=now,
        has_work=lambda: any(stage.works for stage in forecast(params, _everyday(params))),
        reproduce=repository.reproduce,
        problems=problems,
        findings=findings,
        judge=judged,
        push=lambda: repository.push(options.dvc_remote, options.git_remote),
        notify=tell,
        report=write_site,
    )


def now() -> datetime:
    return datetime.now(UTC)


def write_site() -> None:
    """The page of the last nights, and beside it each night's report, as far as it was made here.

    It lies in .pipeline/nightly/site, from where a web server or a bucket may take it.
    """
    SITE.mkdir(parents=True, exist_ok=True)
    records = read_records(NIGHTS)
    report = Path(DATA, REPORTS, "index.html")
    if records and records[-1]["revision"] and report.is_file():
        target = SITE / f"{records[-1]['run']}.html"
        if not target.is_file():
            with atomic_write(target) as temporary:
                shutil.copyfile(report, temporary)
    reports = {path.stem for path in SITE.glob("*.html")}
    page = SITE / "index.html"
    with atomic_write(page) as temporary:
        temporary.write_text(render(records, reports), encoding="utf-8")
    for path in {*SITE.glob("*.html")} - {page}:
        if path.stem not in {record["run"] for record in records}:
            path.unlink()


def _everyday(params: Params) -> list[str]:
    return labels(params, compares=False)
