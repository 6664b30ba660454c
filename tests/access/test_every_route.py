"""With files, an index and remote catalogues, a stranger finds nothing private on any route, at any time."""

import re
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import orjson
import pytest
from starlette.routing import Match
from starlette.testclient import TestClient

from chronotile.access.keys import open_keys
from chronotile.app.application import ServerOptions, application
from chronotile.archive.archive_ids import archive_id_at
from chronotile.jobs.processes.execute import execute
from tests.access.addresses import OF_ALL, OF_ONE, WITH_BODY
from tests.access.twins import SCENE, SCENES, TOKEN, Server, Twins, seen, twins
from tests.protocols.fuzzing.request import parse
from tests.protocols.fuzzing.site import VIEWER, made_services
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES
from tests.running import until
from tests.scenes import write_tif
from tests.scenes_archive import documents

Asked = tuple[str, str, bytes]
"""Method, URL and body of a request."""
NAMES = (
    {"C": "fields", "L": "NDVI", "S": "squares"},
    {"C": "scenes", "L": "scenes.RED", "S": "squares"},
    {"C": "api", "L": "api.RED", "S": "squares"},
    {"C": "hidden", "L": "HIDDEN", "S": "hidden-fields"},
    {"C": "hidden-scenes", "L": "hidden-scenes.RED", "S": "hidden-fields"},
    {"C": "hidden-api", "L": "hidden-api.RED", "S": "hidden-fields"},
)
CHANGES = "/stac/changes"
"""Its numbers count the changes of all collections, as documented."""
PRIVATE = re.compile(r"HIDDEN|hidden-|\bhidden\"|/hidden\b")
ROUNDS = 12


def filled(template: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def asked(names: Sequence[dict[str, str]]) -> list[Asked]:
    """Return all requests, for each set of names."""
    found = [("GET", url, b"") for url in OF_ALL]
    for each in names:
        found += [("GET", filled(url, each), b"") for url in OF_ONE]
        for template, body in WITH_BODY.items():
            method, _, url = filled(template, each).partition(" ")
            found.append((method, url, filled(orjson.dumps(body).decode(), each).encode() if body else b""))
    return list(dict.fromkeys(found))


def test_there_is_a_request_for_every_route() -> None:
    any_of_each = {"C": "c", "L": "l", "S": "squares", "I": "i", "P": "f7468cf7-0593-5301-95bb-f5f0eae0efc0"}
    requests = [(parse(url).method, "/" + "/".join(parse(url).segments)) for url in (*VALID, *BODIES)]
    requests += [(method, url.partition("?")[0]) for method, url, _body in asked([any_of_each])]
    app = application(made_services(), ServerOptions(viewer=VIEWER, cog_places=["/"]))

    def has_request(route: Any, method: str) -> bool:
        of_all = {"type": "http", "app": app, "root_path": ""}
        scopes = ({**of_all, "method": each, "path": path} for each, path in requests)
        return any(scope["method"] == method and route.matches(scope)[0] is Match.FULL for scope in scopes)

    with TestClient(app):  # routes of place sets match only existing sets
        assert [
            f"{method} {route.path}"
            for route in app.routes
            for method in {*(getattr(route, "methods", None) or {"GET"})} - {"HEAD"}
            if not has_request(route, method)
        ] == []


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with twins(tmp_path_factory.mktemp("twins")) as found:
        yield found


def ask(server: Server, request: Asked, headers: dict[str, str] | None = None, prefix: str = "") -> httpx.Response:
    method, url, body = request
    given = {**(headers or {}), **({"Content-Type": "application/json"} if body else {})}
    return server.client.request(method, prefix + url, content=body, headers=given)


def with_items(server: Server) -> list[dict[str, str]]:
    """Return the names with an item and a product of each collection, as listed for the owner."""
    named = []
    for names in NAMES:
        url = f"/odata/v1/Products?$filter=Collection/Name eq '{names['C']}'&$top=1"
        (product,) = server.client.get(url, headers=server.bearer("owner")).json()["value"]
        named.append({**names, "I": product["Name"], "P": product["Id"]})
    return named


def settle(server: Server) -> None:
    """Wait until the valid fractions in documents are counted."""

    def is_settled(url: str) -> bool:
        answer = server.client.get(url, headers=server.bearer("owner"))
        return b'pending":0' in answer.content or answer.is_error

    for names in NAMES:
        until(lambda url=f"/layers/{names['L']}/times": is_settled(url))


@pytest.mark.slow
def test_answers_to_a_stranger_equal_those_of_a_server_without_private_data(pair: Twins) -> None:
    requests = asked(with_items(pair.private))
    owner = pair.private.bearer("owner")
    settle(pair.private)
    settle(pair.public)
    owned = {request: ask(pair.private, request, owner) for request in requests if request[0] == "GET"}
    hidden = [answer.status_code for (_, url, _), answer in owned.items() if "hidden" in url.lower()]
    assert hidden.count(200) > len(hidden) * 0.7  # most requests succeed for the owner
    token = {"Authorization": f"Bearer {pair.provider.token(groups=['farmers'])}"}
    differing = []
    for number, request in enumerate(requests):
        for who in ("nobody", ("key", "token")[number % 2]):
            given = {"nobody": {}, "token": token}
            private, public = (
                seen(ask(each, request, given.get(who, each.bearer("stranger"))), is_of_one_index=False)
                for each in (pair.private, pair.public)
            )
            if private != public:
                differing.append(f"{who} {request}\n{difference(private, public)}")
    assert not differing, "\n".join(differing[:20])


def difference(found: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    """Return differing statuses and headers, and the bodies around their first difference."""
    pairs = zip(found[2], expected[2], strict=False)
    start = max(0, next((at for at, (one, other) in enumerate(pairs) if one != other), 0) - 100)
    headers = dict(found[1].items() ^ expected[1].items())
    return f"  {found[0]} {expected[0]} {headers}\n  {found[2][start:][:300]}\n  {expected[2][start:][:300]}"


@pytest.mark.slow
def test_wrong_or_expired_credential_reveals_nothing_on_any_route(pair: Twins) -> None:
    id_ = archive_id_at(pair.private.configuration, environment={})
    folder = next((pair.private.configuration.parent / "private").rglob("access.sqlite")).parent
    keys = open_keys(None, folder, archive=id_)
    expired = keys.create("expired", groups=["ministry"], days=-1)
    keys.close()
    wrong = ["ctk_" + "a" * 43, expired, pair.provider.token(exp=1), pair.provider.token(aud="another"), "a.b.c"]
    ways = [({"Authorization": f"Bearer {each}"}, "") for each in wrong]
    ways += [({"Authorization": f"Basic {b64encode(f'a:{each}'.encode()).decode()}"}, "") for each in wrong]
    ways += [({}, f"/k/{each}") for each in wrong[:2]]
    answers = set()
    for number, request in enumerate(asked(with_items(pair.private))):
        headers, prefix = ways[number % len(ways)]
        answer = ask(pair.private, request, headers, prefix)
        assert answer.status_code in {401, 429}, request
        assert answer.headers["cache-control"] == "no-store"
        answers.add((answer.status_code, answer.content, answer.headers.get("etag")))
    assert len(answers) == 2
    assert ask(pair.private, ("GET", "/layers/HIDDEN", b""), pair.private.bearer("owner")).status_code == 200


class Stranger:
    """The answers of a server to a stranger, while its owner sends other requests."""

    def __init__(self, server: Server) -> None:
        self.server, self.owner = server, server.bearer("owner")
        requests = [each for each in asked(with_items(server)) if each[0] == "GET" and CHANGES not in each[1]]
        self.requests = [*requests, ("GET", "/health/ready", b"")]
        self.owned = [each for each in requests if "hidden" in each[1].lower()]
        feeds = [each for each in requests if each[1].endswith("feed.atom") and each not in self.owned]
        settle(server)
        self.answers()
        until(lambda: all("last-modified" in ask(server, each).headers for each in feeds))  # sent a second later
        self.before = self.answers()

    def answers(self) -> dict[Asked, tuple[Any, ...]]:
        return {request: seen(ask(self.server, request)) for request in self.requests}

    def require_same(self, what: str, *, is_owner_served: bool = True) -> None:
        for request in self.owned if is_owner_served else ():
            ask(self.server, request, self.owner)
        now, before = self.answers(), self.before
        found = [f"{each} {difference(now[each], before[each])}" for each in now if now[each] != before[each]]
        assert found == [], what


@contextmanager
def hanging(pair: Twins) -> Iterator[None]:
    """Let the remote private catalogue not answer while its owner waits for it."""
    pair.api.has_come.clear()
    pair.api.held = threading.Event()
    url, owner = "/stac/collections/hidden-api/items?limit=3&bbox=0,0,9,60", pair.private.bearer("owner")
    waiting = threading.Thread(target=lambda: pair.private.client.get(url, headers=owner))
    waiting.start()
    try:
        pair.api.has_come.wait()
        yield
    finally:
        pair.api.held.set()
        pair.api.held = None
        waiting.join()


@pytest.mark.slow
def test_changes_of_private_data_change_no_answer_to_a_stranger(pair: Twins) -> None:
    server, file = pair.private, pair.private.configuration.parent / "hidden" / f"{SCENE.days[3]}.tif"
    stranger = Stranger(server)
    stranger.require_same("its owner requests them")
    change_items(pair, stranger)
    write_tif(file, SCENE.numbers(3), SCENE)
    server.reload()
    assert SCENE.days[3] in server.client.get("/layers/HIDDEN/times", headers=stranger.owner).text
    stranger.require_same("there is another date")
    file.write_bytes(b"no raster")
    server.reload()
    stranger.require_same("a file is damaged")
    with hanging(pair):
        stranger.require_same("a catalogue elsewhere hangs", is_owner_served=False)
    pair.api.failures = [503] * 99
    stranger.require_same("a catalogue elsewhere fails")
    pair.api.failures = []
    more = "  hidden-more: {href: more.geojson, id: code, access: {see: [group:ministry]}}\n"
    server.configuration.write_text(server.configuration.read_text() + more)
    server.reload()
    assert "hidden-more" in server.client.get("/places", headers=stranger.owner).text
    stranger.require_same("there are more places")


def change_items(pair: Twins, stranger: Stranger) -> None:
    """Add an item to a private collection and remove it."""
    client, writer = pair.private.client, {"Authorization": f"Bearer {TOKEN}"}
    path = "/stac/collections/hidden-scenes/items"
    item = {**documents.item(SCENES[0], lambda path: f"{pair.url}/{path}"), "id": "new", "collection": "hidden-scenes"}
    added = client.post(path, json=item, headers=writer)
    assert added.status_code == 201, added.text
    stranger.require_same("an item was added")
    assert client.delete(f"{path}/new", headers=writer).status_code == 204
    stranger.require_same("an item was removed")


@pytest.mark.slow
def test_jobs_of_others_are_as_jobs_that_never_were(pair: Twins) -> None:
    server, owner = pair.private, pair.private.bearer("owner")
    inputs = {"inputs": {"layers": ["HIDDEN"], "points": [[3.003, 50.998]], "datetime": "2020"}}
    execution = "/ogcapi/processes/time-series/execution"
    accepted = server.client.post(execution, json=inputs, headers=owner | {"Prefer": "respond-async"})
    assert accepted.status_code == 201, accepted.text
    state = server.client.app.state.chronotile
    job = state.jobs.table.claim("test", lease_s=60)
    folder = state.jobs.result_files(job).folder
    folder.mkdir(parents=True)
    done = execute(state.jobs.table.execution(job.id), state.services, folder)
    state.jobs.table.succeed(job.id, "test", done)
    other = str(job.id)[:-4] + ("0000" if str(job.id)[-4:] != "0000" else "1111")
    paths = ["", "?f=html", "/results", *(f"/results/{name}" for name in done), "/results/none"]
    for path in paths[:3]:
        assert server.client.get(f"/ogcapi/jobs/{job.id}{path}", headers=owner).status_code == 200
    for credential in ({}, server.bearer("stranger")):
        for method in ("GET", "HEAD", "DELETE", "POST", "OPTIONS"):
            for path in paths:
                found, expected = (
                    server.client.request(method, f"/ogcapi/jobs/{id_}{path}", headers=credential)
                    for id_ in (job.id, other)
                )
                status, headers, body = seen(expected)
                assert seen(found) == (status, headers, body.replace(other.encode(), str(job.id).encode())), path
        for path in ("/ogcapi/jobs", "/ogcapi/jobs?f=html", "/ogcapi/jobs?status=successful&limit=1"):
            assert str(job.id)[:8] not in server.client.get(path, headers=credential).text
    assert server.client.get(f"/ogcapi/jobs/{job.id}", headers=owner).json()["status"] == "successful"


@pytest.mark.slow
def test_reloads_under_way_show_a_stranger_nothing(pair: Twins) -> None:
    server, text = pair.private, pair.private.configuration.read_text()
    requests = [each for each in asked(with_items(server)) if each[0] == "GET" and "hidden" not in each[1].lower()]
    ended = threading.Event()

    def reload() -> None:
        for number in range(ROUNDS):
            server.configuration.write_text(text.replace("hidden-fields: {", f"hidden-fields: {{title: of {number}, "))
            server.reload()
        ended.set()

    reloading = threading.Thread(target=reload)
    reloading.start()
    try:
        while not ended.is_set():
            for request in requests:
                answer = ask(server, request)
                assert PRIVATE.search(answer.text + str(answer.headers)) is None, request
                if ended.is_set():
                    break
            assert ask(server, ("GET", "/layers/HIDDEN", b"")).status_code == 404
    finally:
        reloading.join()
        server.configuration.write_text(text)
