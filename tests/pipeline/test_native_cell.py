"""Reads of the native cell at a point."""

import numpy as np
import pytest
import xarray

from chronotile.core.model.request import IdentifyRequest, Point, SeriesRequest
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.identify import InfoFormat, deliver_identified
from chronotile.pipeline.series.point import extract_series
from chronotile.readers.netcdf.open import open_netcdf
from tests.protocols import served
from tests.scenes import make_spec, save_netcdf

POINT = Point(x=2.0, y=2.0, crs=CRS84)
TIME = parse_time("2020")


def write_days(folder, number):
    """Write a file of 130 days whose cells all have one number."""
    days = np.arange("2020-01-01", "2020-05-10", dtype="datetime64[D]").astype("datetime64[ns]")
    numbers = np.full((days.size, 4, 4), number, dtype="uint8")
    axes = {"time": days, "lat": np.arange(4.0, 0.0, -1.0), "lon": np.arange(4.0)}
    return save_netcdf(xarray.Dataset({"NDVI": (("time", "lat", "lon"), numbers)}, axes), folder / "days.nc")


def series_of(services):
    return extract_series(SeriesRequest(layer="NDVI", point=POINT, time=TIME), services).values.tolist()


def identify_values(services):
    layers = []
    form = InfoFormat(media_type="text/plain", encode=lambda identified: layers.extend(identified) or b"")
    deliver_identified([IdentifyRequest(layer="NDVI", point=POINT, time=TIME)], form, services)
    return [value for layer in layers for value in layer.cells[0].values]


@pytest.mark.parametrize("values_of", [series_of, identify_values])
def test_values_of_a_file_have_one_version_although_it_is_read_in_parts(tmp_path, monkeypatch, values_of):
    reader = open_netcdf(make_spec("netcdf", write_days(tmp_path, 1)))
    read, reads = reader.read_cell, []

    def read_cell(*args, **options):
        pixels = read(*args, **options)
        if not reads:
            write_days(tmp_path, 2)
        reads.append(len(pixels.numbers))
        return pixels

    monkeypatch.setattr(reader, "read_cell", read_cell)
    values = values_of(served.make_services_of(reader))

    assert set(values) == {2}
    assert reads == [64, 64, 2] * 2
