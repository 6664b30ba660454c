"""Requests and answers as values, and the repetition of failed requests.

An exchange is a generator that yields requests and pauses and receives answers; it opens no connection. The two
transports (`transport.py`) run the same exchanges: one blocks, the other uses `await`.
"""

import json
import random
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from chronotile_client.errors import GATEWAY_STATUSES, ArchiveError, Unavailable, error_from, unreadable

Result = TypeVar("Result")

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
"""The texts of a header `Warning`."""
PAGE = "text/html"
"""Media type of answers of proxies and login pages."""


def media_type_of(headers: Mapping[str, str]) -> str:
    """Return the media type of an answer without parameters; empty if it is missing."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, below the address of the server."""

    path: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = True
    """Whether it may be sent again although the server may have received it."""
    to: Path | None = None
    """The file that receives the body of the answer, instead of memory."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Keys are in lower case."""
    body: bytes
    is_saved: bool = False
    """Whether the body is in the file of the request, instead of in `body`."""

    @property
    def media_type(self) -> str:
        """Its media type, without parameters."""
        return media_type_of(self.headers)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that is the body.

        Raises:
            ArchiveError: The body is not a JSON object.
        """
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise unreadable(self.status, self.media_type, self.body) from error
        if not isinstance(found, dict):
            raise unreadable(self.status, self.media_type, self.body)
        return found

    @property
    def warnings(self) -> list[str]:
        """The texts of the header `Warning`."""
        return [text.replace('\\"', '"') for text in QUOTED.findall(self.headers.get("warning", ""))]


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or a part of one."""

    reason: str
    was_sent: bool
    """Whether the server may have received the request."""
    is_final: bool = False
    """Whether another attempt would also fail."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait between two requests."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning for the user."""

    text: str


Exchange: TypeAlias = Generator[Request | Pause | Notice, Response | None, Result]
"""Yields requests, pauses and notices. Receives an answer of 200 to 299 per request, and None otherwise."""
Steps: TypeAlias = Generator[Request | Pause, Response | Failure | None, Result]
"""An exchange for transports: it yields no notices and also receives failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how long a request is repeated."""

    count: int = 4
    """Maximum number of repetitions."""
    first_pause_s: float = 0.5
    """The first pause; each following pause is twice as long."""
    most_wait_s: float = 60.0
    """Maximum of all pauses of one request; if the server requires a longer wait, the request fails."""

    def pause_s(self, attempt: int, answer: Response | Failure) -> float:
        """Return the wait after an attempt, counted from 0: the server's `Retry-After`, or twice the previous wait."""
        if isinstance(answer, Response) and (stated := retry_after_s(answer.headers.get("retry-after"))) is not None:
            return stated
        return float(self.first_pause_s * 2**attempt * random.uniform(0.75, 1.25))


def fetch(request: Request) -> Exchange[Response]:
    """Return the answer to one request.

    Raises:
        ArchiveError: The answer is a web page or empty; valid answers to requests of this package are neither.
    """
    answer = yield request
    if answer is None:
        raise TypeError("a request has an answer")
    if answer.media_type == PAGE or not (answer.body or answer.is_saved):
        raise unreadable(answer.status, answer.media_type, answer.body)
    return answer


def with_retries(exchange: Exchange[Result], retries: Retries, warned: list[str]) -> Steps[Result]:
    """Run an exchange, repeat requests with a temporary failure, and add the server's warnings to `warned`.

    Raises:
        ArchiveError: A request was refused, or all its attempts failed, and the exchange does not handle it.
    """
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Notice):
                warned.append(step.text)
                step = exchange.send(None)
            elif isinstance(step, Pause):
                yield step
                step = exchange.send(None)
            else:
                try:
                    answer = yield from _answer(step, retries)
                except ArchiveError as error:
                    step = exchange.throw(error)
                else:
                    warned.extend(answer.warnings)
                    step = exchange.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration has no type for what it carries


def _answer(request: Request, retries: Retries) -> Steps[Response]:
    waited_s, attempt = 0.0, 0
    while True:
        answer = yield request
        if isinstance(answer, Response) and answer.status < 300:
            return answer
        if answer is None:
            raise TypeError("a request has an answer")
        pause_s = retries.pause_s(attempt, answer)
        is_over = attempt >= retries.count or waited_s + pause_s > retries.most_wait_s
        if is_over or not _may_repeat(request, answer):
            raise _error(answer, attempts=attempt + 1)
        yield Pause(pause_s)
        waited_s, attempt = waited_s + pause_s, attempt + 1


def _may_repeat(request: Request, answer: Response | Failure) -> bool:
    if isinstance(answer, Failure):
        return not answer.is_final and (request.is_repeatable or not answer.was_sent)
    # A server that refuses too many requests has not executed them; behind a gateway it may have executed this one.
    return answer.status in ({429, 503} if not request.is_repeatable else GATEWAY_STATUSES)


def _error(answer: Response | Failure, *, attempts: int) -> ArchiveError:
    if isinstance(answer, Response):
        return error_from(answer.status, answer.body)
    times = f" ({attempts} attempts)" if attempts > 1 else ""
    return Unavailable(f"{answer.reason}{times}")


def retry_after_s(text: str | None) -> float | None:
    """Return the seconds of a header `Retry-After`, in either of its forms; None if it is missing or invalid."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
