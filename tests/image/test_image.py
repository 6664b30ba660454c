"""The image runs under the limits of docker-compose.yml: as a user without rights, under a read-only root."""

import csv
import json
import math
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import rasterio
from rasterio.warp import transform as transform_coordinates

from benchmarks.load.cgroup import Group, group_of, lack_of_groups
from tests.image.containers import PATIENCE_S, STATE, Container, ended, lack_of_read_only
from tests.scenes import Scene, write_cogs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MEMORY_BYTES = 1 << 30
DEMO = f"{STATE}/demo"
JOBS = {"CHRONOTILE_JOBS_DIR": f"{STATE}/jobs"}
HALF_A_YEAR = "2023-04/2023-09"


@dataclass(frozen=True, kw_only=True)
class Server:
    """`chronotile serve` in the image."""

    address: str
    group: Group | None
    log: Path

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=PATIENCE_S) as answer:
            return answer.read()

    def post(self, path: str, body: object, **headers: str) -> "urllib.request.addinfourl":
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {
            "Content-Type": "application/json"
        }
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), headers)
        return urllib.request.urlopen(request, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def container(image, tmp_path_factory):
    """Return the image over a folder of own data, with the configuration of this repository."""
    folder = tmp_path_factory.mktemp("container")
    own = folder / "own"
    closed = folder / "closed"
    for each in (own, closed):
        each.mkdir()
    write_cogs(own, Scene())
    for each in (folder, own):  # which pytest and the writer close to other users
        each.chmod(0o755)
    closed.chmod(0o700)
    shared = {"srv/chronotile/own": own, "srv/chronotile/closed": closed, "srv/chronotile/config": ROOT / "config"}
    return Container(image=image, folder=folder / "c", shared=shared, is_read_only=lack_of_read_only() is None)


@pytest.fixture(scope="module")
def demo(container):
    """Run `chronotile demo` until its server is healthy; return its folder."""
    environment = {"CHRONOTILE_PORT": str(_free_port())}
    started = container.start("chronotile", "demo", "--dir", DEMO, **environment)
    with ended(started) as process:
        _wait(lambda: container.is_healthy(**environment), process)
    assert process.returncode == 0
    return container.state / "demo"


@pytest.fixture(scope="module")
def server(container, demo):
    """The command of the image, over its `config/chronotile.yaml`, with as much memory as a small container."""
    container.share("srv/chronotile/data/demo", demo)
    port = _free_port()
    environment = {"CHRONOTILE_PORT": str(port), **JOBS}
    with ExitStack() as stack:
        group = None if lack_of_groups() else stack.enter_context(group_of(MEMORY_BYTES))
        process = stack.enter_context(ended(container.start(group=group, **environment)))
        _wait(lambda: container.is_healthy(**environment), process)
        yield Server(
            address=f"http://127.0.0.1:{port}", group=group, log=container.log_of(container.image.config["Cmd"])
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _tile(server: Server, zoom: int) -> str:
    """Return column and row of the tile with the middle of the layer, in WebMercatorQuad."""
    west, south, east, north = json.loads(server.get("/layers/NDVI"))["bbox"]
    y = math.asinh(math.tan(math.radians((south + north) / 2)))
    column, row = ((west + east) / 2 + 180) / 360, (1 - y / math.pi) / 2
    return f"{int(column * 2**zoom)}/{int(row * 2**zoom)}"


def _wait(is_there, *processes) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_there():
        assert all(each.poll() is None for each in processes), "the process has ended"
        assert time.monotonic() < end
        time.sleep(0.5)


def test_image_is_for_a_user_without_rights(image):
    assert image.config["User"] == "10001:10001"
    assert image.config["Volumes"] == {STATE: {}}


def test_health_check_allows_for_a_first_start(image):
    assert image.config["Healthcheck"]["StartPeriod"] >= 300 * 10**9


def test_root_cannot_be_written(container):
    if lack := lack_of_read_only():
        pytest.skip(lack)
    status, printed = container.run("python", "-c", "open('/opt/chronotile/new', 'w')", user="0:0")

    assert status == 1
    assert "Read-only file system" in printed


def test_own_data_are_checked(container):
    status, printed = container.run("chronotile", "check", "own")

    assert status == 0, printed


def test_data_that_are_absent_are_an_error(container):
    assert container.run("chronotile", "check", "nothing")[0] == 1


def test_data_that_the_user_of_the_image_may_not_read_are_an_error_in_words(container):
    status, printed = container.run("chronotile", "check", "closed")

    assert (status, "Permission denied" in printed, "Traceback" in printed) == (1, True, False)


def test_serving_cube_is_written_to_the_place_that_can_be_written(container):
    assert container.run("chronotile", "optimise", "new", "own", f"{STATE}/own.zarr")[0] == 0

    status, printed = container.run("chronotile", "layers", f"{STATE}/own.zarr")

    assert (status, "NDVI" in printed) == (0, True)


def test_demo_is_served_from_the_configuration_of_this_repository(server):
    layers = json.loads(server.get("/layers"))["layers"]

    assert {each["id"] for each in layers} >= {"NDVI", "LAI", "TRUE_COLOUR"}


def test_viewer_is_in_the_image(server):
    assert b"<title>" in server.get("/viewer/")


def test_server_stays_within_the_memory_of_its_container(server):
    if server.group is None:
        pytest.skip(lack_of_groups())
    server.get(f"/cubes/NDVI/WebMercatorQuad/9/{_tile(server, 9)}.ctc?datetime=2022")

    assert ", memory: 1024 MiB" in server.log.read_text()
    assert (server.group.kills, server.group.peak_bytes <= MEMORY_BYTES) == (0, True)


def test_cube_tiles_are_cached_in_the_place_that_can_be_written(server, container):
    server.get(f"/cubes/NDVI/WebMercatorQuad/9/{_tile(server, 9)}.ctc?datetime=2023")

    cached = container.state / "cache" / "chronotile" / "cubes"
    _wait(lambda: any(each.is_file() for each in cached.rglob("*")))
    assert "cannot be stored" not in server.log.read_text()


def test_job_is_done_by_a_worker_and_its_result_fetched(server, container, tmp_path):
    """The greatest value of half a year, held against the series of a point."""
    inputs = {"layer": "NDVI", "datetime": HALF_A_YEAR, "reducer": "max"}
    worker = container.start("chronotile", "worker", "--processes", "1", TMPDIR=STATE, **JOBS)
    with ended(worker):
        with server.post("/ogcapi/processes/composite/execution", {"inputs": inputs}, Prefer="respond-async") as answer:
            job = answer.headers["Location"].removeprefix(server.address)
        _wait(lambda: json.loads(server.get(f"{job}?f=json"))["status"] not in {"accepted", "running"}, worker)
        assert json.loads(server.get(f"{job}?f=json"))["status"] == "successful"
        (tmp_path / "composite.tif").write_bytes(server.get(f"{job}/results/composite"))

    west, south, east, north = json.loads(server.get("/layers/NDVI"))["bbox"]
    with rasterio.open(tmp_path / "composite.tif") as file:
        (xs, ys) = transform_coordinates("OGC:CRS84", file.crs, [(west + east) / 2], [(south + north) / 2])
        ((number,),) = file.sample(zip(xs, ys, strict=True))
        greatest = number * file.scales[0] + file.offsets[0]
    query = f"lon={(west + east) / 2}&lat={(south + north) / 2}&datetime={HALF_A_YEAR}&format=csv"
    rows = csv.DictReader(server.get(f"/timeseries/NDVI/point?{query}").decode().splitlines())
    assert greatest == pytest.approx(max(float(row["value"]) for row in rows if row["value"]))
