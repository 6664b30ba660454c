"""Wrong, broken or numerous credentials: 401 or 429, one line in the log, and right credentials still pass."""

import logging
import os
import re
import signal
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from chronotile.access.keys import Keys, open_keys
from chronotile.app.application import ServerOptions, application
from chronotile.core.model.access import IssuerSettings
from tests.access.provider import AUDIENCE, Provider, serving_provider
from tests.access.test_archive import TILE, run, write
from tests.access.test_leaks import with_private
from tests.protocols.asgi import CLIENT, ask
from tests.protocols.fuzzing.judging import Answer
from tests.protocols.fuzzing.site import made_services
from tests.running import PATIENCE_S, serving, until

pytestmark = pytest.mark.slow
PRIVATE = "/timeseries/HIDDEN/point?lon=4.6&lat=50.85"
REQUEST_LOG = "chronotile.http.request_log"
MANY = 1_000
ROUNDS = 3
WORDS = re.compile(r"SECRET|classified|fields-of-the-ministry")


class CountedKeys:
    """Key table of a folder that counts its reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reads = folder, 0
        keys = open_keys(None, folder, archive="a")
        self.right = keys.create("owner", groups=["ministry"], days=1)
        keys.close()

    def open(self) -> Keys:
        found = open_keys(None, self.folder, archive="a")
        read = found.principals

        def principals() -> object:
            self.reads += 1
            return read()

        found.principals = principals
        return found


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountedKeys:
    monkeypatch.setattr("chronotile.access.keys.monotonic", lambda: 1e6)  # the second of their reading
    return CountedKeys(tmp_path)


def flood(app: Starlette, right: str, forwarded: str) -> tuple[list[Answer], list[int]]:
    """Return the answers to many different wrong keys, and the statuses of interspersed right keys."""

    async def ask_all() -> tuple[list[Answer], list[int]]:
        wrong, passed = [], []
        async with app.router.lifespan_context(app):
            for number in range(MANY):
                headers = [("x-forwarded-for", forwarded.format(number // 250, number % 250).encode())]
                bearer = ("authorization", f"Bearer ctk_{number:043}".encode())
                wrong.append(await ask(app, "GET", b"/layers/HIDDEN", b"", headers=[*headers, bearer]))
                if number % 50 == 0:
                    bearer = ("authorization", f"Bearer {right}".encode())
                    passed.append((await ask(app, "GET", b"/layers/HIDDEN", b"", headers=[*headers, bearer])).status)
        return wrong, passed

    return anyio.run(ask_all)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "addresses"),
    [((), "10.1.{}.{}", 1), ((CLIENT,), "10.1.1.1", 1), ((CLIENT,), "10.1.{}.{}", MANY)],
    ids=["spoofed by a client", "one behind a proxy", "many behind a proxy"],
)
@pytest.mark.every_case
def test_many_wrong_keys_are_one_line_an_address_and_one_look(
    keys: CountedKeys, trusted: tuple[str, ...], forwarded: str, addresses: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(with_private(made_services()), ServerOptions(keys=keys.open, trusted_proxies=trusted))
    with caplog.at_level(logging.WARNING):
        wrong, passed = flood(app, keys.right, forwarded)
    assert set(passed) == {200}
    assert [each.status for each in wrong].count(401) == min(MANY, 10 * addresses)
    assert {each.status for each in wrong} <= {401, 429}
    assert len({(each.status, each.body) for each in wrong}) <= 2
    assert len([each for each in caplog.messages if "wrong token" in each]) == addresses
    assert keys.reads == 1


@pytest.fixture
def refused_keys(keys: CountedKeys) -> dict[str, str]:
    """Return keys by name: revoked, expired, and without the right to the hidden layer."""
    table = open_keys(None, keys.folder, archive="a")
    refused = {
        "gone": table.create("gone", groups=["ministry"], days=1),
        "old": table.create("old", groups=["ministry"], days=-1),
        "eve": table.create("eve", groups=["farmers"], days=1),
    }
    table.revoke("gone")
    table.close()
    return refused


@pytest.fixture
def client_with_keys(keys: CountedKeys) -> Iterator[TestClient]:
    """Return a client of a server with a hidden layer and the keys."""
    app = application(with_private(made_services()), ServerOptions(keys=keys.open))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def request_line(client: TestClient, caplog: pytest.LogCaptureFixture, path: str, **headers: str) -> str:
    """Return the log line of a request."""
    caplog.clear()
    with caplog.at_level(logging.INFO, logger=REQUEST_LOG):
        client.get(path, headers=headers)
    (line,) = [record.getMessage() for record in caplog.records if record.name == REQUEST_LOG]
    return line


@pytest.mark.parametrize(("name", "status"), [("gone", 401), ("old", 401), ("eve", 404)])
def test_log_line_of_a_refused_request_names_the_key(
    client_with_keys: TestClient,
    refused_keys: dict[str, str],
    name: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = refused_keys[name]

    lines = [
        request_line(client_with_keys, caplog, "/layers/HIDDEN", Authorization=f"Bearer {key}"),
        request_line(client_with_keys, caplog, f"/k/{key}/layers/HIDDEN"),
    ]

    assert all(f" status={status} " in line and line.endswith(f" key={name}") for line in lines)
    assert key not in "".join(lines)


def test_log_line_of_accepted_and_wrong_keys_has_no_name(
    client_with_keys: TestClient, keys: CountedKeys, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = (f"Bearer {keys.right}", "Bearer ctk_unknown")

    lines = [request_line(client_with_keys, caplog, "/layers/HIDDEN", Authorization=text) for text in credentials]

    assert [re.findall(r"status=\d+|key=\S+", line) for line in lines] == [["status=200"], ["status=401"]]


def test_client_cannot_distinguish_revoked_from_unknown_keys(
    client_with_keys: TestClient, refused_keys: dict[str, str]
) -> None:
    keys = (refused_keys["gone"], refused_keys["old"], "ctk_unknown")

    answers = [client_with_keys.get("/layers/HIDDEN", headers={"Authorization": f"Bearer {key}"}) for key in keys]

    assert {answer.status_code for answer in answers} == {401}
    assert len({(answer.content, tuple(answer.headers.multi_items())) for answer in answers}) == 1


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving_provider() as found:
        yield found


def test_keys_and_cached_tokens_pass_while_the_provider_hangs(keys: CountedKeys, provider: Provider) -> None:
    services = with_private(made_services())
    known = replace(services.catalogue.access, issuer=IssuerSettings(issuer=provider.url, audience=AUDIENCE))
    services = replace(services, catalogue=replace(services.catalogue, access=known))
    seen = provider.token()
    with TestClient(application(services, ServerOptions(keys=keys.open)), base_url="http://localhost") as client:

        def status(credential: str) -> int:
            return client.get(PRIVATE, headers={"Authorization": f"Bearer {credential}"}).status_code

        assert status(seen) == 200
        with pytest.MonkeyPatch.context() as later:
            later.setattr("chronotile.access.tokens.REFRESH_S", 0.0)
            provider.rotate("ES256")
            provider.held = threading.Event()
            new = provider.token()
            statuses = list[int]()
            waiting = threading.Thread(target=lambda: statuses.append(status(new)))
            waiting.start()
            provider.has_come.wait()
            assert [status(each) for each in (seen, keys.right, "ctk_wrong")] == [200, 200, 401]
            provider.held.set()
            waiting.join()
            assert statuses == [200]


def test_cached_keys_stay_if_the_provider_fails_or_redirects(keys: CountedKeys, provider: Provider) -> None:
    services = with_private(made_services())
    known = replace(services.catalogue.access, issuer=IssuerSettings(issuer=provider.url, audience=AUDIENCE))
    services = replace(services, catalogue=replace(services.catalogue, access=known))
    first = provider.keys[0].as_dict(private=False)
    provider.further = [{**first, "kid": f"other-{number}"} for number in range(2_000)]
    with (
        serving_provider() as elsewhere,
        TestClient(application(services, ServerOptions(keys=keys.open)), base_url="http://localhost") as client,
        pytest.MonkeyPatch.context() as later,
    ):

        def status(credential: str) -> int:
            return client.get(PRIVATE, headers={"Authorization": f"Bearer {credential}"}).status_code

        assert status(provider.token()) == 200  # the provider has 2,001 keys
        later.setattr("chronotile.access.tokens.REFRESH_S", 0.0)
        for provider.status in (500, 302, 404):
            provider.location = f"{elsewhere.url}/keys"
            assert status(provider.token()) == 200
            assert status(elsewhere.token(iss=provider.url)) == 401
        elsewhere.rotate("EdDSA")
        assert status(elsewhere.token(iss=provider.url)) == 401
        assert elsewhere.fetches == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, Path, int]]:
    """Port, key, folder and process id of a server of two workers."""
    folder = tmp_path_factory.mktemp("served")
    write(folder)
    settings = {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "CHRONOTILE_WORKERS": "2", "CHRONOTILE_WATCH_S": "0"}
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        patch.setenv("CHRONOTILE_JOBS_DIR", settings["CHRONOTILE_JOBS_DIR"])
        key = run(folder, "keys", "create", "ann", "--group", "ministry").strip()
        with serving("serve", folder / "chronotile.yaml", log=log, **settings) as (process, address, _lines):
            yield int(address.rpartition(":")[2]), key, folder, process.pid


def basic(text: bytes) -> bytes:
    return b"Authorization: Basic " + b64encode(text)


OWN = b"/layers/SECRET"
BY_HEADER = {
    "right": (b"Authorization: Bearer KEY", 200),
    "other case": (b"AUTHORIZATION: bEARER KEY", 200),
    "Basic in UTF-8": (b"BASIC \xc3\xbc:KEY", 200),
    "Basic in Latin-1": (b"BASIC \xfc:KEY", 401),
    "Basic with control characters": (b"BASIC a\0b:\0KEY", 401),
    "Basic without a colon": (b"BASIC KEY", 401),
    "Basic that is not Base64": (b"Authorization: Basic !!!", 401),
    "Basic of nothing": (b"Authorization: Basic ", 401),
    "right, then wrong": (b"Authorization: Bearer KEY\r\nAuthorization: Bearer ctk_a", 200),
    "wrong, then right": (b"Authorization: Bearer ctk_a\r\nAuthorization: Bearer KEY", 401),
    "a list": (b"Authorization: Bearer KEY, Bearer ctk_a", 401),
    "another scheme": (b"Authorization: Digest KEY", 401),
    "not ASCII": (b"Authorization: Bearer \xe9\xff", 401),
    "16 KB": (b"Authorization: Bearer " + b"a" * 17_000, 401),
    "1 MB": (b"Authorization: Bearer " + b"a" * (1 << 20), 431),
    "many": (b"\r\n".join([b"Authorization: Bearer KEY"] * 200), 431),
}
BY_PATH = {
    "right": (b"/k/KEY/layers/SECRET", 200),
    "twice": (b"/k/KEY/k/KEY/layers/SECRET", 200),
    "two": (b"/k/KEY/k/ctk_a/layers/SECRET", 404),
    "wrong first": (b"/k/ctk_a/k/KEY/layers/SECRET", 401),
    "encoded": (b"/%6b/%63TK/layers/SECRET", 200),
    "two slashes": (b"//k/KEY/layers/SECRET", 404),
    "other case": (b"/K/KEY/layers/SECRET", 404),
    "unicode": (b"/k/%C3%A9/layers/SECRET", 404),
    "control characters": (b"/k/%00%0A/layers/SECRET", 404),
    "nothing": (b"/k//layers/SECRET", 404),
    "dots": (b"/k/KEY/../layers/SECRET", 404),
    "absolute": (b"http://elsewhere/k/KEY/layers/SECRET", 200),
    "absolute without": (b"http://localhost/layers/SECRET", 404),
    "login": (b"/login/wms", 401),
    "login and dots": (b"/login/wms/../../layers/SECRET", 401),
    "login twice": (b"/login/login/wms", 404),
    "100 KB": (b"/k/" + b"a" * 100_000, 414),
    "of operators": (b"/k/KEY/metrics", 404),
    "of operators, twice": (b"/k/KEY/k/KEY/metrics", 404),
    "downloads": (b"/k/KEY/zarr/SECRET/zarr.json", 404),
    "downloads, twice": (b"/k/KEY/k/KEY/zarr/SECRET/zarr.json", 404),
}


def raw(port: int, request: bytes) -> int:
    """Return the status of the answer to raw bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        with suppress(OSError):  # the answer may come before the request is read
            connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


def test_credentials_however_broken_are_answered(served: tuple[int, str, Path, int]) -> None:
    port, key, folder, _pid = served

    def status(path: bytes, header: bytes) -> int:
        path = path.replace(b"KEY", key.encode()).replace(b"%63TK", b"%63" + key[1:].encode())
        header = header.replace(b"KEY", key.encode())
        header = basic(header.removeprefix(b"BASIC ")) if header.startswith(b"BASIC ") else header
        found = raw(port, b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b\r\n\r\n" % (path, header))
        return 401 if found == 429 else found  # more than ten wrong keys

    tried = {f"header: {name}": (OWN, header, status) for name, (header, status) in BY_HEADER.items()}
    tried |= {f"path: {name}": (path, b"X-A: b", status) for name, (path, status) in BY_PATH.items()}
    found = {name: status(path, header) for name, (path, header, _) in tried.items()}
    assert found == {name: status for name, (_, _, status) in tried.items()}
    old = b"GET /layers/SECRET HTTP/1.0\r\nAuthorization: Bearer %b\r\n\r\n" % key.encode()
    assert raw(port, old) == 200
    log = (folder / "log").read_text()
    assert key[8:] not in log
    assert "Traceback" not in log


def test_while_workers_reload_a_stranger_sees_nothing_and_the_log_names_nothing(
    served: tuple[int, str, Path, int],
) -> None:
    port, key, folder, pid = served
    paths = ("/layers", "/places", "/stac/collections", "/ogcapi/collections", "/wms?REQUEST=GetCapabilities", "/")
    paths += (f"/tiles/NDVI/{TILE}.png", "/health/ready", "/openapi.json", "/ogcapi/styles", "/viewer/config.json")
    owner, text = {"Authorization": f"Bearer {key}"}, (folder / "chronotile.yaml").read_text()

    def fetch(path: str, headers: dict[str, str]) -> httpx.Response:  # by a new connection, of any worker
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=PATIENCE_S)

    def ask_as_stranger() -> None:
        for path in paths:
            answer = fetch(path, {})
            assert answer.status_code == 200, path
            assert WORDS.search(answer.text + str(answer.headers)) is None, path
        assert fetch(f"/tiles/SECRET/{TILE}.png", {}).status_code == 404

    for number in range(ROUNDS):
        titled = text.replace("  classified:\n", f"  classified:\n    title: of {number}\n")
        (folder / "chronotile.yaml").write_text(titled)
        os.kill(pid, signal.SIGHUP)
        for path in (*paths, f"/tiles/SECRET/{TILE}.png") * 2:
            assert fetch(path, owner).status_code == 200
            ask_as_stranger() if path == "/layers" else None
        until(lambda n=number: all(f"of {n}" in fetch("/stac/collections", owner).text for _ in range(8)))
        ask_as_stranger()
    before = (folder / "log").stat().st_size
    for _ in range(4):
        ask_as_stranger()

    def find_named() -> list[str]:
        return [line for line in (folder / "log").read_text()[before:].splitlines() if WORDS.search(line)]

    until(lambda: len(find_named()) >= 4)  # a line is written after its answer
    named = find_named()
    assert len(named) == 4
    assert all(line.count("SECRET") == 1 and "layer=SECRET" in line for line in named)
