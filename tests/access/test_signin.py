"""Signing in and out in a browser: sessions, their renewal by several replicas, and refusal of other sites' pages."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from chronotile.access.keys import KEYS, open_keys
from chronotile.access.sessions import MAX_USER_SESSIONS, TABLE, open_sessions
from chronotile.app.application import ServerOptions, application
from chronotile.archive.index.write import ItemWriter
from chronotile.core.database import open_engine, write_transaction
from chronotile.core.model.access import IssuerSettings
from chronotile.core.web.places import AllowedPlaces
from chronotile.http.principal import Principal
from chronotile.pipeline.restricted_services import EVERYBODY
from chronotile.pipeline.services import FixedServices, Services
from tests.access.provider import AUDIENCE, CLIENT, Provider, serving_provider
from tests.access.test_leaks import with_private
from tests.protocols.answer_schemas import schema_faults
from tests.protocols.fuzzing.site import made_services
from tests.protocols.listening import listening

pytestmark = pytest.mark.slow

PRIVATE = "/timeseries/HIDDEN/point?lon=4.6&lat=50.85"
TILE = "/tiles/HIDDEN/WebMercatorQuad/11/1052/687.png"
HERE = "http://localhost"
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": HERE}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving_provider() as found:
        yield found


def signing_in(provider: Provider) -> Services:
    """Return services with private things; users of the provider may sign in."""
    services = with_private(made_services())
    issuer = IssuerSettings(issuer=provider.url, audience=AUDIENCE, client_id=CLIENT)
    access = replace(services.catalogue.access, issuer=issuer)
    collections = tuple(
        replace(each, access=replace(each.access, publish=frozenset({"group:ministry"})))
        for each in services.catalogue.collections
    )
    return replace(services, catalogue=replace(services.catalogue, access=access, collections=collections))


@dataclass
class Server:
    """A server, its users' sessions, and its provider."""

    client: TestClient
    provider: Provider
    folder: Path
    database: str | None = None

    def begin(self, return_to: str = "/viewer/?layer=HIDDEN") -> str:
        """Go to the provider; return the URL of its redirect back."""
        sent = self.client.get(f"/signin?{urlencode({'return': return_to})}")
        assert sent.status_code == 303, sent.text
        return httpx2.get(sent.headers["location"]).headers["location"]

    def sign_in(self) -> httpx2.Response:
        return self.client.get(self.begin())

    def session(self) -> dict[str, object]:
        return self.client.get("/signin/session").json()

    def change(self, **values: float) -> None:
        """Add to columns of all sessions, to make them older."""
        engine = open_engine(self.database, self.folder, KEYS)
        with write_transaction(engine, KEYS) as connection:
            connection.execute(update(TABLE).values(**{name: TABLE.c[name] + value for name, value in values.items()}))
        engine.dispose()

    def age(self) -> None:
        """Bring all sessions close to their end."""
        self.change(until=-290, renewed=-290)

    def post(self, path: str, headers: dict[str, str] = OWN) -> httpx2.Response:
        return self.client.post(path, headers=headers)


Serve = Callable[..., Server]


@contextmanager
def serve_at(
    provider: Provider, folder: Path, *, base: str = HERE, database: str | None = None, **more: object
) -> Iterator[Server]:
    options = ServerOptions(
        keys=lambda: open_keys(None, folder, archive="a"),
        sessions=lambda: open_sessions(database, folder, archive="a"),
        **more,
    )
    app = application(signing_in(provider), options)
    with TestClient(app, base_url=base, follow_redirects=False) as client:
        yield Server(client, provider, folder, database)


@pytest.fixture
def serve(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr("chronotile.access.sessions.CACHE_S", 0.0)
    monkeypatch.setattr("chronotile.access.sessions.NEW_S", 0.0)
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(serve_at(provider, tmp_path, **more))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def database(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


def test_signed_in_user_sees_granted_layers_by_a_cookie_that_scripts_cannot_read(server: Server) -> None:
    assert server.client.get(PRIVATE).status_code == 404
    assert server.session()["signed_in"] is False
    assert server.client.get("/viewer/config.json").json()["sign_in"] == "offered"
    known = {each["id"]: each for each in server.client.get("/layers").json()["layers"]}

    back = server.sign_in()

    assert back.status_code == 303
    assert back.headers["location"] == f"{HERE}/viewer/?layer=HIDDEN"
    cookie = next(each for each in back.headers.get_list("set-cookie") if each.startswith("chronotile_session="))
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Max-Age" not in cookie
    for path in (PRIVATE, TILE, TILE):
        answer = server.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "Cookie" in answer.headers["vary"]
    found = {each["id"]: each for each in server.client.get("/layers").json()["layers"]}
    assert {name for name, each in found.items() if each.get("access") == "private"} == set(found) - set(known)
    session = server.session()
    assert session["signed_in"] is True
    assert session["name"] == "Ann <Surveyor>"
    assert 300 < session["expires_in"] <= 330
    assert server.provider.exchanges == ["authorization_code"]


def test_answers_of_a_session_match_their_schemas(server: Server) -> None:
    def config() -> dict[str, object]:
        return server.client.get("/viewer/config.json").json()

    sessions, configs = [server.session()], [config()]
    server.sign_in()
    sessions += [server.session(), server.post("/signin/renew").json()]
    server.change(until=-400, renewed=-400)
    sessions.append(server.session())
    configs.append(config())

    assert [schema_faults(server.client, "Session", session) for session in sessions] == [[]] * 4
    assert [schema_faults(server.client, "ViewerConfig", document) for document in configs] == [[]] * 2
    assert [document["sign_in"] for document in configs] == ["offered", "expired"]


def test_who_signs_out_is_out_here_and_at_the_provider(server: Server) -> None:
    server.sign_in()
    old = dict(server.client.cookies)

    end = server.post("/signout").json()["end_session"]

    assert parse_qs(urlsplit(end).query)["post_logout_redirect_uri"] == [f"{HERE}/viewer/"]
    assert parse_qs(urlsplit(end).query)["id_token_hint"]
    assert server.client.get(PRIVATE).status_code == 404
    server.client.cookies.update(old)
    assert server.client.get(PRIVATE).status_code == 404
    assert "Max-Age=0" in server.client.get("/signin/session").headers["set-cookie"]


ELSEWHERE = [
    "//evil.example/", "/\\evil.example", "https://evil.example/", "/a\r\nSet-Cookie: b=c", "/a b", "", "viewer/",
    "\\/evil.example", "/\t/evil.example", "/viewer/\x00", "javascript:alert(1)", "/é", "/" + "a" * 3000,
]  # fmt: skip


def test_no_address_leads_elsewhere_after_signing_in(server: Server) -> None:
    for path in ELSEWHERE:
        refused = server.client.get("/signin", params={"return": path})
        assert refused.status_code == 400, path
        assert "location" not in refused.headers
        assert f"{HERE}/signin?return=%2Fviewer%2F" in refused.text
        assert "evil" not in refused.text
    of_areas = f"/viewer/?aoi={'a' * 2400}"
    assert server.client.get(server.begin(of_areas)).headers["location"] == f"{HERE}{of_areas}"


def test_a_code_is_good_once_in_the_browser_that_began_and_with_its_state(server: Server, serve: Serve) -> None:
    back = server.begin()
    stranger = serve()
    for address in (back, back.replace("state=", "state=x"), back.replace("iss=", "was="), f"{HERE}/signin/callback"):
        refused = stranger.client.get(address)
        assert (refused.status_code, refused.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert "not begun in this browser" in refused.text
    assert server.provider.exchanges == []

    for wrong in (back.replace("state=", "state=x"), back.replace("iss=", "iss=x"), back.replace("iss=", "was=")):
        server.begin()  # each refusal ends the attempt
        assert server.client.get(wrong).status_code == 400
    assert server.provider.exchanges == []
    back, started = server.begin(), dict(server.client.cookies)
    assert server.client.get(back).status_code == 303
    server.client.cookies.clear()
    assert server.client.get(back).status_code == 400
    server.client.cookies.update(started)
    again = server.client.get(back)
    assert again.status_code == 403
    assert "does not let this user in" in again.text
    assert server.session()["signed_in"] is False


def test_user_refused_by_the_provider_gets_a_plain_page(server: Server) -> None:
    server.provider.denies = "access_denied"
    answer = server.sign_in()
    assert answer.status_code == 403
    assert "(access_denied)" in answer.text
    assert f"{HERE}/signin?return=%2Fviewer%2F%3Flayer%3DHIDDEN" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    server.provider.denies = "<script>alert(1)</script>"
    assert "script" not in server.sign_in().text
    server.provider.denies = None
    server.provider.fails = 500
    assert server.sign_in().status_code == 503


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": HERE, "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost:81"},
]


def test_pages_elsewhere_get_nothing_by_the_cookie_and_do_nothing(server: Server) -> None:
    server.sign_in()
    for headers in FOREIGN:
        answer = server.client.get(PRIVATE, headers=headers)
        assert answer.status_code == 404, headers
        assert server.client.get("/signin/session", headers=headers).json()["signed_in"] is False
        for path in ("/signin/renew", "/signout"):
            assert server.post(path, headers).status_code == 403, headers
    assert server.post("/signout", {}).status_code == 403
    asked = {"inputs": {"layers": ["HIDDEN"], "points": {"type": "MultiPoint", "coordinates": [[4.6, 50.85]]}}}
    execution = "/ogcapi/processes/time-series/execution"
    refused = server.client.post(execution, json=asked)
    assert refused.status_code in {400, 404}
    assert server.client.post(execution, json=asked, headers=OWN).status_code == 200
    assert server.client.get(PRIVATE, headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert server.provider.exchanges == ["authorization_code"]


def test_a_cookie_writes_no_items_and_a_header_is_worth_more(serve: Serve) -> None:
    writer = ItemWriter(tokens=("t" * 24,), specs=dict, items=lambda: None, prefixes=AllowedPlaces())
    server = serve(items=writer)
    server.sign_in()
    item = "/stac/collections/secret/items/none"
    assert server.client.delete(item, headers=OWN).status_code == 401
    bearer = {"Authorization": f"Bearer {server.provider.token()}"}
    assert server.client.delete(item, headers=OWN | bearer).status_code not in {401, 403}
    stranger = server.provider.token(sub="eve", groups=[])
    assert server.client.get(PRIVATE, headers={"Authorization": f"Bearer {stranger}"}).status_code == 404
    assert server.client.get(PRIVATE, headers={"Authorization": "Bearer a.b.c"}).status_code == 401


@pytest.mark.parametrize("cookie", ["x" * 43, "", "é", "x" * 9000, '"a"', "a=b"])
def test_wrong_cookie_is_ignored(server: Server, cookie: str) -> None:
    header = {"Cookie": f"chronotile_session={cookie}".encode()}
    assert server.client.get(PRIVATE, headers=header).status_code == 404
    assert server.client.get("/layers", headers=header).status_code == 200


def test_expired_session_is_renewed_with_current_groups(server: Server) -> None:
    server.sign_in()
    assert server.post("/signin/renew").json()["signed_in"] is True
    assert server.provider.exchanges == ["authorization_code"]  # it is fresh

    server.change(until=-400, renewed=-400)
    assert server.client.get(PRIVATE).status_code == 404
    assert server.session() | {"signin": ""} == {
        "signed_in": False, "name": None, "expires_in": 0, "renewable": True, "signin": "",
    }  # fmt: skip
    assert server.client.get("/viewer/config.json").json()["sign_in"] == "expired"
    assert server.post("/signin/renew").json()["signed_in"] is True
    assert server.client.get(PRIVATE).status_code == 200
    assert server.provider.exchanges == ["authorization_code", "refresh_token"]

    server.age()
    server.provider.groups = []
    assert server.post("/signin/renew").json()["signed_in"] is True
    assert server.client.get(PRIVATE).status_code == 404


def test_a_session_ends_with_the_rules_that_began_it(server: Server) -> None:
    server.sign_in()
    assert server.client.get(PRIVATE).status_code == 200
    state = server.client.app.state.chronotile
    catalogue = state.services.catalogue
    issuer = replace(catalogue.access.issuer, audience="another")
    changed = replace(catalogue, access=replace(catalogue.access, issuer=issuer))
    state.live = FixedServices(replace(state.services, catalogue=changed))
    assert server.client.get(PRIVATE).status_code == 404
    assert server.session()["signed_in"] is False


def test_unavailable_provider_ends_no_session_but_a_refusing_one_does(server: Server) -> None:
    server.sign_in()
    server.age()
    for status in (503, 429):
        server.provider.fails = status
        assert server.post("/signin/renew").status_code == 503
        assert server.client.get(PRIVATE).status_code == 200
    server.provider.fails = 400
    ended = server.post("/signin/renew")
    assert ended.json()["signed_in"] is False
    assert ended.json()["renewable"] is False
    assert server.client.get(PRIVATE).status_code == 404


def test_replicas_renew_a_session_once(serve: Serve, database: str | None) -> None:
    server, other = serve(database=database), serve(database=database)
    server.sign_in()
    cookies = dict(server.client.cookies)
    for each in (server, other):
        each.client.cookies.update(cookies)
        assert each.client.get(PRIVATE).status_code == 200
    for _ in range(3):
        server.age()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda each: each.post("/signin/renew"), [server, other] * 4))
        assert [each.json()["signed_in"] for each in answers] == [True] * 8
    assert server.provider.exchanges == ["authorization_code", *["refresh_token"] * 3]
    assert len(server.provider.refresh_tokens) == 1
    server.post("/signout")
    assert other.client.get(PRIVATE).status_code == 404


def test_the_database_alone_opens_nothing(server: Server) -> None:
    server.sign_in()
    (cookie,) = server.client.cookies.values()
    (refresh,) = server.provider.refresh_tokens
    files = b"".join(each.read_bytes() for each in server.folder.iterdir())
    assert b"user:ann" in files
    for secret in (cookie, refresh, "refresh-", "eyJhbGciOiJSUzI1NiIs"):
        assert secret.encode() not in files


def test_session_in_memory_needs_no_database(provider: Provider, tmp_path: Path) -> None:
    with serve_at(provider, tmp_path) as server:
        server.sign_in()
        assert server.client.get(PRIVATE).status_code == 200
        shutil.rmtree(tmp_path)
        assert server.client.get(PRIVATE).status_code == 200
        server.client.cookies.clear()
        assert server.client.get("/layers").status_code == 200
        unavailable = server.client.get("/layers", headers={"Cookie": f"chronotile_session={'x' * 43}"})
        assert unavailable.status_code == 503
        assert "sessions of users cannot be read" in unavailable.text


def test_a_user_has_so_many_sessions_and_the_oldest_end(serve: Serve, database: str | None) -> None:
    server = serve(database=database)
    server.sign_in()
    first = dict(server.client.cookies)
    server.client.cookies.clear()
    for _ in range(MAX_USER_SESSIONS):
        server.sign_in()
        last = dict(server.client.cookies)
        server.client.cookies.clear()
    for cookies, status in ((first, 404), (last, 200)):
        server.client.cookies.update(cookies)
        assert server.client.get(PRIVATE).status_code == status
        server.client.cookies.clear()


def test_session_stores_the_organisation_for_usage_reports(tmp_path: Path) -> None:
    sessions = open_sessions(None, tmp_path, archive="a")
    user = Principal(subjects=EVERYBODY, name="user:ann", until=2e9, organisation="maps")
    sessions.create("i" * 43, b"digest", user, title="Ann", tokens={})
    assert sessions.find(b"digest").principal.organisation == "maps"
    sessions.close()


def test_a_confidential_client_shows_its_secret(provider: Provider, serve: Serve) -> None:
    provider.secret = "ü: a%b"
    assert serve().sign_in().status_code == 403
    assert serve(client_secret="ü: a%b").sign_in().status_code == 303


def test_by_https_no_other_host_can_set_the_cookie(serve: Serve) -> None:
    server = serve(base="https://maps.example.org")
    back = server.sign_in()
    cookie = next(each for each in back.headers.get_list("set-cookie") if "chronotile_session=" in each)
    assert cookie.startswith("__Host-chronotile_session=")
    assert "Secure" in cookie.split("; ")
    assert server.client.get(PRIVATE).status_code == 200
    plain = dict(server.client.cookies)["__Host-chronotile_session"]
    server.client.cookies.clear()
    for cookie in (f"chronotile_session={plain}", f"other=1,__Host-chronotile_session={plain}"):
        assert server.client.get(PRIVATE, headers={"Cookie": cookie}).status_code == 404


@pytest.mark.parametrize("host", ["[", "[::1", "[x]"])
def test_invalid_host_is_no_server_error(server: Server, host: str) -> None:
    headers = {"Host": host, "Origin": "http://localhost", "Cookie": "chronotile_session=x"}
    assert server.client.get("/layers", headers=headers).status_code == 200
    assert server.client.get("/signin", headers=headers).status_code == 303
    assert server.client.get("/signin/callback", headers=headers).status_code == 400
    assert server.client.get("/signin/session", headers=headers).json()["signed_in"] is False
    assert server.client.post("/signin/renew", headers=headers).status_code == 403


def test_below_a_prefix_links_and_cookies_are_of_that(serve: Serve) -> None:
    server = serve(trusted_proxies=["*"])
    forwarded = {"X-Forwarded-Prefix": "/maps", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.org"}
    server.client.headers.update(forwarded)
    sent = server.client.get("/signin?return=/viewer/")
    redirect = parse_qs(urlsplit(sent.headers["location"]).query)["redirect_uri"]
    assert redirect == ["https://example.org/maps/signin/callback"]
    assert {"Path=/maps", "Secure"} <= set(sent.headers["set-cookie"].split("; "))
    assert sent.headers["set-cookie"].startswith("chronotile_signin=")


def test_nobody_signs_in_with_a_key_or_without_a_client(server: Server) -> None:
    keys = open_keys(None, server.folder, archive="a")
    key = keys.create("owner", groups=["ministry"], days=1)
    keys.close()
    assert server.client.get(f"/k/{key}/signin").status_code == 404
    assert "sign_in" not in server.client.get(f"/k/{key}/viewer/config.json").json()
    with TestClient(application(with_private(made_services()), ServerOptions()), base_url=HERE) as client:
        assert client.get("/signin").status_code == client.get("/signin/session").status_code == 404
        assert client.get("/signin").json()["detail"] == "there is nothing at '/signin'"
        assert "sign_in" not in client.get("/viewer/config.json").json()
        assert "Cookie" not in client.get("/layers").headers["vary"]


def test_session_over_a_socket_lasts_as_long_as_its_database(provider: Provider, tmp_path: Path) -> None:
    options = ServerOptions(sessions=lambda: open_sessions(None, tmp_path, archive="a"))
    cookies = httpx2.Cookies()
    for _ in range(2):  # the second time after a restart
        with listening(application(signing_in(provider), options)) as url, httpx2.Client(cookies=cookies) as client:
            if not cookies:
                answer = client.get(f"{url}/signin?return=/layers", follow_redirects=True)
                assert answer.url == f"{url}/layers"
                cookies = client.cookies
            assert client.get(f"{url}{PRIVATE}").status_code == 200
            assert client.get(f"{url}{PRIVATE}", headers={"Origin": "https://evil.example"}).status_code == 404
