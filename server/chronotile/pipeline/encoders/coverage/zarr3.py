"""Documents and chunks of Zarr 3, for layers as stores (docs/reference/zarr.md)."""

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson

from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.coverage import CoverageField
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import AnyArray, Int64Array, Json
from chronotile.pipeline.encoders.coverage.attributes import (
    GRID_MAPPING,
    TIME,
    CfCoordinate,
    CfDataset,
    CfField,
    cf_dataset,
    plain_attributes,
)
from chronotile.pipeline.encoders.coverage.strips import ChunkShape
from chronotile.pipeline.encoders.deflated import deflate

ENCODER_VERSION = "1"
"""Part of the ETag of every chunk. Raise it when the same numbers give other bytes."""
LEVEL = 1
LINE_CHUNK = 16_384
"""Positions per chunk of a coordinate along time, so that its chunks stay the same when it grows."""
BYTES: Json = {"name": "bytes", "configuration": {"endian": "little"}}
GZIP: Json = {"name": "gzip", "configuration": {"level": LEVEL}}
"""Codec of served chunks: every client reads it, and it needs no other library."""
GZIP_BITS = 31
"""Window of 32 KiB with a header of gzip (zlib.h, deflateInit2)."""
Scheme = Literal["default", "v2"]


class KeyEncoding(NamedTuple):
    """Names of chunks by their index along each axis (Zarr 3 §Chunk key encoding)."""

    name: Scheme
    separator: Literal["/", "."]

    @property
    def document(self) -> Json:
        """Member `chunk_key_encoding` of the metadata."""
        return {"name": self.name, "configuration": {"separator": self.separator}}


KEY_ENCODINGS = (KeyEncoding("default", "/"), KeyEncoding("default", "."), KeyEncoding("v2", "/"))
"""Encodings that can be distinguished by the name of a chunk along time."""


def compressor(dtype: np.dtype[Any]) -> Json:
    """Return the codec for numbers of a type: zstd, with shuffled bytes for numbers of several bytes."""
    if dtype.itemsize == 1:
        return {"name": "zstd", "configuration": {"level": LEVEL, "checksum": False}}
    configuration = {"cname": "zstd", "clevel": LEVEL, "shuffle": "shuffle", "typesize": dtype.itemsize, "blocksize": 0}
    return {"name": "blosc", "configuration": configuration}


def fill_attribute(number: float, dtype: np.dtype[Any] | str) -> float | int | str:
    """Return a number in the form that xarray uses for the attribute `_FillValue` in Zarr 3: floats in base64."""
    if np.dtype(dtype).kind != "f":
        return int(number)
    return base64.standard_b64encode(struct.pack("<d", number)).decode()


def array_documents(dataset: CfDataset, keys: KeyEncoding) -> dict[str, Json]:
    """Return the `zarr.json` of each array by name."""
    documents = {variable.name: _variable_document(variable, keys) for variable in dataset.variables}
    return documents | {field.name: _field_document(field, keys) for field in dataset.fields}


def group_document(attributes: Mapping[str, Any], arrays: Mapping[str, Json]) -> Json:
    """Return the `zarr.json` of a group, with the metadata of its arrays, consolidated like those of zarr-python."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": plain_attributes(attributes),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(arrays)},
    }


def shape_of(node: CfCoordinate | CfField) -> tuple[int, ...]:
    """Return the shape of an array."""
    return node.shape if isinstance(node, CfField) else node.numbers.shape


def chunks_of(node: CfCoordinate | CfField) -> tuple[int, ...]:
    """Return the shape of the chunks of an array; a coordinate is one chunk, except along time, which may grow."""
    if isinstance(node, CfField):
        return node.chunks
    shape = node.numbers.shape
    return (LINE_CHUNK, *shape[1:]) if node.dimensions[:1] == (TIME,) else shape


def encode_variable_chunk(variable: CfCoordinate, number: int) -> bytes:
    """Return a chunk of a coordinate, by its index along the first axis."""
    shape = chunks_of(variable)
    part = variable.numbers[number * shape[0] : (number + 1) * shape[0]] if shape else variable.numbers
    return _compress(_whole_chunk(part, shape, 0))


def encode_field_chunk(numbers: AnyArray, shape: ChunkShape, field: CfField) -> bytes:
    """Return a chunk of a field: its (time, y, x) numbers, with the fill value in the rest of the chunk."""
    return _compress(_whole_chunk(numbers.astype(field.dtype, copy=False), shape, field.fill or 0))


def _variable_document(variable: CfCoordinate, keys: KeyEncoding) -> Json:
    return _document(variable, "NaN" if variable.numbers.dtype.kind == "f" else 0, keys)


def _field_document(field: CfField, keys: KeyEncoding) -> Json:
    fill = 0 if field.fill is None else field.fill
    document = _document(field, "NaN" if math.isnan(fill) else fill, keys)
    # xarray makes the grid mapping a coordinate, so that each array has its CRS.
    document["attributes"] |= {"coordinates": GRID_MAPPING, "_FillValue": fill_attribute(fill, field.dtype)}
    return document


def _document(node: CfCoordinate | CfField, fill: float | str, keys: KeyEncoding) -> Json:
    dtype = node.dtype if isinstance(node, CfField) else node.numbers.dtype
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape_of(node)),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks_of(node))}},
        "chunk_key_encoding": keys.document,
        "fill_value": fill,
        "codecs": [BYTES, GZIP],
        "dimension_names": list(node.dimensions),
        "attributes": plain_attributes(node.attributes),
        "storage_transformers": [],
    }


def _whole_chunk(numbers: AnyArray, shape: tuple[int, ...], fill: float) -> AnyArray:
    if numbers.shape == shape:
        whole = np.ascontiguousarray(numbers)
    else:
        whole = np.full(shape, fill, dtype=numbers.dtype)
        whole[tuple(slice(0, length) for length in numbers.shape)] = numbers
    return whole.astype(whole.dtype.newbyteorder("<"), copy=False)


def _compress(numbers: AnyArray) -> bytes:
    return deflate.compress(np.ascontiguousarray(numbers), LEVEL, GZIP_BITS)


DIGEST_BYTES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreShape:
    """A store of one layer without the numbers of its field: a coverage of all cells at some times."""

    layer: Layer
    collection: Collection
    fields: tuple[CoverageField, ...]
    """One field."""
    grid: Grid
    times: TimeDomain
    chunks: ChunkShape
    """Shape of chunks of the field."""

    @cached_property
    def dataset(self) -> CfDataset:
        """Arrays and attributes; the field has the name of the layer, unless a coordinate has it."""
        dataset = cf_dataset(self, self.chunks)
        if self.layer.id in {variable.name for variable in dataset.variables}:
            return dataset
        return replace(dataset, fields=tuple(replace(field, name=self.layer.id) for field in dataset.fields))

    @cached_property
    def arrays(self) -> Mapping[str, CfCoordinate | CfField]:
        """Arrays by name."""
        variables: dict[str, CfCoordinate | CfField] = {variable.name: variable for variable in self.dataset.variables}
        return variables | {field.name: field for field in self.dataset.fields}

    @property
    def starts(self) -> Int64Array:
        """(time,) instants in nanoseconds: the dates of the indexes of the time axis."""
        return self.times.starts.astype("datetime64[ns]").astype(np.int64)

    @cached_property
    def layout(self) -> str:
        """Short text that changes with the metadata of arrays, except with the number of times."""
        documents = array_documents(self.dataset, KEY_ENCODINGS[0])
        return _digest(orjson.dumps([(name, _remove_times(document)) for name, document in documents.items()]))

    @cached_property
    def revision(self) -> str:
        """The number of times, and a short text that changes with the layout and with the times."""
        times = self.times
        bounds = b"" if times.bounds is None else times.bounds.tobytes()
        digest = _digest(self.layout.encode(), times.starts.tobytes(), times.ends.tobytes(), bounds)
        return f"{len(times)}-{digest}"

    @property
    def nbytes(self) -> int:
        """Approximate size in a cache."""
        return 8 * (self.grid.width + self.grid.height + 8 * len(self.times)) + 16_384


def _remove_times(document: Json) -> Json:
    sides = zip(document["shape"], document["dimension_names"], strict=True)
    return {**document, "shape": [length for length, dimension in sides if dimension != TIME]}


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
