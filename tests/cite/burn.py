"""Burn the vectors of OGC's WMS 1.3.0 test data into rasters, and write the configuration that serves them.

`.venv/bin/python -m tests.cite.burn ../shared/ogc/cite-wms13-data FOLDER`, then
`chronotile serve FOLDER/chronotile.yaml`.
The test suite finds layers by their titles, `cite:Lakes`; ids need no colon.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapefile
import yaml
from affine import Affine
from rasterio.features import rasterize

BLUE_LAKE = (-0.0042, -0.0024, 0.0042, 0.0024)
CELL = 1e-5
POINT_HALF = 1e-4
"""Half the side of a square that stands for a point: the suite requires cars of ten pixels in a map of 420 by 240."""
POLYGONS = (-2.0, -1.0, 2.0, 6.0)
POLYGON_CELL = 0.005
THEMES = {
    "Bridges": "#7f7f7f",
    "Buildings": "#c08040",
    "DividedRoutes": "#303030",
    "Forests": "#208030",
    "Lakes": "#2060d0",
    "MapNeatline": "#a00000",
    "NamedPlaces": "#d0b0e0",
    "Ponds": "#60a0e0",
    "RoadSegments": "#d04040",
    "Streams": "#4080ff",
}
"""Colours of the themes; white is not used."""
CLASSES = {**THEMES, "BasicPolygons": "#e0a020", "Autos": "#ff00c0"}
TIME = "TIME"


def burn(source: Path, target: Path) -> Path:
    """Write a raster per theme, and per time for cars, into `target`; return the configuration that serves them."""
    shapes = source / "shapefile"
    target.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        _write(target / f"{theme}.tif", _geometries(shapes / f"{theme}.shp"), BLUE_LAKE, CELL)
    _write(target / "BasicPolygons.tif", _geometries(shapes / "BasicPolygons.shp"), POLYGONS, POLYGON_CELL)
    for time, squares in _autos(shapes / "Autos.shp").items():
        name = time.replace("-", "").replace(":", "").rstrip("Z")
        _write(target / f"Autos_{name}.tif", squares, BLUE_LAKE, CELL)
    shutil.copyfile(source / "raster" / "terrain.tif", target / "Terrain.tif")
    styles = target / "styles"
    styles.mkdir(exist_ok=True)
    for theme, colour in CLASSES.items():
        style = {"title": theme, "classes": [{"value": 1, "colour": colour, "label": theme}]}
        (styles / f"{theme}.yaml").write_text(yaml.safe_dump(style))
    (styles / "Terrain.yaml").write_text(yaml.safe_dump({"title": "Height", "range": [0, 425], "ramp": "viridis"}))
    configuration = target / "chronotile.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(), sort_keys=False))
    return configuration


def _geometries(file: Path) -> Iterator[dict[str, Any]]:
    with shapefile.Reader(str(file)) as reader:
        for shape in reader.iterShapes():
            yield _square(*shape.points[0]) if shape.shapeType == shapefile.POINT else shape.__geo_interface__


def _autos(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Return squares by their time as text."""
    found: dict[str, list[dict[str, Any]]] = {}
    with shapefile.Reader(str(file)) as reader:
        for each in reader.iterShapeRecords():
            found.setdefault(each.record[TIME], []).append(_square(*each.shape.points[0]))
    return found


def _square(x: float, y: float) -> dict[str, Any]:
    west, south, east, north = x - POINT_HALF, y - POINT_HALF, x + POINT_HALF, y + POINT_HALF
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [ring]}


def _write(file: Path, geometries: Iterator[dict[str, Any]] | list[dict[str, Any]], box: Any, cell: float) -> None:
    """Write 1 in cells that a geometry touches; 0, nodata, in others."""
    west, south, east, north = box
    width, height = round((east - west) / cell), round((north - south) / cell)
    transform = Affine(cell, 0, west, 0, -cell, north)
    burnt = rasterize(
        ((geometry, 1) for geometry in geometries),
        out_shape=(height, width),
        transform=transform,
        all_touched=True,
        dtype="uint8",
    )
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 0, "crs": "EPSG:4326", "compress": "deflate"}
    profile |= {"width": width, "height": height, "transform": transform, "tiled": True, "blockxsize": 256}
    with rasterio.open(file, "w", blockysize=256, **profile) as dataset:
        dataset.write(burnt.astype(np.uint8), 1)


def _configuration() -> dict[str, Any]:
    def layer(theme: str) -> dict[str, Any]:
        return {"layer": theme, "title": f"cite:{theme}", "abstract": f"Theme {theme}", "styles": [theme]}

    def collection(title: str, href: str, themes: Sequence[str], **members: Any) -> dict[str, Any]:
        source = {"kind": "cog", "href": href, **members.pop("source", {})}
        variables = {theme: layer(theme) for theme in themes}
        return {
            "title": title,
            "abstract": f"Themes of {title}",
            "keywords": ["CITE"],
            "source": source,
            **members,
            "variables": variables,
        }

    return {
        "service": {
            "title": "OGC's test data for WMS 1.3.0",
            "abstract": "Vectors burnt to rasters",
            "keywords": ["CITE", "infoMapAccessService"],
            "contact": {
                "name": "Conformance",
                "email": "conformance@example.org",
                "telephone": "+32 2 555 01 00",
                "address": {"street": "Wetstraat 1", "city": "Brussels", "postcode": "1000", "country": "Belgium"},
            },
            "crs": ["CRS:84", "EPSG:4326", "EPSG:3857"],
        },
        "collections": {
            # Before the groups: the suite expects styles in the first named layer.
            "polygons": collection("Basic polygons", "{variable}.tif", ["BasicPolygons"]),
            "blue-lake": collection("Blue Lake", "{variable}.tif", list(THEMES)),
            "terrain": collection("Terrain", "{variable}.tif", ["Terrain"], source={"crs": "EPSG:4326"}),
            "traffic": collection(
                "Traffic",
                "{variable}_*.tif",
                ["Autos"],
                source={"time_pattern": r"_(?P<time>\d{8}T\d{6})"},
                time={"match": "nearest", "tolerance_days": 36525},
            ),
        },
    }


def main() -> None:
    """Parse the command line, and print the path of the configuration."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cite.burn", description="Burn the test data of OGC's WMS 1.3.0 suite into rasters."
    )
    parser.add_argument("source", metavar="DATA", type=Path, help="its folder, with shapefile/ and raster/")
    parser.add_argument("target", metavar="FOLDER", type=Path, help="where rasters and chronotile.yaml are written")
    given = parser.parse_args()
    sys.stdout.write(f"{burn(given.source, given.target)}\n")


if __name__ == "__main__":
    main()
