"""A unit for a scheduler that runs a night: existing schedulers schedule, there is none here.

Retries with back-off are the command's own (`--retries`), since few schedulers can tell a machine's
fault from bad data; what they add is a start at a time of a zone, put off by a random while, a
limit, and that no two nights overlap (which the command's lock holds too).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from pipeline.nightly.options import Schedule

# Of the command, that a scheduler takes for a night that went well: held, nothing new.
FINE = (10, 11)
# That no further start mends: misuse, bad data.
FINAL = (2, 65)


@dataclass(frozen=True)
class Job:
    """What is run: `folder` is the project's, `pipeline` the command's path, `name` the project's.

    `image` is that of a container, where one is started.
    """

    schedule: Schedule
    name: str
    folder: str
    pipeline: str
    image: str = ""

    @property
    def command(self) -> str:
        """As a shell reads it."""
        return (
            f"{shlex.quote(self.pipeline)} nightly run --retries {self.schedule.retries} "
            f"--backoff {60 * self.schedule.backoff_minutes}"
        )

    @property
    def unit(self) -> str:
        """What a scheduler of this machine calls it."""
        return f"{self.name}-nightly"

    @property
    def clock(self) -> tuple[int, int]:
        hour, minute = self.schedule.at.split(":")
        return int(hour), int(minute)

    @property
    def cron(self) -> str:
        hour, minute = self.clock
        return f"{minute} {hour} * * *"

    @property
    def timeout(self) -> int:
        """Seconds."""
        return round(3600 * self.schedule.timeout_hours)

    @property
    def wait(self) -> str:
        """A shell's command that puts a start off."""
        return f"sleep $(shuf -i 0-{60 * self.schedule.jitter_minutes} -n 1)"


def systemd_units(job: Job) -> dict[str, str]:
    """File name → text, of a service and of its timer."""
    hour, minute = job.clock
    # In a unit, % begins a specifier and $ a variable.
    folder, command = (text.replace("%", "%%") for text in (job.folder, job.command))
    service = f"""\
[Unit]
Description=Nightly run of {job.name}
After=network-online.target
StartLimitIntervalSec=1d
StartLimitBurst={job.schedule.retries + 2}

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command.replace("$", "$$")}
SuccessExitStatus={" ".join(map(str, FINE))}
TimeoutStartSec={job.timeout}
# Only what was killed; the command tries again by itself what the machine or the network failed.
Restart=on-abnormal
RestartSec={60 * job.schedule.backoff_minutes}
"""
    timer = f"""\
[Unit]
Description=Nightly run of {job.name}, {job.schedule.at} {job.schedule.zone}

[Timer]
OnCalendar=*-*-* {hour:02d}:{minute:02d}:00 {job.schedule.zone}
RandomizedDelaySec={60 * job.schedule.jitter_minutes}
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{job.unit}.service": service, f"{job.unit}.timer": timer}


def systemd(job: Job) -> str:
    """A service and its timer, in one text that names the file of each."""
    units = [
        f"# ~/.config/systemd/user/{name}\n{text}\n" for name, text in systemd_units(job).items()
    ]
    then = f"systemctl --user daemon-reload && systemctl --user enable --now {job.unit}.timer"
    return f"{''.join(units)}# Then: {then}\n"


def cron(job: Job) -> str:
    """Lines of a crontab."""
    line = (
        f"cd {shlex.quote(job.folder)} && {job.wait} && "
        f"timeout -k 60 {job.timeout} {job.command} >> .pipeline/cron.log 2>&1"
    )
    return f"""\
# `crontab -e`. Debian's cron passes over CRON_TZ and goes by the machine's time zone.
CRON_TZ={job.schedule.zone}
SHELL=/bin/sh
{job.cron} {line.replace("%", chr(92) + "%")}
"""


def github_actions(job: Job) -> str:
    """A workflow. GitHub's schedules are UTC: each hour that the zone's clock may mean is one."""
    times = _utc_times(job)
    crons = {offset: f"{at.minute} {at.hour} * * *" for offset, at in times.items()}
    # Of the schedules, that one counts which is tonight's hour in the zone.
    cases = "\n".join(
        f'{offset}) [ "$STARTED_BY" = "{cron}" ] || exit 0 ;;' for offset, cron in crons.items()
    )
    gate = (
        f'[ -z "$STARTED_BY" ] || case "$(TZ={job.schedule.zone} date +%z)" in\n{cases}\nesac\n'
        if len(crons) > 1
        else ""
    )
    script = f"{gate}{job.wait}\ncode=0\n{job.command} || code=$?\n{_fine()}"
    workflow = {
        "name": "nightly",
        "on": {
            "schedule": [{"cron": cron} for cron in dict.fromkeys(crons.values())],
            "workflow_dispatch": {},
        },
        "permissions": {"contents": "write"},
        "concurrency": {"group": "nightly", "cancel-in-progress": False},
        "jobs": {
            "night": {
                "runs-on": "ubuntu-latest",
                "timeout-minutes": -(-job.timeout // 60),
                "steps": [
                    {"uses": "actions/checkout@v4", "with": {"fetch-depth": 0}},
                    {"uses": "actions/setup-python@v5", "with": {"python-version": "3.11"}},
                    {"run": "pip install -r requirements.txt && dvc pull"},
                    {
                        "run": script,
                        "env": {"STARTED_BY": "${{ github.event.schedule }}"},
                    },
                ],
            }
        },
    }
    return f"# .github/workflows/nightly.yml; requirements.txt is yours\n{_yaml(workflow)}"


def gitlab(job: Job) -> str:
    """A job of .gitlab-ci.yml; GitLab keeps the time and its zone beside the file."""
    night = {
        "night": {
            "rules": [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}],
            "resource_group": "nightly",
            "interruptible": False,
            "timeout": f"{-(-job.timeout // 60)} minutes",
            "retry": {"max": 2, "when": ["runner_system_failure", "stuck_or_timeout_failure"]},
            "allow_failure": {"exit_codes": [*FINE]},
            "variables": {"GIT_DEPTH": "0"},
            "script": [
                "pip install -r requirements.txt && dvc pull",
                job.wait,
                job.command,
            ],
        }
    }
    return (
        f"# .gitlab-ci.yml; requirements.txt is yours. The schedule: Build > Pipeline schedules,\n"
        f"# cron `{job.cron}`, cron timezone {job.schedule.zone}\n{_yaml(night)}"
    )


def airflow(job: Job) -> str:
    """A module of the DAG folder, for Airflow 3."""
    command = f"cd {shlex.quote(job.folder)} && {job.wait} && {job.command}"
    return f'''\
"""{job.name}: the nightly run."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id={f"{job.name}-nightly"!r},
    schedule={job.cron!r},
    start_date=pendulum.datetime(2026, 1, 1, tz={job.schedule.zone!r}),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(seconds={2 * job.timeout}),
) as dag:
    BashOperator(
        task_id="night",
        bash_command={command!r},
        skip_on_exit_code={[*FINE]!r},
        execution_timeout=timedelta(seconds={job.timeout}),
        # Of a worker that was killed; the command tries again what the machine failed.
        retries=1,
        retry_delay=timedelta(minutes={job.schedule.backoff_minutes}),
        retry_exponential_backoff=True,
    )
'''


def kubernetes(job: Job) -> str:
    """A CronJob; the project lies on a volume that its pod mounts."""
    script = f"{job.wait}; code=0; {job.command} || code=$?\n{_fine()}"
    container: dict[str, object] = {
        "name": "night",
        "workingDir": job.folder,
        "command": ["/bin/sh", "-c", script],
        "volumeMounts": [{"name": "project", "mountPath": job.folder}],
    }
    container.update(image=job.image or "registry.example.org/pipeline:latest")
    cronjob = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"{job.name}-nightly"},
        "spec": {
            "schedule": job.cron,
            "timeZone": job.schedule.zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": job.schedule.retries,
                    "activeDeadlineSeconds": job.timeout,
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "FailJob",
                                "onExitCodes": {
                                    "containerName": "night",
                                    "operator": "In",
                                    "values": [*FINAL],
                                },
                            }
                        ]
                    },
                    "template": {
                        "spec": {
                            "restartPolicy": "Never",
                            "containers": [container],
                            "volumes": [
                                {
                                    "name": "project",
                                    "persistentVolumeClaim": {"claimName": job.name},
                                }
                            ],
                        }
                    },
                }
            },
        },
    }
    return _yaml(cronjob)


SYSTEMS: dict[str, Callable[[Job], str]] = {
    "systemd": systemd,
    "cron": cron,
    "github-actions": github_actions,
    "gitlab": gitlab,
    "airflow": airflow,
    "kubernetes": kubernetes,
}


def _fine() -> str:
    """What a shell makes of the command's exit code where only 0 is well."""
    return f'case "$code" in {"|".join(map(str, FINE))}) exit 0 ;; *) exit "$code" ;; esac\n'


def _utc_times(job: Job) -> dict[str, datetime]:
    """Offset of the zone in the coming year → when it is that time of the day in UTC."""
    hour, minute = job.clock
    zone = ZoneInfo(job.schedule.zone)
    start = datetime(2026, 1, 1, hour, minute)
    nights = ((start + timedelta(days=day)).replace(tzinfo=zone) for day in range(366))
    times: dict[str, datetime] = {}
    for night in nights:
        utc = night.astimezone(ZoneInfo("UTC"))
        times.setdefault(night.strftime("%z"), utc)
    return dict(sorted(times.items()))


class _Dumper(yaml.SafeDumper):
    """Scripts as blocks, which people read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(document: Mapping[str, object]) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10**6)
    return text
