"""Each scheduler gets a unit in its own form, with zone, jitter, limit and no overlap."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.nightly.options import Schedule
from pipeline.nightly.schedule import SYSTEMS, Job
from tests.command import call
from tests.nightly.world import new_world

STATED = {"at": "02:30", "zone": "Europe/Berlin", "jitter_minutes": 7, "timeout_hours": 1.5}
JOB = Job(Schedule.model_validate(STATED), "shapes", "/srv/my 100%/shapes", "/opt/pipeline", "it:1")
COMMAND = "/opt/pipeline nightly run --retries 3 --backoff 300"


def unit(system: str) -> str:
    return SYSTEMS[system](JOB)


def test_systemd_gets_a_service_and_a_timer() -> None:
    service, _, timer = unit("systemd").partition("# ~/.config/systemd/user/shapes-nightly.timer")
    read = [configparser.ConfigParser(interpolation=None) for _ in range(2)]
    for parser, text in zip(read, (service, timer), strict=True):
        parser.optionxform = str  # type: ignore[assignment]
        parser.read_string(text)
    assert dict(read[0]["Service"]) == {
        "Type": "oneshot",
        "WorkingDirectory": "/srv/my 100%%/shapes",
        "ExecStart": COMMAND,
        "SuccessExitStatus": "10 11",
        "TimeoutStartSec": "5400",
        "Restart": "on-abnormal",
        "RestartSec": "300",
    }
    assert dict(read[1]["Timer"]) == {
        "OnCalendar": "*-*-* 02:30:00 Europe/Berlin",
        "RandomizedDelaySec": "420",
        "Persistent": "true",
    }


def test_cron_gets_a_line_in_which_no_percent_ends_it() -> None:
    zone, _, line = unit("cron").splitlines()[1:]
    assert zone == "CRON_TZ=Europe/Berlin"
    times, command = line[:10].split(), line[11:]
    assert times == ["30", "2", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", command)
    shell = command.replace("\\%", "%")
    subprocess.run(["sh", "-n", "-c", shell], check=True)
    assert "timeout -k 60 5400 " + COMMAND in shell


def test_a_workflow_starts_at_the_hours_that_the_zone_may_mean() -> None:
    read = yaml.safe_load(unit("github-actions"))
    assert read["on"]["schedule"] == [{"cron": "30 1 * * *"}, {"cron": "30 0 * * *"}]
    job = read["jobs"]["night"]
    assert (job["timeout-minutes"], read["concurrency"]["cancel-in-progress"]) == (90, False)
    script = job["steps"][-1]["run"]
    run = script.replace(COMMAND, "(exit $CODE)").replace("shuf -i 0-420 -n 1", "echo 0")
    # By the zone's offset of today one of both is tonight's, and the other does nothing.

    def code_of(started_by: str, code: int) -> int:
        told = {"STARTED_BY": started_by, "CODE": str(code), "PATH": "/usr/bin:/bin"}
        return subprocess.run(["bash", "-e", "-c", run], env=told).returncode

    assert sorted([code_of("30 1 * * *", 75), code_of("30 0 * * *", 75)]) == [0, 75]
    codes = {code: code_of("", code) for code in (0, 10, 11, 65, 75)}
    assert codes == {0: 0, 10: 0, 11: 0, 65: 65, 75: 75}


def test_a_zone_without_summer_time_has_one_start() -> None:
    job = Job(Schedule.model_validate({"zone": "Asia/Kolkata"}), "s", "/s", "pipeline")
    read = yaml.safe_load(SYSTEMS["github-actions"](job))
    assert read["on"]["schedule"] == [{"cron": "0 21 * * *"}]
    assert "STARTED_BY" not in read["jobs"]["night"]["steps"][-1]["run"]


def test_gitlab_takes_held_for_well() -> None:
    read = yaml.safe_load(unit("gitlab"))["night"]
    assert read["allow_failure"] == {"exit_codes": [10, 11]}
    assert (read["resource_group"], read["timeout"]) == ("nightly", "90 minutes")
    assert read["script"][-1] == COMMAND
    assert "cron timezone Europe/Berlin" in unit("gitlab")


def test_a_dag_is_a_module_of_python() -> None:
    tree = ast.parse(unit("airflow"))
    keywords = {
        keyword.arg: ast.unparse(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    }
    assert keywords["skip_on_exit_code"] == "[10, 11]"
    assert keywords["max_active_runs"] == "1"
    assert keywords["tz"] == "'Europe/Berlin'"
    assert ast.literal_eval(keywords["bash_command"]).startswith("cd '/srv/my 100%/shapes' && ")


def test_a_cronjob_retries_no_bad_data() -> None:
    spec = yaml.safe_load(unit("kubernetes"))["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 2 * * *", "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (3, 5400)
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [2, 65]
    (container,) = job["template"]["spec"]["containers"]
    assert container["image"] == "it:1"
    subprocess.run(["sh", "-n", "-c", container["command"][-1]], check=True)


def test_the_command_prints_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_world(tmp_path, monkeypatch)
    for system in SYSTEMS:
        code, output = call("nightly", "schedule", "--as", system)
        assert (code, "nightly run --retries 3" in output) == (0, True)
    code, output = call("nightly", "schedule", "--as", "at")
    assert (code, "there are: airflow, cron, github-actions" in output) == (1, True)
