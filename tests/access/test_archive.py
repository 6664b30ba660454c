"""Rules of a configuration over real files: caches, reloads, jobs, publishing and keys."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.catalog.load import load_configuration
from chronotile.cli.main import app as program
from chronotile.core.errors import ConfigurationError
from chronotile.jobs.processes.execute import execute
from chronotile.readers.kinds import kind_options
from tests.places import write_places
from tests.scenes import Scene, write_tif

SCENE = Scene()
TILE = "WebMercatorQuad/14/8328/5485"
SECRET_PLACE = "fields-of-the-ministry"
OPEN = """
collections:
  open:
    source: {kind: cog, href: open/*.tif, time_pattern: '(?P<time>\\d{4}-\\d{2}-\\d{2})'}
    variables: {NDVI: {layer: NDVI}}
"""
CLOSED = """
access:
  operate: [group:ops]
collections:
  open:
    source: {kind: cog, href: open/*.tif, time_pattern: '(?P<time>\\d{4}-\\d{2}-\\d{2})'}
    variables: {NDVI: {layer: NDVI}}
  classified:
    source: {kind: cog, href: closed/*.tif, time_pattern: '(?P<time>\\d{4}-\\d{2}-\\d{2})'}
    variables: {SECRET: {layer: SECRET}}
    access: {see: [group:ministry], download: [user:nobody], publish: [group:writers]}
places:
  %s: {href: places.geojson, id: code, access: {see: [group:ministry], download: [user:nobody]}}
"""
URLS = (
    f"/tiles/NDVI/{TILE}.png",
    f"/tiles/SECRET/{TILE}.png",
    f"/tiles/SECRET/{TILE}.png?datetime=2020-01-11",
    "/layers",
    "/layers/SECRET",
    "/layers/SECRET/preview.png",
    "/",
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities",
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=SECRET&STYLES=&CRS=EPSG:32631&BBOX=500000,5649700,500400,5650000"
    "&WIDTH=40&HEIGHT=30&FORMAT=image/png",
    "/wmts/1.0.0/WMTSCapabilities.xml",
    "/ogcapi/collections",
    "/ogcapi/collections/classified",
    "/ogcapi/collections/SECRET/coverage",
    "/ogcapi/collections/_collections/items",
    "/ogcapi/styles",
    "/stac",
    "/stac/collections",
    "/stac/collections/classified",
    "/stac/search",
    "/places",
    f"/places/{SECRET_PLACE}",
    "/zarr/SECRET/zarr.json",
    "/timeseries/SECRET/point?lon=3&lat=51",
    "/timeseries/v1.0/ts/",
    "/odata/v1/Attributes",
    "/openapi.json",
    "/viewer/config.json",
    "/health/ready",
    "/metrics",
)
POINTS = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [3.003, 50.998]}},
    ],
}
WORDS = ("secret", "classified", SECRET_PLACE)


def write(folder: Path) -> None:
    for number, day in enumerate(SCENE.days[:3]):
        for name in ("open", "closed"):
            (folder / name).mkdir(exist_ok=True)
            write_tif(folder / name / f"{day}.tif", SCENE.numbers(number), SCENE, overviews=(2,))
    write_places(folder / "places.geojson")
    (folder / "chronotile.yaml").write_text(CLOSED % SECRET_PLACE)
    (folder / "open.yaml").write_text(OPEN)


@dataclass
class Archive:
    folder: Path
    client: TestClient
    keys: dict[str, str]

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}


def run(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(program, [*arguments, str(folder / "chronotile.yaml")])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    write(tmp_path)
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_CACHE_DIR", str(tmp_path / "cache"))
    keys = {
        "ministry": run(tmp_path, "keys", "create", "ann", "--group", "ministry").strip(),
        "ops": run(tmp_path, "keys", "create", "ops", "--group", "ops").strip(),
        "stranger": run(tmp_path, "keys", "create", "eve", "--group", "farmers").strip(),
        "writer": run(tmp_path, "keys", "create", "wim", "--group", "writers").strip(),
        "viewer": run(tmp_path, "keys", "create", "vic", "--group", "ministry", "--right", "see").strip(),
    }
    app = create_app(load_settings(config=tmp_path / "chronotile.yaml", workers=1, watch_s=0))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield Archive(tmp_path, client, keys)


@pytest.mark.slow
def test_private_data_never_reach_a_stranger_after_a_request_of_the_owner(archive: Archive) -> None:
    headers = [{}, archive.bearer("stranger")]
    for url in URLS:
        owner = archive.client.get(url, headers=archive.bearer("ministry"))
        assert owner.status_code in ({200, 404} if url == "/metrics" or "coverage" in url or "zarr" in url else {200})
        for credential in headers * 2:
            answer = archive.client.get(url, headers=credential)
            path = url.partition("?")[0].lower()
            text = (answer.text + str(answer.headers)).lower()
            for word in WORDS:
                # An error repeats the requested name.
                assert text.count(word) <= (2 if word in url.lower() else 0), (url, word, answer.text[:500])
            if any(word in path for word in WORDS):
                assert answer.status_code == 404, url
    assert archive.client.get("/metrics", headers=archive.bearer("ops")).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [(None, 401), ("stranger", 404), ("ops", 200)])
def test_metrics_require_the_key_of_an_operator(archive: Archive, name: str | None, status: int) -> None:
    answer = archive.client.get("/metrics", headers={} if name is None else archive.bearer(name))

    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "collections"),
    [(None, {"open"}), ("stranger", {"open"}), ("ministry", {"open", "classified"}), ("ops", {"open", "classified"})],
)
def test_faults_of_a_collection_are_listed_to_its_users_and_to_operators(
    archive: Archive, name: str | None, collections: set[str]
) -> None:
    for folder in ("open", "closed"):
        (archive.folder / folder / "2021-01-01.tif").write_bytes(b"")
    archive.client.app.state.chronotile.live.refresh()

    answer = archive.client.get("/health/ready", headers={} if name is None else archive.bearer(name))

    assert {fault["collection"] for fault in answer.json()["faults"]} == collections


@pytest.mark.slow
def test_collection_with_a_private_layer_lists_no_faults_to_strangers(archive: Archive) -> None:
    file = archive.folder / "chronotile.yaml"
    private = "{band: 1, access: {see: [group:ministry]}}"
    text = file.read_text().replace("NDVI: {layer: NDVI}", f"NDVI: {{layer: NDVI}}, ALSO: {private}")
    file.write_text(text.partition("  classified:")[0])
    (archive.folder / "open" / "2021-01-01.tif").write_bytes(b"")
    archive.client.app.state.chronotile.live.refresh()

    faults = {
        name: archive.client.get("/health/ready", headers=archive.bearer(name)).json()["faults"]
        for name in ("stranger", "ministry", "ops")
    }

    assert faults["stranger"] == []
    assert [fault["collection"] for fault in faults["ministry"]] == ["open"]
    assert faults["ops"] == faults["ministry"]


@pytest.mark.slow
def test_landing_page_mentions_new_faults_only_to_users_of_their_collection(archive: Archive) -> None:
    def clients_with_a_hint() -> set[str]:
        pages = {
            name: archive.client.get("/?f=html", headers=archive.bearer(name)).text for name in ("ministry", "stranger")
        }
        return {name for name, page in pages.items() if "Some of the data are not served" in page}

    before = clients_with_a_hint()
    (archive.folder / "closed" / os.fsdecode(b"\xff.tif")).write_bytes(b"")
    archive.client.app.state.chronotile.live.refresh()

    assert (before, clients_with_a_hint()) == (set(), {"ministry"})


@pytest.mark.slow
def test_private_collection_that_did_not_open_is_hidden(archive: Archive) -> None:
    file = archive.folder / "chronotile.yaml"
    file.write_text(file.read_text().partition("places:")[0].replace("closed/", "missing/"))
    archive.client.app.state.chronotile.live.refresh()

    assert archive.client.get("/health/ready", headers=archive.bearer("ops")).json()["failing"] == ["classified"]
    assert "classified" not in archive.client.get("/health/ready").text


@pytest.mark.slow
def test_message_without_accepted_layers_is_a_whole_sentence(archive: Archive) -> None:
    file = archive.folder / "chronotile.yaml"
    file.write_text(file.read_text().replace("operate:", "default: {process: [group:farmers]}\n  operate:"))
    archive.client.app.state.chronotile.live.refresh()

    body = {"inputs": {"layers": ["NDVI"], "points": POINTS}}
    answer = archive.client.post("/ogcapi/processes/time-series/execution", json=body)

    assert answer.json()["detail"].endswith(", or you may not use it in this request")


@pytest.mark.slow
def test_stranger_never_gets_cached_pictures_of_the_owner(archive: Archive) -> None:
    for _ in range(3):  # the second and third time they come from the cache of answers
        for url in (f"/tiles/SECRET/{TILE}.png", f"/tiles/NDVI/{TILE}.png"):
            assert archive.client.get(url, headers=archive.bearer("ministry")).status_code == 200
    answer = archive.client.get(f"/tiles/SECRET/{TILE}.png")
    assert answer.status_code == 404
    etag = archive.client.get(f"/tiles/SECRET/{TILE}.png", headers=archive.bearer("ministry")).headers["etag"]
    assert archive.client.get(f"/tiles/SECRET/{TILE}.png", headers={"If-None-Match": etag}).status_code == 404
    public = archive.client.get(f"/tiles/NDVI/{TILE}.png")
    assert "public" in public.headers["cache-control"]
    assert "Authorization" in public.headers["vary"]


@pytest.mark.slow
def test_a_reload_widens_nothing(archive: Archive) -> None:
    for number, day in enumerate(SCENE.days[3:], 3):
        write_tif(archive.folder / "closed" / f"{day}.tif", SCENE.numbers(number), SCENE)
        write_tif(archive.folder / "open" / f"{day}.tif", SCENE.numbers(number), SCENE)
        (archive.folder / "chronotile.yaml").write_text(CLOSED % SECRET_PLACE + f"# {day}\n")
        archive.client.app.state.chronotile.live.refresh()
        assert archive.client.get("/timeseries/SECRET/point?lon=3&lat=51").status_code == 404
        assert "SECRET" not in archive.client.get("/layers").text
        times = archive.client.get("/layers/NDVI/times").json()
        assert day in json.dumps(times)
        assert archive.client.get("/layers/SECRET", headers=archive.bearer("ministry")).status_code == 200


@pytest.mark.slow
def test_rights_beyond_seeing_are_their_own(archive: Archive) -> None:
    ministry, viewer = archive.bearer("ministry"), archive.bearer("viewer")
    asked = {"inputs": {"layers": ["SECRET"], "points": POINTS}}
    assert archive.client.get("/zarr/SECRET/zarr.json", headers=ministry).status_code == 404
    assert archive.client.get("/layers/SECRET", headers=viewer).status_code == 200
    capabilities = archive.client.get("/wcs?SERVICE=WCS&REQUEST=GetCapabilities", headers=ministry).text
    assert "NDVI" in capabilities
    assert "SECRET" not in capabilities
    items = f"/ogcapi/collections/{SECRET_PLACE}/items"
    assert archive.client.get(f"{items}?F=html", headers=ministry).status_code == 200
    assert archive.client.get(f"{items}?F=GPKG", headers=ministry).status_code == 404
    file = {"Accept": "application/flatgeobuf"}
    assert archive.client.get(items, headers=ministry | file).status_code == 404
    refused = archive.client.post("/ogcapi/processes/time-series/execution", json=asked, headers=viewer)
    assert refused.status_code in {400, 404}
    assert "SECRET" not in refused.text.replace("'SECRET'", "")


@pytest.mark.slow
def test_jobs_belong_to_their_submitter(archive: Archive) -> None:
    job = {"inputs": {"string": "a"}}
    prefer = {"Prefer": "respond-async"}
    accepted = archive.client.post(
        "/ogcapi/processes/echo/execution", json=job, headers=archive.bearer("ministry") | prefer
    )
    assert accepted.status_code == 201
    address = accepted.headers["location"]
    for credential in ({}, archive.bearer("stranger")):
        assert archive.client.get(address, headers=credential).status_code == 404
        assert archive.client.get(f"{address}/results", headers=credential).status_code == 404
        assert archive.client.delete(address, headers=credential).status_code == 404
        assert archive.client.get("/ogcapi/jobs", headers=credential).json()["jobs"] == []
    assert len(archive.client.get("/ogcapi/jobs", headers=archive.bearer("ministry")).json()["jobs"]) == 1
    assert archive.client.delete(address, headers=archive.bearer("ministry")).status_code == 200

    secret = archive.client.post("/ogcapi/processes/echo/execution", json=job, headers=prefer).headers["location"]
    assert archive.client.get(secret).status_code == 200
    assert archive.client.get("/ogcapi/jobs").json()["jobs"] == []


@pytest.mark.slow
def test_a_withdrawn_grant_ends_the_results_of_jobs(archive: Archive) -> None:
    ministry = archive.bearer("ministry")
    asked = {"inputs": {"layers": ["SECRET"], "points": POINTS}}
    execution = "/ogcapi/processes/time-series/execution"
    accepted = archive.client.post(execution, json=asked, headers=ministry | {"Prefer": "respond-async"})
    assert accepted.status_code == 201, accepted.text
    address = accepted.headers["location"]
    state = archive.client.app.state.chronotile
    job = state.jobs.table.claim("test", lease_s=60)
    folder = state.jobs.result_files(job).folder
    folder.mkdir(parents=True)
    done = execute(state.jobs.table.execution(job.id), state.services, folder)
    state.jobs.table.succeed(job.id, "test", done)
    results = archive.client.get(f"{address}/results", headers=ministry)
    assert results.status_code == 200, results.text

    file = archive.folder / "chronotile.yaml"
    file.write_text(file.read_text().replace("see: [group:ministry], download", "see: [group:others], download"))
    state.live.refresh()

    for path in (f"{address}/results", *(f"{address}/results/{name}" for name in done)):
        assert archive.client.get(path, headers=ministry).status_code == 404
    assert archive.client.get(address, headers=ministry).json()["status"] == "successful"


@pytest.mark.slow
def test_whom_publish_names_may_write_items(archive: Archive) -> None:
    answers = {
        name: archive.client.delete("/stac/collections/classified/items/none", headers=archive.bearer(name))
        for name in ("ministry", "stranger", "writer")
    }
    assert "dates of its files" in answers["writer"].text, answers["writer"].text
    for name in ("ministry", "stranger"):
        assert answers[name].status_code == 403, answers[name].text
        assert "CHRONOTILE_WRITE_TOKEN" in answers[name].text


@pytest.mark.slow
def test_prefix_of_openeo_clients_is_no_part_of_the_key(archive: Archive) -> None:
    statuses = {
        prefix: archive.client.get(
            "/layers/SECRET", headers={"Authorization": f"Bearer {prefix}{archive.keys['ministry']}"}
        ).status_code
        for prefix in ("basic//", "oidc/egi/", "basic/", "oidc//", "oidc/egi/basic//", "BASIC//")
    }
    assert statuses == {"basic//": 200, "oidc/egi/": 200} | dict.fromkeys(list(statuses)[2:], 401)


@pytest.mark.slow
def test_a_revoked_key_is_refused(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronotile.access.keys.CACHE_S", 0.0)
    monkeypatch.setattr("chronotile.access.keys.NEW_S", 0.0)
    assert archive.client.get("/layers/SECRET", headers=archive.bearer("ministry")).status_code == 200
    assert "ann  groups=ministry" in run(archive.folder, "keys", "list")
    run(archive.folder, "keys", "revoke", "ann")
    answer = archive.client.get("/layers/SECRET", headers=archive.bearer("ministry"))
    assert answer.status_code == 401
    assert archive.keys["ministry"] not in (archive.folder / "jobs").rglob(
        "access.sqlite"
    ).__next__().read_bytes().decode("latin-1")


def test_rules_without_access_at_the_top_are_a_mistake(tmp_path: Path) -> None:
    write(tmp_path)
    text = (CLOSED % SECRET_PLACE).replace("access:\n  operate: [group:ops]\n", "")
    (tmp_path / "chronotile.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(tmp_path / "chronotile.yaml", kinds=kind_options(), environment={})
    assert len(raised.value.mistakes) == 2
    assert all("needs the key access at the top" in each for each in raised.value.mistakes)
