"""What answers say of collections of which they lack items."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from starlette.responses import Response

from chronotile.model.collection import Layer
from chronotile.model.items import Unanswered
from chronotile.pipeline.search.served_index import live_names
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.responses.respond import INCOMPLETE


def unanswered_members(unanswered: Sequence[Unanswered]) -> list[Json]:
    """Return the collections of which an answer lacks items, each with the reason, and whether it has some of them."""
    return [{"collection": each.collection, "reason": each.reason, "partial": each.is_partial} for each in unanswered]


def unanswered_warning(unanswered: Sequence[Unanswered]) -> str:
    """Return the warnings (RFC 7234 §5.5) that name the collections that are left out, and the incomplete ones."""
    left_out = [quote(each.collection) for each in unanswered if not each.is_partial]
    incomplete = [quote(each.collection) for each in unanswered if each.is_partial]
    named = {"left out": left_out, "incomplete": incomplete}
    return ", ".join(f'199 - "{what}: {", ".join(names)}"' for what, names in named.items() if names)


def warned(response: Response, unanswered: Sequence[Unanswered]) -> Response:
    """Return an answer that names the collections of which it lacks items, and is cached no longer than such ones."""
    if unanswered:
        response.headers.update({"Warning": unanswered_warning(unanswered), "Cache-Control": INCOMPLETE})
    return response


def warned_of_live(response: Response, layers: Iterable[Layer], services: Services) -> Response:
    """Return series that name the live collections among theirs: these have what searches found, not all that exists.

    They are cached no longer than other incomplete answers, as each search may add to them.
    """
    live = {layer.collection for layer in layers} & set(live_names(services))
    if live:
        names = ", ".join(map(quote, sorted(live)))
        found = f'199 - "incomplete: {names}; items that were searched for are here, not all"'
        headers = response.headers
        headers["Warning"] = ", ".join(filter(None, [headers.get("Warning"), found]))
        headers["Cache-Control"] = INCOMPLETE
    return response
