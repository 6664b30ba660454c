"""OGC API through OWSLib and GDAL: numbers and pixels follow the formula."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from owslib.ogcapi import API
from owslib.ogcapi.coverages import Coverages
from owslib.ogcapi.edr import EnvironmentalDataRetrieval
from owslib.ogcapi.maps import Maps
from owslib.ogcapi.processes import Processes
from owslib.ogcapi.records import Records

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import Grid
from tests.places import make_places
from tests.protocols import served
from tests.protocols.pictures import share_differing

OWSLIB = pytest.mark.client(sys.executable)
"""OWSLib is no program: only Python is needed."""
BOX = BBox(4.45, 50.75, 4.75, 50.95)
LAYERS = {"NDVI", "LAI", "CROP", "FLAGGED", "HEIGHT", "FAPAR", "DMP"}


@pytest.fixture
def url(make_url):
    return f"{make_url(served.make_services(*served.tree_collections(), places=[make_places()]))}/ogcapi"


def flanders_numbers(rows: slice, columns: slice, time: int) -> np.ndarray:
    """Return the numbers (y, x) of the layer FAPAR."""
    y, x = np.mgrid[rows, columns]
    return served.number_at(y, x, time)


@OWSLIB
def test_owslib_reads_the_documents(url):
    api = API(url)

    assert api.api()["openapi"].startswith("3.0")
    assert "http://www.opengis.net/spec/ogcapi-edr-1/1.0/conf/core" in api.conformance()["conformsTo"]


@OWSLIB
def test_owslib_finds_every_coverage_map_and_query(url):
    assert set(Coverages(url).coverages()) >= LAYERS
    assert set(EnvironmentalDataRetrieval(url).data()) >= LAYERS
    assert set(Maps(url).maps()) >= LAYERS | {"TRUE_COLOUR"}


@OWSLIB
def test_owslib_gets_the_numbers_of_a_subset(url):
    body = Coverages(url).coverage(
        "flanders", properties=["FAPAR"], subset=[("Lat", 50.8, 50.9), ("Lon", 4.5, 4.6)], datetime="2020-06-11"
    )

    with rasterio.open(body) as file:
        assert file.transform.c == pytest.approx(4.5)
        assert np.array_equal(file.read(1), flanders_numbers(slice(50, 100), slice(50, 100), 2))


@OWSLIB
@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        ({"scale_factor": 2}, (100, 150)),
        ({"scale_axes": {"Lat": 2, "Lon": 3}}, (100, 100)),
        ({"scale_size": [("Lat", 20), ("Lon", 30)]}, (20, 30)),
    ],
    ids=["factor", "axes", "size"],
)
def test_owslib_scales_a_coverage(url, scale, shape):
    body = Coverages(url).coverage("flanders", datetime=("2020-06-11", "2020-06-11"), **scale)

    with rasterio.open(body) as file:
        assert file.shape == shape


@OWSLIB
def test_owslib_gets_the_series_of_a_position(url):
    document = EnvironmentalDataRetrieval(url).query_data(
        "s2", "position", coords="POINT(4.6 50.85)", parameter_names=["NDVI"], datetime_="2020-06-01/2020-06-30"
    )

    row, column = served.BELGIUM_31N.cell_at(*served.transformer(CRS84, served.BELGIUM_31N.crs).transform(4.6, 50.85))
    numbers = [int(served.number_at(np.array(row), np.array(column), time)) for time in (1, 2, 3)]
    assert document["ranges"]["NDVI"]["values"] == [(number * 4 - 80) / 1000 for number in numbers]  # exact decimals


@OWSLIB
def test_owslib_gets_the_map_of_the_formula(url):
    picture = Maps(url).map("FAPAR", bbox=list(BOX), width=400, height=300, datetime_="2020-06-11", transparent=True)

    grid = Grid(crs=CRS84, bbox=BOX, width=400, height=300)
    assert share_differing(picture.read(), served.expected_rgba(served.FLANDERS_4326, grid, 2)) <= 0.001


@OWSLIB
def test_owslib_lists_and_describes_processes(url):
    processes = Processes(url)

    assert {"echo", "zonal-statistics"} <= {process["id"] for process in processes.processes()}
    assert processes.process("echo")["inputs"]["number"]["schema"]["maximum"] == 100


@OWSLIB
@pytest.mark.parametrize("response", ["raw", "document"])
def test_owslib_executes_a_process(url, response):
    inputs = {"object": {"value": {"a": 1}}}

    said = Processes(url).execute("echo", inputs=inputs, outputs={"object": {}}, response=response)

    assert said == ({"a": 1} if response == "raw" else {"object": {"value": {"a": 1}, "mediaType": "application/json"}})


@OWSLIB
def test_owslib_submits_a_job(url):
    processes = Processes(url)

    job = processes.execute("echo", inputs={"string": "a"}, async_=True)

    assert job["status"] == "accepted"
    assert processes.response_headers["Location"] == f"{url}/jobs/{job['jobID']}"


def gdal(folder: Path, program: str, *arguments: object) -> str:
    """Return the output of a GDAL program; its cache of tiles stays in the folder."""
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.client("gdal_translate")
def test_gdal_opens_a_coverage_with_its_numbers_and_place(url, tmp_path):
    gdal(
        tmp_path,
        "gdal_translate",
        "-q",
        "-oo",
        "API=COVERAGE",
        f"OGCAPI:{url}/collections/FAPAR",
        tmp_path / "coverage.tif",
    )

    with rasterio.open(tmp_path / "coverage.tif") as file:
        assert file.transform.almost_equals(served.FLANDERS_4326.transform, precision=1e-9)
        assert np.array_equal(file.read(1), flanders_numbers(slice(200), slice(300), 0))


@pytest.mark.client("gdallocationinfo")
def test_gdal_finds_the_colours_of_a_map(url, tmp_path):
    places = [
        (4.4 + (column + 0.5) * 0.002, 51.0 - (row + 0.5) * 0.002) for row, column in ((1, 1), (50, 7), (199, 299))
    ]

    asked = ["-valonly", "-wgs84", "-b", "1", "-oo", "API=MAP", f"OGCAPI:{url}/collections/FAPAR"]
    shown = [gdal(tmp_path, "gdallocationinfo", *asked, *place) for place in places]

    rows, columns = np.array([1, 50, 199]), np.array([1, 7, 299])
    assert list(map(int, shown)) == served.number_at(rows, columns, 3).tolist()


@pytest.mark.client("gdalinfo")
def test_gdal_lists_the_collections(url, tmp_path):
    told = gdal(tmp_path, "gdalinfo", f"OGCAPI:{url}")

    assert all(f"collections/{name}?f=json" in told for name in LAYERS)


@OWSLIB
def test_owslib_searches_records(url):
    records = Records(url)

    assert records.records() == ["_collections", "_items"]
    found = records.collection_items("_collections", q="flanders", limit=5, sortby=("title", "desc"))
    assert [each["id"] for each in found["features"]] == ["flanders"]
    filtered = records.collection_items("_collections", filter="id = 's2'", bbox=[4.5, 50.8, 4.6, 50.9])
    assert filtered["numberMatched"] == 1
    assert records.collection_item("_collections", "s2")["properties"]["title"] == "Collection s2"
    assert "title" in records.collection_queryables("_collections")["properties"]
