"""Series of areas of real data, compared with results of rasterio, exactextract, pyproj and numpy."""

from itertools import pairwise

import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import Geod
from rasterio.features import rasterize

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.series.reducers import parse_reducers
from chronotile.pipeline.series.areas import extract_area_series
from tests.real_data.layers import LAYERS
from tests.real_data.truth import open_place

pytestmark = [pytest.mark.data, pytest.mark.slow]

REDUCERS = parse_reducers(["mean", "std", "min", "max", "sum", "p10", "median", "p90"])
SEEN = (
    *("ndvi-north-america-2001.ndvi", "ndvi-scl-romania-10m.ndvi", "sinop.NDVI", "slovenia.EVI", "ndmi.NDMI"),
    *("cube-1-250-250.conc_chl", "raw-s2-ndvi-field.NDVI", "fapar-1km.FAPAR"),
)


@pytest.fixture(scope="module", params=SEEN)
def served(request):
    """Return an open archive, the id of a layer, and the expected numbers."""
    place, truth = LAYERS[request.param]
    archive = open_place(place)
    yield archive.services, request.param, truth()
    archive.close()


def kite(truth):
    """(corner, 2) columns and rows over the middle of the files."""
    _times, height, width = truth.numbers.shape
    middle, size = np.array([width, height]) * 0.503, np.minimum([width, height], 700) * 0.35
    return middle + size * [(0.11, -1), (0.97, 0.13), (-0.21, 0.91), (-1, 0.07), (0.11, -1)]


def series_of(served, **asked):
    services, layer, truth = served
    x, y = truth.transform @ tuple(kite(truth).T)
    crs = services.catalogue.layer(layer).main_variable.grid.crs
    area = Area(polygons=((np.column_stack([x, y]),),), crs=crs)
    return extract_area_series(AreaSeriesRequest(layer=layer, areas=(area,), reducers=REDUCERS, **asked), services)


def assert_as_numpy(truth, found, weights, *, is_weighted):
    """Compare with numpy over the cells that weigh something."""
    inside = weights > 0
    own = weights[inside]
    for time, numbers in enumerate(truth.numbers):
        valid = truth.valid()[time][inside]
        values = numbers[inside][valid].astype(np.float64) * truth.scale + truth.offset
        assert found.valid[time] == values.size
        if values.size:
            weigh = own[valid]
            mean = np.average(values, weights=weigh)
            ranked = {"weights": weigh, "method": "inverted_cdf"} if is_weighted else {}
            expected = {
                "mean": mean,
                "std": np.sqrt(np.average((values - mean) ** 2, weights=weigh)),
                "sum": (values * weigh).sum(),
                "min": values.min(),
                "max": values.max(),
                **{name: float(np.percentile(values, percent, **ranked)) for name, percent in PERCENTS.items()},
            }
            shown = {name: column[time] for name, column in found.reduced.items()}
            assert shown == pytest.approx(expected, rel=1e-6, abs=1e-12)


PERCENTS = {"p10": 10, "median": 50, "p90": 90}


def test_cells_inside_equal_those_of_rasterio(served):
    truth = served[2]
    shape = {"type": "Polygon", "coordinates": [kite(truth).tolist()]}
    weights = rasterize([shape], truth.numbers.shape[1:], dtype="uint8").astype(float)

    (found,) = series_of(served).areas

    assert found.total == np.count_nonzero(weights)
    assert_as_numpy(truth, found, weights, is_weighted=False)


def test_parts_of_cells_equal_those_of_exactextract(served):
    truth = served[2]
    weights = parts_of_cells(truth) * cell_areas(truth)[:, None]

    (found,) = series_of(served, weights="area").areas

    assert found.total == np.count_nonzero(weights)
    assert_as_numpy(truth, found, weights, is_weighted=True)


def parts_of_cells(truth):
    """(y, x), by exactextract in columns and rows."""
    _times, height, width = truth.numbers.shape
    raster = NumPyRasterSource(np.ones((height, width)), xmin=0, ymin=0, xmax=width, ymax=height)
    ring = (kite(truth) * (1, -1) + (0, height)).tolist()
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (found,) = exact_extract(raster, feature, ["cell_id", "coverage"])
    parts = np.zeros(height * width)
    parts[found["properties"]["cell_id"].astype(int)] = found["properties"]["coverage"]
    return parts.reshape(height, width)


def cell_areas(truth):
    """Return (y,) square metres, on the ellipsoid by pyproj if the grid is geographic."""
    height = truth.numbers.shape[1]
    if not truth.crs.is_geographic:
        return np.full(height, abs(truth.transform.determinant))
    geod, steps = Geod(ellps="WGS84"), np.linspace(0, truth.transform.a, 50)
    edges = truth.transform.f + truth.transform.e * np.arange(height + 1)
    return np.array(
        [
            abs(geod.polygon_area_perimeter([*steps, *steps[::-1]], [north] * 50 + [south] * 50)[0])
            for north, south in pairwise(edges)
        ]
    )
