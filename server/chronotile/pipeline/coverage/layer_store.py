"""Layers as Zarr stores: metadata, and single chunks of the native grid (docs/design/zarr.md)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import orjson

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, StateGone, UnknownPath
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import ChunkRequest, StoreRequest
from chronotile.core.model.payload import Missing, Payload, TimeUsed
from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.grid import Grid, Window
from chronotile.core.model.types import Json, NumberArray
from chronotile.pipeline.cached_answer import PixelTarget, make_answer
from chronotile.pipeline.caches.served_axes import TimeAxis
from chronotile.pipeline.changed_files import retry_if_files_change
from chronotile.pipeline.coverage.cells import grid_of
from chronotile.pipeline.coverage.extract import NativeCells, coverage_field
from chronotile.pipeline.coverage.grid import is_upright
from chronotile.pipeline.encoders.coverage.attributes import TIME, CfCoordinate, CfField, field_attributes
from chronotile.pipeline.encoders.coverage.strips import ChunkShape
from chronotile.pipeline.encoders.coverage.zarr3 import (
    ENCODER_VERSION,
    KEY_ENCODINGS,
    StoreShape,
    array_documents,
    chunks_of,
    encode_field_chunk,
    encode_variable_chunk,
    group_document,
    shape_of,
)
from chronotile.pipeline.resolve_series import layer_with_values
from chronotile.pipeline.revision import fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.bisect_damage import dates_around_damage
from chronotile.readers.reader import BlockShape

MIN_BYTES = 256 << 10
"""Minimum size of a chunk, unless its grid is smaller: smaller blocks of a source, such as rows, are combined."""
MAX_BYTES = 8 << 20
"""Maximum size of a chunk: larger blocks of a source are divided."""
MIN_SIDE = 64


def chunk_shape_of(block: BlockShape, grid: Grid, *, itemsize: int, has_time: bool) -> ChunkShape:
    """Return the shape of chunks: that of a source's blocks, or a multiple or part of it that is practical to download.

    It does not depend on the number of times, so that chunks stay valid when dates are appended. Chunks with many times
    contain whole pictures, or come from a source with blocks of many times.
    """
    times = block.times if has_time else 1
    y, x = min(block.height, grid.height), min(block.width, grid.width)
    while times * y * x * itemsize < MIN_BYTES and (y, x) != (grid.height, grid.width):
        if y < grid.height and (y <= x or x == grid.width):
            y = min(2 * y, grid.height)
        else:
            x = min(2 * x, grid.width)
    while has_time and (y, x) == (grid.height, grid.width) and 2 * times * y * x * itemsize <= MIN_BYTES:
        times *= 2
    while times * y * x * itemsize > MAX_BYTES:
        if max(y, x) > MIN_SIDE:
            y, x = (-(-y // 2), x) if y >= x else (y, -(-x // 2))
        else:
            times = -(-times // 2)
    return ChunkShape(times, y, x)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreChunk:
    """An existing chunk of a field in a store."""

    shape: StoreShape
    field: CfField
    position: ChunkShape
    """Index of the chunk along each axis."""

    @property
    def times(self) -> range:
        """Indexes of the times in the chunk; `range(1)` for a layer without time."""
        length, count = self.shape.chunks.time, len(self.shape.times) or 1
        return range(self.position.time * length, min((self.position.time + 1) * length, count))

    @property
    def nbytes(self) -> int:
        """Size of the numbers."""
        return int(np.prod(self.shape.chunks)) * self.field.dtype.itemsize

    @cached_property
    def cells(self) -> NativeCells:
        """The cells of the chunk in the source, whose rows and columns may have the opposite direction."""
        grid, chunks, position = self.shape.layer.main_variable.grid, self.shape.chunks, self.position
        rows = _span(position.y, chunks.y, grid.height, is_turned=grid.transform.e > 0)
        columns = _span(position.x, chunks.x, grid.width, is_turned=grid.transform.a < 0)
        return NativeCells(grid=grid, window=Window(rows.start, rows.stop, columns.start, columns.stop))


def _span(number: int, size: int, length: int, *, is_turned: bool) -> range:
    start, stop = number * size, min((number + 1) * size, length)
    return range(length - stop, length - start) if is_turned else range(start, stop)


def read_chunk(chunk: StoreChunk, unreadable: UnreadableDates) -> NumberArray:
    """Return the (time, y, x) numbers of a chunk, cut at the edges of the grid and the last time.

    Args:
        chunk: The chunk.
        unreadable: Collects items of a mosaic that cannot be read.

    Raises:
        DateUnreadable: A date of the chunk cannot be read.
        SourceUnavailable: The source is unreachable.
    """
    layer, field = chunk.shape.layer, chunk.shape.fields[0]
    cells = chunk.cells
    rows = range(cells.window.height)

    def read(indexes: Sequence[int]) -> Pixels:
        return Pixels(cells.read(unreadable.reader, field, indexes=indexes, rows=rows))

    with reading(layer):
        parts = list(dates_around_damage(read, list(chunk.times), unreadable.reporter(layer.main_variable)))
        unreadable.require_all()
    # Several parts: the first read failed, and reading the dates again in parts found none damaged.
    return np.concatenate([pixels.numbers for _part, pixels in parts])


CHUNK_TYPE = "application/octet-stream"
DOCUMENT_TYPE = "application/json"
NOTHING_TO_SPARE = "open another layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDescription:
    """The documents of a store."""

    group: Json
    arrays: Mapping[str, Json]
    """Documents of arrays, by name."""
    revision: str
    """Revision of the layer that they describe."""


def describe_store(request: StoreRequest, services: Services) -> StoreDescription:
    """Return the metadata of a layer as a Zarr 3 store; reads no pixels.

    Raises:
        InvalidParameter: The layer is a composite, or its native grid is rotated.
        StateGone: The revision is not served (any more), or too many versions of the time axis are in use.
        SourceUnavailable: The source is unreachable.
        UnknownLayer: The layer does not exist.
    """
    shape = _shape(request, services)
    number = 0
    if request.revision is None:
        encoding_number = services.served_axes.give(shape.layer.id, _axis(shape))
        if encoding_number is None:
            raise StateGone(
                f"the dates of layer {shape.layer.id} changed too often since its store was opened by others, or the "
                f"server has no room to record them; open {shape.layer.id}@{shape.revision}, which names this state"
            )
        number = encoding_number
    arrays = array_documents(shape.dataset, KEY_ENCODINGS[number])
    attributes = {**shape.dataset.attributes, "layer": shape.layer.id, "revision": shape.revision}
    return StoreDescription(group=group_document(attributes, arrays), arrays=arrays, revision=shape.revision)


def encode_document(document: Json, description: StoreDescription, *, client_etags: Collection[str] = ()) -> Payload:
    """Return a document of a store; the body is empty if the client has the document."""
    body = orjson.dumps(document)
    etag = fingerprint("zarr", body)
    is_unchanged = etag in client_etags
    return Payload(
        body=b"" if is_unchanged else body,
        media_type=DOCUMENT_TYPE,
        etag=etag,
        revision=description.revision,
        unchanged=is_unchanged,
    )


def deliver_chunk(
    request: ChunkRequest,
    services: Services,
    *,
    client_etags: Collection[str] = (),
    is_active: IsActive = always_active,
) -> Payload:
    """Return a compressed chunk of a store.

    Args:
        request: The store, the array and the chunk.
        services: The services that read it.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        is_active: Whether the client still waits.

    Raises:
        UnknownPath: The array does not exist.
        StateGone: The chunk does not exist, or may have other dates for the client than for this server.
        SourceUnavailable: The source is unreachable, or a date of the chunk cannot be read; no blank chunk is sent.
        ClientGone: The client closed the connection.
        ChronotileError: Errors of `describe_store`.
    """
    shape = _shape(request.store, services)
    node = shape.arrays.get(request.array)
    if node is None:
        names = ", ".join(shape.arrays)
        raise UnknownPath(f"the store of layer {shape.layer.id} has no array {request.array[:60]!r}, but {names}")
    numbers = _numbers(request, node, shape)
    if request.store.revision is None:  # a revision in the URL already guarantees the meaning of all dates
        _require_meaning(request, shape, services, indexes=_times_of(node, numbers))
    if isinstance(node, CfCoordinate):
        return _coordinate(node, numbers, shape, client_etags)
    position = (0,) * (3 - len(numbers)) + numbers
    chunk = StoreChunk(shape=shape, field=node, position=ChunkShape(*position))
    return retry_if_files_change(lambda: _deliver_pixels(chunk, services, client_etags, is_active))


def _deliver_pixels(
    chunk: StoreChunk, services: Services, client_etags: Collection[str], is_active: IsActive
) -> Payload:
    shape, layer = chunk.shape, chunk.shape.layer
    instants = tuple(shape.times.instants[chunk.times.start : chunk.times.stop]) if len(shape.times) else ()
    states = pixel_states(layer, instants, services, chunk.cells.enclosing)
    described = (shape.layout, field_attributes(shape.fields[0]))
    which = (*chunk.position, shape.starts[chunk.times.start : chunk.times.stop].tolist())
    etag = fingerprint("chunk", ENCODER_VERSION, revision_of_states(layer, states), described, which)
    if etag in client_etags:
        return Payload(body=b"", media_type=CHUNK_TYPE, etag=etag, states=states, unchanged=True)
    time = TimeUsed(instants=instants)  # instants in the order of `states`
    target = PixelTarget(layer=layer, time_used=time, states=states, services=services, etag=etag)
    payload = replace(target.payload(CHUNK_TYPE), time=TimeUsed(instants=instants[::-1]))

    def make() -> tuple[bytes, Missing]:
        size = 3 * chunk.nbytes
        with services.memory.taking(size, alternative=NOTHING_TO_SPARE, locator="chunk", is_active=is_active):
            unreadable = UnreadableDates(layer, services)
            return encode_field_chunk(read_chunk(chunk, unreadable), shape.chunks, chunk.field), unreadable.missing

    return make_answer(payload, [target], make, services.caches.payloads, is_active=is_active)


def _coordinate(
    node: CfCoordinate, numbers: tuple[int, ...], shape: StoreShape, client_etags: Collection[str]
) -> Payload:
    etag = fingerprint("zarr", ENCODER_VERSION, shape.revision, node.name, numbers)
    is_unchanged = etag in client_etags
    body = b"" if is_unchanged else encode_variable_chunk(node, numbers[0] if numbers else 0)
    return Payload(body=body, media_type=CHUNK_TYPE, etag=etag, unchanged=is_unchanged)


def _shape(request: StoreRequest, services: Services) -> StoreShape:
    layer = layer_with_values(request.layer, services)
    count = len(layer.times) if request.revision is None else _count(request.revision, layer)
    shape = services.store_shapes.get_or_make((layer.id, count), lambda: _resolve_shape(layer, count, services))
    if request.revision not in {None, shape.revision}:
        raise _gone_error(str(request.revision), layer)
    return shape


def _count(revision: str, layer: Layer) -> int:
    """Return the number of times of the layer in a revision.

    Raises:
        StateGone: The layer has fewer times now.
    """
    written = revision.partition("-")[0]
    count = int(written) if written.isascii() and written.isdecimal() and len(written) < 9 else -1
    if not 0 <= count <= len(layer.times):
        raise _gone_error(revision, layer)
    return count


def _gone_error(revision: str, layer: Layer) -> StateGone:
    return StateGone(
        f"state {revision[:40]!r} of layer {layer.id} is no longer served: dates were inserted or removed, or the grid "
        f"or encoding changed; open {layer.id} without @"
    )


def has_store(layer: Layer) -> bool:
    """Return whether a layer can be a store: it is not a composite, and its cells are not rotated."""
    return not layer.is_composite and is_upright(layer.main_variable.grid)


def _resolve_shape(layer: Layer, count: int, services: Services) -> StoreShape:
    native = layer.main_variable.grid
    if not has_store(layer):
        raise InvalidParameter(
            f"the cells of layer {layer.id} are rotated, and a store has one coordinate a row and a column; take a "
            f"coverage, which is resampled",
            locator="layer",
        )
    field = coverage_field(layer)
    with reading(layer):
        block = services.reader(layer).block_shape(layer.main_variable.name, "space")
    grid: Grid = grid_of(native, Window(0, native.height, 0, native.width), native.crs)
    return StoreShape(
        layer=layer,
        collection=services.catalogue.collection(layer.collection),
        fields=(field,),
        grid=grid,
        times=layer.times.at(range(count)),
        chunks=chunk_shape_of(block, grid, itemsize=np.dtype(field.encoding.dtype).itemsize, has_time=count > 0),
    )


def _axis(shape: StoreShape) -> TimeAxis:
    return TimeAxis(shape.layout, shape.starts)


def _numbers(request: ChunkRequest, node: CfCoordinate | CfField, shape: StoreShape) -> tuple[int, ...]:
    """Return the index of an existing chunk along each axis.

    Raises:
        StateGone: The chunk does not exist. The answer must not be 404, which clients take for cells without values.
    """
    lengths, chunks = shape_of(node), chunks_of(node)
    is_scalar = not lengths and request.numbers in {(), (0,)}
    numbers = () if is_scalar else request.numbers
    counts = [max(1, -(-length // size)) for length, size in zip(lengths, chunks, strict=True)]
    exists = len(numbers) == len(counts) and all(a < b for a, b in zip(numbers, counts, strict=True))
    if not exists:
        raise StateGone(
            f"array {node.name} of layer {shape.layer.id} has {' x '.join(map(str, counts)) or 'one'} chunks, and not "
            f"{'/'.join(map(str, request.numbers))}; if it had when the store was opened, open it again",
            locator="chunk",
        )
    return numbers


def _times_of(node: CfCoordinate | CfField, numbers: tuple[int, ...]) -> range:
    """Return the indexes of the times of a chunk, as if the axis continued without end."""
    if node.dimensions[:1] != (TIME,):
        return range(0)
    length = chunks_of(node)[0]
    return range(numbers[0] * length, (numbers[0] + 1) * length)


def _require_meaning(request: ChunkRequest, shape: StoreShape, services: Services, *, indexes: range) -> None:
    """Check that the dates of a chunk are the same for all clients that may request it.

    Raises:
        StateGone: A client may have other dates.
    """
    if not services.served_axes.means_the_same(shape.layer.id, request.encoding, _axis(shape), indexes):
        raise StateGone(
            f"the dates of layer {shape.layer.id} changed after this store was opened; open it again, or open "
            f"{shape.layer.id}@{shape.revision}, which names this state",
            locator="chunk",
        )
