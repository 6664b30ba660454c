"""`chronotile optimise --collection`: the items of a collection to a serving cube, on one grid."""

from collections.abc import Callable
from pathlib import Path

from chronotile.archive.open import Archive
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT
from chronotile.core.model.source import SourceSpec
from chronotile.core.yaml_source import list_names
from chronotile.optimise.inputs import mosaic_inputs
from chronotile.optimise.mosaics import MosaicRequest, OpenIndex, find_mosaic, variables_to_write
from chronotile.optimise.options import Options, Report
from chronotile.optimise.run import RunProgress, require_extras, write_cube
from chronotile.optimise.store import CubeFolder
from chronotile.optimise.verify import require_items_apart
from chronotile.readers.reader import Reader


def optimise_collection(
    archive: Archive,
    request: MosaicRequest,
    target: Path,
    options: Options,
    *,
    open_index: Callable[[], OpenIndex],
    progress: RunProgress = lambda _what, _share: None,
) -> Report:
    """Bring a serving cube up to what the items of a collection have: write it, or add new and changed dates.

    Args:
        archive: What is served.
        request: What of which collection is written.
        target: The cube.
        options: How it is written; those that choose files have no meaning here.
        open_index: Opens the index of items; called in each process that reads them.
        progress: Called with how far it is.

    Raises:
        UnsupportedSource: It cannot be made one cube, or not the one that is there.
        SourceUnavailable: The index or a store does not answer.
        WriteFailed: The disk is full or fails; what was visible before still is.
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
        there=None if document is None else document["attributes"],
    )
    names = variables_to_write(spec, reader, request.variables)
    if document is None:  # one that is there stays as it is encoded
        with mosaic.open_reader() as learning:
            for name in names:
                learning.learn_encodings(name)
    inputs = mosaic_inputs(mosaic, names, _about(archive, request.collection), mosaic.notes)
    if options.verify:
        require_items_apart(mosaic, inputs.variables.values())
    return write_cube(inputs, target, options, disk=disk, progress=progress)


def _source(archive: Archive, collection: str) -> tuple[SourceSpec, Reader]:
    """What a collection of items is read from."""
    spec = archive.specs.get(collection)
    if spec is None:
        raise UnsupportedSource(
            f"there is no collection {collection[:80]}; there are {list_names(list(archive.specs))}"
        )
    if spec.items is None:
        raise UnsupportedSource(f"collection {collection} has no items; name its files as SOURCE")
    reader = archive.services.readers.get(collection)
    if reader is None:
        reason = next((each.message for each in archive.findings if each.place == collection), "it is not served")
        raise UnsupportedSource(f"{collection}: {reason.removeprefix(LEFT_OUT)}")
    return spec, reader


def _about(archive: Archive, collection: str) -> dict[str, str]:
    """What the cube says of itself."""
    found = archive.services.catalogue.collections_by_id.get(collection)
    if found is None:
        return {}
    layer = next(iter(found.layers))
    texts = {
        "title": next(iter(found.title.values()), None),
        "attribution": layer.attribution,
        "license": layer.license,
    }
    return {name: text for name, text in texts.items() if text}
