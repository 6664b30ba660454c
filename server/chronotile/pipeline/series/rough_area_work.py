"""How long the series of an area takes, roughly; reads no pixels and transforms no coordinates."""

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.model.collection import Layer
from chronotile.model.geometry.area import Area
from chronotile.model.time.instants import TimeSelection
from chronotile.pipeline.services import Services

CELL_S = 10e-9
"""Processor time of each cell at one time, in a serving cube, with what is decoded beside it in the same chunk."""

MOST_POLYGONS = 100
"""Of an area of more nothing is assumed: this runs in the event loop."""

MOST_S = 1.0
"""However large the area is: it may be past a limit, and holds one thread of several."""


def rough_seconds(area: Area, time: TimeSelection, layer: Layer, services: Services) -> float:
    """Return the processor time that reading and reducing take, of the box of the area at all its times.

    0 where it is not given in longitude and latitude, or the extent of the layer is not, or it has many polygons.

    Raises:
        ChronotileError: The times are not accepted.
    """
    west, south, east, north = services.catalogue.collection(layer.collection).bbox
    is_known = area.crs.is_geographic and west < east and south < north
    if not (is_known and 0 < len(area.polygons) <= MOST_POLYGONS):
        return 0.0
    outlines = [rings[0] for rings in area.polygons]
    left, bottom = (min(float(ring[:, axis].min()) for ring in outlines) for axis in (0, 1))
    right, top = (max(float(ring[:, axis].max()) for ring in outlines) for axis in (0, 1))
    across = max(0.0, min(east, right) - max(west, left)) / (east - west)
    down = max(0.0, min(north, top) - max(south, bottom)) / (north - south)
    grid = layer.main_variable.grid
    times = len(resolve_series_times(layer, time, now=services.clock()).indexes)
    return min(MOST_S, across * grid.width * down * grid.height * times * CELL_S)
