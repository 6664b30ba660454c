"""Properties for OGC's suites, and the reading of their results."""

import json
import urllib.request

import pytest
from lxml import etree

from chronotile.app.application import application
from chronotile.core.model.job import Execution
from tests.cite.run_ogcapi import (
    Outcome,
    describe,
    jar_of,
    jobs_done,
    outcome_of,
    properties_document,
    properties_of,
    run,
    suited,
)
from tests.protocols.listening import listening
from tests.running import until

RESULTS = b"""<testng-results skipped="1" failed="1" passed="1"><suite><test><class name="org.opengis.Core">
<test-method status="PASS" is-config="true" name="set up"/>
<test-method status="PASS" name="landingPage"/>
<test-method status="SKIP" name="trajectory"/>
<test-method status="FAIL" name="areaWithoutCoords"><exception class="AssertionError"><message>
  Expected 400
  but found 200</message></exception></test-method>
</class></test></suite></testng-results>"""


def test_properties_keep_every_letter():
    document = properties_document({"iut": "http://h/ogcapi?a=1&b=<2>", "noofcollections": "3"})

    entries = etree.fromstring(document.encode()).findall("entry")
    assert {each.get("key"): each.text for each in entries} == {
        "iut": "http://h/ogcapi?a=1&b=<2>",
        "noofcollections": "3",
    }


@pytest.fixture(scope="module")
def root():
    with listening(application(suited())) as base:
        yield f"{base}/ogcapi"


def status_of(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.status


@pytest.mark.slow
def test_edr_suite_gets_the_url_of_the_openapi_document(root):
    told = properties_of("ets-ogcapi-edr10", root)

    assert told["iut"] == root
    assert status_of(told["apiDefinition"]) == 200


@pytest.mark.slow
def test_processes_suite_gets_a_process_that_echoes(root):
    told = properties_of("ets-ogcapi-processes10", root)

    with urllib.request.urlopen(f"{root}/processes/{told['echoprocessid']}", timeout=60) as answer:
        process = json.load(answer)
    assert set(process["jobControlOptions"]) >= {"sync-execute", "async-execute"}
    assert {"string", "pause"} <= set(process["inputs"])


def test_suite_of_wps_gets_the_address_without_a_query():
    assert properties_of("ets-wps20", "http://h/a/ogcapi") == {"IUT": "http://h/a/wps", "ECHO_PROCESS_ID": "echo"}


@pytest.mark.parametrize(
    ("outcome", "is_failure"),
    [
        (Outcome(passed=3, skipped=0, failures=()), False),
        (Outcome(passed=3, skipped=0, failures=(("it", "why"),)), True),
        (Outcome(passed=0, skipped=22, failures=()), True),
    ],
    ids=["passed", "failed", "nothing passed"],
)
def test_suite_without_a_passed_test_is_a_failure(outcome, is_failure):
    assert outcome.is_failure == is_failure


@pytest.mark.slow
def test_jobs_submitted_by_a_suite_are_run():
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    with jobs_done() as desk:
        id_ = desk.submit(Execution(process="echo", inputs={"string": "Hello"}), user=None).id
        until(lambda: desk.table.job(id_).finished is not None)

        assert desk.table.job(id_).status == "successful"


@pytest.mark.slow
def test_tiles_suite_gets_existing_tiles(root):
    told = properties_of("ets-ogcapi-tiles10", root)

    template = told["urltemplatefortiles"].replace("{tileMatrix}", told["tilematrix"])
    tile = template.replace("{tileRow}", told["maxtilerow"]).replace("{tileCol}", told["mintilecol"])
    assert "/tiles/WebMercatorQuad/" in template
    assert status_of(tile) == 200


def test_tests_are_counted_without_their_preparations():
    assert outcome_of(RESULTS) == Outcome(
        passed=1, skipped=1, failures=(("areaWithoutCoords", "Expected 400 but found 200"),)
    )


def test_failures_are_reported_with_their_reason():
    told = describe(outcome_of(RESULTS))

    assert told == "1 passed, 1 failed, 1 skipped\n  areaWithoutCoords: Expected 400 but found 200"


def test_jars_are_found_by_the_names_of_their_suites(tmp_path):
    for name in ("ets-ogcapi-edr10-1.2-aio.jar", "ets-ogcapi-edr10-1.3-aio.jar", "ets-ogcapi-tiles10-1.2.jar"):
        (tmp_path / name).touch()

    assert jar_of("ets-ogcapi-edr10", tmp_path).name == "ets-ogcapi-edr10-1.3-aio.jar"
    assert jar_of("ets-ogcapi-tiles10", tmp_path) is None


@pytest.mark.slow
def test_suite_that_is_not_there_is_not_run(tmp_path, root):
    assert run("ets-ogcapi-edr10", root, tmp_path, []) is None
    assert describe(None) == "not found, so not run"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s2", "NDVI", "flanders"])
@pytest.mark.parametrize("format_", ["CoverageJSON", "GeoJSON", "CSV"])
def test_area_of_the_edr_suite_is_answered_in_every_format(root, name, format_):
    with urllib.request.urlopen(f"{root}/collections/{name}?f=json", timeout=60) as answer:
        west, south, east, north = json.load(answer)["extent"]["spatial"]["bbox"][0]
    x, y = (west + east) / 2, (south + north) / 2
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    ring = ",".join(f"{x + right}+{y + up}" for right, up in corners)

    assert status_of(f"{root}/collections/{name}/area?coords=POLYGON(({ring}))&f={format_}") == 200
