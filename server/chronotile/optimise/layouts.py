"""Which layouts a cube is given where nothing is said."""

from chronotile.optimise.inputs import Inputs
from chronotile.readers.files import find_files
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name
from chronotile.readers.raster.pool import HandlePool

MAX_BLOCK_PX = 1024
"""The longest side of a tile of a file that need not be written again for maps."""


def has_good_map(inputs: Inputs) -> bool:
    """Whether the sources are tiled rasters with overviews: a map layout already."""
    if any(spec.kind != "cog" or spec.times is not None for spec in inputs.specs):
        return False
    if any(len(info.stored_levels) < 2 for info in inputs.variables.values()):
        return False
    spec = inputs.specs[0]
    path = next(iter(find_files(spec).values()))[0]
    with opening(base_name(path)), HandlePool(max_idle=0).lend(path) as handle:
        return bool(max(handle.dataset.block_shapes[0]) <= MAX_BLOCK_PX)
