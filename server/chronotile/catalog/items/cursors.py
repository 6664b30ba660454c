"""Cursors of pages: where a search goes on, as opaque text that holds for the same search alone."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson

from chronotile.catalog.items.properties import is_text
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.items import ItemSearch

CHECK_BYTES = 9
MOST_TEXT = 16_000
"""Characters of a cursor: of four ids of which each character has six in JSON."""
PARTS = 3


@dataclass(frozen=True, slots=True)
class ItemCursor:
    """After which item a page begins."""

    keys: tuple[Any, ...]
    """What the item is sorted by."""
    number: int
    matched: int | None
    """How many match in all, counted for the first page; `None`: very many."""

    def text(self, search: ItemSearch) -> str:
        """Return the cursor of a search."""
        return seal(orjson.dumps([self.keys, self.number, self.matched]), what_is_searched(search))


def seal(body: bytes, subject: bytes) -> str:
    """Return text that holds a body, for one subject; `unsealed` finds out whether it was changed."""
    return base64.urlsafe_b64encode(_check(subject, body) + body).decode().rstrip("=")


def unseal(text: str, subject: bytes, refused: InvalidParameter) -> Any:  # noqa: ANN401 -- JSON
    """Return what a text holds, as JSON: anyone can compute its checksum, so that its values are still to be checked.

    Raises:
        InvalidParameter: `refused`: it was changed, or belongs to another subject.
    """
    if len(text) > MOST_TEXT:
        raise refused
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
        check, body = data[:CHECK_BYTES], data[CHECK_BYTES:]
        if check != _check(subject, body):
            raise refused
        return orjson.loads(body)
    except (binascii.Error, ValueError, TypeError) as error:
        raise refused from error


def cursor_of(search: ItemSearch, *, are_texts: Sequence[bool] | None, most_matched: int) -> ItemCursor | None:
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
    found = unseal(text, what_is_searched(search), refused)
    if not (isinstance(found, list) and len(found) == PARTS):
        raise refused
    keys, number, matched = found
    if not (isinstance(keys, list) and is_number(number) and (matched is None or is_number(matched))):
        raise refused
    if number < 0 or not 0 <= (matched or 0) <= most_matched:
        raise refused
    if are_texts is not None and (len(keys) != len(are_texts) or not all(map(_is_sorted_by, keys, are_texts))):
        raise refused
    return ItemCursor(tuple(keys), number, matched)


def _is_sorted_by(value: object, is_text_wanted: bool) -> bool:
    if value is None:
        return True
    if is_text_wanted:
        return isinstance(value, str) and is_text(value)
    return isinstance(value, float) or is_number(value)


def is_number(value: object) -> TypeGuard[int]:
    """Return whether it is an integer that databases have."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def what_is_searched(search: ItemSearch) -> bytes:
    """Return what the pages of a search have in common: all but their limit and cursor."""

    def as_json(value: Mapping[str, Any] | None) -> bytes | None:
        return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)

    told: Sequence[Any] = (
        *(search.collections, search.bbox, str(search.span), search.ids, search.sort),
        *(as_json(search.filter), as_json(search.geometry)),
    )
    return repr(told).encode("utf-8", "surrogatepass")


def _check(subject: bytes, body: bytes) -> bytes:
    """Bytes by which a cursor that was changed, or is of another search, is found out."""
    digest = hashlib.blake2b(subject, digest_size=CHECK_BYTES, person=b"items")
    digest.update(b"\0" + body)
    return digest.digest()
