"""Configuration files: their meaning, and every kind of mistake with its line and key."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.catalog.limits import Limits
from chronotile.catalog.load import load_configuration, parse_configuration
from chronotile.catalog.service_info import Contact, PostalAddress
from chronotile.catalog.source_section import RegularTimes
from chronotile.catalog.source_specs import source_specs
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.collection import TimeRules
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.quality import AbsentFlags, ValueBounds
from chronotile.core.model.source import Mask
from chronotile.core.model.time.parser import parse_instant
from chronotile.readers.kinds import kind_options

SMALLEST = "collections: {c: {source: {kind: cog, href: a.tif}}}\n"

DESIGN = r"""include: [collections/*.yaml]
service:
  title: Vegetation of Belgium
  url: null
  contact: {name: Me, email: me@example.org}
  languages: [en, nl, fr]
  paths: {wms: [/wms], wmts: [/wmts]}
  crs: [EPSG:4326, CRS:84, EPSG:3857, EPSG:32631, EPSG:3035]
  tile_matrix_sets: [WebMercatorQuad, WorldCRS84Quad]
  limits: {max_pixels: 16777216, max_cube_values: 33554432, max_series_values: 5000000, max_body_bytes: 33554432,
    max_features: 20000, max_vertices: 1000000}
collections:
  s2-biopar:
    title: Sentinel-2 biophysical parameters, 10-daily
    attribution: "Contains modified Copernicus Sentinel data {year}"
    license: CC-BY-4.0
    keywords: [vegetation]
    source: {kind: zarr, href: ../data/biopar.zarr}
    time: {default: latest, match: exact}
    variables:
      NDVI:
        name: ndvi
        layer: NDVI
        title: NDVI
        units: "1"
        scale: 0.004
        offset: -0.08
        nodata: 255
        flags: {251: snow, 252: cloud, 254: water}
        styles: [ndvi, greys]
        aliases: [CGS_S2_NDVI, TERRASCOPE_S2_NDVI_V2]
      SCL: {styles: [scene-classes]}
  s2-toc:
    source: {kind: cog, href: "../data/toc/{variable}_*.tif", time_pattern: '_(?P<time>\d{8})'}
    variables: {RED: {}, GREEN: {}, BLUE: {}, NIR: {}}
    composites:
      TRUE_COLOUR: {layer: CGS_S2_RADIOMETRY, variables: [RED, GREEN, BLUE], range: [0, 3000], gamma: 1.6}
  dekads:
    source: {kind: cog, href: ../data/ndmi.tif, crs: "EPSG:6372",
      times: {start: 2001-01-01, step: dekad, count: 612}}
    variables: {NDMI: {range: [-1, 1]}}
"""


def in_collection(text, *, indent=4):
    """Return a configuration of one collection whose additional keys begin in line 4."""
    lines = [f"{' ' * indent}{line}" for line in text.splitlines()]
    return "\n".join(["collections:", "  c:", "    source: {kind: cog, href: a.tif}", *lines, ""])


def in_service(text):
    """Return a configuration whose `service` begins in line 2."""
    return f"service:\n  {text}\n{SMALLEST}"


def test_the_example_of_the_design_is_read(load):
    configuration = load(DESIGN)

    assert list(configuration.collections) == ["s2-biopar", "s2-toc", "dekads"]
    assert configuration.service.info().languages == ("en", "nl", "fr")


def test_keys_mean_the_same_as_in_the_design(load):
    ndvi = load(DESIGN).collections["s2-biopar"].variables["NDVI"]

    assert (ndvi.layer, ndvi.units, ndvi.scale, ndvi.offset, ndvi.nodata) == ("NDVI", "1", 0.004, -0.08, 255)
    assert ndvi.flags == {251: "snow", 252: "cloud", 254: "water"}
    assert ndvi.styles == ("ndvi", "greys")
    assert [alias.alias().name for alias in ndvi.aliases] == ["CGS_S2_NDVI", "TERRASCOPE_S2_NDVI_V2"]


def test_dekads_are_counted_from_their_start(load):
    times = load(DESIGN).collections["dekads"].source.time_domain()

    assert len(times) == 612
    assert [str(day)[:10] for day in times.starts[[0, 1, 2, 3, -1]]] == [
        *("2001-01-01", "2001-01-11", "2001-01-21", "2001-02-01", "2017-12-21"),
    ]
    assert str(times.ends[-1])[:10] == "2018-01-01"


def test_defaults_are_those_of_the_design(load):
    configuration = load(SMALLEST)
    service = configuration.service.info()

    assert (service.wms_paths, service.wmts_paths) == (("/wms",), ("/wmts",))
    assert [crs.name for crs in configuration.crs] == [
        *("EPSG:4326", "OGC:CRS84", "EPSG:3857", "EPSG:32631", "EPSG:3035"),
    ]
    assert [each.id for each in configuration.tile_matrix_sets] == ["WebMercatorQuad", "WorldCRS84Quad"]
    assert configuration.service.limits == Limits()
    assert configuration.collections["c"].time.rules() == TimeRules()
    assert (service.url, service.languages, service.wms_exception_status) == (None, ("en",), 200)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("default: earliest", TimeRules(default="earliest")),
        ("default: none", TimeRules(default="none")),
        ("default: 2020-06", TimeRules(default=parse_instant("2020-06"))),
        ("default: 2020", TimeRules(default=parse_instant("2020"))),
        ("default: {latest: {min_valid: 0.3}}", TimeRules(min_valid=0.3)),
        ("match: exact", TimeRules(is_always_exact=True)),
        ("match: nearest, tolerance_days: 1.5", TimeRules(match="nearest", tolerance=np.timedelta64(36, "h"))),
        ("match: before, tolerance_days: 10", TimeRules(match="before", tolerance=np.timedelta64(10, "D"))),
    ],
)
def test_time_rules_are_read(load, text, rules):
    assert load(in_collection(f"time: {{{text}}}")).collections["c"].time.rules() == rules


@pytest.mark.parametrize(
    ("text", "starts", "ends"),
    [
        ("[2001-01-01, 2001-01-17]", ["2001-01-01", "2001-01-17"], ["2001-01-02", "2001-01-18"]),
        ("[2001, 2002]", ["2001-01-01", "2002-01-01"], ["2002-01-01", "2003-01-01"]),
        ("[2001-01, 2001-03]", ["2001-01-01", "2001-03-01"], ["2001-02-01", "2001-04-01"]),
        ("['2001-01-01T10:30:00Z']", ["2001-01-01T10:30"], ["2001-01-01T10:30:00.000000001"]),
        ("{start: 2001-01-31, step: P1M, count: 2}", ["2001-01-31", "2001-02-28"], ["2001-02-28", "2001-03-31"]),
        ("{start: 2001-01-01, step: PT6H, count: 1}", ["2001-01-01"], ["2001-01-01T06:00"]),
    ],
    ids=["days", "years", "months", "instant", "months from a day", "hours"],
)
def test_times_are_spans(load, text, starts, ends):
    source = f"collections:\n  c:\n    source:\n      kind: cog\n      href: a.tif\n      times: {text}\n"

    times = load(source).collections["c"].source.time_domain()

    np.testing.assert_array_equal(times.starts, np.array(starts, "datetime64[ns]"))
    np.testing.assert_array_equal(times.ends, np.array(ends, "datetime64[ns]"))


@pytest.mark.parametrize(
    ("text", "value"), [("nan", "nan"), (".nan", "nan"), ("NaN", "nan"), ("-3.4e38", "-3.4e+38"), ("0", "0.0")]
)
def test_nodata_is_a_number_or_nan(load, text, value):
    configuration = load(in_collection(f"variables: {{V: {{nodata: {text}}}}}"))

    assert repr(configuration.collections["c"].variables["V"].nodata) == value


def test_a_small_number_may_be_written_with_an_exponent(load):
    assert load(in_collection("variables: {V: {scale: 1e-4}}")).collections["c"].variables["V"].scale == 1e-4


def test_a_variable_may_be_called_no(load):
    configuration = load(in_collection("variables:\n  NO: {units: mg}\n  on:\n"))

    assert list(configuration.collections["c"].variables) == ["NO", "on"]


def test_texts_may_be_given_by_language(load):
    text = in_service("languages: [en, nl]\n  title: {en: Plants, nl: Planten}\n  abstract: Any")

    info = load(text).service.info()

    assert (info.title, info.abstract) == ({"en": "Plants", "nl": "Planten"}, {"": "Any"})


def test_old_clients_may_be_answered_with_200(load):
    assert load(in_service("wms: {exception_status: 400}")).service.info().wms_exception_status == 400


def test_formats_of_wmts_are_read(load):
    assert load(in_service("wmts: {formats: [image/png]}")).service.info().wmts_formats == ("image/png",)


def test_the_base_url_ends_without_a_slash(load):
    assert load(in_service("url: https://example.org/maps/")).service.info().url == "https://example.org/maps"


def test_hosts_and_origins_are_as_browsers_write_them(load):
    service = load(
        in_service("hosts: [Maps.example.org]\n  origins: ['HTTPS://Maps.example.org:443', 'http://a:8080']")
    )

    info = service.service.info()
    assert info.hosts == ("maps.example.org",)
    assert info.origins == ("https://maps.example.org", "http://a:8080")


def test_the_contact_has_a_telephone_and_an_address(load):
    texts = '{telephone: "+32 2", address: {city: Brussels, postcode: "1000"}}'
    info = load(in_service(f"contact: {texts}\n  keywords: [vegetation]")).service.info()

    assert info.keywords == ("vegetation",)
    assert info.contact == Contact(telephone="+32 2", address=PostalAddress(city="Brussels", postcode="1000"))


@pytest.mark.parametrize("contact", ["contact: {}", "contact: {address: {}}", "title: T"])
def test_a_contact_without_any_part_is_empty(load, contact):
    assert load(in_service(contact)).service.info().contact.is_empty


def test_values_come_from_the_environment(load):
    configuration = load(in_service("limits:\n    max_pixels: ${P}"), environment={"P": "9"})

    assert configuration.service.limits.max_pixels == 9


def test_included_files_add_collections(load):
    files = {
        "config.yaml": "include: [more/*.yaml]\nservice: {title: T}\n",
        "more/b.yaml": SMALLEST.replace("c:", "b:"),
        "more/a.yaml": "include: deeper/x.yaml\nservice: {url: https://example.org}\n",
        "more/deeper/x.yaml": SMALLEST,
    }

    configuration = load(files)

    assert sorted(configuration.collections) == ["b", "c"]
    assert (configuration.service.title, configuration.service.url) == ({"": "T"}, "https://example.org")
    assert configuration.folder_of("collections", "c") == Path.cwd() / "more" / "deeper"


def test_files_that_include_each_other_are_read_once(load):
    files = {"config.yaml": f"include: [b.yaml, ./b.yaml]\n{SMALLEST}", "b.yaml": "include: config.yaml\n"}

    assert list(load(files).collections) == ["c"]


def test_a_pattern_may_match_no_file_yet(load):
    assert list(load(f"include: [collections/*.yaml]\n{SMALLEST}").collections) == ["c"]


def test_values_without_a_file_are_checked_alike(tmp_path):
    values = {"collections": {"c": {"source": {"kind": "cog", "hreff": "a.tif"}}}}

    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(values, file=Path("data/found"), kinds=kind_options())

    assert caught.value.mistakes == (
        "data/found: collections.c.source.href: the key is missing",
        "data/found: collections.c.source.hreff: unknown key; the nearest is href; accepted are kind, href, "
        "tiles, filter, mode, time_pattern, without, group, crs, times, series",
    )


@pytest.mark.parametrize("text", ["[", "- a", "collections: {"])
def test_file_without_a_mapping_is_one_mistake(mistakes_of, text):
    assert len(mistakes_of(text)) == 1


def test_a_byte_order_mark_is_passed_over(load):
    assert list(load("\ufeff" + SMALLEST).collections) == ["c"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("collection: {}", "config.yaml:1: collection: unknown key; the nearest is collections; accepted are include, "
            "service, access, collections, places"),
        ("places: [a]", "config.yaml:1: places: must be a mapping (key: value)"),
        ("include: gone.yaml", "config.yaml:1: include: gone.yaml matches no file"),
        ("include: [5]", "config.yaml:1: include[0]: must be text, got 5; put it in quotes"),
        ("include: {a: 1}", "config.yaml:1: include: must be a list such as [a, b]"),
    ],
    ids=["unknown", "places", "gone", "number", "mapping"],
)  # fmt: skip
def test_a_mistake_at_the_top(mistakes_of, text, mistake):
    assert mistakes_of(f"{text}\n{SMALLEST}") == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "config.yaml:1: collections: the key is missing"),
        ("collections: {}", "config.yaml:1: collections: must have 1 or more entries"),
        ("collections: []", "config.yaml:1: collections: must be a mapping (key: value)"),
        ("collections:\n", "config.yaml:1: collections: must be a mapping (key: value), got nothing"),
        ("collections: {c: }", "config.yaml:1: collections.c: must be a mapping (key: value), got nothing"),
        ("collections: {c: {}}", "config.yaml:1: collections.c.source: the key is missing"),
    ],
)
def test_without_a_collection_there_is_nothing_to_serve(mistakes_of, text, mistake):
    assert mistakes_of(text) == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("titel: T", "service.titel: unknown key; the nearest is title; accepted are title, logo, abstract, keywords, "
            "url, contact, hosts, origins, id, languages, paths, crs, tile_matrix_sets, limits, wms, wmts, inspire, "
            "viewer, webhooks"),
        ("title: 5", "service.title: must be a mapping (key: value), got 5"),
        ("title: {}", "service.title: must have 1 or more entries"),
        ("title: {de: D}", "service.title.de: language 'de' is not one of service.languages (en)"),
        ("title: {english: D}", "service.title.english: 'english' is not a language; accepted are tags such as en, nl "
            "or pt-BR"),
        ("title: {en: 2020}", "service.title.en: must be text, got 2020; put it in quotes"),
        ("url: ftp://x", "service.url: 'ftp://x' is not a base URL; accepted is http(s)://host/path without ? and #"),
        ("hosts: [https://a.example]", "service.hosts[0]: 'https://a.example' is not a host name; accepted is a name "
            "without port, such as maps.example.org"),
        ("hosts: [a.example:80]", "service.hosts[0]: 'a.example:80' is not a host name; accepted is a name without "
            "port, such as maps.example.org"),
        ("host: [a.example]", "service.host: unknown key; the nearest is hosts; accepted are title, logo, abstract, "
            "keywords, url, contact, hosts, origins, id, languages, paths, crs, tile_matrix_sets, limits, wms, wmts, "
            "inspire, viewer, webhooks"),
        *((f"origins: ['{origin}']", f"service.origins[0]: '{origin}' is not a web origin; accepted is http(s)://host "
            "or http(s)://host:port without a path, such as https://maps.example.org")
          for origin in ("*", "null", "a.example", "https://a.example/", "https://a@a.example", "ftp://a.example")),
        ("origins: ['https://a.example', 'https://A.example:443']", "service.origins: https://a.example is listed "
            "twice"),
        ("contact: {mail: a}", "service.contact.mail: unknown key; the nearest is email; accepted are name, email, "
            "telephone, address"),
        ("languages: [en, en]", "service.languages: en is listed twice"),
        ("languages: []", "service.languages: must have 1 or more entries"),
        ("paths: {wms: [wms]}", "service.paths.wms[0]: 'wms' is not a valid path; accepted are / and then letters, "
            "digits, _ . "
            "~ -, such as /wms/v2"),
        ("paths: {wms: [/tiles/x]}", "service.paths.wms[0]: /tiles/x starts like one of the server's own paths"),
        ("paths: {wms: [/wmts]}", "service.paths: /wmts cannot be a path of both wms and wmts"),
        ("crs: [EPSG:99999]", "service.crs[0]: 'EPSG:99999' is not a known coordinate reference system; accepted are "
            "codes such as EPSG:32631 and CRS:84, WKT and PROJ text"),
        ("crs: [+proj=ortho]", "service.crs[0]: '+proj=ortho' has no code that clients could use; accepted are "
            "CRS such as EPSG:3857"),
        ("crs: EPSG:4326", "service.crs: must be a list such as [a, b], got 'EPSG:4326'"),
        ("limits: {max_pixels: 0}", "service.limits.max_pixels: it must be greater than 0, got 0"),
        ("limits: {max_pixels: 1.5}", "service.limits.max_pixels: must be a whole number, got 1.5"),
        ("limits: {max_pixels: many}", "service.limits.max_pixels: must be a whole number, got 'many'"),
        ("limits: {max_pixel: 1}", "service.limits.max_pixel: unknown key; the nearest is max_pixels; accepted are "
            "max_pixels, max_cube_values, max_animation_pixels, max_series_values, max_area_values, "
            "max_coverage_bytes, max_seconds, max_body_bytes, max_features, max_vertices"),
        ("wms: {exception_status: 500}", "service.wms.exception_status: accepted are 200 or 400, got 500"),
        ("tile_matrix_sets: [a.json]", "service.tile_matrix_sets[0]: a.json cannot be read: No such file or directory"),
        ("tile_matrix_sets: [EPSG:3857, WebMercatorQuad]", "service.tile_matrix_sets[1]: tile matrix set "
            "WebMercatorQuad is listed twice"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_service(mistakes_of, text, mistake):
    assert mistakes_of(in_service(text)) == [f"config.yaml:2: {mistake}"]


def test_an_unknown_tile_matrix_set_names_the_nearest(mistakes_of):
    (mistake,) = mistakes_of(in_service("tile_matrix_sets: [WebMercatorQuat]"))

    assert mistake.startswith(
        "config.yaml:2: service.tile_matrix_sets[0]: tile matrix set 'WebMercatorQuat' is not known; the nearest is "
        "WebMercatorQuad; accepted are "
    )
    assert "EPSG:3857" in mistake


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("sources: {}", "sources: unknown key; the nearest is source; accepted are title, abstract, attribution, "
            "license, keywords, metadata, source, time, mosaic, search, grid, variables, composites, clear, access"),
        ("attribution: '{yaer}'", "attribution: {yaer} is not valid; accepted is {year}"),
        ("keywords: vegetation", "keywords: must be a list such as [a, b], got 'vegetation'"),
        ("time: {default: newest}", "time.default: 'newest' is not a valid default; accepted are latest, earliest, "
            "none, an "
            "instant such as 2020-06-01, and {latest: {min_valid: 0.3}}"),
        ("time: {default: {latest: {min_vaild: 1}}}", "time.default.latest.min_valid: the key is missing"),
        ("time: {default: {latest: {min_valid: 30}}}", "time.default.latest.min_valid: it must be at most 1, got 30"),
        ("time: {default: {earliest: 1}}", "time.default.latest: the key is missing"),
        ("time: {default: null}", "time.default: must be text, got nothing"),
        ("time: {match: nearest}", "time: match nearest needs tolerance_days"),
        ("time: {tolerance_days: 1}", "time: tolerance_days belongs to match nearest and before"),
        ("time: {match: nearby}", "time.match: accepted are 'exact', 'nearest' or 'before', got 'nearby'"),
        ("variables: {V: {scael: 1}}", "variables.V.scael: unknown key; the nearest is scale; accepted are name, band, "
            "asset, select, layer, title, abstract, units, scale, offset, nodata, valid_range, dtype, flags, "
            "circular, range, styles, aliases, queryable, resampling, mask, formula, access"),
        ("variables: {V: {select: {depth: {index: -1}}}}", "variables.V.select.depth.index: it must be at least 0, got "
            "-1"),
        ("variables: {V: {scale: 0}}", "variables.V.scale: scale must not be 0"),
        ("variables: {V: {scale: .inf}}", "variables.V.scale: must be a finite number, got inf"),
        ("variables: {V: {scale: '1'}}", "variables.V.scale: must be a number, got '1'"),
        ("variables: {V: {offset: true}}", "variables.V.offset: must be a number, got True"),
        ("variables: {V: {units: 1}}", "variables.V.units: must be text, got 1; put it in quotes"),
        ("variables: {V: {band: 0}}", "variables.V.band: it must be at least 1, got 0"),
        ("variables: {V: {range: [1]}}", "variables.V.range: too few values"),
        ("variables: {V: {range: [1, 0]}}", "variables.V.range: the first number must be less than the second, got 1 "
            "and 0"),
        ("variables: {V: {range: [1, 2, 3]}}", "variables.V.range: must have 2 or fewer entries"),
        ("variables: {V: {dtype: int12}}", "variables.V.dtype: accepted are 'int8', 'uint8', 'int16', 'uint16', "
            "'int32', 'uint32', 'int64', 'uint64', 'float32' or 'float64', got 'int12'"),
        ("variables: {V: {flags: {snow: 3}}}", "variables.V.flags.snow: must be a whole number, got 'snow'"),
        ("variables: {V: {flags: {3: 4}}}", "variables.V.flags.3: must be text, got 4; put it in quotes"),
        ("variables: {V: {styles: []}}", "variables.V.styles: must have 1 or more entries"),
        ("variables: {V: {styles: [a, a]}}", "variables.V.styles: a is listed twice"),
        ("variables: {V: {resampling: cubic}}", "variables.V.resampling: accepted are 'nearest' or 'bilinear', got "
            "'cubic'"),
        ("variables: {V: {aliases: ['a b']}}", "variables.V.aliases[0]: 'a b' is not a valid id; accepted are "
            "letters, digits, "
            "_ . and -, a letter or digit first, at most 200"),
        ("variables: {V: {aliases: [{name: a, advertise: yes}]}}", "variables.V.aliases[0].advertise: must be true "
            "or false, got 'yes'"),
        ("variables: {V: {aliases: [{nam: a}]}}", "variables.V.aliases[0].name: the key is missing"),
        ("variables: {'-V': {}}", "variables.-V: '-V' is not a valid id; accepted are letters, digits, _ . and -, a "
            "letter or "
            "digit first, at most 200"),
        ("variables: {V: {layer: é}}", "variables.V.layer: 'é' is not a valid id; accepted are letters, digits, _ . "
            "and -, a "
            "letter or digit first, at most 200"),
        ("variables: {V: {mask: {variable: V2}}, V2: {}}", "variables.V.mask: accepted is keep, or at_least and "
            "at_most, or without; got none"),
        ("variables: {V: {mask: {variable: V2, keep: [1], at_most: 2, without: [a]}}, V2: {}}", "variables.V.mask: "
            "accepted is keep, or at_least and at_most, or without; got keep, at_least and at_most and without"),
        ("variables: {V: {mask: {variable: V2, at_least: .nan}}, V2: {}}", "variables.V.mask.at_least: must be a "
            "finite number, got nan"),
        ("variables: {V: {mask: {variable: V2, at_least: 2, at_most: 1}}, V2: {}}", "variables.V.mask: at_least is "
            "greater than at_most: 2 and 1"),
        ("variables: {V: {mask: {variable: V2, at_least: 2, bits: hls_fmask}}, V2: {}}", "variables.V.mask: bits "
            "belongs to without"),
        ("variables: {V: {mask: {variable: V2, without: []}}, V2: {}}", "variables.V.mask.without: must have 1 or more "
            "entries"),
        ("variables: {V: {mask: {variable: V2, without: [1]}}, V2: {}}", "variables.V.mask.without[0]: must be text, "
            "got 1; put it in quotes"),
        ("variables: {V: {mask: {variable: V2, without: [snow], bits: fmask}}, V2: {}}", "variables.V.mask.bits: "
            "accepted are 'hls_fmask' or 'landsat_qa_pixel', got 'fmask'"),
        ("variables: {V: {mask: {variable: V2, without: [snwo], bits: hls_fmask}}, V2: {}}", "variables.V.mask: flag "
            "'snwo' does not exist; the nearest is snow; accepted are cirrus, cloud, adjacent_to_cloud, cloud_shadow, "
            "snow, water, aerosol_climatology, aerosol_low, aerosol_moderate, aerosol_high"),
        ("variables: {V: {mask: {variable: V2, atleast: 1}}, V2: {}}", "variables.V.mask.atleast: unknown key; the "
            "nearest is at_least; accepted are variable, keep, at_least, at_most, without, bits"),
        ("variables: {V: {mask: {variable: V2, keep: []}}, V2: {}}", "variables.V.mask.keep: must have 1 or more "
            "entries"),
        ("variables: {V: {mask: {variable: V2, keep: [x]}}, V2: {}}", "variables.V.mask.keep[0]: must be a whole "
            "number, got 'x'"),
        ("variables: {V: {mask: {variable: SCL, keep: [4]}}, SLC: {}}", "variables.V.mask.variable: variable 'SCL' is "
            "not one of the collection; the nearest is SLC; it has SLC"),
        ("variables: {V: {mask: {variable: V, keep: [4]}}}", "variables.V.mask.variable: a variable cannot mask "
            "itself; use valid_range and flags"),
        ("variables: {V: {mask: {variable: F, keep: [4]}}, F: {formula: V + 1}}", "variables.V.mask.variable: F "
            "is a formula; a mask must be a "
            "variable stored in a file"),
        ("variables: {V: {formula: 3}}", "variables.V.formula: must be text, got 3; put it in quotes"),
        ("variables: {V: {formula: 1 + 1}}", "variables.V.formula: '1 + 1' names no variable"),
        ("variables: {V: {formula: NIR + RED}, NIRR: {}, RED: {}}", "variables.V.formula: variable 'NIR' is not one "
            "of the collection; the nearest is NIRR; it has NIRR, RED"),
        ("variables: {V: {formula: V + A}, A: {}}", "variables.V.formula: the formula takes itself: V takes V"),
        ("variables: {V: {formula: A + X}, A: {formula: 2 * B}, B: {formula: V}, X: {}}", "variables.V.formula: the "
            "formula takes itself: V takes A takes B takes V"),
        *((f"variables: {{V: {{formula: A, {key}}}, A: {{}}}}", f"variables.V.{key.partition(':')[0]}: a formula "
            "is not stored in a file; remove it")
          for key in ("scale: 2", "offset: 1", "nodata: 0", "valid_range: [0, 1]", "dtype: int8", "flags: {1: a}",
            "name: b", "band: 2")),
        ("variables: {V: {title: {nl: X}}}", "variables.V.title.nl: language 'nl' is not one of service.languages "
            "(en)"),
        ("composites: {X: {variables: [A, B], range: [0, 1]}}", "composites.X.variables: too few values"),
        ("composites: {X: {variables: [A, B, C]}}", "composites.X.range: the key is missing"),
        ("composites: {X: {variables: [A, B, C], range: [0, 1], gamma: 0}}", "composites.X.gamma: it must be greater "
            "than 0, got 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_collection(mistakes_of, text, mistake):
    assert f"config.yaml:4: collections.c.{mistake}" in mistakes_of(in_collection(text))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("kind: cog", "source.href: the key is missing"),
        ("kind: gdal, href: a", "source.kind: accepted are 'zarr', 'cog', 'netcdf', 'stac' or 'raster', got 'gdal'"),
        (
            "kind: cog, href: ftp://a",
            "source.href: ftp:// cannot be read; accepted are a path, file://, s3://, gs://, az://, http://, https://",
        ),
        ("kind: cog, href: file://a/b.tif", "source.href: a file URL has three slashes: file:///path"),
        ("kind: cog, href: http:/a.example/b.tif", "source.href: http:/ has one slash; write http:// with two"),
        ("kind: cog, href: '{band}.tif'", "source.href: {band} is not valid; accepted is {variable}"),
        ("kind: zarr, href: '{variable}.zarr'", "source: {variable} in href belongs to kind cog"),
        (r"kind: cog, href: a, time_pattern: '\d{8}'", "source.time_pattern: a group named time, such as "
                r"(?P<time>\d{8}), or year is missing"),
        ("kind: cog, href: a, time_pattern: '(?P<time'", "source.time_pattern: not a valid regular expression: "
            "missing >, "
            "unterminated name at position 4"),
        ("kind: zarr, href: a, series: b.zarr", "source: series belongs to kind cog; serve a cube made by "
                                                "optimise as its own source"),
        (r"kind: zarr, href: a, time_pattern: '(?P<time>\d{8})'", "source: time_pattern belongs to kinds cog and "
            "netcdf; for a store without times use times: [2020-06-01]"),
        (r"kind: cog, href: a, times: [2001], time_pattern: '(?P<time>\d{8})'", "source: times and time_pattern "
            "exclude one another"),
        ("kind: cog, href: a, crs: EPSG:0", "source.crs: 'EPSG:0' is not a known coordinate reference system; accepted "
            "are codes such as EPSG:32631 and CRS:84, WKT and PROJ text"),
        ("kind: cog, href: a, times: []", "source.times: must have 1 or more entries"),
        ("kind: cog, href: a, times: [2001-13-01]", "source.times[0]: '2001-13-01' is not a valid time; "
            "accepted are 2020, 2020-06, 2020-06-01 and 2020-06-01T10:50:00Z"),
        ("kind: cog, href: a, times: [2001, 2001-01]", "source.times: times must be in ascending order, but "
            "2001-01 is not after the time before it"),
        ("kind: cog, href: a, times: {start: 2001, step: dekad}", "source.times.count: the key is missing"),
        ("kind: cog, href: a, times: {start: 2001, step: dekad, count: 1, end: 2}", "source.times.end: unknown key; "
            "accepted are start, step, count"),
        ("kind: cog, href: a, times: {start: 2001, step: weekly, count: 1}", "source.times.step: 'weekly' is not a "
            "valid step; "
            "accepted are dekad, or a period such as P1D, P1M or PT1H"),
        ("kind: cog, href: a, times: {start: 2001-01-05, step: dekad, count: 1}", "source.times: start 2001-01-05 "
            "is not the first day of a "
            "dekad (1, 11 or 21 of a month)"),
        ("kind: cog, href: a, times: {start: 2001, step: P9999Y, count: 9}", "source.times: the times reach beyond the "
            "year 2261"),
        ("kind: cog, href: a, times: {start: 2001, step: dekad, count: 100000}", "source.times: the times reach beyond "
            "the year 2261"),
        ("kind: cog, href: a, times: {start: 2001, step: P1D, count: 0}", "source.times.count: it must be at least 1, "
            "got 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_source(mistakes_of, text, mistake):
    assert f"config.yaml:1: collections.c.{mistake}" in mistakes_of(f"collections: {{c: {{source: {{{text}}}}}}}")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  a: {source: {kind: cog, href: x}, variables: {V: {layer: c}}}", "c"),
        ("  a: {source: {kind: cog, href: x}, variables: {V: {aliases: [c]}}}", "c"),
        ("  a: {source: {kind: cog, href: x}, variables: {V: {aliases: [{name: L}]}}}", "L"),
        ("  a: {source: {kind: cog, href: x}, variables: {V: {layer: L}}}", "L"),
        ("  a: {source: {kind: cog, href: x}, composites: {V: {layer: L, variables: [A, B, C], range: [0, 1]}}}", "L"),
        ("  a: {source: {kind: cog, href: x}, variables: {V: {layer: c.W}}}", "c.W"),
        ("  c.W: {source: {kind: cog, href: x}}", "c.W"),
    ],
    ids=["layer", "alias", "alias and layer", "layers", "composite", "default id", "collection"],
)
def test_collections_layers_and_aliases_are_unique_together(mistakes_of, text, name):
    first = "collections:\n  c: {source: {kind: cog, href: a}, variables: {V: {layer: L}, W: {}}}\n"

    (mistake,) = mistakes_of(first + text)

    assert f" {name} is already the name of collections/" in mistake
    assert mistake.endswith("collections, layers and aliases are unique together")


def test_name_defined_twice_is_reported_with_both_places(mistakes_of):
    text = in_collection("variables:\n  V: {layer: L}\n  W:\n    layer: L\n")

    assert mistakes_of(text) == [
        "config.yaml:7: collections.c.variables.W.layer: L is already the name of collections/c/variables/V/layer "
        "(config.yaml:5); collections, layers and aliases are unique together"
    ]


def test_a_composite_is_of_variables_of_its_collection(mistakes_of):
    text = in_collection(
        "variables: {RED: {}, GREEN: }\ncomposites:\n  X: {variables: [RED, GREN, GREEN], range: [0, 1]}"
    )

    assert mistakes_of(text) == [
        "config.yaml:6: collections.c.composites.X.variables[1]: variable 'GREN' is not one of the collection; the "
        "nearest is GREEN; it has RED, GREEN"
    ]


def test_only_rasters_have_bands(mistakes_of):
    text = "collections:\n  c:\n    source: {kind: zarr, href: a}\n    variables:\n      V: {band: 1}"

    assert mistakes_of(text) == [
        "config.yaml:5: collections.c.variables.V.band: band belongs to sources of kind cog or stac; in kind zarr "
        "name the array with name"
    ]


def test_unknown_styles_are_reported_with_the_nearest(mistakes_of):
    text = in_collection("variables:\n  V:\n    styles:\n      - greys\n      - ndvy")

    assert mistakes_of(text, styles={"greys", "ndvi"}) == [
        "config.yaml:8: collections.c.variables.V.styles[1]: style 'ndvy' is not known; the nearest is ndvi"
    ]


def test_keys_in_two_files_are_reported_with_both_places(mistakes_of):
    files = {
        "config.yaml": f"include: b.yaml\nservice: {{title: T}}\n{SMALLEST}",
        "b.yaml": "collections:\n  c: {source: {kind: cog, href: a}}\nservice:\n  title: U\n",
    }

    assert mistakes_of(files) == [
        "b.yaml:2: collections.c: the key is written twice, first in config.yaml:3",
        "b.yaml:4: service.title: the key is written twice, first in config.yaml:2",
    ]


def test_mistakes_in_included_files_name_them(mistakes_of):
    files = {"config.yaml": f"include: [sub/*.yaml]\n{SMALLEST}", "sub/b.yaml": "\nservice: {titel: T}\n"}

    assert mistakes_of(files)[0].startswith("sub/b.yaml:2: service.titel: unknown key")


def test_section_of_a_second_file_that_is_no_mapping_is_reported(mistakes_of):
    files = {"config.yaml": f"include: b.yaml\n{SMALLEST}", "b.yaml": "collections: 5"}

    assert mistakes_of(files) == ["b.yaml:1: collections: the key is written twice, first in config.yaml:2"]


def test_unset_variable_is_reported_once(mistakes_of):
    assert mistakes_of(in_service("limits: {max_pixels: '${GONE}'}")) == [
        "config.yaml:2: service.limits.max_pixels: the environment has no variable GONE"
    ]


def test_all_mistakes_of_all_files_are_reported_together(mistakes_of):
    files = {
        "config.yaml": "include: [b.yaml, gone.yaml]\nservice:\n  titel: T\n  titel: T\n  url: ${U}\n",
        "b.yaml": in_collection("variables:\n  V: {scael: 1, styles: [x], band: zero, aliases: [c]}\n"),
    }

    keys = [mistake.split(": ")[:2] for mistake in mistakes_of(files, styles=["y"])]

    assert keys == [
        ["config.yaml:1", "include[1]"],
        ["config.yaml:3", "service.titel"],
        ["config.yaml:4", "service.titel"],
        ["config.yaml:5", "service.url"],
        ["b.yaml:5", "collections.c.variables.V.band"],
        ["b.yaml:5", "collections.c.variables.V.scael"],
        ["b.yaml:5", "collections.c.variables.V.aliases[0]"],
        ["b.yaml:5", "collections.c.variables.V.styles[0]"],
    ]


def test_an_absent_file_is_a_mistake(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(Path("gone.yaml"), kinds=kind_options(), environment={})

    assert caught.value.mistakes == ("gone.yaml cannot be read: No such file or directory",)


def test_a_file_that_is_no_text_is_a_mistake(mistakes_of, write):
    (write({}) / "b.yaml").write_bytes(b"a: \xff")

    assert mistakes_of(f"include: b.yaml\n{SMALLEST}") == [
        "b.yaml:1: the file is not UTF-8 text: byte 3 cannot be read; save it as UTF-8"
    ]


tokens = st.sampled_from(
    [
        *("collections", "c", "source", "kind", "cog", "href", "times", "variables", "V", "flags", "range", "nan"),
        *("2001", "-1"),
    ]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | tokens | st.text(max_size=8)
trees = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(tokens, inner, max_size=5))


@given(st.dictionaries(tokens, trees, max_size=4))
def test_any_values_give_a_configuration_or_mistakes(values):
    assert all("\n" not in mistake for mistake in mistakes_in(values))


def valid_collection(**fields):
    return {"collections": {"c": {"source": {"kind": "cog", "href": "a"}, **fields}}}


@given(
    st.sampled_from(["title", "time", "variables", "composites", "keywords", "attribution"]).flatmap(
        lambda key: trees.map(lambda tree: valid_collection(**{key: tree}))
    )
)
def test_any_value_of_a_key_gives_a_configuration_or_mistakes(values):
    assert all("\n" not in mistake for mistake in mistakes_in(values))


def mistakes_in(values):
    """Return the lines that values are refused with; any other exception fails the test."""
    try:
        parse_configuration(values, file=Path("x.yaml"), kinds=kind_options())
    except ConfigurationError as error:
        return error.mistakes
    return ()


@pytest.mark.slow
@given(
    st.dates(min_value=np.datetime64("1678-01-01").item(), max_value=np.datetime64("2261-12-31").item()),
    st.sampled_from(["P1D", "P10D", "P1M", "P1Y", "P99999M", "PT1S", "P106000D", "dekad", "P1M1D"]),
    st.integers(1, 5000),
)
def test_regular_times_are_refused_or_ascend(start, step, count):
    values = {"start": str(start), "step": step, "count": count}
    source = {"kind": "cog", "href": "a", "times": values}
    try:
        configuration = parse_configuration(
            {"collections": {"c": {"source": source}}}, file=Path("x.yaml"), kinds=kind_options()
        )
    except ConfigurationError:
        return

    times = configuration.collections["c"].source.times

    assert isinstance(times, RegularTimes)
    assert len(times.domain()) == count


def test_invalid_formula_lists_what_is_accepted(mistakes_of):
    (mistake,) = mistakes_of(in_collection("variables: {V: {formula: A.b}, A: {}}"))

    assert mistake.startswith(
        "config.yaml:4: collections.c.variables.V.formula: '.b' is not allowed in an expression; "
    )
    assert "sqrt()" in mistake


def test_circle_of_formulas_is_reported_for_each(mistakes_of):
    mistakes = mistakes_of(in_collection("variables: {A: {formula: B + X}, B: {formula: A}, C: {formula: A}, X: {}}"))

    assert [mistake.partition(": the formula takes itself: ")[2] for mistake in mistakes] == [
        "A takes B takes A",
        "B takes A takes B",
    ]


def test_a_variable_that_no_expression_can_name_is_not_offered(mistakes_of):
    (mistake,) = mistakes_of(in_collection("variables: {V: {formula: A}, 8A: {}, not: {}, B: {}}"))

    assert mistake.endswith("; it has B")


def test_formula_and_mask_reach_the_source(load):
    text = "variables: {N: {formula: 'A / 2', units: m, range: [0, 1]}, A: {mask: {variable: Q, keep: [4, 5]}}, Q: {}}"

    spec = source_specs(load(in_collection(text)), {})["c"]

    assert spec.variables["N"].formula == parse_expression("A / 2")
    assert spec.variables["A"].mask == Mask("Q", (4, 5))
    assert list(spec.stored.variables) == ["A", "Q"]


@pytest.mark.parametrize(
    ("text", "keep", "has_classes"),
    [
        ("keep: [1]", (1,), True),
        ("at_least: 0.5", ValueBounds(at_least=0.5), False),
        ("at_most: 0", ValueBounds(at_most=0.0), False),
        ("at_least: 0, at_most: 1", ValueBounds(at_least=0.0, at_most=1.0), False),
        ("without: [land]", AbsentFlags(("land",)), True),
        ("without: [snow], bits: hls_fmask", AbsentFlags(("snow",), "hls_fmask"), True),
    ],
)
def test_condition_of_a_mask_reaches_the_source(load, text, keep, has_classes):
    variables = f"variables: {{A: {{mask: {{variable: Q, {text}}}}}, Q: {{}}}}"

    spec = source_specs(load(in_collection(variables)), {})["c"]

    assert spec.variables["A"].mask == Mask("Q", keep)
    assert spec.variables["Q"].has_classes == has_classes
