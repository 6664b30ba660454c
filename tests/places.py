"""Places written to files: squares in a row, whose fields follow from their number."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from chronotile.core.model.places import PlaceSet, PlacesSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84

SIDE = 0.1
"""Degrees of a square."""


def square(number: int, *, west: float = 4.5, south: float = 50.8) -> shapely.Polygon:
    """Return the square with this number: each square starts at the end of the previous one."""
    return shapely.box(west + number * SIDE, south, west + (number + 1) * SIDE, south + SIDE)


def feature(number: int, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    """Return the feature with this number; `geometry` and `properties` replace the default ones."""
    shape = square(number) if geometry is None else geometry
    own = {
        "code": f"S{number}",
        "name": f"Square {number}",
        "crop": ["maize", "wheat"][number % 2],
        "area_ha": number * 1.5,
    }
    return {"type": "Feature", "properties": own | properties, "geometry": shapely.geometry.mapping(shape)}


def write_places(path: Path, *features: dict[str, Any], **members: Any) -> Path:
    """Write a FeatureCollection, by default of three squares, and return its path."""
    listed = list(features) or [feature(number) for number in range(3)]
    path.write_text(json.dumps({"type": "FeatureCollection", **members, "features": listed}), encoding="utf-8")
    return path


def make_places(count: int = 3) -> PlaceSet:
    """Return a set of squares that no file holds."""
    shapes = np.array([square(number) for number in range(count)])
    names = tuple(f"S{number}" for number in range(count))
    return PlaceSet(
        spec=PlacesSpec(id="squares", title={"": "Squares"}, path="", max_features=count, max_vertices=5 * count),
        crs=CRS84,
        shapes=shapes,
        ids=names,
        labels=names,
        fields={},
        notes={},
        bbox=BBox(*shapely.total_bounds(shapes).tolist()),
        digest="",
    )
