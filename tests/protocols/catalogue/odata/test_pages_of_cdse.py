"""Requests of https://documentation.dataspace.copernicus.eu/APIs/OData.html, unchanged except for the host."""

import pytest

PRODUCTS = "/odata/v1/Products"
MAY_3 = "ContentDate/Start gt 2022-05-03T00:00:00.000Z and ContentDate/Start lt 2022-05-03T00:11:00.000Z"
EW = (
    "contains(Name,%27S1A_EW_GRD%27)%20and%20ContentDate/Start%20gt%202022-05-03T00:00:00.000Z"
    "%20and%20ContentDate/Start%20lt%202022-05-03T12:00:00.000Z"
)
POLYGON = (
    "POLYGON((12.655118166047592 47.44667197521409,21.39065656328509 48.347694733853245,"
    "28.334291357162826 41.877123516783655,17.47086198383573 40.35854475076158,12.655118166047592 47.44667197521409))"
)
GRD = "S1A_EW_GRDM_20220503T000100"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            "$filter=not contains(Name,'S2') and ContentDate/Start gt 2022-05-03T00:00:00.000Z and "
            "ContentDate/Start lt 2022-05-03T00:10:00.000Z&$orderby=ContentDate/Start&$top=100",
            [GRD],
        ),
        ("$filter=Name eq 'S1A_IW_GRDH_1SDV_20141031T161924_20141031T161949_003076_003856_634E.SAFE'", []),
        (f"$filter=Collection/Name eq 'SENTINEL-2' and {MAY_3}", []),
        ("$filter=PublicationDate ge 2019-05-15T00:00:00.000Z and PublicationDate le 2019-05-16T00:00:00.000Z", []),
        ("$filter=ContentDate/Start gt 2019-05-15T00:00:00.000Z and ContentDate/End lt 2019-05-15T00:05:00.000Z", []),
        (
            f"$filter=OData.CSC.Intersects(area=geography'SRID=4326;{POLYGON}') and "
            "ContentDate/Start gt 2022-05-20T00:00:00.000Z and ContentDate/Start lt 2022-05-21T00:00:00.000Z",
            [],
        ),
        (
            "$filter=OData.CSC.Intersects(area=geography%27SRID=4326;POINT(-0.5319577002158441%2028.65487836189358)%27)",
            [],
        ),
        (
            "$filter=Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
            "att/OData.CSC.DoubleAttribute/Value le 40.00) and ContentDate/Start gt 2022-01-01T00:00:00.000Z and "
            "ContentDate/Start lt 2022-01-03T00:00:00.000Z&$top=10",
            [],
        ),
        (
            "$filter=contains(Name,'S1A_EW_GRD') and ContentDate/Start gt 2022-05-03T00:00:00.000Z and "
            "ContentDate/Start lt 2022-05-03T03:00:00.000Z&$orderby=ContentDate/Start desc",
            [GRD],
        ),
        (f"$filter={EW}&$top=100", [GRD]),
        (f"$filter={EW}&$skip=23", []),
        (
            "$filter=contains(Name,'S1A_EW_GRD')+and+ContentDate/Start+gt+2022-05-03T00:00:00.000Z+and+"
            "ContentDate/Start+lt+2022-05-03T12:00:00.000Z&$skip=20",
            [],
        ),
        (f"$filter={EW}&$count=True", [GRD]),
        (f"$filter={EW}&$expand=Attributes", [GRD]),
        ("$filter=contains(Name,%20%27SL_2_FRP___%27)&$expand=Assets", []),
    ],
)
def test_searches(client, scenes, query, found):
    answer = client.get(f"{PRODUCTS}?{query}")

    assert answer.status_code == 200, answer.text
    assert [each["Name"] for each in answer.json()["value"]] == found


def test_a_list_of_names(client, scenes):
    body = {
        "FilterProducts": [
            {"Name": "S1A_IW_GRDH_1SDV_20141031T161924_20141031T161949_003076_003856_634E.SAFE"},
            {"Name": GRD},
            {"Name": "xxxxxxxx.06.tar"},
        ]
    }

    answer = client.post(f"{PRODUCTS}/OData.CSC.FilterList", json=body)

    assert [each["Name"] for each in answer.json()["value"]] == [GRD]
