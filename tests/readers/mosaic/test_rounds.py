"""How often an answer of scenes in a bucket waits for requests: files of one scene are requested together."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyproj
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.agreement.mosaics.shown import MERCATOR
from tests.agreement.scenes_served import Tile
from tests.faulty_source import Fault, faulty_source
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import CRS84, RESOLUTION_M, Plan, days_of

pytestmark = pytest.mark.slow

MADE = Plan(days=days_of(3), columns=1, rows=1)
SCENE, LATER = MADE.scenes(0)[0], MADE.scenes(2)[0]
"""At the start, the server reads files of the newest date."""
DAY = MADE.days[0]
KEEP = (4, 5, 6)
ASSETS = ("B04", "B08", "SCL")
ZOOM = 15
"""Zoom with tiles of fewer than 100 native cells on a side."""
IN_ONE_BLOCK, IN_ANOTHER = (128, 128), (640, 640)
"""Cells (row, column) whose tiles lie in one block of each file."""
CONFIGURATION = """
collections:
  scenes:
    source: {{kind: stac, href: '{catalogue}'}}
    variables:
      B04: {{range: [0, 1]}}
      B08: {{range: [0, 1]}}
      SCL: {{range: [0, 11]}}
      NDVI:
        layer: NDVI
        formula: "(B08 - B04) / (B08 + B04)"
        mask: {{variable: SCL, keep: [4, 5, 6]}}
        range: [-1, 1]
"""


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A server of one bucket with the files of the scenes."""
    (tmp_path / "buckets").mkdir()
    (tmp_path / "buckets" / "scenes").symlink_to(archive(MADE))
    with faulty_source(tmp_path / "buckets") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield server


@pytest.fixture
def client(bucket, tmp_path, monkeypatch):
    """A client of a server that has read no file of the scene."""
    monkeypatch.setenv("CHRONOTILE_SOURCE_PREFIXES", "s3://scenes/")
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    catalogue = documents.write_catalogue(tmp_path, MADE, "s3://scenes/{}".format, scenes=[SCENE, LATER])
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION.format(catalogue=catalogue))
    done = CliRunner().invoke(program, ["index", str(file)])
    assert done.exit_code == 0, done.output
    with TestClient(create_app(load_settings(config=file))) as one:
        yield one


def in_rounds(bucket, ask, counts):
    """Return the result of `ask`, asserting the number of concurrent requests in each round."""
    expected = bucket.count()
    bucket.switch(Fault.HOLD)
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            for count in counts:
                expected += count
                bucket.wait_for(count=expected)
                with bucket.changed:  # no request arrives in the meantime
                    bucket.release()
                    bucket.switch(Fault.HOLD)
        finally:
            bucket.release()
        answer = asking.result()
    assert bucket.count() == expected
    return answer


def tile_at(cell):
    """Return the tile that holds the corner of a cell of 10 m."""
    x, y = SCENE.frame.x + cell[1] * RESOLUTION_M, SCENE.frame.y - cell[0] * RESOLUTION_M
    x, y = pyproj.Transformer.from_crs(SCENE.frame.crs, MERCATOR, always_xy=True).transform(x, y)
    size, half = Tile(ZOOM, 0, 0).size_m, Tile(0, 0, 0).size_m / 2
    return Tile(ZOOM, int((x + half) // size), int((half - y) // size))


def shown(answer):
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def expected_at(x, y, crs):
    """Return NDVI by the formula of the scenes, NaN in masked cells."""
    red, near, classes = (MADE.mosaic(each, x, y, date=0, crs=crs, scenes=(SCENE,)) for each in ASSETS)
    ndvi = (near.values - red.values) / (near.values + red.values)
    return np.where(np.isin(classes.numbers, KEEP), ndvi, np.nan)


def test_all_files_of_a_masked_formula_are_requested_together(client, bucket):
    first, second = tile_at(IN_ONE_BLOCK), tile_at(IN_ANOTHER)

    def ask(tile):
        return client.get(f"/tiles/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.npy?datetime={DAY}")

    headers_and_blocks = in_rounds(bucket, lambda: ask(first), [3, 3])
    blocks = in_rounds(bucket, lambda: ask(second), [3])

    values = np.stack([shown(headers_and_blocks), shown(blocks)])
    expected = np.stack([expected_at(*tile.centres(), MERCATOR) for tile in (first, second)])
    assert np.isclose(values, expected, rtol=1e-6, atol=1e-6, equal_nan=True).mean() > 0.999
    assert np.isfinite(values).any()


def place_of(cell):
    """Longitude and latitude of the centre of a cell."""
    row, column = cell
    x, y = SCENE.frame.x + (column + 0.5) * RESOLUTION_M, SCENE.frame.y - (row + 0.5) * RESOLUTION_M
    return pyproj.Transformer.from_crs(SCENE.frame.crs, CRS84, always_xy=True).transform(x, y)


def series(client, place):
    answer = client.get("/timeseries/NDVI/point", params={"lon": place[0], "lat": place[1], "datetime": DAY})
    assert answer.status_code == 200, answer.text
    return answer.json()["values"][0]


def feature_info(client, place):
    box = ",".join(str(edge) for edge in (place[0] - 1e-5, place[1] - 1e-5, place[0] + 1e-5, place[1] + 1e-5))
    answer = client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&CRS=CRS:84"
        f"&BBOX={box}&WIDTH=3&HEIGHT=3&I=1&J=1&FORMAT=image/png&INFO_FORMAT=application/json&TIME={DAY}"
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["features"][0]["properties"]["value"]


@pytest.mark.parametrize("ask", [series, feature_info])
def test_all_files_of_a_place_are_requested_together(ask, client, bucket):
    places = [place_of(IN_ONE_BLOCK), place_of(IN_ANOTHER)]

    headers_and_blocks = in_rounds(bucket, lambda: ask(client, places[0]), [3, 3])
    blocks = in_rounds(bucket, lambda: ask(client, places[1]), [3])

    found = [np.nan if value is None else value for value in (headers_and_blocks, blocks)]
    expected = expected_at(*map(np.array, zip(*places, strict=True)), CRS84)
    assert np.allclose(found, expected, equal_nan=True)
    assert np.isfinite(expected).any()
