"""NetCDF files of a scene, one per date, and references to their chunks by h5py."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import xarray

from tests.scenes import Scene, make_dataset

CHUNK = (1, 16, 16)


def write_files(folder: Path, scene: Scene, **encoding) -> list[Path]:
    """Write each date into a separate file, NDVI in chunks of 16 x 16, shuffled and deflated."""
    encoding = {"chunksizes": CHUNK, "compression": "gzip", "shuffle": True} | encoding
    paths = []
    for number, day in enumerate(scene.days):
        path = folder / f"{day}.nc"
        one = make_dataset(replace(scene, days=(day,), shift=scene.shift + 31 * number))
        time = {"units": "hours since 2000-01-01", "dtype": "int32"}
        one.to_netcdf(path, engine="h5netcdf", encoding={"time": time, "NDVI": encoding})
        paths.append(path)
    return paths


def references_to(paths: list[Path], *, address=lambda path: path.name) -> dict[str, object]:
    """Return the references to NDVI of all files along time, and the coordinates in the document itself."""
    refs: dict[str, object] = {".zgroup": json.dumps({"zarr_format": 2})}
    for time, path in enumerate(paths):
        with h5py.File(path) as file:
            refs |= _chunks(file["NDVI"], time, address(path))
    with h5py.File(paths[0]) as file:
        refs |= _array(file["NDVI"], count=len(paths))
    opened = [xarray.load_dataset(path, decode_cf=False, engine="h5netcdf") for path in paths]
    for name in ("y", "x", "spatial_ref"):
        refs |= _inline(opened[0][name])
    return refs | _inline(xarray.concat([each["time"] for each in opened], "time"))


def _chunks(array: h5py.Dataset, time: int, address: str) -> dict[str, object]:
    found = {}
    for number in range(array.id.get_num_chunks()):
        info = array.id.get_chunk_info(number)
        row, column = info.chunk_offset[1] // array.chunks[1], info.chunk_offset[2] // array.chunks[2]
        found[f"NDVI/{time}.{row}.{column}"] = [address, info.byte_offset, info.size]
    return found


def _array(array: h5py.Dataset, *, count: int) -> dict[str, str]:
    shuffle = [{"id": "shuffle", "elementsize": array.dtype.itemsize}] if array.shuffle else []
    document = {
        "zarr_format": 2,
        "shape": [count, *array.shape[1:]],
        "chunks": list(array.chunks),
        "dtype": array.dtype.str,
        "order": "C",
        "fill_value": 255,
        "filters": shuffle or None,
        "compressor": {"id": "zlib", "level": 4} if array.compression else None,
    }
    attrs = {"scale_factor": 0.004, "add_offset": -0.08, "grid_mapping": "spatial_ref"}
    return _documents("NDVI", document, attrs | {"_ARRAY_DIMENSIONS": ["time", "y", "x"]})


def _inline(array: xarray.DataArray) -> dict[str, str]:
    values = np.ascontiguousarray(array.values)
    document = {
        "zarr_format": 2,
        "shape": list(values.shape),
        "chunks": list(values.shape),
        "dtype": values.dtype.str,
        "order": "C",
        "fill_value": None,
        "filters": None,
        "compressor": None,
    }
    attrs = {name: value for name, value in array.attrs.items() if isinstance(value, str)}
    chunk = f"{array.name}/{'.'.join('0' * max(1, values.ndim))}"
    documents = _documents(array.name, document, attrs | {"_ARRAY_DIMENSIONS": list(array.dims)})
    return {**documents, chunk: "base64:" + base64.b64encode(values.tobytes()).decode()}


def _documents(name: str, array: dict[str, object], attrs: dict[str, object]) -> dict[str, str]:
    return {f"{name}/.zarray": json.dumps(array), f"{name}/.zattrs": json.dumps(attrs)}


def write_json(place: Path, refs: dict[str, object], **rest) -> Path:
    """Write references as kerchunk does."""
    place.write_text(json.dumps({"version": 1, "refs": refs, **rest}))
    return place


def write_parquet(place: Path, refs: dict[str, object], record_size: int = 1000) -> Path:
    """Write references as kerchunk does: the metadata as one document, for each array files of so many references."""
    documents = {key: json.loads(each) for key, each in refs.items() if key.rpartition("/")[2].startswith(".z")}
    place.mkdir()
    (place / ".zmetadata").write_text(json.dumps({"metadata": documents, "record_size": record_size}))
    for key, array in documents.items():
        name, _, last = key.rpartition("/")
        if last == ".zarray":
            (place / name).mkdir()
            _write_records(place / name, name, array, refs, record_size)
    return place


def _write_records(folder: Path, name: str, array: dict[str, object], refs: dict[str, object], size: int) -> None:
    counts = [-(-length // chunk) for length, chunk in zip(array["shape"], array["chunks"], strict=True)]
    keys = [f"{name}/{'.'.join(map(str, indexes)) or '0'}" for indexes in np.ndindex(*counts)]
    rows = [_row(refs.get(key)) for key in keys]
    for record in range(-(-len(rows) // size)):
        own = rows[record * size : (record + 1) * size]
        own += [(None, 0, 0, None)] * (size - len(own))  # the last file is as long as the others
        types = {"path": pa.string(), "offset": pa.int64(), "size": pa.int64(), "raw": pa.binary()}
        columns = {
            each: pa.array(values, kind)
            for (each, kind), values in zip(types.items(), zip(*own, strict=True), strict=True)
        }
        pyarrow.parquet.write_table(pa.table(columns), folder / f"refs.{record}.parq")


def _row(reference: object) -> tuple[str | None, int, int, bytes | None]:
    if reference is None:
        return None, 0, 0, None
    if isinstance(reference, str):
        return None, 0, 0, base64.b64decode(reference.removeprefix("base64:"))
    address, offset, size = reference
    return address, offset, size, None
