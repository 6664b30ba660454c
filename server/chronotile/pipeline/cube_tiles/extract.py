"""Show me this tile at all of these times: a request to a cube of digital numbers."""

from collections.abc import Collection
from dataclasses import replace

from chronotile.errors import SourceChanged
from chronotile.model.cancellation import IsActive, always_active
from chronotile.model.cube import CUBE_TYPE, CubeRequest
from chronotile.model.payload import Payload
from chronotile.pipeline.caches.prebuilt_cube_tiles import CubePath, whole_year
from chronotile.pipeline.cube_tiles.read import read_cube
from chronotile.pipeline.cube_tiles.target import SHORTER, CubeTarget, resolve_cube
from chronotile.pipeline.one_state import require_state
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import IncompleteAnswer, etag_without, time_without

VALUE_BYTES = 4
MOST_BYTES = 128 << 20


def extract_cube(
    request: CubeRequest,
    services: Services,
    *,
    known: Collection[str] = (),
    is_active: IsActive = always_active,
) -> Payload:
    """Return a tile's numbers at all requested times as CTC1 under gzip (docs/ctc1.md).

    Args:
        request: Which tile, and when.
        services: What to read it with.
        known: ETags of answers that the client holds; one that still holds is answered without reading pixels.
        is_active: Whether the client still waits; called between two times.

    Returns:
        The cube; without a body where no time has a pixel in the tile.

    Raises:
        ChronotileError: As `find_cube` and `make_cube`.
    """
    found = find_cube(request, services, known=known)
    return make_cube(found, is_active=is_active) if isinstance(found, CubeTarget) else found


def find_cube(request: CubeRequest, services: Services, *, known: Collection[str] = ()) -> Payload | CubeTarget:
    """Return what can be answered at once, or what is to be made by `make_cube`; reads no pixels.

    Args:
        request: Which tile, and when.
        services: What to look with.
        known: ETags of answers that the client holds.

    Returns:
        The answer, where the client holds it, it is cached, or none of the requested times exists; else the target.

    Raises:
        InvalidParameter: The layer is a composite.
        LimitExceeded: The cube is larger than `max_cube_values`.
        SourceUnavailable: The source is gone.
        ChronotileError: A name or time is not accepted.
    """
    target = resolve_cube(request, services)
    if target.etag in known:
        return replace(_payload(target, b""), unchanged=True)
    if not target.times.indexes:
        return _payload(target, b"")
    body = _written(target) or services.caches.cubes.get(target.etag)
    return target if body is None else _payload(target, body)


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
    try:
        return _made(target, is_active)
    except SourceChanged:
        return _made(resolve_cube(target.request, target.services), is_active)


def _made(target: CubeTarget, is_active: IsActive) -> Payload:
    """The cube.

    Raises:
        SourceChanged: Files that it is made of were written meanwhile.
    """

    def make() -> bytes:
        try:
            size = _bytes_to_make(target)
            with target.services.memory.taking(size, alternative=SHORTER, locator="time", is_active=is_active):
                return read_cube(target, is_active)
        finally:  # what went wrong with a file that changed is no matter
            require_state(target.layer, target.time_used.instants, target.states, target.services)

    try:
        body = target.services.caches.cubes.get_or_make(target.etag, make, is_active=is_active)
    except IncompleteAnswer as answer:
        etag = etag_without(target.etag, answer.unreadable, answer.left_out)
        time = time_without(target.time_used, answer.unreadable)
        whole = _payload(target, answer.body)
        return replace(
            whole,
            etag=etag,
            time=time,
            unreadable=answer.unreadable,
            left_out=answer.left_out,
            unread=answer.unread,
        )
    return _payload(target, body)


def _bytes_to_make(target: CubeTarget) -> int:
    """The bytes needed to read, number and encode the values of a cube tile; measured in docs/design/process.md."""
    grid = target.request.tile.grid
    return min(MOST_BYTES, VALUE_BYTES * grid.width * grid.height * len(target.times.indexes))


def _written(target: CubeTarget) -> bytes | None:
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


def _payload(target: CubeTarget, body: bytes) -> Payload:
    return Payload(
        body=body,
        media_type=CUBE_TYPE,
        etag=target.etag,
        time=target.time_used,
        states=target.states,
        timing=target.watch.steps,
    )
