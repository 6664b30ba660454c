"""From configurations and opened sources to the catalogue."""

import pytest

from chronotile.catalog.build import build_catalogue
from chronotile.catalog.offered import offered_places
from chronotile.catalog.source_specs import absolute_href, source_specs
from chronotile.core.errors import ConfigurationError
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Alias, Composite
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.style import Colour, StyleClass
from chronotile.core.model.time.parser import parse_instant
from chronotile.readers.kinds import kind_options
from tests.places import make_places


def in_collection(text, *, source="{kind: cog, href: a.tif}"):
    """Return a configuration of one collection `c`."""
    return "\n".join(["collections:", "  c:", f"    source: {source}", *(f"    {line}" for line in text.splitlines())])


@pytest.fixture
def build(load, make):
    """Return `build(text, c=info)`: the catalogue and the findings."""
    styles = {style.id: style for style in (make.style("ndvi", span=(-0.08, 0.92)), make.style("greys"))}
    return lambda text, **infos: build_catalogue(load(text), infos, styles)


@pytest.fixture
def ndvi(make):
    """Return a source of one variable with two days."""
    return make.info(make.variable("NDVI", times=make.times("2020-01-01", "2020-01-11")))


@pytest.mark.parametrize(
    ("href", "absolute"),
    [
        ("a.tif", "/data/config/a.tif"),
        ("../data/{variable}_*.tif", "/data/data/{variable}_*.tif"),
        ("/else/a.zarr", "/else/a.zarr"),
        ("file:///else/a%20b.zarr", "/else/a b.zarr"),
        ("s3://bucket/a/../b.zarr", "s3://bucket/a/../b.zarr"),
        ("https://example.org/a.tif?x=1", "https://example.org/a.tif?x=1"),
    ],
)
def test_paths_count_from_the_folder_of_their_file(tmp_path, href, absolute):
    folder = type(tmp_path)("/data/config")

    assert absolute_href(href, folder, kind_options()["cog"]) == absolute


@pytest.mark.parametrize(("href", "absolute"), [("a.tif", "/a [1]/{x}/a.tif"), ("*.tif", "/a ?1?/?x?/*.tif")])
def test_a_folder_is_no_part_of_a_pattern(tmp_path, href, absolute):
    assert absolute_href(href, type(tmp_path)("/a [1]/{x}"), kind_options()["cog"]) == absolute


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_brackets_in_the_name_of_a_store_are_no_pattern(tmp_path, kind):
    assert absolute_href("b[2].x", type(tmp_path)("/a [1]"), kind_options()[kind]) == "/a [1]/b[2].x"


def test_the_cube_of_a_sources_series_counts_from_the_folder_of_its_file(load, tmp_path):
    text = in_collection("title: T", source="{kind: cog, href: '*.tif', series: ../series.zarr}")

    spec = source_specs(load({"config.yaml": "include: sub/b.yaml", "sub/b.yaml": text}), {})["c"]

    assert spec.series == str(tmp_path / "series.zarr")


def test_source_gets_the_configured_values(load, tmp_path):
    text = in_collection(
        "variables: {V: {name: v, band: 2, title: {en: T}, units: m, scale: 2, offset: 1, nodata: 0, flags: {3: x}}}",
        source=r"{kind: cog, href: ../a.tif, crs: EPSG:3035, time_pattern: '(?P<time>\d{8})'}",
    )

    spec = source_specs(load({"config.yaml": "include: sub/b.yaml", "sub/b.yaml": text}), {})["c"]

    assert (spec.collection, spec.kind, spec.href, spec.crs) == ("c", "cog", str(tmp_path / "a.tif"), "EPSG:3035")
    assert spec.time_pattern == r"(?P<time>\d{8})"
    variable = spec.variables["V"]
    assert (variable.id, variable.name, variable.band, variable.title, variable.units) == ("V", "v", 2, "T", "m")
    assert (variable.scale, variable.offset, variable.nodata, variable.flags) == (2, 1, 0, ((3, "x"),))


def test_source_without_variables_is_served_whole(load):
    spec = source_specs(load(in_collection("")), {})["c"]

    assert (spec.variables, spec.times) == ({}, None)


def test_layers_are_those_configured(build, make):
    info = make.info(make.variable("A"), make.variable("B"), make.variable("C"))

    catalogue, findings = build(in_collection("variables: {B: {layer: L}, A: }"), c=info)

    assert [layer.id for layer in catalogue.layers] == ["L", "c.A"]
    assert findings == ()


def test_without_configured_variables_all_are_layers(build, make):
    catalogue, _ = build(in_collection(""), c=make.info(make.variable("A"), make.variable("B")))

    assert [layer.id for layer in catalogue.layers] == ["c.A", "c.B"]


def test_layer_gets_the_configured_values(build, ndvi):
    text = in_collection(
        "license: CC0\nkeywords: [plants]\ntime: {default: earliest}\n"
        "variables:\n"
        "  NDVI: {title: Green, abstract: Text, aliases: [X, {name: Y, advertise: true}], resampling: bilinear}"
    )

    layer = build(text, c=ndvi)[0].layer("Y")

    assert (layer.title, layer.abstract, layer.resampling) == ({"": "Green"}, {"": "Text"}, "bilinear")
    assert layer.aliases == (Alias(name="X"), Alias(name="Y", advertise=True))
    assert (layer.license, layer.keywords, layer.time_rules.default) == ("CC0", ("plants",), "earliest")
    assert layer.times is ndvi.variables["NDVI"].times


def test_titles_come_from_the_source_then_from_ids(build, make):
    info = make.info(make.variable("A", title="From the file"), make.variable("B"), title="The file")

    catalogue, _ = build(in_collection(""), c=info)

    assert catalogue.collections[0].title == {"": "The file"}
    assert [layer.title for layer in catalogue.layers] == [{"": "From the file"}, {"": "B"}]
    assert build(in_collection(""), c=make.info(make.variable("A")))[0].collections[0].title == {"": "c"}


def test_a_collection_that_did_not_open_leaves_the_others(build, ndvi):
    text = in_collection("") + "\n  d: {source: {kind: cog, href: b.tif}}"

    catalogue, findings = build(text, d=ndvi)

    assert [collection.id for collection in catalogue.collections] == ["d"]
    assert findings == ()


def test_extent_covers_all_layers(build, make):
    info = make.info(make.variable("A", corner=(4, 51)), make.variable("B", corner=(-2, 53), size=(3, 1)))

    assert build(in_collection(""), c=info)[0].collections[0].bbox == pytest.approx(BBox(-2, 50, 5, 53))


def test_configured_styles_come_in_their_order(build, ndvi):
    layer = build(in_collection("variables: {NDVI: {styles: [greys, ndvi]}}"), c=ndvi)[0].layer("c.NDVI")

    assert [style.id for style in layer.styles] == ["greys", "ndvi"]


def test_a_range_stretches_all_styles_of_the_layer(build, ndvi):
    catalogue, _ = build(in_collection("variables: {NDVI: {styles: [greys, ndvi], range: [0.2, 0.6]}}"), c=ndvi)

    assert [style.range for style in catalogue.layer("c.NDVI").styles] == [(0.2, 0.6), (0.2, 0.6)]
    assert catalogue.ramp("ndvi").range == (-0.08, 0.92)


def test_style_is_chosen_if_none_is_configured(build, ndvi):
    assert build(in_collection(""), c=ndvi)[0].layer("c.NDVI").styles[0].id == "ndvi"


def test_classes_of_a_file_are_a_style_of_the_catalogue(build, make):
    info = make.info(make.variable("map", classes=(StyleClass(1, Colour(1, 2, 3), "x"),)))

    assert "c.map-classes" in build(in_collection(""), c=info)[0].styles


def test_an_unknown_style_is_a_mistake_with_its_place(build, ndvi):
    with pytest.raises(ConfigurationError) as caught:
        build(in_collection("variables:\n  NDVI:\n    styles: [ndvy]"), c=ndvi)

    assert caught.value.mistakes == (
        "config.yaml:6: collections.c.variables.NDVI.styles[0]: style 'ndvy' is not known; the nearest is ndvi",
    )


COMPOSITE = "variables: {R: , G: {resampling: bilinear}, B: }\ncomposites: {X: {variables: [R, G, B], range: [0, 9]}}"


@pytest.fixture
def colours(make):
    """Return `colours(red_days, green_days, blue_days)`: a source of three variables."""
    return lambda *days: make.info(
        *(make.variable(name, times=make.times(*each)) for name, each in zip("RGB", days, strict=True))
    )


def test_a_composite_has_the_times_of_all_three(build, colours):
    info = colours(["2020-01-01", "2020-01-02", "2020-01-03"], ["2020-01-02", "2020-01-03"], ["2020-01-03"])

    layer = build(in_collection(COMPOSITE), c=info)[0].layer("c.X")

    assert isinstance(layer.content, Composite)
    assert (layer.content.range, layer.content.gamma, layer.title) == ((0, 9), 1, {"": "X"})
    assert [variable.name for variable in layer.variables] == ["R", "G", "B"]
    assert [str(day)[:10] for day in layer.times] == ["2020-01-03"]
    assert layer.styles[0].range == (0, 9)


def test_a_composite_without_time_is_drawn(build, colours):
    catalogue, findings = build(in_collection(COMPOSITE), c=colours([], [], []))

    assert (len(catalogue.layer("c.X").times), findings) == (0, ())


def test_composite_without_a_common_time_is_skipped(build, colours):
    catalogue, findings = build(in_collection(COMPOSITE), c=colours(["2020-01-01"], ["2020-01-02"], []))

    assert [layer.id for layer in catalogue.layers] == ["c.R", "c.G", "c.B"]
    assert findings == (Finding("error", "c.X", "left out: its three variables have no time in common"),)


def test_composite_of_variables_missing_from_the_source_is_skipped(build, make):
    text = in_collection("composites: {X: {variables: [A, B, A], range: [0, 1]}}")

    catalogue, findings = build(text, c=make.info(make.variable("A")))

    assert [layer.id for layer in catalogue.layers] == ["c.A"]
    assert findings == (Finding("error", "c.X", "left out: the source has no variable B; it has A"),)


def test_variable_missing_from_the_source_is_skipped(build, ndvi):
    catalogue, findings = build(in_collection("variables: {NDVI: , NDVY: }"), c=ndvi)

    assert [layer.id for layer in catalogue.layers] == ["c.NDVI"]
    message = "left out: the source has no such variable; the nearest is NDVI; it has NDVI"
    assert findings == (Finding("error", "c.NDVY", message),)


def test_items_without_configured_variables_name_the_key(build, make):
    _catalogue, findings = build(in_collection("title: C"), c=make.info())

    message = "left out: it names no variables; set variables:, such as {V: {band: 1}}"
    assert findings == (Finding("error", "c", message),)


def test_collection_without_layers_is_skipped(build, ndvi):
    catalogue, findings = build(in_collection("variables: {LAI: }"), c=ndvi)

    assert catalogue.collections == ()
    assert findings[-1] == Finding("error", "c", "left out: it has no layer that can be drawn")


def test_name_that_cannot_be_an_id_is_reported(build, make):
    catalogue, findings = build(in_collection(""), c=make.info(make.variable("A"), make.variable("B (raw)")))

    assert [layer.id for layer in catalogue.layers] == ["c.A"]
    assert [(each.severity, each.place) for each in findings] == [("warning", "c.B (raw)")]


def test_duplicate_name_is_reported(build, make):
    text = in_collection("variables: {A: {aliases: [d.B]}}") + "\n  d: {source: {kind: cog, href: b.tif}}"

    catalogue, findings = build(
        text, c=make.info(make.variable("A")), d=make.info(make.variable("B"), make.variable("C"))
    )

    assert [layer.id for layer in catalogue.layers] == ["c.A", "d.C"]
    assert [(each.severity, each.place) for each in findings] == [("error", "d.B")]


def test_grid_without_longitudes_is_reported(build, make):
    lost = make.variable("A", crs="EPSG:3035", corner=(1e9, 1e9))

    catalogue, findings = build(in_collection(""), c=make.info(lost, make.variable("B")))

    assert [layer.id for layer in catalogue.layers] == ["c.B"]
    assert [(each.severity, each.place) for each in findings] == [("error", "c.A")]


def test_default_time_missing_from_the_layer_is_reported(build, ndvi):
    _, findings = build(in_collection("time: {default: 2020-01-05}"), c=ndvi)

    message = (
        "time.default means 2020-01-05T00:00:00Z to 2020-01-06T00:00:00Z, in which the layer has no time; the "
        "layer has no default"
    )
    assert findings == (Finding("warning", "c.NDVI", message),)


def test_a_default_that_the_layer_has_is_its_default(build, ndvi):
    catalogue, findings = build(in_collection("time: {default: 2020-01-11}"), c=ndvi)

    assert catalogue.layer("c.NDVI").time_rules.default == parse_instant("2020-01-11")
    assert findings == ()


@pytest.mark.parametrize(
    ("days", "text"), [(["2018-05-01", "2020-01-11"], "Copernicus data 2020"), ([], "Copernicus data")]
)
def test_year_of_the_attribution_is_that_of_the_last_time(build, make, days, text):
    info = make.info(make.variable("A", times=make.times(*days)))

    catalogue, _ = build(in_collection('attribution: "Copernicus data {year}"'), c=info)

    assert (catalogue.layer("c.A").attribution, catalogue.collections[0].attribution) == (text, text)


def test_a_last_time_over_the_turn_of_the_year_has_both_years(build, load, make):
    text = in_collection(
        "attribution: '{year}'", source="{kind: cog, href: a, times: {start: 2019-12-25, step: P16D, count: 1}}"
    )
    info = make.info(make.variable("A", times=source_specs(load(text), {})["c"].times))

    assert build(text, c=info)[0].layer("c.A").attribution == "2019-2020"


def test_a_last_time_that_ends_with_the_year_has_one_year(build, load, make):
    text = in_collection("attribution: '{year}'", source="{kind: cog, href: a, times: [2019]}")
    info = make.info(make.variable("A", times=source_specs(load(text), {})["c"].times))

    assert build(text, c=info)[0].layer("c.A").attribution == "2019"


def test_attribution_and_licence_of_the_source_stand_in(build, make):
    info = make.info(make.variable("A"), attribution="NASA", license="CC0")

    layer = build(in_collection(""), c=info)[0].layer("c.A")

    assert (layer.attribution, layer.license) == ("NASA", "CC0")


def test_the_catalogue_has_the_service(build, ndvi):
    text = "service: {title: T, crs: [EPSG:3857, CRS:84, 'OGC:CRS84'], limits: {max_pixels: 7}}\n" + in_collection("")

    catalogue, _ = build(text, c=ndvi)

    assert (catalogue.service.title, catalogue.limits.max_pixels) == ({"": "T"}, 7)
    assert [crs.name for crs in catalogue.crs] == ["EPSG:3857", "OGC:CRS84"]
    assert catalogue.tile_matrix_set("EPSG:3857").id == "WebMercatorQuad"


def test_viewer_starts_with_an_existing_layer_or_check_reports_it(build, ndvi):
    texts = [f"service: {{viewer: {{default_layer: {name}}}}}\n{in_collection('')}" for name in ("c.NDVI", "c.NVDI")]

    findings = [build(text, c=ndvi)[1] for text in texts]

    assert findings[0] == ()
    assert findings[1] == (
        Finding(
            "warning",
            "service.viewer.default_layer",
            "layer 'c.NVDI' is not known; the nearest is c.NDVI; the viewer starts with the first layer",
        ),
    )


def test_missing_logo_is_reported_by_check(build, ndvi):
    _, findings = build(f"service: {{logo: logo.png}}\n{in_collection('')}", c=ndvi)

    message = "the file of the logo is missing; the viewer shows the title alone"
    assert findings == (Finding("warning", "service.logo", message),)


def test_places_named_like_a_layer_are_no_collection_and_check_reports_it(load, make, ndvi):
    text = in_collection("") + "\nplaces: {c: {href: c.geojson}, squares: {href: squares.geojson}}\n"
    places = dict.fromkeys(("c", "squares"), make_places())

    catalogue, (finding,) = build_catalogue(load(text), {"c": ndvi}, {}, places=places)

    assert (finding.severity, finding.place) == ("warning", "places.c")
    assert list(offered_places(catalogue)) == ["squares"]
