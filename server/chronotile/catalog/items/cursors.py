"""Cursors of pages: opaque texts that continue one search and are rejected by any other."""

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
MAX_TEXT = 16_000
"""Characters of a cursor: four ids whose characters are all escaped in JSON."""
PARTS = 3


@dataclass(frozen=True, slots=True)
class ItemCursor:
    """The last item of a page; the next page starts after it."""

    keys: tuple[Any, ...]
    """Values of the item that the search is sorted by."""
    number: int
    matched: int | None
    """Number of matching items, counted for the first page; `None` if there are too many to count."""

    def text(self, search: ItemSearch) -> str:
        """Return the cursor of a search."""
        return seal(orjson.dumps([self.keys, self.number, self.matched]), what_is_searched(search))


def seal(body: bytes, subject: bytes) -> str:
    """Return the body as text with a checksum for one subject, which `unseal` verifies."""
    return base64.urlsafe_b64encode(_check(subject, body) + body).decode().rstrip("=")


def unseal(text: str, subject: bytes, refused: InvalidParameter) -> Any:  # noqa: ANN401 -- JSON
    """Return the JSON value in a text. Clients can compute the checksum: the value must still be validated.

    Raises:
        InvalidParameter: This is `refused`; the text was changed or belongs to another subject.
    """
    if len(text) > MAX_TEXT:
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
    """Return the parsed cursor of a search; `None` for the first page.

    Args:
        search: The search, with the cursor as text.
        are_texts: For each sort value, whether it is a text rather than a number; `None` skips this check.
        most_matched: Largest count of matching items.

    Raises:
        InvalidParameter: The cursor does not belong to this search.
    """
    text = search.cursor
    if text is None:
        return None
    refused = InvalidParameter("cursor does not belong to a page of this search", locator="cursor")
    parts = unseal(text, what_is_searched(search), refused)
    if not (isinstance(parts, list) and len(parts) == PARTS):
        raise refused
    keys, number, matched = parts
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
    """Return whether it is an integer of at most 64 bits, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def what_is_searched(search: ItemSearch) -> bytes:
    """Return the identity of a search: all its parameters except limit and cursor."""

    def as_json(value: Mapping[str, Any] | None) -> bytes | None:
        return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)

    parameters: Sequence[Any] = (
        *(search.collections, search.bbox, str(search.span), search.ids, search.sort),
        *(as_json(search.filter), as_json(search.geometry)),
    )
    return repr(parameters).encode("utf-8", "surrogatepass")


def _check(subject: bytes, body: bytes) -> bytes:
    """Return the checksum of a body for one subject."""
    digest = hashlib.blake2b(subject, digest_size=CHECK_BYTES, person=b"items")
    digest.update(b"\0" + body)
    return digest.digest()
