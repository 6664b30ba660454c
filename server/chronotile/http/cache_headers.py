"""Cache-Control, Warning and Chronotile-Time headers of answers.

A complete answer may be cached for a time that depends on its address and its times. An answer that lacks dates, items
or collections may be cached for a minute, and its Warning header lists them.
"""

from collections.abc import Iterable, Sequence, Sized
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from chronotile.core.model.collection import Layer
from chronotile.core.model.items import Unanswered
from chronotile.core.model.payload import Missing, TimeUsed
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.search.search_items import live_names
from chronotile.pipeline.services import Services

CACHE_IMMUTABLE = "public, max-age=31536000, immutable"
"""The address contains the revision of the layer, so the answer never changes."""
CACHE_STABLE = "public, max-age=300, stale-while-revalidate=86400"
"""The answer changes only if the configuration or existing files change."""
CACHE_CHANGING = "public, max-age=60, stale-while-revalidate=60"
"""The answer depends on the newest time or on the list of layers: caches serve it for at most two minutes."""
CACHE_INCOMPLETE = "public, max-age=60"
"""The answer lacks dates, items or collections, which may be readable again soon."""

MAX_LISTED = 16
"""Instants or items that one header lists; a Warning header counts the others."""


def cache_headers(missing: Missing, *, is_immutable: bool = False, is_open: bool) -> dict[str, str]:
    """Return `Cache-Control`, and `Warning` if the answer is incomplete.

    Args:
        missing: Dates and items that could not be read.
        is_immutable: Whether the address contains a revision that is the answer's, as `RevisionCheck.is_immutable`
            finds.
        is_open: Whether the times follow the newest data (`TimeSelection.is_open`).
    """
    if missing:
        times, items = missing.unreadable_times, missing.skipped_items
        warnings = (
            [_warning("unreadable", [format_instant(time) for time in times[:MAX_LISTED]], times)] if times else []
        )
        warnings += [format_skipped_warning(items)] if items else []
        warnings += [f'199 - "{missing.note}"'] if missing.note else []
        return {"Cache-Control": CACHE_INCOMPLETE, "Warning": ", ".join(warnings)}
    if is_immutable:
        return {"Cache-Control": CACHE_IMMUTABLE}
    return {"Cache-Control": CACHE_CHANGING if is_open else CACHE_STABLE}


def format_times_used(time: TimeUsed) -> str:
    """Return the value of `Chronotile-Time`: the instants, newest first, or their interval if there are many.

    The instants that a difference is relative to follow as the parameter `difference`.
    """
    value = _format_instants(time.instants)
    return f"{value};difference={_format_instants(time.base)}" if time.base else value


def _format_instants(instants: tuple[Instant, ...]) -> str:
    if len(instants) > MAX_LISTED:
        return f"{format_instant(instants[-1])}/{format_instant(instants[0])}"
    return ",".join(format_instant(instant) for instant in instants)


def format_skipped_warning(items: Sequence[str]) -> str:
    """Return the warning that lists items that could not be read."""
    return _warning("left out", [quote(item, safe=" :()+,;=@!*") for item in items[:MAX_LISTED]], items)


def _warning(text: str, listed: Sequence[str], values: Sized) -> str:
    # RFC 7234 §5.5: code 199, no agent, quoted text. `listed` are the first of `values`.
    n_more = len(values) - len(listed)
    return f'199 - "{text}: {", ".join(listed)}{f", and {n_more} more" if n_more else ""}"'


def unanswered_members(unanswered: Sequence[Unanswered]) -> list[dict[str, Any]]:
    """Return the JSON members of collections whose items are missing in a search, completely or partly."""
    return [
        {"collection": entry.collection, "reason": entry.reason, "partial": entry.is_partial} for entry in unanswered
    ]


def format_unanswered_warning(unanswered: Sequence[Unanswered]) -> str:
    """Return the warnings that list collections without items in a search, and collections with some of their items."""
    collections = {
        "left out": [quote(entry.collection) for entry in unanswered if not entry.is_partial],
        "incomplete": [quote(entry.collection) for entry in unanswered if entry.is_partial],
    }
    return ", ".join(f'199 - "{text}: {", ".join(names)}"' for text, names in collections.items() if names)


def add_missing_warning(response: Response, unanswered: Sequence[Unanswered]) -> Response:
    """List the collections whose items are missing in a search, and limit caching; unchanged if there are none."""
    if unanswered:
        warning = format_unanswered_warning(unanswered)
        response.headers.update({"Warning": warning, "Cache-Control": CACHE_INCOMPLETE})
    return response


def add_live_warning(response: Response, layers: Iterable[Layer], services: Services) -> Response:
    """Warn that series over live collections contain only items that earlier searches returned.

    The items of a live collection are in another STAC API, which is searched when a map is requested. Each search may
    add items, so the series is cached like any incomplete answer.
    """
    mosaics = {layer.collection for layer in layers if layer.main_variable.is_mosaic}
    live = mosaics.intersection(live_names(services) if mosaics else ())
    if live:
        names = ", ".join(map(quote, sorted(live)))
        warning = f'199 - "incomplete: {names}; items that were searched for are here, not all"'
        headers = response.headers
        headers["Warning"] = ", ".join(filter(None, [headers.get("Warning"), warning]))
        headers["Cache-Control"] = CACHE_INCOMPLETE
    return response
