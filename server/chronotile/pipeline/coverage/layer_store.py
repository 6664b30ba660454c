"""Give me this layer as a Zarr store: its metadata, and single chunks of its native grid."""

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
from chronotile.pipeline.answer import PixelTarget, make_answer
from chronotile.pipeline.caches.served_axes import TimeAxis
from chronotile.pipeline.changed_files import retry_if_files_change
from chronotile.pipeline.coverage.cells import grid_of
from chronotile.pipeline.coverage.extract import NativeCells, coverage_field
from chronotile.pipeline.coverage.grid import is_upright
from chronotile.pipeline.encoders.coverage.attributes import TIME, CfField, CfVariable, field_attributes
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

LEAST_BYTES = 256 << 10
"""Of a chunk, unless its grid is smaller: smaller blocks of a source, such as single rows, are taken together."""
MOST_BYTES = 8 << 20
"""Of a chunk: larger blocks of a source are divided."""
LEAST_SIDE = 64


def chunk_shape_of(block: BlockShape, grid: Grid, *, itemsize: int, has_time: bool) -> ChunkShape:
    """Return the shape of chunks over a source's blocks: theirs, or a multiple or a part that is a sensible download.

    It does not depend on the number of times, so that chunks stay what they are when dates are appended. Chunks of many
    times hold whole pictures, or come from a source that has such blocks.
    """
    times = block.times if has_time else 1
    y, x = min(block.height, grid.height), min(block.width, grid.width)
    while times * y * x * itemsize < LEAST_BYTES and (y, x) != (grid.height, grid.width):
        if y < grid.height and (y <= x or x == grid.width):
            y = min(2 * y, grid.height)
        else:
            x = min(2 * x, grid.width)
    while has_time and (y, x) == (grid.height, grid.width) and 2 * times * y * x * itemsize <= LEAST_BYTES:
        times *= 2
    while times * y * x * itemsize > MOST_BYTES:
        if max(y, x) > LEAST_SIDE:
            y, x = (-(-y // 2), x) if y >= x else (y, -(-x // 2))
        else:
            times = -(-times // 2)
    return ChunkShape(times, y, x)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreChunk:
    """A chunk of a store's field that there is."""

    shape: StoreShape
    field: CfField
    place: ChunkShape
    """Its numbers."""

    @property
    def times(self) -> range:
        """The indexes of its times; the one of a layer without time."""
        length, count = self.shape.chunks.time, len(self.shape.times) or 1
        return range(self.place.time * length, min((self.place.time + 1) * length, count))

    @property
    def nbytes(self) -> int:
        """Of its numbers."""
        return int(np.prod(self.shape.chunks)) * self.field.dtype.itemsize

    @cached_property
    def cells(self) -> NativeCells:
        """Its cells in the source, whose rows and columns may run the other way."""
        grid, chunks, place = self.shape.layer.main_variable.grid, self.shape.chunks, self.place
        rows = _span(place.y, chunks.y, grid.height, is_turned=grid.transform.e > 0)
        columns = _span(place.x, chunks.x, grid.width, is_turned=grid.transform.a < 0)
        return NativeCells(grid=grid, window=Window(rows.start, rows.stop, columns.start, columns.stop))


def _span(number: int, size: int, length: int, *, is_turned: bool) -> range:
    start, stop = number * size, min((number + 1) * size, length)
    return range(length - stop, length - start) if is_turned else range(start, stop)


def read_chunk(chunk: StoreChunk, lacking: UnreadableDates) -> NumberArray:
    """Return the (time, y, x) numbers of a chunk, without what lies beyond the grid and the last time.

    Args:
        chunk: Which.
        lacking: Takes items of a mosaic that cannot be read.

    Raises:
        DateUnreadable: One of its dates cannot be read.
        SourceUnavailable: The source is gone.
    """
    layer, field = chunk.shape.layer, chunk.shape.fields[0]
    cells = chunk.cells
    rows = range(cells.window.height)

    def read(some: Sequence[int]) -> Pixels:
        return Pixels(cells.read(lacking.reader, field, indexes=some, rows=rows))

    with reading(layer):
        parts = list(dates_around_damage(read, list(chunk.times), lacking.reporter(layer.main_variable)))
        lacking.require_all()
    # Several parts without a damaged date: all were read again, after a fault that had passed by then.
    return np.concatenate([pixels.numbers for _place, pixels in parts])


CHUNK_TYPE = "application/octet-stream"
DOCUMENT_TYPE = "application/json"
NOTHING_TO_SPARE = "open another layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDescription:
    """The documents of a store."""

    group: Json
    arrays: Mapping[str, Json]
    """By name."""
    revision: str
    """Of the state that it describes."""


def describe_store(request: StoreRequest, services: Services) -> StoreDescription:
    """Return the metadata of a layer as a Zarr 3 store; reads no pixels.

    Raises:
        InvalidParameter: The layer is a composite, or has no upright native grid.
        StateGone: The revision is not, or no more, one of the layer's; or too many of its states are in use.
        SourceUnavailable: The source is gone.
        UnknownLayer: There is no such layer.
    """
    shape = _shape(request, services)
    number = 0
    if request.revision is None:
        given = services.served_axes.give(shape.layer.id, _axis(shape))
        if given is None:
            raise StateGone(
                f"the dates of layer {shape.layer.id} changed too often since its store was opened by others, or the "
                f"server has no room to record them; open {shape.layer.id}@{shape.revision}, which names this state"
            )
        number = given
    arrays = array_documents(shape.dataset, KEY_ENCODINGS[number])
    attributes = {**shape.dataset.attributes, "layer": shape.layer.id, "revision": shape.revision}
    return StoreDescription(group=group_document(attributes, arrays), arrays=arrays, revision=shape.revision)


def encode_document(document: Json, description: StoreDescription, *, client_etags: Collection[str] = ()) -> Payload:
    """Return a document of a store as it is sent; without a body where the client holds it."""
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
    """Return a chunk of a store, compressed.

    Args:
        request: The store, the array and the chunk.
        services: What to read it with.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        is_active: Whether the client still waits.

    Raises:
        UnknownPath: There is no such array.
        StateGone: The chunk may have another date for the client than for this server, or the array has no such chunk.
        SourceUnavailable: The source is gone, or one of the chunk's dates cannot be read; no blank chunk is sent.
        ClientGone: The client left.
        ChronotileError: As `describe_store`.
    """
    shape = _shape(request.store, services)
    node = shape.arrays.get(request.array)
    if node is None:
        names = ", ".join(shape.arrays)
        raise UnknownPath(f"the store of layer {shape.layer.id} has no array {request.array[:60]!r}, but {names}")
    numbers = _numbers(request, node, shape)
    if request.store.revision is None:  # a revision names all dates
        _require_meaning(request, shape, services, indexes=_times_of(node, numbers))
    if isinstance(node, CfVariable):
        return _coordinate(node, numbers, shape, client_etags)
    place = (0,) * (3 - len(numbers)) + numbers
    chunk = StoreChunk(shape=shape, field=node, place=ChunkShape(*place))
    return retry_if_files_change(lambda: _deliver_pixels(chunk, services, client_etags, is_active))


def _deliver_pixels(
    chunk: StoreChunk, services: Services, client_etags: Collection[str], is_active: IsActive
) -> Payload:
    shape, layer = chunk.shape, chunk.shape.layer
    instants = tuple(shape.times.instants[chunk.times.start : chunk.times.stop]) if len(shape.times) else ()
    states = pixel_states(layer, instants, services, chunk.cells.enclosing)
    described = (shape.layout, field_attributes(shape.fields[0]))
    which = (*chunk.place, shape.starts[chunk.times.start : chunk.times.stop].tolist())
    etag = fingerprint("chunk", ENCODER_VERSION, revision_of_states(layer, states), described, which)
    if etag in client_etags:
        return Payload(body=b"", media_type=CHUNK_TYPE, etag=etag, states=states, unchanged=True)
    time = TimeUsed(instants=instants)  # in the order of the fingerprints
    target = PixelTarget(layer=layer, time_used=time, states=states, services=services, etag=etag)
    payload = replace(target.payload(CHUNK_TYPE), time=TimeUsed(instants=instants[::-1]))

    def make() -> tuple[bytes, Missing]:
        size = 3 * chunk.nbytes
        with services.memory.taking(size, alternative=NOTHING_TO_SPARE, locator="chunk", is_active=is_active):
            lacking = UnreadableDates(layer, services)
            return encode_field_chunk(read_chunk(chunk, lacking), shape.chunks, chunk.field), lacking.missing

    return make_answer(payload, [target], make, services.caches.payloads, is_active=is_active)


def _coordinate(
    node: CfVariable, numbers: tuple[int, ...], shape: StoreShape, client_etags: Collection[str]
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
    """How many times the layer has in a state.

    Raises:
        StateGone: It has fewer now.
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
    """Return whether a store can hold a layer: it has values, and its cells are not rotated."""
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


def _numbers(request: ChunkRequest, node: CfVariable | CfField, shape: StoreShape) -> tuple[int, ...]:
    """The numbers of the chunk, which the array has.

    Raises:
        StateGone: It has not. That is never 404, which clients take for cells without values.
    """
    lengths, chunks = shape_of(node), chunks_of(node)
    is_scalar = not lengths and request.numbers in {(), (0,)}
    numbers = () if is_scalar else request.numbers
    counts = [max(1, -(-length // size)) for length, size in zip(lengths, chunks, strict=True)]
    is_there = len(numbers) == len(counts) and all(a < b for a, b in zip(numbers, counts, strict=True))
    if not is_there:
        raise StateGone(
            f"array {node.name} of layer {shape.layer.id} has {' x '.join(map(str, counts)) or 'one'} chunks, and not "
            f"{'/'.join(map(str, request.numbers))}; if it had when the store was opened, open it again",
            locator="chunk",
        )
    return numbers


def _times_of(node: CfVariable | CfField, numbers: tuple[int, ...]) -> range:
    """The indexes of the times that a chunk has, or would have if there were as many."""
    if node.dimensions[:1] != (TIME,):
        return range(0)
    length = chunks_of(node)[0]
    return range(numbers[0] * length, (numbers[0] + 1) * length)


def _require_meaning(request: ChunkRequest, shape: StoreShape, services: Services, *, indexes: range) -> None:
    """Check that the dates of a chunk are to all clients that may request it what they are now.

    Raises:
        StateGone: They are not.
    """
    if not services.served_axes.means_the_same(shape.layer.id, request.encoding, _axis(shape), indexes):
        raise StateGone(
            f"the dates of layer {shape.layer.id} changed after this store was opened; open it again, or open "
            f"{shape.layer.id}@{shape.revision}, which names this state",
            locator="chunk",
        )
