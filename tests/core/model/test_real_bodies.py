"""Geometries that VITO's own clients and tests send are read."""

import json

import pytest

from chronotile.core.model.geometry.geojson import GeometryRules, area_of, areas_of
from chronotile.core.model.space.crs import crs_of

pytestmark = pytest.mark.data

RULES = GeometryRules(max_vertices=100_000, max_features=1000, crs_named=lambda name: crs_of(name.upper()))
COLLECTIONS = [
    ("vito_openeo/50testfields.json", "features", "OGC:CRS84"),
    ("vito_openeo/samples.geojson", "features", "OGC:CRS84"),
    ("vito_openeo/test_MVP_2fields.geojson", "features", "OGC:CRS84"),
    ("vito_openeo/S2_B04_polygons.geojson", "features", "OGC:CRS84"),
    ("vito_openeo/GeometryCollection.json", "geometries", "OGC:CRS84"),
    ("vito_openeo/FeatureCollectionWithCRS.json", "features", "EPSG:32631"),
]


@pytest.mark.parametrize(("name", "members", "crs"), COLLECTIONS, ids=[name for name, _, _ in COLLECTIONS])
def test_collections_have_an_area_a_member(shared_data, name, members, crs):
    body = (shared_data / name).read_bytes()

    areas = areas_of(body, RULES)

    assert len(areas) == len(json.loads(body)[members])
    assert {(area.crs.name, area.note) for area in areas} == {(crs, None)}


def test_a_field_is_one_area(shared_data):
    area = area_of((shared_data / "vito_fusets" / "field.geojson").read_bytes(), RULES)

    assert (area.vertices, area.note) == (65, None)


def test_country_that_crosses_itself_is_repaired_and_named(shared_data):
    body = (shared_data / "naturalearth" / "ne_110m_admin_0_countries.json").read_bytes()

    areas = areas_of(body, RULES)

    (note,) = [area.note for area in areas if area.note is not None]
    assert note == "polygon 1 of feature 140 was repaired: self-intersection at 33.96339279 9.464285229"
