"""Changes of items as events for webhooks, in the form that the notifier takes."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from chronotile.core.errors import CursorExpired, InvalidParameter
from chronotile.core.model.items import ItemChange
from chronotile.core.model.job import WebhookMessage
from chronotile.core.model.webhook import Webhook
from chronotile.jobs.queue.outbox import host_of
from chronotile.jobs.queue.webhooks.news import News, cursor_of_now, news_after
from chronotile.jobs.queue.webhooks.positions import Position, WebhookPositions
from chronotile.pipeline.services import Services

LOOK_S = 1.0
"""Interval between searches for changes."""
PAGES = 50
"""Pages without a selected change before other webhooks get their turn."""
REFUSED_S = 60.0
"""Wait after a filter that took too long."""

LISTS_ALL = "its subscriber has to list all items"

WebhookOutcome = Literal["sent", "failed", "given_up", "lost"]
OUTCOMES: tuple[WebhookOutcome, ...] = ("sent", "failed", "given_up", "lost")
"""Outcomes of a try, of an event, and of a webhook whose position was too old or missing."""

log = logging.getLogger(__name__)


class WebhookCounts:
    """Number of outcomes since the process started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter[WebhookOutcome]()

    def add(self, outcome: WebhookOutcome) -> None:
        """Count an outcome."""
        with self._lock:
            self._counts[outcome] += 1

    def count_of(self, outcome: WebhookOutcome) -> int:
        """Return the number of an outcome."""
        with self._lock:
            return self._counts[outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A change to send to a webhook."""

    webhook: Webhook
    news: News
    tries: int
    """Number of tries, this one included."""

    @property
    def url(self) -> str:
        """URL of the webhook."""
        return self.webhook.url

    @property
    def change(self) -> ItemChange:
        """The change."""
        return self.news.change


class WebhookOutbox:
    """Events of webhooks, one at a time per webhook and in the order of the changes; implements `Outbox`.

    Args:
        webhooks: Subscribers.
        positions: Their positions in the list of changes.
        services: Returns the current services.
        write: Makes the message of an event.
        counts: Counts outcomes.
        clock: Monotonic clock in seconds.
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
        """Webhooks without an event on its way, the longest waiting one first."""
        self._not_before = dict[str, float]()
        self._unsent = dict[str, deque[News]]()
        """Changes that were read and not sent yet, by id of the webhook."""
        self._positioned = set[str]()
        """Ids of webhooks that had a position."""

    def take(self, *, lease_s: float, without: Collection[str]) -> WebhookEvent | None:
        """Take the next event of any webhook, if one is due; called by one thread at a time."""
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
        """Record that the event was sent."""
        self._counts.add("sent")
        self._go_on(due)

    def retry_later(self, due: WebhookEvent, *, wait_s: float, reason: str) -> None:
        """Try again after a while; later events of the webhook wait too."""
        self._counts.add("failed")
        log.info(
            "%s: %s was not delivered: %s; next try in %d s",
            _webhook_text(due.webhook),
            _event_text(due),
            reason,
            wait_s,
        )
        self._unsent.pop(due.webhook.id, None)  # read again, because the item may change before the next try
        try:
            self._positions.wait(due.webhook.id, due.news.before, wait_s=wait_s)
        finally:
            self._not_before[due.webhook.id] = self._clock() + wait_s
            self._waiting.append(due.webhook)

    def give_up(self, due: WebhookEvent, reason: str) -> None:
        """Skip the event."""
        self._counts.add("failed")
        self._counts.add("given_up")
        text = "%s: %s is given up: %s; it was tried %d times"
        log.warning(text, _webhook_text(due.webhook), _event_text(due), reason, due.tries)
        self._go_on(due)

    def _go_on(self, due: WebhookEvent) -> None:
        try:
            self._positions.move(due.webhook.id, due.news.before, due.news.after)
        finally:
            self._waiting.append(due.webhook)

    def _next(self, webhook: Webhook, lease_s: float) -> WebhookEvent | None:
        """Return the next event of a webhook and reserve it for some seconds against other processes."""
        position = self._positions.find(webhook.id)
        if position is None:
            self._begin(webhook)
            return None
        self._positioned.add(webhook.id)
        if position.wait_s > 0:  # another process sends the event, or its last try failed
            self._not_before[webhook.id] = self._clock() + min(position.wait_s, LOOK_S)
            return None
        news = self._news(webhook, position)
        if news is None or not self._positions.take(webhook.id, position, lease_s=lease_s):
            return None
        return WebhookEvent(webhook=webhook, news=news, tries=position.tries + 1)

    def _begin(self, webhook: Webhook) -> None:
        """Give a webhook the current position. If it had one before, the index was replaced."""
        self._positions.begin(webhook.id, cursor_of_now(webhook, self._services()))
        if webhook.id in self._positioned:
            self._counts.add("lost")
            text = "%s: its position is gone with the item index, so it continues with changes from now on; %s"
            log.error(text, _webhook_text(webhook), LISTS_ALL)
        else:
            log.info("%s: has no position in the item index, so it gets changes from now on", _webhook_text(webhook))

    def _news(self, webhook: Webhook, position: Position) -> News | None:
        """Return the next change for a webhook; `None` if it has none now."""
        news = self._unsent.pop(webhook.id, deque())
        if not news or news[0].before != position.cursor:
            news = deque(self._look(webhook, position.cursor))
        if not news:
            return None
        first = news.popleft()
        self._unsent[webhook.id] = news
        return first

    def _look(self, webhook: Webhook, cursor: str) -> Sequence[News]:
        """Return the changes after a cursor that a webhook gets; empty if many pages have none."""
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
        text = "%s: changes since its last event are no longer listed, so it continues with those from now on; %s"
        log.error(text, _webhook_text(webhook), LISTS_ALL)
        self._positions.move(webhook.id, cursor, cursor_of_now(webhook, self._services()))


def _webhook_text(webhook: Webhook) -> str:
    # Without the path of the URL, which may contain a token.
    return f"{webhook.name} ({host_of(webhook.url)})"


def _event_text(due: WebhookEvent) -> str:
    return f"item {due.change.id} of {due.change.collection}, {due.change.kind}"
