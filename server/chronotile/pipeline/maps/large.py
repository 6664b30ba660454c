"""Which maps may take seconds to draw; reads no pixels and transforms no coordinates."""

from collections.abc import Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.request import MapRequest
from chronotile.warp.approximation import is_separable

QUICK_PIXELS = 1 << 22
"""Maps of more pixels, all layers together, are large: 2048 by 2048."""
TRANSFORMED = 2
"""Times as many pixels as a map has count where longitudes and latitudes do not give its columns and rows, as each of
its pixels may have to be transformed. A picture of a whole screen is quick in any case."""


def is_large(requests: Sequence[MapRequest], catalogue: Catalogue) -> bool:
    """Return whether maps that are laid over one another may take seconds.

    Raises:
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
    """
    return sum(_counted_pixels(request, catalogue) for request in requests) > QUICK_PIXELS


def _counted_pixels(request: MapRequest, catalogue: Catalogue) -> int:
    grid, native = request.grid, catalogue.layer(request.layer).main_variable.grid
    return grid.width * grid.height * (1 if is_separable(grid.crs, native.crs) else TRANSFORMED)
