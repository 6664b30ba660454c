"""GeoPackages read by SQLite: the values equal GDAL's, and no code in their schema runs."""

import dataclasses
import random
import sqlite3
from contextlib import closing

import numpy as np
import orjson
import pytest
import shapely
from pyogrio import raw

from chronotile.core.errors import ChronotileError
from chronotile.readers.places.convert import Conversion, convert
from tests.odd_archives.uploads import NAMES_OF_SCHEMAS, hostile_schemas, upload_of, write_places

CONVERSION = Conversion(max_features=100, max_vertices=100_000, max_bytes=1 << 20, is_upload=False)


def converted(content, **changes):
    return orjson.loads(b"".join(convert(content, dataclasses.replace(CONVERSION, **changes))))


@pytest.fixture
def geopackage(tmp_path):
    return write_places(tmp_path / "fields.gpkg", random.Random(1))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_a_file_has_the_shapes_and_fields_that_gdal_reads(tmp_path, seed, suffix):
    path = write_places(tmp_path / f"fields{suffix}", random.Random(seed))

    document = converted(upload_of(path))

    meta, _, wkb, columns = raw.read(path)
    shapes = shapely.from_geojson([orjson.dumps(each["geometry"]).decode() for each in document["features"]])
    assert document["crs"]["properties"]["name"] == meta["crs"]
    assert shapely.equals(shapely.normalize(shapes), shapely.normalize(shapely.from_wkb(wkb))).all()
    for name, values in zip(meta["fields"], columns, strict=True):
        read = [each["properties"][name] for each in document["features"]]
        np.testing.assert_array_equal(np.array(read, dtype=values.dtype), values)


def told(content):
    """Return the answer: a document, or a refusal."""
    try:
        return orjson.dumps(converted(content)).decode()
    except ChronotileError as error:
        return error.message


@pytest.mark.parametrize("name", NAMES_OF_SCHEMAS)
def test_no_code_of_a_schema_is_run(geopackage, name):
    content = hostile_schemas(geopackage)[name]()

    answer = told(content)

    assert "root:" not in answer
    assert "xxxxxxxx" not in answer
    assert len(answer) < 100_000


def test_stored_columns_are_read_next_to_generated_ones(geopackage):
    document = converted(hostile_schemas(geopackage)["endless column"]())

    assert set(document["features"][0]["properties"]) == {"name"}


def test_views_and_triggers_do_not_hinder_other_tables(geopackage):
    before = converted(geopackage.read_bytes())
    with closing(sqlite3.connect(geopackage)) as file, file:
        file.execute("CREATE VIEW shown AS SELECT * FROM fields")
        file.execute("CREATE VIRTUAL TABLE words USING fts5(text)")

    assert converted(geopackage.read_bytes()) == before


def test_a_geopackage_in_wal_mode_is_read_as_completed(geopackage):
    before = converted(geopackage.read_bytes())
    content = bytearray(geopackage.read_bytes())
    content[18:20] = b"\2\2"

    assert converted(bytes(content)) == before


@pytest.mark.parametrize("value", ["'text'", "x'4750'", "x'475000FF00000000'", "NULL", "substr(geom, 1, 40)", "12.5"])
def test_invalid_geometry_is_null(geopackage, value):
    with closing(sqlite3.connect(geopackage)) as file, file:
        names = file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        file.executescript("".join(f'DROP TRIGGER "{name}";' for (name,) in names))
        file.execute(f"UPDATE fields SET geom = {value}")

    document = converted(geopackage.read_bytes())

    assert {each["geometry"] for each in document["features"]} == {None}


def test_a_name_in_a_message_has_no_signs_of_other_texts(geopackage):
    with closing(sqlite3.connect(geopackage)) as file, file:
        file.execute("UPDATE gpkg_contents SET table_name = '/etc/<b>' || char(10) || 'x'")
        file.execute("UPDATE gpkg_geometry_columns SET table_name = '/etc/<b>' || char(10) || 'x'")

    message = told(geopackage.read_bytes())

    assert message == "it has no ordinary table ?etc??b??x; views and virtual tables are not read"
