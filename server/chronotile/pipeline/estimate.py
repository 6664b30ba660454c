"""Estimates of the processor time of a request, which is refused before it starts if it exceeds `max_seconds`."""

from collections.abc import Mapping, Sequence
from math import ceil

from chronotile.core.errors import LimitExceeded
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.grid import Grid, Window
from chronotile.pipeline.services import Services, reading
from chronotile.readers.reader import BlockShape

LIMIT = "max_seconds"


def require_seconds(seconds: float, services: Services, *, alternative: str, locator: str | None = None) -> None:
    """Check that an estimate is within the limit.

    Args:
        seconds: The estimated processor time.
        services: The services with the limit.
        alternative: Advice for a cheaper request, part of the message.
        locator: The parameter at fault.

    Raises:
        LimitExceeded: The estimate is above `max_seconds`.
    """
    allowed = services.catalogue.limits.max_seconds
    if seconds > allowed:
        needed = float(f"{seconds:.2g}")
        what = "seconds of a processor estimated"
        raise LimitExceeded(LIMIT, allowed=allowed, needed=needed, alternative=alternative, locator=locator, what=what)


def blocks_of(window: Window, shape: BlockShape) -> int:
    """Return the number of blocks that a window touches."""
    down = (window.row_stop - 1) // shape.height - window.row_start // shape.height + 1
    across = (window.column_stop - 1) // shape.width - window.column_start // shape.width + 1
    return down * across


def window_seconds(layer: Layer, indexes: Sequence[int], window: Window, services: Services) -> float:
    """Return the processor time in seconds to read native cells at some times, by the cheaper of the two layouts.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader, name, estimates = services.reader(layer), layer.main_variable.name, list[float]()
    with reading(layer):
        for along in ("time", "space"):
            shape = reader.block_shape(name, along)
            cost = reader.read_cost(name, indexes=indexes, window=window, along=along)
            blocks = blocks_of(window, shape) * len({index // shape.times for index in indexes})
            estimates.append(cost.seconds(blocks=blocks, values=blocks * shape.times * shape.height * shape.width))
    return min(estimates)


WARP_S = 30e-9
"""Processor time to resample a value or to reduce it over time."""
READ_CELLS = 4
"""Maximum number of cells of an overview that are read per pixel."""


def grid_seconds(layer: Layer, indexes: Mapping[str, Sequence[int]], grid: Grid, services: Services) -> float:
    """Return the processor time in seconds to read variables on another grid, from overviews if they exist.

    Args:
        layer: The layer.
        indexes: Indexes into the times of each variable, by name.
        grid: The requested grid.
        services: The services that read it.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader, seconds = services.reader(layer), 0.0
    with reading(layer):
        for variable in layer.variables:
            window, variable_indexes = variable.grid.window_of(grid.bbox, grid.crs), indexes[variable.name]
            if window is None or not variable_indexes:
                continue
            shape = reader.block_shape(variable.name, "space")
            cost = reader.read_cost(variable.name, indexes=variable_indexes, window=window, along="space")
            pixels = grid.width * grid.height
            cells = window.width * window.height
            if len(variable.levels) > 1:
                cells = min(cells, READ_CELLS * pixels)
            blocks = max(1, ceil(cells / (shape.height * shape.width))) * len(
                {index // shape.times for index in variable_indexes}
            )
            values = blocks * shape.times * min(shape.height * shape.width, max(cells, 1))
            seconds += cost.seconds(blocks=blocks, values=values) + pixels * len(variable_indexes) * WARP_S
    return seconds
