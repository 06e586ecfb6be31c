"""Nights are given to this machine's own scheduler, systemd's of the user or cron, and taken back.

What is there already is left, so that doing it twice is doing it once.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.atomic import atomic_write
from pipeline.nightly.schedule import Job, cron, systemd_units

NO_CRONTAB = "no crontab for"


@dataclass(frozen=True)
class Step:
    """Something that is done to the machine, in words, and the doing of it."""

    words: str
    do: Callable[[], object]


def steps(system: str, job: Job, uninstall: bool = False) -> list[Step]:
    """What has yet to be done for nights to be started by a scheduler, or no longer; none if none.

    Raises
    ------
    PipelineError
        The scheduler is none of this machine's user, cannot be asked, or has nights of another
        project under that name.
    """
    if system not in SYSTEMS:
        raise PipelineError(f"{unknown('scheduler of this machine', system, SYSTEMS)}; the units "
                            f"of others are printed, for you to put where they belong")  # fmt: skip
    return [*SYSTEMS[system](job, uninstall)]


def _systemd(job: Job, uninstall: bool) -> Iterator[Step]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    units = {home / "systemd" / "user" / name: text for name, text in systemd_units(job).items()}
    standing = {path: path.read_text() if path.is_file() else "" for path in units}
    _check_own(job, job.folder.replace("%", "%%"), standing[min(units)], str(min(units)))
    timer = f"{job.unit}.timer"
    if uninstall:
        present = [path for path, text in standing.items() if text]
        if present:
            yield _systemctl("disable", "--now", timer)
            yield from (Step(f"remove {path}", path.unlink) for path in present)
            yield _systemctl("daemon-reload")
        return
    changed = [path for path, text in units.items() if standing[path] != text]
    for path in changed:
        yield Step(
            f"write {path}\n{_difference(standing[path], units[path])}",
            partial(_write, path, units[path]),
        )
    if changed:
        yield _systemctl("daemon-reload")
    if changed or not _is_on(timer):
        yield _systemctl("enable", timer)
        yield _systemctl("restart", timer)


def _is_on(timer: str) -> bool:
    asked = ("is-enabled", "is-active")
    return all(_ran("systemctl", "--user", how, timer).returncode == 0 for how in asked)


def _systemctl(*arguments: str) -> Step:
    command = ("systemctl", "--user", *arguments)
    return Step(" ".join(command), partial(_run, *command))


def _cron(job: Job, uninstall: bool) -> Iterator[Step]:
    """The project's lines stand between two comments, last in the table.

    What sets a time zone there holds for all that follows.
    """
    listed = _ran("crontab", "-l")
    if listed.returncode and NO_CRONTAB not in listed.stderr:
        raise PipelineError(f"`crontab -l` failed: {listed.stderr.strip()}")
    table = listed.stdout if not listed.returncode else ""
    begin, end = (f"# {job.unit}: {word}\n" for word in ("begin; other lines go above", "end"))
    if (begin in table) != (end in table):
        raise PipelineError(
            f"the crontab has one of the comments around {job.unit} alone: mend it by `crontab -e`"
        )
    before, _, rest = table.partition(begin)
    block, _, after = rest.partition(end)
    _check_own(job, job.folder.replace("%", "\\%"), block, "the crontab")
    others = before + after
    if others and not others.endswith("\n"):
        others += "\n"
    wanted = others if uninstall else f"{others}{begin}{cron(job)}{end}"
    if wanted != table and (block or not uninstall):
        yield Step(
            f"crontab -\n{_difference(table, wanted)}",
            partial(_run, "crontab", "-", text=wanted),
        )


def _check_own(job: Job, folder: str, standing: str, where: str) -> None:
    """Two projects whose folders have one name would take each other's place."""
    if standing and folder not in standing:
        raise PipelineError(
            f"{where} has {job.unit} of another project: rename the folder of one of them"
        )


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return "\n".join(f"    {line}" for line in [*lines][2:])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _run(*command: str, text: str = "") -> None:
    done = _ran(*command, text=text)
    if done.returncode:
        raise PipelineError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


def _ran(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PipelineError(
            f"there is no {command[0]} on this machine: take another scheduler"
        ) from None


SYSTEMS: dict[str, Callable[[Job, bool], Iterator[Step]]] = {"systemd": _systemd, "cron": _cron}
