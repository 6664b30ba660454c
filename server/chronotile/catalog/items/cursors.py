"""Cursors of pages: where a search goes on, as opaque text that holds for the same search alone."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chronotile.catalog.items.order import is_text
from chronotile.errors import InvalidParameter
from chronotile.model.items import ItemSearch

CHECK_BYTES = 9
MOST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """After which item a page begins."""

    keys: tuple[Any, ...]
    """What the item is sorted by."""
    number: int
    matched: int | None
    """How many match in all, counted for the first page; `None`: very many."""

    def text(self, search: ItemSearch) -> str:
        """Return the cursor of a search."""
        body = orjson.dumps([self.keys, self.number, self.matched])
        return base64.urlsafe_b64encode(_check(search, body) + body).decode().rstrip("=")


def cursor_of(search: ItemSearch, *, are_texts: Sequence[bool] | None, most_matched: int) -> Cursor | None:
    """Return the cursor that a search goes on from; `None`: it begins.

    Args:
        search: With the cursor as text.
        are_texts: Whether each value that items are sorted by is a text, or else a number; `None`: any.
        most_matched: Items that a first page counts.

    Raises:
        InvalidParameter: It is not one of this search.
    """
    text = search.cursor
    if text is None:
        return None
    refused = InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    if len(text) > MOST_TEXT:
        raise refused
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused from error
    check, body = data[:CHECK_BYTES], data[CHECK_BYTES:]
    if check != _check(search, body):
        raise refused
    try:  # anyone can compute a checksum
        keys, number, matched = orjson.loads(body)
    except (ValueError, TypeError) as error:
        raise refused from error
    if not (isinstance(keys, list) and _is_number(number) and (matched is None or _is_number(matched))):
        raise refused
    if number < 0 or not 0 <= (matched or 0) <= most_matched:
        raise refused
    if are_texts is not None and (len(keys) != len(are_texts) or not all(map(_is_sorted_by, keys, are_texts))):
        raise refused
    return Cursor(tuple(keys), number, matched)


def _is_sorted_by(value: object, is_text_wanted: bool) -> bool:
    if value is None:
        return True
    if is_text_wanted:
        return isinstance(value, str) and is_text(value)
    return isinstance(value, float) or _is_number(value)


def _is_number(value: object) -> bool:
    """Whether it is an integer that databases have."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _check(search: ItemSearch, body: bytes) -> bytes:
    """Bytes by which a cursor that was changed, or is of another search, is found out."""
    told: Sequence[Any] = (
        *(search.collections, search.bbox, str(search.span), search.ids, search.sort),
        None if search.filter is None else orjson.dumps(search.filter, option=orjson.OPT_SORT_KEYS, default=str),
        body,
    )
    return hashlib.blake2b(
        repr(told).encode("utf-8", "surrogatepass"), digest_size=CHECK_BYTES, person=b"items"
    ).digest()
