"""When the archive of an application is reloaded: at intervals, on SIGHUP, and when a source elsewhere changes."""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import suppress

import anyio
import anyio.to_thread

from chronotile.app.process_setup import give_back_freed_memory, hang_ups, set_aside_what_stays
from chronotile.archive.live import LiveArchive
from chronotile.catalog.resolve_times import resolve_picture_times
from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Layer
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.time.selection import DEFAULT, LATEST
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services

log = logging.getLogger(__name__)

SETTLED_S = 2.0
"""By then what is loaded with the first requests is there."""
TRIED_EVERY_S = 20.0
"""How often at least collections are looked at of which no item could be opened."""
PREPARED_EVERY_S = 5.0
TIDIED_EVERY_S = 20.0
"""Often enough that holes stay small, and seldom enough that pages requested again cost nothing."""


class Upkeep:
    """Reloads the archive of an application.

    Args:
        live: The archive.
        watch_s: Seconds between two looks for changes of any kind; 0: only SIGHUP starts one.
    """

    def __init__(self, live: LiveArchive, *, watch_s: float) -> None:
        self.live = live
        self._watch_s = watch_s

    async def renew(self) -> None:
        """Look for changes of any kind every `watch_s`, and at once on SIGHUP."""
        alone = anyio.CapacityLimiter(1)  # not among the requests of /cog, whose stores may hang
        async with hang_ups() as hung_up:
            while True:
                every_s = self._watch_s or math.inf
                if self.live.archive.unopened:
                    every_s = min(every_s, TRIED_EVERY_S)
                with anyio.move_on_after(every_s) as waiting:
                    await hung_up.wait()
                    hung_up.clear()
                look = self.live.refresh if waiting.cancelled_caught else self.refresh_on_signal
                # One that hangs does not keep the application from ending.
                await anyio.to_thread.run_sync(look, limiter=alone, abandon_on_cancel=True)

    async def follow_elsewhere(self) -> None:
        """Reload as soon as a source on another machine comes back, fails or changes."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        alone = anyio.CapacityLimiter(1)

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(changed.set)

        elsewhere = self.live.services.elsewhere
        elsewhere.on_change = wake
        if elsewhere.found.changes != self.live.archive.state.elsewhere:
            changed.set()
        while True:
            await changed.wait()
            changed.clear()
            await anyio.to_thread.run_sync(self.live.refresh, limiter=alone, abandon_on_cancel=True)

    async def tidy(self) -> None:
        """Set aside what stays until the next reload, drop files that no client requests, give back freed memory."""
        alone = anyio.CapacityLimiter(1)
        reloads = None
        await anyio.sleep(SETTLED_S)
        while True:
            if reloads != self.live.reloads:
                reloads = self.live.reloads
                await anyio.to_thread.run_sync(set_aside_what_stays, limiter=alone)
            await anyio.to_thread.run_sync(self.live.services.caches.files.tidy, limiter=alone)
            await anyio.to_thread.run_sync(give_back_freed_memory, limiter=alone)
            await anyio.sleep(TIDIED_EVERY_S)

    async def prepare(self) -> None:
        """Let overviews of mosaics be made, after each reload."""
        alone = anyio.CapacityLimiter(1)
        reloads = None
        while True:
            if reloads != self.live.reloads:
                reloads = self.live.reloads
                services = self.live.services
                await anyio.to_thread.run_sync(prepare_overviews, services, limiter=alone, abandon_on_cancel=True)
            await anyio.sleep(PREPARED_EVERY_S)

    def refresh_on_signal(self) -> None:
        """Reload, and try again what failed: a disk or a source elsewhere may work again."""
        live = self.live
        live.services.failing_dates.clear()
        live.services.reader_caches.left_out.clear()
        live.services.elsewhere.retry()
        before = live.reloads, live.failed_reloads
        live.refresh()
        if live.is_logged and before == (live.reloads, live.failed_reloads):
            log.info("SIGHUP: configuration, styles and sources on this machine are unchanged")


# Overviews of mosaics made in advance: of the times that maps show when none is named, and of the newest.


def prepare_overviews(services: Services) -> None:
    """Let overviews of the newest and of the default time of each mosaic be made in the background."""
    for layer in services.catalogue.layers:
        reader = services.readers.get(layer.collection)
        if reader is None or not layer.main_variable.is_mosaic:
            continue
        for variable in layer.variables:
            with suppress(ChronotileError):  # an index that is away is prepared at the next reload
                for index in _indexes(layer, variable, services):
                    reader.prepare_overviews(variable.name, index)


def _indexes(layer: Layer, variable: VariableInfo, services: Services) -> Iterator[int]:
    for selection in (LATEST, DEFAULT):
        with suppress(ChronotileError):  # it has no such time
            for index in resolve_picture_times(layer, selection, now=services.clock()).indexes:
                yield time_index(variable.times.instants, layer.times.instants[index])
