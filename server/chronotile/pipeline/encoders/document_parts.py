"""Parts of JSON documents: lists that are made while they are sent, arrays and instants."""

from collections.abc import Generator, Iterable, Iterator

import numpy as np
import orjson

from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray

MIN_BYTES = 1 << 16
"""Minimum size of a part, except the last."""


def stream_with_list(document: bytes, name: str, members: Iterable[bytes], *, tail: bytes = b"{}") -> Generator[bytes]:
    """Yield a JSON object with one more member: a list that is made while it is sent.

    Args:
        document: The object without the list; it has at least one member.
        name: Name of the list.
        members: Members of the list, each as JSON.
        tail: An object whose members follow the list.
    """
    yield from join_parts(_parts(document, name, members, tail))


def join_parts(parts: Iterable[bytes]) -> Generator[bytes]:
    """Yield the bytes of parts of a document, joined to pieces of at least `MIN_BYTES`."""
    pieces, size = list[bytes](), 0
    for part in parts:
        pieces.append(part)
        size += len(part)
        if size >= MIN_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _parts(document: bytes, name: str, members: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield document[:-1] + f',"{name}":['.encode()
    for number, member in enumerate(members):
        yield b"," + member if number else member
    yield b"]" + (b"," if len(tail) > len(b"{}") else b"") + tail[1:]


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""Write arrays, and instants in them like `format_instant`."""


def json_instants(instants: InstantArray) -> orjson.Fragment:
    """Return (time,) instants as JSON that can be part of many documents without being written again.

    Whole seconds are written by orjson, 30 times as fast as by `format_instants`.
    """
    is_whole = np.array_equal(instants.astype("datetime64[s]"), instants)  # never of a NaT
    listed = np.ascontiguousarray(instants) if is_whole else format_instants(instants)
    return orjson.Fragment(dump_json(listed))


def dump_json(document: object) -> bytes:
    """Return a document as JSON; it may contain arrays of numbers and instants."""
    return orjson.dumps(document, option=_OPTIONS)


def format_instants(instants: InstantArray) -> list[str | None]:
    """Return the text of `format_instant` for (time,) instants; ten times as fast if all are whole seconds.

    `None` stands for `NaT`, the time of the only value of a layer without time.
    """
    if np.isnat(instants).any():
        return [None if np.isnat(instant) else format_instant(instant) for instant in instants]
    seconds = instants.astype("datetime64[s]")
    if not np.array_equal(seconds, instants):
        return [format_instant(instant) for instant in instants]
    return [f"{text}Z" for text in np.datetime_as_string(seconds).tolist()]
