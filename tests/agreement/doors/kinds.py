"""One made scene in every kind of source, each a collection of one configuration, all with the same values.

A kind is a way in which a collection gets its pixels. `SOURCE_KINDS` maps it to the kind of source in the code.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
import xarray
from affine import Affine

from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.grouped import PRODUCT, scene_in_groups, write_groups
from tests.scenes import NODATA, Scene, make_dataset, save_netcdf, write_cogs, write_netcdf, write_tif, write_zarr
from tests.scenes_archive.documents import COG, write_geoparquet

SCENE = Scene()
DATED = r"_(?P<time>\d{8})"
PARTS = {"w": (0, 24), "e": (16, 40)}
"""Columns of the scenes of one date, which overlap."""
ORBIT_STARTS = {"w": np.timedelta64(9, "h"), "e": np.timedelta64(11, "h")}
"""Time of day of the orbit of each part."""
FILES = "files"
"""Folder of the files of scenes."""
PLACES = "fields"
"""A set with one place, of these cells:"""
ROWS, COLUMNS = (4, 12), (14, 30)
KEPT, HIDDEN = 4, 9
"""Classes of the mask; 9 has the bit of a cloud shadow in HLS."""
CONDITIONS = {
    "mask": f"keep: [{KEPT}]",
    "scenes-mask": "without: [cloud_shadow], bits: hls_fmask",
    "clear~clear": f"at_most: {KEPT}",
}
"""One condition of each form, by kind."""

SOURCE_KINDS = {
    "folder": "cog",
    "stack": "cog",
    "netcdf": "netcdf",
    "zarr": "zarr",
    "group": "netcdf",
    "swath": "netcdf",
    "cube": "zarr",
    "tiles": "cog, tiles",
    "granules": "netcdf, tiles",
    "orbits": "netcdf, tiles",
    "static": "stac",
    "geoparquet": "stac",
    "bucket": "stac",
    "api": "stac",
    "live": "stac, live",
    "formula": "cog",
    "mask": "cog",
    "clear~clear": "cog",
    "scenes-formula": "stac",
    "scenes-mask": "stac",
}
KINDS = tuple(SOURCE_KINDS)
OF_ITEMS = (
    "tiles",
    "granules",
    "orbits",
    "static",
    "geoparquet",
    "bucket",
    "api",
    "live",
    "scenes-formula",
    "scenes-mask",
)
MASKED = ("mask", "scenes-mask", "clear~clear")
"""The last is the cloud-free variant of a layer, which each layer of a collection with cloud classes has."""


@dataclass(frozen=True)
class Places:
    """Addresses of the sources."""

    files: Callable[[str], str]
    """Makes the address of a file below the folder, over HTTP."""
    api: str
    """The collection of a STAC API."""
    bucket: str
    """Beginning of addresses of objects, such as `s3://name`."""


def collection_of(kind: str) -> str:
    """Id of the collection of a kind."""
    return f"c-{kind.partition('~')[0]}"


def is_hidden() -> np.ndarray:
    """Return (y, x): whether the mask hides a cell."""
    rows, columns = np.mgrid[: SCENE.height, : SCENE.width]
    return (rows + 2 * columns) % 5 == 0


def values_of(kind: str) -> np.ndarray:
    """Return the values (time, y, x) that a kind must show; NaN without a value."""
    numbers = SCENE.cube()
    values = np.where(numbers == NODATA, np.nan, numbers * SCENE.scale + SCENE.offset)
    return np.where(is_hidden(), np.nan, values) if kind in MASKED else values


def place_of(row: Any, column: Any) -> tuple[Any, Any]:
    """Longitude and latitude of the centre of a cell, or of many."""
    x, y = SCENE.transform @ (column + 0.5, row + 0.5)
    return pyproj.Transformer.from_crs(SCENE.crs, "OGC:CRS84", always_xy=True).transform(x, y)


def area_of(rows: tuple[int, int], columns: tuple[int, int]) -> dict[str, object]:
    """Return a GeoJSON polygon that holds the centres of these cells, and of no others."""
    (west, north), (east, south) = (SCENE.transform @ (columns[end], rows[end]) for end in (0, 1))
    outline = shapely.segmentize(shapely.box(west, south, east, north), 20)
    to_degrees = pyproj.Transformer.from_crs(SCENE.crs, "OGC:CRS84", always_xy=True)
    return json.loads(shapely.to_geojson(shapely.transform(outline, to_degrees.transform, interleaved=False)))


def write_files(folder: Path) -> None:
    """Write everything that needs no server: a place, files of all kinds, and the scenes of catalogues."""
    place = {"type": "Feature", "id": "field", "properties": {}, "geometry": area_of(ROWS, COLUMNS)}
    (folder / f"{PLACES}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [place]}))
    write_cogs(folder, SCENE)
    write_tif(folder / "stack.tif", SCENE.cube(), SCENE, overviews=(2,))
    write_netcdf(folder, SCENE)
    write_zarr(folder, SCENE)
    write_groups(scene_in_groups(SCENE, "sister"), folder / "groups.nc", "netcdf-4")
    make_swath(slice(None), slice(None)).pipe(save_netcdf, folder / "swath.nc")
    optimise(
        sorted(map(str, folder.glob("NDVI_*.tif"))), folder / "cube.zarr", Options(layout="both", block=16, threads=1)
    )
    classes = np.where(is_hidden(), HIDDEN, KEPT).astype("uint8")
    plain = replace(SCENE, scale=1.0, offset=0.0)
    (folder / FILES).mkdir()
    for t, day in enumerate(SCENE.days):
        stamp = day.replace("-", "")
        write_tif(folder / f"QA_{stamp}.tif", classes, plain)
        for part, (first, last) in PARTS.items():
            x, y = SCENE.transform @ (first, 0)
            own = replace(SCENE, transform=Affine(10, 0, x, 0, -10, y), width=last - first)
            numbers = SCENE.numbers(t)[:, first:last]
            write_tif(folder / FILES / f"NDVI_{stamp}_{part}.tif", numbers, own, overviews=(2,))
            pixels = {"x": slice(first, last), "time": [t]}
            save_netcdf(make_dataset(SCENE).isel(pixels), folder / FILES / f"G_{stamp}_{part}.nc")
            orbit = make_swath([t], slice(first, last))
            orbit["time"] = orbit["time"] + ORBIT_STARTS[part]
            save_netcdf(orbit, folder / FILES / f"O_{stamp}_{part}.nc")
            write_tif(
                folder / FILES / f"QA_{stamp}_{part}.tif", classes[:, first:last], replace(own, scale=1, offset=0)
            )


def make_swath(times: slice | list[int], columns: slice) -> xarray.Dataset:
    """Return a part of the scene upside down, with a longitude and latitude per cell but no x and y of cells."""
    x, y = (np.array(axis) for axis in SCENE.coordinates())
    longitudes, latitudes = pyproj.Transformer.from_crs(SCENE.crs, "OGC:CRS84", always_xy=True).transform(
        *np.meshgrid(x[columns], y)
    )
    made = make_dataset(SCENE)
    attributes = {name: made["NDVI"].attrs[name] for name in ("scale_factor", "add_offset", "_FillValue")}
    dims = ("scan", "pixel")
    numbers = SCENE.cube()[times, ::-1, columns]
    return xarray.Dataset(
        {"NDVI": (("time", *dims), numbers, attributes | {"coordinates": "lat lon"})},
        {
            "time": made["time"][times],
            "lat": (dims, latitudes[::-1], {"units": "degrees_north"}),
            "lon": (dims, longitudes[::-1], {"units": "degrees_east"}),
        },
    )


def items(href: Callable[[str], str]) -> Iterable[dict[str, object]]:
    """The items of the scenes; `href` makes the address of a file from its path below the folder."""
    for day in SCENE.days:
        for part, (first, last) in PARTS.items():
            name = f"{day.replace('-', '')}_{part}"
            geometry = area_of((0, SCENE.height), (first, last))
            yield {
                "type": "Feature",
                "stac_version": "1.1.0",
                "stac_extensions": [],
                "id": f"S_{name}",
                "collection": "scenes",
                "geometry": geometry,
                "bbox": list(shapely.from_geojson(json.dumps(geometry)).bounds),
                "properties": {
                    "datetime": f"{day}T00:00:00Z",
                    "created": f"{day}T00:00:00Z",
                    "updated": f"{day}T00:00:00Z",
                    "proj:code": SCENE.crs,
                },
                "links": [],
                "assets": {
                    asset: {"href": href(f"{FILES}/{asset}_{name}.tif"), "type": COG, "roles": ["data"]}
                    for asset in ("NDVI", "QA")
                },
            }


def write_catalogues(folder: Path, places: Places) -> None:
    """Write the static catalogue, and the tables of items on disk and for the bucket."""
    links = []
    for item in items(lambda path: str(folder / path)):
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
        links.append({"rel": "item", "href": f"./{item['id']}.json", "type": "application/geo+json"})
    extent = {"spatial": {"bbox": [[2.9, 50.9, 3.1, 51.1]]}, "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]}}
    collection = {"type": "Collection", "stac_version": "1.1.0", "id": "scenes", "description": "Made scenes."}
    collection |= {"license": "CC0-1.0", "extent": extent, "links": links}
    (folder / "catalogue.json").write_text(json.dumps(collection))
    write_geoparquet(folder / "items.parquet", items(lambda path: str(folder / path)))
    (folder / "bucket").mkdir()
    write_geoparquet(folder / "bucket" / "items.parquet", items(lambda path: f"{places.bucket}/{path}"))
    shutil.copytree(folder / FILES, folder / "bucket" / FILES, copy_function=os.link)


def configuration(folder: Path, places: Places) -> str:
    """Return the configuration: for each kind a collection with a layer named after the kind."""
    days = ", ".join(SCENE.days)
    static = f"kind: stac, href: '{folder}/catalogue.json'"
    sources = {
        "folder": f"kind: cog, href: '{folder}/NDVI_*.tif', time_pattern: '{DATED}'",
        "stack": f"kind: cog, href: '{folder}/stack.tif', times: [{days}]",
        "netcdf": f"kind: netcdf, href: '{folder}/made.nc'",
        "zarr": f"kind: zarr, href: '{folder}/made.zarr'",
        "group": f"kind: netcdf, href: '{folder}/groups.nc', group: {PRODUCT}",
        "swath": f"kind: netcdf, href: '{folder}/swath.nc'",
        "cube": f"kind: zarr, href: '{folder}/cube.zarr'",
        "tiles": f"kind: cog, href: '{folder}/{FILES}/{{variable}}_*.tif', time_pattern: '{DATED}', tiles: true",
        "granules": f"kind: netcdf, href: '{folder}/{FILES}/G_*.nc', tiles: true",
        "orbits": f"kind: netcdf, href: '{folder}/{FILES}/O_*.nc', tiles: true",
        "static": static,
        "geoparquet": f"kind: stac, href: '{folder}/items.parquet'",
        "bucket": f"kind: stac, href: '{places.bucket}/items.parquet'",
        "api": f"kind: stac, href: '{places.api}'",
        "live": f"kind: stac, href: '{places.api}', mode: live",
        "formula": f"kind: cog, href: '{folder}/{{variable}}_*.tif', time_pattern: '{DATED}'",
        "mask": f"kind: cog, href: '{folder}/{{variable}}_*.tif', time_pattern: '{DATED}'",
        "clear~clear": f"kind: cog, href: '{folder}/{{variable}}_*.tif', time_pattern: '{DATED}'",
        "scenes-formula": static,
        "scenes-mask": static,
    }
    places = f"places:\n  {PLACES}: {{href: '{folder}/{PLACES}.geojson'}}\n"
    return f"service: {{id: doors, title: Doors}}\n{places}collections:\n" + "".join(
        f"  {collection_of(kind)}:\n    license: CC0-1.0\n    attribution: Made\n"
        f"    source: {{{source}}}\n{_more(kind)}"
        for kind, source in sources.items()
    )


def _more(kind: str) -> str:
    style = f"layer: {kind}, styles: [numbers]"
    asset = {"tiles": "", "granules": "", "orbits": "", "folder": ""}.get(
        kind, "asset: NDVI, " if kind in OF_ITEMS else ""
    )
    if kind in {"swath", "orbits"}:
        time = "    time: {group: day}\n" if kind == "orbits" else ""
        return f"    variables: {{NDVI: {{{style}}}}}\n    grid: {{crs: '{SCENE.crs}', resolution: 10}}\n{time}"
    if kind.endswith("formula"):
        first = "asset: NDVI, " if kind in OF_ITEMS else ""
        formula = f'made: {{{style}, formula: "NDVI * 1 + 0", range: [-0.08, 0.92]}}'
        return f"    variables: {{NDVI: {{{first}layer: of-{kind}, styles: [numbers]}}, {formula}}}\n"
    if kind == "clear~clear":
        variables = "NDVI: {layer: clear, styles: [numbers]}, QA: {layer: qa-clear}"
        return f"    variables: {{{variables}}}\n    clear: {{variable: QA, {CONDITIONS[kind]}}}\n"
    if kind in MASKED:
        first, second = ("asset: NDVI, ", "asset: QA, ") if kind in OF_ITEMS else ("", "")
        mask = f"mask: {{variable: QA, {CONDITIONS[kind]}}}"
        return f"    variables: {{NDVI: {{{first}{style}, {mask}}}, QA: {{{second}layer: qa-{kind}}}}}\n"
    return f"    variables: {{NDVI: {{{asset}{style}}}}}\n"
