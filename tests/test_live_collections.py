"""A server with a local collection of scenes and one in a STAC API (`mode: live`), over real files and sockets."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.archive.index.stac_api import StacApi
from tests.archive.index.stac_api import serving as serving_api
from tests.faulty_source import faulty_source
from tests.running import PATIENCE_S, until
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

NEWEST = sorted(SMALL.all_scenes(), key=lambda scene: scene.datetime, reverse=True)
FIRST_DAY = SMALL.days[0]
PICTURE = "/layers/{}.RED/preview.png?datetime={}&width=64"
SECTION = "  {}: {{source: {}, time: {{group: solar_day}}, variables: {{RED: {{asset: B04}}}}}}"
REQUESTS = 12
EXTENT = {"spatial": {"bbox": [[1, 40, 9, 60]]}, "temporal": {"interval": [["2015-07-01T00:00:00Z", None]]}}


@dataclass
class Site:
    """A server's configuration and the API of one of its collections."""

    api: StacApi
    folder: Path
    sources: dict

    @property
    def configuration(self):
        return self.folder / "chronotile.yaml"

    def write(self, **sources):
        """Write the configuration with sources that replace earlier ones."""
        self.sources |= sources
        lines = [SECTION.format(name, source) for name, source in self.sources.items()]
        self.configuration.write_text("\n".join(["collections:", *lines]))

    @contextmanager
    def client(self):
        application = create_app(load_settings(config=self.configuration))
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client

    def run(self, *arguments):
        return CliRunner().invoke(program, [*map(str, arguments)])


@contextmanager
def a_site(folder):
    """A site whose index has the scenes of `near`."""
    with ExitStack() as stack:
        files = stack.enter_context(faulty_source(archive(SMALL)))
        api = stack.enter_context(serving_api(StacApi(page=4, has_sort=True, counts=True)))
        api.add(*(documents.item(scene, files.url_of) for scene in NEWEST))
        api.about = {"extent": EXTENT}
        catalogue = documents.write_catalogue(folder, SMALL, files.url_of)
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("CHRONOTILE_SOURCE_PREFIXES", files.url)
        environment.setenv("CHRONOTILE_JOBS_DIR", str(folder / "jobs"))
        environment.setenv("CHRONOTILE_WRITE_TOKEN", "a secret of the tests of it")
        environment.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        environment.setenv("CHRONOTILE_WATCH_S", "0.5")
        site = Site(api, folder, {})
        site.write(near=f"{{kind: stac, href: '{catalogue}'}}", far=f"{{kind: stac, href: '{api.href}', mode: live}}")
        done = site.run("index", site.configuration)
        assert done.exit_code == 0, done.output
        yield site


@pytest.fixture
def site(tmp_path):
    """A site of the test alone."""
    with a_site(tmp_path) as site:
        yield site


@pytest.fixture
def client(site):
    with site.client() as client:
        wait_until_known(client)
        yield client


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory):
    """Return a site whose items may be cached."""
    with a_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def shared(shared_site):
    with shared_site.client() as client:
        wait_until_known(client)
        yield client


def wait_until_known(client, collection="far"):
    until(lambda: client.get(f"/layers/{collection}.RED").status_code == 200)


def walk(client, url):
    """Return the pages of a search, to its end."""
    pages = []
    while url is not None:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        url = next((link["href"] for link in pages[-1]["links"] if link["rel"] == "next"), None)
    return pages


def items_of(pages):
    return [(each["collection"], each["id"]) for page in pages for each in page["features"]]


def test_pages_of_two_sources_have_each_item_once_in_the_order_of_sources(shared):
    found = items_of(walk(shared, "/stac/search?limit=7"))

    ids = {scene.id for scene in NEWEST}
    assert [collection for collection, _id in found] == ["near"] * len(ids) + ["far"] * len(ids)
    assert {id_ for collection, id_ in found if collection == "near"} == ids
    assert {id_ for collection, id_ in found if collection == "far"} == ids


def test_pages_that_are_posted_have_each_item_once(shared):
    body, found = {"limit": 9, "collections": ["far"]}, []
    while body is not None:
        page = shared.post("/stac/search", json=body).json()
        found += [each["id"] for each in page["features"]]
        following = [link for link in page["links"] if link["rel"] == "next"]
        body = {**body, **following[0]["body"]} if following else None
    assert len(found) == len(set(found)) == len(NEWEST)


def test_documents_lead_to_this_server_alone(shared, shared_site):
    (page, *_others) = walk(shared, "/stac/search?collections=far&limit=30")
    text = str(page)
    assert shared_site.api.address not in text
    assert "http://127.0.0.1" not in text


def test_pictures_equal_those_of_an_indexed_collection_after_a_search(client):
    day = f"{FIRST_DAY}T00:00:00Z/{FIRST_DAY}T23:59:59Z"
    assert client.get(PICTURE.format("far", FIRST_DAY)).status_code == 404
    pages = walk(client, f"/stac/search?collections=far&limit=50&datetime={day}")
    found = [each for page in pages for each in page["features"]]
    assert found

    near, far = (client.get(PICTURE.format(name, FIRST_DAY)) for name in ("near", "far"))

    assert (near.status_code, far.status_code) == (200, 200)
    assert near.content == far.content
    links = {link["rel"] for link in client.get(found[0]["links"][0]["href"]).json()["links"]}
    assert {"xyz", "wmts"} <= links


def test_files_of_live_items_are_products(shared):
    (feature,) = shared.get("/stac/search?collections=far&limit=1").json()["features"]
    answer = shared.get(feature["assets"]["B04"]["href"])
    assert answer.status_code == 200
    assert answer.content[:2] == b"II"


def test_item_not_yet_searched_is_found_by_its_id(client, site):
    oldest = NEWEST[-1].id
    assert client.get(f"/stac/collections/far/items/{oldest}").json()["id"] == oldest
    count = len(site.api.requests)
    assert client.get(f"/products/far/{oldest}").status_code == 200
    assert len(site.api.requests) == count
    missing = client.get("/stac/collections/far/items/nothing")
    assert missing.status_code == 404


def test_live_items_are_available_after_a_restart_without_the_api(site):
    oldest = NEWEST[-1]
    with site.client() as client:
        wait_until_known(client)
        client.get(f"/stac/collections/far/items/{oldest.id}")
        before = client.get(PICTURE.format("far", oldest.datetime[:10]))
    site.api.failures = [503] * 1000
    with site.client() as client:
        wait_until_known(client)
        assert client.get(f"/stac/collections/far/items/{oldest.id}").status_code == 200
        assert client.get(PICTURE.format("far", oldest.datetime[:10])).content == before.content
        answer = client.get("/stac/search?collections=far")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        both = client.get("/stac/search?limit=1000")
        assert {each["collection"] for each in both.json()["features"]} == {"near"}
        assert [each["collection"] for each in both.json()["unanswered"]] == ["far"]
        assert "far" in both.headers["Warning"]
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert "its API does not answer" in ready.text
        site.api.failures = []
        assert client.get("/stac/search?collections=far").status_code == 200


def test_a_search_that_hangs_delays_no_other(client, site):
    site.api.held = threading.Event()
    with ThreadPoolExecutor(REQUESTS) as clients:
        far = [clients.submit(client.get, f"/stac/search?collections=far&limit={1 + n}") for n in range(REQUESTS)]
        assert site.api.has_come.wait(PATIENCE_S)
        near = [client.get(f"/stac/search?collections=near&limit={1 + n}") for n in range(REQUESTS)]
        assert {each.status_code for each in near} == {200}
        site.api.held.set()
        site.api.held = None
        assert {each.result().status_code for each in far} <= {200, 503}
    until(lambda: client.get("/stac/search?collections=far&limit=3").status_code == 200)


def test_extent_of_the_collection_is_that_of_its_api(shared):
    extent = shared.get("/stac/collections/far").json()["extent"]
    assert extent["spatial"]["bbox"] == [[1, 40, 9, 60]]
    assert extent["temporal"]["interval"] == [["2015-07-01T00:00:00Z", None]]
    found = shared.get("/stac/collections?datetime=2016-01-01T00:00:00Z&bbox=2,41,3,42").json()["collections"]
    assert [each["id"] for each in found] == ["far"]


def test_counts_exclude_it_and_report_that(shared):
    total = shared.get("/stac/aggregate?aggregations=total_count,datetime_max")
    assert total.json()["aggregations"][0]["value"] == len(NEWEST)
    assert [each["collection"] for each in total.json()["unanswered"]] == ["far"]
    assert "far" in total.headers["Warning"]
    only = shared.get("/stac/collections/far/aggregate?aggregations=total_count")
    assert (only.status_code, only.json()["parameter"]) == (400, "collections")


def test_odata_and_records_search_it_too(shared):
    products = shared.get("/odata/v1/Products?$filter=Collection/Name eq 'far'&$top=5&$count=true").json()
    assert (products["@odata.count"], len(products["value"])) == (len(NEWEST), 5)
    assert shared.get(f"/odata/v1/Products({products['value'][0]['Id']})").status_code == 200
    records = shared.get("/ogcapi/collections/_items/items?collection=far&limit=5").json()
    assert records["numberMatched"] == len(NEWEST)
    assert {each["properties"]["collection"] for each in records["features"]} == {"far"}


def test_changes_contain_live_items(client):
    cursor = client.get("/stac/changes").json()["since"]
    client.get(f"/stac/collections/far/items/{NEWEST[-1].id}")
    changes = client.get(f"/stac/changes?since={cursor}&collections=far").json()["changes"]
    assert [(each["change"], each["id"]) for each in changes] == [("added", NEWEST[-1].id)]


@pytest.mark.parametrize("method", ["sortby=-gsd&", ""])
def test_a_made_up_cursor_is_refused(shared, method):
    answer = shared.get(f"/stac/search?{method}collections=far&cursor=AAAA")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_items_cannot_be_written_to_it(shared):
    headers = {"Authorization": "Bearer a secret of the tests of it"}
    item = {**documents.item(NEWEST[0], lambda path: f"/{path}"), "id": "mine"}
    for path in ("/layers/far/items", "/stac/collections/far/items"):
        answer = shared.post(path, json=item, headers=headers)
        assert (answer.status_code, "is live" in answer.text) == (400, True)


def test_background_requests_only_its_newest_items(client, site):
    bodies = [query for path, query in site.api.requests if path == "/search"]
    assert [(each["limit"], "token" in each) for each in bodies] == [(10, False)]


def test_index_of_all_collections_marks_live_ones(shared_site, caplog):
    with caplog.at_level("INFO"):
        done = shared_site.run("index", shared_site.configuration)
    assert done.exit_code == 0
    assert "far is live: searches are passed to its API" in caplog.text + done.output


def test_index_command_reports_a_live_collection(shared_site):
    done = shared_site.run("index", shared_site.configuration, "--collection", "far")
    assert done.exit_code != 0
    assert "far is live: searches are passed to its API" in done.output


def test_check_reports_a_live_collection(shared, shared_site):
    done = shared_site.run("check", shared_site.configuration)
    assert "is live: searches are passed to its API;" in done.output


def test_items_of_another_api_replace_the_earlier_ones(site):
    with site.client() as client:
        wait_until_known(client)
        client.get(f"/stac/collections/far/items/{NEWEST[-1].id}")
    site.write(far=f"{{kind: stac, href: '{site.api.href}', mode: live, filter: \"platform = 'made-2a'\"}}")
    with site.client() as client:
        until(lambda: client.get(f"/products/far/{NEWEST[-1].id}?f=json").status_code in {200, 404})
        until(lambda: any("filter" in query for _path, query in site.api.requests))
        wait_until_known(client)
        assert len(items_of(walk(client, "/stac/search?collections=far&limit=50"))) == len(NEWEST)


@pytest.mark.parametrize("door", ["point", "points", "area", "areas", "position"])
def test_series_of_a_live_collection_are_marked_incomplete(shared, door):
    lon, lat = 6.0, 50.5
    area = {"type": "Polygon", "coordinates": [[[lon, lat], [6.001, lat], [6.001, 50.501], [lon, 50.501], [lon, lat]]]}

    def ask(layer):
        places = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": area, "properties": {}}]}
        return {
            "point": lambda: shared.get(f"/timeseries/{layer}/point?lon={lon}&lat={lat}"),
            "points": lambda: shared.post("/timeseries/points", json={"layers": [layer], "points": [[lon, lat]]}),
            "area": lambda: shared.post(f"/timeseries/{layer}/area", json=area),
            "areas": lambda: shared.post(f"/timeseries/{layer}/areas", json=places),
            "position": lambda: shared.get(f"/ogcapi/collections/{layer}/position?coords=POINT({lon} {lat})"),
        }[door]()

    near, far = ask("near.RED"), ask("far.RED")

    assert (near.status_code, far.status_code) == (200, 200), (near.text, far.text)
    assert "incomplete" not in near.headers.get("warning", "")
    assert '199 - "incomplete: far' in far.headers["warning"]
    assert far.headers["cache-control"] == "public, max-age=60"
