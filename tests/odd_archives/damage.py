"""Small files of every kind with random damage: bits flipped, cut off, ranges zeroed or repeated.

`python -m tests.odd_archives.damage KIND FOLDER` reads the damaged members of a folder like the server, and prints a
line of JSON for each: the digest of its numbers, or the error.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import rasterio
from PIL import Image

from chronotile.core.errors import ChronotileError
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.reader import Reader
from chronotile.readers.zarr.damage import guard_blosc
from tests.grib import code, first_edition, message
from tests.odd_archives.files import write_tif
from tests.readers.cog.truth import reader_of
from tests.scenes import Scene, make_dataset, make_spec, save_netcdf, save_zarr

SCENE = Scene(days=("2020-01-01", "2020-01-11"), gap=-1)
SHAPE = (48, 64)
VALUES = (np.add.outer(np.arange(SHAPE[0]) * 7, np.arange(SHAPE[1]) * 3) % 251 + 1).astype("uint8")
MOST_SIDE = 96
"""Cells of a window along an axis: a damaged header may have any size."""

Read = dict[str, np.ndarray]
"""(y, x) numbers by variable, time and level; cells without a value are left out by `VOID`."""
VOID = -7777.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DamageKind:
    """A kind of file."""

    write: Callable[[Path], None]
    """Writes the whole member into an empty folder."""
    source: str
    """Kind of source; `item`: a file of a scene, which is read without GDAL."""
    name: str
    """Served path in the folder."""
    truth: Callable[[Path], Read] | None = None
    """An independent reader of the same numbers."""
    options: Mapping[str, Any] = field(default_factory=dict)


def tif(**profile: Any) -> Callable[[Path], None]:
    """Return the writer of a GeoTIFF with overviews."""

    def write(folder: Path) -> None:
        path = write_tif(folder / "a.tif", VALUES, dtype="uint8", **profile)
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2])

    return write


def gdal_copy(name: str, driver: str, **options: Any) -> Callable[[Path], None]:
    """Return the writer of a file of another format of GDAL."""

    def write(folder: Path) -> None:
        source = write_tif(folder / "source.tif", VALUES, dtype="uint8")
        with rasterio.open(source) as file:
            rasterio.shutil.copy(file, folder / name, driver=driver, **options)
        source.unlink()

    return write


def vrt(folder: Path) -> None:
    """Write a VRT of two files."""
    for number in range(2):
        write_tif(folder / f"{number}.tif", VALUES, dtype="uint8", compress="deflate")
    text = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{number}.tif</SourceFilename><SourceBand>1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="64" ySize="24"/><DstRect xOff="0" yOff="{24 * number}" xSize="64" '
        'ySize="24"/></SimpleSource>'
        for number in range(2)
    )
    (folder / "a.vrt").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="48"><SRS>EPSG:32633</SRS><GeoTransform>500000,100,0,5000000,0,-100'
        f'</GeoTransform><VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue>{text}</VRTRasterBand>'
        "</VRTDataset>"
    )


def grib(edition: int) -> Callable[[Path], None]:
    """Return the writer of three messages."""

    def write(folder: Path) -> None:
        cells = code(12, 16)
        if edition == 1:
            some = np.where(cells % 5 == 1, np.nan, cells)
            found = [
                first_edition(some + 3 * day, latitudes=(50, 39), longitudes=(0, 15), day=(2020, 1, day + 1))
                for day in range(3)
            ]
        else:
            found = [message(folder, cells + 3 * day, day=f"2020-01-0{day + 1}") for day in range(3)]
        for each in folder.iterdir():
            each.unlink()
        (folder / "a.grib2").write_bytes(b"".join(found))

    return write


def netcdf(version: int, **encoding: Any) -> Callable[[Path], None]:
    """Return the writer of a NetCDF file with two times."""

    def write(folder: Path) -> None:
        dataset = make_dataset(SCENE)
        if version == 3:
            dataset["NDVI"] = dataset["NDVI"].astype("int16").assign_attrs(_FillValue=np.int16(255))
            dataset.encoding["unlimited_dims"] = {"time"}
        dataset["NDVI"].encoding = encoding
        save_netcdf(dataset, folder / "a.nc", version=version)

    return write


def zarr(version: int, **encoding: Any) -> Callable[[Path], None]:
    """Return the writer of a Zarr store."""

    def write(folder: Path) -> None:
        save_zarr(make_dataset(SCENE), folder / "a.zarr", version=version, NDVI={"chunks": (1, 16, 16)} | encoding)

    return write


def zipped(folder: Path) -> None:
    """Write a Zarr store in a ZIP file."""
    zarr(3)(folder)
    shutil.make_archive(str(folder / "a.zarr"), "zip", root_dir=folder / "a.zarr")
    shutil.rmtree(folder / "a.zarr")


# Independent readers.


def by_pillow(path: Path) -> Read:
    """Read the first frame of a picture."""
    with Image.open(path) as picture:
        numbers = np.asarray(picture)
        is_inverted = picture.format == "TIFF" and picture.tag_v2.get(262, 0) == 0  # which Pillow undoes
        return {"0/0": ~numbers if is_inverted else numbers}


def by_gdal(path: Path) -> Read:
    """Read the first band with rasterio's defaults."""
    with rasterio.open(path) as file:
        side = MOST_SIDE
        return {"0/0": file.read(1, window=((0, min(file.height, side)), (0, min(file.width, side))))}


def by_h5py(path: Path) -> Read:
    """Read the array of a NetCDF-4 file."""
    import h5py

    with h5py.File(path) as file:
        return _each_time(file["NDVI"])


def by_scipy(path: Path) -> Read:
    """Read the array of a NetCDF-3 file."""
    from scipy.io import netcdf_file

    with netcdf_file(path, mmap=False) as file:
        return _each_time(file.variables["NDVI"].data)


def by_zarr(path: Path) -> Read:
    """Read the array of a Zarr store."""
    import zarr as library

    guard_blosc()

    array = library.open_array(library.storage.ZipStore(path, mode="r") if path.suffix == ".zip" else path, path="NDVI")
    return _each_time(array)


def _each_time(array: Any) -> Read:
    """Read the first times of an array of any library, skipping unreadable ones."""
    found: Read = {}
    for time in range(min(array.shape[0], 4)):
        with suppress(Exception):  # libraries raise anything for damaged files
            found[f"{time}/0"] = np.asarray(array[time])
    return found


KINDS: Mapping[str, DamageKind] = {
    "tif": DamageKind(write=tif(), source="cog", name="a.tif", truth=by_pillow),
    "tif tiled deflate": DamageKind(
        write=tif(tiled=True, blockxsize=16, blockysize=16, compress="deflate", predictor=2),
        source="cog", name="a.tif", truth=by_pillow,
    ),
    "tif lzw": DamageKind(write=tif(compress="lzw", blockysize=8), source="cog", name="a.tif", truth=by_pillow),
    "tif zstd": DamageKind(write=tif(compress="zstd"), source="cog", name="a.tif", truth=by_gdal),
    "tif lerc": DamageKind(write=tif(compress="lerc"), source="cog", name="a.tif", truth=by_gdal),
    "tif packbits": DamageKind(write=tif(compress="packbits"), source="cog", name="a.tif", truth=by_pillow),
    "tif jpeg": DamageKind(
        write=tif(compress="jpeg", tiled=True, blockxsize=16, blockysize=16), source="cog", name="a.tif", truth=by_gdal
    ),
    "tif big": DamageKind(
        write=tif(BIGTIFF="YES", tiled=True, blockxsize=16, blockysize=16), source="cog", name="a.tif", truth=by_gdal
    ),
    "tif sparse": DamageKind(
        write=tif(SPARSE_OK=True, nodata=0, tiled=True, blockxsize=16, blockysize=16, compress="deflate"),
        source="cog", name="a.tif", truth=by_gdal,
    ),
    "item deflate": DamageKind(
        write=tif(tiled=True, blockxsize=16, blockysize=16, compress="deflate"), source="item", name="a.tif",
        truth=by_gdal,
    ),
    "item plain": DamageKind(
        write=tif(tiled=True, blockxsize=16, blockysize=16), source="item", name="a.tif", truth=by_gdal
    ),
    "jp2": DamageKind(
        write=gdal_copy("a.jp2", "JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES"), source="cog", name="a.jp2",
        truth=by_pillow,
    ),
    "png": DamageKind(write=gdal_copy("a.png", "PNG"), source="cog", name="a.png", truth=by_pillow),
    "jpeg": DamageKind(write=gdal_copy("a.jpg", "JPEG"), source="cog", name="a.jpg", truth=by_gdal),
    "envi": DamageKind(write=gdal_copy("a.img", "ENVI"), source="cog", name="a.img", truth=by_gdal),
    "ehdr": DamageKind(write=gdal_copy("a.bil", "EHdr"), source="cog", name="a.bil", truth=by_gdal),
    "hfa": DamageKind(write=gdal_copy("a.img", "HFA", COMPRESSED="YES"), source="cog", name="a.img", truth=by_gdal),
    "asc": DamageKind(write=gdal_copy("a.asc", "AAIGrid"), source="cog", name="a.asc", truth=by_gdal),
    "rst": DamageKind(write=gdal_copy("a.rst", "RST"), source="cog", name="a.rst", truth=by_gdal),
    "vrt": DamageKind(write=vrt, source="cog", name="a.vrt", truth=by_gdal),
    "grib 1": DamageKind(write=grib(1), source="cog", name="a.grib2"),
    "grib 2": DamageKind(write=grib(2), source="cog", name="a.grib2"),
    "netcdf 3": DamageKind(write=netcdf(3), source="netcdf", name="a.nc", truth=by_scipy),
    "netcdf 4": DamageKind(write=netcdf(4), source="netcdf", name="a.nc", truth=by_h5py),
    "netcdf 4 deflate": DamageKind(
        write=netcdf(4, chunksizes=(1, 16, 16), zlib=True, shuffle=True), source="netcdf", name="a.nc", truth=by_h5py
    ),
    "netcdf 4 fletcher32": DamageKind(
        write=netcdf(4, chunksizes=(1, 16, 16), fletcher32=True), source="netcdf", name="a.nc", truth=by_h5py
    ),
    "zarr 2": DamageKind(write=zarr(2), source="zarr", name="a.zarr", truth=by_zarr),
    "zarr 3": DamageKind(write=zarr(3), source="zarr", name="a.zarr", truth=by_zarr),
    "zarr 2 plain": DamageKind(write=zarr(2, compressors=None), source="zarr", name="a.zarr", truth=by_zarr),
    "zarr zip": DamageKind(write=zipped, source="zarr", name="a.zarr.zip", truth=by_zarr),
}  # fmt: skip


# Damage.


def flip(data: bytearray, random: Random) -> None:
    """Flip one to eight bits."""
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def cut(data: bytearray, random: Random) -> None:
    """Cut the file off."""
    del data[random.randrange(len(data)) :]


def zero(data: bytearray, random: Random) -> None:
    """Zero a range."""
    start = random.randrange(len(data))
    stop = min(len(data), start + random.choice((4, 16, 64, 512)))
    data[start:stop] = bytes(stop - start)


def repeat(data: bytearray, random: Random) -> None:
    """Write a range over another place."""
    size = min(random.choice((4, 16, 64, 512)), len(data) // 2)
    source, target = (random.randrange(len(data) - size) for _ in range(2))
    data[target : target + size] = data[source : source + size]


DAMAGES = (flip, cut, zero, repeat)


def write_members(kind: DamageKind, folder: Path, *, count: int, seed: object) -> None:
    """Write damaged members, one numbered folder each, with one damaged file."""
    whole = folder / "whole"
    whole.mkdir(parents=True)
    kind.write(whole)
    files = [path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file()]
    weights = [(whole / name).stat().st_size ** 0.5 for name in files]
    for number in range(count):
        random = Random(f"{seed} {number}")
        member = folder / f"{number:04}"
        shutil.copytree(whole, member)
        target = member / random.choices(files, weights)[0]
        data = bytearray(target.read_bytes())
        damage = random.choice(DAMAGES)
        damage(data, random)
        target.write_bytes(data)
        (folder / f"{number:04}.txt").write_text(f"{damage.__name__} {target.relative_to(member)}")


def read_as_served(kind: DamageKind, member: Path) -> Read:
    """Read the first variable as the server reads it: native windows and overviews of each time."""
    path = member / kind.name
    if kind.source == "item":
        return dict(_read(reader_of(path)))
    options = {"variables": {}, **kind.options}
    if kind.name in {"a.png", "a.jpg", "a.asc", "a.rst"}:
        options["crs"] = "EPSG:32633"
    spec: SourceSpec = make_spec(kind.source, path, **options)
    return dict(_read(open_source(replace(spec, has_each_step=False))))


def _read(reader: Reader) -> Iterator[tuple[str, np.ndarray]]:
    name, info = next(iter(reader.info.variables.items()))
    for index in range(min(max(len(info.times), 1), 4)):
        for level, grid in enumerate(info.levels[:2]):
            window = Window(0, min(grid.height, MOST_SIDE), 0, min(grid.width, MOST_SIDE))
            try:
                pixels = reader.read_window(name, index=index, level=level, window=window)
            except ChronotileError:
                continue
            numbers = pixels.numbers.astype("float64")
            if pixels.valid is not None:
                numbers[~pixels.valid] = VOID
            yield f"{index}/{level}", numbers
    reader.close()


def differences(served: Read, truth: Read) -> list[str]:
    """Return the common keys with different numbers; cells without a value are not compared."""
    # Times are served in ascending order, independent of the order in the array.
    keys = served.keys() & truth.keys()
    return sorted(key for key in keys if not any(_is_equal(served[key], other) for other in truth.values()))


def _is_equal(one: np.ndarray, other: np.ndarray) -> bool:
    rows, columns = (min(pair) for pair in zip(one.shape, other.shape, strict=True))
    one, other = one[:rows, :columns], other[:rows, :columns].astype("float64")
    return bool(((one == other) | (one == VOID) | (np.isnan(one) & np.isnan(other))).all())


def _digest(read: Read) -> str:
    parts = sorted((key, numbers.shape, numbers.tobytes()) for key, numbers in read.items())
    return blake2b(repr([(key, shape) for key, shape, _ in parts]).encode() + b"".join(p[2] for p in parts)).hexdigest()


def report(kind: DamageKind, member: Path) -> dict[str, Any]:
    """Return the results of reading a member, as JSON."""
    try:
        served = read_as_served(kind, member)
    except ChronotileError as error:
        return {"member": member.name, "refused": error.message}
    if not served:
        return {"member": member.name, "refused": "no date can be read"}
    told: dict[str, Any] = {"member": member.name, "digest": _digest(served)}
    if kind.truth is not None:
        truth: Read = {}
        with suppress(Exception):  # libraries raise anything for damaged files
            truth = kind.truth(member / kind.name)
        told["differs"] = differences(served, truth)
        told["alone"] = sorted(key for key in served.keys() - truth.keys() if key.endswith("/0"))
    return told


def main(name: str, folder: Path, *, is_reversed: bool) -> None:
    """Print a line for each member of a folder."""
    members = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "whole")
    for member in members[::-1] if is_reversed else members:
        try:
            line = report(KINDS[name], member)
        except BaseException as error:  # noqa: BLE001 -- anything but our own errors is a fault that is reported
            line = {"member": member.name, "fault": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), is_reversed="reversed" in sys.argv)
    os._exit(0)
