"""ETags change with every part of an answer."""

import pytest

from tests.places import make_places
from tests.protocols import served

ASKED = {
    "position": "position?coords=POINT(4.8 50.8)",
    "positions": "position?coords=MULTIPOINT(4.8 50.8,4.81 50.8)",
    "cube": "cube?bbox=4.8,50.8,4.81,50.81",
    "location": "locations/squares:S0",
    "items": "items?",
}


@pytest.fixture
def etag(make_client):
    """Return a function: `etag("cube?…", title=…)` returns the ETag for a layer with these members."""

    def found(path, headers=None, root="", **members):
        services = served.make_services(
            served.make_collection(served.make_layer(**members)),
            places=[make_places()],
            service=served.ServiceInfo(url=root or None),
        )
        answer = make_client(services).get(f"/ogcapi/collections/NDVI/{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["etag"].replace("-gzip", "")

    return found


@pytest.mark.parametrize("path", ASKED.values(), ids=ASKED)
def test_the_same_has_the_same_validator(etag, path):
    assert etag(path) == etag(path)


@pytest.mark.quick_cases("-title")
@pytest.mark.parametrize(
    "members",
    [{"title": {"": "Greenness"}}, {"abstract": {"": "Of leaves"}}, {"attribution": "Others"}, {"license": "CC0-1.0"}],
    ids=["title", "abstract", "attribution", "license"],
)
@pytest.mark.parametrize("path", [path for name, path in ASKED.items() if name != "items"])
def test_description_of_the_data_is_part_of_the_etag(etag, path, members):
    assert etag(path) != etag(path, **members)


@pytest.mark.parametrize("path", [f"{path}&f=GeoJSON" for name, path in ASKED.items() if name != "location"])
def test_addresses_in_features_are_part_of_it(etag, path):
    assert etag(path) != etag(path, root="https://example.org/served")


@pytest.mark.parametrize("path", [ASKED["position"], ASKED["cube"]])
def test_the_media_type_is_part_of_it(etag, path):
    assert etag(path) != etag(path, headers={"Accept": "application/vnd.cov+json"})
