"""How the pixels of a source lie in blocks, which decides what a picture costs."""

import math
from collections.abc import Iterator

from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.files import find_files
from chronotile.readers.foreign import opening
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.zarr.arrays import open_array
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode, read_group

LARGE_BYTES = 16 << 20
"""What one picture should not have to decode for a single block."""

SMALL_SIDE_PX = 1024
"""Of a raster smaller than this any layout will do."""


def block_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield what makes reading a part of a source as dear as reading much of it."""
    if spec.kind == "cog":
        yield from _raster_findings(spec)
    elif spec.kind == "zarr":
        yield from _zarr_findings(spec)


def _raster_findings(spec: SourceSpec) -> Iterator[Finding]:
    for name, paths in find_files(spec).items():
        place = f"{spec.collection}: {name}" if name else spec.collection
        with opening(spec.collection), HandlePool(max_idle=0).lend(paths[0]) as handle:
            dataset = handle.dataset
            height, width = dataset.block_shapes[0]
            size = height * width * dataset.count * 8
            is_large = max(dataset.width, dataset.height) > SMALL_SIDE_PX
        if is_large and width == dataset.width and (height < 16 or size > LARGE_BYTES):
            message = (
                f"its blocks are whole rows ({width} x {height} pixels): each tile reads far more than it shows; "
                "tile the files (gdal_translate -of COG)"
            )
            yield Finding("warning", place, message)


def _zarr_findings(spec: SourceSpec) -> Iterator[Finding]:
    with opening(spec.collection):
        arrays = list(_arrays(read_group(spec.href)))
    for array in arrays:
        if array.dtype is None or len(array.shape) < 2:
            continue
        with opening(spec.collection):
            chunks = open_array(spec.href, array).chunks or ()
        size = math.prod(chunks) * array.dtype.itemsize
        if size > LARGE_BYTES:
            shape = " x ".join(map(str, chunks))
            message = (
                f"its chunks of {shape} are {size >> 20} MiB: each tile decodes at least one; "
                "write it with chunks of one time and 256 to 1024 pixels a side"
            )
            yield Finding("warning", f"{spec.collection}: {array.path}", message)


def _arrays(group: GroupNode) -> Iterator[ArrayNode]:
    yield from group.arrays.values()
    for each in group.groups.values():
        yield from _arrays(each)
