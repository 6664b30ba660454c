"""For a stranger, an archive with private things equals an archive without them: each answer has the same content."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from httpx2 import Response
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from chronotile.access.keys import open_keys
from chronotile.app.application import ServerOptions, application
from chronotile.core.model.access import AccessRules, Rule
from chronotile.core.model.places import PlaceSet
from chronotile.pipeline.services import Services
from tests.places import make_places
from tests.protocols import served
from tests.protocols.fuzzing.site import made_services
from tests.protocols.fuzzing.valid import COG, JOB, VALID
from tests.running import until

PRIVATE = Rule(see=frozenset({"group:ministry"}))
OF_ONE_SERVER = ("metrics", "health", "ogcapi/jobs")
"""Paths of a process, not of an archive."""


def with_private(services: Services) -> Services:
    """Return services with additional private things: a collection, a layer of a public collection, and places."""
    hidden = served.make_layer("HIDDEN", collection="secret", access=PRIVATE)
    also = served.make_layer("HIDDEN2", variable=served.make_variable("HIDDEN2"), access=PRIVATE)
    secret = served.make_collection(hidden, access=PRIVATE)
    first, *others = services.catalogue.collections
    first = replace(first, layers=(*first.layers, also))
    collections = (first, secret, *others)
    places = {**services.catalogue.places, "fields": _fields()}
    catalogue = replace(
        services.catalogue,
        collections=collections,
        places=places,
        rules_of_places={name: PRIVATE if name == "fields" else Rule() for name in places},
        access=AccessRules(),
    )
    readers = {each.id: served.make_reader(each, broken=["GONE"]) for each in collections}
    return replace(services, catalogue=catalogue, readers={**services.readers, **readers})


def _fields() -> PlaceSet:
    squares = make_places()
    return replace(squares, spec=replace(squares.spec, id="fields"), digest="fields")


def with_nothing_private() -> Services:
    """Return the same services without private things; users may authenticate there, too."""
    services = made_services()
    rules = {name: Rule() for name in services.catalogue.places}
    return replace(services, catalogue=replace(services.catalogue, access=AccessRules(), rules_of_places=rules))


@dataclass
class Pair:
    """A server with private things, and a server without them."""

    private: TestClient
    public: TestClient
    key: str


def _client(app: Starlette) -> TestClient:
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("keys")
    keys = open_keys(None, folder, archive="a")
    key = keys.create("owner", groups=["ministry"], days=1)
    keys.close()
    options = ServerOptions(keys=lambda: open_keys(None, folder, archive="a"))
    with (
        _client(application(with_private(made_services()), options)) as private,
        _client(application(with_nothing_private(), ServerOptions())) as public,
    ):
        yield Pair(private, public, key)


def seen(answer: object) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and content; of a PNG its pixels, as equal pictures may be deflated differently."""
    is_png = answer.headers.get("content-type") == "image/png"
    ignored = {"server-timing", "vary", *(["content-length"] if is_png else [])}
    headers = {name: value for name, value in answer.headers.items() if name not in ignored}
    return answer.status_code, headers, _pixels(answer.content) if is_png else answer.content


def _pixels(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    return repr(picture.size).encode() + picture.tobytes()


def requests_of_strangers() -> list[str]:
    return [url for url in VALID if JOB not in url and COG not in url and not url[1:].startswith(OF_ONE_SERVER)]


def counted(client: TestClient, url: str) -> Response:
    """Return the answer after the server has counted the valid fractions in it."""

    def look() -> Response | None:
        answer = client.get(url)
        return None if re.search(rb'"valid_shares_pending":[1-9]', answer.content) else answer

    return until(look)


@pytest.mark.every_case
@pytest.mark.parametrize("url", requests_of_strangers())
def test_answer_to_a_stranger_equals_that_of_a_server_without_private_data(pair: Pair, url: str) -> None:
    owner = pair.private.get(url, headers={"Authorization": f"Bearer {pair.key}"})
    pair.private.get(url.replace("NDVI", "HIDDEN"), headers={"Authorization": f"Bearer {pair.key}"})
    assert owner.status_code == pair.public.get(url).status_code

    assert seen(counted(pair.private, url)) == seen(counted(pair.public, url))
    assert seen(pair.private.get(url)) == seen(pair.public.get(url))  # now possibly from a cache


@pytest.mark.every_case
@pytest.mark.parametrize("url", [each for each in requests_of_strangers() if "NDVI" in each or "squares" in each])
def test_a_private_name_is_an_unknown_one(pair: Pair, url: str) -> None:
    public = pair.public.get(url).status_code
    url = url.replace("NDVI", "HIDDEN").replace("squares", "fields")
    owner = pair.private.get(url, headers={"Authorization": f"Bearer {pair.key}"})
    if any(f"{start}HIDDEN" in url for start in ("/tiles/", "/timeseries/", "/cubes/", "/zarr/", "LAYERS=")):
        assert owner.status_code == public

    assert seen(pair.private.get(url)) == seen(pair.public.get(url))
    wrong = pair.private.get(url, headers={"Authorization": "Bearer ctk_wrong"})
    assert wrong.status_code in {401, 429}


def test_owner_gets_private_data(pair: Pair) -> None:
    bearer = {"Authorization": f"Bearer {pair.key}"}
    path = "/timeseries/HIDDEN/point?lon=4.6&lat=50.85"
    assert pair.private.get(path).status_code == 404
    answer = pair.private.get(path, headers=bearer)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert pair.private.get(path, auth=("anybody", pair.key)).content == answer.content
    assert pair.private.get(f"/k/{pair.key}{path}").content == answer.content
    capabilities = pair.private.get(f"/k/{pair.key}/wms?SERVICE=WMS&REQUEST=GetCapabilities").text
    assert f"http://localhost/k/{pair.key}/wms" in capabilities
    assert "HIDDEN" in capabilities
    assert pair.private.get("/login/wms?SERVICE=WMS&REQUEST=GetCapabilities").status_code == 401


def test_a_key_that_stands_twice_in_a_path_is_not_logged(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    failing = f"/k/{pair.key}/k/{pair.key}/timeseries/GONE/point?lon=4.6&lat=50.85"
    assert pair.private.get(failing).status_code == 503
    assert "/timeseries/GONE/point" in caplog.text
    assert pair.key not in caplog.text
    assert f"/k/{pair.key}/layers/HIDDEN/times" in pair.private.get(f"/k/{pair.key}/k/{pair.key}/layers/HIDDEN").text
