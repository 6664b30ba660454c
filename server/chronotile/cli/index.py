"""`chronotile index`: fills the item index, watches its sources, and exports it."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chronotile.cli.opening import fail, print_lines

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.index.fill import FillSummary, IndexStore
    from chronotile.archive.index.sources import SourceAccess
    from chronotile.archive.open import Archive
    from chronotile.catalog.items.passes import SourcePasses
    from chronotile.core.model.source import SourceSpec

MAX_PROCESSES = 4
"""Processes that read items; more would wait for the process that stores the items."""
LINE_EVERY = 10_000
"""Number of entries per printed line if the output is not a terminal."""


def run_index(
    settings: "Settings",
    *,
    collection: str | None,
    is_watching: bool,
    export: Path | None,
    every_s: float,
    is_full: bool,
) -> None:
    """Fill the index of one collection or all, then export or watch it.

    Args:
        settings: Settings of this process.
        collection: Id of the collection; `None` for all.
        is_watching: Whether to watch the sources until stopped.
        export: Path of the stac-geoparquet file to write; requires one collection.
        every_s: Interval of requests to remote sources.
        is_full: Whether to read a whole source even if it can list its changes.

    Raises:
        ConfigurationError: The configuration is not valid, or has no collection of items with this id.
        SourceUnavailable: The database does not answer.
    """
    from chronotile.app.configured_archive import index_store, source_access
    from chronotile.app.process_setup import end_well_when_stopped
    from chronotile.archive.index.sources import specs_of_items
    from chronotile.core.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    end_well_when_stopped()
    read_specs = partial(specs_of_items, settings.config, environment=os.environ, collection=collection)
    file = _WatchedFile(settings.config)
    specs = read_specs()
    if export is not None and len(specs) > 1:
        raise typer.BadParameter("name one collection with --collection", param_hint="--export")
    access = source_access(settings)
    with closing(index_store(settings)) as store:
        failures = _fill_all(specs, access, store, is_full=is_full)
        if export is not None and not failures:
            _export(specs[0].collection, store, export)
        if is_watching:
            for reason in failures:
                typer.echo(f"chronotile: {reason}", err=True)
            _watch(specs, access, store, every_s=every_s, file=file, read_specs=read_specs)
        elif failures:
            fail(*failures)


@contextmanager
def passes_of(settings: "Settings", archive: "Archive") -> "Iterator[SourcePasses | None]":
    """Yield the passes over the sources of an archive; `None` without collections of items.

    Raises:
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database does not answer.
    """
    if all(spec.items is None for spec in archive.specs.values()):
        yield None
        return
    from chronotile.archive.archive_ids import archive_id_at
    from chronotile.catalog.items.passes import open_passes

    id_ = archive_id_at(settings.config, environment=os.environ)
    with closing(open_passes(settings.database_url, settings.jobs_folder(id_), archive=id_)) as passes:
        yield passes


def _fill_all(
    specs: "Sequence[SourceSpec]", access: "SourceAccess", store: "IndexStore", *, is_full: bool
) -> list[str]:
    """Fill the index of each collection; return messages about failed and incomplete ones."""
    from chronotile.archive.index.fill import fill
    from chronotile.archive.index.sources import indexed_collection, source_of
    from chronotile.core.errors import ConfigurationError, SourceUnavailable, UnsupportedSource
    from chronotile.core.machine import this_machine

    failures = []
    for spec in specs:
        try:
            source = source_of(spec, replace(access, is_watched=False))
            start_s = time.monotonic()
            with counting(f"indexing {spec.collection}", "entries") as progress:
                summary = fill(
                    indexed_collection(spec),
                    source,
                    store,
                    is_whole=is_full,
                    processes=min(this_machine().cores, MAX_PROCESSES),
                    progress=progress,
                )
        except (ConfigurationError, SourceUnavailable, UnsupportedSource) as error:
            failures.append(f"{spec.collection}: {error.message}")
            continue
        print_lines(summary_lines(summary, time.monotonic() - start_s))
        if not summary.is_complete:
            failures.append(f"{spec.collection}: the source could not be read completely")
        elif not summary.has_items:
            failures.append(f"{spec.collection}: all of its items are left out")
    return failures


def summary_lines(summary: "FillSummary", duration_s: float) -> list[str]:
    """Return the printed lines of a pass, with its duration and rate."""
    first, *rest = summary.lines()
    done = summary.put.added + summary.put.replaced + summary.put.unchanged
    rate = f", {done / duration_s:.0f} items/s" if duration_s >= 1 else ""
    return [f"{first} in {duration_s:.1f} s{rate}", *rest]


def _export(collection: str, store: "IndexStore", file: Path) -> None:
    from chronotile.archive.index.export import export_items

    with counting("exporting", "items") as progress:
        count = export_items(store.items, collection, file, progress=progress)
    print_lines([f"{collection}: {count} items written to {file}"])


class _WatchedFile:
    """Detects changes of a file. It must be made before the file is first read, or a change between the two is lost."""

    def __init__(self, path: Path) -> None:
        from chronotile.archive.source_states import state_of_file

        self.path = path
        self._look = partial(state_of_file, path)
        self._state = self._look()

    def has_changed(self) -> bool:
        """Return whether the file has changed since the last call."""
        before, self._state = self._state, self._look()
        return before != self._state


def _watch(
    specs: "Sequence[SourceSpec]",
    access: "SourceAccess",
    store: "IndexStore",
    *,
    every_s: float,
    file: "_WatchedFile",
    read_specs: "Callable[[], Sequence[SourceSpec]]",
) -> None:
    """Watch the sources of collections, and the configuration for other collections.

    Args:
        specs: The collections that the configuration had when `access` and `store` were opened.
        access: Access to their sources.
        store: The index.
        every_s: Interval of requests to remote sources.
        file: The configuration file, watched since before `specs` were read.
        read_specs: Reads the collections of the configuration again.
    """
    from chronotile.app.process_setup import exit_on_signal
    from chronotile.archive.index.watch_sources import TICK_S, Watch
    from chronotile.core.errors import ConfigurationError

    watch = Watch(
        specs=specs,
        access=access,
        store=store,
        every_s=every_s,
        report=lambda summary: print_lines(summary.lines()[:1] if summary.is_complete else summary.lines()),
    )
    print_lines([f"watching {', '.join(spec.collection for spec in specs)}; stop with Ctrl-C"])
    while True:
        watch.look()
        time.sleep(TICK_S)
        exit_on_signal()
        if file.has_changed():
            try:
                specs = read_specs()
            except ConfigurationError as error:
                print_lines([f"{file.path} cannot be used, still watching the same collections: {error.message}"])
                continue
            watch.follow(specs)
            print_lines([f"watching {', '.join(spec.collection for spec in specs)}"])


@contextmanager
def counting(what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number done; it shows number and rate in a terminal, else prints some lines."""
    if not sys.stderr.isatty():
        yield _line_printer(what, unit)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}: {task.completed:,} " + unit + ", {task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    start_s = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate=0.0)
        yield lambda done: bar.update(task, completed=done, rate=done / max(time.monotonic() - start_s, 1e-3))


def _line_printer(what: str, unit: str) -> Callable[[int], None]:
    start_s, printed = time.monotonic(), [0]

    def report(done: int) -> None:
        if done // LINE_EVERY > printed[0] // LINE_EVERY:
            rate = done / max(time.monotonic() - start_s, 1e-3)
            print_lines([f"{what}: {done} {unit}, {rate:.0f}/s"])
        printed[0] = done

    return report
