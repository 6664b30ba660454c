"""GIS files that a client sends, converted to GeoJSON."""

import dataclasses
import io
import os
import random
import sqlite3
from contextlib import closing
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import shapely
from pyogrio import raw
from pyproj import Transformer
from shapely.geometry import LineString, Point, Polygon

from chronotile.app.settings import ANSWER_BYTES
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.readers.places import isolated
from chronotile.readers.places.convert import MEMORY_BYTES
from tests.odd_archives.uploads import mutated_upload, write_places
from tests.sampling import SEED

pytestmark = pytest.mark.slow
SQUARE = Polygon([(600_000, 5_650_000), (600_100, 5_650_000), (600_100, 5_650_200), (600_000, 5_650_200)])
SHAPES = [SQUARE, shapely.transform(SQUARE, lambda vertices: vertices + 1000)]
GEOPACKAGE = "application/geopackage+sqlite3"


def write(path, driver, *, shapes=SHAPES, crs="EPSG:32631", layer="fields", append=False, kind="Unknown"):
    """Write a file of shapes with names and areas; the last shape has no area."""
    areas = np.array([1.5] * (len(shapes) - 1) + [np.nan])
    names = np.array([f"field {number} é" for number in range(len(shapes))], dtype=object)
    raw.write(
        path,
        geometry=shapely.to_wkb(np.array(shapes, dtype=object)),
        field_data=[names, areas],
        fields=["name", "area"],
        geometry_type=kind,
        crs=crs,
        driver=driver,
        layer=layer,
        append=append,
        encoding="UTF-8",
    )
    return path


def zipped(folder, *, without=()):
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as members:
        for each in sorted(folder.glob("fields.*")):
            if each.suffix not in without:
                members.write(each, f"within/{each.name}")
    return packed.getvalue()


@pytest.fixture
def geopackage(tmp_path):
    return write(tmp_path / "fields.gpkg", "GPKG")


@pytest.fixture
def shapefile(tmp_path):
    write(tmp_path / "fields.shp", "ESRI Shapefile", kind="Polygon", crs="EPSG:31370", shapes=BELGIAN)
    return tmp_path


BELGIAN = [shapely.transform(each, lambda vertices: vertices - (450_000, 5_450_000)) for each in SHAPES]


def posted(client, content, media_type=GEOPACKAGE):
    return client.post("/places/shapes", content=content, headers={"Content-Type": media_type})


def in_degrees(shapes, crs):
    to_degrees = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    return [np.column_stack(to_degrees.transform(*shapely.get_coordinates(shape).T)) for shape in shapes]


def assert_places(answer, expected):
    assert answer.status_code == 200, answer.text
    features = answer.json()["features"]
    for feature, vertices in zip(features, expected, strict=True):
        shown, wanted = shapely.Polygon(feature["geometry"]["coordinates"][0]), shapely.Polygon(vertices)
        assert shapely.hausdorff_distance(shown.exterior, wanted.exterior) < 1e-7
    return features


def test_a_geopackage_is_geojson_in_degrees(client, geopackage):
    answer = posted(client, geopackage.read_bytes())

    features = assert_places(answer, in_degrees(SHAPES, "EPSG:32631"))
    assert [each["properties"] for each in features] == [
        {"name": "field 0 é", "area": 1.5},
        {"name": "field 1 é", "area": None},
    ]
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["cache-control"] == "no-store"


def test_a_zipped_shapefile_is_transformed_by_its_own_crs(client, shapefile):
    answer = posted(client, zipped(shapefile), "application/zip")

    features = assert_places(answer, in_degrees(BELGIAN, "EPSG:31370"))
    assert features[0]["properties"]["name"] == "field 0 é"


def test_the_first_table_with_geometries_is_read(client, tmp_path):
    path = write(tmp_path / "fields.gpkg", "GPKG", layer="first")
    write(path, "GPKG", layer="second", shapes=[Point(600_000, 5_650_000)], append=True)

    document = posted(client, path.read_bytes()).json()

    assert (document["name"], len(document["features"])) == ("first", 2)


def test_points_and_lines_stay(client, tmp_path):
    shapes = [Point(4.5, 51), LineString([(4.5, 51), (4.6, 51.1)])]

    path = write(tmp_path / "fields.gpkg", "GPKG", shapes=shapes, crs="EPSG:4326")

    kinds = [each["geometry"] for each in posted(client, path.read_bytes()).json()["features"]]
    assert [each["type"] for each in kinds] == ["Point", "LineString"]
    assert kinds[0]["coordinates"] == [4.5, 51.0]


def altered(geopackage, statement):
    with closing(sqlite3.connect(geopackage)) as file, file:
        file.execute(statement)
    return geopackage.read_bytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _file: b"{}", "neither a GeoPackage nor a ZIP"),
        (lambda _file: b"PK\x03\x04 no more", "the ZIP is damaged"),
        (lambda file: file.read_bytes()[:9000], ""),
        (lambda file: file.read_bytes()[:16] + b"\xff" * 200, "damaged"),
        (lambda file: altered(file, "DELETE FROM gpkg_contents"), "it has no feature table"),
        (lambda file: altered(file, "DELETE FROM gpkg_spatial_ref_sys"), "no CRS"),
    ],
    ids=["JSON", "ZIP", "cut short", "damaged", "no table", "no CRS"],
)
def test_unreadable_upload_is_refused_with_a_reason(client, geopackage, make, words):
    answer = posted(client, make(geopackage))

    assert answer.status_code == 400
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(("without", "words"), [([".prj"], "no CRS"), ([".shp"], "no shapefile")])
def test_a_shapefile_without_a_part_that_is_needed_is_refused(client, shapefile, without, words):
    answer = posted(client, zipped(shapefile, without=without), "application/zip")

    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_shapefile_without_its_index_is_the_same(client, shapefile):
    whole, without = (posted(client, zipped(shapefile, without=each), "application/zip") for each in ([], [".shx"]))

    assert without.status_code == 200
    assert without.json() == whole.json()


def test_limits_are_reported(client, tmp_path):
    many = write(tmp_path / "fields.gpkg", "GPKG", shapes=[Point(600_000, 5_650_000)] * 5001)

    answers = [posted(client, many.read_bytes()), posted(client, b"SQLite" + bytes(11 << 20))]

    assert [each.json()["title"] for each in answers] == ["Limit exceeded"] * 2
    assert "5000" in answers[0].json()["detail"]


def test_a_zip_that_unpacks_to_too_much_is_refused(client, shapefile):
    with (shapefile / "fields.dbf").open("ab") as file:
        file.write(bytes(60 << 20))

    answer = posted(client, zipped(shapefile), "application/zip")

    assert (answer.status_code, answer.json()["title"]) == (400, "Limit exceeded")


def test_file_that_takes_too_long_is_refused(client, shapefile, monkeypatch):
    monkeypatch.setattr(isolated, "S_PER_CPU_S", 200)  # on a busy machine the process gets its time late
    rings = [shapely.box(-size, -size, size, size).exterior for size in range(60_000, 0, -1)]
    pairs = zip(rings[::2], rings[1::2], strict=True)
    nested = shapely.MultiPolygon([shapely.Polygon(outer, [inner]) for outer, inner in pairs])
    write(shapefile / "fields.shp", "ESRI Shapefile", kind="MultiPolygon", shapes=[nested])

    answer = posted(client, zipped(shapefile), "application/zip")

    assert (answer.status_code, answer.json()["title"]) == (400, "Limit exceeded")
    assert "seconds of processor time" in answer.json()["detail"]


def test_a_file_that_takes_too_much_memory_is_refused(client, tmp_path):
    turns = np.linspace(0, 2 * np.pi, 620_000)
    circle = Polygon(np.column_stack([600_000 + 1000 * np.cos(turns), 5_650_000 + 1000 * np.sin(turns)]))
    path = write(tmp_path / "fields.gpkg", "GPKG", shapes=[circle])

    answer = posted(client, path.read_bytes())

    assert (answer.status_code, "160 MB of memory" in answer.text) == (400, True)


def test_uploads_full_of_commas_need_no_more_memory(make_client, services, geopackage):
    content = geopackage.read_bytes() + 4_000_000 * b","
    memory = AnswerMemory(ANSWER_BYTES, patience_s=0)

    assert posted(make_client(dataclasses.replace(services, memory=memory)), content).status_code == 200


def test_uploads_take_from_the_memory_of_large_answers(make_client, services, geopackage):
    memory = AnswerMemory(MEMORY_BYTES - 1)

    answer = posted(make_client(dataclasses.replace(services, memory=memory)), geopackage.read_bytes())

    assert (answer.status_code, answer.json()["limit"]) == (400, "memory of one response in bytes")


@pytest.mark.every_case
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_mutated_files_are_read_or_refused(client, tmp_path, suffix):
    chance = random.Random(os.environ.get(SEED))
    path = write_places(tmp_path / f"fields{suffix}", chance)

    answers = [posted(client, mutated_upload(path, chance)) for _ in range(3)]

    assert {each.status_code for each in answers} <= {200, 400}
