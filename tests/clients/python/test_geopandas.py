"""GeoDataFrames and GeoSeries as places, in any coordinate reference system."""

import numpy as np
import pytest
from shapely.geometry import Point, box

from chronotile_client import ArchiveWarning
from tests.protocols.served import BELGIUM_31N, number_at

geopandas = pytest.importorskip("geopandas")

CELLS = {"wheat": (20, 40), "maize": (60, 90), "beet": (150, 200)}


def centre_of(name):
    """Return the centre of a field's first cell, in the CRS of the data."""
    return BELGIUM_31N.centre_of(*CELLS[name])


@pytest.fixture
def fields():
    """Fields of four by three cells in the CRS of the data, by name."""
    outlines = [box(x - 50, y - 350, x + 250, y + 50) for x, y in map(centre_of, CELLS)]
    frame = geopandas.GeoDataFrame({"area_ha": [12, 12, 12]}, geometry=outlines, crs=32631, index=list(CELLS))
    return frame.rename_axis("crop")


@pytest.mark.parametrize("crs", [32631, 3035, 4326, "OGC:CRS84"])
def test_fields_in_any_crs_have_the_mean_of_their_cells(archive, fields, crs):
    table = archive.layers["NDVI"].series(fields.to_crs(crs))

    assert list(dict.fromkeys(table["id"])) == list(CELLS)
    for name, (row, column) in CELLS.items():
        rows, columns = np.mgrid[row : row + 4, column : column + 3]
        expected = [number_at(rows, columns, time).mean() for time in range(4)]
        own = table[table["id"] == name]
        assert own["mean"].tolist() == pytest.approx(expected, rel=1e-6)
        assert set(own["total"]) == {12}


def test_fields_without_a_crs_are_warned_of(archive, fields):
    without = fields.to_crs(4326).set_crs(None, allow_override=True)

    with pytest.warns(
        ArchiveWarning, match="the GeoDataFrame has no CRS: longitude and latitude are assumed"
    ) as warned:
        table = archive.layers["NDVI"].series(without)

    assert warned[0].filename == __file__
    assert table["mean"].tolist() == archive.layers["NDVI"].series(fields)["mean"].tolist()


def test_series_joins_with_the_columns_of_its_fields(archive, fields):
    table = archive.layers["NDVI"].series(fields).merge(fields, left_on="id", right_index=True)

    assert set(table["area_ha"]) == {12}


def test_geometries_alone_and_points_keep_their_labels(archive, fields):
    points = geopandas.GeoSeries([Point(centre_of(name)) for name in CELLS], index=[7, 8, 9], crs=32631)

    areas = archive.layers["NDVI"].series(fields.geometry)
    values = archive.layers["NDVI"].series(points)

    assert list(dict.fromkeys(areas["id"])) == list(CELLS)
    assert list(dict.fromkeys(values["id"])) == [7, 8, 9]
    assert values[values["id"] == 7]["value"].tolist() == [
        float(number_at(np.array(20), np.array(40), time)) for time in range(4)
    ]


def test_fields_are_places_of_a_process(recorded, fields):
    job = recorded.archive.process("zonal-statistics", at_once_s=0, layer="NDVI", places=fields.reset_index())

    assert job.status == "accepted"
    assert b"wheat" in recorded.requests[0].content
