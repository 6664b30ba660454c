"""A request for a cube of digital numbers, resolved to what exists; reads no pixels."""

from dataclasses import dataclass, replace

from chronotile.catalog.resolve_times import ResolvedTimes, resolve_series_times
from chronotile.encoders.cube_tile.ctc1 import ENCODER_VERSION
from chronotile.errors import LimitExceeded
from chronotile.model.collection import Layer
from chronotile.model.cube import CubeRequest
from chronotile.model.grid import divides
from chronotile.model.payload import PixelStates, TimeUsed
from chronotile.pipeline.composed import drawn_from, ground_windows
from chronotile.pipeline.resolve_series import layer_with_values
from chronotile.pipeline.revision import fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services
from chronotile.pipeline.stopwatch import Stopwatch
from chronotile.readers.reader import PROVISIONAL

SHORTER = "request a shorter interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTarget:
    """A request resolved to what exists."""

    request: CubeRequest
    services: Services
    layer: Layer
    times: ResolvedTimes
    time_used: TimeUsed
    states: PixelStates
    revision: str
    """Of the pixels at these times, of their meaning, and of the numbers that stand for them; of all tiles alike."""
    etag: str
    watch: Stopwatch


def resolve_cube(request: CubeRequest, services: Services) -> CubeTarget:
    """Return the layer and times that a request means, and refuse what is too large; reads no pixels.

    Raises:
        InvalidParameter: The layer is a composite.
        LimitExceeded: The cube is larger than `max_cube_values`.
        SourceUnavailable: The source is gone.
        ChronotileError: A name or time is not accepted.
    """
    watch = Stopwatch()
    with watch.step("resolve"):
        layer = layer_with_values(request.layer, services)
        request = _of_pixels_or_cells(request, layer)
        times = resolve_series_times(layer, request.time, now=services.clock())
        _check_values(request, len(times.indexes), services)
        used = times.used(layer.times) if times.indexes else TimeUsed()
        states = PixelStates()
        if times.indexes:
            windows = ground_windows(layer, request.tile.grid)
            states = pixel_states(layer, used.instants, services, windows=windows)
        state = fingerprint(
            "cube",
            ENCODER_VERSION,
            revision_of_states(layer, states),
            used.instants,
            (layer.resampling, layer.main_variable.is_categorical, layer.styles[0].range),
        )
    tile, grid = request.tile, request.tile.grid
    drawn = drawn_from(layer, used.instants, grid, services)
    etag = fingerprint(
        state,
        (tile.tile_matrix_set, tile.matrix, tile.column, tile.row, request.res, request.is_of_cells),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        drawn,
    )
    return CubeTarget(
        request=request,
        services=services,
        layer=layer,
        times=times,
        time_used=used,
        states=replace(states, is_provisional=PROVISIONAL in drawn),
        revision=state[:12],
        etag=etag,
        watch=watch,
    )


def _of_pixels_or_cells(request: CubeRequest, layer: Layer) -> CubeRequest:
    """The request, of pixels where the layer shows mixtures of cells, or where each pixel lies in one cell anyway."""
    variable = layer.main_variable
    is_same = layer.resampling != "nearest" or variable.is_mosaic or divides(request.tile.grid, variable.grid)
    return replace(request, is_of_cells=False) if request.is_of_cells and is_same else request


def _check_values(request: CubeRequest, times: int, services: Services) -> None:
    check_count(request.tile.grid.width * request.tile.grid.height * times, services)


def check_count(requested: int, services: Services) -> None:
    """Refuse more values than `max_cube_values`."""
    allowed = services.catalogue.limits.max_cube_values
    if requested > allowed:
        raise LimitExceeded("max_cube_values", allowed=allowed, needed=requested, alternative=SHORTER, locator="time")
