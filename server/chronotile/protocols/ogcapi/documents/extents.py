"""How far collections reach in space and time (OGC 20-024, OGC 19-087)."""

import numpy as np

from chronotile.catalog.offered import Offered
from chronotile.encoders.instants import format_instants
from chronotile.model.crs import CRS84, is_north_first
from chronotile.model.grid import NativeGrid
from chronotile.model.time.instants import DAY, TimeDomain, format_instant
from chronotile.model.time.steps import DEKAD, DEKAD_DAYS, step_of
from chronotile.protocols.common.extent import box_of_offered
from chronotile.protocols.common.query.axis_order import in_axis_order
from chronotile.protocols.ogcapi.block import Json

GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


def spatial_extent(offered: Offered) -> Json:
    """Return the box in CRS84 and, of a coverage, the box and the cells of its own grid."""
    extent: Json = {"bbox": [list(box_of_offered(offered))], "crs": CRS84.uri}
    return {**extent, **_native_extent(offered.main_field.main_variable.grid)} if offered.has_values else extent


def temporal_extent(times: TimeDomain, *, limit: int) -> Json | None:
    """Return from when to when there are data, and which times; `None` for data without time.

    `grid` lists them as OGC 20-024 does: every so often, or one by one up to `limit`, with the bounds of periods where
    there is room for them; a `step` of our own names dekads. `values` has the same as OGC 19-086r6 does, where dekads
    are three series of months.
    """
    if len(times) == 0:
        return None
    step = step_of(times)
    first, last = (format_instant(times.instants[index]) for index in (0, -1))
    listed = format_instants(times.instants) if len(times) <= limit else []
    extent: Json = {
        "interval": [[first, last]],
        "trs": GREGORIAN,
        "values": _values(times, step) or listed or [f"{first}/{last}"],
    }
    if step not in {None, DEKAD}:
        return {**extent, "grid": {"cellsCount": len(times), "resolution": step, "firstCoordinate": first}}
    if not listed:
        return extent
    named = {} if step is None else {"step": step}
    bounds = _bounds(times, room=limit - len(times))
    return {**extent, "grid": {"cellsCount": len(times), **named, "coordinates": listed, **bounds}}


def _bounds(times: TimeDomain, *, room: int) -> Json:
    """First and last instant of each period, where times are longer than the day that they begin on.

    The years of a climatology are those of all its times together: its bounds are no part of a time axis.
    """
    periods = np.stack([times.starts, times.ends], axis=1) if times.is_climatology else times.periods
    if len(times) * 2 > room or not bool((periods[:, 1] - periods[:, 0] > DAY).any()):
        return {}
    bounds = zip(format_instants(periods[:, 0]), format_instants(periods[:, 1]), strict=True)
    return {"boundsCoordinates": [list(pair) for pair in bounds]}


def _values(times: TimeDomain, step: str | None) -> list[str]:
    """Repeating intervals: `R4/2020-01-01T00:00:00Z/P1M` are four times, a month from one another."""
    if step is None:
        return []
    phases, period = (len(DEKAD_DAYS), "P1M") if step == DEKAD else (1, step)
    series = [times.instants[phase::phases] for phase in range(phases)]
    return [f"R{len(each)}/{format_instant(each[0])}/{period}" for each in series]


def _native_extent(grid: NativeGrid) -> Json:
    """Axes in the order of the CRS; cells from west to east and from south to north, where they lie along the axes."""
    box = grid.bbox
    own = {} if grid.crs == CRS84 else {"storageCrsBbox": [list(in_axis_order(box, grid.crs))]}
    if grid.transform.b != 0 or grid.transform.d != 0:
        return own
    columns, rows = _cells(grid.width, grid.steps[0], box.xmin), _cells(grid.height, grid.steps[1], box.ymin)
    return {**own, "grid": [rows, columns] if is_north_first(grid.crs) else [columns, rows]}


def _cells(count: int, step: float, edge: float) -> Json:
    half = step / 2
    return {"cellsCount": count, "resolution": step, "firstCoordinate": edge + half, "relativeBounds": [-half, half]}
