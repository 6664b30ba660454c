"""Where and when a coverage has values, as CIS 1.1 (OGC 09-146r8) writes it in JSON, in the types of OGC 19-087."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chronotile.model.collection import Layer
from chronotile.model.crs import Crs, is_north_first
from chronotile.model.grid import Grid
from chronotile.model.time.instants import InstantArray, format_instant
from chronotile.protocols.ogcapi.axes import axis_names

Json = Mapping[str, Any]

INDEX_CRS = "http://www.opengis.net/def/crs/OGC/0/Index{count}D"
TIME_CRS = "http://www.opengis.net/def/crs/OGC/0/GregorianDateTime"
COMPOUND_CRS = "http://www.opengis.net/def/crs-compound?1={first}&2={second}"
INDEX_LABELS = "ijk"


def domain_set(grid: Grid, instants: InstantArray) -> Json:
    """Return the domain set of a coverage: axes in the order of its CRS, then time.

    Bounds are the edges of the outermost cells, since values are of areas (OGC 19-087 §7): between them lie as many
    resolutions as there are cells.

    Args:
        grid: North-up.
        instants: (time,); empty for a coverage without time, which has no such axis.
    """
    axes = [_axis(grid, axis) for axis in _order(grid.crs)]
    sizes = [grid.width if axis == "x" else grid.height for axis in _order(grid.crs)]
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
    """Return the instants that any layer has, ascending."""
    return np.unique(np.concatenate([layer.times.instants for layer in layers]))


def _order(crs: Crs) -> str:
    return "yx" if is_north_first(crs) else "xy"


def _axis(grid: Grid, axis: str) -> Json:
    """CIS has bounds of any type, OGC 19-087's schema texts alone."""
    names = axis_names(is_geographic=grid.crs.is_geographic)
    xmin, ymin, xmax, ymax = grid.bbox
    low, high = (xmin, xmax) if axis == "x" else (ymin, ymax)
    return {
        "type": "RegularAxis",
        "axisLabel": names[0] if axis == "x" else names[1],
        "lowerBound": _plain(low),
        "upperBound": _plain(high),
        "uomLabel": _unit(grid.crs),
        "resolution": grid.resolution[0] if axis == "x" else grid.resolution[1],
    }


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _unit(crs: Crs) -> str:
    if crs.is_geographic:
        return "deg"
    name = crs.definition.axis_info[0].unit_name if crs.definition.axis_info else "metre"
    return "m" if name == "metre" else str(name)


def _srs_name(crs: Crs, *, has_time: bool) -> Json:
    """A CRS that no authority names has none."""
    if crs.uri is None:
        return {}
    return {"srsName": COMPOUND_CRS.format(first=crs.uri, second=TIME_CRS) if has_time else crs.uri}


def _grid_limits(sizes: Sequence[int]) -> Json:
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
