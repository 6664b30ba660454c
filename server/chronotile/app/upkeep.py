"""Background work of an application: reloads at intervals, on SIGHUP and after changes of remote sources; tidying."""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import suppress

import anyio
import anyio.to_thread

from chronotile.app.process_setup import freeze_garbage_collection, give_back_freed_memory, hang_ups
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.resolve_times import resolve_picture_times
from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Layer
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.time.selection import DEFAULT, LATEST
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services
from chronotile.readers.mosaic_reader import MosaicReader

log = logging.getLogger(__name__)

SETTLED_S = 2.0
"""The first requests, which import libraries, are usually answered by then."""
UNOPENED_RETRY_S = 20.0
"""Longest time between two attempts to open collections without a readable item."""
PREPARE_S = 5.0
TIDY_S = 20.0
"""Often enough to keep holes in the heap small, and rarely enough to keep pages that are used again."""


class Upkeep:
    """Reloads the archive of an application.

    Args:
        live: The archive.
        watch_s: Seconds between two checks for changes; 0 means only on SIGHUP.
    """

    def __init__(self, live: LiveArchive, *, watch_s: float) -> None:
        self.live = live
        self._watch_s = watch_s

    async def renew(self) -> None:
        """Reload after changes of any kind: check every `watch_s`, and immediately on SIGHUP."""
        alone = anyio.CapacityLimiter(1)  # separate from requests of /cog, whose stores may hang
        async with hang_ups() as hung_up:
            while True:
                every_s = self._watch_s or math.inf
                if self.live.archive.unopened:
                    every_s = min(every_s, UNOPENED_RETRY_S)
                with anyio.move_on_after(every_s) as waiting:
                    await hung_up.wait()
                    hung_up.clear()
                reload = self.live.refresh if waiting.cancelled_caught else self.refresh_on_signal
                # A reload that hangs must not prevent the end of the application.
                await anyio.to_thread.run_sync(reload, limiter=alone, abandon_on_cancel=True)

    async def follow_elsewhere(self) -> None:
        """Reload when a remote source becomes available, fails or changes."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        alone = anyio.CapacityLimiter(1)

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended
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
        """Exclude the archive from garbage collection after each reload; drop unused cached files and freed memory."""
        alone = anyio.CapacityLimiter(1)
        reloads = None
        await anyio.sleep(SETTLED_S)
        while True:
            if reloads != self.live.reloads:
                reloads = self.live.reloads
                await anyio.to_thread.run_sync(freeze_garbage_collection, limiter=alone)
            await anyio.to_thread.run_sync(self.live.services.caches.files.tidy, limiter=alone)
            await anyio.to_thread.run_sync(give_back_freed_memory, limiter=alone)
            await anyio.sleep(TIDY_S)

    async def prepare(self) -> None:
        """Start making overviews of mosaics after each reload."""
        alone = anyio.CapacityLimiter(1)
        reloads = None
        while True:
            if reloads != self.live.reloads:
                reloads = self.live.reloads
                services = self.live.services
                await anyio.to_thread.run_sync(prepare_overviews, services, limiter=alone, abandon_on_cancel=True)
            await anyio.sleep(PREPARE_S)

    def refresh_on_signal(self) -> None:
        """Reload, and retry failed files and sources: a disk or a host may work again."""
        live = self.live
        live.services.failing_dates.clear()
        live.services.reader_caches.skipped_items.clear()
        live.services.elsewhere.retry()
        counts = live.reloads, live.failed_reloads
        live.refresh()
        if live.is_logged and counts == (live.reloads, live.failed_reloads):
            log.info("SIGHUP: configuration, styles and sources on this machine are unchanged")


def prepare_overviews(services: Services) -> None:
    """Start making overviews of the newest and the default time of each mosaic in the background."""
    for layer in services.catalogue.layers:
        reader = services.readers.get(layer.collection)
        if not isinstance(reader, MosaicReader):
            continue
        for variable in layer.variables:
            with suppress(ChronotileError):  # an unavailable index is prepared after the next reload
                for index in _indexes(layer, variable, services):
                    reader.prepare_overviews(variable.name, index)


def _indexes(layer: Layer, variable: VariableInfo, services: Services) -> Iterator[int]:
    for selection in (LATEST, DEFAULT):
        with suppress(ChronotileError):  # the layer has no such time
            for index in resolve_picture_times(layer, selection, now=services.clock()).indexes:
                yield time_index(variable.times.instants, layer.times.instants[index])
