"""The file of a recording: requests in order and the recorded answers; common headers are stored only one time.

A line of an answer has, between tabs: method and target, additional headers and the body of the request as JSON (if
any), status, number of the set of common headers, the other headers of this answer as JSON, size and digest of the
body.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.replay.answers import Seen
from tests.replay.request import Request

FILE = Path(__file__).parent / "recording.tsv"
SHARED = 2
"""Headers with the same value in this number of answers are in a set."""
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A request of an archive, and its answer."""

    archive: str
    request: Request
    seen: Seen


def written(rows: Sequence[Row]) -> str:
    """Return the text of a recording."""
    counts = Counter(header for row in rows for header in row.seen.headers)
    headers: dict[tuple[str, str], int] = {}
    sets: dict[tuple[int, ...], int] = {}
    lines = []
    archive = None
    for row in rows:
        if row.archive != archive:
            archive = row.archive
            lines.append(f"# {archive}")
        shared = (header for header in row.seen.headers if counts[header] >= SHARED)
        own = [header for header in row.seen.headers if counts[header] < SHARED]
        number = sets.setdefault(tuple(headers.setdefault(header, len(headers)) for header in shared), len(sets))
        told = [row.seen.status, number, _json(own) if own else "", row.seen.size, row.seen.digest]
        request, _, more = str(row.request).partition("\t")
        lines.append("\t".join(map(str, [request, more, *told])))
    of_sets = (" ".join(map(str, numbers)) for numbers in sets)
    of_headers = (f"{name}: {value}" for name, value in headers)
    return "\n".join(["# headers", *of_headers, "# sets of headers, by their lines", *of_sets, *lines, ""])


def read(text: str) -> list[Row]:
    """Return the rows of a recording."""
    (_, headers), (_, of_sets), *archives = _sections(text)
    pairs = [tuple(line.split(": ", 1)) for line in headers]
    sets = [tuple(pairs[int(number)] for number in line.split()) for line in of_sets]
    return [_row(name, line, sets) for name, lines in archives for line in lines]


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in f"\n{text.removesuffix(chr(10))}".split("\n# ")[1:]:
        name, *lines = part.split("\n")
        yield name, lines


def _row(archive: str, line: str, sets: Sequence[Headers]) -> Row:
    request, more, status, number, own, size, digest = line.split("\t")
    headers = tuple(sorted((*sets[int(number)], *(_headers(own) if own else ()))))
    seen = Seen(int(status), headers, int(size), digest)
    return Row(archive, Request.read(f"{request}\t{more}" if more else request), seen)


def _headers(text: str) -> Headers:
    return tuple((name, value) for name, value in json.loads(text))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
