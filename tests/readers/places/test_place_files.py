"""Places from files: accepted ones, their names, and errors for the others."""

import dataclasses
import sys
from zipfile import ZipFile

import geopandas
import numpy as np
import pandas as pd
import pyogrio.raw
import pytest
import shapely

from chronotile.catalog.places_section import FORMATS
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.places import PlacesSpec
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.readers.places.place_files import read_places
from tests.places import feature, square, write_places

BOW_TIE = shapely.Polygon([(4, 50), (5, 51), (5, 50), (4, 51)])


@pytest.fixture
def read(tmp_path):
    """Return `read(feature, …)`: the places of a GeoJSON file; keywords belong to the spec."""

    def read_file(*features, members=None, name="squares.geojson", **spec):
        path = write_places(tmp_path / name, *features, **(members or {}))
        return read_places(spec_of(path, **spec))

    return read_file


def spec_of(path, **fields):
    spec = PlacesSpec(id="squares", title={"": "Squares"}, path=str(path), max_features=100, max_vertices=10_000)
    return dataclasses.replace(spec, **{"id_field": "code"} | fields)


def refusal(read, *features, **options):
    with pytest.raises(UnsupportedSource) as caught:
        read(*features, **options)
    return caught.value.message


@pytest.fixture
def convert(tmp_path):
    """Return `convert("x.gpkg", crs=…)`: the path of a file with three squares, written by GDAL."""

    def write(name, *, crs="EPSG:3035", layer=None, append=False):
        shapes = np.array([square(number) for number in range(3)])
        projected = shapely.transform(
            shapes, lambda xy: np.column_stack(transformer(CRS84, crs_of(crs)).transform(*xy.T)) if crs else xy
        )
        pyogrio.raw.write(
            tmp_path / name,
            shapely.to_wkb(projected),
            [np.array(["S0", "S1", "S2"], dtype=object), np.array([1.5, np.nan, 4.5])],
            ["code", "area_ha"],
            crs=crs,
            geometry_type="Polygon",
            layer=layer,
            append=append,
        )
        return tmp_path / name

    return write


def test_geojson_is_read_in_its_order(read):
    places = read(label_field="name", fields=("crop", "area_ha"))

    assert places.ids == ("S0", "S1", "S2")
    assert places.labels == ("Square 0", "Square 1", "Square 2")
    assert places.fields == {"crop": ("maize", "wheat", "maize"), "area_ha": (0.0, 1.5, 3.0)}
    assert places.crs == CRS84
    assert places.bbox == pytest.approx((4.5, 50.8, 4.8, 50.9))
    assert places.findings == ()


@pytest.fixture
def zip_shapefile(convert, tmp_path):
    """Return the path of a ZIP with the shapefile of three squares."""
    convert("squares.shp")
    with ZipFile(tmp_path / "squares.zip", "w") as members:
        for suffix in ("shp", "shx", "dbf", "prj"):
            members.write(tmp_path / f"squares.{suffix}", f"squares.{suffix}")
    return tmp_path / "squares.zip"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", sorted({*FORMATS, ".gml"} - {".json", ".geojson", ".zip"}))
def test_file_of_each_format_is_read_in_its_crs(convert, suffix):
    places = read_places(spec_of(convert(f"squares{suffix}"), fields=("area_ha",)))

    areas = dict(zip(places.ids, places.fields["area_ha"], strict=True))
    assert areas == {"S0": 1.5, "S1": None, "S2": 4.5}
    assert places.crs == crs_of("EPSG:3035")
    assert places.bbox == pytest.approx((4.5, 50.8, 4.8, 50.9), abs=1e-6)


@pytest.mark.slow
def test_zipped_shapefile_is_read_in_its_crs(zip_shapefile):
    places = read_places(spec_of(zip_shapefile, fields=("area_ha",)))

    areas = dict(zip(places.ids, places.fields["area_ha"], strict=True))
    assert areas == {"S0": 1.5, "S1": None, "S2": 4.5}
    assert places.crs == crs_of("EPSG:3035")
    assert places.bbox == pytest.approx((4.5, 50.8, 4.8, 50.9), abs=1e-6)


@pytest.mark.slow
def test_feature_table_is_named_if_there_are_several(convert):
    convert("two.gpkg", layer="old")
    path = convert("two.gpkg", layer="new", append=True)

    with pytest.raises(UnsupportedSource, match="name one with table: old, new"):
        read_places(spec_of(path))
    assert len(read_places(spec_of(path, table="new"))) == 3


@pytest.mark.slow
def test_a_file_without_crs_is_refused(convert):
    with pytest.warns(UserWarning, match="crs"), pytest.raises(UnsupportedSource, match="has no CRS"):
        read_places(spec_of(convert("nowhere.gpkg", crs=None)))


def test_message_without_pyogrio_names_what_to_install(convert, monkeypatch):
    path = convert("squares.fgb")
    monkeypatch.setitem(sys.modules, "pyogrio", None)

    with pytest.raises(UnsupportedSource, match=r"chronotile\[places\]"):
        read_places(spec_of(path))


def test_the_member_crs_of_older_geojson_counts(read):
    name = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::31370"}}
    lambert = feature(0, shapely.box(150_000, 170_000, 151_000, 171_000))

    places = read(lambert, members={"crs": name})

    assert places.crs == crs_of("EPSG:31370")
    assert places.bbox == pytest.approx((4.373, 50.840, 4.387, 50.849), abs=0.01)


def test_ids_of_the_features_themselves_need_no_field(read):
    places = read({**feature(0), "id": 12}, {**feature(1), "id": "twelve"}, id_field=None)

    assert places.ids == ("12", "twelve")


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        ([feature(0), feature(1, code="S0")], {}, "features 1 and 2 have the same id in field code: 'S0'"),
        ([feature(0), feature(1, code=None)], {}, "feature 2 has no id in field code"),
        ([feature(0)], {"id_field": None}, "feature 1 has no id of its own; name a field with id: one of code, name"),
        ([feature(0)], {"id_field": "ISO"}, "it has no field 'ISO'; it has code, name, crop, area_ha"),
        ([feature(0)], {"fields": ("soil",)}, "it has no field 'soil'"),
        ([feature(0), feature(1)], {"max_features": 1}, "it has 2 features; limits.max_features is 1"),
        ([feature(0)], {"max_vertices": 4}, "it has 5 vertices; limits.max_vertices is 4"),
        ([feature(0, shapely.Point(4, 51))], {}, "it has no polygons"),
        ([feature(0, shapely.box(150_000, 170_000, 151_000, 171_000))], {}, "longitude first"),
    ],
    ids=["twice", "empty", "own", "unknown", "field", "features", "vertices", "points", "metres"],
)
def test_unservable_file_has_a_reason(read, features, options, words):
    assert words in refusal(read, *features, **options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be opened"),
        ("[]", "not a GeoJSON FeatureCollection"),
        ('{"type": "Feature"}', "not a GeoJSON FeatureCollection"),
    ],
)
def test_invalid_geojson_has_a_reason(tmp_path, text, words):
    path = tmp_path / "squares.geojson"
    path.write_text(text)

    with pytest.raises(UnsupportedSource, match=words):
        read_places(spec_of(path))


def test_missing_file_has_a_reason(tmp_path):
    with pytest.raises(UnsupportedSource, match=r"there is no file gone\.geojson"):
        read_places(spec_of(tmp_path / "gone.geojson"))


def test_other_geometry_than_polygons_is_skipped_and_reported(read):
    places = read(feature(0), feature(1, shapely.Point(4, 51)), {**feature(2), "geometry": None}, feature(3))

    assert places.ids == ("S0", "S3")
    assert [finding.message for finding in places.findings] == [
        "2 left out: S1: it is a Point, not a polygon; S2: it has no geometry that can be read"
    ]


def test_self_crossing_outline_is_repaired_and_reported(read):
    places = read(feature(0), feature(1, BOW_TIE))

    assert shapely.is_valid(places.shapes).all()
    assert shapely.area(places.shapes[1]) == pytest.approx(0.5)
    assert "Self-intersection" in places.notes[1]
    assert "repaired: S1" in places.findings[0].message


def test_polygons_that_overlap_in_one_place_are_united(read):
    overlapping = shapely.MultiPolygon([shapely.box(4, 50, 5, 51), shapely.box(4.5, 50, 5.5, 51)])

    places = read(feature(0, overlapping))

    assert shapely.equals(places.shapes[0], shapely.box(4, 50, 5.5, 51))
    assert "repaired: S0" in places.findings[0].message


def test_empty_polygon_is_skipped_and_reported(read):
    places = read(feature(0), feature(1, shapely.Polygon()), feature(2, shapely.MultiPolygon()))

    assert places.ids == ("S0",)
    assert "S1: it is empty" in places.findings[0].message


STAR = shapely.Polygon([(4 + np.cos(2 * turn), 50 + np.sin(2 * turn)) for turn in np.arange(1001) * np.pi * 500 / 1001])
NESTED = shapely.MultiPolygon([shapely.box(4, 50, 4 + size / 5000, 50 + size / 5000) for size in range(1, 9000)])


@pytest.mark.parametrize("shape", [STAR, NESTED], ids=["star", "nested"])
def test_place_that_takes_too_long_to_check_is_skipped(read, shape):
    places = read(feature(0), feature(1, shape), max_vertices=100_000)

    assert places.ids == ("S0",)
    assert "too complex to be checked or repaired" in places.findings[0].message


def test_heights_are_dropped(read):
    places = read(feature(0, shapely.force_3d(square(0), 12.0)))

    assert not shapely.has_z(places.shapes).any()


def test_areas_have_the_rings_of_the_shapes(read):
    ring = shapely.box(5, 50, 6, 51).exterior
    shape = shapely.MultiPolygon([shapely.Polygon(ring, [shapely.box(5.2, 50.2, 5.4, 50.4).exterior]), square(0)])

    areas = read(feature(0, shape), feature(1)).areas_of([0, 1])

    assert [[len(polygon) for polygon in area.polygons] for area in areas] == [[2, 1], [1]]
    assert [area.id for area in areas] == ["S0", "S1"]
    rebuilt = shapely.MultiPolygon([(polygon[0], polygon[1:]) for polygon in areas[0].polygons])
    assert shapely.equals(rebuilt, shape)


def test_digest_changes_with_any_change(read):
    digests = {
        *(read(feature(0)).digest, read(feature(0, square(1))).digest, read(feature(0, code="other")).digest),
        *(read(feature(0), fields=("crop",)).digest, read(feature(0), label_field="name").digest),
    }

    assert len(digests) == 5
    assert read(feature(0)).digest in digests


@pytest.mark.data
def test_states_of_natural_earth(shared_data):
    path = shared_data / "naturalearth" / "ne_50m_admin_1_states_provinces.json"

    places = read_places(spec_of(path, id_field="adm1_code", label_field="name", max_vertices=10**6, max_features=1000))

    assert len(places) == 100
    assert "California" in places.labels
    assert shapely.is_valid(places.shapes).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaps.gpkg", "gaps.fgb"])
def test_columns_with_gaps_keep_their_types(tmp_path, name):
    frame = geopandas.GeoDataFrame(
        {
            "nr": [0, 1, 2],
            "label": pd.array([None, 101, 102], dtype="Int64"),
            "is_wet": pd.array([True, None, False], dtype="boolean"),
            "seen": pd.to_datetime(["2023-01-01T12:00:00"] * 3),
        },
        geometry=[square(number) for number in range(3)],
        crs="OGC:CRS84",
    )
    frame.to_file(tmp_path / name)

    places = read_places(spec_of(tmp_path / name, id_field="nr", fields=("label", "is_wet", "seen")))

    found = dict(zip(places.ids, zip(places.fields["label"], places.fields["is_wet"], strict=True), strict=True))
    assert found == {"0": (None, True), "1": (101, None), "2": (102, False)}
    assert {type(each) for each in places.fields["label"]} == {int, type(None)}
    assert set(places.fields["seen"]) == {"2023-01-01T12:00:00"}
