"""Numbers instead of colours on a grid."""

import io

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from tests.pipeline.maps.test_render import AREA, UTM, request
from tests.protocols import served


def expected_values(variable):
    numbers = served.expected_numbers(served.BELGIUM_31N, AREA, 3)
    return np.where(numbers == served.NODATA, np.nan, numbers * variable.encoding.scale + variable.encoding.offset)


@pytest.fixture
def scaled():
    variable = served.make_variable(scale=0.004, offset=-0.08)
    return variable, served.make_services(served.make_collection(served.make_layer(variable=variable)))


def test_npy_has_the_values(scaled):
    variable, services = scaled

    values = np.load(io.BytesIO(served.draw_map(request(format=MapFormat.NPY), services).body))

    assert values.dtype == np.float32
    assert np.array_equal(values, expected_values(variable).astype(np.float32), equal_nan=True)


def test_geotiff_has_the_values_and_the_grid(scaled):
    variable, services = scaled

    body = served.draw_map(request(format=MapFormat.VALUE_TIFF), services).body

    with rasterio.open(io.BytesIO(body)) as dataset:
        assert np.array_equal(dataset.read(1), expected_values(variable).astype(np.float32), equal_nan=True)
        assert dataset.crs.to_epsg() == 32631
        assert tuple(dataset.bounds) == tuple(AREA.bbox)


def test_outside_the_data_there_are_no_values(scaled):
    beside = Grid(crs=UTM, bbox=BBox(0, 0, 3200, 3200), width=32, height=32)

    values = np.load(io.BytesIO(served.draw_map(request(format=MapFormat.NPY, grid=beside), scaled[1]).body))

    assert np.isnan(values).all()


def test_a_composite_has_no_values():
    services = served.make_services(served.make_collection(served.make_composite()))

    with pytest.raises(UnsupportedFormat, match="composite"):
        served.draw_map(request("TRUE_COLOUR", format=MapFormat.VALUE_TIFF), services)
