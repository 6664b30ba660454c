"""Maps in CRS that the capabilities do not list, compared with coordinates of pyproj per pixel."""

import json

import numpy as np
import pytest
from pyproj import Transformer

from chronotile.core.errors import UnsupportedCrs
from chronotile.core.model.space import crs
from chronotile.protocols.maps.wms.documents import offered_crs
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.pictures import rgba_of

SIDE = 64
NORTHING_FIRST = {"EPSG:31467", "EPSG:2180"}
OTHERS = ["EPSG:31370", "EPSG:28992", "EPSG:27700", "EPSG:2154", "EPSG:4258", "EPSG:2263", *sorted(NORTHING_FIRST)]
"""Belgian Lambert 72, Dutch RD New, British National Grid, Lambert-93, ETRS89, feet in New York, Gauss-Krueger zone 3
and PUWG 1992: in their area of use or far from it, in metres, degrees and feet."""


def box_in(code):
    """A box over part of the data, in the axis order of a CRS."""
    there = Transformer.from_crs("EPSG:32631", code)
    first, second = there.transform([604_000, 612_000, 604_000, 612_000], [5_630_000, 5_630_000, 5_638_000, 5_638_000])
    return float(min(first)), float(min(second)), float(max(first)), float(max(second))


def expected(box, code, *, is_north_first):
    """Return the picture as (y, x, 4), by coordinates in the axis order of the CRS."""
    steps = (np.arange(SIDE) + 0.5) / SIDE
    across, up = (1, 0) if is_north_first else (0, 1)
    x = box[across] + steps * (box[across + 2] - box[across])
    y = box[up + 2] - steps * (box[up + 2] - box[up])
    xs, ys = np.meshgrid(x, y)
    east, north = Transformer.from_crs(code, "EPSG:32631").transform(*((ys, xs) if is_north_first else (xs, ys)))
    columns, rows = (np.floor(each).astype(int) for each in ~served.BELGIUM_31N.transform @ (east, north))
    return np.dstack([served.number_at(rows, columns, 2)] * 3)


@pytest.mark.quick_cases("EPSG:31467", "EPSG:2154")
@pytest.mark.parametrize("code", OTHERS)
def test_a_map_in_130_has_the_pixels_and_the_axes_of_the_crs(client, get_map, code):
    box = box_in(code)

    answer = get_map(client, CRS=code, BBOX=",".join(map(repr, box)), WIDTH=SIDE, HEIGHT=SIDE, TIME="2020-06-11")

    shown = expected(box, code, is_north_first=code in NORTHING_FIRST | {"EPSG:4258"})
    assert answer.headers["Content-Type"] == "image/png"
    np.testing.assert_array_equal(rgba_of(answer.content)[..., :3], shown)
    assert len(np.unique(shown)) > 50


@pytest.mark.parametrize("code", ["EPSG:31370", *sorted(NORTHING_FIRST)])
def test_map_in_111_has_x_first_for_any_crs(client, get_map, code):
    box = box_in(code)
    in_order = ",".join(map(repr, box))
    turned = ",".join(map(repr, (box[1], box[0], box[3], box[2]) if code in NORTHING_FIRST else box))
    size = {"WIDTH": SIDE, "HEIGHT": SIDE}

    newer, older = (
        get_map(client, CRS=code, BBOX=in_order, **size),
        get_map(client, VERSION="1.1.1", SRS=code, BBOX=turned, **size),
    )

    assert older.headers["Content-Type"] == "image/png"
    assert older.content == newer.content


def test_feature_info_is_that_of_the_shown_pixel(client, get_map):
    code, column, row = "EPSG:2180", 11, 50
    box = box_in(code)
    asked = {"CRS": code, "BBOX": ",".join(map(repr, box)), "WIDTH": SIDE, "HEIGHT": SIDE, "TIME": "2020-06-11"}
    info = {"QUERY_LAYERS": "NDVI", "INFO_FORMAT": "application/json", "I": column, "J": row}

    answer = get_map(client, REQUEST="GetFeatureInfo", **asked, **info)

    number = int(expected(box, code, is_north_first=True)[row, column, 0])
    assert [each["properties"]["number"] for each in json.loads(answer.content)["features"]] == [number]


@pytest.mark.parametrize("spelled", ["epsg:31370", "urn:ogc:def:crs:EPSG::31370"])
def test_other_crs_have_the_spellings_of_those_offered(client, get_map, spelled):
    box = ",".join(map(repr, box_in("EPSG:31370")))

    assert get_map(client, CRS=spelled, BBOX=box).content == get_map(client, CRS="EPSG:31370", BBOX=box).content


@pytest.mark.parametrize(("version", "code"), [("1.3.0", "InvalidCRS"), ("1.1.1", "InvalidSRS")])
@pytest.mark.parametrize(
    "name",
    [
        *("EPSG:9999", "EPSG:99999", "EPSG:5773", "EPSG:4978", "EPSG:7415", "EPSG:22300", "EPSG:2048", "EPSG:5513"),
        *("ESRI:102013", "IAU:30100", "EPSG:2154+5720", "EPSG:02154x", "AUTO2:42001,1,0,50"),
    ],
)
def test_unknown_or_unusable_crs_is_refused(client, get_map, version, code, name):
    """Heights, geocentric axes, three axes, a CRS without transformation, westings, and a code that is not of EPSG."""
    asked = {"SRS" if version == "1.1.1" else "CRS": name}

    answer = get_map(client, VERSION=version, **asked)

    assert fault_of(answer)[:2] == (200, code)
    assert "EPSG:4326" in answer.text


def test_crs84_is_drawn_though_it_is_not_offered(make_client, get_map):
    services = served.make_services(crs=("EPSG:3857",))
    asked = {"BBOX": "4.5,50.8,4.6,50.9", "TIME": "2020-06-11"}

    shown = get_map(make_client(services), CRS="CRS:84", **asked)

    assert shown.headers["Content-Type"] == "image/png"
    assert shown.content == get_map(make_client(), CRS="CRS:84", **asked).content


def test_other_crs_are_not_advertised(client, make_client, get_map):
    get_map(client, CRS="EPSG:31370", BBOX="0,0,1,1")

    listed = client.get("/wms?REQUEST=GetCapabilities").text

    assert "31370" not in listed
    assert "EPSG:3857" in listed


def test_cache_of_other_crs_has_the_most_recently_used(monkeypatch):
    monkeypatch.setattr(crs, "MAX_CRS_FOR_MAPS", 2)
    monkeypatch.setattr(crs, "_crs_for_maps", {})

    found = [crs.epsg_crs_for_maps(code).name for code in (31370, 2154, 27700, 2154)]

    assert found == ["EPSG:31370", "EPSG:2154", "EPSG:27700", "EPSG:2154"]
    assert [code for code in (31370, 2154, 27700) if crs.is_crs_for_maps_known(code)] == [2154, 27700]


def test_other_services_have_only_offered_crs():
    catalogue = served.make_services().catalogue

    with pytest.raises(UnsupportedCrs):
        catalogue.offered_crs("EPSG:31370")
    assert all(each.name != "EPSG:31370" for each in offered_crs(catalogue, "1.3.0"))
