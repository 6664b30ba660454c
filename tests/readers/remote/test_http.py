"""Requests over HTTP: redirects are not followed, and names lead to checked addresses alone."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import zarr

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.web.inner_hosts import InnerHosts
from chronotile.readers.kinds import open_source
from chronotile.readers.remote import requests as remote_requests
from chronotile.readers.remote.gates import HttpClient
from chronotile.readers.remote.requests import Away, Refused, ask_part, ask_state, ask_whether, place_of
from tests.cite.schema_stand_in import certify
from tests.readers.made_swaths import aligned_dataset
from tests.readers.remote_scenes import SCENE, numbers_of, write_here
from tests.redirecting_server import redirecting_server
from tests.running import PATIENCE_S, until
from tests.scenes import make_spec, save_zarr

pytestmark = pytest.mark.slow

BODY = bytes(range(256))

ASKS = (lambda place: ask_part(place, 0, 9, None), ask_state, lambda place: ask_whether(place, in_parts=False))


class Names:
    """Resolves names: each look-up returns the next addresses, and the last ones repeatedly."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.looked_up = []

    def __call__(self, host, port):
        self.looked_up.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server():
    with redirecting_server({"/a.tif": BODY}) as one:
        yield one


@pytest.fixture
def other():
    """A server that nothing may be requested of."""
    with redirecting_server({"/a.tif": b"secret" * 50}) as one:
        yield one


@pytest.fixture
def hosts():
    return InnerHosts()


@pytest.fixture
def use(monkeypatch, hosts, closed_at_end):
    """Return `use(names)`, which lets requests of this process resolve names by `names`."""

    def use_names(names):
        client = closed_at_end(HttpClient(hosts, names, connect_s=PATIENCE_S, request_s=PATIENCE_S))
        monkeypatch.setattr(remote_requests, "http_client", lambda: client)
        return names

    return use_names


def by_name(server, path="/a.tif"):
    return place_of(f"http://data.example.org:{server.server_port}{path}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", ASKS)
def test_a_redirect_is_not_followed(server, other, status, ask):
    server.leads["/away.tif"] = status, f"{other.url}/a.tif"

    with pytest.raises(Refused, match=rf"{status} .*redirects are not followed"):
        ask(place_of(f"{server.url}/away.tif"))
    assert len(server.requests) == 1
    assert other.requests == []


def test_redirecting_source_is_reported(server, other):
    server.leads["/away.tif"] = 302, f"{other.url}/a.tif"

    with pytest.raises(UnsupportedSource, match="redirects are not followed"):
        open_source(make_spec("cog", f"{server.url}/away.tif"))
    assert other.requests == []


def test_a_zarr_store_that_redirects_is_not_followed(server, other):
    for name in ("zarr.json", ".zmetadata", ".zgroup", ".zarray"):
        server.leads[f"/a.zarr/{name}"] = 302, f"{other.url}/a.tif"

    with pytest.raises(UnsupportedSource):
        open_source(make_spec("zarr", f"{server.url}/a.zarr"))
    assert server.requests
    assert other.requests == []


def test_a_name_that_leads_inside_is_not_connected_to(server, use):
    names = use(Names(["127.0.0.1"]))

    with pytest.raises(Away, match="network inside"):
        ask_part(by_name(server), 0, 9, None)
    assert server.requests == []
    assert names.looked_up == ["data.example.org"]


def test_the_host_of_a_source_of_the_operator_may_lie_inside(server, use, hosts):
    use(Names(["127.0.0.1"]))
    hosts.trust("http://data.example.org/catalog.json")

    assert ask_part(by_name(server), 3, 9, None)[0] == BODY[3:9]
    assert server.requests == [(f"data.example.org:{server.server_port}", "/a.tif")]


def test_only_addresses_that_were_checked_are_connected_to(server, use, hosts):
    with redirecting_server({"/a.tif": b"secret" * 50}, address="127.0.0.2", port=server.server_port) as second:
        use(Names(["127.0.0.2", "127.0.0.1"]))
        hosts.allow_addresses(["127.0.0.1"])

        assert ask_part(by_name(server), 0, 9, None)[0] == BODY[:9]
        assert second.requests == []


def test_a_name_that_leads_inside_at_its_second_look_up_is_not_followed(server, other, use, hosts, monkeypatch):
    monkeypatch.setattr("chronotile.readers.remote.gates.KEPT_S", 0)  # no cache of names and connections
    names = use(Names(["127.0.0.1"], ["127.0.0.2"]))
    hosts.allow_addresses(["127.0.0.1"])
    with redirecting_server({"/a.tif": b"secret" * 50}, address="127.0.0.2", port=server.server_port) as second:
        ask_part(by_name(server), 0, 9, None)
        with pytest.raises(Away, match="network inside"):
            ask_part(by_name(server), 0, 9, None)

        assert len(names.looked_up) == 2
        assert second.requests == []


def test_a_look_up_that_hangs_delays_no_other_name_and_no_end_of_the_process(server, use, hosts):
    is_over = threading.Event()

    def look_up(host, _port):
        if host == "hanging.example.org":
            is_over.wait()
        return ["127.0.0.1"]

    use(look_up)
    hosts.allow_addresses(["127.0.0.1"])
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(ask_part, place_of("http://hanging.example.org/a.tif"), 0, 4, None)
        until(lambda: any(thread.name == "name" for thread in threading.enumerate()))

        assert ask_part(by_name(server), 0, 4, None)[0] == BODY[:4]
        assert not hanging.done()
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "name")
        is_over.set()
        assert hanging.exception() is not None


def test_unknown_host_is_unavailable(server, use):
    def fail(_host, _port):
        raise OSError(-2, "Name or service not known")

    use(fail)

    with pytest.raises(Exception, match="its host name is wrong"):
        ask_part(by_name(server), 0, 9, None)


def test_signature_arrives_unchanged(server):
    signed = "/a.tif?sig=a%2Fb%3D%3d+c&se=2026-01-01T00%3A00:00Z&empty="

    ask_part(place_of(f"{server.url}{signed}"), 0, 9, None)

    assert [path for _host, path in server.requests] == [signed]


def test_requests_pass_the_proxy_of_the_environment(server, use, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "here.example.org")
    use(Names([]))
    server.files["http://data.example.org/a.tif"] = BODY

    assert ask_part(place_of("http://data.example.org/a.tif"), 0, 4, None)[0] == BODY[:4]


def test_the_address_of_a_source_is_trusted(server, tmp_path, monkeypatch):
    client = HttpClient(resolve=Names(["127.0.0.1"]), connect_s=PATIENCE_S, request_s=PATIENCE_S)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    name = write_here("cog", tmp_path, SCENE)
    server.files[f"/{name}"] = (tmp_path / name).read_bytes()

    reader = open_source(make_spec("cog", f"http://own-source.example.org:{server.server_port}/{name}"))

    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))
    reader.close()
    client.close()


@pytest.fixture
def tls_server(tmp_path):
    """Run a server with a certificate of data.example.org, and return a context that trusts it."""
    certify(["data.example.org"], tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with redirecting_server({"/a.tif": BODY}, tls=own) as server:
        yield server, ssl.create_default_context(cafile=tmp_path / "certificate.pem")


@pytest.mark.parametrize(("name", "is_right"), [("data.example.org", True), ("other.example.org", False)])
def test_a_checked_address_has_to_have_the_certificate_of_the_name(tls_server, hosts, monkeypatch, name, is_right):
    server, tls = tls_server
    hosts.allow_addresses(["127.0.0.1"])
    client = HttpClient(hosts, Names(["127.0.0.1"]), connect_s=PATIENCE_S, request_s=PATIENCE_S, tls=tls)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    expectation = nullcontext() if is_right else pytest.raises(Exception, match="cannot be reached")

    with expectation:
        assert ask_part(place_of(f"https://{name}:{server.server_port}/a.tif"), 0, 4, None)[0] == BODY[:4]
    client.close()
    assert bool(server.requests) is is_right


def test_swath_over_http_equals_the_local_swath(server, tmp_path):
    store = Path(save_zarr(aligned_dataset(np.arange(4800.0).reshape(2, 40, 60)), tmp_path / "a.zarr", version=2))
    zarr.consolidate_metadata(store)
    for path in (path for path in store.rglob("*") if path.is_file()):
        server.files[f"/a.zarr/{path.relative_to(store)}"] = path.read_bytes()

    remote, local = (
        open_source(make_spec("zarr", href, variables={})) for href in (f"{server.url}/a.zarr", str(store))
    )

    grid = local.info.variables["v"].grid
    window = Window(0, grid.height, 0, grid.width)
    numbers, expected = (r.read_window("v", index=1, level=0, window=window).numbers for r in (remote, local))
    assert remote.info.variables["v"].levels == local.info.variables["v"].levels
    np.testing.assert_array_equal(numbers, expected)
    assert np.isfinite(expected).mean() > 0.9
