"""Sets of places of the demo: regions around towns, and fields."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from rasterio.features import shapes as outlines

from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import ObjectArray
from chronotile.demo.scene import DemoScene

REGIONS: Final = "regions.geojson"
FIELDS: Final = "fields.geojson"
CENTRES: Final = (
    ("aalst", "Aalst", 4.040, 50.938),
    ("antwerp", "Antwerp", 4.410, 51.205),
    ("brussels", "Brussels", 4.352, 50.847),
    ("dendermonde", "Dendermonde", 4.100, 51.030),
    ("leuven", "Leuven", 4.700, 50.879),
    ("lier", "Lier", 4.570, 51.131),
    ("mechelen", "Mechelen", 4.480, 51.026),
    ("sint-niklaas", "Sint-Niklaas", 4.140, 51.165),
    ("vilvoorde", "Vilvoorde", 4.430, 50.928),
    ("wavre", "Wavre", 4.610, 50.717),
)
"""Id, name, longitude and latitude of towns: an invented region contains all points nearest to its town."""
MAX_FIELDS: Final = 1000
SMALLEST_FIELD_PX: Final = 4
SMOOTHED_M: Final = 120.0
"""Tolerance in metres of smoothing the pixel edges along borders; shared borders stay identical."""
DECIMALS: Final = 6
"""Decimals of degrees: a decimetre."""


def write_places(folder: Path, scene: DemoScene) -> None:
    """Write regions and fields as GeoJSON."""
    _write(folder / REGIONS, *_regions(scene.grid), grid=scene.grid)
    _write(folder / FIELDS, *_fields(scene), grid=scene.grid)


def _regions(grid: Grid) -> tuple[ObjectArray, list[Mapping[str, Any]]]:
    """Return the part of the grid that is nearest to each town; towns without a part are skipped."""
    ids, names, longitudes, latitudes = zip(*CENTRES, strict=True)
    towns = shapely.points(*transformer(CRS84, grid.crs).transform(longitudes, latitudes))
    box = shapely.box(*grid.bbox)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(towns), extend_to=box))
    order = [int(np.flatnonzero(shapely.contains(cells, town))[0]) for town in towns]
    regions = shapely.intersection(cells[order], box)
    inside = np.flatnonzero(~shapely.is_empty(regions))
    return regions[inside], [{"id": ids[number], "name": names[number]} for number in inside.tolist()]


def _fields(scene: DemoScene) -> tuple[ObjectArray, list[Mapping[str, Any]]]:
    """Return the largest arable fields, from north to south."""
    parcel = scene.parts[0].astype(np.int32)
    is_arable = scene.arrays["is_arable"][parcel]
    polygons = list(outlines(parcel, mask=is_arable, transform=scene.grid.transform))
    shapes = shapely.coverage_simplify(
        np.array([shapely.geometry.shape(polygon) for polygon, _ in polygons]), SMOOTHED_M
    )
    owners = np.array([int(number) for _, number in polygons])
    pixel_m2 = scene.grid.resolution[0] ** 2
    usable = np.flatnonzero(shapely.is_valid(shapes) & (shapely.area(shapes) >= SMALLEST_FIELD_PX * pixel_m2))
    largest = usable[np.argsort(-shapely.area(shapes[usable]), kind="stable")[:MAX_FIELDS]]
    bounds = shapely.bounds(shapes[largest])
    ordered = largest[np.lexsort((bounds[:, 0], -bounds[:, 3]))]
    sand = scene.arrays["sand"][owners[ordered]] / 255
    hectares = shapely.area(shapes[ordered]) / 10_000
    properties: list[Mapping[str, Any]] = [
        {"id": f"F{number:04}", "soil": "sand" if part > 0.5 else "loam", "area_ha": round(float(size), 1)}
        for number, (part, size) in enumerate(zip(sand, hectares, strict=True), start=1)
    ]
    return shapes[ordered], properties


def _write(path: Path, shapes: ObjectArray, properties: Sequence[Mapping[str, Any]], *, grid: Grid) -> None:
    """Write a FeatureCollection in longitude and latitude (RFC 7946)."""
    turn = transformer(grid.crs, CRS84).transform
    degrees = shapely.transform(shapes, lambda metres: np.column_stack(turn(*metres.T)).round(DECIMALS))
    features = [
        {"type": "Feature", "properties": members, "geometry": json.loads(geometry)}
        for members, geometry in zip(properties, shapely.to_geojson(shapely.orient_polygons(degrees)), strict=True)
    ]
    lines = ",\n".join(json.dumps(feature) for feature in features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n', "utf-8")
