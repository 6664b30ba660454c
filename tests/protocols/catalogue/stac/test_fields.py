"""Members of items in answers (fields extension)."""

import pytest

from chronotile.protocols.catalogue.stac.fields import fields_of_json, fields_of_text

ALWAYS = {"type", "stac_version", "id", "collection"}
VALID = {*ALWAYS, "geometry", "bbox", "links", "assets", "properties"}


def item():
    return {
        **dict.fromkeys([*VALID, "stac_extensions"], 1),
        "properties": {"datetime": "2020", "eo:cloud_cover": 5, "a.b": 6, "deep": {"x": 1, "y": 2}},
    }


@pytest.mark.parametrize(
    ("text", "members", "properties"),
    [
        ("", VALID, {"datetime": "2020"}),
        ("id", ALWAYS, None),
        ("geometry", {*ALWAYS, "geometry"}, None),
        ("+geometry,-geometry", {*ALWAYS, "geometry"}, None),
        ("properties.eo:cloud_cover", {*ALWAYS, "properties"}, {"eo:cloud_cover": 5}),
        ("properties.a.b", {*ALWAYS, "properties"}, {"a.b": 6}),
        ("properties.deep.x", {*ALWAYS, "properties"}, {"deep": {"x": 1}}),
        ("properties.unknown", ALWAYS, None),
        ("-properties,+properties.datetime", {*ALWAYS, "properties"}, {"datetime": "2020"}),
        ("properties,-properties.deep", {*ALWAYS, "properties"}, {"datetime": "2020", "eo:cloud_cover": 5, "a.b": 6}),
        (
            "-geometry,-properties.deep.y,-unknown",
            {*VALID, "stac_extensions"} - {"geometry"},
            {**item()["properties"], "deep": {"x": 1}},
        ),
    ],
)
def test_fields_of_a_query(text, members, properties):
    found = fields_of_text(text).select(item())

    assert set(found) == members
    assert found.get("properties") == properties


@pytest.mark.parametrize(
    ("fields", "members"),
    [
        ({}, VALID),
        ({"include": None, "exclude": None}, VALID),
        ({"include": [], "exclude": ["geometry"]}, VALID - {"geometry"}),
        ({"include": None, "exclude": ["geometry"]}, VALID - {"geometry"}),
        ({"exclude": ["geometry"]}, {*VALID, "stac_extensions"} - {"geometry"}),
        ({"include": ["geometry"]}, {*ALWAYS, "geometry"}),
        ({"include": ["properties.datetime"], "exclude": ["properties"]}, {*ALWAYS, "properties"}),
    ],
)
def test_fields_of_a_body(fields, members):
    assert set(fields_of_json(fields).select(item())) == members


def test_a_page_has_the_fields(api):
    page = api.get("/stac/search?fields=id,properties.eo:cloud_cover&collections=scenes&limit=1").json()

    assert page["features"][0] == {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "scene 8",
        "collection": "scenes",
        "properties": {"eo:cloud_cover": 80},
    }
