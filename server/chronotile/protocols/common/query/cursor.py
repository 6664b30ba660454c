"""Pages along time: where one begins, and the URL of the next."""

from collections.abc import Sequence
from urllib.parse import urlencode

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.time.instants import Instant, format_instant
from chronotile.model.time.parsing import parse_instant
from chronotile.protocols.common.query.kvp import Kvp


def cursor_of(query: Kvp) -> Instant | None:
    """Return the first instant that may be in the page, `None` of the first page.

    Raises:
        InvalidParameter: `cursor` is no instant.
    """
    text = query.optional("cursor")
    if text is None:
        return None
    try:
        return parse_instant(text).start
    except InvalidParameter as error:
        raise InvalidParameter(
            f"cursor must be as `next` gives it, got {text[:MAX_SHOWN]!r}", locator="cursor"
        ) from error


def url_of_page(path: str, query: Sequence[tuple[str, str]], cursor: Instant) -> str:
    """Return the URL of the page that begins there.

    Args:
        path: URL without a query.
        query: What was asked, to be asked again.
        cursor: The first instant of the page.
    """
    kept = [(name, value) for name, value in query if name.lower() != "cursor"]
    return f"{path}?{urlencode([*kept, ('cursor', format_instant(cursor))])}"
