"""The events that webhooks are to be sent, as the notifier takes them."""

import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal

from chronotile.core.errors import CursorExpired, InvalidParameter
from chronotile.core.model.items import ItemChange, ItemSearch
from chronotile.core.model.job import WebhookMessage
from chronotile.core.model.webhook import Webhook
from chronotile.jobs.queue.outbox import host_of
from chronotile.jobs.queue.webhooks.positions import Position, WebhookPositions
from chronotile.pipeline.search.search_items import changes_since, items_of
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


LOOK_S = 1.0
"""How often it is looked for changes."""
PAGES = 50
"""Of changes that are passed by before it is the turn of other webhooks."""
REFUSED_S = 60.0
"""How long to wait after a filter that took too long."""

LISTS_ALL = "its subscriber has to list all items"

WebhookOutcome = Literal["sent", "failed", "given_up", "lost"]
OUTCOMES: tuple[WebhookOutcome, ...] = ("sent", "failed", "given_up", "lost")
"""Of a try, of an event, and of a webhook whose position was too old, or gone."""

log = logging.getLogger(__name__)


class WebhookCounts:
    """How often each outcome occurred since the process began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter[WebhookOutcome]()

    def add(self, outcome: WebhookOutcome) -> None:
        """Count one more."""
        with self._lock:
            self._counts[outcome] += 1

    def count_of(self, outcome: WebhookOutcome) -> int:
        """Return how many there were."""
        with self._lock:
            return self._counts[outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A change for a webhook."""

    webhook: Webhook
    news: News
    tries: int
    """With this one."""

    @property
    def url(self) -> str:
        """To whom."""
        return self.webhook.url

    @property
    def change(self) -> ItemChange:
        """The change."""
        return self.news.change


class WebhookOutbox:
    """Events of webhooks, of each one at a time and in the order of the changes. It is an `Outbox`.

    Args:
        webhooks: The subscribers.
        positions: How far each of them is.
        services: Returns the services of now.
        write: Makes the message of an event.
        counts: Counts how events end.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        webhooks: Sequence[Webhook],
        positions: WebhookPositions,
        *,
        services: Callable[[], Services],
        write: Callable[[WebhookEvent, Services], WebhookMessage],
        counts: WebhookCounts,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._positions = positions
        self._services = services
        self._write = write
        self._counts = counts
        self._clock = clock
        self._waiting = deque(webhooks)
        """Those without an event on its way, the one that has waited longest first."""
        self._not_before = dict[str, float]()
        self._found = dict[str, deque[News]]()
        """Changes that were found and not sent yet, by id of the webhook."""
        self._begun = set[str]()
        """Ids of those that had a position."""

    def take(self, *, lease_s: float, without: Collection[str]) -> WebhookEvent | None:
        """Take the next event of a webhook that has some, if any has; called by one thread at a time."""
        for _ in range(len(self._waiting)):
            webhook = self._waiting.popleft()
            event = None
            try:
                if host_of(webhook.url) not in without and self._not_before.get(webhook.id, 0.0) <= self._clock():
                    event = self._next(webhook, lease_s)
            finally:
                if event is None:
                    self._waiting.append(webhook)
            if event is not None:
                return event
        return None

    def message(self, due: WebhookEvent) -> WebhookMessage:
        """Return the message of an event, signed now."""
        return self._write(due, self._services())

    def set_sent(self, due: WebhookEvent) -> None:
        """Note that the event was sent."""
        self._counts.add("sent")
        self._go_on(due)

    def retry_later(self, due: WebhookEvent, *, wait_s: float, reason: str) -> None:
        """Try again after a while; later events of the webhook wait, too."""
        self._counts.add("failed")
        log.info(
            "%s: %s was not delivered: %s; next try in %d s",
            _webhook_text(due.webhook),
            _event_text(due),
            reason,
            wait_s,
        )
        self._found.pop(due.webhook.id, None)  # by then the item may have changed again
        try:
            self._positions.wait(due.webhook.id, due.news.before, wait_s=wait_s)
        finally:
            self._not_before[due.webhook.id] = self._clock() + wait_s
            self._waiting.append(due.webhook)

    def give_up(self, due: WebhookEvent, reason: str) -> None:
        """Go on with the next event."""
        self._counts.add("failed")
        self._counts.add("given_up")
        said = "%s: %s is given up: %s; it was tried %d times"
        log.warning(said, _webhook_text(due.webhook), _event_text(due), reason, due.tries)
        self._go_on(due)

    def _go_on(self, due: WebhookEvent) -> None:
        try:
            self._positions.move(due.webhook.id, due.news.before, due.news.after)
        finally:
            self._waiting.append(due.webhook)

    def _next(self, webhook: Webhook, lease_s: float) -> WebhookEvent | None:
        """The next event of a webhook, which no other process sends for some seconds."""
        position = self._positions.find(webhook.id)
        if position is None:
            self._begin(webhook)
            return None
        self._begun.add(webhook.id)
        if position.wait_s > 0:  # another process is at it, or it failed
            self._not_before[webhook.id] = self._clock() + min(position.wait_s, LOOK_S)
            return None
        news = self._news(webhook, position)
        if news is None or not self._positions.take(webhook.id, position, lease_s=lease_s):
            return None
        return WebhookEvent(webhook=webhook, news=news, tries=position.tries + 1)

    def _begin(self, webhook: Webhook) -> None:
        """Give a webhook the position of now; the index that had another may be gone."""
        self._positions.begin(webhook.id, cursor_of_now(webhook, self._services()))
        if webhook.id in self._begun:
            self._counts.add("lost")
            said = "%s: its position is gone with the item index, so it continues with changes from now on; %s"
            log.error(said, _webhook_text(webhook), LISTS_ALL)
        else:
            log.info("%s: has no position in the item index, so it gets changes from now on", _webhook_text(webhook))

    def _news(self, webhook: Webhook, position: Position) -> News | None:
        """The next change for a webhook."""
        found = self._found.pop(webhook.id, deque())
        if not found or found[0].before != position.cursor:
            found = deque(self._look(webhook, position.cursor))
        if not found:
            return None
        first = found.popleft()
        self._found[webhook.id] = found
        return first

    def _look(self, webhook: Webhook, cursor: str) -> Sequence[News]:
        """The changes after a cursor that a webhook gets; empty if many pages have none."""
        try:
            for _ in range(PAGES):
                page = news_after(cursor, webhook, self._services())
                if page.news:
                    return page.news
                if not page.has_changes:
                    self._not_before[webhook.id] = self._clock() + LOOK_S
                    return ()
                self._positions.move(webhook.id, cursor, page.after)
                cursor = page.after
        except CursorExpired:
            self._lose(webhook, cursor)
        except InvalidParameter as error:
            log.warning("%s: its events cannot be found: %s", _webhook_text(webhook), error.message)
            self._not_before[webhook.id] = self._clock() + REFUSED_S
        return ()

    def _lose(self, webhook: Webhook, cursor: str) -> None:
        self._counts.add("lost")
        said = "%s: changes since its last event are no longer listed, so it continues with those from now on; %s"
        log.error(said, _webhook_text(webhook), LISTS_ALL)
        self._positions.move(webhook.id, cursor, cursor_of_now(webhook, self._services()))


def _webhook_text(webhook: Webhook) -> str:
    # A webhook in the log: its path may have a token.
    return f"{webhook.name} ({host_of(webhook.url)})"


def _event_text(due: WebhookEvent) -> str:
    return f"item {due.change.id} of {due.change.collection}, {due.change.kind}"
