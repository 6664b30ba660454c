"""A recorded request, in the form of the file and in the form that is sent."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.protocols.fuzzing.judging import Answer
from tests.protocols.fuzzing.request import Request as Broken

DO = "DO"
"""Method of a pseudo-request: the oldest waiting job is done, as by a worker."""
JOB, ETAG, MODIFIED = "{job}", "{etag}", "{modified}"
"""Stand for the id of the job that was accepted last, and for headers of the last answer to GET of the same target."""
REPEATED = re.compile(r"\{(\w)\*(\d+)\}")
"""A character, so many times."""


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes are texts, a character each (Latin-1)."""

    method: str
    target: str
    """Path and query in their sent form."""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    @classmethod
    def of(cls, request: Broken) -> "Request":
        """Return a request of the tests of broken requests."""
        query = request.raw_query.decode()
        return cls(
            request.method,
            request.raw_path.decode() + (f"?{query}" if query else ""),
            tuple((name, value.decode("latin-1")) for name, value in request.headers),
            request.body.decode("latin-1"),
        )

    @classmethod
    def read(cls, text: str) -> "Request":
        """Return the request of a text that `str` has written."""
        line, _, more = text.partition("\t")
        method, _, target = line.partition(" ")
        headers, body = json.loads(more) if more else ((), "")
        return cls(method, target, tuple((name, value) for name, value in headers), body)

    def __str__(self) -> str:
        more = [self.headers, self.body]
        return f"{self.method} {self.target}" + (f"\t{json.dumps(more)}" if any(more) else "")

    def having(self, *headers: tuple[str, str], method: str = "") -> "Request":
        """Return the request with additional headers."""
        return Request(method or self.method, self.target, (*self.headers, *headers), self.body)


@dataclass
class Memory:
    """Values from earlier answers that later requests use."""

    job: str = ""
    seen: dict[str, Answer] = field(default_factory=dict)
    """Answers to GET, by target."""

    def filled(self, text: str, target: str) -> str:
        """Return a text of a request with its placeholders replaced."""
        if "{" not in text:
            return text
        told = self.seen[target].headers if target in self.seen else {}
        text = text.replace(JOB, self.job).replace(ETAG, told.get("etag", '"none"'))
        text = text.replace(MODIFIED, told.get("last-modified", "Sun, 01 Mar 2026 12:00:00 GMT"))
        return REPEATED.sub(lambda found: found[1] * int(found[2]), text)

    def note(self, request: Request, answer: Answer) -> None:
        """Store the values of an answer."""
        if request.method == "GET" and not request.headers:
            self.seen[request.target] = answer
        location = answer.headers.get("location", "")
        if answer.status == 201 and "/jobs/" in location:
            self.job = location.rpartition("/")[2].partition("?")[0]


def unlike(requests: Iterable[Request]) -> list[Request]:
    """Return requests without duplicates of earlier ones."""
    return list(dict.fromkeys(requests))
