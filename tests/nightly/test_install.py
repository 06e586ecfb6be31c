"""The user's own systemd or crontab takes nights on and gives them up, however often it is said.

Both are played by programs on PATH that keep what they are given in a folder.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.nightly.install import steps
from pipeline.nightly.options import Schedule
from pipeline.nightly.schedule import Job, systemd_units
from tests.command import call
from tests.nightly.world import new_world

JOB = Job(Schedule.model_validate({"zone": "Europe/Berlin"}), "shapes", "/srv/100%/s", "pipeline")
LATER = replace(JOB, schedule=JOB.schedule.model_copy(update={"at": "03:45"}))
CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then cat "$STATE/table" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; }
else cat > "$STATE/table"; fi
"""
SYSTEMCTL = """#!/bin/sh
shift
echo "$@" >> "$STATE/told"
case "$1" in
  is-enabled|is-active) [ -f "$STATE/on" ] ;;
  restart) touch "$STATE/on" ;;
  disable) rm "$STATE/on" ;;
esac
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the played programs keep what they know; the only ones on PATH beside the shell's."""
    for name, script in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "state"


def do(system: str, job: Job = JOB, uninstall: bool = False) -> list[str]:
    todo = steps(system, job, uninstall)
    for step in todo:
        step.do()
    return [step.words.partition("\n")[0] for step in todo]


def test_systemd_s_units_are_written_once_and_removed(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "systemd" / "user"
    on = ["systemctl --user enable shapes-nightly.timer",
          "systemctl --user restart shapes-nightly.timer"]  # fmt: skip
    assert do("systemd") == [
        f"write {folder}/shapes-nightly.service",
        f"write {folder}/shapes-nightly.timer",
        "systemctl --user daemon-reload",
        *on,
    ]
    assert {path.name: path.read_text() for path in folder.iterdir()} == systemd_units(JOB)
    assert do("systemd") == [], "it stands"
    (state / "on").unlink()
    assert do("systemd") == on, "somebody had stopped it"
    words = [step.words for step in steps("systemd", LATER)]
    assert "    -OnCalendar=*-*-* 02:30:00 Europe/Berlin" in words[0].splitlines()
    assert "    +OnCalendar=*-*-* 03:45:00 Europe/Berlin" in words[0].splitlines()
    assert do("systemd", uninstall=True)[0] == (
        "systemctl --user disable --now shapes-nightly.timer"
    )
    assert list(folder.iterdir()) == []
    assert do("systemd", uninstall=True) == []


def test_a_crontab_keeps_its_other_lines(state: Path) -> None:
    assert do("cron", uninstall=True) == [], "there is no crontab"
    (state / "table").write_text("@daily backup")
    assert do("cron") == ["crontab -"]
    table = (state / "table").read_text()
    first, begin, *lines, end = table.splitlines()
    assert (first, begin) == ("@daily backup", "# shapes-nightly: begin; other lines go above")
    assert "CRON_TZ=Europe/Berlin" in lines
    assert end == "# shapes-nightly: end"
    assert do("cron") == [], "it stands"
    (state / "table").write_text(f"{table}@weekly more\n")
    assert do("cron", LATER) == ["crontab -"]
    table = (state / "table").read_text()
    assert table.startswith("@daily backup\n@weekly more\n# shapes-nightly: begin")
    assert (table.count("nightly run"), "\n45 3 * * * cd" in table) == (1, True)
    assert do("cron", uninstall=True) == ["crontab -"]
    assert (state / "table").read_text() == "@daily backup\n@weekly more\n"


def test_another_project_of_that_name_is_left_alone(state: Path) -> None:
    other = Job(JOB.schedule, "shapes", "/home/bob/shapes", "pipeline")
    for system in ("systemd", "cron"):
        do(system)
        for uninstall in (False, True):
            with pytest.raises(PipelineError, match="shapes-nightly of another project"):
                steps(system, other, uninstall)


def test_what_cannot_be_installed_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError, match=r"'airflow'; there are: cron, systemd; the units of"):
        steps("airflow", JOB)
    (state / "table").write_text("# shapes-nightly: begin; other lines go above\n@daily backup\n")
    with pytest.raises(PipelineError, match="one of the comments around shapes-nightly alone"):
        steps("cron", JOB)
    broken = state.parent / "bin" / "crontab"
    broken.write_text("#!/bin/sh\necho 'you may not' >&2; exit 1\n")
    with pytest.raises(PipelineError, match="`crontab -l` failed: you may not"):
        steps("cron", JOB)
    monkeypatch.setenv("PATH", str(state))
    with pytest.raises(PipelineError, match="there is no crontab on this machine"):
        steps("cron", JOB)


def test_the_command_says_what_it_does_first(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_world(tmp_path / "shapes", monkeypatch)
    asked = ("nightly", "schedule", "--as", "cron", "--install")
    code, output = call(*asked, "--dry-run")
    assert (code, (state / "table").exists()) == (0, False)
    assert "+30 2 * * * cd" in output
    assert call(*asked) == (code, output)
    assert call(*asked) == (0, "nothing to do: shapes-nightly is as it should be\n")
    assert call(*asked, "--uninstall")[0] == 1
    code, output = call("nightly", "schedule", "--as", "systemd", "--install")
    assert (code, "loginctl enable-linger" in output) == (0, True)
    code, output = call("nightly", "schedule", "--as", "systemd", "--uninstall")
    assert (code, "disable --now shapes-nightly.timer" in output) == (0, True)
