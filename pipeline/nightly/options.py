"""nightly.yaml: where data land, which model is judged, and who is told.

None of it shapes an output, so it stands beside params.yaml and is part of no key. Secrets are
named by environment variables and never stand here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, ValidationError, field_validator, model_validator

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.options import Options
from pipeline.params import Params
from pipeline.params.document import fill, read
from pipeline.params.sections import SourceRoot

NIGHTLY = "nightly.yaml"
VARIABLE = r"^[A-Z_][A-Z0-9_]*$"


class Inbox(Options):
    """Where a source's data land, each landing in a folder of its own, and when one is whole."""

    root: str = Field(min_length=1, description="a folder, or a URI that pyarrow opens")
    ready: Literal["marker", "manifest", "age"] = Field(
        "marker",
        description="marker: a file says so | manifest: a file lists what there must be, as "
        "sha256sum writes it | age: nothing was written for a while",
    )
    name: str = Field(
        "",
        pattern=r"^[^/]*$",
        description="of the marker (_SUCCESS) or the manifest (SHA256SUMS)",
    )
    minutes: float = Field(30.0, gt=0, description="minutes without a write, by age")

    @field_validator("root")
    @classmethod
    def _is_without_secrets(cls, root: str) -> str:
        if "://" in root:
            try:
                SourceRoot.model_validate({"root": root})
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return root

    @property
    def file_name(self) -> str:
        """The file that says that a landing is whole; empty where its age does."""
        return self.name or {"marker": "_SUCCESS", "manifest": "SHA256SUMS"}.get(self.ready, "")


class Webhook(Options):
    """A POST of JSON whose `text` is the message, as Slack and its like take it."""

    kind: Literal["webhook"]
    url_from: str = Field(pattern=VARIABLE, description="environment variable that holds the URL")


class Email(Options):
    """A message by SMTP; a password goes over TLS alone."""

    kind: Literal["email"]
    host: str = "localhost"
    port: int = Field(25, ge=1, le=65535)
    tls: bool = Field(False, description="STARTTLS before anything is sent")
    sender: str
    to: tuple[str, ...] = Field(min_length=1)
    user_from: str = Field("", pattern=f"{VARIABLE}|^$")
    password_from: str = Field("", pattern=f"{VARIABLE}|^$")

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Email:
        if self.user_from and not self.tls:
            raise ValueError("a password goes over TLS alone: set tls")
        return self


class Command(Options):
    """A command that reads the message from its standard input."""

    kind: Literal["command"]
    run: tuple[str, ...] = Field(min_length=1)


Channel = Annotated[Webhook | Email | Command, Field(discriminator="kind")]


class Schedule(Options):
    """When nights begin, for `pipeline nightly schedule`."""

    at: str = Field("02:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM")
    zone: str = Field("UTC", description="time zone of the IANA list, such as Europe/Berlin")
    jitter_minutes: int = Field(10, ge=0, le=180, description="a start is put off by up to so many")
    timeout_hours: float = Field(6.0, gt=0, le=24, description="then a night is stopped")
    retries: int = Field(3, ge=0, le=10, description="of a night whose infrastructure failed")
    backoff_minutes: int = Field(5, ge=1, le=120, description="before the first; doubled each time")

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"'{zone}' is no time zone of the IANA list, such as Europe/Berlin")
        return zone


class NightlyOptions(Options):
    """All of nightly.yaml."""

    inbox: dict[str, Inbox] = Field(min_length=1, description="source → where its data land")
    model: str = Field(description="the model of params.yaml that each night trains and judges")
    git_remote: str = Field("", description="git pushes there; empty: nowhere")
    dvc_remote: str = Field("", description="DVC pushes there; empty: nowhere")
    notify: tuple[Channel, ...] = Field((), description="who is told, in this order")
    schedule: Schedule = Field(default=Schedule.model_validate({}))


def load_options(params: Params, root: Path = Path()) -> NightlyOptions:
    """nightly.yaml of the project in `root`.

    Raises
    ------
    PipelineError
        It is missing, or something in it is wrong or contradicts params.yaml: all of that.
    """
    path = root / NIGHTLY
    if not path.is_file():
        raise PipelineError(
            f"there is no {path}: write `inbox: {{SOURCE: {{root: FOLDER}}}}` and `model: NAME` "
            f"there; docs/nightly.md says what else"
        )
    options: NightlyOptions = fill(NightlyOptions, read(path), str(path))
    problems = [
        *(
            f"inbox.{source}: {unknown('source', source, params.sources)}"
            for source in options.inbox
            if source not in params.sources
        ),
        *(
            f"inbox.{source}: its batches lie at {params.sources[source].root}, which `dvc repro` "
            f"looks at itself: land them there"
            for source in options.inbox
            if source in params.sources and params.sources[source].root
        ),
        *(
            [f"model: {unknown('model', options.model, params.models)}"]
            if options.model not in params.models
            else []
        ),
    ]
    if problems:
        raise PipelineError("\n  ".join([f"{path} does not agree with params.yaml:", *problems]))
    return options
