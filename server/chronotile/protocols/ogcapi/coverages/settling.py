"""A scale that leaves something to the native cells, as one that says all."""

from dataclasses import replace

from chronotile.model.coverage import CoverageRequest, ScaleFactors, ScaleSize
from chronotile.pipeline.coverage_grid import place_of
from chronotile.pipeline.services import Services
from chronotile.protocols.ogcapi.coverages.params import AskedCoverage
from chronotile.protocols.ogcapi.coverages.scaling import PartialSize, Resolution


def settled(asked: AskedCoverage, services: Services) -> CoverageRequest:
    """Return the request for numbers with its scale; where an axis keeps its native cells, they are counted first.

    Raises:
        ChronotileError: The request is not accepted.
    """
    request, scaling = asked.request, asked.scaling
    if not isinstance(scaling, PartialSize | Resolution):
        return replace(request, scale=scaling)
    native = place_of(request, services.catalogue.layer(request.layers[0]).main_variable.grid).grid
    if isinstance(scaling, PartialSize):
        size = ScaleSize(width=scaling.width or native.width, height=scaling.height or native.height)
        return replace(request, scale=size)
    x, y = native.resolution
    factors = ScaleFactors(x=(scaling.x or x) / x, y=(scaling.y or y) / y, locator="resolution")
    return replace(request, scale=factors)
