"""Executions of processes, and their jobs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from chronotile_client.errors import JobFailed, NotFound
from chronotile_client.exchange import Exchange, Pause, Request, fetch
from chronotile_client.layers import LayerInfo
from chronotile_client.locations import geojson_of
from chronotile_client.times import time_text

Document = Mapping[str, Any]

ENDED: Final = frozenset({"successful", "failed", "dismissed"})
FIRST_PAUSE_S: Final = 0.25
LAST_PAUSE_S: Final = 5.0
"""Maximum pause between two requests for the state of a job; the pauses grow from the first to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The progress of a job."""

    process: str
    id: str | None
    """None if the server answered immediately and stored nothing."""
    status: str
    """`accepted`, `running`, `successful`, `failed` or `dismissed`."""
    message: str = ""
    progress: int = 0
    """In percent."""
    document: Document = field(default_factory=dict, repr=False)
    """The status document of the server."""

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultInfo:
    """An output of an execution: a value, or the location of its file."""

    name: str
    media_type: str
    value: Any = None
    path: str | None = None
    """Path of the file, below the address of the server; None for a value."""


class Progress(Protocol):
    """A function that receives each state of a job while a caller waits for it."""

    def __call__(self, state: JobState, /) -> object:
        """Show the progress of the job."""


def execute(
    process: str, inputs: Mapping[str, Any], *, at_once_s: int
) -> Exchange[tuple[JobState, tuple[ResultInfo, ...] | None]]:
    """Start a process; return its job, and the results if the server answered immediately."""
    body = {"inputs": _inputs(inputs), "response": "document"}
    request = Request(
        path=f"ogcapi/processes/{quote(process, safe='')}/execution",
        method="POST",
        body=json.dumps(body, default=_plain).encode(),
        headers={
            "Content-Type": "application/json",
            "Prefer": f"respond-async, wait={at_once_s}" if at_once_s else "respond-async",
        },
        is_repeatable=False,
    )
    answer = yield from fetch(request)
    if answer.status == 201:
        return _state(answer.document()), None
    results = _results(answer.document())
    job = next((result.path.split("/")[2] for result in results if result.path), None)
    return JobState(process=process, id=job, status="successful", progress=100), results


def fetch_job(job: str) -> Exchange[JobState]:
    """Return the state of a job."""
    answer = yield from fetch(Request(path=_job_path(job)))
    return _state(answer.document())


def wait_for(state: JobState, *, timeout_s: float | None, progress: Progress | None) -> Exchange[JobState]:
    """Return the state of a job that has succeeded.

    Raises:
        JobFailed: It failed, or was dismissed.
        TimeoutError: It has not ended in time; the server continues it.
    """
    end_s = None if timeout_s is None else monotonic() + timeout_s
    pause_s = FIRST_PAUSE_S
    while not state.is_over and state.id is not None:
        if progress:
            progress(state)
        if end_s is not None and monotonic() + pause_s > end_s:
            raise TimeoutError(f"job {state.id} has not ended within {timeout_s:g} s: {state.status}, {state.message}")
        yield Pause(pause_s)
        pause_s = min(pause_s * 1.5, LAST_PAUSE_S)
        state = yield from fetch_job(state.id)
        if progress and state.is_over:
            progress(state)
    if state.status != "successful":
        raise _failure(state)
    return state


def cancel(state: JobState) -> Exchange[JobState]:
    """Cancel a job, or remove the results of an ended job; return its state."""
    try:
        answer = yield from fetch(Request(path=_job_path(state.id or ""), method="DELETE"))
    except NotFound:  # deleted, or cancelled by a request whose answer was lost
        return replace(state, status="dismissed")
    return _state(answer.document())


def fetch_results(state: JobState) -> Exchange[tuple[ResultInfo, ...]]:
    """Return the outputs of a job that has succeeded.

    Raises:
        JobFailed: It failed, or was dismissed.
    """
    if state.is_over and state.status != "successful":
        raise _failure(state)
    answer = yield from fetch(Request(path=f"{_job_path(state.id or '')}/results"))
    return _results(answer.document())


def _failure(state: JobState) -> JobFailed:
    how = "was cancelled" if state.status == "dismissed" else "failed"
    return JobFailed(f"job {state.id} ({state.process}) {how}: {state.message}", problem=state.document)


def _job_path(job: str) -> str:
    return f"ogcapi/jobs/{quote(job, safe='')}"


def _state(document: Document) -> JobState:
    return JobState(
        process=document["processID"],
        id=document["jobID"],
        status=document["status"],
        message=document.get("message") or "",
        progress=int(document.get("progress") or 0),
        document=document,
    )


def _results(document: Document) -> tuple[ResultInfo, ...]:
    """Return the outputs of a results document: values, with their media type if stated, and files as links."""
    return tuple(_result(name, value) for name, value in document.items())


def _result(name: str, value: Any) -> ResultInfo:  # noqa: ANN401 -- JSON
    if isinstance(value, dict) and "href" in value:
        # The server may write another address than the client uses.
        path = urlsplit(value["href"]).path.rpartition("/ogcapi/jobs/")[2]
        return ResultInfo(name=name, media_type=value.get("type", ""), path=f"ogcapi/jobs/{path}")
    if isinstance(value, dict) and "value" in value:
        return ResultInfo(name=name, media_type=value.get("mediaType", "application/json"), value=value["value"])
    return ResultInfo(name=name, media_type="application/json", value=value)


def _inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs in the server's form: `datetime` for `time`, an object for a box of four numbers, GeoJSON."""
    found = {name: _input(name, value) for name, value in inputs.items() if value is not None}
    if "time" in found:
        if "datetime" in found:
            raise ValueError("time and datetime are the same input: give one of them")
        found["datetime"] = time_text(found.pop("time"))
    return found


def _input(name: str, value: Any) -> Any:  # noqa: ANN401 -- JSON, layers and geometries
    if isinstance(value, LayerInfo):
        return value.id
    if name == "bbox" and isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return {"bbox": [float(number) for number in value]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_input("", each) for each in value]
    return value if name == "time" else geojson_of(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 -- arrays and numbers of numpy
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be an input of a process")
