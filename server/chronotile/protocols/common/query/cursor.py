"""Pages of lists that are ordered by time: their cursor, and the URL of the next page."""

from collections.abc import Sequence
from urllib.parse import urlencode

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant
from chronotile.protocols.common.query.parameter import custom


def _parse_cursor(text: str) -> Instant:
    try:
        return parse_instant(text).start
    except InvalidParameter as error:
        message = f"cursor must be taken from the link `next`, got {text[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="cursor") from error


CURSOR = custom("cursor", "Start of the page, from the link `next`", _parse_cursor)
"""First instant of a page."""


def url_of_page(path: str, query: Sequence[tuple[str, str]], cursor: Instant) -> str:
    """Return the URL of the page that starts at a cursor.

    Args:
        path: URL without a query.
        query: Query of the current page.
        cursor: First instant of the page.
    """
    parameters = [(name, value) for name, value in query if name.lower() != "cursor"]
    return f"{path}?{urlencode([*parameters, ('cursor', format_instant(cursor))])}"
