"""Items that programs add and remove, through the whole application with a real index."""

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.archive.index.write import MAX_TRIES, TRIES_S, FailedTokens, ItemWriter
from chronotile.core.model.items import IndexSettings
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import item_document
from tests.protocols import served

TOKEN = "a-token-of-the-operator-of-tests"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
HREF = "https://scenes.test/a.tif"
S2 = SourceSpec(
    collection="s2",
    kind="stac",
    href="https://scenes.test/collections/s2",
    variables={"RED": VariableSpec(id="RED", asset="RED")},
    items=ItemsSpec(settings=IndexSettings(order_by="eo:cloud_cover"), filter="gsd < 100"),
)


@pytest.fixture
def index(tmp_path, closed_at_end):
    place = tmp_path / "c.yaml"
    place.write_text("collections: {}")
    return closed_at_end(item_index(Settings(config=place, jobs_dir=tmp_path / "jobs")))


@pytest.fixture
def client_of(index, at_end):
    def make(token=TOKEN):
        specs = {"s2": S2, "grids": SourceSpec(collection="grids", kind="zarr", href="/x.zarr")}
        writer = ItemWriter(
            tokens=(token,) if token else (), specs=lambda: specs, items=lambda: index, prefixes=AllowedPlaces()
        )
        app = application(served.make_services(), ServerOptions(items=writer))
        return at_end.enter_context(TestClient(app, raise_server_exceptions=False))

    return make


def scene(id_, **properties):
    return item_document(id_, **{"href": HREF, "gsd": 10, **properties})


def post(client, document, layer="s2", **more):
    return client.post(f"/layers/{layer}/items", json=document, headers=SHOWN, **more)


def test_item_is_added_replaced_or_unchanged(client_of, index):
    client = client_of()
    answer = post(client, scene("a"))
    assert (answer.status_code, answer.json()) == (201, {"added": 1, "replaced": 0, "unchanged": 0, "ids": ["a"]})
    assert [str(each)[:10] for each in index.times("s2").instants] == ["2020-06-01"]
    assert index.settings("s2").order_by == "eo:cloud_cover"
    assert post(client, scene("a")).json()["unchanged"] == 1
    answer = post(client, scene("a", day="2020-06-02"))
    assert (answer.status_code, answer.json()["replaced"]) == (200, 1)
    assert [str(each)[:10] for each in index.times("s2").instants] == ["2020-06-02"]


def test_a_collection_of_items_is_added_whole(client_of, index):
    body = {"type": "FeatureCollection", "features": [scene("a"), scene("b", day="2020-06-03")]}
    assert post(client_of(), body, layer="s2.RED").json()["ids"] == ["a", "b"]  # a layer that has no items yet
    assert len(index.times("s2").instants) == 2


def test_an_item_is_removed(client_of, index):
    client = client_of()
    post(client, scene("a/b"))
    answer = client.delete("/layers/s2/items/a/b", headers=SHOWN)
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(index.times("s2").instants) == 0
    assert client.delete("/layers/s2/items/a/b", headers=SHOWN).status_code == 404


def test_one_fault_refuses_all_items_and_is_named(client_of, index):
    faulty = [
        {**scene("nowhere"), "geometry": None},
        scene("elsewhere", href="https://other.test/a.tif"),
        scene("near", href="./a.tif"),
        scene("local", href="/etc/a.tif"),
        scene("nul\0"),
        scene("coarse", gsd=1000),
        {**scene("other"), "assets": {"B04": {"href": HREF, "type": "image/tiff"}}},
        scene("good"),
    ]
    answer = post(client_of(), {"type": "FeatureCollection", "features": [scene("good"), *faulty]})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert detail.startswith("nothing was written; ")
    for part in (
        "item 'nowhere': it has no geometry",
        "item 'elsewhere': addresses below https://other.test/ are not allowed",
        "item 'near': ",
        "item 'local': ",
        "has characters that are not valid text",
        "item 'coarse': the collection's filter leaves it out",
        "item 'other': it has none of the assets RED",
        "item 'good': another item of this request has the same id",
    ):
        assert part in detail
    assert len(index.times("s2").instants) == 0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"type": "Catalog"}', b'{"type":"FeatureCollection","features":[]}']
)
def test_invalid_item_is_refused(client_of, body):
    answer = client_of().post("/layers/s2/items", content=body, headers=SHOWN)
    assert answer.status_code == 400


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
def test_without_the_token_nothing_is_written(client_of, index, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    for answer in (
        client_of().post("/layers/s2/items", json=scene("a"), headers=headers),
        client_of().delete("/layers/s2/items/a", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="chronotile"'
    assert index.settings("s2") is None


@pytest.mark.parametrize("token", [None, ""])
def test_nobody_may_write_without_a_configured_token(client_of, token):
    for headers in ({}, SHOWN, {"Authorization": "Bearer "}):
        assert client_of(token).post("/layers/s2/items", json=scene("a"), headers=headers).status_code == 403


@pytest.mark.parametrize("layer", ["unknown", "s3.RED"])
def test_unknown_item_is_not_found(client_of, layer):
    assert post(client_of(), scene("a"), layer=layer).status_code == 404


@pytest.mark.parametrize("layer", ["grids", "grids.x"])
def test_dates_of_files_are_not_written(client_of, layer):
    answer = post(client_of(), scene("a"), layer=layer)
    assert answer.status_code == 403
    assert "are the dates of its files" in answer.json()["detail"]


def test_a_body_that_is_too_large_is_refused(client_of):
    headers = {**SHOWN, "Content-Length": str(1 << 40)}
    answer = client_of().post("/layers/s2/items", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (413, "max_body_bytes")


def test_an_application_without_a_writer_refuses(make_client):
    assert make_client().post("/layers/s2/items", json=scene("a"), headers=SHOWN).status_code == 403


def test_the_token_is_in_no_log_of_settings():
    assert TOKEN not in repr(Settings(write_token=TOKEN))


def test_answers_match_openapi(client_of):
    client = client_of()
    document = client.get("/openapi.json").json()
    posted = document["paths"]["/layers/{layer}/items"]["post"]
    removed = document["paths"]["/layers/{layer}/items/{item}"]["delete"]
    example = posted["requestBody"]["content"]["application/json"]["example"]
    example["assets"] = {"RED": {**example["assets"]["red"], "href": HREF}}

    answers = [post(client, each) for each in (scene("a"), scene("a"), example)]

    assert [answer.status_code for answer in answers] == [201, 200, 201]
    for answer in answers:
        schema = posted["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    assert str(client.delete("/layers/s2/items/a", headers=SHOWN).status_code) in removed["responses"]


def test_of_two_tokens_each_may_write(client_of):
    client = client_of()
    client.app.state.chronotile.items = replace(client.app.state.chronotile.items, tokens=("x" * 24, TOKEN))
    for token in ("x" * 24, TOKEN):
        answer = client.post("/layers/s2/items", json=scene("a"), headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {200, 201}


def test_wrong_tokens_are_counted_and_slowed(client_of):
    now_s, client = [0.0], client_of()
    failed = FailedTokens(lambda: now_s[0])
    client.app.state.chronotile.items = replace(client.app.state.chronotile.items, failed=failed)
    wrong = {"Authorization": "Bearer wrong"}

    statuses = [client.delete("/layers/s2/items/a", headers=wrong).status_code for _ in range(MAX_TRIES + 1)]

    assert statuses == [401] * MAX_TRIES + [429]
    refused = client.delete("/layers/s2/items/a", headers=wrong)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(round(TRIES_S)))
    assert refused.headers["cache-control"] == "no-store"
    paths = client.get("/openapi.json").json()["paths"]
    for path, method in (("/layers/{layer}/items", "post"), ("/stac/collections/{collection}/items/{item}", "put")):
        assert "429" in paths[path][method]["responses"]
    assert f"chronotile_refused_tokens_total {float(MAX_TRIES)}" in client.get("/metrics").text
    now_s[0] = TRIES_S
    assert client.delete("/layers/s2/items/a", headers=wrong).status_code == 401


def test_wrong_tokens_of_an_address_do_not_keep_out_the_right_one(client_of):
    client, wrong = client_of(), {"Authorization": "Bearer wrong"}
    statuses = [client.delete("/layers/s2/items/a", headers=wrong).status_code for _ in range(MAX_TRIES + 1)]
    assert statuses[-1] == 429

    assert post(client, scene("a")).status_code == 201
    assert client.delete("/layers/s2/items/a", headers=wrong).status_code == 429
