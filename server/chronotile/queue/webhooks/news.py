"""The changes of items after a cursor that the collection and filter of a webhook select."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chronotile.model.items import ItemChange, ItemSearch
from chronotile.model.webhook import Webhook
from chronotile.pipeline.search.changes import changes_since
from chronotile.pipeline.search.served_index import items_of
from chronotile.pipeline.services import Services

PAGE = 100
"""Changes that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A change for a webhook, between two cursors."""

    change: ItemChange
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPage:
    """The selected changes of a page."""

    news: tuple[News, ...]
    """In the order of the changes; those between two of them are not selected."""
    after: str
    """Cursor after the page."""
    has_changes: bool
    """Whether the page has changes, selected or not."""


def cursor_of_now(webhook: Webhook, services: Services) -> str:
    """Return the cursor from which a new webhook gets changes.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    return changes_since(None, services, collections=webhook.collections).cursor


def news_after(cursor: str, webhook: Webhook, services: Services) -> NewsPage:
    """Return the changes after a cursor that a webhook gets.

    A filter is answered as searches of clients are, for items as they are now. Items that were removed cannot be
    compared with it, and are always selected. Changes made before all of the source of a collection was read are not:
    a million items may be listed for the first time, or again.

    Raises:
        CursorExpired: Not all that was removed since is known.
        InvalidParameter: The filter takes too long.
        SourceUnavailable: The index does not answer.
    """
    page = changes_since(cursor, services, collections=webhook.collections, limit=PAGE, without_first_fill=True)
    left = [each for each in page.changes if each.item is None]
    present = [each for each in page.changes if each.item is not None]
    selected = {id(each) for each in (*left, *_matching(present, webhook, services))}
    chosen = [each for each in page.changes if id(each) in selected]
    afters = [each.cursor for each in chosen[:-1]] + [page.cursor] * bool(chosen)
    befores = [cursor, *afters[:-1]]
    return NewsPage(
        news=tuple(
            News(change=change, before=before, after=after)
            for change, before, after in zip(chosen, befores, afters, strict=False)
        ),
        after=page.cursor,
        has_changes=bool(page.changes),
    )


def _matching(changes: Iterable[ItemChange], webhook: Webhook, services: Services) -> list[ItemChange]:
    if webhook.filter is None:
        return list(changes)
    by_collection = defaultdict[str, dict[str, ItemChange]](dict)
    for each in changes:
        by_collection[each.collection][each.id] = each
    matching = list[ItemChange]()
    for collection, of_ids in by_collection.items():
        search = ItemSearch(collections=(collection,), ids=tuple(of_ids), filter=webhook.filter, limit=len(of_ids))
        # Also of one that is not served now, as its source is away: its changes are sent.
        page = items_of(services).search(search, among={collection})
        matching += [of_ids[found.ref.id] for found in page.items]
        while page.next is not None:  # of large items a page has few
            page = items_of(services).search(replace(search, cursor=page.next), among={collection})
            matching += [of_ids[found.ref.id] for found in page.items]
    return matching
