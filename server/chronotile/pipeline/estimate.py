"""The estimated processor time of a request, checked before it starts against one limit."""

from collections.abc import Mapping, Sequence
from math import ceil

from chronotile.core.errors import LimitExceeded
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.grid import Grid, Window
from chronotile.pipeline.services import Services, reading
from chronotile.readers.reader import BlockShape

LIMIT = "max_seconds"


def require_seconds(seconds: float, services: Services, *, alternative: str, locator: str | None = None) -> None:
    """Refuse work that takes too long.

    Args:
        seconds: The estimated processor time.
        services: Whose limit holds.
        alternative: The cheaper request.
        locator: The parameter at fault.

    Raises:
        LimitExceeded: It is more than `max_seconds`.
    """
    allowed = services.catalogue.limits.max_seconds
    if seconds > allowed:
        needed = float(f"{seconds:.2g}")
        what = "seconds of a processor estimated"
        raise LimitExceeded(LIMIT, allowed=allowed, needed=needed, alternative=alternative, locator=locator, what=what)


def blocks_of(window: Window, shape: BlockShape) -> int:
    """Return how many blocks a window touches."""
    down = (window.row_stop - 1) // shape.height - window.row_start // shape.height + 1
    across = (window.column_stop - 1) // shape.width - window.column_start // shape.width + 1
    return down * across


def window_seconds(layer: Layer, indexes: Sequence[int], window: Window, services: Services) -> float:
    """Return the processor time of reading native cells at some times, by the cheaper layout.

    Raises:
        SourceUnavailable: The source is gone.
    """
    reader, name, found = services.reader(layer), layer.main_variable.name, list[float]()
    with reading(layer):
        for along in ("time", "space"):
            shape = reader.block_shape(name, along)
            cost = reader.read_cost(name, indexes=indexes, window=window, along=along)
            blocks = blocks_of(window, shape) * len({index // shape.times for index in indexes})
            found.append(cost.seconds(blocks=blocks, values=blocks * shape.times * shape.height * shape.width))
    return min(found)


WARP_S = 30e-9
"""Processor time to bring a value onto another grid, or to reduce it over time."""
READ_CELLS = 4
"""Cells of an overview that are read for a pixel at most."""


def grid_seconds(layer: Layer, indexes: Mapping[str, Sequence[int]], grid: Grid, services: Services) -> float:
    """Return the processor time of reading variables on another grid, from overviews where there are some.

    Args:
        layer: The layer.
        indexes: Into the times of each variable, by its name.
        grid: The requested grid.
        services: To read it with.

    Raises:
        SourceUnavailable: The source is gone.
    """
    reader, seconds = services.reader(layer), 0.0
    with reading(layer):
        for variable in layer.variables:
            window, own = variable.grid.window_of(grid.bbox, grid.crs), indexes[variable.name]
            if window is None or not own:
                continue
            shape = reader.block_shape(variable.name, "space")
            cost = reader.read_cost(variable.name, indexes=own, window=window, along="space")
            pixels = grid.width * grid.height
            cells = window.width * window.height
            if len(variable.levels) > 1:
                cells = min(cells, READ_CELLS * pixels)
            blocks = max(1, ceil(cells / (shape.height * shape.width))) * len({index // shape.times for index in own})
            values = blocks * shape.times * min(shape.height * shape.width, max(cells, 1))
            seconds += cost.seconds(blocks=blocks, values=values) + pixels * len(own) * WARP_S
    return seconds
