"""Requests and programs of docs/reference/ogc-api-coverages.md run unchanged with a small demo archive."""

import re
from pathlib import Path

import numpy as np
import pytest

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.coverages.formats import FORMATS
from chronotile.protocols.ogcapi.coverages.params import OF_COVERAGE

pytestmark = pytest.mark.every_case

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api-coverages.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (\S+)$", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("request_line", REQUESTS)
def test_requests_of_the_page_are_answered(demo, request_line):
    answer = demo.get(request_line)

    assert answer.status_code == 200, answer.text


@pytest.mark.slow
@pytest.mark.client
def test_xarray_reads_the_cube_of_the_page(run_beside_demo):
    names = run_beside_demo(PROGRAMS[0])

    assert names["mean"].sizes == {"time": 3}
    assert set(names["cube"].data_vars) >= {"NDVI", "FAPAR", "FCOVER", "LAI"}


@pytest.mark.slow
@pytest.mark.client
def test_rasterio_reads_the_raster_of_the_page(run_beside_demo):
    names = run_beside_demo(PROGRAMS[1])

    assert names["ndvi"].shape == (64, 64)
    assert np.ma.median(names["ndvi"]) < 1


def test_the_page_has_every_parameter_and_format():
    assert [name for name in (*names_of(OF_COVERAGE), *FORMATS) if f"`{name}`" not in PAGE] == []


def test_all_programs_of_the_page_are_run():
    assert (len(PROGRAMS), len(REQUESTS)) == (2, 13)
