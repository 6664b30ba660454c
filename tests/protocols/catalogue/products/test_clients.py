"""Download programs: curl that resumes, unzip, and GDAL inside a ZIP that is made while sent."""

import hashlib
import http.client
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from chronotile.app.application import ServerOptions
from tests.protocols.catalogue.products.test_downloads import MIB, old
from tests.protocols.listening import listening
from tests.rasters import write_raster
from tests.running import until
from tests.strict import find_program

pytestmark = pytest.mark.client("curl", "unzip")
SAFE = "S2A_MSIL2A_20200601T105031.SAFE"
IMAGE = "GRANULE/L2A_T31UFS/IMG_DATA/R10m/T31UFS_B04_10m.tif"


@pytest.fixture
def safe(archive):
    """Path and URL of a product with a SAFE folder: an image of 600 x 600 numbers and 5 MiB of noise."""
    from affine import Affine

    archive.write(f"{SAFE}/manifest.safe", b"<xfdu/>")
    archive.write(f"{SAFE}/noise.bin", os.urandom(5 * MIB + 7))
    archive.write(f"{SAFE}/{IMAGE}", b"")
    numbers = np.arange(360_000, dtype=np.uint32).reshape(600, 600)
    place = {"crs": "EPSG:32631", "transform": Affine(10, 0, 600_000, 0, -10, 5_650_000)}
    write_raster(archive.folder / SAFE / IMAGE, numbers, **place)
    for path in (archive.folder / SAFE).rglob("*"):
        old(path)
    url = archive.put("a", {"product": str(archive.folder / SAFE)})
    with listening(archive.app) as base:
        yield archive.folder / SAFE, f"{base}{url}"


def curl(*arguments):
    program = find_program("curl")
    return subprocess.run([program, "--silent", "--show-error", "--fail", *arguments], check=False, capture_output=True)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("length", [1, 100, MIB + 3, 5 * MIB + 200])
def test_curl_resumes_an_interrupted_download(safe, tmp_path, length):
    _folder, url = safe
    whole, resumed = tmp_path / "whole.zip", tmp_path / "resumed.zip"
    assert curl("--output", whole, url).returncode == 0
    resumed.write_bytes(whole.read_bytes()[:length])

    assert curl("--continue-at", "-", "--output", resumed, url).returncode == 0

    assert digest(resumed) == digest(whole)


def test_unzip_extracts_all_files(safe, tmp_path):
    folder, url = safe
    archive, unzip = tmp_path / "whole.zip", find_program("unzip")
    assert curl("--output", archive, url).returncode == 0

    assert subprocess.run([unzip, "-tq", archive], check=False, capture_output=True).returncode == 0
    subprocess.run([unzip, "-q", archive, "-d", tmp_path / "out"], check=True)
    out = tmp_path / "out" / SAFE
    found = {path.relative_to(out): digest(path) for path in out.rglob("*") if path.is_file()}
    assert found == {path.relative_to(folder): digest(path) for path in folder.rglob("*") if path.is_file()}


def test_curl_does_not_go_on_with_a_file_that_was_replaced(safe, tmp_path):
    folder, url = safe
    node, part = f"{url}/nodes/product/noise.bin", tmp_path / "noise.bin"
    etag = next(
        line.split(": ", 1)[1]
        for line in curl("--head", node).stdout.decode().splitlines()
        if line.lower().startswith("etag")
    )
    part.write_bytes((folder / "noise.bin").read_bytes()[:MIB])
    (folder / "noise.bin").write_bytes(os.urandom(MIB + 9))

    answer = curl("--continue-at", "-", "--header", f"If-Range: {etag}", "--output", part, node)

    assert answer.returncode == 33  # "HTTP server doesn't seem to support byte ranges. Cannot resume."
    assert part.stat().st_size == MIB


def test_gdal_reads_an_image_inside_the_zip(safe):
    import rasterio

    folder, url = safe
    with rasterio.open(f"/vsizip/{{/vsicurl/{url}}}/{SAFE}/{IMAGE}") as image:
        window = image.read(1, window=((100, 103), (200, 205)))
    with rasterio.open(folder / IMAGE) as image:
        assert (window == image.read(1, window=((100, 103), (200, 205)))).all()
    assert window[0, 0] == 100 * 600 + 200


@pytest.fixture
def make_large(make_archive):
    """Return a function: `make_large(options)` serves 64 MiB of zeros; returns file, base URL, path and archive."""
    with ExitStack() as stack:

        def make(options=None):
            archive = make_archive(options)
            path = old(archive.write("large.bin", bytes(64 * MIB)))
            url = archive.put("a", {"data": str(path)})
            return path, stack.enter_context(listening(archive.app)), url, archive

        yield make


def downloads_of(archive):
    """Return the number of running downloads in the server's state."""
    return archive.app.state.chronotile.downloads.n_running


def begin(base, url):
    """Return a connection that has requested a file without reading the answer."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"))
    connection.request("GET", url)
    return connection


def test_a_file_that_is_written_while_it_is_sent_ends_short_of_its_length(make_large):
    path, base, url, _archive = make_large()
    connection = begin(base, url)
    answer = connection.getresponse()
    assert answer.read(MIB) == bytes(MIB)

    path.write_bytes(b"\1" * 64 * MIB)

    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert set(broken.value.partial) <= {0}
    connection.close()


def test_clients_that_do_not_read_hold_no_threads(make_large):
    _path, base, url, archive = make_large(ServerOptions(threads={"downloads": 1}, client_downloads=10))
    slow = [begin(base, url) for _number in range(9)]
    until(lambda: downloads_of(archive) == 9)

    connection = begin(base, url)
    assert len(connection.getresponse().read()) == 64 * MIB

    for each in (connection, *slow):
        each.close()
    until(lambda: downloads_of(archive) == 0)


def test_the_ninth_download_of_an_address_is_refused_until_one_has_ended(make_large):
    _path, base, url, archive = make_large()
    running = [begin(base, url) for _number in range(8)]
    until(lambda: downloads_of(archive) == 8)

    refused = begin(base, url)
    assert refused.getresponse().status == 429

    running.pop().close()
    until(lambda: downloads_of(archive) == 7)
    again = begin(base, url)
    assert again.getresponse().status == 200
    for each in (refused, again, *running):
        each.close()
    until(lambda: downloads_of(archive) == 0)
