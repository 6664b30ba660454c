"""Collections and items of STAC as a configuration: variables, styles, masks, and omissions."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.catalog.load import parse_configuration
from chronotile.core.model.source import KindOptions
from chronotile.core.model.style import Colour
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.kinds import kind_options
from chronotile.readers.stac.collection import metadata_of
from chronotile.readers.stac.drafts import draft_of
from tests.readers.stac.documents import asset, item

KINDS = {**kind_options(), "stac": KindOptions(name="stac", has_bands=True, has_items=True)}
STYLES = load_styles(style_folders(None))
HREF = "https://example.org/collections/s2"

BANDS = {
    "B04": asset(**{"gsd": 10, "eo:bands": [{"name": "B04", "common_name": "red"}]}),
    "B03": asset(**{"gsd": 10, "eo:bands": [{"name": "B03", "common_name": "green"}]}),
    "B02": asset(**{"gsd": 10, "eo:bands": [{"name": "B02", "common_name": "blue"}]}),
    "B08": asset(**{"gsd": 10, "eo:bands": [{"name": "B08", "common_name": "nir"}]}),
    "B8A": asset(**{"gsd": 20, "eo:bands": [{"name": "B8A", "common_name": "nir08"}]}),
    "B11": asset(**{"gsd": 20, "eo:bands": [{"name": "B11", "common_name": "swir16"}]}),
}


def draft(collection=None, items=()):
    """Return the configuration drafted from documents, which must be valid."""
    made = draft_of(metadata_of(collection or {}, items), HREF, STYLES)
    parse_configuration(
        {"collections": {made.id: made.section}}, file=Path("stac.yaml"), kinds=KINDS, styles={**STYLES, **made.styles}
    )
    return made


def collection(**fields):
    """Return a collection of the bands of Sentinel-2 without scales."""
    return {"type": "Collection", "id": "s2", "item_assets": BANDS, **fields}


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "is_collection"),
    [
        ("cdse-sentinel-2-l2a.json", True),
        ("odc/sentinel-2-l2a.collection.json", True),
        ("odc/S2A_28QCH_20200714_0_L2A.json", False),
        ("odc/LC08_L2SR_081119_20200101_20200823_02_T2.json", False),
        ("odc/LE07_L2SP_044033_20210329_20210424_02_T1_SR.json", False),
        ("odc/ga_ls8c_ard_3-1-0_088080_2020-05-25_final.stac-item.json", False),
    ],
)
def test_real_documents_have_vegetation_and_true_colours(shared_data, file, is_collection):
    document = json.loads((shared_data / "stac" / file).read_text())

    made = draft(document) if is_collection else draft(items=[document])

    assert made.section["variables"]["NDVI"]["styles"] == ["ndvi"]
    assert "TRUE_COLOUR" in made.section["composites"]
    assert made.findings == ()


@pytest.mark.data
def test_of_bands_in_several_resolutions_the_finest_is_served(shared_data):
    made = draft(json.loads((shared_data / "stac/cdse-sentinel-2-l2a.json").read_text()))

    names = [name for name in made.section["variables"] if name.startswith(("B01", "B04", "AOT"))]

    assert names == ["AOT_10m", "B01_60m", "B04_10m"]
    assert made.section["variables"]["SCL_20m"]["styles"] == ["scene-classes"]
    assert made.section["variables"]["NDVI"]["mask"] == {"variable": "SCL_20m", "keep": [4, 5, 6]}


def test_collection_has_its_documented_metadata():
    made = draft(
        collection(
            title="Sentinel-2",
            description="Scenes.\n\nMore of them.",
            license="CC-BY-4.0",
            keywords=["optical", 3],
            providers=[{"name": "Maker", "roles": ["producer"]}, {"name": "Owner", "roles": ["licensor", "host"]}],
        )
    )

    fields = {"title": "Sentinel-2", "abstract": "Scenes.", "license": "CC-BY-4.0", "keywords": ["optical"]}
    assert made.section | fields | {"attribution": "Owner"} == made.section
    assert made.section["source"] == {"kind": "stac", "href": HREF}


@pytest.mark.parametrize(
    ("fields", "license"),
    [
        ({"license": "proprietary"}, None),
        ({"license": "other", "links": [{"rel": "license", "href": "https://example.org/l"}]}, "https://example.org/l"),
        ({"license": "various", "links": [{"rel": "license", "href": "javascript:x"}]}, None),
    ],
)
def test_unnamed_licence_is_the_linked_one(fields, license):
    assert draft(collection(**fields)).section.get("license") == license


def test_bands_are_reflectances_and_make_indices_in_one_resolution():
    variables = draft(collection()).section["variables"]

    assert variables["B04"] == {"title": "B04", "styles": ["greys"], "range": [0, 3000]}
    assert variables["NDVI"]["formula"] == "(B08 - B04) / (B08 + B04)"
    assert variables["NDMI"]["formula"] == "(B8A - B11) / (B8A + B11)"


def test_bands_with_a_scale_are_drawn_as_values():
    bands = {name: each | {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]} for name, each in BANDS.items()}

    made = draft(collection(item_assets=bands))

    assert made.section["variables"]["B04"]["range"] == [0, 0.3]
    assert made.section["composites"]["TRUE_COLOUR"] == {
        "variables": ["B04", "B03", "B02"],
        "range": [0, 0.3],
        "gamma": 1.6,
    }


def test_scenes_of_a_day_are_one_time_with_the_clearest_on_top():
    made = draft(items=[item(assets=BANDS)])

    assert (made.section["time"], made.section["mosaic"]) == ({"group": "solar_day"}, {"order_by": "eo:cloud_cover"})


def test_products_without_platform_or_clouds_are_composed_by_defaults():
    made = draft(items=[item(assets=BANDS, properties={"eo:cloud_cover": None})])

    assert not {"time", "mosaic"} & set(made.section)


def test_thumbnails_overviews_and_documents_are_no_variables():
    further = {
        "thumbnail": asset(roles=["thumbnail"]),
        "small": asset(roles=["overview"]),
        "preview": asset(),
        "notes": {"type": "text/html"},
        "angles": asset(roles=["metadata"]),
        "cloud_qa": asset(roles=["metadata", "cloud"]),
        "zip": {"type": "application/zip", "roles": ["data"]},
    }

    names = draft(collection(item_assets={**BANDS, **further})).section["variables"]

    assert [name for name in names if name in further] == ["cloud_qa"]


def test_the_original_of_a_copy_in_a_faster_format_is_no_variable():
    jp2 = {"type": "image/jp2", "roles": ["data"]}

    names = draft(collection(item_assets={**BANDS, "B04-jp2": jp2, "B09-jp2": jp2})).section["variables"]

    assert [name for name in names if name.startswith(("B04", "B09"))] == ["B04", "B09_jp2"]


def test_bands_of_one_file_are_variables_of_it():
    visual = asset(data_type="uint8", title="Picture", bands=[{"name": each} for each in ("red", "green", "blue")])

    made = draft(collection(item_assets={"visual": visual}))

    first = made.section["variables"]["visual_red"]
    assert (first["asset"], first["band"], first["title"]) == ("visual", 1, "Picture: red")
    assert made.section["composites"]["TRUE_COLOUR"]["range"] == [0, 255]


def test_keys_of_assets_that_formulas_cannot_name_get_other_ids():
    bands = {"SR_B4.TIF": BANDS["B04"], "5-nir": BANDS["B08"]}

    variables = draft(collection(item_assets=bands)).section["variables"]

    assert variables["SR_B4_TIF"]["asset"] == "SR_B4.TIF"
    assert variables["b5_nir"]["asset"] == "5-nir"
    assert variables["NDVI"]["formula"] == "(b5_nir - SR_B4_TIF) / (b5_nir + SR_B4_TIF)"


CLASSES = [
    {"value": 0, "name": "no_data", "nodata": True, "color_hint": "000000"},
    {"value": 1, "name": "bare_soil", "color_hint": "aa5500"},
    {"value": 2, "name": "cloud", "color_hint": "FFFFFF"},
    {"value": 3, "name": "cloud_shadow", "color_hint": "333333"},
    {"value": 4, "name": "unclassified", "color_hint": "888888"},
]


@pytest.mark.parametrize("where", ["asset", "raster:bands", "bands"])
def test_classes_are_a_style_and_the_clear_ones_a_mask(where):
    classes = {"classification:classes": CLASSES}
    quality = asset(gsd=20, **(classes if where == "asset" else {where: [classes]}))

    made = draft(collection(item_assets={**BANDS, "QA": quality}))

    style = made.styles["s2.QA"]
    assert made.section["variables"]["QA"] == {"nodata": 0, "styles": ["s2.QA"]}
    assert [(each.value, each.label) for each in style.classes] == [
        (1, "bare soil"), (2, "cloud"), (3, "cloud shadow"), (4, "unclassified"),
    ]  # fmt: skip
    assert style.classes[0].colour == Colour(0xAA, 0x55, 0)
    assert made.section["variables"]["NDVI"]["mask"] == {"variable": "QA", "keep": [1]}


def test_classes_without_colours_get_some():
    classes = [{"value": 1, "name": "wheat"}, {"value": 2, "name": "maize"}]

    made = draft(collection(item_assets={"crops": asset(**{"classification:classes": classes})}))

    first, second = made.styles["s2.crops"].classes
    assert first.colour != second.colour


def test_classes_among_values_are_flags():
    classes = [{"value": 255, "name": "missing", "nodata": True}, {"value": 254, "name": "water_body"}]
    lai = asset(**{"raster:bands": [{"scale": 0.04, "data_type": "uint8"}], "classification:classes": classes})

    made = draft(collection(item_assets={"LAI": lai}))

    assert made.section["variables"]["LAI"] == {"nodata": 255, "flags": {254: "water body"}}
    assert not made.styles


BITS = [
    {"name": "fill", "offset": 0, "length": 1, "classes": [{"name": "not_fill", "value": 0},
                                                           {"name": "fill", "value": 1}]},
    {"name": "cloud", "offset": 3, "length": 1, "classes": [{"name": "not_cloud", "value": 0},
                                                             {"name": "cloud", "value": 1}]},
    {"name": "cloud_confidence", "offset": 5, "length": 2, "classes": [{"name": "low", "value": 1},
                                                                      {"name": "high", "value": 3}]},
]  # fmt: skip


def test_bits_of_clouds_are_a_mask():
    quality = asset(**{"gsd": 10, "classification:bitfields": BITS})

    keep = draft(collection(item_assets={**BANDS, "qa": quality})).section["variables"]["NDVI"]["mask"]["keep"]

    assert keep == [number for number in range(256) if not number & 0b1001]


@pytest.mark.parametrize("field", [{"offset": 30, "length": 8}, {"offset": 0}, {"offset": -1, "length": 3}])
def test_invalid_bits_are_no_mask(field):
    quality = asset(**{"gsd": 10, "classification:bitfields": [{**BITS[1], **field}, {**BITS[1], **field}]})
    quality["classification:bitfields"][0].pop("length" if "length" not in field else "offset", None)

    variables = draft(collection(item_assets={**BANDS, "qa": quality})).section["variables"]

    assert "mask" not in variables["NDVI"]


def render(**fields):
    """Return a collection with one render named `look`."""
    return collection(renders={"look": {"title": "Look", **fields}})


def test_a_render_of_one_asset_is_the_style_of_its_variable():
    made = draft(render(assets=["B08"], rescale=[[0, 5000]], colormap_name="Viridis"))

    assert made.section["variables"]["B08"] == {"title": "B08", "styles": ["viridis"], "range": [0, 5000]}


def test_a_range_of_a_render_is_of_digital_numbers():
    bands = {"B08": BANDS["B08"] | {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}}

    made = draft(render(assets=["B08"], rescale=[0, 5000], colormap_name="viridis") | {"item_assets": bands})

    assert made.section["variables"]["B08"]["range"] == [-0.1, 0.4]


def test_a_reversed_ramp():
    made = draft(render(assets=["B08"], rescale=[[0, 5000]], colormap_name="viridis_r"))

    assert made.styles["s2.B08"].ramp[0].colour == STYLES["viridis"].ramp[-1].colour
    assert made.section["variables"]["B08"]["styles"] == ["s2.B08"]


def test_unknown_ramp_leaves_the_range():
    made = draft(render(assets=["B08"], rescale=[[0, 5000]], colormap_name="ylgn"))

    assert made.section["variables"]["B08"]["range"] == [0, 5000]
    assert [(each.place, each.message) for each in made.findings] == [("renders.look", "there is no style 'ylgn'")]


def test_a_table_of_colours_over_a_range_is_a_ramp():
    table = {"0": [0, 0, 0, 255], "255": "#ffffff"}

    made = draft(render(assets=["B08"], rescale=[[100, 200]], colormap=table))

    assert [(each.value, each.colour.hex) for each in made.styles["s2.B08"].ramp] == [
        (100, "#000000"),
        (200, "#ffffff"),
    ]


def test_a_table_of_colours_without_a_range_is_of_classes():
    table = {"1": [1, 2, 3], "2": [4, 5, 6, 7], "x": [0, 0, 0], "3": "red"}

    made = draft(render(assets=["B08"], colormap=table))

    assert made.styles["s2.B08"].classes[1].colour == Colour(4, 5, 6, 7)
    assert "range" not in made.section["variables"]["B08"] or made.styles["s2.B08"].is_categorical


def test_intervals_of_colours_are_a_ramp_of_steps():
    table = [[[0, 10], [255, 0, 0, 255]], [[10, 20], [0, 255, 0, 255]]]

    ramp = draft(render(assets=["B08"], colormap=table)).styles["s2.B08"].ramp

    assert [each.colour.hex for each in ramp] == ["#ff0000", "#ff0000", "#00ff00", "#00ff00"]
    assert [each.value for each in ramp] == pytest.approx([0, 10, 10, 20], abs=1e-4)


def test_a_render_of_three_assets_is_a_composite():
    made = draft(
        render(assets=["B11", "B08", "B04"], rescale=[[0, 5000], [0, 7000], [0, 9000]], color_formula="Gamma RGB 1.7")
    )

    assert made.section["composites"]["look"] == {
        "title": "Look", "variables": ["B11", "B08", "B04"], "range": [0, 9000], "gamma": 1.7,
    }  # fmt: skip


def test_an_expression_is_a_formula():
    made = draft(render(assets=["B08", "B04"], expression="(B08_b1-B04_b1)/(B08_b1+B04_b1)", rescale=[[-1, 1]]))

    assert made.section["variables"]["look"] == {
        "title": "Look", "range": [-1, 1], "formula": "(B08-B04)/(B08+B04)",
    }  # fmt: skip


def test_an_expression_of_an_index_is_another_picture_of_it():
    document = collection(renders={"ndvi": {"assets": [], "expression": "(B08-B04)/(B08+B04)", "rescale": [[0, 1]]}})

    variables = draft(document).section["variables"]

    assert variables["NDVI"]["range"] == [0, 1]
    assert "ndvi" not in variables


def test_a_virtual_asset_is_a_formula_with_the_style_of_its_render():
    virtual = {"type": "image/tiff", "roles": ["virtual"], "title": "Index", "vrt:algorithm": "band_arithmetic"}
    virtual["vrt:algorithm_opts"] = {"expression": "B08/B04"}
    document = render(assets=["sr"], colormap_name="viridis", rescale=[[0, 5]])

    made = draft(document | {"item_assets": {**BANDS, "sr": virtual}})

    assert made.section["variables"]["sr"] == {
        "title": "Index", "formula": "B08/B04", "range": [0, 5], "styles": ["viridis"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"assets": ["B08", "B04"]}, ("renders.look", "left out: it is of neither one nor three assets")),
        ({"assets": ["B08", "B99", "B04"]}, ("renders.look", "left out: not all of its assets are served")),
        ({"assets": ["B08", "B03", "B04"]}, ("renders.look", "left out: it has no rescale")),
        ({"assets": [], "expression": "B99 * 2"}, ("look", "left out: no variable has the id B99, in B99 * 2")),
    ],
)
def test_unservable_render_is_skipped_with_its_reason(fields, finding):
    made = draft(render(**fields))

    assert [(each.place, each.message) for each in made.findings] == [finding]


def test_formula_over_key_of_asset_with_two_bands_is_reported():
    pair = asset(bands=[{"name": "a"}, {"name": "b"}])

    made = draft(render(assets=[], expression="pair * 2") | {"item_assets": {"pair": pair}})

    assert "look" not in made.section["variables"]
    assert [(x.place, x.message) for x in made.findings] == [
        ("look", "left out: no variable has the id pair, in pair * 2")
    ]


def test_names_of_bands_are_guessed_if_missing():
    bands = {"nbart_red": asset(), "nbart_nir": asset(), "B99": asset(title="Band 99 (blue)")}

    made = draft(collection(item_assets=bands))

    assert made.section["variables"]["NDVI"]["formula"] == "(nbart_nir - nbart_red) / (nbart_nir + nbart_red)"
    assert made.section["variables"]["B99"]["range"] == [0, 3000]


keys = st.sampled_from(
    ["assets", "item_assets", "renders", "look", "B04", "B08", "rescale", "colormap", "colormap_name", "expression",
     "classification:classes", "classification:bitfields", "value", "name", "offset", "length", "classes", "nodata",
     "color_hint", "eo:bands", "bands", "common_name", "raster:bands", "scale", "type", "roles", "title", "id",
     "providers", "links", "keywords", "license", "description", "properties", "vrt:algorithm_opts"]
)  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["image/tiff", "red", "nir", "data", "viridis", "B04", "B08 / B04", "#ffffff", "cloud"])
)  # fmt: skip
odd = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=40
)


@pytest.mark.slow
@given(st.dictionaries(keys, odd, max_size=8), st.lists(st.dictionaries(keys, odd, max_size=4), max_size=2))
def test_odd_documents_make_a_valid_configuration(document, items):
    draft({**collection(), **document}, items)
