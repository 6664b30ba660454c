"""Ranges of bytes of one file, those that lie near together as one request."""

from collections.abc import Sequence

PART_BYTES = 1 << 20
"""Most of a file that one request fetches: within `REQUEST_S` on a line of 130 kB/s."""
GAP_BYTES = 16 << 10
"""Between two ranges that one request fetches together."""


def joined(ranges: Sequence[tuple[int, int]]) -> list[range]:
    """Return what to request for several (offset, size): near ones as one, in parts of at most `PART_BYTES`."""
    spans: list[range] = []
    for offset, size in sorted(ranges):
        if spans and offset - spans[-1].stop <= GAP_BYTES:
            spans[-1] = range(spans[-1].start, max(spans[-1].stop, offset + size))
        else:
            spans.append(range(offset, offset + size))
    return [
        range(start, min(start + PART_BYTES, span.stop))
        for span in spans
        for start in range(span.start, span.stop, PART_BYTES)
    ]


def cut(offset: int, size: int, parts: Sequence[range], found: Sequence[bytes]) -> bytes:
    """Return the bytes of one range out of those of all parts."""
    return b"".join(
        data[max(offset, part.start) - part.start : min(offset + size, part.stop) - part.start]
        for part, data in zip(parts, found, strict=True)
        if part.start < offset + size and part.stop > offset
    )
