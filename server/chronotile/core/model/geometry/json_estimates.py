"""Estimates of the contents of JSON before it is parsed; parsed GeoJSON takes ten times the memory of its text."""

import numpy as np

BYTES_AT_ONCE = 1 << 20

VALUE_BYTES, QUOTE_BYTES, MEMBER_BYTES, LIST_BYTES, OBJECT_BYTES = 52, 20, 80, 90, 90
"""Bytes of the objects that are created per comma, quote, colon, list and object."""

MIN_POSITION_BYTES = 6
"""Minimum length of a position with its comma."""

FIRST_OF_FOUR = 0xF0
"""Smallest first byte of a UTF-8 character with four bytes."""


def features_in(body: bytes) -> int:
    """Return the number of features in the text of a FeatureCollection, or fewer."""
    return min(body.count(b'"geometry"'), body.count(b'"Feature"'))


def containers_in(body: bytes) -> int:
    """Return the number of lists and objects in a text, or more. Each takes 64 bytes or more."""
    return body.count(b"[") + body.count(b"{")


def holes_in(body: bytes) -> int:
    """Return the number of rings that follow another ring of their polygon; lines in a list of lines count too."""
    text = body.translate(None, b" \t\n\r")
    return text.count(b"]],[[") - text.count(b"]]],[[[")


def memory_of_json(text: bytes) -> int:
    """Return the maximum memory for parsing JSON: the text, copies by orjson, and new objects.

    Measured with orjson and 20 MB each of lists, objects, numbers, strings and members: 1 to 2 times the actual memory,
    0.9 times for numbers with one digit and strings with letters of two bytes.
    """
    commas, quotes, colons = (text.count(mark) for mark in (b",", b'"', b":"))
    values = VALUE_BYTES * commas + QUOTE_BYTES * quotes + MEMBER_BYTES * colons
    containers = LIST_BYTES * text.count(b"[") + OBJECT_BYTES * text.count(b"{")
    return (2 + text_width(text)) * len(text) + values + containers


def text_width(text: bytes) -> int:
    """Return the maximum number of bytes per character in parsed strings: 1, 2 or 4, depending on the widest."""
    if text.isascii() and b"\\u" not in text:
        return 1
    widest = int(np.frombuffer(text, np.uint8).max())
    if widest >= FIRST_OF_FOUR or b"\\ud" in text or b"\\uD" in text:
        return 4
    return 2


def positions_in(body: bytes, *, more_than: int) -> int:
    """Return the number of positions in a text, or fewer; 0 if it is too short for more than `more_than`.

    Lists of numbers in properties count too.
    """
    if len(body) < MIN_POSITION_BYTES * more_than:
        return 0
    count, last = 0, np.zeros(1, dtype=np.uint8)
    for start in range(0, len(body), BYTES_AT_ONCE):
        part = np.frombuffer(body, np.uint8, min(BYTES_AT_ONCE, len(body) - start), start)
        part = part[part > ord(" ")]
        if not part.size:
            continue
        before = np.concatenate([last, part[:-1]])
        count += int(np.count_nonzero((part == ord("]")) & (before >= ord("0")) & (before <= ord("9"))))
        last = part[-1:]
    return count
