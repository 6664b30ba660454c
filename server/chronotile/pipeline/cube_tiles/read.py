"""The pixels of a tile at many times, read and encoded as a cube of digital numbers."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from chronotile.encoders.cube_tile.ctc1 import encode_cube
from chronotile.encoders.cube_tile.halved import halve_frame
from chronotile.encoders.cube_tile.numbering import (
    Meaning,
    fits,
    is_flag,
    number_frames,
    numbering_of,
    numbering_of_frames,
)
from chronotile.encoders.instants import format_instants
from chronotile.errors import LimitExceeded
from chronotile.model.cancellation import IsActive, require_active
from chronotile.model.cube import BLOCK_DATES, CubeAbout, CubeBlock, CubeFrame, CubeNumbering
from chronotile.model.grid import divides
from chronotile.model.raster import Encoding, Raster
from chronotile.pipeline.composed import ComposedPlan, composed_plan
from chronotile.pipeline.cube_tiles.target import SHORTER, CubeTarget, check_count
from chronotile.pipeline.read_times import cells_decoded, read_times
from chronotile.pipeline.resolve_series import instants_of
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import reading
from chronotile.pipeline.unreadable_dates import UnreadableDates, complete
from chronotile.warp.native_cells import CellPlan, plan_cells
from chronotile.warp.plan import WarpPlan, plan_warp

CubePlan = WarpPlan | CellPlan | ComposedPlan

MOST_READ = 64
"""Cells decoded for each value that a cube may have, at most: of a source without overviews, far out."""


def read_cube(target: CubeTarget, is_active: IsActive) -> bytes:
    """Return the cube, encoded; one that does not fit the numbering that suits most cubes is read again for its own.

    Args:
        target: What to read.
        is_active: Whether the client still waits; called between two times.

    Raises:
        IncompleteAnswer: In place of a cube that lacks dates.
        LimitExceeded: Far more cells would have to be read than the cube has values.
        ClientGone: The client left.
        SourceUnavailable: The source is away, or no time can be read.
    """
    plan = _plan(target)
    if plan is None:
        return b""
    variable = target.layer.main_variable
    meaning = Meaning(
        encoding=variable.encoding,
        colours=target.layer.styles[0].range,
        res=target.request.res,
        is_categorical=variable.is_categorical,
    )
    lacking = set[int]()
    found = UnreadableDates(target.layer, target.services)

    def encoded(frames: Iterable[CubeFrame], numbering: CubeNumbering) -> bytes:
        blocks = _blocks(iter(frames), numbering)
        body = encode_cube(_about(target, plan, numbering), blocks, lacking=lacking, left_out=found.unread_by_time)
        return complete(body, found)

    def frames() -> Iterator[CubeFrame]:
        return _frames(target, plan, is_active, found=found, lacking=lacking)

    with target.watch.step("read"):
        usual = numbering_of(meaning)
        if usual is None:
            held = list(frames())  # of a quarter of the pixels
            return encoded(held, numbering_of_frames(held, meaning))
        try:
            return encoded(frames(), usual)
        except _Misfit:
            return encoded(frames(), numbering_of_frames(frames(), meaning))


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
        return composed_plan(grid, variable, resampling)
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
    if requested > allowed:
        raise LimitExceeded(
            f"cells read, {MOST_READ} times max_cube_values,",
            allowed=allowed,
            needed=requested,
            alternative=f"{SHORTER}, or for tiles of a finer tile matrix",
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
        is_mean=is_coarser and not variable.is_categorical,
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
    target: CubeTarget, plan: CubePlan, is_active: IsActive, *, found: UnreadableDates, lacking: set[int]
) -> Iterator[CubeFrame]:
    """The tile at each time that can be read, in order; `lacking` takes the places of the others among the times.

    Raises:
        ClientGone: The client left.
        SourceUnavailable: The source is away, or no time can be read.
    """
    variable, indexes = target.layer.main_variable, _indexes(target)
    reader, tell = found.reader, found.teller(variable)
    with reading(target.layer):
        for place, pixels in enumerate(read_times(plan, reader, variable, indexes, tell=tell)):
            require_active(is_active)
            if pixels is None:
                lacking.add(place)
                if len(lacking) == len(indexes):
                    found.require_all()
                continue
            lacking.discard(place)  # of a reading before this one
            frame = _frame(plan.warp(pixels, variable.encoding), variable.encoding)
            yield frame if target.request.res == 1 else halve_frame(frame, is_categorical=variable.is_categorical)


def _indexes(target: CubeTarget) -> Sequence[int]:
    """Those of the times among the variable's own."""
    layer = target.layer
    if len(layer.times) == 0:
        return target.times.indexes
    own = layer.main_variable.times.instants
    return [time_index(own, instant) for instant in instants_of(layer, target.times.indexes)]


def _frame(raster: Raster, encoding: Encoding) -> CubeFrame:
    valid = raster.valid
    gaps = ~valid
    if encoding.flags:
        flags = is_flag(raster.numbers, encoding)
        gaps &= ~flags if raster.present is None else ~(flags & raster.present)
    return CubeFrame(numbers=raster.numbers, valid=valid, gaps=gaps)
