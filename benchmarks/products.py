"""`python -m benchmarks.products [FOLDER]`: a large product, downloaded in pieces, compared with nginx.

One server of one worker has an item with a file of `--gigabytes`. Measured: whether a download that is interrupted ten
times and resumed has the file's SHA-256; the memory of the server's process before and at its peak; the rate of
whole downloads by curl, alternating with nginx (one worker, sendfile).
"""

import argparse
import getpass
import hashlib
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from benchmarks.elsewhere.clients import ask
from benchmarks.peers.server import free_port
from benchmarks.soak.archive import chronotile, quiet_environment
from chronotile.core.model.items import product_id

READY_S = 60.0
INTERRUPTIONS = 10
PART_BYTES = 1 << 20
GOAL = 0.5
"""Minimum fraction of nginx's rate."""
FLAT_MB = 32
"""Maximum growth of the memory of the process."""
NGINX = """
user {user}; worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/data; }}
}}
"""


def main() -> None:
    """Measure, and end with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder for products.json; default: not written")
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="whole downloads from each server")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="products-") as place, ExitStack() as stack:
        folder = Path(place)
        digest = write(folder, int(given.gigabytes * 1e9))
        environment = quiet_environment() | {"CHRONOTILE_JOBS_DIR": f"{place}/jobs", "XDG_CACHE_HOME": f"{place}/cache"}
        configuration = folder / "chronotile.yaml"
        subprocess.run([*chronotile(), "index", str(configuration)], env=environment, check=True)
        pid, port = stack.enter_context(serving(configuration, environment))
        nginx = stack.enter_context(nginx_serving(folder))
        path = f"/products/{product_id('scenes', 'scene')}/nodes/product"
        found = measure(pid, port, path, nginx, digest=digest, rounds=given.rounds)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / "products.json").write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(0 if all(found["goals"].values()) else 1)


def write(folder: Path, size: int) -> str:
    """Write a catalogue of one item, with a raster and a file of noise, and its configuration; return the SHA-256."""
    data = folder / "data"
    data.mkdir()
    digest, noise = hashlib.sha256(), np.random.default_rng(1)
    with (data / "product.bin").open("wb") as file:
        for start in range(0, size, PART_BYTES):
            part = noise.bytes(min(PART_BYTES, size - start))
            digest.update(part)
            file.write(part)
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(data / "red.tif", "w", **profile, transform=Affine(0.01, 0, 4, 0, -0.01, 51)) as raster:
        raster.write(np.ones((64, 64), dtype=np.uint8), 1)
    ring = [[4, 50.36], [4.64, 50.36], [4.64, 51], [4, 51], [4, 50.36]]
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "scene",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [4, 50.36, 4.64, 51],
        "properties": {"datetime": "2020-06-01T10:50:00Z"},
        "links": [],
        "assets": {
            "red": {"href": "./red.tif", "type": "image/tiff; application=geotiff"},
            "product": {"href": "./product.bin", "type": "application/octet-stream"},
        },
    }
    (data / "scene.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": "./scene.json"}]
    catalogue = {"type": "Catalog", "id": "scenes", "stac_version": "1.1.0", "description": "", "links": links}
    (data / "catalog.json").write_text(json.dumps(catalogue))
    (folder / "chronotile.yaml").write_text(
        "collections: {scenes: {source: {kind: stac, href: data/catalog.json}, variables: {RED: {asset: red}}}}\n"
    )
    return digest.hexdigest()


@contextmanager
def serving(configuration: Path, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Give the process and the port of a server of one worker."""
    port = free_port()
    command = [*chronotile(), "serve", str(configuration), "--port", str(port), "--workers", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, "/health/ready")
            yield server.pid, port
        finally:
            server.terminate()


def wait_for(port: int, path: str) -> None:
    """Wait until a path is answered."""
    deadline = time.monotonic() + READY_S
    while ask(port, path).status != http.HTTPStatus.OK and time.monotonic() < deadline:
        time.sleep(0.1)


@contextmanager
def nginx_serving(folder: Path) -> Iterator[int]:
    """Give the port of nginx, which sends the files of the archive."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        sys.exit("nginx is not installed")
    port, configuration = free_port(), folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, user=getpass.getuser()))
    with subprocess.Popen([program, "-p", folder, "-c", configuration], stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, "/catalog.json")
            yield port
        finally:
            server.terminate()


def measure(pid: int, port: int, path: str, nginx: int, *, digest: str, rounds: int) -> dict[str, Any]:
    """Return the measurements, and whether the goals are met."""
    ours = f"http://127.0.0.1:{port}{path}"
    rate(ours)
    processes = processes_of(pid)
    before = memory_mb(processes, "VmRSS")
    for each in processes:
        Path(f"/proc/{each}/clear_refs").write_text("5")  # the peak is reset
    sha256, bytes_sent = interrupted(port, path)
    rates: dict[str, list[float]] = {"chronotile": [], "nginx": []}
    for _round in range(rounds):
        rates["chronotile"].append(rate(ours))
        rates["nginx"].append(rate(f"http://127.0.0.1:{nginx}/product.bin"))
    highest = memory_mb(processes, "VmHWM")
    ratio = statistics.median(rates["chronotile"]) / statistics.median(rates["nginx"])
    goals = {
        "the checksum is equal": sha256 == digest,
        f"memory grows by at most {FLAT_MB} MB": highest - before <= FLAT_MB,
        f"at least {GOAL:g} of nginx's rate": ratio >= GOAL,
    }
    return {
        "bytes": bytes_sent,
        "interruptions": INTERRUPTIONS,
        "mb_before": before,
        "mb_highest": highest,
        "mb_per_s": rates,
        "ratio": ratio,
        "goals": goals,
    }


def interrupted(port: int, path: str) -> tuple[str, int]:
    """Download by connections that are closed at places by chance; return the SHA-256 and the number of bytes."""
    size = int(head(port, path)["Content-Length"])
    ends = sorted(random.Random(2).randrange(1, size) for _ in range(INTERRUPTIONS))
    digest, at, etag = hashlib.sha256(), 0, head(port, path)["ETag"]
    for end in [*ends, size]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path, headers={"Range": f"bytes={at}-", "If-Range": etag})
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            raise RuntimeError(f"a part is answered by {answer.status}")
        while at < end and (part := answer.read(min(PART_BYTES, end - at))):
            digest.update(part)
            at += len(part)
        connection.close()
    return digest.hexdigest(), at


def head(port: int, path: str) -> http.client.HTTPMessage:
    """Return the headers of a file."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("HEAD", path)
    headers = connection.getresponse().headers
    connection.close()
    return headers


def rate(url: str) -> float:
    """Return the megabytes per second of curl."""
    command = ["curl", "--silent", "--fail", "--output", os.devnull, "--write-out", "%{speed_download}", url]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6


def processes_of(pid: int) -> list[int]:
    """Return a process with its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes_of(int(child)))]


def memory_mb(pids: Sequence[int], field: str) -> float:
    """Return `VmRSS` or `VmHWM` of the largest of some processes, in megabytes."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return max(int(line.split()[1]) / 1000 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
