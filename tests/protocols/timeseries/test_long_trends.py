"""Trends of series of many thousand values, which need a slope for each pair of values."""

import json

import numpy as np
import pandas as pd
import pyproj
import pytest
import xarray as xr
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import ANSWER_BYTES, Settings

WEST, NORTH, CELL_M = 600_000, 5_700_000, 10


@pytest.fixture
def daily(tmp_path):
    """Server of 18 years of daily values, in few cells."""
    times = pd.date_range("2001-01-01", periods=6700, freq="D")
    axes = {"time": times, "y": NORTH - CELL_M * (np.arange(64) + 0.5), "x": WEST + CELL_M * (np.arange(64) + 0.5)}
    rising = np.broadcast_to(np.arange(6700, dtype=np.int16)[:, None, None], (6700, 64, 64))
    array = xr.DataArray(rising, dims=list(axes), attrs={"grid_mapping": "crs"})
    dataset = xr.Dataset({"S": array, "crs": ((), 0, pyproj.CRS(32631).to_cf())}, coords=axes)
    dataset.to_zarr(tmp_path / "daily.zarr", encoding={"S": {"chunks": (6700, 16, 16)}}, zarr_format=2)
    collection = {"source": {"kind": "zarr", "href": "daily.zarr"}, "variables": {"S": {"layer": "daily"}}}
    (tmp_path / "chronotile.yaml").write_text(json.dumps({"collections": {"days": collection}}))
    with TestClient(create_app(Settings(config=tmp_path / "chronotile.yaml"))) as client:
        yield client


@pytest.mark.slow
def test_a_trend_that_needs_more_memory_than_answers_have_is_refused(daily):
    path = "/timeseries/daily/point?lon=4.44&lat=51.4410"
    assert ANSWER_BYTES < 9 * 6700 * 6699 // 2

    points = daily.post("/timeseries/points?trend=theil_sen", json={"layers": ["daily"], "points": [[4.44, 51.441]]})
    for answer in (daily.get(f"{path}&trend=theil_sen"), points):
        assert answer.status_code == 400, answer.text
        assert answer.json()["limit"] == "memory of one response in bytes"
        assert answer.json()["allowed"] == ANSWER_BYTES
    few = daily.get(f"{path}&trend=theil_sen&datetime=2001-01-01/2004-12-31")
    seasons = daily.get(f"{path}&trend=seasonal")

    for answer in (few, seasons):
        assert answer.status_code == 200, answer.text
        assert answer.json()["analysis"]["trend"]["slope"] == pytest.approx(365.25)
