"""Exceptions, made from the problem documents of the server (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import Any, Final

GATEWAY_STATUSES: Final = frozenset({429, 502, 503, 504})
"""The server is busy, or a source is unavailable for now."""
MAX_SHOWN: Final = 80
"""Characters of an unexpected answer that a message repeats."""


class ArchiveError(Exception):
    """A request without the intended answer.

    Attributes:
        status: HTTP status; `None` without an answer.
        parameter: The wrong parameter, as the server spells it.
        problem: The problem document; empty if the server sent none.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}
        self.parameter: str | None = _member(self.problem, "parameter", str)


class InvalidRequest(ArchiveError):
    """The server does not accept a parameter."""


class NotFound(ArchiveError):
    """The server has no layer, place, process, job or time of this name.

    Attributes:
        nearest: The nearest times of the layer, if a time is missing.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, status=status, problem=problem)
        self.nearest: list[str] = _member(self.problem, "nearest", list) or []


class UnknownLayer(NotFound, KeyError):
    """A mapping of layers has no layer of this id."""

    def __str__(self) -> str:  # a KeyError shows its message in quotes
        return str(self.args[0])


class LimitExceeded(ArchiveError):
    """The answer would exceed a limit of the server.

    Attributes:
        limit: Name of the limit; `allowed` is its value, `asked` the value that the request needs.
        alternative: A smaller or different request.
        job: A process that computes the same as a job: `href`, `inputs`, `note`.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, status=status, problem=problem)
        self.limit: str | None = _member(self.problem, "limit", str)
        self.allowed: float | None = _member(self.problem, "allowed", int, float)
        self.asked: float | None = _member(self.problem, "asked", int, float)
        self.alternative: str | None = _member(self.problem, "alternative", str)
        self.job: Mapping[str, Any] | None = _member(self.problem, "job", dict)


class Unavailable(ArchiveError):
    """The server cannot be reached, is busy, or cannot read its source; all retries failed."""


class JobFailed(ArchiveError):
    """A job failed, or was cancelled before it had results."""


class ArchiveWarning(UserWarning):
    """The server omitted a part of an answer, or used another time than the requested one."""


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
    """Return the exception for an answer below 300 that a chronotile server does not send."""
    text = " ".join(body[: 4 * MAX_SHOWN].decode(errors="replace").split())[:MAX_SHOWN]
    what = f"the server answered {status} with {media_type or 'no media type'}"
    return ArchiveError(f"{what}, which is not the requested data: {text or 'an empty body'}", status=status)


def _member(problem: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 -- one of `kinds`
    """Return a member of a problem document; None if another server sent a different type."""
    value = problem.get(name)
    return value if isinstance(value, kinds) else None


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _message(status: int, body: bytes, problem: Mapping[str, Any]) -> str:
    """Return the detail, with the parameter, the alternative and the job unless the detail names them."""
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
