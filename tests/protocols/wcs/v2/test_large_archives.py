"""Documents of many coverages and of many times: small, valid and read by clients."""

import sys

import numpy as np
import pytest
from lxml import etree
from owslib.wcs import WebCoverageService
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.protocols.wcs import answers
from tests.protocols import served
from tests.protocols.wcs.asking import NS, ask, described, refused

COVERAGES, TIMES = 500, 1000
LISTED = COVERAGES + 1
"""With the collection."""
DAYS = np.delete(np.arange(7306), 7)
"""Days of twenty years without one, so that they are not evenly spaced."""


def layer_of(number):
    days = np.cumsum(np.random.default_rng(number).integers(1, 12, TIMES)).astype("timedelta64[D]")
    times = domain_of_instants(np.datetime64("1985-01-01", "ns") + days)
    name = f"LAYER_{number:03}"
    return served.make_layer(name, variable=served.make_variable(name, times=times))


@pytest.fixture(scope="module")
def large():
    """A client of 500 layers of 1,000 irregular dates."""
    services = served.make_services(served.make_collection(*map(layer_of, range(COVERAGES))))
    with TestClient(application(services), raise_server_exceptions=False) as client:
        yield client


def test_capabilities_are_at_most_a_megabyte_and_valid(large, validate_wcs):
    document = ask(large, "GetCapabilities").content

    assert len(document) <= 1_000_000
    assert validate_wcs(document) == []
    assert len(etree.fromstring(document).findall(".//wcs:CoverageSummary", NS)) == LISTED


def test_capabilities_are_made_once(large):
    first, second = (ask(large, "GetCapabilities") for _ in range(2))

    assert first.headers["etag"] == second.headers["etag"]
    held = {"If-None-Match": first.headers["etag"]}
    assert large.get("/wcs?SERVICE=WCS&REQUEST=GetCapabilities", headers=held).status_code == 304


def test_twenty_years_of_days_are_described_in_a_tenth_of_a_megabyte(make_client, validate_wcs):
    variable = served.make_variable(
        "DAILY", times=domain_of_instants(np.datetime64("2001-01-01", "ns") + DAYS.astype("timedelta64[D]"))
    )
    client = make_client(served.make_services(served.make_collection(served.make_layer("DAILY", variable=variable))))
    answer = ask(client, "DescribeCoverage", COVERAGEID="DAILY")

    assert len(answer.content) <= 100_000
    assert validate_wcs(answer.content) == []
    coefficients = described(client, "DAILY").findall(".//rgrid:coefficients", NS)[2].text.split()
    assert [int(each) for each in coefficients] == [86400 * day for day in DAYS]


def test_descriptions_of_more_times_are_refused(large, monkeypatch):
    monkeypatch.setattr(answers, "MAX_TIMES", 2 * TIMES)
    answer = ask(large, "DescribeCoverage", COVERAGEID="LAYER_000,LAYER_001,LAYER_002")

    assert refused(answer) == (400, "NoApplicableCode", "coverageId")


@pytest.mark.client(sys.executable)
def test_owslib_reads_all_coverages(large):
    service = WebCoverageService("http://testserver/wcs", version="2.0.1", xml=ask(large, "GetCapabilities").content)

    assert len(service.contents) == LISTED
