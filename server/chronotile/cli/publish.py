"""`chronotile publish`: writes a collection or the results of a job as a static STAC catalogue."""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.cli.index import counting
from chronotile.cli.jobs import open_job_store, results_bucket
from chronotile.cli.opening import fail, open_archive, print_lines, settings_of
from chronotile.core.errors import ConfigurationError, InvalidParameter, UnsupportedSource, WriteFailed

if TYPE_CHECKING:
    from chronotile.app.settings import Settings
    from chronotile.archive.open import Archive
    from chronotile.archive.publish.jobs import ResultFile
    from chronotile.archive.publish.publication import CatalogueOptions, Publication
    from chronotile.archive.publish.viewer_files import ViewerOptions
    from chronotile.archive.publish.write import PublicationSummary
    from chronotile.core.model.items import ItemSearch
    from chronotile.jobs.queue.job_folder import ResultFiles, StoredFile

_ZOOMS = re.compile(r"(?P<first>\d{1,2})-(?P<last>\d{1,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """Unparsed options of `publish`."""

    config: str | None
    to: str
    datetime: str | None
    bbox: str | None
    filter: str | None
    title: str | None
    url: str | None
    project: str | None
    themes: tuple[str, ...]
    is_viewer: bool
    """Whether to write the viewer instead of a catalogue."""
    zooms: str | None
    max_files: int

    @property
    def has_search(self) -> bool:
        """Whether only some items are published."""
        return any(option is not None for option in (self.datetime, self.bbox, self.filter))

    def search(self) -> "ItemSearch":
        """Return the search for the published items.

        Raises:
            InvalidParameter: The value of an option is not accepted.
        """
        from chronotile.archive.index.source import ItemFilter
        from chronotile.cli.cube_collections import parse_bbox
        from chronotile.core.model.items import ItemSearch
        from chronotile.core.model.time.parser import parse_time

        span = None
        if self.datetime is not None:
            parts = parse_time(self.datetime).parts
            if len(parts) != 1 or parts[0].period is not None:
                raise InvalidParameter(
                    f"--datetime {self.datetime[:40]!r} is not one instant or interval, such as 2024-06/2024-08",
                    locator="datetime",
                )
            span = parts[0].span
        return ItemSearch(
            bbox=None if self.bbox is None else parse_bbox(self.bbox),
            span=span,
            filter=None if self.filter is None else ItemFilter(self.filter).to_json(),
        )

    def viewer(self) -> "ViewerOptions":
        """Return the options of the published viewer.

        Raises:
            InvalidParameter: The value of an option is not accepted, or the option is only for catalogues.
        """
        from chronotile.archive.publish.viewer_files import ViewerOptions

        if self.filter or self.url or self.project or self.themes:
            raise InvalidParameter("--filter, --url, --project and --theme are for catalogues, not for --viewer")
        zooms = None if self.zooms is None else _ZOOMS.fullmatch(self.zooms)
        if self.zooms is not None and zooms is None:
            raise InvalidParameter(f"--zooms {self.zooms[:20]!r} is not like 4-11", locator="zooms")
        search = self.search()
        return ViewerOptions(
            title=self.title,
            bbox=search.bbox,
            span=search.span,
            zooms=None if zooms is None else (int(zooms["first"]), int(zooms["last"])),
            max_files=self.max_files,
        )

    def catalogue(self) -> "CatalogueOptions":
        """Return the metadata that the publisher adds.

        Raises:
            InvalidParameter: A theme or the URL is not accepted.
        """
        from chronotile.archive.publish.open_science import THEMES
        from chronotile.archive.publish.publication import CatalogueOptions

        wrong = next((theme for theme in self.themes if theme not in THEMES), None)
        if wrong is not None:
            raise InvalidParameter(f"--theme {wrong[:40]!r} is not one of {', '.join(THEMES)}", locator="theme")
        if self.url is not None and not self.url.startswith(("http://", "https://", "s3://")):
            raise InvalidParameter(f"--url {self.url[:60]!r} is not an address with https://", locator="url")
        return CatalogueOptions(url=self.url, project=self.project, themes=self.themes)


def run_publish(name: str, options: PublishOptions) -> None:
    """Publish a collection or the results of a job, and print a report.

    Raises:
        ConfigurationError: The configuration is not valid, or no collection or job has this name.
        ChronotileError: It cannot be published, or the target cannot be written.
    """
    from chronotile.app.process_setup import end_well_when_stopped
    from chronotile.core.model.job import JOB_ID

    end_well_when_stopped()
    catalogue, search = options.catalogue(), options.search()
    settings = settings_of(config=options.config)
    archive = open_archive(settings, "warning")
    try:
        if options.is_viewer:
            from chronotile.cli.publish_viewer import publish_viewer

            if name not in archive.specs:
                raise ConfigurationError([f"there is no collection {name[:60]!r}; --viewer is for collections"])
            publish_viewer(archive, name, options.to, options.viewer())
            return
        if name in archive.specs:
            summary = _publish_collection(archive, settings, name, options, search=search, catalogue=catalogue)
        elif JOB_ID.fullmatch(name):
            summary = publish_job(archive, settings, name, options, catalogue=catalogue)
        else:
            raise ConfigurationError(
                [f"there is no collection {name[:60]!r}; there are {', '.join(archive.specs)}, and jobs by their ids"]
            )
    finally:
        archive.close()
    print_lines(summary.lines(name, options.to))
    if summary.failed:
        fail(*summary.failures, f"{summary.failed} items of {name} are not as in the source; run it again")


def _publish_collection(
    archive: "Archive",
    settings: "Settings",
    name: str,
    options: PublishOptions,
    *,
    search: "ItemSearch",
    catalogue: "CatalogueOptions",
) -> "PublicationSummary":
    from chronotile.app.configured_archive import item_index
    from chronotile.archive.publish.collections import publication_of_scenes
    from chronotile.archive.publish.dates import publication_of_dates
    from chronotile.core.web.item_places import SOURCE_SETTING
    from chronotile.core.web.places import AllowedPlaces

    collection = archive.services.catalogue.collection(name)
    if archive.specs[name].items is None:
        if options.has_search:
            raise InvalidParameter("--datetime, --bbox and --filter are for collections of scenes or tiles")
        publication, served_by = publication_of_dates(archive, collection)
        return write_to(options, publication, catalogue, served_by=served_by)
    prefixes = AllowedPlaces(settings.source_places, setting=SOURCE_SETTING)
    with closing(item_index(settings)) as items:
        publication, served_by = publication_of_scenes(archive, collection, items, search=search, prefixes=prefixes)
        return write_to(options, publication, catalogue, served_by=served_by)


def write_to(
    options: PublishOptions, publication: "Publication", catalogue: "CatalogueOptions", *, served_by: str
) -> "PublicationSummary":
    """Write a publication to `--to`."""
    from chronotile.archive.publish.bucket import BucketTarget
    from chronotile.archive.publish.target import FolderTarget
    from chronotile.archive.publish.write import write_publication

    if options.title is not None:
        publication = replace(publication, title=options.title)
    to = options.to
    target: FolderTarget | BucketTarget = BucketTarget(to) if "://" in to else FolderTarget(Path(to).expanduser())
    with target.alone(), counting(f"publishing {publication.id}", "files") as progress:
        return write_publication(publication, target, catalogue, served_by=served_by, progress=progress)


# Results of a finished job.

ZIPPED_STORE = ".zarr.zip"


def publish_job(
    archive: "Archive", settings: "Settings", id_: str, options: PublishOptions, *, catalogue: "CatalogueOptions"
) -> "PublicationSummary":
    """Publish the results of a job of an archive.

    Raises:
        InvalidParameter: An option is only for collections.
        UnknownPath: The job does not exist.
        UnsupportedSource: The job has not finished, or has no results.
        SourceUnavailable: A file of its results was deleted.
        WriteFailed: The disk has no space for a copy of the results.
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
        result_files = [
            _open_result(name, stack.enter_context(_local(files, result.file)), result.media_type, stack)
            for name, result in job.results.items()
            if result.file is not None
        ]
        finished = FinishedJob(
            job=job,
            inputs=store.table.execution(id_).inputs,
            title=job.process if process is None else process.title,
            version="unknown" if process is None else process.version,
            files=result_files,
        )
        publication = publication_of_job(finished, archive.services.catalogue)
        return write_to(options, publication, catalogue, served_by=DATA)


def _open_result(output: str, path: Path, media_type: str, stack: ExitStack) -> "ResultFile":
    """Return a file with the collections that `chronotile serve` would make of it; none if it is not a raster."""
    from chronotile.archive.open import open_archive
    from chronotile.archive.publish.jobs import ResultFile
    from chronotile.core.model.time.instants import system_clock

    file = ResultFile(output=output, path=path, media_type=media_type)
    try:
        archive = open_archive(path, environment={}, clock=system_clock)
    except ConfigurationError:
        return file
    stack.callback(archive.close)
    return replace(file, collections=archive.services.catalogue.collections)


@contextmanager
def _local(files: "ResultFiles", name: str) -> Iterator[Path]:
    """Yield the local path of a result file; files from a bucket are copied, and zipped stores extracted."""
    stored = files.file(name)
    with tempfile.TemporaryDirectory(prefix="chronotile-publish-") as folder:
        try:
            path = stored if isinstance(stored, Path) else _copy(stored, Path(folder) / name)
            path = _unzip(path, Path(folder)) if name.lower().endswith(ZIPPED_STORE) else path
        except (OSError, zipfile.BadZipFile) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise WriteFailed(f"{name} cannot be copied to {folder}: {reason}") from error
        yield path


def _copy(stored: "StoredFile", path: Path) -> Path:
    with path.open("wb") as copy:
        copy.writelines(stored.iter_bytes())
    return path


def _unzip(path: Path, folder: Path) -> Path:
    """Extract a zipped store: readers on the web request its files one by one."""
    store = folder / path.name[: -len(".zip")]
    with zipfile.ZipFile(path) as zipped:
        zipped.extractall(store)  # safe: removes `..` from names
    return store
