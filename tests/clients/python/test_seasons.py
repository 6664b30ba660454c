"""Seasons of many places as one table."""

import pandas as pd
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile_client import seasons
from tests.clients.python.conftest import Recorded

FIELDS = {"A": (4.40, 51.00), "B": (4.43, 51.02)}
BOX = (4.40, 51.00, 4.41, 51.01)
HOW = {"smooth": "whittaker", "phenology": "threshold"}
DATES = ["start", "peak", "end"]


def expected(phenology, **labels):
    """Return the rows of the server's answer, with its texts as dates."""
    frame = pd.DataFrame(phenology).assign(season=range(1, len(phenology["start"]) + 1), **labels)
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[ns]") for name in DATES})


@pytest.fixture(scope="module")
def demo(five_years, tmp_path_factory):
    """A demo of five years."""
    app = create_app(Settings(config=five_years / "demo.yaml", jobs_dir=tmp_path_factory.mktemp("jobs")))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Recorded(app, client)


@pytest.mark.slow
def test_seasons_of_points_have_a_row_each(demo):
    ndvi = demo.archive.layers["NDVI"]
    documents = {
        name: demo.document("/timeseries/NDVI/point", lon=str(lon), lat=str(lat), **HOW)["analysis"]["phenology"]
        for name, (lon, lat) in FIELDS.items()
    }

    found = seasons(ndvi.series(FIELDS, **HOW))

    rows = pd.concat([expected(each, id=name) for name, each in documents.items()], ignore_index=True)
    assert set(found["id"]) == {"A", "B"}
    assert list(found.columns) == ["id", "season", *DATES, "length", "amplitude", "peak_value"]
    pd.testing.assert_frame_equal(found, rows[list(found.columns)], check_dtype=False)
    assert (found["end"] > found["start"]).all()
    pd.testing.assert_frame_equal(seasons(ndvi.series(FIELDS["A"], **HOW)), found[found["id"] == "A"].iloc[:, 1:])


@pytest.mark.slow
def test_seasons_of_areas_have_their_reducer(demo):
    table = demo.archive.layers["NDVI"].series(BOX, reducers=["mean", "max"], **HOW)

    found = seasons(table)

    analysis = table.attrs["analysis"]
    rows = pd.concat([expected(analysis[name]["phenology"], reducer=name) for name in ("mean", "max")])
    assert list(found["reducer"]) == list(rows["reducer"])
    assert list(found["peak"]) == list(rows["peak"])


@pytest.mark.slow
def test_places_whose_ids_repeat_keep_their_seasons(demo):
    table = demo.archive.layers["NDVI"].series(FIELDS, **HOW)
    apart = seasons(table)
    table["id"] = "X"
    table.attrs["analysis"] = list(table.attrs["analysis"].values())

    assert list(seasons(table)["peak"]) == list(apart["peak"])


def test_series_without_phenology_have_no_seasons(archive):
    table = archive.layers["NDVI"].series((4.6, 50.85))

    with pytest.raises(ValueError, match="request the series with phenology='threshold'"):
        seasons(table)
