"""Clients of CDSE and Terrascope find and download products of this server, by its address instead of theirs."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from chronotile.app.application import application
from chronotile.core.model.items import product_id
from chronotile.readers.reader_caches import ReaderCaches
from tests.docs.blocks import BLOCKS
from tests.docs.shell import SERVER
from tests.protocols import served
from tests.protocols.catalogue.odata.conftest import index, put, sentinel_2  # noqa: F401 -- fixtures
from tests.protocols.listening import listening
from tests.running import PATIENCE_S
from tests.strict import find_program

pytestmark = pytest.mark.client("cdsetool", "eodag")
PROGRAMS = Path(__file__).with_name("cdse_programs.py")
PAGE = "docs/how-to/cdse-clients.md"
NAMES = [sentinel_2(day)["id"] for day in (2, 3, 4, 5)]


@pytest.fixture
def server(index, put, tmp_path):  # noqa: F811
    scenes = [sentinel_2(day) for day in range(1, 9)]
    for scene in scenes:
        path = tmp_path / f"{scene['id']}.tif"
        path.write_text(f"the file of {scene['id']}")
        scene["assets"] = {"B04": {"href": str(path)}}
    put("SENTINEL-2", scenes)
    layer = served.make_layer("SENTINEL-2.B", collection="SENTINEL-2")
    services = replace(
        served.make_services(served.make_collection(layer)),
        reader_caches=ReaderCaches(items=lambda: index),
        source_hrefs={"SENTINEL-2": str(tmp_path / "catalog.json")},
    )
    with listening(application(services)) as base:
        yield base


def run(client, server, tmp_path):
    """Return the output of a program."""
    return json.loads(printed([PROGRAMS, client, server, tmp_path / "downloads"], tmp_path)[-1])


def printed(program, tmp_path):
    """Return the lines that Python prints in the environment of the clients."""
    python = find_program("cdsetool").parent / "python"
    # eodag writes its configuration into the home of its user.
    environment = {**os.environ, "HOME": str(tmp_path), "EODAG_CFG_DIR": str(tmp_path / "eodag")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, *program], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_cdsetool_finds_describes_and_downloads(server, tmp_path):
    found = run("cdsetool", server, tmp_path)

    assert (found["count"], found["names"], found["clouds"]) == (4, NAMES, [20.0, 30.0, 40.0, 50.0])
    assert {"cloudCover", "tileId", "orbitNumber"} <= set(found["attributes"])
    assert found["file"] == f"the file of {NAMES[0]}"


def test_eodag_finds_by_its_provider_of_cdse(server, tmp_path):
    found = run("eodag", server, tmp_path)

    assert found["names"] == [name.removesuffix(".SAFE") for name in NAMES]
    assert (found["clouds"], found["tile"]) == (20.0, "MGRS-31UFS")
    assert found["link"] == f"{server}/odata/v1/Products({product_id('SENTINEL-2', NAMES[0])})/$value"


def test_the_program_of_the_page_finds_products_by_cdsetool(server, tmp_path):
    (block,) = (each for each in BLOCKS if each.page == PAGE and "cdsetool" in each.text)

    found = printed(["-c", block.text.replace(SERVER, server)], tmp_path)

    assert found == NAMES


def test_the_program_of_the_page_finds_products_by_eodag(server, tmp_path):
    (block,) = (each for each in BLOCKS if each.page == PAGE and "eodag" in each.text)
    program = block.text.replace(SERVER, server) + "print(sorted(each.properties['title'] for each in found))"

    found = printed(["-c", program], tmp_path)

    assert found[-1] == str(sorted(name.removesuffix(".SAFE") for name in NAMES))


def test_the_client_of_terrascope_finds_counts_and_downloads(server, tmp_path):
    found = run("terracatalogueclient", server, tmp_path)

    by_day = {day: sentinel_2(day)["id"] for day in range(8, 0, -1)}
    newest = list(by_day.values())
    assert found["names"] == {
        "all": newest,
        "days": [by_day[4], by_day[3], by_day[2]],
        "box": [],
        "geometry": newest,
        "title": [by_day[3]],
        "type": newest,
        "cloud": [by_day[3], by_day[2], by_day[1]],
        "clouds": [by_day[4], by_day[3], by_day[2]],
        "tile": newest,
        "group": [],
        "published": newest[:6],
        "modified": [by_day[2], by_day[1]],
        "first": newest[:3],
        "pages": newest,
    }
    assert (found["collections"], found["count"]) == (["SENTINEL-2"], 7)
    assert (found["begin"], found["box"]) == ("2022-05-03T10:50:31", [4, 50, 5, 51])
    content = f"the file of {by_day[3]}"
    assert (found["files"], found["length"]) == ({f"{by_day[3]}/B04": content}, len(content))
    assert found["refused"].startswith("cloudCover - cloudCover ")
