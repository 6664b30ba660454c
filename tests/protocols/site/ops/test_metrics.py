"""Metrics of the process for Prometheus."""

import socket
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.errors import ServerBusy
from chronotile.core.finding import Finding
from chronotile.http.server_state import Limiters
from chronotile.pipeline.caches.answer_memory import SMALL_BYTES, AnswerMemory
from chronotile.pipeline.failing_dates import report_failing_date
from chronotile.protocols.site.ops.siblings import Siblings, folder_for_sockets, merge_metrics
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches
from tests.protocols import served
from tests.running import PATIENCE_S

TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343.png"


def metrics(client):
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(response.text)
    return {(each.name, *sorted(each.labels.values())): each.value for family in families for each in family.samples}


def test_requests_are_counted_by_route_and_status(client):
    client.get(TILE)
    client.get(TILE + "?style=blues")
    client.get("/nothing/like/it")

    found = metrics(client)

    route = "/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}"
    assert found["chronotile_requests_total", *sorted(("200", route))] == 1
    assert found["chronotile_requests_total", *sorted(("400", route))] == 1
    assert found["chronotile_requests_total", *sorted(("404", "-"))] == 1
    assert found["chronotile_response_bytes_total", route] > 1000


@pytest.mark.parametrize("exceptions", ["XML", "INIMAGE"])
def test_exceptions_of_wms_are_counted_as_errors_though_sent_with_200(client, exceptions):
    answer = client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:3857&BBOX=0,0,1,1&WIDTH=8&HEIGHT=8"
        f"&FORMAT=image/png&TIME=soon&EXCEPTIONS={exceptions}"
    )

    found = metrics(client)

    assert answer.status_code == 200
    assert found["chronotile_requests_total", *sorted(("400", "/wms"))] == 1
    assert ("chronotile_requests_total", *sorted(("200", "/wms"))) not in found


def test_caches_report_their_contents(client):
    client.get(TILE)
    client.get(TILE)

    found = metrics(client)

    assert found["chronotile_cache_hits_total", "payloads"] == 1
    assert 0 < found["chronotile_cache_bytes", "payloads"] < found["chronotile_cache_max_bytes", "payloads"]
    assert found["chronotile_cache_entries", "plans"] == 1


def test_all_limiters_report_running_and_waiting_requests(client):
    works = [each.replace("_", " ") for each in Limiters._fields]

    found = metrics(client)

    assert [found.get(("chronotile_waiting", work)) for work in works] == [0] * len(works)
    assert all(found["chronotile_threads", work] > 0 for work in works)


def test_large_answers_that_are_refused_for_memory_are_counted():
    memory = AnswerMemory(2 * SMALL_BYTES, patience_s=0)
    with TestClient(application(replace(served.make_services(), memory=memory))) as client:
        with memory.taking(2 * SMALL_BYTES, alternative=""), pytest.raises(ServerBusy):
            memory.taking(2 * SMALL_BYTES, alternative="").__enter__()
        found = metrics(client)

    assert found["chronotile_refused_total", "large answers"] == 1
    assert found["chronotile_waiting", "large answers"] == 0


@pytest.mark.parametrize("path", ["/metrics", "/health/ready"])
def test_operators_get_answers_while_hanging_stores_block_all_documents(client, path):
    limiter, hung = client.app.state.chronotile.limiters.documents, threading.Event()
    documents = [client.portal.start_task_soon(limiter.run, hung.wait) for _ in range(limiter.threads)]

    answer = client.get(path)
    hung.set()

    assert answer.status_code == 200
    assert [document.result(PATIENCE_S) for document in documents] == [True] * limiter.threads


def test_reloads_and_layers_are_counted(client):
    found = metrics(client)

    assert found["chronotile_failed_reloads_total",] == 0
    assert found["chronotile_layers",] == 8


def test_findings_unreadable_dates_and_newest_times_are_reported(make_client, make_services):
    findings = (Finding("warning", "s2", "one"), Finding("warning", "s2", "two"), Finding("error", "s2", "three"))
    services = replace(make_services(), findings=findings)
    report_failing_date("s2", "NDVI", 0, error=OSError("it ended early"), services=services)

    found = metrics(make_client(services))

    assert [found["chronotile_findings", severity] for severity in ("error", "warning", "note")] == [1, 2, 0]
    assert found["chronotile_unreadable_dates", "s2"] == 1
    newest = services.catalogue.layer("NDVI").times.instants[-1]
    assert found["chronotile_layer_newest_time_seconds", "NDVI"] == int(newest.astype("datetime64[s]").astype(int))


@pytest.fixture
def previews_client(make_services, tmp_path):
    """Client of an application with a store of previews that contains 5 bytes."""
    (tmp_path / "x.preview").write_bytes(b"12345")
    caches = ReaderCaches(previews=Previews(tmp_path, 1000))
    return TestClient(application(replace(make_services(), reader_caches=caches)))


def test_previews_are_counted(previews_client):
    with previews_client as client:
        found = metrics(client)

    assert (found["chronotile_preview_bytes",], found["chronotile_preview_max_bytes",]) == (5, 1000)
    assert (found["chronotile_previews",], found["chronotile_previews_waiting",]) == (1, 0)
    assert (found["chronotile_previews_built_total",], found["chronotile_previews_failed_total",]) == (0, 0)


def test_previews_are_built_while_the_application_runs(previews_client):
    others = set(threading.enumerate())  # includes other tests' applications
    with previews_client:
        (builder,) = (each for each in set(threading.enumerate()) - others if each.name == "previews")

    builder.join(PATIENCE_S)
    assert not builder.is_alive()


def test_application_without_previews_counts_none(client):
    assert ("chronotile_previews",) not in metrics(client)


def test_workers_are_distinguished():
    one = "# HELP chronotile_layers L\n# TYPE chronotile_layers gauge\nchronotile_layers{} %d\n"

    lines = merge_metrics({"0": one % 3, "1": one % 4}).decode().splitlines()

    assert [line for line in lines if line.startswith("chronotile_layers")] == [
        'chronotile_layers{worker="0"} 3.0',
        'chronotile_layers{worker="1"} 4.0',
    ]


def test_worker_that_ended_during_its_report_is_omitted():
    whole = "# HELP chronotile_layers L\n# TYPE chronotile_layers gauge\nchronotile_layers{} 3\n"

    lines = merge_metrics({"0": whole, "1": whole[:-4]}).decode().splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        'chronotile_worker_up{worker="0"} 1.0',
        'chronotile_worker_up{worker="1"} 0.0',
        'chronotile_layers{worker="0"} 3.0',
    ]


@pytest.fixture
def sockets():
    """Folder with a path short enough for sockets; paths of test folders can be too long."""
    with TemporaryDirectory(dir=folder_for_sockets(gettempdir())) as folder:
        yield Path(folder)


def test_worker_returns_its_metrics_and_names_the_silent_one(sockets):
    with TestClient(application(served.make_services(), ServerOptions(siblings=Siblings(sockets, 0)))) as client:
        (sockets / "0").unlink()  # this worker is unreachable at its socket
        with closing(socket.socket(socket.AF_UNIX)) as silent:
            silent.bind(str(sockets / "1"))  # and nothing listens at the other socket
            found = metrics(client)

    assert found["chronotile_layers", "0"] > 0
    assert (found["chronotile_worker_up", "0"], found["chronotile_worker_up", "1"]) == (1, 0)
