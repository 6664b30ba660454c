"""`chronotile publish JOB`: the results of a finished job."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.cli.jobs import open_job_store, results_bucket
from chronotile.cli.publish import PublishOptions, write_to
from chronotile.core.errors import ConfigurationError, InvalidParameter, UnsupportedSource, WriteFailed

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.open import Archive
    from chronotile.archive.publish.jobs import ResultFile
    from chronotile.archive.publish.publication import CatalogueOptions
    from chronotile.archive.publish.write import Summary
    from chronotile.jobs.queue.job_folder import ResultFiles, StoredFile

ZIPPED_STORE = ".zarr.zip"


def publish_job(
    archive: "Archive", settings: "Settings", id_: str, options: PublishOptions, *, catalogue: "CatalogueOptions"
) -> "Summary":
    """Publish the results of a job of an archive.

    Raises:
        InvalidParameter: An option is for collections.
        UnknownPath: There is no such job.
        UnsupportedSource: It has not finished, or has no results.
        SourceUnavailable: A file of its results is gone.
        WriteFailed: There is no room for a copy of them.
    """
    from chronotile.archive.publish.documents import DATA
    from chronotile.archive.publish.jobs import FinishedJob, publication_of_job
    from chronotile.jobs.processes.registry import processes
    from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles

    if options.has_search:
        raise InvalidParameter("--datetime, --bbox and --filter are for collections: the results of a job are whole")
    with open_job_store(settings) as store, ExitStack() as stack:
        job = store.table.job(id_)
        if job.status != "successful":
            raise UnsupportedSource(f"the job {id_} has no results: it is {job.status}")
        files = ResultFiles(store.folder / id_ / RESULTS, results_bucket(settings), id_)
        process = processes().get(job.process)
        found = [
            _served(name, stack.enter_context(_local(files, result.file)), result.media_type, stack)
            for name, result in job.results.items()
            if result.file is not None
        ]
        finished = FinishedJob(
            job=job,
            inputs=store.table.execution(id_).inputs,
            title=job.process if process is None else process.title,
            version="unknown" if process is None else process.version,
            files=found,
        )
        publication = publication_of_job(finished, archive.services.catalogue)
        return write_to(options, publication, catalogue, served_by=DATA)


def _served(output: str, path: Path, media_type: str, stack: ExitStack) -> "ResultFile":
    """A file with the collections that `chronotile serve` makes of it; none where it is no raster."""
    from chronotile.archive.open import open_archive
    from chronotile.archive.publish.jobs import ResultFile
    from chronotile.core.model.time.instants import system_clock

    file = ResultFile(output=output, path=path, media_type=media_type)
    try:
        made = open_archive(path, environment={}, clock=system_clock)
    except ConfigurationError:
        return file
    stack.callback(made.close)
    return replace(file, collections=made.services.catalogue.collections)


@contextmanager
def _local(files: "ResultFiles", name: str) -> Iterator[Path]:
    """Give the path of a file of results: of one in a bucket that of a copy, of a zipped store that of its folder."""
    found = files.file(name)
    with tempfile.TemporaryDirectory(prefix="chronotile-publish-") as folder:
        try:
            path = found if isinstance(found, Path) else _copied(found, Path(folder) / name)
            path = _unzipped(path, Path(folder)) if name.lower().endswith(ZIPPED_STORE) else path
        except (OSError, zipfile.BadZipFile) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise WriteFailed(f"{name} cannot be copied to {folder}: {reason}") from error
        yield path


def _copied(stored: "StoredFile", path: Path) -> Path:
    with path.open("wb") as copy:
        copy.writelines(stored.iter_bytes())
    return path


def _unzipped(path: Path, folder: Path) -> Path:
    """Readers of stores on the web request their files one by one."""
    store = folder / path.name[: -len(".zip")]
    with zipfile.ZipFile(path) as zipped:
        zipped.extractall(store)  # which leaves `..` out of names
    return store
