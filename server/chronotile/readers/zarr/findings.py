"""What `check` finds in Zarr stores: chunks that are slow to read."""

import math
from collections.abc import Iterator

from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.foreign import opening
from chronotile.readers.zarr.stores import open_group

LARGE_BYTES = 16 << 20
"""What one picture should not have to decode for a single chunk."""


def chunk_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a warning for each array whose chunks are large, so that each tile decodes much."""
    with opening(spec.collection):
        names = [variable.name or variable.id for variable in spec.variables.values()]
        store, root = open_group(spec.href, names=names)
        arrays = list(root.all_arrays())
    for array in arrays:
        if array.dtype is None or len(array.shape) < 2:
            continue
        with opening(spec.collection):
            chunks = store.open_array(array).chunks or ()
        size = math.prod(chunks) * array.dtype.itemsize
        if size > LARGE_BYTES:
            shape = " x ".join(map(str, chunks))
            message = (
                f"its chunks of {shape} are {size >> 20} MiB: each tile decodes at least one; "
                "write it with chunks of one time and 256 to 1024 pixels per side"
            )
            yield Finding("warning", f"{spec.collection}: {array.path}", message)
