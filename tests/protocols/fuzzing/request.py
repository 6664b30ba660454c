"""A request with parts that can be broken separately."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, quote_plus

from tests.protocols.fuzzing.valid_bodies import BODIES


@dataclass(frozen=True, slots=True)
class Request:
    """A request; segments and pairs are not escaped."""

    segments: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    method: str = "GET"
    headers: tuple[tuple[str, bytes], ...] = ()
    tail: str = ""
    """Bytes at the end of the query, escaped already."""
    body: bytes = b""

    @property
    def protocol(self) -> str:
        return self.segments[0] or "landing"

    @property
    def raw_path(self) -> bytes:
        return ("/" + "/".join(quote(each, safe="", errors="surrogatepass") for each in self.segments)).encode()

    @property
    def raw_query(self) -> bytes:
        pairs = (tuple(quote_plus(text, errors="surrogatepass") for text in pair) for pair in self.pairs)
        return ("&".join(map("=".join, pairs)) + self.tail).encode()

    def __str__(self) -> str:
        shown = f"{self.method} {self.raw_path.decode()}?{self.raw_query.decode()}"[:600]
        headers = "".join(f"\n    {name}: {value[:200]!r}" for name, value in self.headers)
        return f"{shown}{headers}" + (f"\n    {len(self.body)} bytes: {self.body[:1500]!r}" if self.body else "")


def parse(url: str) -> Request:
    """Return a valid request from its URL: by POST if it has a body."""
    path, _, query = url.partition("?")
    segments, pairs = tuple(path[1:].split("/")), tuple(parse_qsl(query, keep_blank_values=True))
    if url not in BODIES:
        return Request(segments, pairs)
    media_type, body = BODIES[url]
    return Request(segments, pairs, method="POST", headers=(("content-type", media_type.encode()),), body=body)
