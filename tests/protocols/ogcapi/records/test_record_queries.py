"""Queries of records find exactly the matching records."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronotile.catalog.items import lookups
from chronotile.core.model.items import product_id
from tests.protocols.catalogue.stac.documents import DAYS
from tests.protocols.ogcapi.records.record_schemas import RECORDS, faults

COLLECTIONS = "/ogcapi/collections/_collections"
ITEMS = "/ogcapi/collections/_items"
BOTH = pytest.mark.parametrize("collection", [COLLECTIONS, ITEMS])
ANY = {f"scene {number}" for number in range(9)} | {"<b>&'\""} | set(DAYS)
PARAMETERS = ("bbox", "datetime", "limit", "q", "type", "ids", "externalIds", "filter", "sortby")


def page(client, of, /, **query):
    answer = client.get(f"{of}/items", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(client, **query):
    return [each["id"] for each in page(client, COLLECTIONS, **{"limit": 100, **query})["features"]]


def names(client, **query):
    """Return the STAC ids of the items that match."""
    found = page(client, ITEMS, **{"limit": 100, **query})["features"]
    return [each["properties"]["externalIds"][0]["value"] for each in found]


def refusal(client, of, /, **query):
    answer = client.get(f"{of}/items", params=query)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["parameter"]


def uuid(name, collection="scenes"):
    return str(product_id(collection, name))


@BOTH
@pytest.mark.checklist(
    "records",
    "/conf/record-core-query-parameters/empty-value",
    "/conf/records-api/features-api",
    "/conf/records-api/resource-name-mapping",
)
def test_parameters_without_value_are_as_if_they_were_not_there(records, collection):
    empty = page(records, collection, **dict.fromkeys(PARAMETERS, ""))

    whole = page(records, collection)
    assert {**empty, "links": []} == {**whole, "links": []}
    assert whole["numberMatched"] == (2 if collection == COLLECTIONS else len(ANY))


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/limit", "/conf/records-api/records-op")
@BOTH
@pytest.mark.parametrize("limit", [1, 2, 7, 5000])
def test_pages_are_linked_and_have_each_record_once(records, collection, limit):
    following, found, pages = f"{collection}/items?limit={limit}", [], 0
    while following:
        document = records.get(following).json()
        assert faults(document, RECORDS) == []
        assert len(document["features"]) == document["numberReturned"] <= limit
        found += [each["id"] for each in document["features"]]
        following = {link["rel"]: link["href"] for link in document["links"]}.get("next")
        pages += 1

    count = document["numberMatched"]
    assert len(found) == len(set(found)) == count
    assert pages == max(1, -(-count // limit))


def test_pages_of_large_items_have_each_record_once(records, monkeypatch):
    monkeypatch.setattr(lookups, "MAX_BYTES", 20_000)
    following, found = f"{ITEMS}/items?limit=100", []
    while following:
        document = records.get(following).json()
        assert len(document["features"]) == document["numberReturned"] < 5
        found += [each["id"] for each in document["features"]]
        following = {link["rel"]: link["href"] for link in document["links"]}.get("next")

    assert len(found) == len(set(found)) == document["numberMatched"] == len(ANY)


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/bbox", "/conf/records-api/records-op")
def test_records_that_intersect_a_box_are_found(records):
    assert ids(records, bbox="4.5,50.8,4.6,50.9") == ids(records, bbox="4.5,50.8,0,4.6,50.9,100") == ["s2", "scenes"]
    assert ids(records, bbox="100,0,110,10") == names(records, bbox="100,0,110,10") == []
    assert set(names(records, bbox="4.5,50.2,4.6,50.3")) == ANY
    assert names(records, bbox="170,50,-170,51") == []
    assert ids(records, bbox="-355.5,50.8,-355.4,50.9") == ["s2", "scenes"]
    assert set(names(records, bbox="-355.5,50.2,-355.4,50.3")) == ANY


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/datetime")
def test_records_that_overlap_a_time_are_found(records):
    assert set(names(records, datetime="2020-06-01")) == {"scene 0", "2020-06-01"}
    assert set(names(records, datetime="2020-06-08/2020-06-10")) == {"scene 7", "scene 8"}
    assert set(names(records, datetime="../2020-05-31")) == {"2020-05-21"}
    assert set(names(records, datetime="2020-06-20/..")) == {"<b>&'\"", "2020-06-21", "2020-07-01"}
    assert ids(records, datetime="../2020-01-01") == []
    assert "s2" in ids(records, datetime="2020-06-05/2020-06-07")


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/q-response")
def test_q_needs_one_of_its_terms_and_adjacent_words(many, records):
    assert ids(many, q="tITLE 3 of") == ["c13", "c18", "c23", "c3", "c8"]
    assert ids(many, q="of 24") == ["c24"]  # any white space separates words
    assert ids(many, q="3 title") == []
    assert set(ids(many, q="c11, c12")) == {"c11", "c12"}
    assert set(ids(many, q="l7,even")) == {"c7", *(f"c{number}" for number in range(0, 25, 2))}
    assert ids(many, q=".*") == []
    assert names(records, q="SCENE 7") == ["scene 7"]
    assert names(records, q="ALERT(2)") == ["<b>&'\""]
    assert names(records, q="%") == names(records, q="_") == []


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/type-response")
def test_type_is_that_of_the_resource(records):
    assert len(ids(records, type="dataset")) == len(ids(records, type="service,dataset")) == 2
    assert ids(records, type="item") == names(records, type="dataset") == []
    assert set(names(records, type="item")) == ANY


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/ids-response")
def test_ids_are_those_of_records(many, records):
    assert set(ids(many, ids="c3,c4,none")) == {"c3", "c4"}
    wanted = ",".join([uuid("scene 1"), uuid("2020-06-01", "s2"), uuid("hidden", "gone"), "scene 2", uuid("none")])
    assert set(names(records, ids=wanted)) == {"scene 1", "2020-06-01"}
    assert names(records, ids="scene 2") == []
    assert names(records, ids=uuid("2020-06-01")) == []  # item of another collection


@pytest.mark.checklist("records", "/conf/record-core-query-parameters/externalIds-response")
def test_external_ids_are_those_of_other_catalogues(many, records):
    assert set(ids(many, externalIds="OLD_4,OLD_6,OLD_5")) == {"c4", "c6"}
    assert set(names(records, externalIds="scene 1,s2:2020-06-01,s2:scene 2")) == {"scene 1", "2020-06-01"}


@pytest.mark.checklist("records", "/conf/records-api/records-op", "/conf/cql-filter/response")
def test_all_conditions_have_to_hold(records):
    query = {"q": "scene", "datetime": "2020-06-02/2020-06-08", "filter": '"eo:cloud_cover" < 50'}

    assert names(records, **query, sortby="eo:cloud_cover") == ["scene 1", "scene 2", "scene 3", "scene 4"]
    assert names(records, **query, ids=f"{uuid('scene 2')},{uuid('scene 8')}") == ["scene 2"]
    assert names(records, **query, externalIds="scene 3") == ["scene 3"]
    assert names(records, **query, bbox="10,10,11,11") == []


def test_properties_are_parameters(many, records):
    assert ids(many, keywords="odd", license="CC-BY-4.0", title="Title 1 of  11") == ["c11"]
    assert ids(many, keywords="od") == []
    assert names(records, **{"eo:cloud_cover": "30"}) == ["scene 3"]
    assert set(names(records, collection="s2")) == set(DAYS)
    assert names(records, collection="gone") == names(records, collection="none") == []
    assert len(names(records, platform="sentinel-2a", collection="scenes")) == 10


@pytest.mark.checklist("records", "/conf/cql-filter/filter-param", "/conf/cql-filter/response")
@pytest.mark.checklist("records", "/conf/searchable-catalog/filtering/filtering")
@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("id = 'c3'", {3}),
        ("id <> 'c3' AND id IN ('c3', 'c4')", {4}),
        ("title LIKE 'Title 2%' AND NOT (id = 'c2' OR id = 'c7')", {12, 17, 22}),
        ("CASEI(title) = CASEI('tITLE 0 OF  0')", {0}),
        ("license IS NULL AND id > 'c2'", {21, 24, 3, 6, 9}),
        ("license = 'CC-BY-4.0' AND id BETWEEN 'c2' AND 'c21'", {2, 20}),
        ("NOT license = 'CC-BY-4.0'", set()),
        ("unknown = 1 OR id = 'c5'", {5}),
        ("type = 'dataset' AND id = 'c1'", {1}),
        ("type <> 'dataset'", set()),
        ("S_INTERSECTS(geometry, BBOX(4.5, 50.8, 4.6, 50.9)) AND id = 'c1'", {1}),
        ("S_INTERSECTS(geometry, BBOX(170, 50.8, -170, 50.9))", set()),
        ("start_datetime < TIMESTAMP('2020-05-01T00:00:00Z')", set()),
        ("start_datetime <= TIMESTAMP('2020-05-21T00:00:00Z') AND id = 'c2'", {2}),
    ],
)
def test_filters_of_collections_are_cql2(many, filter_, expected):
    assert set(ids(many, filter=filter_)) == {f"c{number}" for number in expected}


@pytest.mark.checklist("records", "/conf/cql-filter/filter-param", "/conf/cql-filter/response")
@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ('"eo:cloud_cover" BETWEEN 20 AND 40', {"scene 2", "scene 3", "scene 4"}),
        (f"id = '{uuid('scene 2')}'", {"scene 2"}),
        (f"id IN ('{uuid('scene 2')}', '{uuid('2020-06-01', 's2')}')", {"scene 2", "2020-06-01"}),
        (f"id <> '{uuid('scene 2')}' AND \"eo:cloud_cover\" < 30", {"scene 0", "scene 1"}),
        ("id = 'scene 2'", set()),
        ("NOT id = 'scene 2' AND \"eo:cloud_cover\" = 20", {"scene 2"}),
        ("type = 'item' AND \"eo:cloud_cover\" = 20", {"scene 2"}),
        ("type LIKE 'data%' OR \"eo:cloud_cover\" = 30", {"scene 3"}),
        ("collection = 's2' AND datetime < TIMESTAMP('2020-06-01T00:00:00Z')", {"2020-05-21"}),
    ],
)
def test_filters_of_items_are_cql2_of_their_records(records, filter_, expected):
    assert set(names(records, filter=filter_)) == expected


@BOTH
@pytest.mark.checklist("records", "/conf/cql-filter/filter-lang-param", "/conf/cql-filter/filter-crs-param")
def test_filters_may_be_json_and_have_geometries_in_crs84(records, collection):
    box = {"type": "Polygon", "coordinates": [[[4.5, 50.8], [4.6, 50.8], [4.6, 50.9], [4.5, 50.9], [4.5, 50.8]]]}
    tree = {"op": "s_intersects", "args": [{"property": "geometry"}, box]}
    crs = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"

    found = page(records, collection, **{"filter": json.dumps(tree), "filter-lang": "cql2-json", "filter-crs": crs})
    assert found["numberMatched"] == page(records, collection)["numberMatched"]
    assert refusal(records, collection, **{"filter": "id = 'a'", "filter-crs": "EPSG:4326"}) == (400, "filter-crs")


@BOTH
@pytest.mark.checklist("records", "/conf/searchable-catalog/filtering/mandatory-queryables")
def test_queryables_list_the_names_for_filters(records, collection):
    answer = records.get(f"{collection}/queryables")

    assert answer.headers["content-type"] == "application/schema+json"
    document = answer.json()
    assert document["$id"] == f"http://testserver{collection}/queryables"
    assert {"id", "type", "title", "geometry"} <= document["properties"].keys()
    for name, schema in document["properties"].items():
        if "format" not in schema and schema["type"] != "array":
            value = "1" if schema["type"] == "number" else "'x'"
            assert page(records, collection, filter=f'"{name}" = {value}')["features"] == []


@BOTH
@pytest.mark.checklist(
    "records",
    "/conf/sorting/get-sortables-op",
    "/conf/sorting/get-sortables-success",
    "/conf/sorting/sortby-response",
    "/conf/sorting/defaultSortOrder-definition",
    "/conf/searchable-catalog/sorting/sorting",
)
def test_records_are_sorted_by_every_sortable(records, collection):
    document = records.get(f"{collection}/sortables").json()
    default = records.get(collection).json()["defaultSortOrder"]

    assert document["$schema"] == "https://json-schema.org/draft/2019-09/schema"
    assert document["$id"] == f"http://testserver{collection}/sortables"
    assert document["type"] == "object"
    assert {each["field"] for each in default} <= document["properties"].keys()
    for name in document["properties"]:
        values = {sign: _values(records, collection, f"{sign}{name}") for sign in ("", "+", "-")}
        assert values[""] == values["+"] == sorted(values[""])
        assert values["-"] == sorted(values[""], reverse=True)
    (first,) = default
    sign = "-" if first["direction"] == "desc" else ""
    assert _values(records, collection, f"{sign}{first['field']}") == [
        each["properties"][first["field"]] for each in page(records, collection, limit=100)["features"]
    ]


def _values(client, collection, order):
    name = order.lstrip("+-")
    found = page(client, collection, sortby=order, limit=100)["features"]
    has = [name in each["properties"] for each in found]
    assert has == sorted(has, reverse=True)  # records without the property come last
    return [each["properties"][name] for each in found if name in each["properties"]]


def test_records_are_sorted_by_several_properties(many):
    found = page(many, COLLECTIONS, sortby="license,-title", limit=100)["features"]

    licensed = [each["properties"]["title"] for each in found if "license" in each["properties"]]
    assert licensed == sorted(licensed, reverse=True)
    assert [each["properties"].get("license") for each in found] == ["CC-BY-4.0"] * 16 + [None] * 9


@pytest.mark.parametrize(
    ("collection", "query", "parameter"),
    [
        (COLLECTIONS, {"sortby": "keywords"}, "sortby"),
        (ITEMS, {"sortby": "secret"}, "sortby"),
        (ITEMS, {"sortby": "a,b,c,d,e"}, "sortby"),
        (COLLECTIONS, {"limit": "0"}, "limit"),
        (COLLECTIONS, {"bbox": "1,2,3"}, "bbox"),
        (ITEMS, {"bbox": "0,0,1000,1"}, "bbox"),
        (ITEMS, {"bbox-crs": "EPSG:4326"}, "bbox-crs"),
        (ITEMS, {"datetime": "yesterday"}, "datetime"),
        (ITEMS, {"datetime": "latest"}, "datetime"),
        (ITEMS, {"datetime": "2020-01-01,2020-02-01"}, "datetime"),
        (ITEMS, {"offset": "10"}, "offset"),
        (COLLECTIONS, {"cursor": "abc"}, "cursor"),
        (ITEMS, {"cursor": "abc"}, "cursor"),
        (ITEMS, {"q": ",".join("abcdefghijk")}, "q"),
        (COLLECTIONS, {"q": "a" * 101}, "q"),
        (ITEMS, {"ids": ",".join(map(str, range(101)))}, "ids"),
        (ITEMS, {"filter": f"id IN ({','.join(repr(str(number)) for number in range(101))})"}, "filter"),
        (ITEMS, {"filter": "id LIKE 'a%'"}, "filter"),
        (ITEMS, {"filter": "id = title"}, "filter"),
        (COLLECTIONS, {"filter": "(" * 200 + "id = 'a'" + ")" * 200}, "filter"),
        (COLLECTIONS, {"filter": "id ="}, "filter"),
        (COLLECTIONS, {"filter": "a_contains(keywords, ('a'))"}, "filter"),
        (ITEMS, {"filter": "{}", "filter-lang": "cql2-json"}, "filter"),
        (ITEMS, {"filter": "[" * 5000, "filter-lang": "cql2-json"}, "filter"),
        (ITEMS, {"filter": '{"op":"and","args":7}', "filter-lang": "cql2-json"}, "filter"),
        (COLLECTIONS, {"filter": '{"op":"not","args":[{"op":"x","args":[1]}]}', "filter-lang": "cql2-json"}, "filter"),
        (COLLECTIONS, {"filter-lang": "sql", "filter": "1"}, "filter-lang"),
        (ITEMS, {"eo:cloud_cover": "low"}, "eo:cloud_cover"),
        (ITEMS, {"collections": "s2"}, "collections"),
        (ITEMS, {"f": "xml"}, "f"),
    ],
)
def test_invalid_value_is_refused_with_its_parameter(records, collection, query, parameter):
    assert refusal(records, collection, **query) == (400, parameter)


def test_a_cursor_of_another_search_is_refused(records):
    links = page(records, ITEMS, limit=2)["links"]
    following = next(link["href"] for link in links if link["rel"] == "next")

    assert records.get(following).status_code == 200
    assert records.get(f"{following}&platform=sentinel-2a").json()["parameter"] == "cursor"


NODES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4), st.just({"property": "id"})),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["and", "or", "not", "=", "<>", "in", "like", "isNull", "casei", "s_within"]),
                "args": st.lists(inner, max_size=3),
            }
        ),
        st.dictionaries(st.sampled_from(["op", "args", "property", "bbox", "type", "date"]), inner, max_size=2),
    ),
    max_leaves=12,
)


@BOTH
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=NODES)
def test_any_json_is_a_filter_or_refused(records, collection, tree):
    query = f"filter-lang=cql2-json&filter={quote(json.dumps(tree))}"

    assert records.get(f"{collection}/items?{query}").status_code in {200, 400}


@BOTH
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*PARAMETERS, "cursor", "offset", "collection", "title", "f", "lang"]), value=st.text())
def test_any_text_is_a_query_or_refused(records, collection, name, value):
    assert records.get(f"{collection}/items", params={name: value}).status_code in {200, 400}
