"""Nights are started by a scheduler that exists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.errors import handle_errors
from pipeline.cli.nightly.files import loaded
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.terminal import say


@handle_errors
def schedule(
    system: Annotated[
        str,
        typer.Option(
            "--as", help="systemd | cron | github-actions | gitlab | airflow | kubernetes"
        ),
    ],
    image: Annotated[str, typer.Option(help="Container that Kubernetes starts.")] = "",
    install: Annotated[
        bool, typer.Option("--install", help="Give it to systemd's of the user, or to cron.")
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="Take it back from there.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what either would do; touch nothing.")
    ] = False,
) -> None:
    """Print a unit by which a scheduler runs a night, as `schedule` of nightly.yaml says.

    What --install and --uninstall do is told first, and what is done already is left.
    """
    import re
    import shutil

    from pipeline.nightly.install import steps
    from pipeline.nightly.schedule import SYSTEMS, Job

    if system not in SYSTEMS:
        raise PipelineError(unknown("scheduler", system, SYSTEMS))
    here = Path.cwd()
    name = re.sub(r"[^a-z0-9]+", "-", here.name.lower()).strip("-") or "project"
    elsewhere = system in ("github-actions", "gitlab", "kubernetes")
    command = "pipeline" if elsewhere else shutil.which("pipeline") or sys.argv[0]
    job = Job(loaded()[1].schedule, name, str(here), command, image)
    if not (install or uninstall):
        say(SYSTEMS[system](job), end="")
        return
    if install and uninstall:
        raise PipelineError("say either --install or --uninstall")
    todo = steps(system, job, uninstall)
    for step in todo:
        say(step.words)
        if not dry_run:
            step.do()
    if not todo:
        say(f"nothing to do: {job.unit} is {'not there' if uninstall else 'as it should be'}")
    elif install and system == "systemd":
        say("nights run while nobody is logged in once `loginctl enable-linger` was said")
