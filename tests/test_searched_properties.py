"""Properties that `search` of a configuration names, through the whole application over real scenes."""

from operator import itemgetter

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.catalog.items import candidates
from chronotile.cli.main import app
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

SCENES = tuple(SMALL.all_scenes())
ITEMS = [documents.item(scene, str) for scene in SCENES]
CODE = max(item["properties"]["grid:code"] for item in ITEMS)
OF_CODE = sorted(item["id"] for item in ITEMS if item["properties"]["grid:code"] == CODE)
TEXT = f"\"grid:code\" = '{CODE}'"
NODE = {"op": "in", "args": [{"property": "grid:code"}, [CODE, "none"]]}
TILE = (
    "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'tileId' and "
    f"att/OData.CSC.StringAttribute/Value eq '{CODE.removeprefix('MGRS-')}')"
)


def stac_of(client, **given):
    return client.get("/stac/search", params={"limit": 1000, **given})


def posted(client, **given):
    return client.post("/stac/search", json={"limit": 1000, **given})


def products_of(client, filter_):
    return client.get("/odata/v1/Products", params={"$filter": filter_, "$top": 1000, "$count": "true"})


def records_of(client, **given):
    return client.get("/ogcapi/collections/_items/items", params={"limit": 1000, **given})


def ids_of_records(answer):
    return [each["properties"]["externalIds"][0]["value"] for each in answer.json()["features"]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def place(request, tmp_path, monkeypatch):
    """Return a configuration without an index, on each database."""
    if request.param == "postgresql":
        monkeypatch.setenv("CHRONOTILE_DATABASE_URL", request.getfixturevalue("postgresql").make_database())
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CHRONOTILE_WATCH_S", "0")
    monkeypatch.setenv("CHRONOTILE_SOURCE_PREFIXES", str(archive(SMALL)))
    return tmp_path / "chronotile.yaml"


def indexed(place, properties):
    """Return a client of the collection with an index of these properties."""
    files = archive(SMALL)
    catalogue = documents.write_catalogue(place.parent, SMALL, lambda path: str(files / path), scenes=SCENES)
    place.write_text(
        f"collections:\n  scenes:\n    source: {{kind: stac, href: '{catalogue}'}}\n"
        f"    search: {{properties: {properties}}}\n    variables: {{RED: {{asset: B04}}}}\n"
    )
    done = CliRunner().invoke(app, ["index", str(place)])
    assert done.exit_code == 0, done.output
    return TestClient(create_app(load_settings(config=place)), raise_server_exceptions=False), done.output


def test_every_service_finds_them_and_refuses_properties_without_an_index(place, monkeypatch):
    client, _said = indexed(place, '["grid:code", "s2:mgrs_tile"]')
    monkeypatch.setattr(candidates, "MAX_COMPARED", len(OF_CODE))

    with client:
        found = [
            [each["id"] for each in stac_of(client, filter=TEXT).json()["features"]],
            [each["id"] for each in posted(client, filter=NODE).json()["features"]],
            [each["id"] for each in stac_of(client, filter=TEXT, sortby="eo:cloud_cover").json()["features"]],
            list(map(itemgetter("Name"), products_of(client, TILE).json()["value"])),
            ids_of_records(records_of(client, filter=TEXT)),
        ]
        assert list(map(sorted, found)) == [OF_CODE] * len(found)
        assert stac_of(client, filter=TEXT).json()["numberMatched"] == len(OF_CODE)

        rare = "gsd = 7"
        refusals = {
            "filter": [
                stac_of(client, filter=rare),
                posted(client, filter={"op": "=", "args": [{"property": "gsd"}, 7]}),
                records_of(client, filter=rare),
            ],
            "q": [records_of(client, q="nothing")],
            "$filter": [products_of(client, TILE.replace("tileId", "processingLevel"))],
        }
    for parameter, answers in refusals.items():
        for answer in answers:
            told = answer.json().get("error", answer.json())
            assert answer.status_code == 400, answer.text
            assert told.get("parameter", told.get("target")) == parameter
            assert f"more than {len(OF_CODE)} items of scenes" in answer.text
            assert "grid:code" in answer.text


def test_a_change_of_the_configuration_reaches_an_index_that_is_full(place, monkeypatch):
    before, _said = indexed(place, "[]")
    monkeypatch.setattr(candidates, "MAX_COMPARED", len(OF_CODE))
    with before as client:
        refused = stac_of(client, filter=TEXT)

    after, said = indexed(place, '["grid:code"]')
    with after as client:
        found = stac_of(client, filter=TEXT)

    assert (refused.status_code, refused.json()["parameter"]) == (400, "filter")
    assert f"0 added, 0 replaced, {len(ITEMS)} unchanged" in said
    assert sorted(each["id"] for each in found.json()["features"]) == OF_CODE


def test_names_that_are_no_properties_are_refused(tmp_path):
    place = tmp_path / "chronotile.yaml"
    place.write_text(
        "collections:\n  scenes:\n    source: {kind: stac, href: catalog.json}\n"
        "    search: {properties: [platform, datetime]}\n"
    )

    done = CliRunner().invoke(app, ["check", str(place)])

    assert done.exit_code != 0
    assert "'datetime' is not a property with values of its own" in done.output
