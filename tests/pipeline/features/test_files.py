"""Whole files of places, read by geopandas and, for GeoPackage, by SQLite."""

import dataclasses
import sqlite3

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely

from chronotile.core import extras
from chronotile.core.errors import LimitExceeded, MissingExtra, StorageFull
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS
from chronotile.pipeline.features.values import place_file
from chronotile.pipeline.place_shapes import choose_places
from tests.full_disk import disk_without_room, full_disk
from tests.places import make_places
from tests.protocols import served

SERVICES = served.make_services()
FIELDS = {
    "crop": ("maize", None, "été", "x"),
    "area": (1.5, None, -2.0, 3),
    "count": (1, None, 2**40, 0),
    "is_wet": (True, None, False, True),
    "fid": ("a", "b", "c", "d"),
    "CROP": ("A", "B", "C", "D"),
}
WEIRD = dataclasses.replace(make_places(4), fields=FIELDS)
NUMBERS = np.array([0, 1, 3])
VALUES = {"NDVI": (0.25, None, 0.75)}


def body_of(name: str, *, places=WEIRD, crs=CRS84, services=SERVICES, numbers=NUMBERS, columns=VALUES) -> bytes:
    """Return the file of some places, by default three with values."""
    body = place_file(choose_places(places, numbers, crs=crs, columns=columns), name, services)
    try:
        return b"".join(body.iter_bytes())
    finally:
        body.close()


@pytest.fixture
def read(tmp_path):
    """Return `read(name, …)`, which reads a file by geopandas, sorted by id: a FlatGeobuf has another order."""

    def read_file(name: str, **members: object) -> geopandas.GeoDataFrame:
        path = tmp_path / f"places.{PLACE_FORMATS[name].extension}"
        path.write_bytes(body_of(name, **members))
        return geopandas.read_file(path).sort_values("id", ignore_index=True)

    return read_file


@pytest.mark.parametrize("name", PLACE_FORMATS)
def test_a_file_has_the_places_with_their_properties_and_values(read, name):
    frame = read(name)

    assert list(frame.columns) == [
        *("id", "label", "crop", "area", "count", "is_wet", "fid_", "CROP_", "NDVI", "geometry"),
    ]
    assert frame["id"].tolist() == ["S0", "S1", "S3"]
    for field in ("crop", "area", "count", "is_wet"):
        assert frame[field].isna().tolist() == [False, True, False]
        assert frame[field].tolist()[::2] == [FIELDS[field][0], FIELDS[field][3]]
    np.testing.assert_equal(frame["NDVI"].to_numpy(dtype=float), [0.25, np.nan, 0.75])
    assert shapely.equals(frame.geometry.to_numpy(), WEIRD.shapes[NUMBERS]).all()
    assert set(frame.geom_type) == {"MultiPolygon"}
    assert frame.crs.to_epsg() == 4326


@pytest.mark.parametrize("name", PLACE_FORMATS)
@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:2180"])
def test_coordinates_of_files_are_x_before_y(read, name, crs):
    frame = read(name, crs=crs_of(crs))

    expected = geopandas.GeoSeries(WEIRD.shapes[NUMBERS], crs="OGC:CRS84").to_crs(crs)
    assert frame.crs.to_epsg() == int(crs.removeprefix("EPSG:"))
    assert shapely.equals_exact(frame.geometry.to_numpy(), multi(expected), tolerance=1e-6).all()


def multi(shapes):
    """Polygons as multipolygons of one."""
    return np.array([shapely.MultiPolygon([each]) for each in shapes])


def test_a_geopackage_is_one(tmp_path, request):
    """OGC 12-128r18: requirements 2 (application id), 5 to 7, 10, 13 and 29."""
    path = tmp_path / "places.gpkg"
    path.write_bytes(body_of("gpkg"))
    database = sqlite3.connect(path)
    request.addfinalizer(database.close)

    def one(sql):
        return database.execute(sql).fetchone()

    assert one("PRAGMA application_id") == (0x47504B47,)
    assert one("PRAGMA integrity_check") == ("ok",)
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert one("SELECT table_name, data_type, srs_id FROM gpkg_contents") == ("squares", "features", 4326)
    assert one("SELECT column_name, geometry_type_name, z, m FROM gpkg_geometry_columns") == (
        "geom",
        "MULTIPOLYGON",
        0,
        0,
    )
    assert {row[0] for row in database.execute("SELECT srs_id FROM gpkg_spatial_ref_sys")} >= {-1, 0, 4326}
    types = {row[1]: row[2] for row in database.execute("PRAGMA table_info(squares)")}
    assert {name: types[name] for name in ("crop", "area", "count", "is_wet", "NDVI")} == {
        "crop": "TEXT",
        "area": "REAL",
        "count": "INTEGER",
        "is_wet": "BOOLEAN",
        "NDVI": "REAL",
    }


@pytest.mark.parametrize("name", PLACE_FORMATS)
def test_the_same_places_have_the_same_bytes(name):
    assert body_of(name) == body_of(name)


@pytest.mark.parametrize("name", PLACE_FORMATS)
def test_columns_of_some_places_have_the_types_of_the_set(tmp_path, name):
    """The one place has no properties and no value."""
    path = tmp_path / f"places.{PLACE_FORMATS[name].extension}"
    path.write_bytes(body_of(name, numbers=np.array([1]), columns={"NDVI": (None,)}))

    types = dict(zip(*(pyogrio.read_info(path)[key] for key in ("fields", "ogr_types")), strict=True))

    assert {field: types[field] for field in ("area", "count", "is_wet", "crop", "NDVI")} == {
        "area": "OFTReal",
        "count": "OFTInteger64",
        "is_wet": "OFTInteger",
        "crop": "OFTString",
        "NDVI": "OFTReal",
    }


@pytest.mark.parametrize("name", PLACE_FORMATS)
def test_a_file_of_no_places_can_be_opened(read, name):
    assert len(read(name, numbers=np.array([], dtype=np.int64), columns={})) == 0


@pytest.mark.parametrize("name", PLACE_FORMATS)
def test_a_place_without_coordinates_in_the_crs_has_no_geometry(read, name):
    """A quarter of the globe away from its meridian, transverse Mercator has none."""
    unavailable = dataclasses.replace(
        make_places(4), shapes=np.array([shapely.box(92, 0, 95, 1), *make_places(3).shapes])
    )

    frame = read(name, places=unavailable, crs=crs_of("EPSG:32631"))

    is_there = frame.geometry.notna() & ~frame.geometry.is_empty
    assert is_there.tolist() == [False, True, True]


@pytest.mark.parametrize("name", PLACE_FORMATS)
@pytest.mark.parametrize("disk", [full_disk, disk_without_room])
def test_a_file_without_room_is_refused(name, disk):
    many = choose_places(make_places(500), np.arange(500))
    with disk(), pytest.raises(StorageFull, match="request"):
        place_file(many, name, SERVICES)


def test_a_file_beyond_the_limit_is_refused_before_it_is_written():
    catalogue = dataclasses.replace(SERVICES.catalogue, limits=served.Limits(max_coverage_bytes=1000))

    with pytest.raises(LimitExceeded, match="request fewer places") as refusal:
        body_of("gpkg", services=dataclasses.replace(SERVICES, catalogue=catalogue))

    assert refusal.value.locator == "f"


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(extras, "_absent", lambda _extra: "pyogrio")

    with pytest.raises(MissingExtra, match="chronotile\\[places\\]"):
        body_of("fgb")
