"""Previous answers are sent again from memory while their files are unchanged."""

import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.http.replay import MAX_FILE_CHECKS
from chronotile.pipeline.services import FixedServices
from tests.looked_at import looked_at, settle
from tests.scenes import Scene, make_dataset, save_zarr, write_cogs, write_tif

SCENE = Scene(width=70, height=50)
TILE = "/tiles/NDVI/WebMercatorQuad/14/8328/5484.png"
DATED = f"{TILE}?datetime=2020-01-21"
WMTS = "/wmts/1.0.0/NDVI/default/2020-01-21/WebMercatorQuad/14/5484/8328.png"


@pytest.fixture
def client(tmp_path):
    """Client of an archive with a file per date; only requests keep it current."""
    write_cogs(tmp_path, SCENE)
    with open_client(tmp_path, "kind: cog, href: '*.tif', time_pattern: '_(?P<time>[0-9]{8})'") as one:
        yield one


def open_client(folder, source: str) -> TestClient:
    """Return a client of a source in a folder, without watching the archive."""
    file = folder / "chronotile.yaml"
    file.write_text(f"collections: {{made: {{source: {{{source}}}, variables: {{NDVI: {{layer: NDVI}}}}}}}}")
    return TestClient(create_app(Settings(config=file, watch_s=0)))


def told(answer):
    """Return status, body and headers, without the duration."""
    headers = {name: value for name, value in answer.headers.items() if name != "server-timing"}
    return answer.status_code, answer.content, headers


def replaced(tmp_path, day: str) -> None:
    """Replace the file of a day atomically."""
    name = f"NDVI_{day.replace('-', '')}.tif"
    index = SCENE.days.index(day)
    write_tif(tmp_path / "new", replace(SCENE, shift=100).numbers(index), SCENE, overviews=(2,))
    (tmp_path / "new").replace(tmp_path / name)


@pytest.mark.parametrize("path", [TILE, DATED, WMTS, f"{TILE}?datetime=2020-01-21&expression=NDVI*2"])
def test_repeated_answer_is_the_same(client, path):
    first, *others = (told(client.get(path)) for _ in range(3))

    assert first[0] == 200
    assert others == [first] * 2


@pytest.mark.parametrize("path", [DATED, WMTS])
def test_cached_answer_reports_that_nothing_was_drawn(client, path):
    drawn, kept = (client.get(path).headers["server-timing"] for _ in range(2))

    assert "encode" in drawn
    assert [step.partition(";")[0] for step in kept.split(", ")] == ["resolve"]


def test_answer_of_the_client_is_confirmed_again(client):
    held = {"If-None-Match": client.get(DATED).headers["etag"]}

    answers = [client.get(DATED, headers=held) for _ in range(3)]

    assert [(each.status_code, each.content) for each in answers] == [(304, b"")] * 3
    assert client.get(DATED, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", [TILE, DATED, WMTS])
def test_replaced_file_is_drawn_immediately(client, tmp_path, path):
    before = [client.get(path) for _ in range(2)][-1]

    for day in SCENE.days:
        replaced(tmp_path, day)
    after = client.get(path)

    assert after.status_code == 200
    assert after.content != before.content
    assert after.headers["etag"] != before.headers["etag"]


def test_removed_file_is_reported_although_its_picture_is_cached(client, tmp_path):
    assert [client.get(DATED).status_code for _ in range(2)] == [200] * 2

    (tmp_path / "NDVI_20200121.tif").unlink()

    assert client.get(DATED).status_code == 503


def test_url_with_the_current_revision_is_immutable_each_time(client):
    revision = client.get("/layers/NDVI").json()["revision"]

    def caching(revision: str) -> list[bool]:
        answers = [client.get(f"{DATED}&rev={revision}") for _ in range(3)]
        return ["immutable" in each.headers["cache-control"] for each in answers]

    assert (caching(revision), caching("another")) == ([True] * 3, [False] * 3)


def test_url_is_immutable_while_its_date_is_part_of_its_revision(client, tmp_path):
    path = f"{DATED}&rev={client.get('/layers/NDVI').json()['revision']}"
    first = client.get(path)

    replaced(tmp_path, "2020-02-01")
    other_date = client.get(path)
    replaced(tmp_path, "2020-01-21")
    own_date = client.get(path)

    assert ["immutable" in each.headers["cache-control"] for each in (first, other_date, own_date)] == [
        True,
        True,
        False,
    ]
    assert first.content == other_date.content != own_date.content


def test_newest_picture_changes_with_the_clock(make_client, make_services):
    now = [np.datetime64("2020-06-05", "ns")]
    client = make_client(replace(make_services(), clock=lambda: now[0]))
    path = "/tiles/NDVI/WebMercatorQuad/11/1052/687.png"
    early = [client.get(path).headers["chronotile-time"] for _ in range(2)]

    now[0] = np.datetime64("2030-01-01", "ns")

    assert client.get(path).headers["chronotile-time"] > early[-1]


def test_cached_answers_are_logged_and_counted_like_others(client):
    count = 'chronotile_requests_total{route="/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}",status="200"} 3.0'

    for _ in range(3):
        client.get(DATED)

    assert count in client.get("/metrics").text


@dataclass(frozen=True)
class NotedServices(FixedServices):
    """Services that record the thread in use when a request follows their stores."""

    looked: list[int] = field(default_factory=list)

    def follow(self, _collection):
        self.looked.append(threading.get_ident())


@pytest.mark.parametrize(("is_at_hand", "looks"), [(True, 1), (False, 3)], ids=["disk here", "elsewhere"])
def test_files_that_may_hang_are_checked_in_a_thread_each_time(client, is_at_hand, looks):
    state = client.app.state.chronotile
    services = replace(state.services, is_local=frozenset({"made"} if is_at_hand else ()))
    state.live = NotedServices(services)

    answers = [told(client.get(DATED)) for _ in range(3)]

    assert answers == [answers[0]] * 3
    assert len(state.live.looked) == looks


@pytest.mark.parametrize(("folders", "is_remembered"), [(MAX_FILE_CHECKS - 1, True), (MAX_FILE_CHECKS, False)])
def test_state_with_many_checks_is_not_determined_in_the_event_loop(tmp_path, folders, is_remembered):
    """Each row of cells has a separate folder; the array's metadata file is checked too."""
    scene = replace(SCENE, height=folders)
    save_zarr(make_dataset(scene), tmp_path / "made.zarr", NDVI={"chunks": (1, 1, SCENE.width)})
    settle(tmp_path)
    with open_client(tmp_path, "kind: zarr, href: made.zarr") as client:
        loop = client.portal.call(threading.get_ident)
        drawn = told(client.get(DATED))
        with looked_at(tmp_path / "made.zarr/NDVI", thread=loop) as of_loop:
            again = told(client.get(DATED))

    assert again == drawn
    assert sum(of_loop.values()) == (folders + 1 if is_remembered else 0)


def test_concurrent_clients_all_see_a_replaced_file(client, tmp_path):
    before = [client.get(DATED) for _ in range(2)][-1].headers["etag"]
    replaced(tmp_path, "2020-01-21")
    found = list[str]()
    threads = [threading.Thread(target=lambda: found.append(client.get(DATED).headers["etag"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert before not in found
