"""Several workers behind one address: balance, reloads, deaths, the end; the rest in `test_supervisor_simulated.py`."""

import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection, socket
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import SUPERVISOR_BYTES, Settings
from tests.app.workers.load import under_load
from tests.running import PATIENCE_S, PROGRAM, answer_of, is_shown, ports_served_by, serving, until, workers_of
from tests.scenes import Scene, write_cogs

SCENE = Scene()
KILLS = int(os.environ.get("CHRONOTILE_KILLS", "2"))
"""Number of workers that are killed under load; docs/design/workers.md reports 10."""
RELOADS = 4

Served = tuple[subprocess.Popen[str], str]
"""The process of a server, and its address."""
ASKING = b"POST /timeseries/points HTTP/1.1\r\nHost: chronotile\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
"""Request without its body."""

pytestmark = [pytest.mark.client(str(PROGRAM)), pytest.mark.slow]


@pytest.fixture(scope="module")
def configuration(tmp_path_factory) -> Path:
    """A configuration of dated rasters, which have not changed for long; of LAI nobody reads any but one test."""
    folder = tmp_path_factory.mktemp("served")
    write_cogs(folder, SCENE)
    for path in list(folder.glob("*.tif")):
        os.utime(path, (0, 0))
        shutil.copy2(path, path.with_name(path.name.replace("NDVI", "LAI")))
    file = folder / "chronotile.yaml"
    file.write_text(
        'collections: {made: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {layer: NDVI}}}, '
        'other: {source: {kind: cog, href: "LAI_*.tif"}, variables: {LAI: {layer: LAI}}}}'
    )
    return file


@pytest.fixture(scope="module")
def server(configuration, tmp_path_factory) -> Iterator[Served]:
    """Two workers that check for changes only on request, cache no pictures, and have a long path for files."""
    folder = tmp_path_factory.mktemp("long") / ("long" * 30)
    folder.mkdir()
    settings = {"CHRONOTILE_WATCH_S": "0", "CHRONOTILE_PAYLOAD_BYTES": "0", "TMPDIR": str(folder)}
    with serving("serve", configuration, "--workers", 2, **settings) as (process, address, _lines):
        yield process, address


@pytest.fixture
def served(server) -> Served:
    """Return the server, whose workers hold no connection any more."""
    process, _address = server
    until(lambda: not any(ports_served_by(worker) for worker in workers_of(process)))
    return server


@pytest.fixture(scope="module")
def expected(configuration) -> dict[str, bytes]:
    """Tiles and series as one process answers them."""
    tile = "/tiles/NDVI/WebMercatorQuad/14/8328/5484"
    paths = [f"{tile}.{ending}?datetime={day}" for day in SCENE.days for ending in ("png", "tif")]
    paths.append("/timeseries/NDVI/point?lon=3.001&lat=51.001")
    with TestClient(create_app(Settings(config=configuration))) as client:
        return {path: client.get(path).raise_for_status().content for path in paths}


def test_connections_whose_requests_are_under_way_are_shared_out_evenly(served):
    process, address = served
    with ExitStack() as opened:
        clients = [opened.enter_context(connection_to(address)) for _ in range(8)]
        for client in clients:
            begin_to_ask(client)

        assert [len(ports_served_by(worker)) for worker in workers_of(process)] == [4, 4]
        for client in clients:
            client.sendall(b"{}")
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 400"] * 8


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_DEFER_ACCEPT")
def test_connections_are_given_to_a_worker_with_their_first_request(served):
    process, address = served
    with connection_to(address) as silent, connection_to(address) as later:
        begin_to_ask(later)
        assert sorted(len(ports_served_by(worker)) for worker in workers_of(process)) == [0, 1]

        begin_to_ask(silent)
        assert sorted(len(ports_served_by(worker)) for worker in workers_of(process)) == [1, 1]


def test_reloads_under_load_drop_and_spoil_no_request(served, configuration, expected):
    process, address = served
    text = configuration.read_text()
    with under_load(address, expected) as load:
        for number in range(RELOADS):
            configuration.write_text(f"service: {{title: Number {number}.}}\n{text}")
            process.send_signal(signal.SIGHUP)
            load.wait_for_answers(5)
        until(lambda: is_shown(f"{address}/?f=json", b"Number %d." % (RELOADS - 1)))

    assert (load.wrong, load.broken) == ([], [])


def test_workers_killed_under_load_lose_their_own_connections_alone(configuration, expected):
    moments = random.Random(1)
    killed = set[int]()
    with (
        serving("serve", configuration, "--workers", 2) as (process, address, _lines),
        under_load(address, expected) as load,
    ):
        for _ in range(KILLS):
            load.wait_for_answers(moments.randint(1, 20))
            victim = max(workers_of(process), key=lambda pid: len(ports_served_by(pid)))
            os.kill(victim, signal.SIGSTOP)
            killed |= ports_served_by(victim)
            os.kill(victim, signal.SIGKILL)
        load.wait_for_answers(20)

    assert load.wrong == []
    assert set(load.broken) <= killed


def test_a_new_configuration_with_mistakes_leaves_all_workers_ready(served, configuration):
    process, address = served
    workers, text = workers_of(process), configuration.read_text()
    configuration.write_text("services: {}")
    process.send_signal(signal.SIGHUP)

    until(lambda: values_of("chronotile_failed_reloads_total", address) == {"0": 1.0, "1": 1.0})
    configuration.write_text(text)
    assert [answer_of(f"{address}/health/ready") for _ in range(4)] == [200] * 4
    assert workers_of(process) == workers


def test_any_worker_returns_the_metrics_of_all(served):
    _process, address = served
    told = {asked_before: metrics_of_both(address) for asked_before in range(8)}

    whole = {asked_before: samples for asked_before, samples in told.items() if samples}
    asked_in_all = {
        sum(
            each.value
            for each in samples
            if each.name.endswith("requests_total") and each.labels["route"] == "/metrics"
        )
        - asked_before
        for asked_before, samples in whole.items()
    }
    revisions = [{each.labels.get("revision") for each in samples} - {None} for samples in whole.values()]
    assert len(whole) > 3
    assert len(asked_in_all) == 1
    assert {len(each) for each in revisions} == {1}


def test_workers_find_each_other_with_any_length_of_the_temporary_path(served):
    process, address = served

    assert len(workers_of(process)) == 2
    until(lambda: is_shown(f"{address}/metrics", b'worker="1"'))


def test_block_decoded_by_one_worker_is_used_by_the_others(served):
    """Each date is tested, because a stalled machine may prevent a worker from sharing one decoded block."""
    _process, address = served
    tile = "/tiles/LAI/WebMercatorQuad/14/8328/5484.tif?datetime="

    counted = [blocks_counted(address)]
    for day in SCENE.days:
        assert [answer_of(f"{address}{tile}{day}") for _ in range(6)] == [200] * 6
        counted.append(blocks_counted(address))

    seen = [
        [[now - then for now, then in zip(*each, strict=True)] for each in zip(after, before, strict=True)]
        for before, after in itertools.pairwise(counted)
    ]
    assert any(min(misses) == 0 < sum(misses) < sum(hits) for misses, hits in seen)


def blocks_counted(address: str) -> tuple[list[float], list[float]]:
    """How often blocks were not there, and were, by worker."""
    told = until(lambda: metrics_of_both(address))
    misses, hits = (
        [
            each.value
            for each in told
            if each.name == f"chronotile_cache_{name}_total" and each.labels["cache"] == "blocks"
        ]
        for name in ("misses", "hits")
    )
    return misses, hits


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_supervisor_takes_no_more_than_is_counted_for_it(served):
    process, _address = served
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())

    assert int(status["RssAnon"].split()[0]) << 10 <= SUPERVISOR_BYTES


def test_workers_that_cannot_start_end_the_server_with_1(configuration):
    ended = subprocess.run(
        [PROGRAM, "serve", configuration, "--workers", "2", "--port", "0"],
        env=os.environ | {"CHRONOTILE_COG_PREFIXES": "nowhere"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (1, f"opening {configuration}\n")
    assert ended.stderr.splitlines()[-1] == "chronotile: no worker could start; see the log"


@pytest.fixture
def exhausted(served):
    """The address of the server, whose workers can open no more files for now."""
    process, address = served
    before = {worker: resource.prlimit(worker, resource.RLIMIT_NOFILE) for worker in workers_of(process)}
    for worker, (_soft, hard) in before.items():
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, hard))
    yield address
    for worker, limits in before.items():
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)


def test_connection_to_workers_without_room_is_refused_immediately(exhausted):
    connection = HTTPConnection(urlsplit(exhausted).netloc, timeout=PATIENCE_S)

    with closing(connection):
        connection.request("GET", "/health/live")
        with pytest.raises(ConnectionError):
            connection.getresponse()


def test_workers_end_when_their_supervisor_is_killed(configuration):
    with serving("serve", configuration, "--workers", 2) as (process, _address, _lines):
        workers = workers_of(process)
        process.kill()
        process.wait()

        until(lambda: not any(_is_running(worker) for worker in workers))


def metrics_of(address: str) -> list[Sample]:
    """Return the metrics from any worker."""
    with urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return [sample for family in families for sample in family.samples]


def metrics_of_both(address: str) -> list[Sample]:
    """Return the metrics of both workers; an empty list if one was omitted after two seconds."""
    samples = metrics_of(address)
    return samples if {each.labels["worker"] for each in samples} == {"0", "1"} else []


def connection_to(address: str) -> socket:
    """Return a connection without any request yet."""
    parts = urlsplit(address)
    return create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)


def begin_to_ask(client: socket) -> None:
    """Return when a worker has answered 100 Continue and waits for the body."""
    client.sendall(ASKING)
    assert client.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"


def values_of(name: str, address: str) -> dict[str, float]:
    """Return the values of a metric by worker."""
    return {each.labels["worker"]: each.value for each in metrics_of(address) if each.name == name}


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
