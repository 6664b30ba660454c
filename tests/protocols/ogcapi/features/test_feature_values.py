"""Values of places at a time are properties of features and equal `/places/{set}/values`."""

import io

import geopandas
import numpy as np
import pytest

from tests.protocols.ogcapi.features.conftest import COUNT, LAEA, make_all

ITEMS = "/ogcapi/collections/fields/items"
AT = "datetime=2020-06-01"


def column(client, name, query):
    return [each["properties"][name] for each in client.get(f"{ITEMS}?{query}").json()["features"]]


@pytest.mark.parametrize(
    ("layer", "name", "reducer"),
    [("NDVI", "NDVI", "mean"), ("S2_NDVI", "NDVI", "max"), ("LAI", "LAI", "p90"), ("HEIGHT", "HEIGHT", "count")],
)
def test_values_equal_those_of_the_matrix(features, layer, name, reducer):
    matrix = features.get(f"/places/fields/values?layer={layer}&{AT}&reducer={reducer}").json()

    found = column(features, name, f"value={layer}&{AT}&reducer={reducer}")
    assert found == [row[0] for row in matrix["values"]]
    assert found[0] is not None
    assert found[-1] is None


def test_several_layers_are_several_columns_on_each_page(features):
    both = [column(features, name, f"value=NDVI,LAI&{AT}") for name in ("NDVI", "LAI")]

    assert both == [column(features, name, f"value={name}&{AT}") for name in ("NDVI", "LAI")]
    assert column(features, "LAI", f"value=NDVI,LAI&{AT}&parcels=3") == both[1][3:4]
    assert column(features, "NDVI", f"value=NDVI,LAI&{AT}&limit=2") == both[0][:2]


def test_a_value_cannot_have_the_name_of_a_property(make_client):
    services = make_all()
    services.catalogue.places["fields"].fields["NDVI"] = ("own",) * COUNT
    client = make_client(services)

    refused = client.get(f"{ITEMS}?value=NDVI&{AT}")
    assert (refused.status_code, refused.json()["parameter"]) == (400, "value")
    assert column(client, "NDVI", f"value=LAI&{AT}") == ["own"] * COUNT


def test_default_time_is_that_of_the_layer(features):
    answer = features.get(f"{ITEMS}?value=NDVI")

    assert answer.headers["chronotile-time"] == "2020-06-21T00:00:00Z"
    assert column(features, "NDVI", "value=NDVI") == column(features, "NDVI", "value=NDVI&datetime=2020-06-21")


def test_they_have_an_etag_that_the_time_of_the_answer_does_not_change(features):
    address = f"{ITEMS}?value=NDVI&{AT}"
    first = features.get(address)

    held = {"if-none-match": first.headers["etag"]}
    assert (features.get(address, headers=held).status_code, features.get(address).text) == (304, first.text)
    for other in (
        "value=NDVI&datetime=2020-06-11",
        f"value=LAI&{AT}",
        f"value=NDVI&{AT}&limit=2",
        f"value=NDVI&{AT}&f=gpkg",
    ):
        assert features.get(f"{ITEMS}?{other}", headers=held).status_code == 200


def test_missing_source_is_503(make_client):
    answer = make_client(make_all(broken=["LAI"])).get(f"{ITEMS}?value=LAI&{AT}")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


@pytest.mark.parametrize(
    ("name", "media_type"), [("fgb", "application/flatgeobuf"), ("gpkg", "application/geopackage+sqlite3")]
)
def test_a_file_has_all_places_with_properties_and_values(features, tmp_path, name, media_type):
    answer = features.get(f"{ITEMS}?f={name}&value=NDVI,LAI&{AT}")

    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="fields.{name}"'
    again = features.get(f"{ITEMS}?f={name}&value=NDVI,LAI&{AT}", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    head = features.head(f"{ITEMS}?f={name}&value=NDVI,LAI&{AT}", headers={"accept-encoding": "gzip"})
    assert head.headers["etag"] == answer.headers["etag"]
    (tmp_path / f"fields.{name}").write_bytes(answer.content)
    frame = geopandas.read_file(tmp_path / f"fields.{name}")
    assert (len(frame), frame.crs.to_epsg()) == (COUNT, 3035)
    np.testing.assert_allclose(
        frame.geometry.total_bounds[:2], np.min(LAEA([4.5, 4.5, 7, 7], [50.8, 50.9, 50.8, 50.9]), axis=1), atol=1
    )
    ordered = frame.set_index("id").loc[[f"S{number}" for number in range(COUNT)]]
    assert ordered["parcels"].tolist() == list(range(COUNT))
    np.testing.assert_array_equal(ordered["NDVI"], np.array(column(features, "NDVI", f"value=NDVI&{AT}"), dtype=float))


def test_selection_of_features_applies_to_a_file_too(features):
    address = f"{ITEMS}?f=fgb&crop=maize&filter=parcels > 10&crs=http://www.opengis.net/def/crs/EPSG/0/4326"

    frame = geopandas.read_file(io.BytesIO(features.get(address).content))
    assert (sorted(frame["parcels"]), frame.crs.to_epsg()) == ([12, 15, 18, 21, 24], 4326)
    assert frame.geometry.total_bounds[0] == pytest.approx(5.7, abs=1e-6)
