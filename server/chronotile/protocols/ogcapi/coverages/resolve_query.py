"""Requests for coverages completed with the native grid: default times and number of cells."""

import math
from dataclasses import replace

import numpy as np

from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.space.crs import are_alike
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.instants import DISTANT_FUTURE, TimeSpan, format_day
from chronotile.core.model.time.selection import ABSENT, TimePart, TimeSelection
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.coverage.grid import resolve_grid
from chronotile.pipeline.coverage.source_coverage import coverage_bytes
from chronotile.pipeline.services import Services
from chronotile.protocols.ogcapi.coverages.params import CoverageQuery, PartialResolution, PartialSize

DEFAULT_BYTES = 32 << 20
"""Default requests without times have at most this many bytes of numbers, except if one time has more."""


def limit_to_newest_times(request: CoverageRequest, services: Services) -> tuple[CoverageRequest, str]:
    """Limit a request without times to the newest times within `DEFAULT_BYTES`.

    Returns:
        The request, and a warning that contains the request for all times; empty if all are included.

    Raises:
        ChronotileError: The request is not accepted.
    """
    layers = [services.catalogue.layer(name) for name in request.layers]
    starts = [layer.times.starts for layer in layers if len(layer.times)]
    if request.time != ABSENT or not starts:
        return request, ""
    every = np.unique(np.concatenate(starts))
    grid = resolve_grid(request, layers[0].main_variable.grid).grid
    newest = max(1, DEFAULT_BYTES // coverage_bytes([coverage_field(layer) for layer in layers], grid, times=1))
    if newest >= every.size:
        return request, ""
    part = TimePart(TimeSpan(every[-newest], DISTANT_FUTURE), is_interval=True)
    warning = f"the newest {newest} of {every.size} times; datetime={format_day(every[0])}/.. requests all"
    return replace(request, time=TimeSelection("parts", (part,))), warning


def apply_scale(query: CoverageQuery, services: Services) -> CoverageRequest:
    """Return the request with its scale.

    A size applies to the whole requested box (OGC 19-087 /req/coverage-scaling/size D). If the box exceeds the data,
    the answer contains the part of the cells that lies on the data.

    Raises:
        ChronotileError: The request is not accepted.
    """
    request, scaling = query.request, query.scaling
    if scaling is None or isinstance(scaling, ScaleFactors):
        return replace(request, scale=scaling)
    native = resolve_grid(request, services.catalogue.layer(request.layers[0]).main_variable.grid).grid
    if isinstance(scaling, PartialResolution):
        x, y = native.resolution
        factors = ScaleFactors(x=(scaling.x or x) / x, y=(scaling.y or y) / y, locator="resolution")
        return replace(request, scale=factors)
    across, down = _covered_fractions(native, request.trims)
    width, height = _scaled_size(scaling.width, across), _scaled_size(scaling.height, down)
    if isinstance(scaling, PartialSize):
        return replace(request, scale=ScaleSize(width=width or native.width, height=height or native.height))
    return replace(request, scale=replace(scaling, width=width, height=height))


def _covered_fractions(grid: Grid, trims: tuple[Trim, ...]) -> tuple[float, float]:
    """Return the fractions of the requested box along x and y that a grid covers; 1 for a box in another CRS."""
    boxes = [trim.box for trim in trims if are_alike(trim.crs, grid.crs)]
    if not boxes:
        return 1.0, 1.0
    xmin, ymin, xmax, ymax = boxes[0]
    across, down = xmax - xmin + (WHOLE_CIRCLE if xmax < xmin else 0.0), ymax - ymin
    sides = ((grid.bbox.xmax - grid.bbox.xmin, across), (grid.bbox.ymax - grid.bbox.ymin, down))
    x, y = (min(1.0, covered / side) if side and math.isfinite(side) else 1.0 for covered, side in sides)
    return x, y


def _scaled_size(size: int | None, fraction: float) -> int | None:
    return None if size is None else max(1, round(size * fraction))
