"""Polygons cut to a tile, in whole units of the tile."""

import numpy as np
import shapely
from numpy.typing import NDArray

from chronotile.core.model.grid import BBox
from chronotile.core.model.places import Shapes
from chronotile.pipeline.encoders.vector.mvt import EXTENT, TilePolygons

BUFFER = 64
"""Units beyond each side of a tile that polygons reach, so that their outlines are not drawn along its edges."""

TOLERANCE = 0.5
"""Units by which a simplified outline may be off: a sixteenth of a pixel is 16 of them where a tile has 256."""

_POLYGON = 3
_COLLECTION = 7


def cut_to_tile(shapes: Shapes, bounds: NDArray[np.float64], tile: BBox) -> TilePolygons:
    """Return what a tile shows of polygons: valid ones, without what is smaller than its units.

    Args:
        shapes: (feature,): polygons and multipolygons, valid, in the CRS of the tile.
        bounds: (feature, 4): their boxes; NaN for one that is nowhere.
        tile: Its box, without the buffer.
    """
    unit = (tile.xmax - tile.xmin) / EXTENT, (tile.ymax - tile.ymin) / EXTENT
    margin = BUFFER * unit[0], BUFFER * unit[1]
    box = BBox(tile.xmin - margin[0], tile.ymin - margin[1], tile.xmax + margin[0], tile.ymax + margin[1])
    near = np.flatnonzero(_meets(bounds, box) & _is_visible(bounds, unit))
    scaled = shapely.transform(
        _inside(shapes[near], bounds[near], box),
        lambda xy: np.column_stack(((xy[:, 0] - tile.xmin) / unit[0], (tile.ymax - xy[:, 1]) / unit[1])),
    )
    polygons, sources = shapely.get_parts(_in_whole_units(scaled), return_index=True)
    is_polygon = (shapely.get_type_id(polygons) == _POLYGON) & ~shapely.is_empty(polygons)
    return TilePolygons(polygons=polygons[is_polygon], owners=near[sources[is_polygon]])


def _meets(bounds: NDArray[np.float64], box: BBox) -> NDArray[np.bool_]:
    west, south, east, north = bounds.T
    met: NDArray[np.bool_] = (west < box.xmax) & (east > box.xmin) & (south < box.ymax) & (north > box.ymin)
    return met


def _is_visible(bounds: NDArray[np.float64], unit: tuple[float, float]) -> NDArray[np.bool_]:
    """Whether a box is as long as a unit in some direction."""
    west, south, east, north = bounds.T
    visible: NDArray[np.bool_] = (east - west >= unit[0]) | (north - south >= unit[1])
    return visible


def _inside(shapes: Shapes, bounds: NDArray[np.float64], box: BBox) -> Shapes:
    """What of each shape is inside the box; points and lines where it only touches."""
    west, south, east, north = bounds.T
    crosses = (west < box.xmin) | (east > box.xmax) | (south < box.ymin) | (north > box.ymax)
    cut = shapes.copy()
    cut[crosses] = shapely.clip_by_rect(shapes[crosses], *box)
    for index in np.flatnonzero(shapely.get_type_id(cut) == _COLLECTION):
        cut[index] = shapely.MultiPolygon([each for each in cut[index].geoms if shapely.get_type_id(each) == _POLYGON])
    return cut


def _in_whole_units(shapes: Shapes) -> Shapes:
    """The shapes on whole units, simplified and valid; empty where nothing is left of one.

    Rounding and simplifying make few of them invalid; those are snapped by GEOS, which minds validity at ten times the
    cost.
    """
    rounded = shapely.transform(shapely.simplify(shapes, TOLERANCE, preserve_topology=False), np.rint)
    quick: Shapes = shapely.remove_repeated_points(rounded)
    wrong = ~shapely.is_valid(quick)
    quick[wrong] = shapely.set_precision(shapes[wrong], 1.0)
    return quick
