"""How many cells and times an answer has, where that depends on the native ones."""

import math
from dataclasses import replace

import numpy as np

from chronotile.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.model.crs import are_alike
from chronotile.model.grid import WHOLE_CIRCLE, Grid
from chronotile.model.time.instants import ABSENT, DISTANT_FUTURE, TimePart, TimeSelection, TimeSpan, format_day
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.coverage.source_coverage import coverage_bytes
from chronotile.pipeline.services import Services
from chronotile.protocols.ogcapi.coverages.params import CoverageQuery
from chronotile.protocols.ogcapi.coverages.scaling import PartialSize, Resolution

DEFAULT_BYTES = 32 << 20
"""Of numbers that a request without times has at most, unless one time alone has more."""


def with_default_times(request: CoverageRequest, services: Services) -> tuple[CoverageRequest, str]:
    """Return a request that names no times with the newest ones that are no more than `DEFAULT_BYTES`.

    Returns:
        It, and a sentence with the request for all times; empty where all are in it.

    Raises:
        ChronotileError: The request is not accepted.
    """
    layers = [services.catalogue.layer(name) for name in request.layers]
    starts = [layer.times.starts for layer in layers if len(layer.times)]
    if request.time != ABSENT or not starts:
        return request, ""
    every = np.unique(np.concatenate(starts))
    grid = place_of(request, layers[0].main_variable.grid).grid
    newest = max(1, DEFAULT_BYTES // coverage_bytes([coverage_field(layer) for layer in layers], grid, times=1))
    if newest >= every.size:
        return request, ""
    part = TimePart(TimeSpan(every[-newest], DISTANT_FUTURE), is_interval=True)
    told = f"the newest {newest} of {every.size} times; datetime={format_day(every[0])}/.. requests all"
    return replace(request, time=TimeSelection("parts", (part,))), told


def with_scale(query: CoverageQuery, services: Services) -> CoverageRequest:
    """Return the request for numbers with its scale.

    Requested sizes count along all that is requested (OGC 19-087 /req/coverage-scaling/size D): where that
    reaches beyond the data, the answer has as many of the cells as lie on them.

    Raises:
        ChronotileError: The request is not accepted.
    """
    request, scaling = query.request, query.scaling
    if scaling is None or isinstance(scaling, ScaleFactors):
        return replace(request, scale=scaling)
    native = place_of(request, services.catalogue.layer(request.layers[0]).main_variable.grid).grid
    if isinstance(scaling, Resolution):
        x, y = native.resolution
        factors = ScaleFactors(x=(scaling.x or x) / x, y=(scaling.y or y) / y, locator="resolution")
        return replace(request, scale=factors)
    across, down = _shares(native, request.trims)
    width, height = _share_of(scaling.width, across), _share_of(scaling.height, down)
    if isinstance(scaling, PartialSize):
        return replace(request, scale=ScaleSize(width=width or native.width, height=height or native.height))
    return replace(request, scale=replace(scaling, width=width, height=height))


def _shares(grid: Grid, trims: tuple[Trim, ...]) -> tuple[float, float]:
    """How much of what is requested along x and y a grid covers; all of it where that is in another CRS."""
    boxes = [trim.box for trim in trims if are_alike(trim.crs, grid.crs)]
    if not boxes:
        return 1.0, 1.0
    xmin, ymin, xmax, ymax = boxes[0]
    across, down = xmax - xmin + (WHOLE_CIRCLE if xmax < xmin else 0.0), ymax - ymin
    sides = ((grid.bbox.xmax - grid.bbox.xmin, across), (grid.bbox.ymax - grid.bbox.ymin, down))
    x, y = (min(1.0, own / side) if side and math.isfinite(side) else 1.0 for own, side in sides)
    return x, y


def _share_of(size: int | None, share: float) -> int | None:
    return None if size is None else max(1, round(size * share))
