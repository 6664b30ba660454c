"""Sends the events of webhooks while a server runs, to those that its configuration has now."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from chronotile.core.errors import ChronotileError, SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.job import WebhookMessage
from chronotile.core.model.webhook import Webhook
from chronotile.core.web.fetch import post
from chronotile.core.web.places import AllowedPlaces
from chronotile.jobs.queue.notifier import SYSTEM, Notifier, Post, Runtime, log_failures
from chronotile.jobs.queue.webhooks.allowed import select_allowed, webhook_findings
from chronotile.jobs.queue.webhooks.outbox import WebhookCounts, WebhookEvent, WebhookOutbox
from chronotile.jobs.queue.webhooks.positions import WebhookPositions
from chronotile.pipeline.search.search_items import collections_being_filled
from chronotile.pipeline.services import Services

LOOK_S = 1.0
"""How often it is looked whether the configuration has other webhooks."""
LOST_S = 5.0
"""How long to wait before a database that is away is tried again."""
KEEP_S = 600.0
"""How often positions of webhooks that the configuration lacks are looked for."""
CLOSE_S = 5.0
"""How long messages on their way are waited for when the server ends."""

log = logging.getLogger(__name__)


class WebhookSender:
    """Sends events in threads of its own; of several processes each sends those that no other is sending.

    Args:
        services: Returns the services of now.
        open_positions: Opens the database; called in the thread.
        places: Below which URLs of webhooks may lie.
        write: Makes the message of an event.
        send: How it is sent.
        runtime: How to tell the time, to wait and to start threads.
    """

    def __init__(
        self,
        services: Callable[[], Services],
        open_positions: Callable[[], WebhookPositions],
        *,
        places: AllowedPlaces,
        write: Callable[[WebhookEvent, Services], WebhookMessage],
        send: Post = post,
        runtime: Runtime = SYSTEM,
    ) -> None:
        self.counts = WebhookCounts()
        self._services = services
        self._open_positions = open_positions
        self._places = places
        self._write = write
        self._send = send
        self._runtime = runtime
        self._logged: tuple[Finding, ...] = ()
        self._filled_later: tuple[str, ...] = ()
        """Collections of which no events are sent yet."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Send no more; the next start goes on."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = LOST_S
            with log_failures(log, "webhooks cannot be sent events now"):
                service = self._services().catalogue.service
                found = tuple(webhook_findings(service, self._places))
                if found != self._logged:
                    self._logged = found
                    for each in found:
                        log.warning("%s  %s", each.severity, each.text)
                self._follow(service.webhooks)
                wait_s = LOOK_S
            self._runtime.wait(self._stopping, wait_s)

    def _keep(self, configured: tuple[Webhook, ...]) -> None:
        """Forget the positions of webhooks that the configuration has not had for a day."""
        try:
            with closing(self._open_positions()) as positions:
                count = positions.keep([each.id for each in configured])
        except ChronotileError as error:
            log.debug("positions of webhooks cannot be looked through now: %s", error.message)
        else:
            if count:
                log.info("forgot the positions of %d webhooks that have not been configured for a day", count)

    def _log_collections(self, webhooks: tuple[Webhook, ...]) -> None:
        """Log of which collections no events are sent yet, and of which they are from now on."""
        wanted = {name for each in webhooks for name in each.collections}
        if any(each.collection is None for each in webhooks):
            wanted = set()  # all of them
        try:
            found = collections_being_filled(self._services(), collections=wanted) if webhooks else ()
        except SourceUnavailable:
            return  # the notifier has logged it
        begun = sorted(set(self._filled_later) - set(found))
        if waiting := sorted(set(found) - set(self._filled_later)):
            log.info("webhooks get no events of %s until all of the source was read", ", ".join(waiting))
        if begun and webhooks:
            log.info("webhooks get events of %s from now on", ", ".join(begun))
        self._filled_later = found

    def _follow(self, configured: tuple[Webhook, ...]) -> None:
        """Send events to some webhooks until the configuration has others."""
        webhooks = select_allowed(configured, self._places)
        looked_s = self._runtime.clock()
        self._keep(configured)
        with ExitStack() as stack:
            if webhooks:
                positions = self._open_positions()
                stack.callback(positions.close)
                outbox = WebhookOutbox(
                    webhooks, positions, services=self._services, write=self._write, counts=self.counts
                )
                count = len(webhooks)  # one that hangs keeps its own thread alone
                notifier = Notifier(outbox, send=self._send, runtime=self._runtime, at_once=count, per_host=count)
                stack.enter_context(notifier)
            while self._services().catalogue.service.webhooks == configured:
                self._log_collections(webhooks)
                if self._runtime.clock() - looked_s >= KEEP_S:
                    looked_s = self._runtime.clock()
                    self._keep(configured)
                if self._runtime.wait(self._stopping, LOOK_S):
                    return
