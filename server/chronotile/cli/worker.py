"""`chronotile worker`: runs jobs until it is stopped."""

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
    from chronotile.jobs.queue.result_bucket import Bucket
    from chronotile.jobs.queue.store import JobStore
    from chronotile.jobs.runner.cluster import Cluster
    from chronotile.jobs.runner.runner import JobRunner

MEMORY_PART = 0.75
"""Fraction of memory for all task processes; the rest is for this process and the system."""
DAY_S = 86_400
SIGNAL_S = 0.5
"""Interval of checks for a signal: a signal just before a wait would not interrupt it."""
STOP_S = 15.0
"""Timeout for returning jobs and ending, because a database or another dependency may hang."""


def do_jobs(settings: "Settings", *, processes: int | None) -> None:
    """Run jobs until SIGTERM or Ctrl-C; running jobs are then returned to the queue.

    Args:
        settings: Settings of this process.
        processes: Number of task processes if no Dask cluster is configured; default: one per core.

    Raises:
        ConfigurationError: The archive or the table of jobs is configured wrongly, or Dask is not installed.
        SourceUnavailable: The table of jobs does not answer, or the bucket of results refuses files.
    """
    from chronotile.app.configured_archive import open_configured
    from chronotile.app.process_setup import only_remember_signals
    from chronotile.archive.archive_ids import id_of_open
    from chronotile.archive.live_archive import ItemAccess, LiveArchive
    from chronotile.core.logs import configure_logging
    from chronotile.jobs.queue.faults import ClusterLost
    from chronotile.jobs.queue.store import open_store
    from chronotile.jobs.runner.runner import JobRunner

    _prepare_process()
    configure_logging(settings.log_level, settings.log_format)
    cluster, cluster_name = _cluster(settings, processes)
    bucket, place = _bucket(settings), settings.config.absolute()
    archive = open_configured(settings)
    id_ = id_of_open(archive, settings.config, is_shared=settings.database_url is not None)
    store = open_store(settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_)
    try:
        with closing(store), cluster, _notifying(store, archive, bucket):
            runner = JobRunner(
                store.table,
                cluster,
                LiveArchive(archive, settings.config),  # another spelling of this path would be another archive
                place=place,
                folder=store.folder,
                timeout_s=settings.job_timeout_s,
                retention_s=settings.jobs_kept_days * DAY_S,
                bucket=bucket,
                items=ItemAccess.from_place(
                    settings.config,
                    database_url=settings.database_url,
                    jobs_folder=settings.jobs_folder,
                    prefixes=settings.source_places,
                ),
            )
            only_remember_signals()
            typer.echo(f"running jobs of the archive {id_} in {store.folder} with {cluster_name}")
            _run(runner)
    except ClusterLost as error:
        fail(str(error))


def _cluster(settings: "Settings", processes: int | None) -> "tuple[Cluster, str]":
    """Return the cluster that runs the tasks of jobs, and its description."""
    from chronotile.jobs.runner.cluster import Cluster
    from chronotile.jobs.runner.connection import connect

    machine, at = this_machine(), settings.dask_address
    count = processes or machine.cores
    memory_bytes = int(machine.memory_bytes * MEMORY_PART / count)
    cluster = Cluster(partial(connect, at, processes=count, memory_bytes=memory_bytes))
    return cluster, f"{count} processes" if at is None else f"the Dask cluster at {at}"


def _bucket(settings: "Settings") -> "Bucket | None":
    """Return the bucket of results after a test, so a wrong name or missing right is reported before the first job."""
    from chronotile.jobs.queue.result_bucket import WORKERS_PATIENCE_S, open_bucket

    bucket = open_bucket(settings.jobs_results_url, patience_s=WORKERS_PATIENCE_S)
    if bucket is not None:
        bucket.try_out()
    return bucket


@contextmanager
def _notifying(store: "JobStore", archive: "Archive", bucket: "Bucket | None") -> Iterator[None]:
    """Notify the subscribers of all jobs while the context is open."""
    from chronotile.jobs.queue.job_outbox import JobOutbox
    from chronotile.jobs.queue.notifier import Notifier
    from chronotile.jobs.queue.outbox import CallbackQueue
    from chronotile.protocols.ogcapi.processes.subscriber import message_of

    write = partial(message_of, catalogue=archive.services.catalogue, folder=store.folder, bucket=bucket)
    callbacks = CallbackQueue(store.engine, archive=store.table.archive)
    with Notifier(JobOutbox(store.table, callbacks, write=write)):
        yield


def _prepare_process() -> None:
    """Set up this process; child processes inherit the settings."""
    from chronotile.app.process_setup import allow_open_files, end_well_when_stopped
    from chronotile.core.private_files import OTHERS

    os.umask(OTHERS)
    end_well_when_stopped()
    allow_open_files()


def _run(runner: "JobRunner") -> None:
    """Run jobs in another thread; this thread checks for signals."""
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
