"""Pages along time: where one begins, and the URL of the next."""

from collections.abc import Sequence
from urllib.parse import urlencode

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant
from chronotile.protocols.common.query.parameter import custom


def _cursor(given: str) -> Instant:
    try:
        return parse_instant(given).start
    except InvalidParameter as error:
        message = f"cursor must be taken from the link `next`, got {given[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="cursor") from error


CURSOR = custom("cursor", "Start of the page, from the link `next`", _cursor)
"""The first instant that may be in a page."""


def url_of_page(path: str, query: Sequence[tuple[str, str]], cursor: Instant) -> str:
    """Return the URL of the page that begins there.

    Args:
        path: URL without a query.
        query: Of this page.
        cursor: The first instant of the page.
    """
    others = [(name, value) for name, value in query if name.lower() != "cursor"]
    return f"{path}?{urlencode([*others, ('cursor', format_instant(cursor))])}"
