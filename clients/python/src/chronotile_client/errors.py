"""What goes wrong, as exceptions made from the problem documents of the server (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import Any, Final

GATEWAY_STATUSES: Final = frozenset({429, 502, 503, 504})
"""The server is busy, or what it needs is away for now."""
MAX_SHOWN: Final = 80
"""Characters that a message repeats of an answer of another kind than requested."""


class ArchiveError(Exception):
    """A request that was not answered as intended.

    Attributes:
        status: HTTP status; `None` where no answer came.
        parameter: The parameter at fault, as the server spells it.
        problem: The problem document, empty where the server sent none.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}
        self.parameter: str | None = _member(self.problem, "parameter", str)


class InvalidRequest(ArchiveError):
    """The server does not accept a parameter."""


class NotFound(ArchiveError):
    """There is no such layer, place, process, job or time.

    Attributes:
        nearest: The nearest times that the layer has, where a time was not found.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, status=status, problem=problem)
        self.nearest: list[str] = _member(self.problem, "nearest", list) or []


class UnknownLayer(NotFound, KeyError):
    """A mapping of layers has none of this id."""

    def __str__(self) -> str:  # a KeyError shows its message in quotes
        return str(self.args[0])


class LimitExceeded(ArchiveError):
    """The answer would exceed a limit of the server.

    Attributes:
        limit: Name of the limit; `allowed` is its value, `asked` what the request needs.
        alternative: What to request instead.
        job: The execution of a process that does the same as a job: `href`, `inputs`, `note`.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, status=status, problem=problem)
        self.limit: str | None = _member(self.problem, "limit", str)
        self.allowed: float | None = _member(self.problem, "allowed", int, float)
        self.asked: float | None = _member(self.problem, "asked", int, float)
        self.alternative: str | None = _member(self.problem, "alternative", str)
        self.job: Mapping[str, Any] | None = _member(self.problem, "job", dict)


class Unavailable(ArchiveError):
    """The server cannot be reached, is busy, or cannot read its source; the retries are used up."""


class JobFailed(ArchiveError):
    """A job failed, or was cancelled before it had results."""


class ArchiveWarning(UserWarning):
    """The server left something out of an answer, or used another time than the requested one."""


def error_from(status: int, body: bytes) -> ArchiveError:
    """Return the exception for an answer of 400 and above."""
    problem = _problem(body)
    message = _message(status, body, problem)
    if status == 413 or problem.get("type") == "limit-exceeded":
        return LimitExceeded(message, status=status, problem=problem)
    if status in GATEWAY_STATUSES:
        return Unavailable(message, status=status, problem=problem)
    if status == 404:
        return NotFound(message, status=status, problem=problem)
    kind = InvalidRequest if status < 500 else ArchiveError
    return kind(message, status=status, problem=problem)


def unreadable(status: int, media_type: str, body: bytes) -> ArchiveError:
    """Return the exception for an answer below 300 that is not what a server of chronotile answers."""
    text = " ".join(body[: 4 * MAX_SHOWN].decode(errors="replace").split())[:MAX_SHOWN]
    what = f"the server answered {status} with {media_type or 'no media type'}"
    return ArchiveError(f"{what}, which is not the requested data: {text or 'an empty body'}", status=status)


def _member(problem: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 -- one of `kinds`
    """A member of a problem document; None if it is of another kind, as that of another server may be."""
    value = problem.get(name)
    return value if isinstance(value, kinds) else None


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _message(status: int, body: bytes, problem: Mapping[str, Any]) -> str:
    """The detail with the parameter, the alternative and the job, where the detail does not name them."""
    detail = problem.get("detail") or problem.get("title")
    if not detail:
        text = " ".join(body[:200].decode(errors="replace").split())
        return f"the server answered {status}: {text}" if text else f"the server answered {status}"
    parts = [str(detail)]
    if parameter := problem.get("parameter"):
        parts.append(f"parameter: {parameter}")
    if (alternative := _member(problem, "alternative", str)) and alternative not in parts[0]:
        parts.append(alternative)
    if job := _member(problem, "job", dict):
        process = str(job.get("href", "")).removesuffix("/execution").rpartition("/")[2]
        parts.append(f"or run the process {process!r} as a job")
    return "; ".join(parts)
