"""Changes of items that a webhook gets."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chronotile.core.model.items import ItemChange, ItemSearch
from chronotile.core.model.webhook import Webhook
from chronotile.pipeline.search.search_items import changes_since, items_of
from chronotile.pipeline.services import Services

PAGE = 100
"""Changes read together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A selected change, with the cursors before and after it."""

    change: ItemChange
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPage:
    """The selected changes of a page."""

    news: tuple[News, ...]
    """In the order of the changes; changes between two of them are not selected."""
    after: str
    """Cursor after the page."""
    has_changes: bool
    """Whether the page has changes, selected or not."""


def cursor_of_now(webhook: Webhook, services: Services) -> str:
    """Return the cursor at which a new webhook starts.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    return changes_since(None, services, collections=webhook.collections).cursor


def news_after(cursor: str, webhook: Webhook, services: Services) -> NewsPage:
    """Return the changes after a cursor that a webhook gets.

    The filter applies to the current items, as in searches of clients. Removed items cannot be compared with it and are
    always selected. Changes are skipped while a collection is filled, for the first time or again: a million items may
    be listed.

    Raises:
        CursorExpired: Removals since the cursor are no longer all listed.
        InvalidParameter: The filter takes too long.
        SourceUnavailable: The index does not answer.
    """
    page = changes_since(cursor, services, collections=webhook.collections, limit=PAGE, without_first_fill=True)
    removed = [change for change in page.changes if change.item is None]
    present = [change for change in page.changes if change.item is not None]
    selected = {id(change) for change in (*removed, *_matching(present, webhook, services))}
    chosen = [change for change in page.changes if id(change) in selected]
    afters = [change.cursor for change in chosen[:-1]] + [page.cursor] * bool(chosen)
    return NewsPage(
        news=tuple(
            News(change=change, before=before, after=after)
            for change, before, after in zip(chosen, [cursor, *afters[:-1]], afters, strict=False)
        ),
        after=page.cursor,
        has_changes=bool(page.changes),
    )


def _matching(changes: Iterable[ItemChange], webhook: Webhook, services: Services) -> list[ItemChange]:
    if webhook.filter is None:
        return list(changes)
    by_collection = defaultdict[str, dict[str, ItemChange]](dict)
    for change in changes:
        by_collection[change.collection][change.id] = change
    matching = list[ItemChange]()
    for collection, of_ids in by_collection.items():
        search = ItemSearch(collections=(collection,), ids=tuple(of_ids), filter=webhook.filter, limit=len(of_ids))
        # Also collections that are not served now because their source is unreachable: their changes are sent.
        page = items_of(services).search(search, among={collection})
        matching += [of_ids[item.ref.id] for item in page.items]
        while page.next is not None:  # pages of large items are short
            page = items_of(services).search(replace(search, cursor=page.next), among={collection})
            matching += [of_ids[item.ref.id] for item in page.items]
    return matching
