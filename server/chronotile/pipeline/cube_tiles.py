"""Cube tiles: the digital numbers of one tile at all requested times, encoded as CTC1 (docs/design/ctc1.md)."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
from chronotile.core.warp.plan import WarpPlan, plan_warp
from chronotile.core.warp.tile_cells import CellPlan, plan_cells
from chronotile.pipeline.cached_answer import PixelTarget, find_answer, make_answer
from chronotile.pipeline.caches.cube_tiles import CubePath, whole_year
from chronotile.pipeline.encoders.cube_tile.ctc1 import ENCODER_VERSION, encode_cube
from chronotile.pipeline.encoders.cube_tile.numbering import (
    SourceNumbers,
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
from chronotile.pipeline.revision import fingerprint, pixel_states, revision_of_states, time_index
from chronotile.pipeline.services import Services, Stopwatch, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.mosaic_reader import PROVISIONAL

SHORTER = "request a shorter interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTarget(PixelTarget):
    """A resolved request for a cube tile."""

    request: CubeRequest
    times: ResolvedTimes
    revision: str
    """Version of the pixels at these times and of their numbering; equal for all tiles."""


def has_cubes(layer: Layer) -> bool:
    """Return whether a layer has cube tiles: it is not a composite, and all its flags are in the lowest 16 bits."""
    info = layer.main_variable
    has_few_bits = np.dtype(info.encoding.dtype).itemsize <= 2
    return not layer.is_composite and (has_few_bits or all(0 <= flag.mask < 1 << 16 for flag in info.bit_flags))


def resolve_cube(request: CubeRequest, services: Services) -> CubeTarget:
    """Return the layer and times of a request; reads no pixels.

    Raises:
        InvalidParameter: The layer is a composite.
        LimitExceeded: The cube is larger than `max_cube_values`.
        SourceUnavailable: The source is unreachable.
        ChronotileError: A name or time is invalid.
    """
    watch = Stopwatch()
    with watch.step("resolve"):
        layer = layer_with_values(request.layer, services)
        request = _choose_pixels_or_cells(request, layer)
        times = resolve_series_times(layer, request.time, now=services.clock())
        check_count(request.tile.grid.width * request.tile.grid.height * len(times.indexes), services)
        used = times.times_used(layer.times) if times.indexes else TimeUsed()
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
    picture_inputs = list_picture_inputs(layer, used.instants, grid, services)
    etag = fingerprint(
        state,
        (tile.tile_matrix_set, tile.matrix, tile.column, tile.row, request.res, request.is_of_cells),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        picture_inputs,
    )
    return CubeTarget(
        request=request,
        services=services,
        layer=layer,
        times=times,
        time_used=used,
        states=replace(states, is_provisional=PROVISIONAL in picture_inputs),
        revision=state[:12],
        etag=etag,
        watch=watch,
    )


def _choose_pixels_or_cells(request: CubeRequest, layer: Layer) -> CubeRequest:
    """Request pixels instead of native cells if the layer is resampled or each pixel is in one cell anyway."""
    variable = layer.main_variable
    is_same = layer.resampling != "nearest" or variable.is_mosaic or divides(request.tile.grid, variable.grid)
    return replace(request, is_of_cells=False) if request.is_of_cells and is_same else request


def check_count(requested: int, services: Services) -> None:
    """Check that a number of values is at most `max_cube_values`."""
    allowed = services.catalogue.limits.max_cube_values
    require_at_most("max_cube_values", requested, allowed, alternative=SHORTER, locator="time")


VALUE_BYTES = 4
VALUE_S = 15e-9
"""Processor time to encode a value."""
MAX_RESERVED_BYTES = 128 << 20


def extract_cube(request: CubeRequest, services: Services, *, is_active: IsActive = always_active) -> Payload:
    """Return the digital numbers of a tile at all requested times.

    Args:
        request: The tile, layer and times.
        services: The services that read it.
        is_active: Whether the client still waits; called between two times.

    Returns:
        The cube as CTC1 under gzip; the body is empty if no time has a pixel in the tile.

    Raises:
        ChronotileError: Errors of `find_cube` and `make_cube`.
    """
    target = find_cube(request, services)
    return make_cube(target, is_active=is_active) if isinstance(target, CubeTarget) else target


def find_cube(request: CubeRequest, services: Services, *, client_etags: Collection[str] = ()) -> Payload | CubeTarget:
    """Return the answer if the client or a cache has it, else the target for `make_cube`; reads no pixels.

    The answer without a time has an empty body and needs no target.

    Args:
        request: The tile, layer and times.
        services: The services that read it.
        client_etags: ETags of answers that the client has.

    Raises:
        InvalidParameter: The layer is a composite.
        LimitExceeded: The cube is larger than `max_cube_values`.
        SourceUnavailable: The source is unreachable.
        ChronotileError: A name or time is invalid.
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

    Damaged dates are skipped and listed as unreadable; such a cube is not cached.

    Args:
        target: The result of `find_cube`.
        is_active: Whether the client still waits; called between two times.

    Returns:
        The cube; the body is empty if no time has a pixel in the tile.

    Raises:
        LimitExceeded: The source decodes far more cells than the cube has values.
        ClientGone: The client closed the connection.
        SourceUnavailable: The source is unreachable, or no date can be read.
    """

    def resolve_again(_error: SourceChanged) -> None:
        nonlocal target
        target = resolve_cube(target.request, target.services)

    return retry_overtaken(lambda: _make_from_target(target, is_active), SourceChanged, resolve_again)


def _make_from_target(target: CubeTarget, is_active: IsActive) -> Payload:
    def make() -> tuple[bytes, Missing]:
        _check_seconds(target)
        grid = target.request.tile.grid
        size = min(MAX_RESERVED_BYTES, VALUE_BYTES * grid.width * grid.height * len(target.times.indexes))
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
    """Return the cube from a prebuilt file, if it covers a whole year and the file is current."""
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

MAX_READ_CELLS = 64
"""Maximum number of decoded cells per allowed value of a cube; exceeded by zoomed-out tiles without overviews."""


def read_cube(target: CubeTarget, is_active: IsActive) -> tuple[bytes, Missing]:
    """Return the encoded cube.

    If possible, the numbering is chosen before reading, so that dates are encoded while they are read. If a digital
    number does not fit it, all dates are read again and the numbering is derived from them.

    Args:
        target: The target.
        is_active: Whether the client still waits; called between two times.

    Raises:
        LimitExceeded: The source decodes far more cells than the cube has values.
        ClientGone: The client closed the connection.
        SourceUnavailable: The source is unreachable, or no time can be read.
    """
    plan = _plan(target)
    if plan is None:
        return b"", NOTHING_MISSING
    variable = target.layer.main_variable
    meaning = SourceNumbers(
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
            stored_frames = list(frames())  # all frames in memory; at half the resolution, a quarter of the pixels
            return encode(stored_frames, numbering_of_frames(stored_frames, meaning))
        try:
            return encode(frames(), usual)
        except _Misfit:
            return encode(frames(), numbering_of_frames(frames(), meaning))


def _plan(target: CubeTarget) -> CubePlan | None:
    """Return the plan that a map of the tile uses, so that both show the same cells; `None` if the tile has no data.

    If native cells are requested and the cells of the tile are aligned with them, the plan reads them unchanged.

    Raises:
        LimitExceeded: The source decodes far more cells than the cube has values.
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
    """Check that the number of decoded cells is in proportion to the values that a cube may have."""
    allowed = target.services.catalogue.limits.max_cube_values * MAX_READ_CELLS
    reader, variable = target.services.reader(target.layer), target.layer.main_variable
    with reading(target.layer):
        requested = cells_decoded(plan, reader, variable, len(target.times.indexes))
    alternative = f"{SHORTER}, or for tiles of a finer tile matrix"
    require_at_most(
        f"cells read, {MAX_READ_CELLS} times max_cube_values,",
        requested,
        allowed,
        alternative=alternative,
        locator="time",
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
    """A digital number of the source is not representable in the numbering."""


def _blocks(frames: Iterator[CubeFrame], numbering: CubeNumbering) -> Iterator[CubeBlock]:
    """Yield numbered frames in blocks of `BLOCK_DATES`.

    Raises:
        _Misfit: A frame does not fit the numbering.
    """
    while block := list(itertools.islice(frames, BLOCK_DATES)):
        if not all(fits(frame, numbering) for frame in block):
            raise _Misfit
        yield number_frames(block, numbering)


def _frames(
    target: CubeTarget, plan: CubePlan, is_active: IsActive, *, unreadable: UnreadableDates, lacking: set[int]
) -> Iterator[CubeFrame]:
    """Yield the tile at each readable time, in order; `lacking` receives the positions of the unreadable times.

    Raises:
        ClientGone: The client closed the connection.
        SourceUnavailable: The source is unreachable, or no time can be read.
    """
    variable, indexes = target.layer.main_variable, _indexes(target)
    reader, report = unreadable.reader, unreadable.reporter(variable)
    with reading(target.layer):
        for position, pixels in enumerate(read_times(plan, reader, variable, indexes, report=report)):
            require_active(is_active)
            if pixels is None:
                lacking.add(position)
                if len(lacking) == len(indexes):
                    unreadable.require_all()
                continue
            lacking.discard(position)  # the time may have been unreadable when this target was read before
            frame = _frame(plan.warp(pixels, variable.encoding), variable.encoding)
            yield frame if target.request.res == 1 else halve_frame(frame, is_categorical=not variable.has_means)


def _indexes(target: CubeTarget) -> Sequence[int]:
    """The requested times as indexes into the times of the variable, which may have more than the layer."""
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
