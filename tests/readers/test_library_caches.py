"""Caches of libraries are reported, and stay within their limits."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import rasterio
import zarr
from chronotile.readers.library_caches import library_caches
from chronotile.readers.reader_caches import ReaderCaches
import tensorstore as ts

folder = Path(sys.argv[1])
caches = ReaderCaches(4 << 20)
before = library_caches(caches)
noise = np.random.default_rng(1).integers(0, 255, (40, 256, 256), dtype=np.uint8)
array = zarr.create_array(folder / "a.zarr", shape=noise.shape, chunks=(1, 256, 256), dtype="uint8")
array[:] = noise
spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder / "a.zarr")}}
store = ts.open(spec, context=caches.chunks).result()
store[:4].read().result()
few = library_caches(caches)
store[:].read().result()
many = library_caches(caches)
profile = dict(driver="GTiff", width=256, height=256, count=1, dtype="uint8", crs="EPSG:32631",
               transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6), tiled=True, blockxsize=256, blockysize=256)
for name in ("b.tif", "c.tif"):
    with rasterio.open(folder / name, "w", **profile) as file:
        file.write(noise[:1])
    with caches.files.lend(str(folder / name)) as handle:
        handle.dataset.read()
after = library_caches(caches)
print(json.dumps([{name: [s.bytes, s.max_bytes, s.entries, s.misses] for name, s in each.items()}
                  for each in (before, few, many, after)]))
"""


@pytest.mark.slow
def test_libraries_cache_up_to_their_limits(tmp_path):
    ran = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=True)

    before, few, many, after = json.loads(ran.stdout)
    assert "chunks" not in before
    assert before["files"][:3] == [0, 400 * 96 * 1024, 0]
    assert few["chunks"][:2] == [None, 1 << 20]  # 256 KiB of 1 MiB: nothing was evicted
    assert many["chunks"][:2] == [1 << 20, 1 << 20]
    assert many["chunks"][2] < 40 <= many["chunks"][3]
    assert after["files"][::2] == [2 * 96 * 1024, 2]
    assert 2 * 256 * 256 <= after["gdal"][0] <= after["gdal"][1] < 1 << 20
