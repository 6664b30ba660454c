"""Configuration of the viewer."""

import pytest

SMALLEST = "collections: {c: {source: {kind: cog, href: a.tif}}}\n"


def in_viewer(text):
    return f"service:\n  viewer: {{{text}}}\n{SMALLEST}"


def base_map(href, more=""):
    return in_viewer(f"base_maps: [{{id: osm, title: Streets, href: '{href}', attribution: OSM{more}}}]")


def test_without_a_word_the_viewer_has_its_own_maps_and_begins_with_the_first_layer(load):
    viewer = load(SMALLEST).service.info().viewer

    assert (viewer.default_layer, viewer.base_maps) == (None, ())


def test_a_base_map_has_titles_in_languages_and_a_finest_zoom(load):
    text = "id: osm, title: {en: Streets, nl: Straten}, href: 'https://t.example/{z}/{x}/{y}.png', attribution: © OSM"
    languages = in_viewer(f"base_maps: [{{{text}}}]").replace("service:", "service:\n  languages: [en, nl]")

    (found,) = load(languages).service.info().viewer.base_maps

    told = (found.id, found.title, found.attribution, found.max_zoom)
    assert told == ("osm", {"en": "Streets", "nl": "Straten"}, "© OSM", 19)


@pytest.mark.parametrize(
    ("href", "template"),
    [
        ("https://t.example/{z}/{x}/{y}.png?key=1", "https://t.example/{z}/{x}/{y}.png?key=1"),
        ("http://t.example:8080/{z}/{y}/{x}", "http://t.example:8080/{z}/{y}/{x}"),
        ("/osm/{z}/{x}/{y}.png", "/osm/{z}/{x}/{y}.png"),
        (
            "https://t.example/wmts/a/GM/{TileMatrix}/{TileRow}/{TileCol}.png",
            "https://t.example/wmts/a/GM/{z}/{y}/{x}.png",
        ),
        (
            "https://t.example/wmts?TILEMATRIX=EPSG:3857:{TILEMATRIX}&TILEROW={tilerow}&TILECOL={x}",
            "https://t.example/wmts?TILEMATRIX=EPSG:3857:{z}&TILEROW={y}&TILECOL={x}",
        ),
    ],
)
def test_tiles_are_addressed_as_in_xyz_or_wmts(load, href, template):
    (found,) = load(base_map(href)).service.info().viewer.base_maps

    assert found.href == template


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("ftp://t.example/{z}/{x}/{y}", "is not a URL of tiles"),
        ("//t.example/{z}/{x}/{y}", "is not a URL of tiles"),
        ("tiles/{z}/{x}/{y}", "is not a URL of tiles"),
        ("https://me:secret@t.example/{z}/{x}/{y}", "is not a URL of tiles"),
        ("https://t.example; script-src *//{z}/{x}/{y}", "is not a URL of tiles"),
        ("https://{s}.t.example/{z}/{x}/{y}", "is not a URL of tiles"),
        ("https://t.example/{z}/{x}.png", "must have each of"),
        ("https://t.example/{z}/{x}/{y}{r}.png", "must have each of"),
        ("https://t.example/{z}/{x}/{x}/{y}.png", "must have each of"),
    ],
)
def test_invalid_template_is_refused(mistakes_of, href, said):
    (mistake,) = mistakes_of(base_map(href))

    assert mistake.startswith("config.yaml:2: service.viewer.base_maps[0].href: ")
    assert said in mistake


@pytest.mark.parametrize("name", ["NaturalEarth", "osm"])
def test_base_maps_have_unique_names(mistakes_of, name):
    each = "{id: %s, title: A, href: '/{z}/{x}/{y}', attribution: A}"
    (mistake,) = mistakes_of(in_viewer(f"base_maps: [{each % 'osm'}, {each % name}]"))

    assert f"base map {name} is there already" in mistake


def test_titles_are_in_the_languages_of_the_service(mistakes_of):
    text = base_map("/{z}/{x}/{y}").replace("title: Streets", "title: {nl: Straten}")

    (mistake,) = mistakes_of(text)

    assert "service.viewer.base_maps[0].title.nl: language 'nl'" in mistake


@pytest.mark.parametrize("zoom", [-1, 25])
def test_zoom_levels_are_those_of_tiles(mistakes_of, zoom):
    (mistake,) = mistakes_of(base_map("/{z}/{x}/{y}", more=f", max_zoom: {zoom}"))

    assert "max_zoom" in mistake


def test_maps_of_wms_and_of_files_and_overlays_and_a_geocoder(load, tmp_path):
    wms = "{id: topo, title: A, kind: wms, href: 'https://w.example/wms?map=a', layers: 'a,b', attribution: A}"
    file = "{id: here, title: A, kind: pmtiles, href: maps/here.pmtiles, attribution: A, opacity: 0.5}"
    geocoder = "geocoder: {href: 'https://g.example/search?q={query}', attribution: G}"
    text = in_viewer(f"base_maps: [{wms}], overlays: [{file}], default_base_map: topo, {geocoder}")

    found = load(text).service.info(tmp_path).viewer

    (topo,), (here,) = found.base_maps, found.overlays
    assert (topo.kind, topo.href, topo.layers) == ("wms", "https://w.example/wms?map=a", "a,b")
    assert (here.kind, here.href, here.opacity) == ("pmtiles", str(tmp_path / "maps/here.pmtiles"), 0.5)
    assert (found.default_base_map, found.geocoder.href) == ("topo", "https://g.example/search?q={query}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base_maps: [{id: a, title: A, kind: wms, href: 'https://w.example', attribution: A}]", "layers are needed"),
        ("base_maps: [{id: a, title: A, href: '/{z}/{x}/{y}', layers: b, attribution: A}]", "layers are needed"),
        ("base_maps: [{id: a, title: A, kind: wms, href: 'ftp://w', layers: b, attribution: A}]", "is not a URL"),
        ("overlays: [{id: a, title: A, kind: pmtiles, href: a.mbtiles, attribution: A}]", ".pmtiles file"),
        ("overlays: [{id: None, title: A, href: '/{z}/{x}/{y}', attribution: A}]", "is there already"),
        ("default_base_map: streets", "there is no streets"),
        ("geocoder: {href: 'https://g.example/', attribution: A}", "must have {query} once"),
        ("geocoder: {href: 'g.example/{query}', attribution: A}", "is not a URL"),
    ],
)
def test_invalid_base_map_or_geocoder_is_refused(mistakes_of, text, said):
    (mistake,) = mistakes_of(in_viewer(text))

    assert said in mistake
