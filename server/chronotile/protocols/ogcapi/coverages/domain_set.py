"""The domain set of a coverage: JSON of CIS 1.1 (OGC 09-146r8) with the types of OGC 19-087."""

from collections.abc import Sequence

import numpy as np

from chronotile.core.model.collection import Layer
from chronotile.core.model.space.crs import Crs, is_north_first
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray, JsonMapping
from chronotile.protocols.ogcapi.subset import axis_names

INDEX_CRS = "http://www.opengis.net/def/crs/OGC/0/Index{count}D"
TIME_CRS = "http://www.opengis.net/def/crs/OGC/0/GregorianDateTime"
COMPOUND_CRS = "http://www.opengis.net/def/crs-compound?1={first}&2={second}"
INDEX_LABELS = "ijk"


def domain_set(grid: Grid, instants: InstantArray) -> JsonMapping:
    """Return the domain set of a coverage: axes in the order of its CRS, then time.

    Bounds are the outer edges of cells, as values apply to areas (OGC 19-087 §7): their distance is the resolution
    times the number of cells.

    Args:
        grid: North-up.
        instants: (time,); empty for a coverage without time, which has no axis `time`.
    """
    order = "yx" if is_north_first(grid.crs) else "xy"
    axes = [_axis(grid, axis) for axis in order]
    sizes = [grid.width if axis == "x" else grid.height for axis in order]
    if instants.size:
        coordinates = [format_instant(instant) for instant in instants]
        axes.append({"type": "IrregularAxis", "axisLabel": "time", "uomLabel": "ISO8601", "coordinate": coordinates})
        sizes.append(instants.size)
    general_grid = {
        "type": "GeneralGridCoverage",
        **_srs_name(grid.crs, has_time=bool(instants.size)),
        "axisLabels": [axis["axisLabel"] for axis in axes],
        "axis": axes,
        "gridLimits": _grid_limits(sizes),
    }
    return {"type": "DomainSet", "generalGrid": general_grid}


def instants_of_all(layers: Sequence[Layer]) -> InstantArray:
    """Return the instants of all layers, ascending."""
    return np.unique(np.concatenate([layer.times.instants for layer in layers]))


def _axis(grid: Grid, axis: str) -> JsonMapping:
    # CIS allows bounds of any type; the schema of OGC 19-087 only texts.
    number = "xy".index(axis)
    return {
        "type": "RegularAxis",
        "axisLabel": axis_names(is_geographic=grid.crs.is_geographic)[number],
        "lowerBound": _plain(grid.bbox[number]),
        "upperBound": _plain(grid.bbox[number + 2]),
        "uomLabel": _unit(grid.crs),
        "resolution": grid.resolution[number],
    }


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _unit(crs: Crs) -> str:
    if crs.is_geographic:
        return "deg"
    name = crs.definition.axis_info[0].unit_name if crs.definition.axis_info else "metre"
    return "m" if name == "metre" else str(name)


def _srs_name(crs: Crs, *, has_time: bool) -> JsonMapping:
    """Return the URI of the CRS, or nothing if it has no code."""
    if crs.uri is None:
        return {}
    return {"srsName": COMPOUND_CRS.format(first=crs.uri, second=TIME_CRS) if has_time else crs.uri}


def _grid_limits(sizes: Sequence[int]) -> JsonMapping:
    labels = list(INDEX_LABELS[: len(sizes)])
    return {
        "type": "GridLimits",
        "srsName": INDEX_CRS.format(count=len(sizes)),
        "axisLabels": labels,
        "axis": [
            {"type": "IndexAxis", "axisLabel": label, "lowerBound": 0, "upperBound": size - 1}
            for label, size in zip(labels, sizes, strict=True)
        ],
    }
