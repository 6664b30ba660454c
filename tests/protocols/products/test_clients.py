"""Programs that people download with: curl that resumes, unzip, GDAL inside a ZIP that lies nowhere."""

import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.protocols.listening import listening
from tests.protocols.products.test_downloads import MIB, old
from tests.strict import find_program

pytestmark = pytest.mark.client("curl", "unzip")
SAFE = "S2A_MSIL2A_20200601T105031.SAFE"
IMAGE = "GRANULE/L2A_T31UFS/IMG_DATA/R10m/T31UFS_B04_10m.tif"


@pytest.fixture
def safe(archive):
    """A product that is a SAFE folder with an image of 600 x 600 numbers and 5 MiB of noise; its path, and its URL."""
    import rasterio
    from affine import Affine

    archive.write(f"{SAFE}/manifest.safe", b"<xfdu/>")
    archive.write(f"{SAFE}/noise.bin", os.urandom(5 * MIB + 7))
    archive.write(f"{SAFE}/{IMAGE}", b"")
    numbers = np.arange(360_000, dtype=np.uint32).reshape(600, 600)
    profile = {"driver": "GTiff", "width": 600, "height": 600, "count": 1, "dtype": "uint32", "crs": "EPSG:32631"}
    with rasterio.open(
        archive.folder / SAFE / IMAGE, "w", **profile, transform=Affine(10, 0, 600_000, 0, -10, 5_650_000)
    ) as image:
        image.write(numbers, 1)
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
def test_curl_goes_on_where_it_was_interrupted(safe, tmp_path, length):
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
