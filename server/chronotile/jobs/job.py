"""Jobs as values: what was asked for, how far it is, what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Json = dict[str, Any]
Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
"""As OGC API - Processes 1.0 names them (Table 16, statusCode)."""
ResponseType = Literal["raw", "document"]

STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: frozenset[Status] = frozenset({"successful", "failed", "dismissed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a client asks a process to do."""

    process: str
    inputs: Mapping[str, Any]
    """As JSON, checked by the process's schemas."""
    outputs: Mapping[str, Json] | None = None
    """How each one that is wanted shall come; all of them if `None`."""
    response: ResponseType = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFault:
    """Why a job failed."""

    type: str
    """Of the problem, as in errors of requests (DESIGN 2.4)."""
    title: str
    detail: str
    status: int
    """HTTP status of the same problem in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output of a process."""

    value: Any = None
    """As JSON, where it is no file."""
    file: str | None = None
    """Name of its file in the folder of the job's results."""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An execution as the table of jobs has it; times are seconds since 1970, UTC."""

    id: str
    execution: Execution
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
    attempts: int = 0
    """How often it was begun."""
    fault: JobFault | None = None
    results: Mapping[str, Result] = field(default_factory=dict)
    """By the names of outputs, once it was successful."""
