"""Jobs as values: request, progress and results."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, get_args

from chronotile.core.model.types import Json

Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
"""Names of OGC API - Processes 1.0 (Table 16, statusCode)."""
ResponseType = Literal["raw", "document"]

JOB_ID = re.compile("[0-9a-f]{32}")
"""Pattern of job ids."""
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: frozenset[Status] = frozenset({"successful", "failed", "dismissed"})


class JobSelection(TypedDict, total=False):
    """Filters and page of a list of jobs, as arguments of `JobTable.jobs`."""

    processes: Sequence[str]
    statuses: Sequence[Status]
    created: tuple[float | None, float | None]
    seconds: tuple[float | None, float | None]
    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A client's request to execute a process."""

    process: str
    inputs: Mapping[str, Any]
    """JSON that was checked with the schemas of the process."""
    outputs: Mapping[str, Json] | None = None
    """Form of each requested output; `None`: all outputs."""
    response: ResponseType = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The beginning of a text that may be long."""

    text: str
    count: int
    """Number of characters of the whole text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """Parts of a job that people read in addition to its status."""

    inputs: Excerpt = Excerpt(text="", count=0)
    """JSON."""
    log: Sequence[tuple[float, str]] = ()
    """Last lines, each with its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """URLs of a client that are notified of the progress of a job."""

    urls: Mapping[Status, str]
    """URL by status: `running` (also receives progress), `successful` and `failed`."""
    base: str
    """Public URL of the server to which the job was submitted, for links in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A due message to a subscriber."""

    job: str
    """Id of the job."""
    status: Status
    url: str
    base: str
    """`base` of the subscriber."""
    tries: int
    """Number of attempts since the last delivered message, including this attempt."""
    updated: float
    """Last change of the job at the time when the message became due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """Body and headers of a message to a subscriber."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFault:
    """Reason why a job failed."""

    type: str
    """Problem type of error responses (RFC 9457)."""
    title: str
    detail: str
    status: int
    """HTTP status of the same problem in a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output of a process."""

    value: Any = None
    """JSON, unless the output is a file."""
    file: str | None = None
    """Name of the file in the folder of the job's results."""
    media_type: str = "application/json"
    metadata: Json | None = None
    """Provenance from `metadata_of`; `None` if no layer was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Status of an execution, without its inputs, which may be long. Times are seconds since 1970, UTC."""

    id: str
    process: str
    user: str | None
    """Owner; `None` if there are no users."""
    status: Status
    message: str
    """Progress as one line of text."""
    progress: int
    """Per cent."""
    created: float
    updated: float
    started: float | None = None
    finished: float | None = None
    archive: str = ""
    """Id of the archive."""
    revision: str | None = None
    """Revision of its input data; `None` if it reads no layer."""
    attempts: int = 0
    """Number of times it was started."""
    fruitless: int = 0
    """Consecutive attempts without a finished task, not counting the current or last attempt."""
    fault: JobFault | None = None
    results: Mapping[str, Result] = field(default_factory=dict)
    """By output name, if the job was successful."""
