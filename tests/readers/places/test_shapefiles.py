"""Zipped shapefiles: encodings of their texts, and types of their fields."""

import datetime as dt
import io
from zipfile import ZipFile

import orjson
import pytest
import shapefile
from pyproj import CRS

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.places.convert import Conversion, convert

SQUARE = [[4, 50], [4, 51], [5, 51], [5, 50], [4, 50]]


def zipped(encoding, text, cpg=None, change=bytes, change_shapes=bytes):
    shp, dbf, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with shapefile.Writer(shp=shp, dbf=dbf, shapeType=shapefile.POLYGON, encoding=encoding) as writer:
        for field in ((text, "C", 10), ("seen", "D"), ("wet", "L"), ("number", "N", 18, 0), ("area", "F", 12, 3)):
            writer.field(*field)
        writer.poly([SQUARE])
        writer.record(text, dt.date(2020, 1, 2), True, 123_456_789_012_345_678, 1.5)
    with ZipFile(packed, "w") as members:
        members.writestr("Fields.SHP", change_shapes(shp.getvalue()))
        members.writestr("Fields.DBF", change(dbf.getvalue()))
        members.writestr("Fields.PRJ", CRS.from_epsg(4326).to_wkt("WKT1_ESRI"))
        members.writestr("Fields.CPG", cpg or "")
    return packed.getvalue()


def properties_of(content):
    document = orjson.loads(b"".join(convert(content, Conversion(max_vertices=100))))
    return document["features"][0]["properties"]


@pytest.mark.parametrize(
    ("encoding", "text", "cpg"),
    [
        ("cp1251", "поле", "1251"),
        ("cp1251", "поле", "ANSI 1251"),
        ("utf-8", "é à ü", "UTF-8"),
        ("big5", "漢字", "Big5\r\n"),
        ("cp936", "田野", "cp936"),
        ("iso-8859-2", "pole ż", "ISO-8859-2"),
        ("latin-1", "née", None),
        ("latin-1", "née", "klingon"),
    ],
)
def test_texts_are_in_the_encoding_of_the_file(encoding, text, cpg):
    properties = properties_of(zipped(encoding, text.replace(" ", "_"), cpg))

    assert next(iter(properties.items())) == (text.replace(" ", "_"),) * 2


def test_fields_have_their_types():
    properties = properties_of(zipped("utf-8", "name", "UTF-8"))

    assert list(properties.values()) == ["name", "2020-01-02", True, 123_456_789_012_345_678, 1.5]


def test_text_cut_within_a_letter_is_read():
    content = zipped("utf-8", "née", "UTF-8", change=lambda table: table.replace("ée".encode(), b"\xc3  "))

    assert next(iter(properties_of(content).values())) == "n\ufffd"


@pytest.mark.parametrize("start", [b"", b"<OGRVRTDataSource>", b"SQLite format 3\0"])
def test_invalid_shapes_are_refused(start):
    content = zipped("utf-8", "name", change_shapes=lambda _shapes: start + bytes(1000))

    with pytest.raises(UnsupportedSource, match="the shapefile is damaged"):
        convert(content, Conversion(max_vertices=100))
