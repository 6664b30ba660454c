"""Show me this tile at all of these times: a request to a cube of digital numbers."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from chronotile.catalog.resolve_times import ResolvedTimes, resolve_series_times
from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import SourceChanged, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.cube import (
    BLOCK_DATES,
    CUBE_TYPE,
    CubeAbout,
    CubeBlock,
    CubeFrame,
    CubeNumbering,
    CubeRequest,
)
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.payload import NOTHING_MISSING, Missing, Payload, PixelStates, TimeUsed
from chronotile.core.model.raster import Raster
from chronotile.core.model.space.grid import divides
from chronotile.core.warp.native_cells import CellPlan, plan_cells
from chronotile.core.warp.plan import WarpPlan, plan_warp
from chronotile.pipeline.answer import PixelTarget, find_answer, make_answer
from chronotile.pipeline.caches.cube_tiles import CubePath, whole_year
from chronotile.pipeline.encoders.cube_tile.ctc1 import ENCODER_VERSION, encode_cube
from chronotile.pipeline.encoders.cube_tile.numbering import (
    Meaning,
    fits,
    halve_frame,
    is_flag,
    number_frames,
    numbering_of,
    numbering_of_frames,
)
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.estimate import grid_seconds, require_seconds
from chronotile.pipeline.mosaic_plans import MosaicPlan, list_picture_inputs, native_windows, plan_mosaic
from chronotile.pipeline.read_times import cells_decoded, read_times
from chronotile.pipeline.resolve_series import instants_of, layer_with_values
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.revision import (
    fingerprint,
    pixel_states,
    revision_of_states,
    time_index,
)
from chronotile.pipeline.services import Services, Stopwatch, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.reader import PROVISIONAL

SHORTER = "request a shorter interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTarget(PixelTarget):
    """A request for a cube tile, resolved."""

    request: CubeRequest
    times: ResolvedTimes
    revision: str
    """Version of the pixels at these times and of their numbering; the same for all tiles."""


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
        request = _choose_pixels_or_cells(request, layer)
        times = resolve_series_times(layer, request.time, now=services.clock())
        check_count(request.tile.grid.width * request.tile.grid.height * len(times.indexes), services)
        used = times.used(layer.times) if times.indexes else TimeUsed()
        states = PixelStates()
        if times.indexes:
            windows = native_windows(layer, request.tile.grid)
            states = pixel_states(layer, used.instants, services, windows=windows)
        state = fingerprint(
            "cube",
            ENCODER_VERSION,
            revision_of_states(layer, states),
            used.instants,
            (layer.resampling, layer.main_variable.has_means, layer.styles[0].range),
        )
    tile, grid = request.tile, request.tile.grid
    drawn = list_picture_inputs(layer, used.instants, grid, services)
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


def _choose_pixels_or_cells(request: CubeRequest, layer: Layer) -> CubeRequest:
    """The request, of pixels where the layer shows mixtures of cells, or where each pixel lies in one cell anyway."""
    variable = layer.main_variable
    is_same = layer.resampling != "nearest" or variable.is_mosaic or divides(request.tile.grid, variable.grid)
    return replace(request, is_of_cells=False) if request.is_of_cells and is_same else request


def check_count(requested: int, services: Services) -> None:
    """Refuse more values than `max_cube_values`."""
    allowed = services.catalogue.limits.max_cube_values
    require_at_most("max_cube_values", requested, allowed, alternative=SHORTER, locator="time")


VALUE_BYTES = 4
VALUE_S = 15e-9
"""Processor time to encode a value."""
MOST_BYTES = 128 << 20


def extract_cube(request: CubeRequest, services: Services, *, is_active: IsActive = always_active) -> Payload:
    """Return a tile's numbers at all requested times as CTC1 under gzip (docs/design/ctc1.md).

    Args:
        request: Which tile, and when.
        services: What to read it with.
        is_active: Whether the client still waits; called between two times.

    Returns:
        The cube; without a body where no time has a pixel in the tile.

    Raises:
        ChronotileError: As `find_cube` and `make_cube`.
    """
    target = find_cube(request, services)
    return make_cube(target, is_active=is_active) if isinstance(target, CubeTarget) else target


def find_cube(request: CubeRequest, services: Services, *, client_etags: Collection[str] = ()) -> Payload | CubeTarget:
    """Return what can be answered at once, or what is to be made by `make_cube`; reads no pixels.

    Args:
        request: Which tile, and when.
        services: What to look with.
        client_etags: ETags of answers that the client has.

    Returns:
        The answer, where the client holds it, it is cached, or none of the requested times exists; else the target.

    Raises:
        InvalidParameter: The layer is a composite.
        LimitExceeded: The cube is larger than `max_cube_values`.
        SourceUnavailable: The source is gone.
        ChronotileError: A name or time is not accepted.
    """
    target = resolve_cube(request, services)
    payload = target.payload(CUBE_TYPE)
    if not target.times.indexes:
        return replace(payload, unchanged=payload.etag in client_etags)
    return (
        find_answer(payload, client_etags, lambda etag: _read_prebuilt(target) or services.caches.cubes.get(etag))
        or target
    )


def make_cube(target: CubeTarget, *, is_active: IsActive = always_active) -> Payload:
    """Return a new cube, and cache it.

    Dates that are damaged while their source is there are left out, and among `unreadable`; such a cube is not cached.

    Args:
        target: Of `find_cube`.
        is_active: Whether the client still waits; called between two times.

    Returns:
        The cube; without a body where no time has a pixel in the tile.

    Raises:
        LimitExceeded: Far more cells would have to be read than the cube has values.
        ClientGone: The client left.
        SourceUnavailable: The source is away, or no date can be read.
    """

    def resolve_again(_error: SourceChanged) -> None:
        nonlocal target
        target = resolve_cube(target.request, target.services)

    return retry_overtaken(lambda: _make_from_target(target, is_active), SourceChanged, resolve_again)


def _make_from_target(target: CubeTarget, is_active: IsActive) -> Payload:
    def make() -> tuple[bytes, Missing]:
        _check_seconds(target)
        grid = target.request.tile.grid
        size = min(MOST_BYTES, VALUE_BYTES * grid.width * grid.height * len(target.times.indexes))
        with target.services.memory.taking(size, alternative=SHORTER, locator="time", is_active=is_active):
            return read_cube(target, is_active)

    cubes = target.services.caches.cubes
    payload = make_answer(target.payload(CUBE_TYPE), [target], make, cubes, is_active=is_active)
    return replace(payload, timing=target.watch.steps)


def _check_seconds(target: CubeTarget) -> None:
    grid, indexes = target.request.tile.grid, target.times.indexes
    seconds = grid_seconds(target.layer, {target.layer.main_variable.name: indexes}, grid, target.services)
    seconds += grid.width * grid.height * len(indexes) * VALUE_S
    require_seconds(seconds, target.services, alternative=SHORTER, locator="time")


def _read_prebuilt(target: CubeTarget) -> bytes | None:
    """The cube, if it is of a whole year and lies in a file as it would be made now."""
    written, request = target.services.caches.cubes.written, target.request
    if written is None:
        return None
    year = whole_year(target.layer, target.times.indexes, now=target.services.clock())
    if year is None:
        return None
    path = CubePath(
        layer=target.layer.id, tile=request.tile, year=year, res=request.res, is_of_cells=request.is_of_cells
    )
    tile_matrix_set = target.services.catalogue.tile_matrix_set(request.tile.tile_matrix_set)
    return written.read(path, revision=target.revision, tile_matrix_set=tile_matrix_set)


CubePlan = WarpPlan | CellPlan | MosaicPlan

MOST_READ = 64
"""Cells decoded for each value that a cube may have, at most: of a source without overviews, far out."""


def read_cube(target: CubeTarget, is_active: IsActive) -> tuple[bytes, Missing]:
    """Return the cube, encoded; one that does not fit the numbering that suits most cubes is read again for its own.

    Args:
        target: What to read.
        is_active: Whether the client still waits; called between two times.

    Raises:
        LimitExceeded: Far more cells would have to be read than the cube has values.
        ClientGone: The client left.
        SourceUnavailable: The source is away, or no time can be read.
    """
    plan = _plan(target)
    if plan is None:
        return b"", NOTHING_MISSING
    variable = target.layer.main_variable
    meaning = Meaning(
        encoding=variable.encoding,
        colours=target.layer.styles[0].range,
        res=target.request.res,
        is_categorical=not variable.has_means,
    )
    lacking = set[int]()
    unreadable = UnreadableDates(target.layer, target.services)

    def encode(frames: Iterable[CubeFrame], numbering: CubeNumbering) -> tuple[bytes, Missing]:
        blocks = _blocks(iter(frames), numbering)
        body = encode_cube(
            _about(target, plan, numbering), blocks, lacking=lacking, left_out=unreadable.unread_items_by_time
        )
        return body, unreadable.missing

    def frames() -> Iterator[CubeFrame]:
        return _frames(target, plan, is_active, unreadable=unreadable, lacking=lacking)

    with target.watch.step("read"):
        usual = numbering_of(meaning)
        if usual is None:
            stored_frames = list(frames())  # of a quarter of the pixels
            return encode(stored_frames, numbering_of_frames(stored_frames, meaning))
        try:
            return encode(frames(), usual)
        except _Misfit:
            return encode(frames(), numbering_of_frames(frames(), meaning))


def _plan(target: CubeTarget) -> CubePlan | None:
    """The plan by which a picture of the tile is read too, so that both show the same cells; `None` where it has none.

    Where native cells are requested, the plan of those, if places of the tile can be led to them.

    Raises:
        LimitExceeded: It would take far more cells than the cube has values.
    """
    layer, grid = target.layer, target.request.tile.grid
    variable, resampling = layer.main_variable, layer.resampling
    if target.request.is_of_cells:
        cells = plan_cells(variable.grid, grid)
        if cells is not None:
            check_count(cells.places.width * cells.places.height * len(target.times.indexes), target.services)
            _check_cells(cells, target)
            return cells
    if variable.is_mosaic:
        return plan_mosaic(grid, variable, resampling)
    plan = target.services.caches.plans.get_or_make(
        (variable.levels, grid, resampling), lambda: plan_warp(variable.levels, grid, resampling=resampling)
    )
    if plan is not None:
        _check_cells(plan, target)
    return plan


def _check_cells(plan: CubePlan, target: CubeTarget) -> None:
    """Refuse to decode far more cells than a cube may have values."""
    allowed = target.services.catalogue.limits.max_cube_values * MOST_READ
    reader, variable = target.services.reader(target.layer), target.layer.main_variable
    with reading(target.layer):
        requested = cells_decoded(plan, reader, variable, len(target.times.indexes))
    alternative = f"{SHORTER}, or for tiles of a finer tile matrix"
    require_at_most(
        f"cells read, {MOST_READ} times max_cube_values,", requested, allowed, alternative=alternative, locator="time"
    )


def _about(target: CubeTarget, plan: CubePlan, numbering: CubeNumbering) -> CubeAbout:
    request, layer, variable = target.request, target.layer, target.layer.main_variable
    places = plan.places if isinstance(plan, CellPlan) else None
    is_coarser = plan.level > 0 or request.res > 1 or layer.resampling != "nearest"
    return CubeAbout(
        layer=layer.id,
        revision=target.revision,
        tile=request.tile,
        res=request.res,
        numbering=numbering,
        units=variable.encoding.units,
        times=tuple(format_instants(instants_of(layer, target.times.indexes))),
        is_categorical=variable.is_categorical,
        is_mean=is_coarser and variable.has_means,
        is_warped=places is None and (variable.is_mosaic or not divides(request.tile.grid, variable.grid)),
        places=places,
    )


class _Misfit(Exception):
    """A number of the source has none in the numbering."""


def _blocks(frames: Iterator[CubeFrame], numbering: CubeNumbering) -> Iterator[CubeBlock]:
    """Frames in blocks, as they come.

    Raises:
        _Misfit: One does not fit.
    """
    while some := list(itertools.islice(frames, BLOCK_DATES)):
        if not all(fits(frame, numbering) for frame in some):
            raise _Misfit
        yield number_frames(some, numbering)


def _frames(
    target: CubeTarget, plan: CubePlan, is_active: IsActive, *, unreadable: UnreadableDates, lacking: set[int]
) -> Iterator[CubeFrame]:
    """The tile at each time that can be read, in order; `lacking` takes the places of the others among the times.

    Raises:
        ClientGone: The client left.
        SourceUnavailable: The source is away, or no time can be read.
    """
    variable, indexes = target.layer.main_variable, _indexes(target)
    reader, tell = unreadable.reader, unreadable.reporter(variable)
    with reading(target.layer):
        for place, pixels in enumerate(read_times(plan, reader, variable, indexes, tell=tell)):
            require_active(is_active)
            if pixels is None:
                lacking.add(place)
                if len(lacking) == len(indexes):
                    unreadable.require_all()
                continue
            lacking.discard(place)  # of a reading before this one
            frame = _frame(plan.warp(pixels, variable.encoding), variable.encoding)
            yield frame if target.request.res == 1 else halve_frame(frame, is_categorical=not variable.has_means)


def _indexes(target: CubeTarget) -> Sequence[int]:
    """Those of the times among the variable's own."""
    layer = target.layer
    if len(layer.times) == 0:
        return target.times.indexes
    instants = layer.main_variable.times.instants
    return [time_index(instants, instant) for instant in instants_of(layer, target.times.indexes)]


def _frame(raster: Raster, encoding: Encoding) -> CubeFrame:
    valid = raster.valid
    gaps = ~valid
    if encoding.flags:
        flags = is_flag(raster.numbers, encoding)
        gaps &= ~flags if raster.present is None else ~(flags & raster.present)
    return CubeFrame(numbers=raster.numbers, valid=valid, gaps=gaps)
