"""`chronotile worker`: does jobs until it is stopped."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from chronotile.cli.opening import fail
from chronotile.core.machine import this_machine

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.open import Archive
    from chronotile.jobs.queue.bucket import Bucket
    from chronotile.jobs.queue.table import JobStore
    from chronotile.jobs.runner.cluster import Cluster
    from chronotile.jobs.runner.runner import Runner

MEMORY_PART = 0.75
"""The most memory that OS processes of tasks take together; the rest is for this one and the system."""
DAY_S = 86_400
SIGNAL_S = 0.5
"""So often it is looked whether a signal has come: one that is to interrupt a wait may come just before it, in vain."""
STOP_S = 15.0
"""How long it may take to give back jobs and end: what they wait for, such as a database, may be frozen."""


def do_jobs(settings: "Settings", *, processes: int | None) -> None:
    """Do jobs until SIGTERM or Ctrl-C, which give back those that are being done.

    Args:
        settings: How this process runs.
        processes: How many OS processes do tasks where there is no other cluster; default: one per core.

    Raises:
        ConfigurationError: What is to be served, or the table of jobs, is configured wrongly; or Dask is not installed.
        SourceUnavailable: The table of jobs is out of reach, or the bucket of results does not take them.
    """
    from chronotile.app.configured_archive import open_configured
    from chronotile.app.process_setup import only_remember_signals
    from chronotile.archive.live import ItemAccess, LiveArchive, id_of_open
    from chronotile.core.logs import configure_logging
    from chronotile.jobs.queue.faults import ClusterLost
    from chronotile.jobs.queue.table import open_store
    from chronotile.jobs.runner.runner import Runner

    _prepare_process()
    configure_logging(settings.log_level, settings.log_format)
    cluster, whom = _cluster(settings, processes)
    bucket, place = _bucket(settings), settings.config.absolute()
    archive = open_configured(settings)
    id_ = id_of_open(archive, settings.config, is_shared=settings.database_url is not None)
    store = open_store(settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_)
    try:
        with closing(store), cluster, _notifying(store, archive, bucket):
            runner = Runner(
                store.table,
                cluster,
                LiveArchive(archive, settings.config),  # as it was opened: another spelling would be another archive
                place=place,
                folder=store.folder,
                timeout_s=settings.job_timeout_s,
                retention_s=settings.jobs_kept_days * DAY_S,
                bucket=bucket,
                items=ItemAccess.of(
                    settings.config,
                    database_url=settings.database_url,
                    jobs_folder=settings.jobs_folder,
                    prefixes=settings.source_places,
                ),
            )
            only_remember_signals()
            typer.echo(f"running jobs of the archive {id_} in {store.folder} with {whom}")
            _run(runner)
    except ClusterLost as error:
        fail(str(error))


def _cluster(settings: "Settings", processes: int | None) -> "tuple[Cluster, str]":
    """What does the tasks of jobs, and its name."""
    from chronotile.jobs.runner.cluster import Cluster
    from chronotile.jobs.runner.connection import connect

    machine, at = this_machine(), settings.dask_address
    count = processes or machine.cores
    memory_bytes = int(machine.memory_bytes * MEMORY_PART / count)
    cluster = Cluster(partial(connect, at, processes=count, memory_bytes=memory_bytes))
    return cluster, f"{count} processes" if at is None else f"the Dask cluster at {at}"


def _bucket(settings: "Settings") -> "Bucket | None":
    """The bucket of results, tried: a wrong name or right would otherwise be found by the first job that ends."""
    from chronotile.jobs.queue.bucket import WORKERS_PATIENCE_S, open_bucket

    bucket = open_bucket(settings.jobs_results_url, patience_s=WORKERS_PATIENCE_S)
    if bucket is not None:
        bucket.try_out()
    return bucket


@contextmanager
def _notifying(store: "JobStore", archive: "Archive", bucket: "Bucket | None") -> Iterator[None]:
    """Notify the subscribers of all jobs."""
    from chronotile.jobs.queue.notifier import Notifier
    from chronotile.jobs.queue.outbox import Callbacks
    from chronotile.jobs.queue.table import JobOutbox
    from chronotile.protocols.ogcapi.processes.subscriber import message_of

    write = partial(message_of, catalogue=archive.services.catalogue, folder=store.folder, bucket=bucket)
    callbacks = Callbacks(store.engine, archive=store.table.archive)
    with Notifier(JobOutbox(store.table, callbacks, write=write)):
        yield


def _prepare_process() -> None:
    """What holds for this process, and is inherited by those that it starts."""
    from chronotile.app.process_setup import allow_open_files, end_well_when_stopped
    from chronotile.core.durable_files import OTHERS

    os.umask(OTHERS)
    end_well_when_stopped()
    allow_open_files()


def _run(runner: "Runner") -> None:
    """Do jobs in another thread; this one looks for signals."""
    from chronotile.app.process_setup import end_within, exit_on_signal

    with ThreadPoolExecutor(1, thread_name_prefix="runner") as pool:
        try:
            running = pool.submit(runner.run)
            while not wait([running], SIGNAL_S).done:
                exit_on_signal()
            running.result()
        finally:
            end_within(STOP_S)
            runner.stop()
