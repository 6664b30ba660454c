"""Recorded parts of an answer, without those that differ between runs."""

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b

from tests.protocols.fuzzing.judging import Answer
from tests.replay.request import Request

BUILT = re.compile(r"/(clients|viewer)/(?!config\.json)")
"""Files that npm and pip have built in the checkout: bytes depend on the tools, times on when they ran."""
DURATION = re.compile(r"dur=[\d.]+")
SAMPLE = re.compile(rb"^(?P<name>[^#\s]+(\{.*\})?) \S+$", re.MULTILINE)
"""A line of a metric with its value."""
OF_PROCESS = re.compile(rb"^(?:# (?:HELP|TYPE) )?(?:process|python)_.*\n", re.MULTILINE)
"""Metrics of the library of metrics: which there are depends on the machine."""
RULES = (
    ("Server-Timing", "the names of the steps, without their milliseconds"),
    ("/metrics", "names and labels, without values; metrics of process and Python are left out"),
    ("Content-Length", "`=` where it is the size of the body"),
    ("files below /viewer/ and /clients/", "without Last-Modified, ETag, size and body: npm and pip have built them"),
)
"""Normalised parts. `Date` belongs to the server and is missing from the headers of an application."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Recorded parts of an answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Sorted."""
    size: int
    """Size of the body in bytes."""
    digest: str
    """Digest of the body: 8 bytes, in base64."""

    @property
    def outline(self) -> "Seen":
        """Status and media type, which are independent of compression and processor."""
        return Seen(self.status, tuple(pair for pair in self.headers if pair[0] == "content-type"), 0, "-")


def seen_of(request: Request, answer: Answer) -> tuple[Seen, bytes]:
    """Return the recorded parts of an answer and the digested body."""
    path = request.target.partition("?")[0]
    left_out, body = set[str](), answer.body
    if path == "/metrics" and answer.status == 200:
        left_out |= {"content-length"}
        body = SAMPLE.sub(rb"\g<name>", OF_PROCESS.sub(b"", answer.content)) if body else b""
    if BUILT.match(path) and answer.status < 400:
        left_out |= {"content-length", "etag", "content-range", "last-modified"}
        body = b""
    pairs = ((name, _value(name, value, len(body))) for name, value in answer.pairs if name not in left_out)
    digest = urlsafe_b64encode(blake2b(body, digest_size=8).digest()).rstrip(b"=").decode() if body else "-"
    return Seen(answer.status, tuple(sorted(pairs)), len(body), digest), body


def _value(name: str, value: str, size: int) -> str:
    if name == "server-timing":
        return DURATION.sub("dur=…", value)
    return "=" if name == "content-length" and value == str(size) else value
