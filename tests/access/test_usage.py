"""Reports of usage: real requests compared with separate counts; names of addresses, and deleted data."""

import csv
import io
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.access.accounts import Accounts
from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.access.provider import AUDIENCE, serving_provider
from tests.access.test_archive import TILE, run, write
from tests.clock import Clock
from tests.postgresql import serving_postgresql
from tests.running import until

pytestmark = pytest.mark.slow

DAY_S = 86_400.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
TILE_URL = f"/tiles/NDVI/{TILE}.png"
SECRET_URL = f"/tiles/SECRET/{TILE}.png"
PICTURE = "SERVICE=WMS&VERSION=1.3.0&STYLES=&CRS=EPSG:32631&BBOX=500000,5649700,500400,5650000&WIDTH=40&HEIGHT=30"
ADDRESS = "203.0.113.77"
NAMES = ("user", "organisation", "layer", "protocol", "class")
# Each path with its layer, protocol and class.
REQUESTS = (
    (TILE_URL, "NDVI", "xyz", "pictures"),
    (f"{TILE_URL}?datetime=2020-01-11", "NDVI", "xyz", "pictures"),
    (f"/wms?{PICTURE}&REQUEST=GetMap&LAYERS=NDVI&FORMAT=image/png", "NDVI", "wms", "pictures"),
    (f"/wms?{PICTURE}&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&I=3&J=3", "NDVI", "wms", "series"),
    ("/wms?SERVICE=WMS&REQUEST=GetCapabilities", "", "wms", "documents"),
    (f"/wms?{PICTURE}&%52EQUEST=GetMap&LAYERS=NDVI&FORMAT=image/png", "NDVI", "wms", "pictures"),
    (f"/wms?{PICTURE}&REQUEST=Get%4Dap&LAYERS=NDVI&FORMAT=image/png", "NDVI", "wms", "pictures"),
    ("/wcs?SERVICE=WCS&REQUEST=GetCapabilities", "", "wcs", "documents"),
    (
        "/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID=NDVI&FORMAT=image/tiff",
        "NDVI",
        "wcs",
        "downloads",
    ),
    ("/wcs?SERVICE=WCS&VERSION=2.0.1&%52EQUEST=GetCoverage&COVERAGEID=NDVI", "NDVI", "wcs", "downloads"),
    (f"/wms?REQUEST=GetCapabilities&{PICTURE}&request=GetMap&LAYERS=NDVI&FORMAT=image/png", "NDVI", "wms", "pictures"),
    ("/wmts/1.0.0/NDVI/ndvi/WebMercatorQuad/14/5485/8328.png", "NDVI", "wmts", "pictures"),
    (
        "/wmts?service=WMTS&request=GetTile&version=1.0.0&layer=NDVI&style=&tilematrixset=WebMercatorQuad&tilematrix=14"
        "&tilerow=5485&tilecol=8328&format=image/png",
        "NDVI",
        "wmts",
        "pictures",
    ),
    ("/ogcapi/collections/NDVI/coverage", "NDVI", "ogcapi", "downloads"),
    ("/ogcapi/collections/NDVI", "NDVI", "ogcapi", "documents"),
    ("/zarr/NDVI/zarr.json", "NDVI", "zarr", "documents"),
    ("/stac/collections/open", "", "stac", "documents"),
    ("/timeseries/NDVI/point?lon=3.003&lat=51", "NDVI", "timeseries", "series"),
    ("/layers/NDVI/preview.png", "NDVI", "layers", "pictures"),
    ("/tiles/no-such-layer/WebMercatorQuad/0/0/0.png", "", "xyz", "pictures"),
    ("/tiles/another/WebMercatorQuad/0/0/0.png", "", "xyz", "pictures"),
    ("/", "", "site", "documents"),
)


class Site:
    """An archive with rules, its keys, and a client."""

    def __init__(self, folder: Path, client: TestClient, keys: dict[str, dict[str, str]]) -> None:
        self.folder, self.client, self.keys = folder, client, keys

    def usage(self, *by: str, **query: str) -> list[dict[str, Any]]:
        params = {"f": "json", "by": ",".join(by), "from": "2020-01-01", "to": "2099-01-01"} | query
        answer = self.client.get("/usage", headers=self.keys["ops"], params=params)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows


def prepare(folder: Path, patch: pytest.MonkeyPatch, *, access: str = "") -> dict[str, dict[str, str]]:
    """Write the archive; return the headers of its users, by their names."""
    write(folder)
    file = folder / "chronotile.yaml"
    file.write_text(file.read_text().replace("  operate: [group:ops]\n", f"  operate: [group:ops]\n{access}"))
    patch.setenv("CHRONOTILE_JOBS_DIR", str(folder / "jobs"))
    patch.setenv("CHRONOTILE_CACHE_DIR", str(folder / "cache"))
    groups = {"ann": "ministry", "bob": "ministry", "ops": "ops"}
    keys = {name: run(folder, "keys", "create", name, "--group", each).strip() for name, each in groups.items()}
    return {name: {"Authorization": f"Bearer {key}"} for name, key in keys.items()}


@contextmanager
def serving_site(folder: Path, keys: dict[str, dict[str, str]]) -> Iterator[Site]:
    app = create_app(load_settings(config=folder / "chronotile.yaml", workers=1, watch_s=0))
    with TestClient(app, base_url="http://localhost", client=(ADDRESS, 4711)) as client:
        yield Site(folder, client, keys)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(NOON)
    monkeypatch.setattr("chronotile.app.application.Accounts", partial(Accounts, clock=made))
    return made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Site]:
    with serving_site(tmp_path, prepare(tmp_path, monkeypatch)) as found:
        yield found


def test_counted_bytes_equal_sent_bytes(site: Site) -> None:
    requests, sent = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for _ in range(3):  # the second and third time most are answered from memory
        for url, layer, protocol, class_ in REQUESTS:
            for user in ("", "ann"):
                answer = site.client.get(url, headers=site.keys.get(user, {}) | {"Accept-Encoding": "identity"})
                key = (f"key:{user}" if user else "", layer, protocol, class_)
                requests[key] += 1
                sent[key] += len(answer.content)
    form = {each.partition("=")[0]: each.partition("=")[2] for each in PICTURE.split("&")}
    form |= {"REQUEST": "GetMap", "LAYERS": "NDVI", "FORMAT": "image/png"}
    answer = site.client.post("/wms?REQUEST=GetCapabilities", data=form)
    assert answer.headers["content-type"] == "image/png"
    requests["", "", "wms", "pictures"] += 1
    sent["", "", "wms", "pictures"] += len(answer.content)
    site.client.head(TILE_URL)
    requests["", "NDVI", "xyz", "pictures"] += 1
    assert site.client.get(TILE_URL, headers={"Authorization": "Bearer ctk_wrong"}).status_code == 401

    rows = [row for row in site.usage(*NAMES) if row["user"] != "key:ops"]

    users = {row["user"] for row in rows}
    (address,) = users - {"key:ann"}
    assert address.startswith("address:")
    found = {(row["user"].replace(address, ""), row["layer"], row["protocol"], row["class"]): row for row in rows}
    assert {key: row["requests"] for key, row in found.items()} == requests
    assert {key: row["bytes"] for key, row in found.items()} == sent
    assert found["", "NDVI", "ogcapi", "downloads"]["seconds"] > 0
    assert found["", "", "xyz", "pictures"]["seconds"] == 0
    assert {row["products"] for row in rows} == {0}


def test_a_product_that_is_fetched_in_parts_is_counted_once(site: Site) -> None:
    listed = until(
        lambda: site.client.get("/stac/collections/open/items").json()["features"]
    )  # once the index is filled
    url = f"/products/open/{listed[0]['id']}"
    whole = site.client.get(url)
    assert whole.status_code == 200
    for part in ("bytes=0-99", "bytes=100-199", "bytes=200-"):
        assert site.client.get(url, headers={"Range": part}).status_code == 206
    site.client.head(url)

    (row,) = [row for row in site.usage("layer", "protocol", "class") if row["protocol"] == "products"]

    assert (row["requests"], row["products"], row["bytes"]) == (5, 2, 2 * len(whole.content))


def test_address_gets_another_name_each_day_and_cannot_be_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    keys = prepare(tmp_path, monkeypatch, access="  quotas: {public: {pictures: {requests: 9}}}\n")
    names, salts = list[str](), list[bytes]()
    for _ in range(2):
        with serving_site(tmp_path, keys) as site:
            for _again in range(2):
                assert site.client.get(TILE_URL).status_code == 200
            (row,) = site.usage("user", **{"from": date_of(clock), "to": date_of(clock)})
            names.append(row["user"])
        stored = b"".join(file.read_bytes() for file in (tmp_path / "jobs").rglob("access.sqlite*"))
        salts.append(salt_of(tmp_path, date_of(clock)))
        assert salts[-1] in stored
        assert ADDRESS.encode() not in stored
        assert bytes(map(int, ADDRESS.split("."))) not in stored
        clock.now_s += DAY_S
    assert len(set(names)) == len(set(salts)) == 2
    assert salts[0] not in stored  # not even in deleted pages


def salt_of(folder: Path, day: str) -> bytes:
    (file,) = (folder / "jobs").rglob("access.sqlite")
    with closing(sqlite3.connect(file)) as database:
        return bytes(database.execute("SELECT salt FROM chronotile_usage_salts WHERE day = ?", (day,)).fetchone()[0])


def test_counts_are_deleted_when_they_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    keys = prepare(tmp_path, monkeypatch, access="  usage_days: 30\n")
    for _ in range(3):
        with serving_site(tmp_path, keys) as site:
            site.client.get(TILE_URL)
        clock.now_s += 20 * DAY_S
    with serving_site(tmp_path, keys) as site:
        days = {row["day"] for row in site.usage("day")}
    assert days == {date_of(Clock(NOON + each * DAY_S)) for each in (20, 40)}


def test_the_page_is_for_operators(site: Site) -> None:
    for url in ("/usage", "/usage/", "/usage?f=csv"):
        for headers in ({}, site.keys["ann"]):
            answer = site.client.get(url, headers=headers)
            unknown = site.client.get("/usages", headers=headers)
            assert answer.status_code == 404
            assert answer.text == unknown.text.replace("/usages", url.partition("?")[0])
            assert set(answer.headers) == set(unknown.headers)


@pytest.mark.parametrize("query", ["by=colour", "from=yesterday", "to=2026-13-01", "f=xml", "colour=red"])
def test_mistakes_in_a_query_are_listed(site: Site, query: str) -> None:
    answer = site.client.get(f"/usage?{query}", headers=site.keys["ops"])
    assert answer.status_code == 400
    assert query.rpartition("=")[2 if "colour=" not in query else 0] in answer.json()["detail"]


def test_page_csv_and_command_have_the_same_numbers_and_names_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = "<script>alert(1)</script>&\"'"
    with serving_provider() as provider:
        issuer = f"  issuer: {provider.url}\n  audience: {AUDIENCE}\n"
        keys = prepare(tmp_path, monkeypatch, access=issuer)
        with serving_site(tmp_path, keys) as site:
            for sub, organisation in (
                ("<b>sam</b>\0", wild),
                ("tim", ["one", "two"]),
                ("uma", {"acme": {"id": 7}}),
                ("vic", "=1+1"),
            ):
                token = provider.token(sub=sub, organization=organisation)
                answer = site.client.get(SECRET_URL, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 200
            by = ("user", "organisation", "layer")
            rows = [row for row in site.usage(*by) if row["layer"]]
            headers = site.keys["ops"]
            page = site.client.get("/usage?by=user,organisation,layer", headers=headers)
            text = site.client.get("/usage?by=user,organisation,layer&f=csv", headers=headers).text
    assert [(row["user"], row["organisation"]) for row in rows] == [
        ("user:<b>sam</b>", wild),
        ("user:tim", "one"),
        ("user:uma", "acme"),
        ("user:vic", "=1+1"),
    ]
    read = [row for row in csv.DictReader(io.StringIO(text)) if row["layer"]]
    # Spreadsheets take no name for a formula.
    assert read == [{name: str(value).replace("=1", "'=1") for name, value in row.items()} for row in rows]
    tree = html.fromstring(page.text)
    assert not tree.xpath("//script | //b")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert [row for row in cells(tree) if row[2]] == [[str(value) for value in row.values()] for row in rows]
    assert len(tree.xpath("//svg")) == 4
    assert len(tree.xpath("//svg[@aria-label='requests']//rect")) == len(cells(tree))
    arguments = ["usage", str(tmp_path / "chronotile.yaml"), "--by", "user", "--by", "organisation", "--by", "layer"]
    printed = CliRunner().invoke(program, [*arguments, "--format", "csv"])
    assert [row for row in csv.DictReader(io.StringIO(printed.stdout)) if row["layer"]] == read
    table = CliRunner().invoke(program, arguments).stdout
    assert table.splitlines()[0].split() == [*rows[0]]
    wrong = CliRunner().invoke(program, [*arguments, "--from", "monday"])
    assert wrong.exit_code != 0
    assert "monday" in wrong.output


def cells(tree: Any) -> list[list[str]]:
    return [[cell.text or "" for cell in row.xpath("td")] for row in tree.xpath("//tbody/tr")]


def test_memory_is_bounded_however_many_layers_and_addresses_there_are(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronotile.access.accounts.MAX_KEYS", 2)
    monkeypatch.setattr("chronotile.access.accounts.MAX_ADDRESSES", 3)
    app = site.client.app
    for number in range(8):
        stranger = TestClient(app, base_url="http://localhost", client=(f"198.51.100.{number}", 4711))
        assert stranger.get(TILE_URL).status_code == 200
    rows = site.usage("user", "layer")
    assert sum(row["requests"] for row in rows) == 8
    assert {row["layer"] for row in rows} == {"NDVI", "(other)"}
    assert len(rows) <= 5


@pytest.mark.client("initdb", "postgres")
def test_requests_are_answered_and_counted_without_quotas_while_the_database_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_postgresql() as server:
        monkeypatch.setenv("CHRONOTILE_DATABASE_URL", server.make_database())
        keys = prepare(tmp_path, monkeypatch, access="  quotas: {public: {pictures: {requests: 3}}}\n")
        with serving_site(tmp_path, keys) as site:
            statuses = [site.client.get(TILE_URL).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]
            assert site.usage("layer", "class")[0]["requests"] == 3
            server.stop()
            passed = until(lambda: site.client.get(TILE_URL).status_code == 200) + sum(
                site.client.get(TILE_URL).status_code == 200 for _ in range(20)
            )
            server.start()
            refused = until(lambda: site.client.get(TILE_URL).status_code == 429 or None)
            assert refused
            (row,) = [row for row in site.usage("layer", "class") if row["layer"]]
            assert row["requests"] >= 3 + passed
            assert passed == 21


def date_of(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.now_s, UTC).date().isoformat()
