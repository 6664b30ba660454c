"""Jobs as values: what was requested, how far it is, what came of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, get_args

from chronotile.core.model.types import Json

Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
"""As OGC API - Processes 1.0 names them (Table 16, statusCode)."""
ResponseType = Literal["raw", "document"]

ID = re.compile("[0-9a-f]{32}")
"""Of jobs."""
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: frozenset[Status] = frozenset({"successful", "failed", "dismissed"})


class JobSelection(TypedDict, total=False):
    """Which jobs of a user are listed, as `JobTable.jobs` takes it."""

    processes: Sequence[str]
    statuses: Sequence[Status]
    created: tuple[float | None, float | None]
    seconds: tuple[float | None, float | None]
    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a client asks a process to do."""

    process: str
    inputs: Mapping[str, Any]
    """As JSON, checked by the process's schemas."""
    outputs: Mapping[str, Json] | None = None
    """The form of each requested output; all outputs if `None`."""
    response: ResponseType = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The beginning of a text that may be long."""

    text: str
    count: int
    """Characters of all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """What people want to see of a job besides how far it is."""

    inputs: Excerpt = Excerpt(text="", count=0)
    """As JSON."""
    log: Sequence[tuple[float, str]] = ()
    """Its last lines, each with its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Who wants to hear how a job goes on."""

    urls: Mapping[Status, str]
    """Which of them hears that the job runs, and how far it is, that it was successful, or that it failed."""
    base: str
    """Public URL of the server that the job was requested at, for the links in its messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a subscriber is to be sent."""

    job: str
    """Its id."""
    status: Status
    """The status to report."""
    url: str
    """To whom."""
    base: str
    """As the subscriber's."""
    tries: int
    """With this one, since the last message."""
    updated: float
    """When the job had last changed as this was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """What a subscriber is sent."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFault:
    """Why a job failed."""

    type: str
    """Of the problem, as in errors of requests (RFC 9457)."""
    title: str
    detail: str
    status: int
    """HTTP status of the same problem in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output of a process."""

    value: Any = None
    """As JSON, where it is not a file."""
    file: str | None = None
    """Name of its file in the folder of the job's results."""
    media_type: str = "application/json"
    metadata: Json | None = None
    """What it was made of, as of `metadata_of`; `None` where no layer was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How far an execution is, without its inputs, which may be long; times are seconds since 1970, UTC."""

    id: str
    process: str
    user: str | None
    """Whose it is, once there are users."""
    status: Status
    message: str
    """How far it is, in a line for people."""
    progress: int
    """Per cent."""
    created: float
    updated: float
    started: float | None = None
    finished: float | None = None
    archive: str = ""
    """Id of the archive it is of."""
    revision: str | None = None
    """Of what it reads; `None` if it reads no layer."""
    attempts: int = 0
    """How often it was begun."""
    fruitless: int = 0
    """Attempts in a row, before the one that runs or ran last, in which no task was finished."""
    fault: JobFault | None = None
    results: Mapping[str, Result] = field(default_factory=dict)
    """By the names of outputs, once it was successful."""
