"""Sends the events of the configured webhooks while a server runs."""

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
from chronotile.jobs.queue.notifier import Notifier, Post, log_failures
from chronotile.jobs.queue.runtime import SYSTEM, Runtime
from chronotile.jobs.queue.webhooks.allowed import select_allowed, webhook_findings
from chronotile.jobs.queue.webhooks.outbox import WebhookCounts, WebhookEvent, WebhookOutbox
from chronotile.jobs.queue.webhooks.positions import WebhookPositions
from chronotile.pipeline.search.search_items import collections_being_filled
from chronotile.pipeline.services import Services

LOOK_S = 1.0
"""Interval between checks for a new configuration."""
LOST_S = 5.0
"""Wait before an unreachable database is tried again."""
KEEP_S = 600.0
"""Interval between removals of positions of webhooks without configuration."""
CLOSE_S = 5.0
"""Time that messages on their way have when the server stops."""

log = logging.getLogger(__name__)


class WebhookSender:
    """Sends events in separate threads. Several processes share the work: each event is sent by one of them.

    Args:
        services: Returns the current services.
        open_positions: Opens the database; called in the thread.
        places: Allowed URL prefixes of webhooks.
        write: Makes the message of an event.
        send: Sends a message.
        runtime: Clock, waiting and threads.
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
        """Collections without events until their source was read completely."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop sending; the next start continues."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = LOST_S
            with log_failures(log, "webhooks cannot be sent events now"):
                service = self._services().catalogue.service
                findings = tuple(webhook_findings(service, self._places))
                if findings != self._logged:
                    self._logged = findings
                    for finding in findings:
                        log.warning("%s  %s", finding.severity, finding.text)
                self._follow(service.webhooks)
                wait_s = LOOK_S
            self._runtime.wait(self._stopping, wait_s)

    def _remove_obsolete(self, configured: tuple[Webhook, ...]) -> None:
        """Remove the positions of webhooks that have not been configured for a day."""
        try:
            with closing(self._open_positions()) as positions:
                count = positions.remove_obsolete([webhook.id for webhook in configured])
        except ChronotileError as error:
            log.debug("positions of webhooks cannot be looked through now: %s", error.message)
        else:
            if count:
                log.info("forgot the positions of %d webhooks that have not been configured for a day", count)

    def _log_collections(self, webhooks: tuple[Webhook, ...]) -> None:
        """Log collections whose events are not sent yet, and collections whose events are sent from now on."""
        names = {name for webhook in webhooks for name in webhook.collections}
        if any(webhook.collection is None for webhook in webhooks):
            names = set()  # empty: all collections
        try:
            collections = collections_being_filled(self._services(), collections=names) if webhooks else ()
        except SourceUnavailable:
            return  # the notifier has logged that the index is unreachable
        started = sorted(set(self._filled_later) - set(collections))
        if waiting := sorted(set(collections) - set(self._filled_later)):
            log.info("webhooks get no events of %s until all of the source was read", ", ".join(waiting))
        if started and webhooks:
            log.info("webhooks get events of %s from now on", ", ".join(started))
        self._filled_later = collections

    def _follow(self, configured: tuple[Webhook, ...]) -> None:
        """Send events until the configuration has other webhooks."""
        webhooks = select_allowed(configured, self._places)
        looked_s = self._runtime.clock()
        self._remove_obsolete(configured)
        with ExitStack() as stack:
            if webhooks:
                positions = self._open_positions()
                stack.callback(positions.close)
                outbox = WebhookOutbox(
                    webhooks, positions, services=self._services, write=self._write, counts=self.counts
                )
                count = len(webhooks)  # one thread per webhook: a host that hangs delays only its events
                notifier = Notifier(outbox, send=self._send, runtime=self._runtime, at_once=count, per_host=count)
                stack.enter_context(notifier)
            while self._services().catalogue.service.webhooks == configured:
                self._log_collections(webhooks)
                if self._runtime.clock() - looked_s >= KEEP_S:
                    looked_s = self._runtime.clock()
                    self._remove_obsolete(configured)
                if self._runtime.wait(self._stopping, LOOK_S):
                    return
