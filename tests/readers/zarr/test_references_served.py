"""References served by the application: a broken file costs its own date alone."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from tests.readers.zarr.reference_files import references_to, write_files, write_json
from tests.scenes import Scene

pytestmark = pytest.mark.slow

SCENE = Scene()
ROW, COLUMN = 12, 20
X, Y = (axis[index] for axis, index in zip(SCENE.coordinates(), (COLUMN, ROW), strict=True))
SERIES = f"/timeseries/refs.NDVI/point?x={X}&y={Y}&crs=EPSG:32631"
TILE = "/tiles/refs.NDVI/WebMercatorQuad/14/8328/5484.png?datetime="


@pytest.fixture
def client(tmp_path):
    """A client of a server of references, of whose files the third is cut off."""
    paths = write_files(tmp_path, SCENE)
    write_json(tmp_path / "refs.json", references_to(paths))
    paths[2].write_bytes(paths[2].read_bytes()[:5000])
    place = tmp_path / "chronotile.yaml"
    place.write_text(
        "collections:\n  refs: {source: {kind: zarr, href: refs.json}, variables: {NDVI: {styles: [ndvi]}}}\n"
    )
    archive = open_configured(Settings(config=place, watch_s=0))
    with TestClient(application(archive.services, ServerOptions())) as one:
        yield one
    archive.close()


def test_series_has_all_values_except_that_of_the_broken_file(client):
    numbers = [int(SCENE.number(time, ROW, COLUMN)) for time in range(5)]
    expected = [pytest.approx(number * SCENE.scale + SCENE.offset) for number in numbers]
    expected[2] = None

    found = client.get(SERIES).json()

    assert expected == found["values"]
    assert found["reasons"][2] == "unreadable"


def test_map_of_the_broken_file_is_an_error_and_others_are_drawn(client):
    statuses = {day: client.get(f"{TILE}{day}").status_code for day in SCENE.days}

    assert statuses == {day: 503 if day == SCENE.days[2] else 200 for day in SCENE.days}


def test_operators_see_which_date_is_unreadable(client):
    client.get(SERIES)

    faults = client.get("/health/ready").json()["faults"]

    assert [(each["variable"], each["time"][:10]) for each in faults] == [("NDVI", SCENE.days[2])]
