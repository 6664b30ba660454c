"""`/odata/v1`: documents, pages, counts, downloads and errors."""

import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.items import lookups
from chronotile.core.model.items import product_id
from chronotile.protocols.catalogue.odata import search as odata_search
from chronotile.protocols.catalogue.odata.documents import product_document
from tests.protocols import served
from tests.protocols.catalogue.odata.conftest import ROOT, document, sentinel_2

PRODUCTS = f"{ROOT}/Products"
SCENE = "S2A_MSIL2A_20220504T105031_N0400_R051_T31UFS.SAFE"
ID = product_id("SENTINEL-2", SCENE)
EDM = {"edm": "http://docs.oasis-open.org/odata/ns/edm", "edmx": "http://docs.oasis-open.org/odata/ns/edmx"}


def ask(client, path=PRODUCTS, **options):
    return client.get(path, params={f"${name}": value for name, value in options.items()})


def walk(client, **options):
    """Return the names on all pages by following their links."""
    pages, answer = [], ask(client, **options)
    while True:
        assert answer.status_code == 200, answer.text
        pages.append([each["Name"] for each in answer.json()["value"]])
        link = answer.json().get("@odata.nextLink")
        if link is None:
            return pages
        answer = client.get(link)


def error_of(answer, status=400):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["odata-version"] == "4.0"
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


def test_the_service_document_names_its_sets(client):
    answer = client.get(ROOT)

    assert answer.json() == {
        "@odata.context": "$metadata",
        "value": [{"name": "Products", "kind": "EntitySet", "url": "Products"}],
    }
    assert answer.headers["odata-version"] == "4.0"
    assert client.get(f"{ROOT}/").status_code == 200


def test_metadata_describe_the_properties_of_products(client, scenes):
    root = etree.fromstring(client.get(f"{ROOT}/$metadata").content)
    product = ask(client, expand="Attributes,Assets", top=1).json()["value"][0]

    described = root.xpath("//edm:EntityType[@Name='Product']/edm:*/@Name", namespaces=EDM)
    assert set(product) - {"@odata.mediaContentType"} | {"Nodes"} == set(described)
    for entity, shown in (("Asset", product["Assets"][0]), ("Attribute", product["Attributes"][0])):
        names = root.xpath(f"//edm:EntityType[@Name='{entity}']/edm:Property/@Name", namespaces=EDM)
        assert set(names) == set(shown) - {"@odata.type", "Value"}
    types = root.xpath("//edm:EntityType[@BaseType='OData.CSC.Attribute']/@Name", namespaces=EDM)
    assert types == [f"{each}Attribute" for each in ("String", "Double", "Integer", "DateTimeOffset", "Boolean")]


def test_types_in_metadata_are_defined(client):
    root = etree.fromstring(client.get(f"{ROOT}/$metadata").content)

    named = {name.removeprefix("Collection(").removesuffix(")") for name in root.xpath("//@Type | //@EntityType")}
    defined = {
        f"OData.CSC.{each}" for each in root.xpath("//edm:EntityType/@Name | //edm:ComplexType/@Name", namespaces=EDM)
    }
    assert {each for each in named if not each.startswith("Edm.")} <= defined


def test_a_product_has_the_members_of_cdse(client, put):
    asset = {
        "href": "s3://secret-bucket/x.tif",
        "type": "image/tiff; application=geotiff",
        "file:size": 1234,
        "file:checksum": "d50110" + "ab" * 16,
    }
    scene = document(
        "x",
        start="2022-05-03T10:00:00.1234Z",
        end_datetime="2022-05-03T12:00:00+01:00",
        assets={"data": asset},
        start_datetime="2022-05-03T10:00:00.1234Z",
        updated="2022-05-04T00:00:00Z",
    )
    put("LANDSAT-8", [scene])
    id_ = str(product_id("LANDSAT-8", "x"))

    answer = client.get(f"{PRODUCTS}({id_})")

    assert answer.json() == {
        "@odata.context": "$metadata#Products/$entity",
        "@odata.mediaContentType": "image/tiff; application=geotiff",
        "Id": id_,
        "Name": "x",
        "ContentType": "image/tiff; application=geotiff",
        "ContentLength": 1234,
        "OriginDate": "2022-05-04T00:00:00.000Z",
        "PublicationDate": "2022-05-04T00:00:00.000Z",
        "ModificationDate": "2022-05-04T00:00:00.000Z",
        "Online": True,
        "EvictionDate": "9999-12-31T23:59:59.999Z",
        "Checksum": [{"Value": "ab" * 16, "Algorithm": "MD5"}],
        "ContentDate": {"Start": "2022-05-03T10:00:00.123400Z", "End": "2022-05-03T11:00:00.000Z"},
        "Footprint": "geography'SRID=4326;POLYGON ((4.0 50.0, 5.0 50.0, 5.0 51.0, 4.0 51.0, 4.0 50.0))'",
        "GeoFootprint": scene["geometry"],
        "Collection": {"Name": "LANDSAT-8"},
    }
    assert client.get(f"{PRODUCTS}('{id_}')").json()["Id"] == id_


def test_attributes_and_assets_are_expanded(client, scenes):
    found = ask(client, filter=f"Name eq '{SCENE}'", expand="Attributes,Assets").json()
    (product,) = found["value"]
    values = {each["Name"]: (each["Value"], each["ValueType"], each["@odata.type"]) for each in product["Attributes"]}

    assert found["@odata.context"] == "$metadata#Products(Attributes(),Assets())"
    assert values["cloudCover"] == (40.0, "Double", "#OData.CSC.DoubleAttribute")
    assert values["tileId"] == ("31UFS", "String", "#OData.CSC.StringAttribute")
    assert values["platformShortName"][0] == "SENTINEL-2"
    assert values["platformSerialIdentifier"][0] == "A"
    assert values["instrumentShortName"][0] == "MSI"
    assert values["orbitNumber"] == (1004, "Integer", "#OData.CSC.IntegerAttribute")
    (asset,) = product["Assets"]
    assert asset["DownloadLink"] == f"http://testserver/products/{ID}/nodes/B04"
    assert client.get(f"{PRODUCTS}({ID})/Attributes").json()["value"] == product["Attributes"]
    assert client.get(f"{PRODUCTS}({ID})/Assets").json()["value"] == product["Assets"]


def test_values_of_lists_are_joined_and_unknown_properties_are_attributes(client, put):
    more = {
        "sar:polarizations": ["VV", "VH"],
        "proj:shape": [1, 2],
        "x:count": 3,
        "x:is": True,
        "x:at": "2022-01-01T00:00:00Z",
    }
    put("SENTINEL-1", [document("a", start="2022-05-03T00:00:00Z", **more)])

    (product,) = ask(client, expand="Attributes").json()["value"]

    assert {each["Name"]: (each["Value"], each["ValueType"]) for each in product["Attributes"]} == {
        "polarisationChannels": ("VV&VH", "String"),
        "x:at": ("2022-01-01T00:00:00.000Z", "DateTimeOffset"),
        "x:count": (3, "Integer"),
        "x:is": (True, "Boolean"),
    }


def test_members_are_selected(client, scenes):
    found = ask(client, select="Id,Name", top=1, expand="Attributes").json()

    assert found["@odata.context"] == "$metadata#Products(Id,Name,Attributes())"
    assert set(found["value"][0]) == {"@odata.mediaContentType", "Id", "Name", "Attributes"}


def test_paths_of_files_are_never_shown(client, scenes):
    answers = [ask(client, expand="Attributes,Assets", top=1000), client.get(f"{PRODUCTS}({ID})?$expand=Assets")]

    assert all("secret" not in answer.text and "s3:" not in answer.text.lower() for answer in answers)


def test_pages_have_each_product_once_in_order(client, scenes):
    pages = walk(client, top=5, orderby="ContentDate/Start asc, Name desc")

    names = [name for page in pages for name in page]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert len(set(names)) == 12
    assert names[:4] == [
        "S2B_MSIL2A_20220501T105031_N0400_R051_T31UFS.SAFE",
        "S2A_MSIL2A_20220502T105031_N0400_R051_T31UFS.SAFE",
        "S1A_EW_GRDM_20220503T000100",
        "S2B_MSIL2A_20220503T105031_N0400_R051_T31UFS.SAFE",
    ]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("ContentDate/Start", "S2B_MSIL2A_20220501T105031_N0400_R051_T31UFS.SAFE"),
        ("ContentDate/End desc", "S2A_MSIL2A_20220508T105031_N0400_R051_T31UFS.SAFE"),
        ("PublicationDate", "S2B_MSIL2A_20220501T105031_N0400_R051_T31UFS.SAFE"),
        ("ModificationDate asc", "S1A_EW_GRDM_20220503T000100"),
        ("Name", "S1A_EW_GRDM_20220503T000100"),
    ],
)
def test_products_are_ordered(client, scenes, order, first):
    assert ask(client, orderby=order).json()["value"][0]["Name"] == first


def test_the_next_link_keeps_the_options_but_skip(client, scenes):
    link = ask(client, filter="startswith(Name,'S2')", top=2, skip=3, count="true", expand="Attributes").json()

    query = dict(parse_qsl(urlsplit(link["@odata.nextLink"]).query))
    assert query["$skip"] == "5"
    assert query.keys() == {"$filter", "$top", "$count", "$expand", "$skip", "$skiptoken"}
    following = client.get(link["@odata.nextLink"]).json()
    assert following["@odata.count"] == link["@odata.count"] == 9
    assert [each["Name"][11:19] for each in following["value"]] == ["20220503", "20220503"]


def test_skipping_is_walking(client, scenes):
    names = [name for page in walk(client, top=3) for name in page]

    assert [each["Name"] for each in ask(client, skip=4, top=3).json()["value"]] == names[4:7]
    assert ask(client, skip=12).json()["value"] == []
    assert ask(client, skip=10_000, count="true").json() == {
        "@odata.context": "$metadata#Products",
        "@odata.count": 12,
        "value": [],
    }


def test_pages_of_large_products_are_a_walk_that_leaves_none_out(client, scenes, monkeypatch):
    names = [name for page in walk(client) for name in page]
    monkeypatch.setattr(lookups, "MAX_BYTES", 20_000)

    for skip in (0, 4):
        pages = walk(client, skip=skip)
        assert [name for page in pages for name in page] == names[skip:]
        assert max(map(len, pages)) < 5


@pytest.mark.parametrize("kind", ["Name", "Id"])
def test_a_list_of_products_that_are_too_large_for_an_answer_is_refused(client, scenes, monkeypatch, kind):
    listed = ask(client).json()["value"]
    monkeypatch.setattr(lookups, "MAX_BYTES", 2_000)
    monkeypatch.setattr(odata_search, "MAX_BYTES", 2_000)
    body = {"FilterProducts": [{kind: each[kind]} for each in listed]}

    error = error_of(client.post(f"{PRODUCTS}/OData.CSC.FilterList", json=body))

    assert error["code"] == "limit-exceeded"
    assert error["innererror"]["allowed"] < len(listed)
    assert "send several lists" in error["innererror"]["alternative"]


def test_list_of_names_is_found_on_all_pages_of_its_search(client, scenes, monkeypatch):
    listed = [each["Name"] for each in ask(client).json()["value"]]
    monkeypatch.setattr(odata_search, "MAX_COUNTED", 2)

    answer = client.post(
        f"{PRODUCTS}/OData.CSC.FilterList", json={"FilterProducts": [{"Name": each} for each in listed]}
    )

    assert sorted(each["Name"] for each in answer.json()["value"]) == sorted(listed)


def test_counts(client, scenes):
    assert ask(client, filter="startswith(Name,'S2')", count="True", top=1).json()["@odata.count"] == 9
    assert "@odata.count" not in ask(client, count="0").json()
    assert ask(client, top=0, count="1").json() == {
        "@odata.context": "$metadata#Products",
        "@odata.count": 12,
        "value": [],
    }
    answer = ask(client, f"{PRODUCTS}/$count", filter="startswith(Name,'S2')")
    assert (answer.text, answer.headers["content-type"]) == ("9", "text/plain; charset=utf-8")


@pytest.mark.slow
def test_counts_beyond_the_limit_are_refused_and_pages_go_on(client, put):
    names = [f"{number:05}" for number in range(10_050)]
    put("LANDSAT-8", [document(name, start="2022-05-03T00:00:00Z", assets=None) for name in names])

    refused = error_of(ask(client, count="true"))
    pages = walk(client, top=1000, orderby="Name")

    assert refused["code"] == "limit-exceeded"
    assert (refused["innererror"]["limit"], refused["innererror"]["allowed"]) == ("$count", 10_000)
    assert [name for page in pages for name in page] == names
    last = ask(client, skip=10_000, top=1000, orderby="Name").json()
    assert [each["Name"] for each in last["value"]] == names[10_000:]
    error_of(ask(client, f"{PRODUCTS}/$count"))


def test_lists_of_names_and_ids_are_looked_up(client, scenes):
    body = {"FilterProducts": [{"Name": SCENE}, {"Name": "xxxxxxxx.06.tar"}, {"Id": str(ID)}]}

    answer = client.post(f"{PRODUCTS}/OData.CSC.FilterList", json=body)

    assert [each["Name"] for each in answer.json()["value"]] == [SCENE]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{", b"{}", b'{"FilterProducts": 5}', b'{"FilterProducts": [5]}', b'{"FilterProducts": [{}]}'),
        b'{"FilterProducts": [{"Name": 5}]}',
        b'{"FilterProducts": [{"Id": "x"}]}',
        b'{"FilterProducts": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        json.dumps({"FilterProducts": [{"Name": "a"}] * 1001}).encode(),
    ],
)
def test_other_lists_are_refused(client, body):
    answer = client.post(f"{PRODUCTS}/OData.CSC.FilterList", content=body)

    assert error_of(answer)["target"] == "FilterProducts"


def test_attributes_of_collections_are_listed(client, scenes):
    listed = client.get(f"{ROOT}/Attributes").json()

    assert list(listed) == ["SENTINEL-1", "SENTINEL-2", "LANDSAT-8"]
    assert {"Name": "cloudCover", "ValueType": "Double"} in listed["SENTINEL-2"]
    assert client.get(f"{ROOT}/Attributes(SENTINEL-1)").json() == listed["SENTINEL-1"]
    assert listed["LANDSAT-8"] == []
    assert error_of(client.get(f"{ROOT}/Attributes(NONE)"), 404)["message"] == "there is no collection 'NONE'"


def test_value_leads_to_the_download(client, scenes):
    for answer in (
        client.get(f"{PRODUCTS}({ID})/$value", follow_redirects=False),
        client.head(f"{PRODUCTS}({ID})/$value", follow_redirects=False),
    ):
        assert (answer.status_code, answer.headers["location"]) == (302, f"http://testserver/products/{ID}")


@pytest.mark.parametrize("path", ["", "/$value", "/Attributes", "/Assets"])
@pytest.mark.parametrize("id_", [str(product_id("a", "b")), "x", "..", "''", "1" * 5000, "%00"])
def test_unknown_products_are_not_found(client, path, id_):
    error_of(client.get(f"{PRODUCTS}({id_}){path}"), 404)


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ({"skip": 10**9}, "$skip", "follow @odata.nextLink"),
        ({"skip": 10_001}, "$skip", "at most 10000"),
        ({"skip": -1}, "$skip", "at least 0"),
        ({"skip": "1" * 30}, "$skip", "a whole number"),
        ({"top": 1001}, "$top", "at most 1000"),
        ({"top": "many"}, "$top", "a whole number"),
        ({"count": "yes"}, "$count", "use true, 1, false, 0"),
        ({"orderby": "Id"}, "$orderby", "accepted: Name, ContentDate/Start"),
        ({"orderby": "Name up"}, "$orderby", "'Name up'"),
        ({"orderby": ",".join(["Name"] * 100)}, "$orderby", "accepted"),
        ({"expand": "Locations"}, "$expand", "use Attributes, Assets"),
        ({"select": "S3Path"}, "$select", "use Id, Name"),
        ({"search": "x"}, "$search", "accepted: $count"),
        ({"skiptoken": "x"}, "$skiptoken", "does not belong to a page"),
        ({"skiptoken": "x" * 20_000}, "$skiptoken", "does not belong to a page"),
    ],
)
def test_options_that_are_refused(client, scenes, options, target, said):
    error = error_of(ask(client, **options))

    assert error["target"] == target
    assert said in error["message"]


def test_other_formats_are_refused(client):
    assert error_of(ask(client, format="atom"), 406)["target"] == "$format"
    assert ask(client, format="application/json").status_code == 200


def test_options_may_lack_their_sign_and_expand_may_be_repeated(client, scenes):
    answer = client.get(f"{PRODUCTS}?top=1&$expand=Attributes&$expand=Assets&x=y")

    assert len(answer.json()["value"]) == 1
    assert {"Attributes", "Assets"} <= answer.json()["value"][0].keys()
    assert error_of(client.get(f"{PRODUCTS}?$top=1&$top=2"))["target"] == "$top"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_tokens_that_were_tampered_with_are_refused(client, scenes, data):
    link = ask(client, top=2, filter="startswith(Name,'S2')").json()["@odata.nextLink"]
    token = dict(parse_qsl(urlsplit(link).query))["$skiptoken"]
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))

    changed = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")

    assert error_of(ask(client, top=2, filter="startswith(Name,'S2')", skiptoken=changed))["target"] == "$skiptoken"


def test_token_of_another_search_is_refused(client, scenes):
    link = ask(client, top=2, filter="startswith(Name,'S2')").json()["@odata.nextLink"]
    token = dict(parse_qsl(urlsplit(link).query))["$skiptoken"]

    error_of(ask(client, top=2, filter="startswith(Name,'S1')", skiptoken=token))
    error_of(ask(client, top=2, filter="startswith(Name,'S2')", orderby="Name", skiptoken=token))


LARGE_FILTERS = {
    "brackets": "(" * 5_000 + "Name eq 'a'" + ")" * 5_000,
    "not": "not " * 10_000 + "Online eq true",
    "vertices": "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((" + ",".join(["1 1"] * 9_000) + "))')",
    "comparisons": " or ".join(["contains(Name,'a')"] * 1_500),
    "wildcards": "contains(Name,'" + "%" * 5_000 + "')",
    "as many as are read": " or ".join(["PublicationDate gt 2022-01-01"] * 99),
    "NUL": "contains(Name,'\0')",
}


@pytest.mark.parametrize("filter_", LARGE_FILTERS.values(), ids=LARGE_FILTERS)
def test_large_and_deep_filters_are_refused_or_answered(client, scenes, filter_):
    answer = ask(client, filter=filter_)

    assert answer.status_code == 200 or error_of(answer)["target"] == "$filter"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    options=st.dictionaries(
        st.sampled_from(["filter", "orderby", "top", "skip", "count", "expand", "select", "skiptoken"]),
        st.text(max_size=40),
    )
)
def test_any_options_are_answered_or_refused_in_their_own_document(client, scenes, options):
    answer = ask(client, **{name: text.encode("utf-8", "replace").decode() for name, text in options.items()})

    assert answer.status_code == 200 or error_of(answer)["message"]


def test_server_without_an_index_reports_it():
    with TestClient(application(served.make_services())) as client:
        assert error_of(ask(client), 503)["message"] == "this server has no index of items"


def test_scenes_are_of_the_month_that_tests_speak_of():
    assert sentinel_2(4)["id"] == SCENE


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("get", f"{ROOT}/Foo", 404, None),
        ("post", PRODUCTS, 405, "GET, HEAD"),
        ("delete", ROOT, 405, "GET, HEAD"),
        ("get", f"{PRODUCTS}/OData.CSC.FilterList", 405, "POST"),
    ],
)
def test_unknown_paths_and_methods_have_error_documents(client, method, path, status, allow):
    answer = client.request(method, path)

    assert error_of(answer, status)["message"]
    assert answer.headers.get("allow") == allow


def test_a_product_without_files_is_not_online():
    item = {"id": "2022-05-01", "properties": {}, "geometry": None, "collection": "cube"}

    assert product_document({**item, "assets": {}}, ID, base="")["Online"] is False
    assert product_document({**item, "assets": {"B04": {}}}, ID, base="")["Online"] is True
