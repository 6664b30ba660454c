"""Fixtures of features tests: fields of a file in EPSG:3035, islands on both sides of the antimeridian."""

from dataclasses import replace

import numpy as np
import pyproj
import pytest
import shapely

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from tests.places import make_places, square
from tests.protocols import served

COUNT = 25
CROPS = ("maize", "wheat", None)
LAEA = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True).transform


def make_fields(count=COUNT):
    """Return squares in a row, stored in metres; the fifth and later squares are outside the layers."""
    plain = make_places(count)
    degrees = np.array([square(number, west=4.5) for number in range(count)])
    return replace(
        plain,
        spec=replace(plain.spec, id="fields", title={"": "Fields"}, attribution="© farmers"),
        crs=crs_of("EPSG:3035"),
        shapes=shapely.transform(degrees, lambda each: np.column_stack(LAEA(*each.T))),
        labels=tuple(f"Field {number}" for number in range(count)),
        fields={
            "crop": tuple(CROPS[number % 3] for number in range(count)),
            "area_ha": tuple(number * 1.5 for number in range(count)),
            "parcels": tuple(range(count)),
            "organic": tuple(number % 2 == 0 for number in range(count)),
            "limit": ("a name that a parameter has",) * count,
        },
    )


def make_islands():
    """Return an island on each side of the antimeridian, and one across it."""
    boxes = [shapely.box(179.2, -17, 179.4, -16), shapely.box(-179.6, -17, -179.4, -16)]
    boxes.append(shapely.MultiPolygon([shapely.box(179.9, -15, 180, -14), shapely.box(-180, -15, -179.9, -14)]))
    plain = make_places(len(boxes))
    return replace(
        plain,
        spec=replace(plain.spec, id="islands", title={"": "Islands"}),
        shapes=np.array(boxes),
        bbox=BBox(-180, -17, 180, -14),
    )


def make_all(count=COUNT, **members):
    """Return the layers of all kinds with both sets, and a set with the name of a layer."""
    hidden = replace(make_places(1), spec=replace(make_places(1).spec, id="NDVI"))
    places = [make_fields(count), make_islands(), hidden]
    return served.make_services(*served.tree_collections(), places=places, **members)


@pytest.fixture
def features(make_client):
    """A client of `make_all`."""
    return make_client(make_all())
