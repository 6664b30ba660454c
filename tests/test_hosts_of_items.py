"""Files of items at a host that blocks until its release: other collections are drawn during that time."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from chronotile.readers.remote import files as remote_ranges
from chronotile.readers.remote import requests as remote_requests
from chronotile.readers.remote.gates import HttpClient
from tests.faulty_source import Fault, faulty_source
from tests.running import PATIENCE_S
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

REQUESTS = 6
TILE = "/layers/{}.RED/preview.png?datetime={}&width=64"


@pytest.fixture
def hosts():
    """Return the hosts of the files of two collections; no source has these hosts."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(faulty_source(archive(SMALL))) for name in ("near", "far")}


@pytest.fixture
def client(hosts, tmp_path, monkeypatch):
    """Return a server of both collections, with requests as long as a test."""
    lines = ["collections:"]
    for name, host in hosts.items():
        (tmp_path / name).mkdir()
        catalogue = documents.write_catalogue(tmp_path / name, SMALL, host.url_of)
        source = f"{{kind: stac, href: '{catalogue}'}}"
        lines.append(f"  {name}: {{source: {source}, time: {{group: solar_day}}, variables: {{RED: {{asset: B04}}}}}}")
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text("\n".join(lines))
    monkeypatch.setenv("CHRONOTILE_SOURCE_PREFIXES", ",".join(host.url for host in hosts.values()))
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    patient = HttpClient(connect_s=PATIENCE_S, request_s=10 * PATIENCE_S)
    monkeypatch.setattr(remote_requests, "http_client", lambda: patient)
    for module in (remote_requests, remote_ranges):
        monkeypatch.setattr(module, "READ_S", 20 * PATIENCE_S)
    done = CliRunner().invoke(program, ["index", str(configuration)])
    assert done.exit_code == 0, done.output
    with TestClient(create_app(load_settings(config=configuration)), raise_server_exceptions=False) as one:
        yield one
    patient.close()


def test_blocking_host_delays_only_its_files(client, hosts):
    hosts["far"].switch(Fault.HANG)
    with ThreadPoolExecutor(REQUESTS) as clients:
        far = [clients.submit(client.get, TILE.format("far", day)) for day in SMALL.days[:REQUESTS]]
        hosts["far"].wait_until_hanging()
        near = [client.get(TILE.format("near", day)) for day in SMALL.days]

        assert {each.status_code for each in near} == {200}
        assert not any(each.done() for each in far)
        hosts["far"].heal()
        hosts["far"].cut_all()
        assert {each.result().status_code for each in far} <= {200, 503}
    assert client.get(TILE.format("far", SMALL.days[0])).status_code == 200
