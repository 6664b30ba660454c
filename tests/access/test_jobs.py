"""Jobs over a private layer: content and lifetime of their links, and estimates of executions."""

import json
import re
from collections.abc import Iterator
from email.message import Message
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.queue.outbox import CallbackQueue
from chronotile.jobs.queue.result_bucket import SIGNED_S
from chronotile.jobs.queue.table import new_id
from chronotile.protocols.ogcapi.processes.subscriber import message_of
from tests.access.test_archive import POINTS, Archive, run, write
from tests.jobs.runner.deployment import working
from tests.running import PATIENCE_S, serving, until

ASYNC = {"Prefer": "respond-async"}
SERIES = "/ogcapi/processes/time-series/execution"
ASKED = {"inputs": {"layers": ["SECRET"], "points": POINTS}}
MINUTES_15 = 900
PAGE = "https://maps.example.org"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    write(tmp_path)
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"service: {{id: a, origins: [{PAGE}]}}\n{file.read_text()}")
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CHRONOTILE_SUBSCRIBER_PREFIXES", "http://127.0.0.1:1/")
    groups = {"owner": "ministry", "colleague": "ministry", "stranger": "farmers"}
    keys = {name: run(tmp_path, "keys", "create", name, "--group", group).strip() for name, group in groups.items()}
    app = create_app(load_settings(config=file, workers=1, watch_s=0))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield Archive(tmp_path, client, keys)


@pytest.fixture
def job(archive: Archive) -> str:
    """URL of a finished job of the owner."""
    accepted = archive.client.post(SERIES, json=ASKED, headers=archive.bearer("owner") | ASYNC)
    assert accepted.status_code == 201, accepted.text
    state = archive.client.app.state.chronotile
    job = state.jobs.table.claim("test", lease_s=60)
    folder = state.jobs.result_files(job).folder
    folder.mkdir(parents=True)
    state.jobs.table.succeed(job.id, "test", execute(state.jobs.table.execution(job.id), state.services, folder))
    return accepted.headers["location"]


def shared(archive: Archive, job: str, **body: object) -> str:
    """Return the path of a new link to a job."""
    answer = archive.client.post(f"{job}/share", headers=archive.bearer("owner"), **body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    href = answer.json()["href"]
    assert href.startswith("http://localhost/k/cts_")
    assert href.endswith(job.removeprefix("http://localhost"))
    return href


def withdraw(archive: Archive) -> None:
    file = archive.folder / "chronotile.yaml"
    file.write_text(file.read_text().replace("see: [group:ministry], download", "see: [group:others], download"))
    archive.client.app.state.chronotile.live.refresh()


@pytest.mark.slow
def test_link_shows_one_job_only(archive: Archive, job: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    owner = archive.bearer("owner")
    link = shared(archive, job)
    secret = re.search(r"cts_[\w-]{43}", link)[0]
    client = archive.client

    status = client.get(link)
    assert status.json()["status"] == "successful"
    links = {each["rel"]: each["href"] for each in status.json()["links"]}
    assert links.keys().isdisjoint({"up", "related"})
    assert all(href.startswith(link) for href in links.values())
    results = client.get(f"{link}/results")
    assert results.content == client.get(f"{job}/results", headers=owner).content
    assert client.get(links["item"]).content == results.content
    assert client.head(links["item"]).headers["content-length"] == str(len(results.content))
    page = client.get(f"{link}?f=html")
    assert links["item"] in page.text
    assert "coordinates" not in page.text  # the owner's page shows the inputs
    assert "coordinates" in client.get(f"{job}?f=html", headers=owner).text
    assert f'{secret}/"' not in page.text  # the start page and the list are the same for everyone
    for answer in (status, results, page):
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"

    other = client.post(SERIES, json=ASKED, headers=owner | ASYNC).headers["location"]
    root = link.partition("/ogcapi")[0]
    for path in (root, f"{root}/ogcapi/jobs", f"{root}/layers", f"{root}/ogcapi/processes", f"{root}/layers/SECRET"):
        assert client.get(path).status_code == 404, path
    assert client.get(other.replace("http://localhost", root)).status_code == 404
    for method, path in (("DELETE", ""), ("POST", "/share"), ("DELETE", "/share"), ("POST", "")):
        assert client.request(method, f"{link}{path}").status_code == 404
    assert client.post(f"{root}{SERIES}", json=ASKED).status_code == 404
    assert client.get(job, headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    for credential in ({}, archive.bearer("colleague"), archive.bearer("stranger")):
        for method in ("POST", "DELETE"):
            assert client.request(method, f"{job}/share", headers=credential).status_code == 404
    assert client.get(job, headers=owner).status_code == 200

    ours = [each.getMessage() for each in caplog.records if each.name.startswith("chronotile")]
    assert any("/ogcapi/jobs/{jobID}" in line for line in ours)
    assert not any(secret in line for line in ours)
    stored = b"".join(file.read_bytes() for file in (archive.folder / "jobs").rglob("*") if file.is_file())
    assert b"cts_" not in stored


@pytest.mark.slow
def test_a_wrong_link_is_a_job_that_is_not_there(archive: Archive, job: str) -> None:
    link = shared(archive, job)
    id_, root = job.rpartition("/")[2], link.partition("/ogcapi")[0]
    unknown = new_id()

    def seen(address: str) -> tuple[int, str, list[tuple[str, str]]]:
        answer = archive.client.get(address)
        text = answer.text.replace(id_, "ID").replace(unknown, "ID")
        return answer.status_code, text, [each for each in answer.headers.items() if each[0] != "server-timing"]

    for end in ("", "?f=html", "/results", "/results/series", "/results/none"):
        there_is_none = seen(f"{root}/ogcapi/jobs/{unknown}{end}")
        assert there_is_none[0] == 404
        for wrong in ("cts_", "cts_wrong", f"cts_{'a' * 43}", f"{link.split('/')[4][:-1]}-"):
            assert seen(f"http://localhost/k/{wrong}/ogcapi/jobs/{id_}{end}") == there_is_none


@pytest.mark.slow
@pytest.mark.parametrize("end", ["unshared", "shared anew", "withdrawn", "revoked", "removed"])
def test_a_link_ends(archive: Archive, job: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronotile.access.keys.NEW_S", 0.0)
    link, owner = shared(archive, job), archive.bearer("owner")
    assert archive.client.get(f"{link}/results").status_code == 200

    match end:
        case "unshared":
            assert archive.client.delete(f"{job}/share", headers=owner).status_code == 204
        case "shared anew":
            assert archive.client.get(shared(archive, job, params={"days": 90})).status_code == 200
        case "withdrawn":
            withdraw(archive)
            assert archive.client.get(f"{job}/results", headers=owner).status_code == 404
        case "revoked":
            run(archive.folder, "keys", "revoke", "owner")
        case "removed":
            assert archive.client.delete(job, headers=owner).status_code == 200

    for path in ("", "/results", "/results/series"):
        assert archive.client.get(f"{link}{path}").status_code == 404
    if end == "withdrawn":  # and stays so
        file = archive.folder / "chronotile.yaml"
        file.write_text(file.read_text().replace("group:others", "group:ministry"))
        archive.client.app.state.chronotile.live.refresh()
        assert archive.client.get(f"{job}/results", headers=owner).status_code == 200
        assert archive.client.get(link).status_code == 404


@pytest.mark.slow
def test_a_set_of_places_with_the_name_of_a_layer_is_withdrawn_by_itself(archive: Archive) -> None:
    square = [[3.0, 50.999], [3.005, 50.999], [3.005, 51.001], [3.0, 50.999]]
    place = {"type": "Feature", "properties": {"code": "a"}, "geometry": {"type": "Polygon", "coordinates": [square]}}
    (archive.folder / "squares.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [place]}))
    file, state = archive.folder / "chronotile.yaml", archive.client.app.state.chronotile
    rule = "access: {see: [group:ministry]}"
    file.write_text(f"{file.read_text()}  NDVI: {{href: squares.geojson, id: code, {rule}}}\n")
    state.live.refresh()
    owner, asked = archive.bearer("owner"), {"inputs": {"layer": "NDVI", "places": "NDVI"}}
    accepted = archive.client.post("/ogcapi/processes/zonal-statistics/execution", json=asked, headers=owner | ASYNC)
    assert accepted.status_code == 201, accepted.text
    job = accepted.headers["location"]
    state.jobs.table.succeed(state.jobs.table.claim("test", lease_s=60).id, "test", {})
    assert archive.client.get(f"{job}/results", headers=owner).status_code < 300

    file.write_text(file.read_text().replace(f"id: code, {rule}}}\n", "id: code, access: {see: [group:others]}}\n"))
    state.live.refresh()

    assert archive.client.get("/layers/NDVI", headers=owner).status_code == 200
    assert archive.client.get(f"{job}/results", headers=owner).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("days", ["0", "-1", "91", "7.5", "nan"])
def test_a_link_is_for_90_days_at_most(archive: Archive, job: str, days: str) -> None:
    refused = archive.client.post(f"{job}/share", params={"days": days}, headers=archive.bearer("owner"))
    assert refused.status_code == 400
    assert refused.json()["parameter"] == "days"


def test_signed_addresses_of_a_bucket_are_good_for_minutes() -> None:
    assert SIGNED_S <= MINUTES_15


@pytest.mark.slow
def test_preflights_below_a_key_are_those_without_it(archive: Archive) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "prefer"}
    prefixes = ("", f"/k/{archive.keys['owner']}", "/k/ctk_wrong")
    for path in ("/ogcapi/jobs", f"/ogcapi/jobs/{new_id()}", f"/ogcapi/jobs/{new_id()}/share", SERIES, "/layers"):
        for origin in (PAGE, "https://elsewhere.example"):
            answers = [archive.client.options(f"{each}{path}", headers=asked | {"Origin": origin}) for each in prefixes]
            told = [{n: v for n, v in each.headers.items() if n.startswith(("access", "allow"))} for each in answers]
            assert told[0] == told[1] == told[2], path
            is_open = origin == PAGE or "jobs" not in path
            assert ("access-control-allow-origin" in told[0]) is is_open
    root = f"/k/{archive.keys['owner']}"
    for origin, status in ((PAGE, 201), ("https://elsewhere.example", 403)):
        answer = archive.client.post(f"{root}{SERIES}", json=ASKED, headers=ASYNC | {"Origin": origin})
        assert answer.status_code == status


@pytest.mark.slow
def test_subscriber_gets_links_to_results_without_a_key(archive: Archive) -> None:
    subscriber = {"successUri": "http://127.0.0.1:1/done"}
    body = {"inputs": {"string": "a"}, "subscriber": subscriber}
    root, prefer = f"/k/{archive.keys['owner']}", {"Prefer": "respond-async"}
    accepted = archive.client.post(f"{root}/ogcapi/processes/echo/execution", json=body, headers=prefer)
    assert accepted.status_code == 201, accepted.text
    state = archive.client.app.state.chronotile
    job = state.jobs.table.claim("test", lease_s=60)
    state.jobs.table.succeed(
        job.id, "test", execute(state.jobs.table.execution(job.id), state.services, archive.folder)
    )
    callback = CallbackQueue(state.jobs.store.engine, archive="a").take(lease_s=60)
    message = message_of(
        state.jobs.table.job(job.id), callback, catalogue=state.services.catalogue, folder=archive.folder / "jobs"
    )

    href = f"http://localhost/ogcapi/jobs/{job.id}/results/string"
    assert json.loads(message.body)["string"]["href"] == href
    assert archive.keys["owner"] not in str(message)
    assert archive.client.get(href).status_code == 404
    assert archive.client.get(href, headers=archive.bearer("owner")).text == "a"


@pytest.mark.slow
def test_an_estimate_is_refused_as_the_execution(archive: Archive) -> None:
    for body in (ASKED, {"inputs": {"layers": ["NDVI"]}}, {"inputs": {"layers": ["NONE"], "points": POINTS}}, {"a": 1}):
        for name in ("owner", "stranger"):
            execution, estimate = (
                archive.client.post(f"/ogcapi/processes/time-series/{end}", json=body, headers=archive.bearer(name))
                for end in ("execution", "estimate")
            )
            assert estimate.status_code == execution.status_code
            if estimate.status_code != 200:
                assert estimate.content == execution.content
    assert archive.client.post("/ogcapi/processes/none/estimate", json=ASKED).status_code == 404
    assert archive.client.post("/ogcapi/processes/time-series/estimate", json=ASKED).status_code == 404


def fetched(address: str, key: str, body: object = None, **headers: str) -> tuple[Message, bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers |= {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(address, data, headers), timeout=PATIENCE_S) as answer:
        return answer.headers, answer.read()


@pytest.mark.slow
def test_jobs_of_a_worker_respect_its_limits_and_may_be_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    write(tmp_path)
    configuration, settings = tmp_path / "chronotile.yaml", {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", settings["CHRONOTILE_JOBS_DIR"])
    owner, stranger = (
        run(tmp_path, "keys", "create", group, "--group", group).strip() for group in ("ministry", "farmers")
    )
    asked = [("export", {"layer": "SECRET", "format": each}) for each in ("GTiff", "NetCDF", "zarr")]
    asked += [("composite", {"layer": "SECRET", "reducer": "mean"}), ("climatology", {"layer": "SECRET"})]
    log = (tmp_path / "server.log").open("w+")
    with (
        serving("serve", configuration, "--workers", "1", log=log, **settings) as (_, url, _lines),
        working(configuration, **settings),
    ):
        jobs = []
        for process, inputs in asked:
            base = f"{url}/ogcapi/processes/{process}"
            _, told = fetched(f"{base}/estimate", owner, {"inputs": inputs})
            headers, _ = fetched(f"{base}/execution", owner, {"inputs": inputs}, Prefer="respond-async")
            jobs.append((headers["Location"], json.loads(told)))
        for job, told in jobs:
            until(partial(_has_ended, job, owner))
            status = json.loads(fetched(job, owner)[1])
            assert status["status"] == "successful", status["message"]
            (source,) = status["metadata"]["sources"]
            assert source["count"] == told["times"] == told["layers"][0]["times"] == 3
            _, page = fetched(f"{job}?f=html", owner)
            assert re.search(r"attempt 1: \d+ of (\d+) tasks", page.decode())[1] == str(told["tasks"])
            assert len(fetched(f"{job}/results", owner)[1]) <= told["resultBytes"]
            assert told["pixels"] == 40 * 30 * 3
            assert told["readBytes"] == 40 * 30 * 3
            assert told["jobControlOptions"] == ["sync-execute", "async-execute"]

        job = jobs[0][0]
        link = json.loads(fetched(f"{job}/share?days=1", owner, {})[1])["href"]
        with urlopen(f"{link}/results", timeout=PATIENCE_S) as answer:
            assert answer.read() == fetched(f"{job}/results", owner)[1]
        assert json.loads(fetched(f"{url}/ogcapi/jobs", stranger)[1])["jobs"] == []
        assert len(json.loads(fetched(f"{url}/ogcapi/jobs", owner)[1])["jobs"]) == len(jobs)
    log.seek(0)
    said = log.read()
    log.close()
    assert "/ogcapi/jobs/{jobID}/results" in said
    assert not any(secret in said for secret in (owner, link.split("/")[4]))


def _has_ended(job: str, key: str) -> bool:
    return json.loads(fetched(job, key)[1])["status"] not in {"accepted", "running"}
