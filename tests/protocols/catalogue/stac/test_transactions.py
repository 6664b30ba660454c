"""Items that programs with the token write (transaction extension), in a separate index."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.archive.index.write import ItemWriter
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.preparing import BATCH
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.web.places import AllowedPlaces
from tests.protocols.catalogue.stac.conftest import BASE, put, services_over
from tests.protocols.catalogue.stac.documents import scene

TOKEN = "a-token-of-the-operator-of-tests"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
ITEMS = "/stac/collections/scenes/items"
SCENES = SourceSpec(
    collection="scenes",
    kind="stac",
    href="https://scenes.test/collections/scenes",
    variables={"RED": VariableSpec(id="RED", asset="RED")},
    items=ItemsSpec(),
)


@pytest.fixture
def index(tmp_path, closed_at_end):
    index = closed_at_end(open_items(None, tmp_path, archive="a"))
    put(index, "scenes", [scene("there", day=1, cloud=5)])
    return index


@pytest.fixture
def client(index):
    writer = ItemWriter(
        tokens=(TOKEN,), specs=lambda: {"scenes": SCENES}, items=lambda: index, prefixes=AllowedPlaces()
    )
    with TestClient(application(services_over(index), ServerOptions(items=writer))) as client:
        client.headers.update(SHOWN)
        yield client


def written(id_, **members):
    """Return an item of a client program, with files below the host of the collection."""
    document = scene(id_, day=2, cloud=10)
    del document["assets"]["a b/c"]
    return {**document, **members}


def test_landing_page_lists_transactions_if_a_token_may_write(client):
    assert any(each.endswith("/transaction") for each in client.get("/stac").json()["conformsTo"])


def test_item_is_added_and_found(client):
    answer = client.post(ITEMS, json=written("a/b"))

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{BASE}{ITEMS}/a%2Fb"
    found = client.get(answer.headers["location"].removeprefix(BASE)).json()
    assert (found["id"], found["properties"]["eo:cloud_cover"]) == ("a/b", 10)
    assert answer.json() == found


def test_a_feature_collection_is_added_whole_or_not_at_all(client):
    both = {"type": "FeatureCollection", "features": [written("new"), written("there")]}

    assert client.post(ITEMS, json=both).status_code == 409
    assert client.get(f"{ITEMS}/new").status_code == 404
    added = client.post(ITEMS, json={**both, "features": [written("new"), written("newer")]})
    assert (added.status_code, added.headers["content-type"]) == (201, "application/geo+json")
    assert [each["id"] for each in added.json()["features"]] == ["new", "newer"]
    assert client.get(ITEMS).json()["numberMatched"] == 3


def test_items_with_one_existing_id_are_all_refused(client):
    many = [written(f"{number:04}") for number in range(BATCH + 1)]

    assert (
        client.post(ITEMS, json={"type": "FeatureCollection", "features": [*many, written("there")]}).status_code == 409
    )
    assert client.get(ITEMS).json()["numberMatched"] == 1
    assert client.post(ITEMS, json={"type": "FeatureCollection", "features": many}).status_code == 201


def test_one_of_several_concurrent_additions_succeeds(client):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda turn: client.post(ITEMS, json=written("new", turn=turn)), range(8)))

    assert sorted(each.status_code for each in answers) == [201] + [409] * 7


def test_no_concurrent_patch_is_lost(client):
    names = [f"turn{number}" for number in range(8)]

    with ThreadPoolExecutor(len(names)) as threads:
        patches = threads.map(lambda name: client.patch(f"{ITEMS}/there", json={"properties": {name: 1}}), names)
        done = {name for name, answer in zip(names, patches, strict=True) if answer.status_code == 204}

    assert done
    assert done == set(names) & set(client.get(f"{ITEMS}/there").json()["properties"])


def test_a_patch_of_an_item_that_others_change_each_time_is_refused(client, index, monkeypatch):
    replace_it = index.replace

    def replace_after_another(collection, item, *, expected):
        put(index, "scenes", [scene("there", day=1, cloud=next(turns))])
        return replace_it(collection, item, expected=expected)

    turns = count(10)
    monkeypatch.setattr(index, "replace", replace_after_another)
    answer = client.patch(f"{ITEMS}/there", json={"properties": {"new": 1}})

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert "new" not in client.get(f"{ITEMS}/there").json()["properties"]


def test_an_item_is_replaced(client):
    changed = written("there", properties={"datetime": "2020-06-09T00:00:00Z", "added": 1})

    assert client.put(f"{ITEMS}/there", json=changed).status_code == 204
    assert client.get(f"{ITEMS}/there").json()["properties"] == {"datetime": "2020-06-09T00:00:00Z", "added": 1}


def test_a_patch_changes_members_and_removes_null_ones(client):
    client.put(f"{ITEMS}/there", json=written("there"))

    answer = client.patch(f"{ITEMS}/there", json={"properties": {"eo:cloud_cover": None, "new": {"a": 1}}})

    properties = client.get(f"{ITEMS}/there").json()["properties"]
    assert answer.status_code == 204
    assert "eo:cloud_cover" not in properties
    assert (properties["new"], properties["platform"]) == ({"a": 1}, "sentinel-2a")


def test_an_item_is_removed(client):
    assert client.delete(f"{ITEMS}/there").status_code == 204
    assert client.get(f"{ITEMS}/there").status_code == 404
    assert client.delete(f"{ITEMS}/there").status_code == 404


@pytest.mark.parametrize("method", ["put", "patch"])
def test_unknown_item_is_neither_replaced_nor_changed(client, method):
    assert client.request(method, f"{ITEMS}/unknown", json=written("unknown")).status_code == 404


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("body", [[], "text", {"id": "other"}])
def test_another_id_and_a_body_that_is_no_object_are_refused(client, method, body):
    assert client.request(method, f"{ITEMS}/there", json=body).status_code == 400


def test_a_deep_patch_is_refused(client):
    patch = b'{"a":' * 100 + b"1" + b"}" * 100

    assert client.patch(f"{ITEMS}/there", content=patch).status_code == 400


def test_files_elsewhere_are_refused(client):
    document = written("new")
    document["assets"]["RED"]["href"] = "file:///etc/passwd"

    answer = client.post(ITEMS, json=document)

    assert answer.status_code == 400
    assert client.get(f"{ITEMS}/new").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("post", ITEMS), *((each, f"{ITEMS}/there") for each in ("put", "patch", "delete"))]
)
def test_without_the_token_nothing_is_written(client, method, path):
    answer = client.request(method, path, json=written("x"), headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="chronotile"'
    assert client.get(ITEMS).json()["numberMatched"] == 1


def test_unknown_collection_is_not_found(client):
    assert client.post("/stac/collections/unknown/items", json=written("x")).status_code == 404
    assert client.post("/stac/collections/RED/items", json=written("x")).status_code == 404


def test_all_writes_are_refused_without_a_token(api):
    assert api.post(ITEMS, json=written("x"), headers=SHOWN).status_code == 403


def test_the_first_item_of_a_collection_is_added_before_it_has_layers(index):
    specs = {"empty": replace(SCENES, collection="empty")}
    writer = ItemWriter(tokens=(TOKEN,), specs=lambda: specs, items=lambda: index, prefixes=AllowedPlaces())

    with TestClient(application(services_over(index), ServerOptions(items=writer))) as client:
        answer = client.post("/stac/collections/empty/items", json=written("first"), headers=SHOWN)

    assert answer.status_code == 201
    assert [each["rel"] for each in answer.json()["links"]] == ["self", "root", "parent", "collection"]
