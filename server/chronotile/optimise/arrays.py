"""Arrays of Zarr v3 as documents and as bytes, so that each file is written by one rename of ours."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import tensorstore as ts

from chronotile.core.model.space.crs import Crs, are_alike, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import Json, NumberArray
from chronotile.pipeline.encoders.coverage.zarr3 import BYTES, compressor
from chronotile.readers.zarr.commit import ATTRIBUTE, NODES

SEPARATOR = "."
"""Between the numbers in a file's name: all files of an array lie in one folder, which one fsync settles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """One array of the store, without its length along time."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    file: tuple[int, ...]
    """The shape of what one file holds."""
    chunk: tuple[int, ...] | None = None
    """The shape of a chunk in a shard; `None` where a file is one chunk."""
    fill: float
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def document(self, times: int) -> Json:
        """Return the array's `zarr.json` with as many `times`."""
        shape = [times if dim == "time" else length for dim, length in zip(self.dims, self.shape, strict=True)]
        return {
            "zarr_format": 3,
            "node_type": "array",
            **self._metadata(shape),
            "dimension_names": list(self.dims),
            "attributes": dict(self.attributes),
            "storage_transformers": [],
        }

    def key(self, *numbers: int) -> str:
        """Return the name of a file by its numbers."""
        return SEPARATOR.join(("c", *map(str, numbers)))

    def encode(self, numbers: NumberArray) -> bytes:
        """Return the bytes of the file whose first cells are `numbers`; the rest is the fill value."""
        origin = self.key(*(0 for _ in self.file))
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "memory"},
            "metadata": self._metadata(list(self.file)),
            "create": True,
            "store_data_equal_to_fill_value": True,
        }
        array: Any = ts.open(spec).result()
        target = array[tuple(slice(0, length) for length in numbers.shape)] if numbers.shape else array
        target.write(numbers).result()
        return bytes(array.kvstore.read(origin).result().value)

    def _metadata(self, shape: list[int]) -> Json:
        return {
            "shape": shape,
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.file)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": SEPARATOR}},
            "fill_value": self._fill(),
            "codecs": self._codecs(),
        }

    def _fill(self) -> float | int | str:
        if np.dtype(self.dtype).kind != "f":
            return int(self.fill)
        return "NaN" if np.isnan(self.fill) else float(self.fill)

    def _codecs(self) -> list[Json]:
        codecs = [BYTES, compressor(np.dtype(self.dtype))]
        if self.chunk is None:
            return codecs
        configuration = {
            "chunk_shape": list(self.chunk),
            "codecs": codecs,
            "index_codecs": [BYTES, {"name": "crc32c"}],
            "index_location": "end",
        }
        return [{"name": "sharding_indexed", "configuration": configuration}]


def group_document(attributes: Mapping[str, Any], nodes: Mapping[str, Json]) -> Json:
    """Return a group's `zarr.json` with the metadata of all nodes below it, by path."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(nodes)},
    }


def root_document(attributes: Mapping[str, Any], nodes: Mapping[str, Json]) -> Json:
    """Return the root's `zarr.json` with the metadata of all nodes, by path.

    Where the root holds arrays, it lists these alone: to xarray's trees a coarser group below it is an error. The
    others are in an attribute that our readers look at, so that one document still has one state of them all.
    """
    own = {path: node for path, node in nodes.items() if "/" not in path and node["node_type"] == "array"}
    if not own:
        return group_document(attributes, nodes)
    others = {path: node for path, node in nodes.items() if path not in own}
    return group_document({**attributes, ATTRIBUTE: {**attributes.get(ATTRIBUTE, {}), NODES: others}}, own)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


_CONVENTIONS: Final = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "Multiscale layout of zarr datasets"),
    "proj": ("f17cb550-5864-4468-aeb7-f3180cfb622f", "Coordinate reference system information for geospatial data"),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
}
"""Zarr conventions that GeoZarr is made of: their ids and what they say of themselves at version 0.1."""


def multiscale_attributes(grid: NativeGrid, paths: Sequence[str], *, resampling: str) -> Json:
    """Return what the root of a store says of its levels.

    Args:
        grid: The native grid.
        paths: Of their groups, the native one first; `.` is the root itself.
        resampling: How a level is made of the one before, in GDAL's word.
    """
    return {
        "zarr_conventions": [_convention(name) for name in ("multiscales", "proj", "spatial")],
        "multiscales": {
            "layout": [_level_layout(grid, paths, level) for level in range(len(paths))],
            "resampling_method": resampling,
        },
        **_extent_attributes(grid),
    }


def group_attributes(grid: NativeGrid) -> Json:
    """Return what a group says of the place of its arrays' pixels."""
    return {
        "zarr_conventions": [_convention(name) for name in ("proj", "spatial")],
        **_extent_attributes(grid),
        **_placement(grid),
        "spatial:registration": "pixel",
    }


def grid_mapping_attributes(grid: NativeGrid) -> Json:
    """Return the attributes of the grid mapping variable (CF 5.6), with the transform in GDAL's words."""
    numbers = " ".join(f"{number:.17g}" for number in grid.transform.to_gdal())
    return {**grid.crs.definition.to_cf(), "GeoTransform": numbers}


def is_in_crs(attributes: Mapping[str, Any], crs: Crs) -> bool:
    """Return whether a group, as far as its attributes tell, is in a coordinate reference system."""
    named = attributes.get("proj:code", attributes.get("proj:wkt2"))
    return named is None or are_alike(crs_of(named), crs)


def _extent_attributes(grid: NativeGrid) -> Json:
    return {**_crs(grid.crs), "spatial:dimensions": ["y", "x"], "spatial:bbox": list(grid.bbox)}


def _crs(crs: Crs) -> Json:
    # A code where an authority has one.
    return {"proj:code": crs.name} if len(crs.name) <= 20 else {"proj:wkt2": crs.definition.to_wkt()}


def _convention(name: str) -> Json:
    uuid, description = _CONVENTIONS[name]
    return {
        "uuid": uuid,
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "name": name,
        "description": description,
    }


def _level_layout(grid: NativeGrid, paths: Sequence[str], level: int) -> Json:
    layout: Json = {"asset": paths[level], **_placement(grid.coarser(2**level))}
    scale = 1.0
    if level:
        layout["derived_from"] = paths[level - 1]
        scale = 2.0
    layout["transform"] = {"scale": [scale, scale], "translation": [0.0, 0.0]}
    return layout


def _placement(grid: NativeGrid) -> Json:
    return {"spatial:shape": [grid.height, grid.width], "spatial:transform": list(grid.transform)[:6]}
