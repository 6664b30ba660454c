"""`chronotile optimise … --collection`: the items of a collection as a serving cube, on one grid."""

from collections.abc import Callable
from pathlib import Path

from chronotile.archive.open import Archive
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import Json
from chronotile.core.yaml_source import list_names
from chronotile.optimise.inputs import CubeInputs, mosaic_inputs
from chronotile.optimise.mosaic_cells import require_readable_items
from chronotile.optimise.mosaics import MosaicRequest, OpenIndex, find_mosaic, variables_to_write
from chronotile.optimise.options import Options, Report
from chronotile.optimise.run import RunProgress, require_dask, write_cube
from chronotile.optimise.store import CubeFolder
from chronotile.optimise.verify import require_complete, verify_inputs
from chronotile.readers.mosaic_reader import MosaicReader, as_mosaic


def optimise_collection(
    archive: Archive,
    request: MosaicRequest,
    target: Path,
    options: Options,
    *,
    open_index: Callable[[], OpenIndex],
    progress: RunProgress = lambda _what, _share: None,
) -> Report:
    """Write a serving cube of the items of a collection, or add new and changed dates to an existing one.

    Args:
        archive: Archive with the collection.
        request: Collection, variables, grid and times to write.
        target: Folder of the cube.
        options: Options of the run; the selection of files is ignored.
        open_index: Opens the item index; called in each process that reads items.
        progress: Called with a text and the finished fraction.

    Raises:
        UnsupportedSource: The items cannot be written as one cube, or do not fit the existing one.
        SourceUnavailable: The index or a store does not answer.
        WriteFailed: The disk is full or fails; the last visible state stays visible.
        MissingExtra: An option needs a library that is not installed.
    """
    require_dask(options)
    disk = Disk()
    inputs = _inputs(archive, request, CubeFolder(target, disk).root_document(), open_index)
    return write_cube(inputs, target, options, disk=disk, progress=progress)


def verify_collection(
    archive: Archive,
    request: MosaicRequest,
    target: Path,
    *,
    open_index: Callable[[], OpenIndex],
    progress: RunProgress = lambda _what, _share: None,
) -> str:
    """Compare every value of an existing cube with the items of a collection; return a summary.

    Args:
        archive: Archive with the collection.
        request: Collection, variables, grid and times to compare.
        target: Folder of the cube.
        open_index: Opens the item index.
        progress: Called with a text and the finished fraction.

    Raises:
        UnsupportedSource: Values differ, or nothing can be compared; or there is no complete cube.
        SourceUnavailable: The index or a store does not answer.
        MissingExtra: A library is not installed.
    """
    document = require_complete(target)
    inputs = _inputs(archive, request, document, open_index)
    assert inputs.mosaic is not None  # noqa: S101 -- inputs of a collection
    require_readable_items(inputs.mosaic, inputs.variables.values())
    return verify_inputs(inputs, target, document, Options(), progress=progress)


def _inputs(
    archive: Archive, request: MosaicRequest, document: Json | None, open_index: Callable[[], OpenIndex]
) -> CubeInputs:
    """Return the mosaics to write into a new cube, or into the cube with this root document."""
    spec, reader = _source(archive, request.collection)
    mosaic = find_mosaic(
        spec,
        reader,
        request,
        open_index=open_index,
        places=archive.services.reader_caches.places,
        existing_attributes=None if document is None else document["attributes"],
    )
    names = variables_to_write(spec, reader, request.variables)
    if document is None:  # an existing cube keeps its encodings
        with mosaic.open_reader() as learning:
            for name in names:
                learning.learn_encodings(name)
    return mosaic_inputs(mosaic, names, _about(archive, request.collection), mosaic.notes)


def _source(archive: Archive, collection: str) -> tuple[SourceSpec, MosaicReader]:
    """Return the specification and reader of a collection of items."""
    spec = archive.specs.get(collection)
    if spec is None:
        raise UnsupportedSource(
            f"there is no collection {collection[:80]}; there are {list_names(list(archive.specs))}"
        )
    if spec.items is None:
        raise UnsupportedSource(f"collection {collection} has no items; name its files as SOURCE")
    reader = archive.services.readers.get(collection)
    if reader is None:
        reason = next(
            (finding.message for finding in archive.findings if finding.place == collection), "it is not served"
        )
        raise UnsupportedSource(f"{collection}: {reason.removeprefix(LEFT_OUT)}")
    return spec, as_mosaic(reader)


def _about(archive: Archive, collection: str) -> dict[str, str]:
    """Return title, attribution and license for the cube."""
    entry = archive.services.catalogue.collections_by_id.get(collection)
    if entry is None:
        return {}
    layer = next(iter(entry.layers))
    texts = {
        "title": next(iter(entry.title.values()), None),
        "attribution": layer.attribution,
        "license": layer.license,
    }
    return {name: text for name, text in texts.items() if text}
