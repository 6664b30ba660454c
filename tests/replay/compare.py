"""How an answer differs from a recorded one, in words."""

import difflib
import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from lxml import etree
from PIL import Image

from tests.replay.answers import Seen

LINES = 24
"""Number of shown lines of a difference of two texts."""
WIDEST = 200


def differences(recorded: Seen, now: Seen) -> list[str]:
    """Return how an answer differs: status, each header, body."""
    if recorded == now:
        return []
    found = [] if recorded.status == now.status else [f"status {recorded.status} → {now.status}"]
    before, after = _by_name(recorded), _by_name(now)
    for name in sorted(before.keys() | after.keys()):
        found += _of_header(name, before.get(name), after.get(name))
    if recorded.digest != now.digest:
        found.append(f"body: {_size(recorded)} → {_size(now)}" + (", other bytes" if recorded.size == now.size else ""))
    return found


def _of_header(name: str, before: str | None, after: str | None) -> Iterator[str]:
    if before == after:
        return
    if before is None:
        yield f"header {name} is new: {after!r}"
    elif after is None:
        yield f"header {name} is gone; it was {before!r}"
    else:
        yield f"header {name}: {before!r} → {after!r}"


def _by_name(seen: Seen) -> dict[str, str]:
    """Return headers by name; values of repeated headers are joined."""
    found = dict[str, str]()
    for name, value in seen.headers:
        found[name] = f"{found[name]} | {value}" if name in found else value
    return found


def _size(seen: Seen) -> str:
    return f"{seen.size:,} bytes" if seen.size else "none"


def of_bodies(before: bytes, after: bytes, media_type: str) -> list[str]:
    """Return how two bodies differ: the first lines of texts, the pixels of pictures."""
    if media_type.startswith("image/") and "svg" not in media_type:
        return [_of_pictures(before, after)]
    texts = [_text(each, media_type) for each in (before, after)]
    if None in texts:
        place = next((place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
        return [f"the first byte that differs is {min(len(before), len(after)) if place is None else place:,}"]
    lines = (each.splitlines() for each in texts if each is not None)
    diff = difflib.unified_diff(*lines, "before", "now", lineterm="", n=1)
    return [line[:WIDEST] for line in islice(diff, 2, LINES)]


def _of_pictures(before: bytes, after: bytes) -> str:
    try:
        first, second = (
            np.asarray(Image.open(io.BytesIO(each)).convert("RGBA")).astype(int) for each in (before, after)
        )
    except OSError as error:
        return f"no picture: {error}"
    if first.shape != second.shape:
        return f"{first.shape[1]} x {first.shape[0]} pixels → {second.shape[1]} x {second.shape[0]}"
    differing = np.abs(first - second).max(axis=-1)
    count = np.count_nonzero(differing)
    return f"{count:,} of {differing.size:,} pixels differ, by {differing.max()} at most"


def _text(body: bytes, media_type: str) -> str | None:
    """Return a body as lines: JSON and XML are laid out."""
    try:
        if "json" in media_type:
            return json.dumps(json.loads(body), indent=1, ensure_ascii=False)
        if "xml" in media_type:
            root: Any = etree.fromstring(body)
            etree.indent(root)
            return str(etree.tostring(root, encoding="unicode"))
        text = body.decode()
    except (ValueError, etree.XMLSyntaxError):
        return None if b"\0" in body else body.decode("latin-1")
    return None if "\0" in text else text
