"""What is served kept as it is now: configuration, styles, sources, and the log of what is found of them."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
import anyio.to_thread

from chronotile.archive.changes import changes_line
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.open import Archive, grown, has_grown, refreshed, system_clock
from chronotile.errors import ChronotileError
from chronotile.pipeline.bounded_wait import Looks
from chronotile.pipeline.failing_dates import failing_dates
from chronotile.process_setup import give_back_freed_memory, hang_ups, set_aside_what_stays
from chronotile.protocols.common.state import ServerState
from chronotile.settings import Settings

log = logging.getLogger(__name__)

SETTLED_S = 2.0
"""By then what is loaded with the first requests is there."""
TIDIED_EVERY_S = 20.0
"""Often enough that holes stay small, and seldom enough that the pages asked for anew cost nothing."""
NOT_RELOADED = "reload failed, still serving the previous state"
EVERYTHING, STORES = "everything", "stores"
"""What was looked at: all of the archive, or only the stores that tell by themselves that they have grown."""


class Upkeep:
    """Keeps what an application serves as it is now: configuration, styles, sources.

    Args:
        archive: What is served first.
        settings: How the process runs.
        looks: At stores that may hang.
        finding_log: Logs what is found at each reload; without one another worker does.
    """

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        *,
        looks: Looks | None = None,
        finding_log: FindingLog | None = None,
    ) -> None:
        self._archive = archive
        self._finding_log = finding_log
        self._failures: dict[str, str] = {}
        """Why the last look gave nothing to serve, by what was looked at; a look that did has none."""
        self._looks = looks or Looks()
        self._settings = settings
        self._lock = threading.Lock()

    async def renew(self, state: ServerState) -> None:
        """Look for changes of any kind every `watch_s`, and at once on SIGHUP."""
        alone = anyio.CapacityLimiter(1)  # not among the requests of /cog, whose stores may hang
        async with hang_ups() as hung_up:
            while True:
                with anyio.move_on_after(self._settings.watch_s or None) as waiting:
                    await hung_up.wait()
                look = self.look if waiting.cancelled_caught else self.look_afresh
                # One that hangs does not keep the application from ending.
                await anyio.to_thread.run_sync(look, state, limiter=alone, abandon_on_cancel=True)

    async def follow_elsewhere(self, state: ServerState) -> None:
        """Reload as soon as a source on another machine comes back, fails or changes."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        alone = anyio.CapacityLimiter(1)

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(changed.set)

        elsewhere = state.services.elsewhere
        elsewhere.on_change = tell
        if elsewhere.found.changes != self._archive.state.elsewhere:
            changed.set()
        while True:
            await changed.wait()
            changed.clear()
            await anyio.to_thread.run_sync(self.look, state, limiter=alone, abandon_on_cancel=True)

    async def tidy(self, state: ServerState) -> None:
        """Set aside what stays until the next reload, drop files that nobody requests, give back freed memory."""
        alone = anyio.CapacityLimiter(1)
        reloads = None
        await anyio.sleep(SETTLED_S)
        while True:
            if reloads != state.reloads:
                reloads = state.reloads
                await anyio.to_thread.run_sync(set_aside_what_stays, limiter=alone)
            await anyio.to_thread.run_sync(state.services.caches.files.tidy, limiter=alone)
            await anyio.to_thread.run_sync(give_back_freed_memory, limiter=alone)
            await anyio.sleep(TIDIED_EVERY_S)

    def has_grown(self, collection: str) -> bool:
        """Return whether the store of a collection was given something since it was opened."""
        return has_grown(self._archive, collection)

    def follow(self, state: ServerState, collection: str | None) -> None:
        """Serve what a store, that of a collection or any, was given since it was opened.

        Whoever comes in the meantime waits, so that nobody is answered with the older state.
        """
        if self._has_grown(collection):
            with self._lock:
                if self._has_grown(collection):
                    before = self._archive
                    make = partial(grown, before, clock=system_clock)
                    self._serve(state, self._made(state, before, make, looked_at=STORES))

    def _has_grown(self, collection: str | None) -> bool:
        """Of all stores one may hang, which is not to keep documents that tell of the others."""
        look = partial(has_grown, self._archive, collection)
        return self._looks.take("all stores", look, known=False) if collection is None else look()

    def look_afresh(self, state: ServerState) -> None:
        """Do what `look` does, and try again what failed: a disk or a source elsewhere may work again."""
        state.services.failing_dates.clear()
        state.services.elsewhere.retry()
        reloads, failures = state.reloads, state.failed_reloads
        self.look(state)
        if self._finding_log is not None and (reloads, failures) == (state.reloads, state.failed_reloads):
            log.info("SIGHUP: configuration, styles and sources on this machine are unchanged")

    def look(self, state: ServerState) -> None:
        """Look at everything, without holding up who follows: one store may hang. Anew, if another grew meanwhile."""
        is_done = False
        while not is_done:
            before = self._archive
            look = partial(refreshed, before, self._settings.config, environment=os.environ, clock=system_clock)
            newer = self._made(state, before, look, looked_at=EVERYTHING)
            with self._lock:
                is_done = newer is before or self._archive is before
                if self._archive is before:
                    self._serve(state, newer)
        failing_dates(state.services)  # those that are well again are no longer listed

    def _made(self, state: ServerState, before: Archive, make: Callable[[], Archive], *, looked_at: str) -> Archive:
        """What `make` gives; where it has mistakes or cannot be read that is told, and the last good one is given."""
        try:
            made = make()
        except (ChronotileError, OSError) as error:
            if self._is_new_failure(state, looked_at, str(error)) and self._finding_log is not None:
                log.warning("%s: %s", NOT_RELOADED, error)
        except Exception as error:  # it must not end the looking, without which SIGHUP would end the process
            if self._is_new_failure(state, looked_at, repr(error)):
                log.exception(NOT_RELOADED)
        else:
            self._forget_failures(state, looked_at)
            return made
        state.failed_reloads += 1
        return before

    def _is_new_failure(self, state: ServerState, looked_at: str, failure: str) -> bool:
        """Keep why nothing new is served, and return whether the last look at the same gave another reason, or none."""
        is_new = failure != self._failures.get(looked_at)
        self._failures[looked_at] = failure
        state.is_stale = True
        return is_new

    def _forget_failures(self, state: ServerState, looked_at: str) -> None:
        """Forget those of this look, and of stores: a look at everything includes them, but not the other way round."""
        for each in (EVERYTHING, STORES) if looked_at == EVERYTHING else (STORES,):
            self._failures.pop(each, None)
        state.is_stale = bool(self._failures)

    def _serve(self, state: ServerState, newer: Archive) -> None:
        if newer is not self._archive:
            # In this order: who finds that the archive did not grow takes the services for those of now.
            before, state.services = self._archive, newer.services
            self._archive = newer
            state.reloads += 1
            if self._finding_log is not None:
                log.info("%s", changes_line(before, newer))
                self._finding_log.tell(newer.findings)
