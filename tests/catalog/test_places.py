"""The section `places`: its meaning, its mistakes, and look-ups of places."""

import pytest

from chronotile.catalog.source_specs import places_specs
from chronotile.core.errors import UnknownPlace
from chronotile.core.model.places import PlacesSpec
from chronotile.readers.places.place_files import read_places
from tests.places import feature, write_places
from tests.protocols import served

SMALLEST = "collections: {c: {source: {kind: cog, href: a.tif}}}\n"


def test_places_are_read_as_configured(load, tmp_path):
    configuration = load(
        {
            "config.yaml": "include: places/*.yaml\nservice: {limits: {max_features: 7, max_vertices: 90}}\n"
            + SMALLEST,
            "places/provinces.yaml": "places: {provinces: {title: {en: Provinces}, href: p.gpkg, table: t, id: NIS, "
            "label: NAME, fields: [REGION], attribution: NGI}}\n",
        }
    )

    assert places_specs(configuration) == {
        "provinces": PlacesSpec(
            id="provinces",
            title={"en": "Provinces"},
            attribution="NGI",
            path=str(tmp_path / "places" / "p.gpkg"),
            table="t",
            id_field="NIS",
            label_field="NAME",
            fields=("REGION",),
            max_features=7,
            max_vertices=90,
        )
    }


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("p: {href: a.kml}", "places.p.href: 'a.kml' has an unknown format; "
            "accepted are .geojson, .json, .gpkg, .shp, .zip, .fgb"),
        ("p: {href: 's3://b/a.gpkg'}", "places.p.href: places must be in a local file; "
            "accepted are a path and file:///path"),
        ("p: {id: A}", "places.p.href: the key is missing"),
        ("p: {href: a.fgb, labell: A}", "places.p.labell: unknown key; the nearest is label; accepted are title, href, "
            "table, id, label, fields, attribution, access"),
        ("p: {href: a.fgb, fields: [A, id]}", "places.p.fields: every place has a field id already; "
            "name the file's with id: FIELD"),
        ("'a b': {href: a.fgb}", "places.a b: 'a b' is not a valid id; accepted are letters, digits, _ . and -, "
            "a letter or digit first, at most 200"),
        ("p: {href: a.fgb, title: {nl: A}}", "places.p.title.nl: language 'nl' is not one of service.languages (en)"),
    ],
    ids=["format", "remote", "missing", "unknown", "taken", "name", "language"],
)  # fmt: skip
def test_a_mistake_of_a_set(mistakes_of, text, mistake):
    assert mistakes_of(f"places: {{{text}}}\n{SMALLEST}") == [f"config.yaml:1: {mistake}"]


@pytest.fixture
def catalogue(tmp_path):
    """Return a catalogue of one set with the places antwerp and east/west."""
    path = write_places(tmp_path / "p.geojson", feature(0, code="antwerp"), feature(1, code="east/west"))
    spec = PlacesSpec(id="provinces", title={}, path=str(path), id_field="code", max_features=9, max_vertices=99)
    return served.make_services(places=[read_places(spec)]).catalogue


@pytest.mark.parametrize("name", ["antwerp", "east/west"])
def test_place_is_found_by_set_and_id(catalogue, name):
    assert catalogue.place(f"provinces/{name}").id == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("provinces/antwerpen", "place 'antwerpen' is not known in provinces; the nearest is antwerp"),
        ("provinces", "place '' is not known in provinces; accepted are antwerp, east/west"),
        ("province/antwerp", "set of places 'province' is not known; the nearest is provinces"),
    ],
)
def test_an_unknown_place_names_the_nearest(catalogue, name, words):
    with pytest.raises(UnknownPlace, match=words):
        catalogue.place(name)


def test_absence_of_places_is_reported():
    with pytest.raises(UnknownPlace, match="the configuration has none"):
        served.make_services().catalogue.place("provinces/antwerp")
