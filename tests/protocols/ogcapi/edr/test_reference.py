"""Requests and programs of docs/reference/ogc-api-edr.md run unchanged with a small demo archive."""

import re
from pathlib import Path

import pytest

from chronotile.core.model.geometry.lengths import LENGTHS_M
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.edr.formats import MEDIA_TYPES
from chronotile.protocols.ogcapi.edr.queries import AREA, CUBE, ITEMS, LOCATIONS, POSITION, RADIUS

pytestmark = pytest.mark.every_case

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api-edr.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (/.+)$", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
QUERIES = (POSITION, AREA, CUBE, RADIUS, LOCATIONS, ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("request_line", REQUESTS)
def test_requests_of_the_page_are_answered(demo, request_line):
    answer = demo.get(request_line)

    assert answer.status_code == 200, answer.text
    assert "2023-06-11" in answer.text or "locations?" in request_line or "NetCDF" in request_line


@pytest.mark.slow
@pytest.mark.client
def test_pandas_reads_the_series_of_the_page(run_beside_demo):
    names = run_beside_demo(PROGRAMS[0])

    assert list(names["series"].columns) == ["x", "y", "NDVI", "FAPAR", "FCOVER", "LAI"]
    assert len(names["monthly"]) == 12


@pytest.mark.slow
@pytest.mark.client
def test_xarray_reads_the_cells_of_the_page(run_beside_demo):
    names = run_beside_demo(PROGRAMS[1])

    assert names["mean"].sizes == {"time": 3}
    assert 20 < int(names["cells"]["NDVI"].isel(time=0).notnull().sum()) < 400


def test_the_page_names_every_format_parameter_and_unit():
    parameters = {name for query in QUERIES for name in names_of(query.parameters)}

    assert [name for name in (*MEDIA_TYPES, *parameters, *LENGTHS_M) if f"`{name}`" not in PAGE] == []
