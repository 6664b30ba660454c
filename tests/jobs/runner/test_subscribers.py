"""Workers notify subscribers of jobs, and one is killed while it does."""

import json
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import update

from chronotile.jobs.queue.database import open_engine, write_transaction
from chronotile.jobs.queue.schema import CALLBACKS
from tests.jobs.runner.deployment import HOST, deployed
from tests.listener import Answer, listener
from tests.running import until

pytestmark = pytest.mark.slow


@pytest.fixture
def web():
    """Return a subscriber that never answers the message of a finished job."""
    with listener() as server:
        server.answers = {"/going": Answer(200), "/done": server.hang}
        yield server


@pytest.fixture
def deployment(web, data, tmp_path):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    settings = {"CHRONOTILE_SUBSCRIBER_PREFIXES": web.url}
    with deployed(data, tmp_path / "jobs", workers=1, processes=1, **settings) as one:
        yield one


def test_message_of_a_killed_worker_is_sent_by_the_next(deployment, web, tmp_path):
    base = f"http://{HOST}:{deployment.port}/ogcapi"
    subscriber = {"successUri": f"{web.url}/done", "inProgressUri": f"{web.url}/going"}
    body = {"inputs": {"string": "a", "number": 3}, "subscriber": subscriber}
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}

    with urlopen(Request(f"{base}/processes/echo/execution", json.dumps(body).encode(), headers)) as answer:
        job = answer.headers["Location"]
    until(lambda: "/done" in web.paths())
    (worker,) = deployment.workers
    worker.kill()
    web.answers["/done"] = Answer(204)
    engine = open_engine(None, tmp_path / "jobs")
    with write_transaction(engine) as connection:  # as when its lease has passed
        connection.execute(update(CALLBACKS).values(due=0))
    worker.start()
    until(lambda: web.paths().count("/done") == 2)
    engine.dispose()

    assert set(web.paths()) <= {"/going", "/done"}
    assert [asked.document for asked in web.asked if asked.path == "/done"] == [{"string": "a", "number": 3}] * 2
    assert {asked.headers["link"] for asked in web.asked} == {f'<{job}>; rel="monitor"; type="application/json"'}
    assert {asked.document["jobID"] for asked in web.asked if asked.path == "/going"} <= {job.rpartition("/")[2]}
