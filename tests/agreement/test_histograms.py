"""Histograms of values at edges of bins: the counts fit the edges in the answer."""

from collections import Counter

import numpy as np
import pytest
import rasterio
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive

SIDE = 11
HUNDREDTHS = np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 11 * 10
CONFIGURATION = """
collections:
  made: {source: {kind: cog, href: made.tif, times: [2020-01-01]}, variables: {NDVI: {layer: NDVI, range: [0, 1]}}}
"""
AREA = {"type": "Polygon", "coordinates": [[[4, 50], [5.1, 50], [5.1, 51.1], [4, 51.1], [4, 50]]]}


@pytest.fixture(params=[(0.001, 0.0, "uint16"), (0.001, -0.1, "uint16"), (-0.001, 0.0, "int16")], ids=str)
def client(request, tmp_path):
    scale, offset, dtype = request.param
    place = {"crs": "EPSG:4326", "transform": Affine(0.1, 0, 4, 0, -0.1, 51.1), "height": SIDE, "width": SIDE}
    with rasterio.open(tmp_path / "made.tif", "w", driver="GTiff", dtype=dtype, count=1, **place) as file:
        file.write(np.rint((HUNDREDTHS / 100 - offset) / scale).astype(dtype), 1)
        file.scales, file.offsets = [scale], [offset]
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(CONFIGURATION)
    archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as found:
        yield found


def expected(edges) -> list[int]:
    """Counted in hundredths, which have no noise."""
    ends = [round(edge * 100) for edge in edges]
    assert [end / 100 for end in ends] == edges
    count = Counter(min(number // 10, 9) for number in HUNDREDTHS.ravel().tolist())
    return [count[bin_] for bin_ in range(10)]


def test_the_process(client):
    asked = {"inputs": {"layer": "NDVI", "range": [0, 1], "bins": 10}}
    told = client.post("/ogcapi/processes/histogram/execution", json=asked).json()

    assert told["counts"] == expected(told["edges"])
    assert (told["outside"], told["no_data"]) == (0, 0)


def test_the_series_of_an_area(client):
    told = client.post("/timeseries/NDVI/area?reducers=histogram:10:0:1", json=AREA).json()
    (feature,) = told["features"]

    ((name, counts),) = feature["series"].items()
    assert counts == [expected(told["edges"][name])]
