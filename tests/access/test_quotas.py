"""Quotas: assignment to principals, their fields, and enforcement across replicas."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from chronotile.access.accounts import Accounts
from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError
from chronotile.readers.kinds import kind_options
from tests.access.test_archive import run, write
from tests.access.test_usage import ADDRESS, DAY_S, NOON, SECRET_URL, TILE_URL, Site, prepare, serving_site
from tests.clock import Clock
from tests.postgresql import serving_postgresql
from tests.running import PATIENCE_S, serving

pytestmark = pytest.mark.slow

QUOTAS = """
  quotas:
    public: {pictures: {requests: 3}, series: {seconds: 0.0001}}
    group:ministry: {pictures: {requests: 5, bytes: 1000000}, downloads: {bytes: 1000}}
    key:bob: {pictures: {requests: 4, bytes: 2000000}}
"""
SERIES_URL = "/timeseries/NDVI/point?lon=3.003&lat=51"
COVERAGE_URL = "/ogcapi/collections/NDVI/coverage"


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, Clock]:
    """Wall clock and monotonic clock of the accounts."""
    clock, monotonic = Clock(NOON), Clock(1000.0)
    made = partial(Accounts, clock=clock, monotonic_clock=monotonic)
    monkeypatch.setattr("chronotile.app.application.Accounts", made)
    return clock, monotonic


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clocks: tuple[Clock, Clock]) -> Iterator[Site]:
    with serving_site(tmp_path, prepare(tmp_path, monkeypatch, access=QUOTAS)) as found:
        yield found


def statuses(site: Site, url: str, count: int, user: str = "") -> list[int]:
    return [site.client.get(url, headers=site.keys.get(user)).status_code for _ in range(count)]


def test_the_largest_amount_of_all_subjects_holds_for_each_user_and_answers_from_memory_count(site: Site) -> None:
    assert statuses(site, TILE_URL, 5) == [200] * 3 + [429] * 2
    assert statuses(site, TILE_URL, 7, "ann") == [200] * 5 + [429] * 2
    assert statuses(site, SECRET_URL, 6, "bob") == [200] * 5 + [429]
    assert statuses(site, TILE_URL, 4, "ops") == [200] * 3 + [429]
    fields = site.client.get(TILE_URL, headers=site.keys["bob"]).headers
    assert 'q=5;w=86400, "pictures-bytes";q=2000000;' in fields["RateLimit-Policy"]
    assert statuses(site, "/layers", 9) == [200] * 9  # documents have no quota


def test_a_refusal_is_a_problem_with_the_fields_of_the_quota(site: Site, clocks: tuple[Clock, Clock]) -> None:
    answers = [site.client.get(TILE_URL) for _ in range(4)]
    for number, answer in enumerate(answers):
        assert answer.headers["RateLimit-Policy"] == '"pictures";q=3;w=86400'
        assert answer.headers["RateLimit"] == f'"pictures";r={max(0, 2 - number)};t=43200'
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "43200"
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert problem["type"].endswith("#quota-exceeded")
    assert "3 requests a day for pictures" in problem["detail"]
    assert "RateLimit" not in site.client.get("/layers").headers
    assert site.client.options(TILE_URL).status_code != 429
    clocks[0].now_s += DAY_S / 2
    assert statuses(site, TILE_URL, 4) == [200] * 3 + [429]


def test_bytes_and_seconds_are_charged_afterwards(site: Site) -> None:
    assert statuses(site, COVERAGE_URL, 2, "ann") == [200, 429]
    assert statuses(site, SERIES_URL, 2) == [200, 429]
    left = site.client.get(TILE_URL, headers=site.keys["ann"])
    after = site.client.get(TILE_URL, headers=site.keys["ann"])
    remaining = [int(re.findall(r'"pictures-bytes";r=(\d+)', each.headers["RateLimit"])[0]) for each in (left, after)]
    assert remaining[0] == 1_000_000
    assert remaining[0] - remaining[1] == len(left.content)


def test_upload_is_charged_for_the_process_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = prepare(tmp_path, monkeypatch, access="  quotas: {public: {series: {seconds: 0.1}}}\n")
    with serving_site(tmp_path, keys) as site:
        answers = [site.client.post("/places/shapes", content=b"SQLite format 3\0") for _ in range(2)]

    assert [each.status_code for each in answers] == [400, 429]


def test_concurrent_requests_share_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clocks: tuple[Clock, Clock]
) -> None:
    prepare(tmp_path, monkeypatch, access="  quotas: {public: {pictures: {requests: 200}}}\n")
    app = create_app(load_settings(config=tmp_path / "chronotile.yaml", workers=1, watch_s=0))

    found = Counter[int]()

    async def one() -> None:
        scope = {"type": "http", "method": "GET", "scheme": "http", "path": TILE_URL, "root_path": ""}
        scope |= {"query_string": b"", "headers": [(b"host", b"localhost")], "client": (ADDRESS, 1), "state": {}}

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, int]) -> None:
            if message["type"] == "http.response.start":
                found[message["status"]] += 1

        await app(scope, receive, send)

    async def all_at_once() -> None:
        async with app.router.lifespan_context(app):
            await one()
            async with anyio.create_task_group() as tasks:
                for _ in range(299):
                    tasks.start_soon(one)

    anyio.run(all_at_once)

    assert found == {200: 200, 429: 100}
    assert used(tmp_path) == [200]


def test_unused_part_of_a_lease_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clocks: tuple[Clock, Clock]
) -> None:
    monkeypatch.setattr("chronotile.access.quotas.MAX_LEASES", 1)
    keys = prepare(tmp_path, monkeypatch, access="  quotas: {public: {pictures: {requests: 640, bytes: 640000}}}\n")
    with serving_site(tmp_path, keys) as site:
        first = site.client.get(TILE_URL)
        assert used(tmp_path) == [10]
        assert used(tmp_path, "bytes") == [10_000]
        assert first.headers["RateLimit"].startswith('"pictures";r=639;')
        site.client.get(TILE_URL, headers=site.keys["ann"])  # the lease of the address is no longer held
    assert used(tmp_path) == [1, 1]
    assert used(tmp_path, "bytes") == [len(first.content)] * 2


def used(folder: Path, amount: str = "requests") -> list[float]:
    (file,) = (folder / "jobs").rglob("access.sqlite")
    with closing(sqlite3.connect(file)) as database:
        return [row[0] for row in database.execute(f"SELECT {amount} FROM chronotile_quota_used ORDER BY user")]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("{everyone: {pictures: {requests: 1}}}", "everyone"),
        ("{public: {documents: {requests: 1}}}", "documents"),
        ("{public: {pictures: {requests: -1}}}", "-1"),
        ("{public: {pictures: {tiles: 1}}}", "tiles"),
    ],
)
def test_mistakes_are_listed(tmp_path: Path, written: str, named: str) -> None:
    write(tmp_path)
    file = tmp_path / "chronotile.yaml"
    file.write_text(file.read_text().replace("  operate: [group:ops]\n", f"  quotas: {written}\n"))
    with pytest.raises(ConfigurationError, match=named):
        load_configuration(file, kinds=kind_options(), environment={})


# Two replicas.

CLIENTS, EACH, QUOTA = 200, 12, 400
USERS = ("una", "uma", "ulf", "uwe")
BYTES = 300
"""The quota of the last user is the size of this number of tiles."""


@contextmanager
def replicas(folder: Path, database: str | None) -> Iterator[list[str]]:
    """URLs of two servers that share the folder of the key table or the database."""
    settings = {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "CHRONOTILE_WORKERS": "1"}
    settings |= {} if database is None else {"CHRONOTILE_DATABASE_URL": database}
    with ExitStack() as stack:
        started = [stack.enter_context(serving("serve", folder / "chronotile.yaml", **settings)) for _ in range(2)]
        yield [address for _process, address, _lines in started]


@pytest.mark.client("initdb", "postgres")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_replicas_limit_each_of_200_clients_to_within_a_tenth_of_its_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with ExitStack() as stack:
        url = None
        if kind == "postgresql":
            url = stack.enter_context(serving_postgresql()).make_database()
            monkeypatch.setenv("CHRONOTILE_DATABASE_URL", url)
        keys = prepare(tmp_path, monkeypatch)
        for user in USERS:
            key = run(tmp_path, "keys", "create", user, "--group", "bytes" if user == USERS[-1] else "many").strip()
            keys[user] = {"Authorization": f"Bearer {key}"}
        size = size_of_tile(tmp_path, keys)
        many, bytes_ = f"{{requests: {QUOTA}}}", f"{{bytes: {BYTES * size}}}"
        access = f"  quotas: {{group:many: {{pictures: {many}}}, group:bytes: {{pictures: {bytes_}}}}}\n"
        file = tmp_path / "chronotile.yaml"
        file.write_text(file.read_text().replace("access:\n", f"access:\n{access}"))
        addresses = stack.enter_context(replicas(tmp_path, url))

        found = ask_all(addresses, keys)

    for user in USERS:
        accepted, refused = found[user, 200], found[user, 429]
        assert accepted + refused == CLIENTS * EACH // len(USERS)
        quota = BYTES if user == USERS[-1] else QUOTA
        # Requests are charged before the work, so never too many; bytes of concurrent requests are charged after it.
        assert 0.9 * quota <= accepted <= (1.1 * quota if user == USERS[-1] else quota)


def size_of_tile(folder: Path, keys: dict[str, dict[str, str]]) -> int:
    with serving_site(folder, keys) as site:
        return len(site.client.get(TILE_URL).content)


def ask_all(addresses: list[str], keys: dict[str, dict[str, str]]) -> Counter[tuple[str, int]]:
    for address in addresses:  # each replica then has the tile in memory
        assert get(address, keys["ann"]) == 200

    def client(number: int) -> list[tuple[str, int]]:
        user = USERS[number % len(USERS)]
        return [(user, get(addresses[(number // len(USERS) + each) % 2], keys[user])) for each in range(EACH)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(answer for found in pool.map(client, range(CLIENTS)) for answer in found)


def get(address: str, headers: dict[str, str]) -> int:
    with closing(HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection:
        connection.request("GET", TILE_URL, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
