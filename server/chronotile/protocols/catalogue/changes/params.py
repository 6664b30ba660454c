"""The query of a page of changes."""

from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import name_list, names_of, text, whole

SINCE = text("since", "Cursor of the page before; without it there are no changes, but the cursor of now")
COLLECTIONS = name_list("collections", "Ids of collections, separated by commas; default: all")
LIMIT = whole("limit", "Maximum number of changes per page", least=1, most=1000, default=100)
OF_CHANGES = (SINCE, COLLECTIONS, LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesQuery:
    """Which changes are requested."""

    since: str | None
    collections: tuple[str, ...]
    """Empty: all."""
    limit: int


def changes_query(query: Kvp, catalogue: Catalogue) -> ChangesQuery:
    """Return the query of `/stac/changes`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_CHANGES))
    collections = tuple(dict.fromkeys(COLLECTIONS.given(query) or ()))
    known = {*catalogue.collections_by_id, *catalogue.away.values()}
    for name in collections:
        if name not in known:
            raise InvalidParameter(f"there is no collection {name[:MAX_SHOWN]!r}", locator=COLLECTIONS.name)
    return ChangesQuery(since=SINCE.given(query), collections=collections, limit=LIMIT.of(query))
