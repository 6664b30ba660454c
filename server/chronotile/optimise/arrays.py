"""Arrays of Zarr v3 as documents and bytes, so that each file is written and renamed by our own code."""

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
"""Separates the numbers in a file name: all files of an array are in one folder, which one fsync makes durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """One array of the store, without its length along time."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    file: tuple[int, ...]
    """Shape of the cells in one file."""
    chunk: tuple[int, ...] | None = None
    """Shape of a chunk in a shard; `None` if a file is one chunk."""
    fill: float
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def document(self, times: int) -> Json:
        """Return the `zarr.json` of the array with `times` times."""
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
        """Return the name of a file by its position along each dimension."""
        return SEPARATOR.join(("c", *map(str, numbers)))

    def encode(self, numbers: NumberArray) -> bytes:
        """Return the bytes of a file whose first cells are `numbers`; the other cells have the fill value."""
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
    """Return the `zarr.json` of a group with the metadata of all nodes below it, by path."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(nodes)},
    }


def root_document(attributes: Mapping[str, Any], nodes: Mapping[str, Json]) -> Json:
    """Return the `zarr.json` of the root with the metadata of all nodes, by path.

    If the root has arrays, consolidated metadata list only these: `xarray.open_datatree` fails for a coarser group
    below them. An attribute for our readers has the other nodes, so that one document still describes the whole state.
    """
    arrays = {path: node for path, node in nodes.items() if "/" not in path and node["node_type"] == "array"}
    if not arrays:
        return group_document(attributes, nodes)
    other_nodes = {path: node for path, node in nodes.items() if path not in arrays}
    return group_document({**attributes, ATTRIBUTE: {**attributes.get(ATTRIBUTE, {}), NODES: other_nodes}}, arrays)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


_CONVENTIONS: Final = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "Multiscale layout of zarr datasets"),
    "proj": ("f17cb550-5864-4468-aeb7-f3180cfb622f", "Coordinate reference system information for geospatial data"),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
}
"""Zarr conventions of GeoZarr at version 0.1: id and description."""


def multiscale_attributes(grid: NativeGrid, paths: Sequence[str], *, resampling: str) -> Json:
    """Return the root attributes about the levels of a store.

    Args:
        grid: The native grid.
        paths: Paths of the groups of levels, the native one first; `.` is the root itself.
        resampling: Method that makes a level from the previous one, by its name in GDAL.
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
    """Return the attributes of a group about CRS and position of its cells."""
    return {
        "zarr_conventions": [_convention(name) for name in ("proj", "spatial")],
        **_extent_attributes(grid),
        **_placement(grid),
        "spatial:registration": "pixel",
    }


def grid_mapping_attributes(grid: NativeGrid) -> Json:
    """Return the attributes of the grid mapping variable (CF 5.6), with the transform in GDAL's form."""
    numbers = " ".join(f"{number:.17g}" for number in grid.transform.to_gdal())
    return {**grid.crs.definition.to_cf(), "GeoTransform": numbers}


def is_in_crs(attributes: Mapping[str, Any], crs: Crs) -> bool:
    """Return whether a group has this CRS; also if its attributes name none."""
    name = attributes.get("proj:code", attributes.get("proj:wkt2"))
    return name is None or are_alike(crs_of(name), crs)


def _extent_attributes(grid: NativeGrid) -> Json:
    return {**_crs(grid.crs), "spatial:dimensions": ["y", "x"], "spatial:bbox": list(grid.bbox)}


def _crs(crs: Crs) -> Json:
    # The code of an authority if one exists
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
