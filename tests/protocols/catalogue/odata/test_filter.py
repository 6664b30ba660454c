"""Products that filters find: examples of CDSE's documentation, and conditions evaluated on the products themselves."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronotile.core.model.items import product_id
from tests.protocols.catalogue.odata.conftest import ROOT, document, sentinel_2

A, B = ("S2A_MSIL2A_202205{:02}T105031_N0400_R051_T31UFS.SAFE", "S2B_MSIL2A_202205{:02}T105031_N0400_R051_T31UFS.SAFE")
L1C = "S2B_MSIL1C_20220503T105031_N0400_R051_T31UES.SAFE"
ATTRIBUTE = "Attributes/OData.CSC.{0}Attribute/any(att:att/Name eq '{1}' and att/OData.CSC.{0}Attribute/Value {2})"


GRD_3, GRD_4 = "S1A_EW_GRDM_20220503T000100", "S1A_EW_GRDM_20220504T000100"
RING = "((12.65 47.44,21.39 48.34,28.33 52.87,14.5 51.35,12.65 47.44))"
DESCENDING = "eq 'DESCENDING'"


def starting(after, before):
    start = "ContentDate/Start {} 2022-05-{}:00.000Z"
    return f"{start.format('gt', after)} and {start.format('lt', before)}"


def scene(day):
    return (A, B)[day % 2].format(day)


def attribute(type_, name, said):
    return ATTRIBUTE.format(type_, name, said)


def days(names):
    return sorted(int(name.split("202205")[1][:2]) for name in names)


# The queries of https://documentation.dataspace.copernicus.eu/APIs/OData.html, with the dates of the scenes here.
@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (f"not contains(Name,'S2') and {starting('03T00:00', '03T00:10')}", [GRD_3]),
        (f"Name eq '{scene(4)}'", [scene(4)]),
        (f"contains(Name,'S1A') and {starting('03T00:00', '05T00:00')}", [GRD_4, GRD_3]),
        (f"Collection/Name eq 'SENTINEL-2' and {starting('03T00:00', '04T00:11')}", [scene(3), L1C]),
        (
            "PublicationDate gt 2022-05-04T00:00:00.000Z and PublicationDate lt 2022-05-05T00:00:00.000Z",
            [scene(4), GRD_4],
        ),
        ("PublicationDate ge 2022-05-04T18:00:00.000Z and PublicationDate le 2022-05-04T18:00:00.000Z", [scene(4)]),
        ("ContentDate/Start gt 2022-05-03T00:00:00.000Z and ContentDate/End lt 2022-05-03T00:05:00.000Z", [GRD_3]),
        (
            f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON{RING}') and {starting('04T00:00', '05T00:00')}",
            [GRD_4],
        ),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POINT(3.5319577 50.65487)')", [L1C]),
        (
            f"{attribute('Double', 'cloudCover', 'le 40.00')} and {starting('01T00:00', '03T00:00')}",
            [scene(2), scene(1)],
        ),
        (
            f"{attribute('Double', 'cloudCover', 'lt 50.00')} and "
            + attribute("String", "productType", "eq 'S2MSI2A'")
            + f" and {attribute('String', 'orbitDirection', DESCENDING)} and {starting('03T00:00', '04T16:00')}",
            [scene(4), scene(3)],
        ),
    ],
)
def test_examples_of_cdse_are_answered(names_of, filter_, found):
    assert sorted(names_of(filter_)) == sorted(found)


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (attribute("String", "tileId", "eq '31UES'"), [3]),
        (attribute("String", "tileId", "in ('31UES','31UXX')"), [3]),
        (attribute("String", "tileId", "ne '31UFS'"), [3]),
        ("Attributes/OData.CSC.StringAttribute/any(a:a/Name eq 'tileId' and startswith(a/Value,'31UE'))", [3]),
        ("Attributes/OData.CSC.StringAttribute/any(a:a/Name eq 'productType' and endswith(a/Value,'1C'))", [3]),
        (attribute("String", "platformSerialIdentifier", "eq 'B'"), [1, 3, 3, 5, 7]),
        (attribute("String", "platformShortName", "eq 'SENTINEL-1'"), [3, 4, 5]),
        (attribute("Integer", "orbitNumber", "ge 1007"), [7, 8]),
        (attribute("Integer", "orbitNumber", "eq '1007'"), [7]),
        (attribute("Integer", "relativeOrbitNumber", "eq 51"), [1, 2, 3, 3, 4, 5, 6, 7, 8]),
        (attribute("Integer", "sat:absolute_orbit", "eq 1007"), [7]),
        (attribute("String", "productType", "eq 'GRD'"), [3, 4, 5]),
        (f"not {attribute('Double', 'cloudCover', 'le 70')}", [3, 4, 5, 8]),
        (f"not ({attribute('Double', 'cloudCover', 'gt 0')} or contains(Name,'x'))", [3, 4, 5]),
        ("Online eq true and startswith(Name,'S1A')", [3, 4, 5]),
        ("Online eq false", []),
        ("Online eq false or endswith(Name,'T000100')", [3, 4, 5]),
        ("not (Online eq true)", []),
        ("Collection/Name eq 'hidden'", []),
        ("Collection/Name ne 'SENTINEL-2'", [3, 4, 5]),
        ("Collection/Name in ('SENTINEL-1','NONE')", [3, 4, 5]),
        ("contains(Name,'%') or contains(Name,'S_A')", []),
        ("ModificationDate ge 2022-06-08", [8]),
        ("ContentDate/Start eq 2022-05-08T10:50:31.024Z", [8]),
        ("ContentDate/End ge 2022-05-08T10:50:31.024Z", [8]),
        ("ContentDate/End le 2022-05-01T10:50:31.024Z", [1]),
        ("ContentDate/End gt 2022-05-08T10:50:31.024Z", []),
        ("ContentDate/End ge 2022-05-05T00:01:20Z and ContentDate/End lt 2022-05-05T00:01:30Z", [5]),
        ("ContentDate/Start ge 2022-05-04T20:00:00Z and ContentDate/Start lt 2022-05-05T00:01:05Z", [5]),
        ("ContentDate/Start eq 2022-05-05T00:01:12.75Z", []),
        ("ContentDate/Start gt 2022-05-05 and ContentDate/Start lt 2022-05-04", []),
    ],
)
def test_filters_find_the_expected_products(names_of, filter_, found):
    assert days(names_of(filter_)) == found


def test_product_is_found_by_its_id(names_of):
    id_ = product_id("SENTINEL-2", scene(4))

    assert names_of(f"Id eq {id_}") == [scene(4)]
    assert names_of(f"Id eq '{id_}'") == [scene(4)]
    assert names_of(f"Id eq {id_} and Name eq 'other'") == []
    assert names_of(f"Id eq {id_} and Collection/Name eq 'SENTINEL-1'") == []
    assert names_of(f"Id eq {product_id('SENTINEL-2', 'none')}") == []


def test_products_are_found_by_several_ids(names_of):
    ids = [product_id("SENTINEL-2", scene(day)) for day in (4, 5)] + [product_id("hidden", "not-served")]

    assert names_of(f"Id in ({','.join(map(str, ids))})") == [scene(5), scene(4)]
    assert days(names_of(f"Collection/Name eq 'SENTINEL-2' and Id ne {ids[0]}")) == [1, 2, 3, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ("Nme eq 'a'", "accepted: Id, Name, ContentDate/Start"),
        ("ContentLength gt 5", "the property 'ContentLength'"),
        ("S3Path eq '/eodata'", "the property 'S3Path'"),
        ("contains(Id,'a')", "Id, which is not a text"),
        ("Id eq 'a'", "an Id is a UUID"),
        ("Id lt 72ac8773-c55d-526a-a9a9-22ddb9b595ef", "accepted: eq, ne and in"),
        ("Online gt false", "accepted: eq, ne and in"),
        ("Online eq 'yes'", "accepted: true or false"),
        ("Name eq 5", "accepted: a text in quotes"),
        ("ContentDate/Start gt 5", "accepted: a time"),
        ("ContentDate/Start gt 'yesterday'", "accepted: 2024-05-01T10:30:00.000Z"),
        (attribute("Double", "cloudCover", "lt 'low'"), "accepted: a number"),
        (attribute("String", "tileId", "eq 5"), "accepted: a text in quotes"),
        (attribute("String", "instrumentShortName", "eq 'MSI'"), "is a list in the items"),
        (attribute("String", "a b", "eq 'MSI'"), "names the property 'a b'"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((0 0,1 1,1 0,0 1,0 0))')", "crosses itself"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POINT(0 100)')", "not on the earth"),
    ],
)
def test_invalid_filters_are_refused(client, scenes, filter_, said):
    answer = client.get(f"{ROOT}/Products", params={"$filter": filter_})

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["target"]) == ("InvalidParameterValue", "$filter")
    assert said in error["message"]


@pytest.mark.parametrize(
    ("filter_", "is_found"),
    [
        ("PublicationDate ne 2022-05-09T00:00:00Z", True),
        ("not (PublicationDate eq 2022-05-09T00:00:00Z)", True),
        ("not (PublicationDate ne 2022-05-09T00:00:00Z)", False),
        ("PublicationDate lt 2022-05-09T00:00:00Z", False),
        ("ContentDate/End eq 2022-05-09T00:00:00Z", True),
        ("ContentDate/End ne 2022-05-09T00:00:00Z", False),
    ],
)
def test_a_date_that_a_product_lacks_differs_from_every_other(put, names_of, filter_, is_found):
    put("LANDSAT-8", [document("bare", start="2022-05-09T00:00:00Z")])

    assert ("bare" in names_of(filter_)) == is_found


NAMES = st.sampled_from([scene(3), scene(4), L1C, "S1A_EW_GRDM_20220504T000100", "", "S2", "_%"])
TIMES = st.sampled_from(
    ["2022-05-03T00:01:00.000Z", "2022-05-03T00:01:25.500Z", "2022-05-04T10:50:31.024Z", "2022-06-03", "2022-05-04"]
)
COMPARED = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
LEAVES = st.one_of(
    st.tuples(st.just("Name"), COMPARED, NAMES),
    st.tuples(st.just("Name"), st.sampled_from(["contains", "startswith", "endswith"]), NAMES),
    st.tuples(st.just("Collection/Name"), COMPARED, st.sampled_from(["SENTINEL-1", "SENTINEL-2", "x"])),
    st.tuples(
        st.sampled_from(["ContentDate/Start", "ContentDate/End", "PublicationDate", "ModificationDate"]),
        COMPARED,
        TIMES,
    ),
    st.tuples(st.just("cloudCover"), COMPARED, st.sampled_from([30, 40.0, 45])),
    st.tuples(st.just("orbitDirection"), COMPARED, st.sampled_from(["ASCENDING", "DESCENDING"])),
    st.tuples(st.just("platformSerialIdentifier"), st.sampled_from(["eq", "ne"]), st.sampled_from(["A", "B"])),
    st.tuples(st.just("tileId"), COMPARED, st.sampled_from(["31UFS", "31UES", "31"])),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=5,
)
OPERATORS = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "contains": lambda a, b: b in a,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def text_of(condition):
    """A condition as a filter."""
    match condition:
        case ("not", part):
            return f"not ({text_of(part)})"
        case ("and" | "or" as word, one, other):
            return f"({text_of(one)}) {word} ({text_of(other)})"
        case (("cloudCover") as name, operator, value):
            return attribute("Double", name, f"{operator} {value}")
        case (("orbitDirection" | "platformSerialIdentifier" | "tileId") as name, operator, value):
            return attribute("String", name, f"{operator} '{value}'")
    path, operator, value = condition
    if operator in {"contains", "startswith", "endswith"}:
        return f"{operator}({path},'{value}')"
    return f"{path} {operator} {value}" if "Date" in path else f"{path} {operator} '{value}'"


def holds(condition, product):
    """Return whether a condition holds for the document of a product."""
    match condition:
        case ("not", part):
            return not holds(part, product)
        case ("and", one, other):
            return holds(one, product) and holds(other, product)
        case ("or", one, other):
            return holds(one, product) or holds(other, product)
    path, operator, value = condition
    first, _, rest = path.partition("/")
    if first not in product:
        shown = next((each["Value"] for each in product["Attributes"] if each["Name"] == path), None)
        return shown is not None and OPERATORS[operator](shown, value)
    shown = product[first][rest] if rest else product[first]
    if path.endswith("Date") or first == "ContentDate":
        day = value if "T" in value else f"{value}T00:00:00Z"
        shown, value = datetime.fromisoformat(shown), datetime.fromisoformat(day)
    return OPERATORS[operator](shown, value)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(condition=CONDITIONS)
def test_found_products_have_the_requested_properties(client, names_of, condition):
    everything = client.get(f"{ROOT}/Products", params={"$top": 1000, "$expand": "Attributes"}).json()["value"]

    assert names_of(text_of(condition)) == [each["Name"] for each in everything if holds(condition, each)]


def test_sentinel_2_scenes_match_their_names():
    assert [sentinel_2(day)["id"] for day in (3, 4)] == [scene(3), scene(4)]
