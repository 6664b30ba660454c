"""`chronotile serve` of scenes with an empty index: it is filled in the background, and new scenes appear."""

import json
import urllib.error
import urllib.request

import pytest

from tests.archive.index.test_files import tree, write_tile
from tests.running import serving, until

pytestmark = pytest.mark.slow
TOKEN = "a-token-of-the-operator-of-tests"
CONFIGURATION = """collections:
  tiles:
    source: {kind: cog, href: "a/*/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {}}
"""


def times_of(address, collection="tiles"):
    try:
        with urllib.request.urlopen(f"{address}/layers/{collection}.NDVI/times") as answer:
            return [each[:10] for each in json.load(answer)["times"]]
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_an_empty_index_is_filled_while_the_server_runs(tmp_path):
    tree(tmp_path / "a")
    place = tmp_path / "c.yaml"
    place.write_text(CONFIGURATION)
    environment = {
        "CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"),
        "CHRONOTILE_WATCH_S": "0.2",
        "CHRONOTILE_WRITE_TOKEN": TOKEN,
    }
    with serving("serve", place, "--workers", "2", **environment) as (_process, address, _lines):
        until(lambda: times_of(address) == ["2020-06-01", "2020-06-11"])
        href = str(write_tile(tmp_path / "a" / "2020" / "S2_20200621_31UFS_NDVI.tif"))
        request = urllib.request.Request(
            f"{address}/layers/tiles.NDVI/items", json.dumps(item(href)).encode(), {"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert (answer.status, json.load(answer)["ids"]) == (201, ["posted"])
        until(lambda: times_of(address) == ["2020-06-01", "2020-06-11", "2020-06-21"])


def test_a_collection_that_is_configured_while_the_server_runs_is_filled(tmp_path):
    tree(tmp_path / "a")
    place = tmp_path / "c.yaml"
    place.write_text(CONFIGURATION)
    environment = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"), "CHRONOTILE_WATCH_S": "0.2"}
    with serving("serve", place, "--workers", "2", **environment) as (process, address, _lines):
        watching = next(line for line in process.stdout if line.startswith("new items"))
        until(lambda: times_of(address) == ["2020-06-01", "2020-06-11"])
        place.write_text(f"{CONFIGURATION}  again:{CONFIGURATION.partition('tiles:')[2]}")
        until(lambda: times_of(address, "again") == ["2020-06-01", "2020-06-11"])

    assert watching == f"new items     indexed by: chronotile index {place} --watch\n"


def item(href):
    ring = [[2.9, 50.9], [3.1, 50.9], [3.1, 51.1], [2.9, 51.1], [2.9, 50.9]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "posted",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": "2020-06-21T00:00:00Z"},
        "assets": {"NDVI": {"href": href, "type": "image/tiff; application=geotiff"}},
    }
