"""Kinds of files and stores, empty or damaged files, and cases that need a configuration."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil

from tests.odd_archives.files import DAYS, DEGREES, NUMBERS, UTM, Maker, beside_good, configured, cube, tifs, write_tif
from tests.odd_scenes import OddScenes
from tests.places import feature, square, write_places
from tests.scenes_archive.documents import write_geoparquet

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
SPHERE = rasterio.crs.CRS.from_wkt(
    'GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]]'
)
PALETTE = {number: (number * 2 % 256, 255 - number, number, 255) for number in range(256)}


def _zarr(version: int, **options: Any) -> Maker:
    def make(folder: Path) -> Path:
        cube().to_zarr(folder / "ndvi.zarr", zarr_format=version, consolidated=version == 2, **options)
        return folder

    return make


def _half_floats(folder: Path) -> Path:
    cube(dtype="float16").to_zarr(folder / "ndvi.zarr", zarr_format=3, consolidated=False)
    return folder


def _zipped(folder: Path) -> Path:
    _zarr(3)(folder)
    shutil.make_archive(str(folder / "ndvi.zarr"), "zip", root_dir=folder, base_dir="ndvi.zarr")
    shutil.rmtree(folder / "ndvi.zarr")
    return folder


def _levels(folder: Path) -> Path:
    for level, step in enumerate((1, 2)):
        thinned = cube().isel(lat=slice(None, None, step), lon=slice(None, None, step))
        thinned.to_zarr(folder / "ndvi.zarr", group=str(level), mode="a", zarr_format=3, consolidated=False)
    return folder


def _netcdf_3(folder: Path) -> Path:
    cube().to_netcdf(folder / "ndvi.nc", engine="scipy", format="NETCDF3_CLASSIC")
    return folder


def _several(folder: Path) -> Path:
    made = cube()
    made["LAI"] = made["NDVI"] * 2
    made["QUALITY"] = (made["NDVI"] % 4).astype("uint8")
    made["QUALITY"].attrs = {"flag_values": np.arange(4, dtype="u1"), "flag_meanings": "clear cloud snow no_data"}
    made.to_netcdf(folder / "made.nc", engine="h5netcdf")
    return folder


def _file_a_date(folder: Path) -> Path:
    for number in range(3):
        part = cube().isel(time=[number])
        part.to_netcdf(folder / f"ndvi_{part['time'].dt.strftime('%Y%m%d').item()}.nc", engine="h5netcdf")
    return folder


def _copied(name: str, driver: str, **options: Any) -> Maker:
    """Return the maker of files that only copies are written as."""

    def make(folder: Path) -> Path:
        for day in DAYS:
            source = write_tif(folder / "made.tif", dtype="uint8", transform=DEGREES, crs="EPSG:4326")
            rasterio.shutil.copy(source, folder / name.format(day), driver=driver, **options)
            source.unlink()
        return folder

    return make


def _grib(folder: Path) -> Path:
    for day in ("2020-01-01", "2020-01-11"):
        source = write_tif(folder / "made.tif", dtype="float64", crs=SPHERE, transform=DEGREES)
        place = folder / f"t2m_{day.replace('-', '')}.grib2"
        template = {"PDS_PDTN": "0", "PDS_TEMPLATE_ASSEMBLED_VALUES": "0 0 2 0 0 0 0 1 0 1 0 0 255 0 0"}
        ids = f"CENTER=98 SUBCENTER=0 REF_TIME={day}T00:00:00Z"
        rasterio.shutil.copy(source, place, driver="GRIB", DATA_ENCODING="IEEE_FLOATING_POINT", IDS=ids, **template)
        source.unlink()
    return folder


def _vrt(folder: Path) -> Path:
    for day in DAYS:
        source = write_tif(folder / "parts" / f"part_{day}.dat")
        rasterio.shutil.copy(source, folder / f"ndvi_{day}.vrt", driver="VRT")
    return folder


def _masked(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_tif(folder / "ndvi_20200101.tif", dtype="uint8")
        with rasterio.open(path, "r+") as file:
            file.write_mask(NUMBERS % 3 > 0)
    return folder


def _coloured(folder: Path) -> Path:
    path = write_tif(folder / "classes_20200101.tif", dtype="uint8", photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, PALETTE)
    return folder


def _picture(folder: Path) -> Path:
    bands = np.stack([NUMBERS, NUMBERS, NUMBERS, np.where(NUMBERS % 3, 255, 0)])
    write_tif(folder / "picture_20200101.tif", bands, dtype="uint8", photometric="RGB", alpha="YES")
    return folder


def _empty(folder: Path) -> Path:
    for name in ("empty_20200101.tif", "empty.nc", "empty.grib2", "empty.jp2"):
        (folder / name).touch()
    (folder / "empty.zarr").mkdir()
    (folder / "text.tif").write_text("no raster\n")
    return folder


def _truncated(folder: Path) -> Path:
    tifs(numbers=np.random.default_rng(1).random((200, 300)))(folder)
    path = folder / f"ndvi_{DAYS[-1]}.tif"
    path.write_bytes(path.read_bytes()[:100_000])
    return folder


def _scenes(folder: Path) -> tuple[OddScenes, list[dict[str, Any]]]:
    """Two scenes of two days, and their items."""
    scenes = OddScenes(folder)
    items = [
        scenes.document(f"scene {day}", {"B": scenes.write(f"b_{day}", left=500_000 + 600 * day)}, day=day)
        for day in (1, 2)
    ]
    for each in items:
        each |= {"collection": "s", "stac_extensions": [PROJECTION]}
        each["properties"] |= dict.fromkeys(("created", "updated"), "2024-02-01T00:00:00Z")
    return scenes, items


def _static(folder: Path) -> Path:
    scenes, items = _scenes(folder)
    link = {"rel": "item", "type": "application/geo+json"}
    for number, each in enumerate(items):
        (folder / f"{number}.json").write_text(json.dumps(each))
    catalogue = {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "description": "c"}
    links = [{**link, "href": f"./{number}.json"} for number in range(len(items))]
    (folder / "catalog.json").write_text(json.dumps({**catalogue, "links": links}))
    return scenes.place


def _geoparquet(folder: Path) -> Path:
    scenes, items = _scenes(folder)
    write_geoparquet(folder / "items.parquet", items)
    scenes.place.write_text(scenes.place.read_text().replace("catalog.json", "items.parquet"))
    return scenes.place


def _bands(folder: Path) -> Path:
    for day in DAYS:
        for name, shift in (("RED", 1), ("NIR", 40), ("GREEN", 9), ("SCL", 0)):
            numbers = NUMBERS % 8 if name == "SCL" else NUMBERS + shift
            write_tif(folder / f"s_{day}_{name}.tif", numbers, dtype="uint8", nodata=255)
    return folder


def _tiles(folder: Path) -> Path:
    for day in DAYS:
        write_tif(folder / f"a_{day}.tif")
        write_tif(folder / f"b_{day}.tif", transform=UTM @ rasterio.Affine.translation(NUMBERS.shape[1] / 2, 0))
    return folder


def _with_places(folder: Path) -> Path:
    tifs(crs="EPSG:4326", transform=rasterio.Affine(0.05, 0, 4.4, 0, -0.05, 51.2))(folder)
    write_places(folder / "squares.geojson", *(feature(n, square(n), name=f'<{n}> "%" & é') for n in range(3)))
    return folder


SOURCE = "source: {kind: cog, href: 'HREF', time_pattern: '_(?P<time>\\d{8})'}"
OF_BANDS = f"collections:\n  s:\n    {SOURCE.replace('HREF', 's_*_{variable}.tif')}\n    variables: "
DERIVED = f"""{OF_BANDS}
      RED: {{mask: {{variable: SCL, keep: [4, 5, 6]}}}}
      NIR: {{}}
      GREEN: {{}}
      SCL: {{}}
      NDVI: {{formula: "(NIR - RED) / (NIR + RED)", range: [-1, 1]}}
    composites: {{FALSE: {{variables: [NIR, RED, GREEN], range: [0, 200]}}}}
"""
TILES = """collections:
  t:
    source: {kind: cog, href: '?_*.tif', tiles: true, time_pattern: '_(?P<time>\\d{8})'}
    variables: {V: {}}
"""
PLACES = f"""places: {{squares: {{href: squares.geojson, id: code, label: name}}}}
collections: {{n: {{{SOURCE.replace("HREF", "ndvi_*.tif")}, variables: {{NDVI: {{}}}}}}}}
"""

MAKERS: Mapping[str, Maker] = {
    "Zarr 2": _zarr(2),
    "Zarr 3": _zarr(3),
    "Zarr 3 in shards": _zarr(3, encoding={"NDVI": {"chunks": (1, 4, 4), "shards": (3, 12, 12)}}),
    "Zarr in a ZIP": _zipped,
    "Zarr of levels": _levels,
    "Zarr of float16": _half_floats,
    "NetCDF 3": _netcdf_3,
    "NetCDF of several variables": _several,
    "NetCDF of one date a file": _file_a_date,
    "JPEG 2000": _copied("ndvi_{}.jp2", "JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"),
    "COG": _copied("ndvi_{}.tif", "COG"),
    "GRIB": _grib,
    "VRT": _vrt,
    "internal mask": _masked,
    "palette": _coloured,
    "picture with alpha": _picture,
    "empty files": beside_good(_empty),
    "a truncated file": _truncated,
    "static STAC": _static,
    "GeoParquet": _geoparquet,
    "formula, mask and composite": configured(_bands, DERIVED),
    "tiles": configured(_tiles, TILES),
    "places": configured(_with_places, PLACES),
}
