"""Chunks of Zarr version 2 decoded: what HDF5 and NetCDF files contain by us, rarer codecs by numcodecs."""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib

from chronotile.errors import UnsupportedSource
from chronotile.extras import require_extra
from chronotile.model.raster import Numbers
from chronotile.readers.foreign import Damaged, one_line

MOST_INFLATED = 8
"""How many times the bytes of a decoded chunk a step of its decoding may give."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

NUMCODECS = {
    "adler32",
    "astype",
    "bitround",
    "blosc",
    "bz2",
    "crc32",
    "delta",
    "fixedscaleoffset",
    "fletcher32",
    "lz4",
    "lzma",
    "packbits",
    "quantize",
    "zstd",
}
"""Codecs of numcodecs that only compute: it has others that run code from the data."""

Step = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class ChunkDecoder:
    """Turns the bytes of a chunk into numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str
    """Of the dimensions in memory: `C` or `F`."""
    steps: tuple[Step, ...]
    """In the order of decoding."""

    @property
    def size(self) -> int:
        """The bytes of a decoded chunk."""
        return math.prod(self.shape) * self.dtype.itemsize

    def decode(self, data: bytes) -> Numbers:
        """Return the numbers of a whole chunk.

        Raises:
            Damaged: The bytes are not those of one.
        """
        try:
            for step in self.steps:
                data = step(data)
            numbers = np.frombuffer(data, dtype=self.dtype)
        except Damaged:
            raise
        except Exception as error:  # noqa: BLE001 -- codecs have errors of their own, some of them plain `Exception`
            raise Damaged(f"a chunk cannot be decoded ({one_line(error)})") from None
        if len(data) != self.size:
            raise Damaged(f"a chunk has {len(data)} bytes, {self.size} are expected")
        return numbers.reshape(self.shape, order="F" if self.order == "F" else "C")


def decoder_of(document: Mapping[str, Any]) -> ChunkDecoder:
    """Return the decoder of an array's chunks.

    Args:
        document: Its `.zarray`.

    Raises:
        UnsupportedSource: It has a codec that is not read.
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
        return lambda data: _inflated(data, most)
    if name == "shuffle":
        width = int(codec.get("elementsize", 4))
        return lambda data: _unshuffled(data, width)
    if name not in NUMCODECS:
        raise UnsupportedSource(
            f"its chunks are encoded with {name!r}, which is not read; convert them with optimise where they are, "
            "or write a Zarr store"
        )
    require_extra("zarr", f"a reference to chunks encoded with {name}", error=UnsupportedSource)
    from numcodecs import get_codec  # noqa: PLC0415 -- of an extra

    found = get_codec(dict(codec))
    return lambda data: np.ascontiguousarray(np.asarray(found.decode(data))).tobytes()


def _inflated(data: bytes, most: int) -> bytes:
    stream = isal_zlib.decompressobj(GZIP_OR_ZLIB)
    inflated: bytes = stream.decompress(data, most)
    if not stream.eof:
        raise Damaged("a chunk's compressed bytes are cut off, or larger than the chunk")
    return inflated


def _unshuffled(data: bytes, width: int) -> bytes:
    """The bytes of each element together again, which HDF5 stores as all first bytes, all second ones and so on."""
    if width < 2:
        return data
    whole = len(data) // width * width
    elements = np.frombuffer(data, dtype=np.uint8, count=whole).reshape(width, -1)
    return elements.T.tobytes() + data[whole:]
