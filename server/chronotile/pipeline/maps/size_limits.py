"""Size limits of maps: pixels per side, pixels, and values of all times."""

from chronotile.core.errors import LimitExceeded, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp.strips import cells_of, plan_strips
from chronotile.pipeline.services import Services

MAX_SIDE_PX = 65_535
"""Limit of JPEG, used for all formats: a limit of pixels does not limit the memory per row or column."""


def require_sides(grid: Grid, max_side_px: int, *, alternative: str) -> None:
    """Check the width and the height of a picture.

    Args:
        grid: The grid of the picture.
        max_side_px: The largest width and height.
        alternative: Remedy for the error.

    Raises:
        LimitExceeded: The picture is wider or higher.
    """
    side = max(grid.width, grid.height)
    require_at_most("pixels per side", side, max_side_px, alternative=alternative, locator=larger_side(grid))


def check_map_size(request: MapRequest, layer: Layer, times: int, services: Services) -> None:
    """Check the size of a map of a number of times.

    Raises:
        LimitExceeded: A side, the pixels, or the values of all times are too many.
    """
    grid, limits = request.grid, services.catalogue.limits
    pixels, alternative = pixels_of(grid), "request a smaller picture, or use tiles"
    require_sides(grid, MAX_SIDE_PX, alternative=alternative)
    require_at_most("max_pixels", pixels, limits.max_pixels, alternative=alternative, locator=larger_side(grid))
    allowed, values = limits.max_cube_values, pixels * times
    if times > 1 and values > allowed:
        values = _count_reduced_cells(grid, layer) * times
    if times > 1 and values > allowed:
        fewer = (
            "of maps it limits pixels, or cells if they are fewer, times dates: request a shorter interval or a "
            "smaller picture"
        )
        if request.anomaly is not None:
            fewer += ", a shorter reference, or a job of the process anomaly"
        raise LimitExceeded("max_cube_values", allowed=allowed, needed=values, alternative=fewer, locator="time")


def _count_reduced_cells(grid: Grid, layer: Layer) -> int:
    """The number of cells or of pixels, whichever is smaller, that are reduced over time (`read_layer_values`)."""
    variable = layer.main_variable
    if layer.is_composite or variable.is_mosaic or layer.resampling != "nearest":
        return pixels_of(grid)
    plan = plan_strips(variable.levels, grid)
    return 0 if plan is None else min(pixels_of(grid), cells_of(plan))


def pixels_of(grid: Grid) -> int:
    """Return the number of pixels of a grid."""
    return grid.width * grid.height


def larger_side(grid: Grid) -> str:
    """Return the parameter to name in an error about the size of a picture: `width` or `height`."""
    return "width" if grid.width >= grid.height else "height"
