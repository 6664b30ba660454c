"""WPS through OWSLib and birdy: results by value and by reference, synchronous and as jobs of a worker."""

import json
import sys

import httpx2
import pytest
from birdy import WPSClient
from owslib.util import ServiceException
from owslib.wps import SYNC, BoundingBoxDataInput, ComplexDataInput, WebProcessingService

from chronotile.demo import DemoPlan, make_demo
from tests.jobs.runner.deployment import working
from tests.protocols.wps.test_execution import AREAS, POINTS
from tests.running import serving, until

pytestmark = [
    pytest.mark.client(sys.executable),  # libraries, not programs: only Python is needed
    pytest.mark.filterwarnings("ignore:The use of .username:DeprecationWarning"),  # birdy of OWSLib
]


@pytest.fixture
def url(make_url, services):
    """The address of a server over the formula."""
    return make_url(services)


@pytest.fixture
def expected(url):
    """Return a function: `expected("histogram", {"layer": …})` returns the answer of OGC API."""
    return lambda process, inputs: httpx2.post(f"{url}/ogcapi/processes/{process}/execution", json={"inputs": inputs})


def test_owslib_reads_the_offered_processes(url):
    service = WebProcessingService(f"{url}/wps")

    (echo,) = (each for each in service.processes if each.identifier == "echo")
    inputs = {each.identifier: each for each in service.describeprocess("zonal-statistics").dataInputs}
    assert (service.identification.type, echo.title) == ("WPS", "Echo")
    assert inputs["format"].allowedValues == ["csv", "geojson", "parquet"]
    assert (inputs["places"].dataType, inputs["reducers"].maxOccurs) == ("ComplexData", 32)


def test_owslib_executes_with_complex_inputs_and_boxes(url, expected):
    service = WebProcessingService(f"{url}/wps")
    areas = ComplexDataInput(json.dumps(AREAS), mimeType="application/geo+json")
    box = BoundingBoxDataInput([50.8, 4.6, 50.9, 4.7], crs="epsg:4326")

    statistics = service.execute(
        "zonal-statistics", [("layer", "NDVI"), ("places", areas)], output=[("statistics", False)], mode=SYNC
    )
    histogram = service.execute(
        "histogram", [("layer", "NDVI"), ("bbox", box)], output=[("histogram", True)], mode=SYNC
    )

    of_areas = {"layer": "NDVI", "places": {"value": AREAS}}
    of_box = {"layer": "NDVI", "bbox": {"bbox": [4.6, 50.8, 4.7, 50.9]}}
    assert statistics.processOutputs[0].data == [expected("zonal-statistics", of_areas).text.strip()]
    assert histogram.processOutputs[0].retrieveData() == expected("histogram", of_box).content


def test_owslib_reads_why_it_was_refused(url):
    service = WebProcessingService(f"{url}/wps")

    with pytest.raises(ServiceException, match="the nearest is NDVI"):
        service.execute("trend", [("layer", "NDVJ")], output="trend", mode=SYNC)


def test_birdy_calls_processes_as_functions(url, expected, tmp_path):
    client = WPSClient(f"{url}/wps")
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps(AREAS))

    echo = client.echo(string="é", number=3.5, array=[1, 2], bbox=None).get()
    statistics = client.zonal_statistics(layer="NDVI", places=str(areas), reducers=["mean", "max"]).get()
    series = client.time_series(layers=["NDVI"], points=json.dumps(POINTS), format="json").get()

    inputs = {"layer": "NDVI", "places": {"value": AREAS}, "reducers": ["mean", "max"]}
    assert (echo.string, float(echo.number)) == ("é", 3.5)
    of_points = {"layers": "NDVI", "points": POINTS, "format": "json"}
    assert httpx2.get(statistics.statistics).content == expected("zonal-statistics", inputs).content
    assert httpx2.get(series.series).content == expected("time-series", of_points).content


@pytest.fixture(scope="module")
def with_worker(tmp_path_factory):
    """URL of a small demo, served by a separate process with a worker."""
    folder = tmp_path_factory.mktemp("wps") / "demo"
    make_demo(folder, plan=DemoPlan(size_px=64, first_day="2023-01-01", dekads=2, levels=1, picture_days=()))
    environment = {"CHRONOTILE_JOBS_DIR": str(tmp_path_factory.mktemp("jobs"))}
    with (
        serving("serve", folder / "demo.yaml", "--workers", "1", **environment) as (_, url, _lines),
        working(folder / "demo.yaml", **environment),
    ):
        yield url


@pytest.mark.slow
def test_owslib_follows_a_job_that_a_worker_does(with_worker):
    service = WebProcessingService(f"{with_worker}/wps")
    inputs = [("string", "a"), ("pause", "0.5")]

    execution = service.execute("echo", inputs, output=[("string", True)], lineage=True)
    first = execution.status
    until(lambda: execution.checkStatus(sleepSecs=0) or execution.isComplete())

    assert first == "ProcessAccepted"
    assert execution.isSucceeded()
    assert execution.processOutputs[0].retrieveData() == b"a"
    assert [each.identifier for each in execution.dataInputs] == ["string", "pause"]


def test_birdy_follows_a_job(url):
    client = WPSClient(f"{url}/wps", progress=True)

    execution = client.echo(string="a", bbox=None)

    assert execution.isSucceeded()
    assert execution.statusLocation is not None
    assert execution.get().string == "a"
