"""`chronotile optimise --collection`: writes the items of a collection into a serving cube, on one grid."""

from collections.abc import Callable
from pathlib import Path

from chronotile.archive.open import Archive
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT
from chronotile.core.model.source import SourceSpec
from chronotile.core.yaml_source import list_names
from chronotile.optimise.inputs import mosaic_inputs
from chronotile.optimise.mosaic_cells import require_readable_items
from chronotile.optimise.mosaics import MosaicRequest, OpenIndex, find_mosaic, variables_to_write
from chronotile.optimise.options import Options, Report
from chronotile.optimise.run import RunProgress, require_extras, write_cube
from chronotile.optimise.store import CubeFolder
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
    require_extras(options)
    disk = Disk()
    spec, reader = _source(archive, request.collection)
    document = CubeFolder(target, disk).root_document()
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
    inputs = mosaic_inputs(mosaic, names, _about(archive, request.collection), mosaic.notes)
    if options.verify:
        require_readable_items(mosaic, inputs.variables.values())
    return write_cube(inputs, target, options, disk=disk, progress=progress)


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
