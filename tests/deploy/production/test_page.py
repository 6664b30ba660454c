"""The page "One Debian host", followed in a new Debian root: each block runs, and the server answers as on the page.

The tests follow the page in order: each test continues after the last block of the previous test.
"""

import json
import math
import re
import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.warp import transform

from chronotile import __version__
from tests.deploy.production.host import Host, connect_registries, debian_root
from tests.deploy.production.page import Operator
from tests.scenes import NODATA, Scene, write_cogs

pytestmark = pytest.mark.slow

SITE = "https://maps.example.org"
LAI = Scene(shift=3)
CONFIGURATION = "/etc/chronotile/chronotile.yaml"
TRIAL = (
    "setpriv --reuid=chronotile --regid=chronotile --clear-groups env CHRONOTILE_JOBS_DIR=/var/lib/chronotile/trial "
    "CHRONOTILE_DATABASE_URL=postgresql:///trial?host=/run/postgresql /opt/chronotile/bin/chronotile"
)
"""The program over the restored backup, without a parent that would end later."""
NEXT_VERSION = "99.0.0"


@pytest.fixture(scope="module")
def operator(cache, tmp_path_factory):
    """Return an operator with an empty host, a clone and two folders of rasters."""
    folder = tmp_path_factory.mktemp("production")
    root = debian_root(cache, folder / "root")
    connect_registries(root, folder)
    host = Host(root, cache)
    operator = Operator(host, folder)
    for name, scene in (("ndvi", Scene()), ("lai", LAI)):
        data = operator.machine / name
        data.mkdir()
        write_cogs(data, scene)
        data.chmod(0o755)
    for path in (operator.machine / "lai").iterdir():
        path.rename(path.with_name(path.name.replace("NDVI", "LAI")))
    host.start()
    yield operator
    host.stop()
    shutil.rmtree(folder)


def fetch(host, url, *, key=None):
    """Return status, media type and body of an answer to a client on the host."""
    header = f'--header "Authorization: Bearer {key}"' if key else ""
    printed = host.run(f'curl --silent --output answer --write-out "%{{http_code}} %{{content_type}}" {header} "{url}"')
    status, _, media_type = printed.partition(" ")
    return int(status), media_type, (host.root / "root/answer").read_bytes()


def fetch_json(host, url, *, key=None):
    status, _, body = fetch(host, url, key=key)
    assert status == 200, body
    return json.loads(body)


@pytest.fixture(scope="module")
def public(operator):
    """Return the host after step 6: a public server with TLS."""
    operator.follow(until="systemctl restart caddy")
    return operator.host


def tile_of(scene, zoom):
    """Return column and row of the tile with the centre of a scene (OGC 17-083r4, WebMercatorQuad)."""
    x, y = scene.transform @ (scene.width / 2, scene.height / 2)
    (longitude,), (latitude,) = transform(scene.crs, "OGC:CRS84", [x], [y])
    tiles = 2**zoom
    column = tiles * (longitude + 180) / 360
    row = tiles * (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
    return int(column), int(row)


def test_map_tile_is_answered_by_the_proxy_with_tls(public, tmp_path):
    column, row = tile_of(Scene(), 14)

    status, media_type, body = fetch(public, f"{SITE}/tiles/ndvi.NDVI/WebMercatorQuad/14/{column}/{row}.png")

    assert (status, media_type) == (200, "image/png")
    (tmp_path / "tile.png").write_bytes(body)
    with Image.open(tmp_path / "tile.png") as picture:
        assert np.any(np.asarray(picture.convert("RGBA"))[..., 3] == 255)


def test_documents_have_the_public_address(public):
    document = fetch_json(public, f"{SITE}/tiles/ndvi.NDVI/WebMercatorQuad/tilejson.json")

    assert [url.startswith(f"{SITE}/tiles/") for url in document["tiles"]] == [True]


def test_metrics_are_closed_to_the_public(public):
    assert fetch(public, f"{SITE}/metrics")[0] == 404
    assert fetch(public, "http://127.0.0.1:8000/metrics")[0] == 401


@pytest.fixture(scope="module")
def key(operator, public):
    """Return the key that step 7 creates, and the output of the step."""
    printed = operator.follow(until="jobs list")
    return re.search(r"The key is (\S+)", printed)[1], printed


def test_private_layer_needs_the_key(key):
    printed = key[1].splitlines()

    assert "without a key: 404" in printed
    assert "with the key: 200" in printed


def test_key_in_an_address_is_accepted_and_not_logged(public, key):
    status = fetch(public, f"{SITE}/k/{key[0]}/tiles/lai.LAI/WebMercatorQuad/tilejson.json")[0]

    logs = [log.read_text("utf-8") for log in (public.root / "var/log/units").iterdir()]
    assert status == 200
    assert [log for log in logs if key[0] in log] == []


def test_job_runs_to_its_result_by_the_worker(public, key):
    cube = LAI.cube()
    expected = np.where(cube == NODATA, 0, cube).max(axis=0)

    with rasterio.open(public.root / "root/highest-lai.tif") as opened:
        numbers = opened.read(1)

    assert "successful" in key[1]
    assert np.array_equal(numbers[expected > 0], expected[expected > 0])
    assert np.all(numbers[expected == 0] == NODATA)


@pytest.fixture(scope="module")
def monitored_host(operator, key):
    """Return the host after step 8, which waits for the first scrape."""
    operator.follow(until="promtool query")
    return operator.host


def test_prometheus_reads_metrics_with_its_key(monitored_host):
    prometheus_key = (monitored_host.root / "etc/prometheus/chronotile.key").read_text().strip()

    status, _, body = fetch(monitored_host, "http://127.0.0.1:8000/metrics", key=prometheus_key)

    assert status == 200
    assert set(re.findall(rb"^chronotile_layers.* (\S+)$", body, re.MULTILINE)) == {b"2.0"}
    assert fetch(monitored_host, "http://127.0.0.1:8000/metrics", key="ctk_wrong")[0] == 401


@pytest.fixture(scope="module")
def restored_host(operator, monitored_host):
    """Return the host with the backup of step 9 restored next to it."""
    operator.follow(until="trial jobs list")
    return operator.host


@pytest.mark.parametrize("command", ["keys list", "jobs list"])
def test_restored_backup_lists_the_same(restored_host, command):
    programs = ("chronotile-admin", TRIAL)

    lists = [restored_host.run(f"{program} {command} {CONFIGURATION} 2>/dev/null") for program in programs]

    assert lists[0] == lists[1]
    assert len(lists[0].splitlines()) > 1


SERVE_TRIAL = f"""
{TRIAL} serve {CONFIGURATION} --port 8001 --workers 1 >/var/log/units/trial 2>&1 &
curl --fail --silent --output ready --retry 60 --retry-delay 1 --retry-all-errors http://127.0.0.1:8001/health/ready
echo $!
"""


@pytest.fixture
def trial(restored_host):
    """Serve the restored backup, and return its address."""
    server = restored_host.run(SERVE_TRIAL).strip()
    yield "http://127.0.0.1:8001"
    restored_host.run(f"kill {server}; while test -e /proc/{server}; do sleep 0.1; done")


def test_restored_backup_gives_the_same_answers(restored_host, trial, key):
    jobs = [fetch_json(restored_host, f"{base}/ogcapi/jobs?f=json", key=key[0])["jobs"] for base in (SITE, trial)]
    (job,) = {document["jobID"] for document in (*jobs[0], *jobs[1])}
    results = [fetch(restored_host, f"{base}/ogcapi/jobs/{job}/results", key=key[0]) for base in (SITE, trial)]

    assert len(jobs[0]) == len(jobs[1]) == 1
    assert results[0] == results[1]
    assert results[1][2] == (restored_host.root / "root/highest-lai.tif").read_bytes()


def test_services_start_with_the_host(operator, restored_host):
    operator.follow(until="dropdb trial")

    restored_host.stop()
    restored_host.start()
    restored_host.run("systemctl default")
    ready = restored_host.run(f"curl --fail --silent --retry 60 --retry-delay 1 --retry-all-errors {SITE}/health/ready")

    active = restored_host.run("systemctl is-active caddy chronotile chronotile-worker prometheus")
    assert json.loads(ready)["status"] == "ready"
    assert active.split() == ["active"] * 4


@pytest.fixture(scope="module")
def upgraded_host(operator, key):
    """Return the host after step 10, with a wheel of a later version."""
    version_file = operator.machine / "server/chronotile/__init__.py"
    text = version_file.read_text("utf-8")
    assert text.count(f'"{__version__}"') == 1
    version_file.write_text(text.replace(f'"{__version__}"', f'"{NEXT_VERSION}"'), "utf-8")
    operator.follow_to_the_end()
    return operator.host


def test_upgrade_ends_with_the_new_version(upgraded_host, key):
    document = fetch_json(upgraded_host, f"{SITE}/openapi.json")

    assert document["info"]["version"] == NEXT_VERSION
    assert fetch(upgraded_host, f"{SITE}/tiles/lai.LAI/WebMercatorQuad/tilejson.json", key=key[0])[0] == 200
    assert "successful" in upgraded_host.run("chronotile-admin jobs list")


def test_release_of_the_same_version_replaces_the_installed_one(operator, upgraded_host):
    (operator.machine / "server/chronotile/later.py").touch()

    for text in ("mkdir old", "in the updated clone", "pip uninstall"):
        operator.repeat(text)

    upgraded_host.run("test -e /opt/chronotile/lib/python3*/site-packages/chronotile/later.py")
