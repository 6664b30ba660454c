"""`/stac` over a socket: stac-api-validator finds no fault, and clients find and load the served data."""

import json
import os
import subprocess
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import rasterio

from chronotile.app.application import ServerOptions, application
from chronotile.archive.index.write import ItemWriter
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.web.places import web_places
from tests.protocols.catalogue.stac.conftest import put, services_over
from tests.protocols.catalogue.stac.documents import DAYS, dated, scene
from tests.protocols.catalogue.stac.test_transactions import SCENES, TOKEN
from tests.protocols.listening import listening
from tests.protocols.served import BELGIUM_31N, expected_numbers
from tests.strict import find_program

pytestmark = [pytest.mark.slow, pytest.mark.client("stac-api-validator")]

SCRIPTS = Path(__file__).parents[1] / "stac_clients"
IDS = [f"scene-{number}" for number in range(9)]
GEOMETRY = {"type": "Polygon", "coordinates": [[[4.2, 50.2], [4.3, 50.2], [4.3, 50.3], [4.2, 50.2]]]}
CLASSES = (
    *("core", "collections", "features", "item-search", "filter", "item-search#sort", "item-search#fields"),
    *("features#sort", "features#fields"),
)
WRITTEN = "S2A_47XNF_20230423_0_L2A"
"""Item that stac-api-validator removes, writes, changes and removes."""
AOT = replace(SCENES, variables={"RED": VariableSpec(id="RED", asset="aot")})
ITS_FILES = "https://sentinel-cogs.s3.us-west-2.amazonaws.com/"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Landing page of an API of nine scenes and a cube, whose dates have no files."""
    index = open_items(None, tmp_path_factory.mktemp("index"), archive="a")
    put(index, "scenes", [scene(id_, day=1 + number, cloud=10 * number) for number, id_ in enumerate(IDS)])
    put(index, "s2", [dated(day) for day in DAYS])
    places = web_places((ITS_FILES,), setting="CHRONOTILE_SOURCE_PREFIXES")
    writer = ItemWriter(tokens=(TOKEN,), specs=lambda: {"scenes": AOT}, items=lambda: index, prefixes=places)
    with listening(application(services_over(index), ServerOptions(items=writer))) as base:
        yield f"{base}/stac", index
    index.close()


def run(script, *arguments):
    python = find_program("stac-api-validator").parent / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [python, SCRIPTS / script, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
    )


def validate(root, classes, *arguments):
    chosen = [part for name in classes for part in ("--conformance", name)]
    return run("validate.py", "--root-url", root, *chosen, "--collection", "scenes", *arguments)


def test_stac_api_validator_finds_no_error(root):
    more = ("--geometry", json.dumps(GEOMETRY), "--fields-nested-property", "properties.eo:cloud_cover")

    validated = validate(root[0], CLASSES, *more, "--validate-pagination")

    assert "Errors: none" in validated.stdout, validated.stdout[-3000:] + validated.stderr[-2000:]


def test_stac_api_validator_writes_items(root):
    put(root[1], "scenes", [scene(WRITTEN, day=12, cloud=3)])

    validated = validate(root[0], ["transaction"], "--transaction-collection", "scenes", "--auth-bearer-token", TOKEN)

    assert "Errors: none" in validated.stdout, validated.stdout[-3000:] + validated.stderr[-2000:]


def test_pystac_client_finds_the_items(root):
    searched = run("search.py", root[0])

    assert searched.returncode == 0, searched.stderr[-2000:]
    found = json.loads(searched.stdout)
    assert found.pop("queryables")[:3] == ["collection", "datetime", "end_datetime"]
    assert found == {
        "collections": ["s2", "scenes"],
        "collection_search": ["s2"],
        "items": IDS[::-1],
        "item": 10,
        "pages": IDS[::-1],
        "pages_get": IDS[::-1],
        "filter": IDS[2::-1],
        "filter_text": IDS[2::-1],
        "sorted": IDS[:3],
        "box": ["scene-2", "scene-1"],
        "matched": 9,
        "fields": {"platform": "sentinel-2a"},
    }


def test_odc_stac_and_stackstac_load_the_numbers_of_the_coverage(root, tmp_path):
    loaded = run("load.py", root[0], tmp_path)

    grid = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(610_000, 5_630_000, 612_000, 5_633_000), width=20, height=30)
    expected = np.array([expected_numbers(BELGIUM_31N, grid, time) for time in (1, 2)])
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    for name in ("odc", "stackstac"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected, err_msg=name)
    base = root[0].removesuffix("/stac")
    coverages = [coverage_of(base, grid, f"2020-06-{day}", tmp_path / f"{day}.tif") for day in ("01", "11")]
    np.testing.assert_array_equal(coverages, expected)


def coverage_of(base, grid, day, file):
    """Return the numbers (y, x) of the coverage NDVI in the bbox of a grid."""
    crs = "http://www.opengis.net/def/crs/EPSG/0/32631"
    query = {"bbox": ",".join(map(str, grid.bbox)), "bbox-crs": crs, "datetime": day, "f": "GTiff"}
    urllib.request.urlretrieve(f"{base}/ogcapi/collections/NDVI/coverage?{urlencode(query)}", file)
    with rasterio.open(file) as opened:
        assert opened.bounds == grid.bbox
        return opened.read(1)
