"""The archive, item index and caches that the settings of a process describe."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from chronotile.app.process_setup import give_back_freed_memory, share_one_heap
from chronotile.app.settings import ANSWER_BYTES, DEFAULT_CONFIGURATION, Settings
from chronotile.archive.archive_ids import archive_id_at
from chronotile.archive.discovery.discover import DiscoveryProgress
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import IndexStore
from chronotile.archive.index.sources import SourceAccess
from chronotile.archive.open import Archive, open_archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import ChronotileError, ConfigurationError
from chronotile.core.machine import this_machine
from chronotile.core.model.time.instants import system_clock
from chronotile.core.web.item_places import SOURCE_SETTING
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.caches.cube_tiles import PrebuiltCubeTiles
from chronotile.pipeline.services import PublishedCubes, make_caches
from chronotile.readers.caches.block_cache import BlockCache, SharedBlockMemory
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.elsewhere import OPENING_S
from chronotile.readers.mosaic.overview_files import OverviewFiles
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches

CUBE_SUFFIX = ".cube"
"""Suffix of cached cube tiles."""

NO_CONFIGURATION = (
    "name a folder or file of data (chronotile serve FOLDER) or another configuration; "
    "without any of your own: chronotile demo"
)


def open_configured(
    settings: Settings,
    *,
    progress: DiscoveryProgress | None = None,
    memory: int | None = None,
    patience_s: float = OPENING_S,
    has_previews: bool = False,
) -> Archive:
    """Open the archive of `settings.config`, with caches of the configured sizes.

    Args:
        settings: Settings of the process.
        progress: Called with the progress of sources.
        memory: Descriptor of the memory in which all workers store decoded blocks.
        patience_s: How long to wait for remote sources.
        has_previews: Whether to cache previews, overviews and blocks of remote files on disk, as a server does.

    Raises:
        ConfigurationError: All mistakes of the configuration and the styles; or no collection can be served.
    """
    if settings.config == DEFAULT_CONFIGURATION and not settings.config.exists():
        raise ConfigurationError([f"{settings.config} cannot be read: there is no such file; {NO_CONFIGURATION}"])
    places = AllowedPlaces(settings.source_places, setting=SOURCE_SETTING)
    share_one_heap()  # before the first thread starts
    shares = settings.cache_shares(this_machine())
    blocks = None
    if memory is not None:
        blocks = BlockCache(SharedBlockMemory(os.fstat(memory).st_size, memory), sharers=settings.workers or 1)
    has_disk_caches = has_previews and settings.disk_cache_bytes > 0
    previews = Previews(*settings.disk_cache("previews")) if has_disk_caches else None
    overviews = OverviewFiles(*settings.disk_cache("mosaics")) if has_disk_caches else None
    archive = open_archive(
        settings.config,
        environment=os.environ,
        clock=system_clock,
        progress=progress,
        patience_s=patience_s,
        caches=ReaderCaches(
            shares.pixels,
            blocks=blocks,
            previews=previews,
            items=partial(item_index, settings),
            places=places,
            overviews=overviews,
            byte_blocks=ByteBlocks(*settings.disk_cache("blocks")) if has_disk_caches else None,
        ),
    )
    cubes = DiskCache(*settings.disk_cache("cubes"), end=CUBE_SUFFIX) if settings.disk_cache_bytes else None
    prebuilt_tiles = None if settings.cube_files is None else PrebuiltCubeTiles(settings.cube_files)
    caches = make_caches(
        payload_bytes=shares.payloads, plan_bytes=shares.plans, cube_files=cubes, written_cubes=prebuilt_tiles
    )
    answer_memory = AnswerMemory(ANSWER_BYTES, on_end=give_back_freed_memory)
    services = replace(
        archive.services, caches=caches, memory=answer_memory, published_cubes=_published_cubes(settings)
    )
    return replace(archive, services=services)


def item_index(settings: Settings) -> ItemIndex:
    """Open the item index of the archive of `settings.config`.

    Raises:
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database is unavailable.
    """
    return index_opener(settings)()


def index_opener(settings: Settings) -> Callable[[], ItemIndex]:
    """Return a function that opens the item index, on any machine with access to the database.

    Raises:
        ConfigurationError: The configuration cannot be read.
    """
    id_ = archive_id_at(settings.config, environment=os.environ)
    return partial(open_items, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_)


def index_store(settings: Settings) -> IndexStore:
    """Open the item index with the records of passes over its sources; raises the errors of `item_index`."""
    id_ = archive_id_at(settings.config, environment=os.environ)
    items = item_index(settings)  # first: opening replaces a damaged index
    try:
        passes = open_passes(settings.database_url, settings.jobs_folder(id_), archive=id_)
    except ChronotileError:
        items.close()
        raise
    return IndexStore(items=items, passes=passes)


def source_access(settings: Settings) -> SourceAccess:
    """Return the allowed prefixes and the document cache of item sources.

    Raises:
        ConfigurationError: A prefix is invalid.
    """
    return SourceAccess(
        prefixes=AllowedPlaces(settings.source_places, setting=SOURCE_SETTING), documents=DocumentReader()
    )


def _published_cubes(settings: Settings) -> PublishedCubes | None:
    folder = settings.jobs_cubes_dir
    return None if folder is None else PublishedCubes(folder=folder.absolute(), max_bytes=settings.jobs_cubes_bytes)
