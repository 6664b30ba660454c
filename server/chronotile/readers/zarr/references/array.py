"""An array whose chunks are referenced: fetched together, decoded and cached chunk by chunk."""

import math
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
from isal import isal_zlib

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.model.types import NumberArray
from chronotile.readers.caches.block_cache import KEY_BYTES, BlockCache
from chronotile.readers.cf.array_source import Selection
from chronotile.readers.library_errors import Damaged, one_line
from chronotile.readers.remote.requests import one_read
from chronotile.readers.zarr.damage import guard_blosc
from chronotile.readers.zarr.metadata import ArrayNode, ZarrArray
from chronotile.readers.zarr.references.document import ByteRange
from chronotile.readers.zarr.references.files import ReferencedFiles
from chronotile.readers.zarr.references.table import References, chunk_counts, number_of
from chronotile.readers.zarr.remote import indexes_of, parts_of

# Decoders of chunks of Zarr version 2: codecs of HDF5 and NetCDF files are decoded here, other codecs by numcodecs.

MOST_INFLATED = 8
"""Limit of the output of a decoding step, as a multiple of the bytes of a decoded chunk."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

NUMCODECS = {
    "adler32", "astype", "bitround", "blosc", "bz2", "crc32", "delta", "fixedscaleoffset", "fletcher32", "lz4", "lzma",
    "packbits", "quantize", "zstd",
}  # fmt: skip
"""Codecs of numcodecs that only compute; others run code from the data."""

Step = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class ChunkDecoder:
    """Turns the bytes of a chunk into numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str
    """Order of the dimensions in memory: `C` or `F`."""
    steps: tuple[Step, ...]
    """In the order of decoding."""

    @property
    def size(self) -> int:
        """The bytes of a decoded chunk."""
        return math.prod(self.shape) * self.dtype.itemsize

    def decode(self, data: bytes) -> NumberArray:
        """Return the numbers of a whole chunk.

        Raises:
            Damaged: The bytes do not decode to a whole chunk.
        """
        try:
            for step in self.steps:
                data = step(data)
            numbers = np.frombuffer(data, dtype=self.dtype)
        except Damaged:
            raise
        except Exception as error:  # noqa: BLE001 -- codecs raise various errors, some of them plain `Exception`
            raise Damaged(f"a chunk cannot be decoded ({one_line(error)})") from None
        if len(data) != self.size:
            raise Damaged(f"a chunk has {len(data)} bytes, {self.size} are expected")
        return numbers.reshape(self.shape, order="F" if self.order == "F" else "C")


def decoder_of(document: Mapping[str, Any]) -> ChunkDecoder:
    """Return the decoder of an array's chunks.

    Args:
        document: The array's `.zarray`.

    Raises:
        UnsupportedSource: It has an unsupported codec.
    """
    dtype = np.dtype(document["dtype"])
    if dtype.hasobject:
        raise UnsupportedSource("its chunks hold objects, which are not read")
    shape = tuple(document["chunks"])
    filters: Sequence[Mapping[str, Any]] = document.get("filters") or []
    codecs = [*filters, *([document["compressor"]] if document.get("compressor") else [])]
    most = MOST_INFLATED * math.prod(shape) * dtype.itemsize
    steps = tuple(_step(codec, most) for codec in reversed(codecs))
    return ChunkDecoder(shape, dtype, document.get("order", "C"), steps)


def _step(codec: Mapping[str, Any], most: int) -> Step:
    name = codec.get("id")
    if name in {"zlib", "gzip"}:
        return lambda data: _inflate(data, most)
    if name == "shuffle":
        width = int(codec.get("elementsize", 4))
        return lambda data: _unshuffle(data, width)
    if name not in NUMCODECS:
        raise UnsupportedSource(
            f"its chunks are encoded with {name!r}, which is not read; convert them with optimise where they are, "
            "or write a Zarr store"
        )
    require_extra("zarr", f"a reference to chunks encoded with {name}", error=UnsupportedSource)
    from numcodecs import get_codec  # noqa: PLC0415 -- of an extra

    guard_blosc()
    decoder = get_codec(dict(codec))
    return lambda data: np.ascontiguousarray(np.asarray(decoder.decode(data))).tobytes()


def _inflate(data: bytes, most: int) -> bytes:
    stream = isal_zlib.decompressobj(GZIP_OR_ZLIB)
    inflated: bytes = stream.decompress(data, most)
    if not stream.eof:
        raise Damaged("a chunk's compressed bytes are cut off, or larger than the chunk")
    return inflated


def _unshuffle(data: bytes, width: int) -> bytes:
    """Return bytes grouped by element; HDF5's shuffle stores all first bytes, then all second bytes."""
    if width < 2:
        return data
    whole = len(data) // width * width
    elements = np.frombuffer(data, dtype=np.uint8, count=whole).reshape(width, -1)
    return elements.T.tobytes() + data[whole:]


BATCH_BYTES = 64 << 20
"""Maximum bytes of decoded chunks in memory per read; a larger chunk is read alone."""


class ReferenceArray(ZarrArray):
    """An array read through references.

    Args:
        node: The array.
        references: References to its chunks.
        decoder: Decoder of its chunks.
        fill: The number for chunks without a reference.
        files: Files with the chunks.
        state: Returns a text that changes with the references.
        cache: Cache of decoded chunks; `None` disables it.
    """

    def __init__(  # noqa: PLR0913 -- what an array is made of
        self,
        node: ArrayNode,
        *,
        references: References,
        decoder: ChunkDecoder,
        fill: Any,  # noqa: ANN401 -- a number of the array's type
        files: ReferencedFiles,
        state: Callable[[], str],
        cache: BlockCache | None = None,
    ) -> None:
        self._node, self._references, self._decoder, self._fill = node, references, decoder, fill
        self._files, self._state, self._cache = files, state, cache
        self._counts = chunk_counts(node)
        self._key = f"{state()} {node.path}"
        self._fetching: dict[int, Future[NumberArray | None]] = {}
        self._lock = threading.Lock()

    @property
    def chunks(self) -> tuple[int, ...]:
        """The shape of a chunk."""
        return self._node.files

    def revision(self, selection: Selection) -> str:  # noqa: ARG002 -- the references are of one state of all files
        """Return a text that changes with the references."""
        return self._state()

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order.

        Raises:
            Damaged: A file is missing or was replaced, or a chunk cannot be decoded.
            Away: A server does not answer.
        """
        shape = [len(indexes_of(part)) for part in selection if not isinstance(part, int)]
        numbers = np.full(shape, self._fill, dtype=self._decoder.dtype.newbyteorder("="))
        at_once = max(1, BATCH_BYTES // max(1, self._decoder.size))
        with one_read():
            remaining = parts_of(selection, self.chunks)
            while parts := {self._number(part.first): part for part in islice(remaining, at_once)}:
                for number, chunk in self._chunks(parts).items():
                    numbers[parts[number].target] = _select(chunk, parts[number].own)
        return numbers

    def _number(self, first: Sequence[int]) -> int:
        return number_of([index // length for index, length in zip(first, self.chunks, strict=True)], self._counts)

    def _chunks(self, numbers: Iterable[int]) -> dict[int, NumberArray]:
        """Return the existing chunks by their number in the array."""
        chunks: dict[int, NumberArray] = {}
        ranges: dict[int, ByteRange] = {}
        for number in numbers:
            cached = self._cached_chunk(number)
            entry = None if cached is not None else self._references.get(number)
            if cached is not None:
                chunks[number] = cached
            elif isinstance(entry, bytes):
                chunks[number] = self._decoder.decode(entry)
            elif entry is not None:
                ranges[number] = entry
        return chunks | self._fetch_once(ranges)

    def _fetch_once(self, ranges: Mapping[int, ByteRange]) -> dict[int, NumberArray]:
        """Fetch chunks; wait for chunks that another thread is already fetching."""
        with self._lock:
            pending = {number: self._fetching[number] for number in ranges if number in self._fetching}
            mine = {number: Future[NumberArray | None]() for number in ranges if number not in pending}
            self._fetching.update(mine)
        try:
            fetched = self._fetch({number: ranges[number] for number in mine})
        except BaseException:
            fetched = {}
            raise
        finally:
            with self._lock:
                for number in mine:
                    del self._fetching[number]
            for number, future in mine.items():
                future.set_result(fetched.get(number))
        waited = {number: fetching.result() for number, fetching in pending.items()}
        # The other read may have failed because of another chunk, or because it reached its time limit.
        again = self._fetch({number: ranges[number] for number, chunk in waited.items() if chunk is None})
        return fetched | {number: chunk for number, chunk in waited.items() if chunk is not None} | again

    def _fetch(self, ranges: Mapping[int, ByteRange]) -> dict[int, NumberArray]:
        if not ranges:
            return {}
        data = self._files.read(list(ranges.values()))
        return {number: self._decode(number, d) for number, d in zip(ranges, data, strict=True)}

    def _decode(self, number: int, data: bytes) -> NumberArray:
        """Return a decoded chunk, and cache it."""
        chunk = np.ascontiguousarray(self._decoder.decode(data))
        if self._cache is not None and chunk.nbytes <= self._cache.largest_window_bytes:
            self._cache.put(self._key_of(number), chunk.reshape(-1).view(np.uint8))
        return chunk

    def _cached_chunk(self, number: int) -> NumberArray | None:
        size = self._decoder.size
        if self._cache is None or size > self._cache.largest_window_bytes:
            return None
        stored = self._cache.get(self._key_of(number), size, slice(0, size))
        return None if stored is None else stored.view(self._decoder.dtype).reshape(self.chunks)

    def _key_of(self, number: int) -> bytes:
        return blake2b(f"{self._key} {number}".encode(), digest_size=KEY_BYTES).digest()


def _select(chunk: NumberArray, selection: Selection) -> NumberArray:
    """Return the selected part of a chunk; dimensions indexed by an integer are dropped."""
    selected = chunk
    for axis, (part, length) in reversed(list(enumerate(zip(selection, chunk.shape, strict=True)))):
        if isinstance(part, int):
            selected = selected.take(part % length, axis=axis)
        else:
            indexes = indexes_of(part)
            here = (
                slice(indexes[0] % length, indexes[-1] % length + 1, indexes.step)
                if isinstance(indexes, range)
                else [index % length for index in indexes]
            )
            selected = selected[(slice(None),) * axis + (here,)]
    return selected
