"""Coverages as a Zarr store in a ZIP that is sent while it is written."""

import io
import math
import zipfile
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import orjson

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.model.coverage import Coverage
from chronotile.pipeline.encoders.bodies import READ_BYTES
from chronotile.pipeline.encoders.coverage.attributes import (
    CfCoordinate,
    CfDataset,
    CfField,
    cf_dataset,
    plain_attributes,
)
from chronotile.pipeline.encoders.coverage.strips import ChunkShape, Strip, chunk_shape, chunks_of, strips
from chronotile.pipeline.encoders.deflated import deflate

LEVEL = 1
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""Date of every member, so that the same coverage gives the same bytes."""


def iter_coverage_zarr(coverage: Coverage, *, is_active: IsActive = always_active) -> Generator[bytes]:
    """Yield the digital numbers as a ZIP of a Zarr store of version 2, in pieces of at most 1 MiB.

    GDAL reads version 2 with zlib from 3.4 on, version 3 only in newer releases; xarray and zarr-python read both.
    Consolidated metadata come first, with CF attributes, in which GDAL finds the CRS from 3.9 on: its attribute `_CRS`
    would keep xarray from saving the data as NetCDF. Members are stored without compression, as chunks are compressed.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, body in _members(coverage, is_active):
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), body)
            yield from sink.take_all(READ_BYTES)
    yield from sink.take_all(0)


class _Sink(io.RawIOBase):
    """A file that is written once from start to end, and read in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, body: Any) -> int:  # noqa: ANN401 -- any buffer
        self._buffer += body
        return len(body)

    def take_all(self, min_bytes: int) -> Iterator[bytes]:
        """Yield and forget the written bytes in pieces, if they are more than `min_bytes`."""
        if len(self._buffer) > min_bytes:
            body, self._buffer = bytes(self._buffer), bytearray()
            for start in range(0, len(body), READ_BYTES):
                yield body[start : start + READ_BYTES]


def _members(coverage: Coverage, is_active: IsActive) -> Iterator[tuple[str, bytes]]:
    """Yield names and bodies of the files of the store."""
    dataset = cf_dataset(coverage, chunk_shape(coverage))
    metadata = _metadata(dataset)
    yield ".zmetadata", orjson.dumps({"zarr_consolidated_format": 1, "metadata": metadata})
    for name, document in metadata.items():
        yield name, orjson.dumps(document)
    for variable in dataset.variables:
        only = ".".join("0" for _ in variable.dimensions) or "0"
        yield f"{variable.name}/{only}", deflate.compress(np.ascontiguousarray(variable.numbers), LEVEL)
    shape = chunk_shape(coverage)
    for number, field in enumerate(dataset.fields):
        for strip in strips(coverage, number, shape=shape, is_active=is_active):
            yield from _chunk_members(strip, shape, field)
            del strip  # before the next one is read


def _chunk_members(strip: Strip, shape: ChunkShape, field: CfField) -> Iterator[tuple[str, bytes]]:
    for chunk in chunks_of(strip, shape, dtype=field.dtype, fill=field.fill):
        position = [start // size for start, size in zip(chunk.start, shape, strict=True)]
        name = ".".join(str(number) for number in position[-len(field.shape) :])
        yield f"{field.name}/{name}", deflate.compress(chunk.numbers, LEVEL)


def _metadata(dataset: CfDataset) -> dict[str, Any]:
    """Return all documents by name."""
    metadata: dict[str, Any] = {".zgroup": {"zarr_format": 2}, ".zattrs": dataset.attributes}
    for variable in dataset.variables:
        array = _array(variable.numbers.shape, variable.numbers.shape, variable.numbers.dtype, fill=None)
        metadata |= _documents(variable, array)
    for field in dataset.fields:
        metadata |= _documents(field, _array(field.shape, field.chunks, field.dtype, fill=field.fill))
    return metadata


def _documents(variable: CfCoordinate | CfField, array: dict[str, Any]) -> dict[str, Any]:
    attributes = {"_ARRAY_DIMENSIONS": list(variable.dimensions), **plain_attributes(variable.attributes)}
    return {f"{variable.name}/.zarray": array, f"{variable.name}/.zattrs": attributes}


def _array(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype[Any], *, fill: float | None
) -> dict[str, Any]:
    """Return the metadata of an array (Zarr 2 §Metadata)."""
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(chunks),
        "dtype": dtype.newbyteorder("<").str,
        "compressor": {"id": "zlib", "level": LEVEL},
        "fill_value": "NaN" if fill is not None and math.isnan(fill) else fill,
        "order": "C",
        "filters": None,
    }
