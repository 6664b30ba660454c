"""Coverages as PNG, as Pillow and GDAL read them."""

import io

import numpy as np
import pytest
import rasterio
from PIL import Image

from chronotile.core.errors import InvalidParameter, UnsupportedFormat
from chronotile.core.model.time.domain import NO_TIME
from chronotile.pipeline.encoders.coverage.png import encode_coverage_png
from tests.pipeline.encoders.coverages import expected_numbers, make_coverage, make_field

GREYS = {"uint8": (255.0, "L"), "uint16": (65535.0, "I;16")}


@pytest.mark.parametrize(("dtype", "nodata", "mode"), [(name, *each) for name, each in GREYS.items()], ids=GREYS)
@pytest.mark.parametrize("rows", [10**6, 7], ids=["at once", "in strips"])
def test_greys_are_the_numbers(dtype, nodata, mode, rows):
    coverage = make_coverage(make_field(dtype=dtype, nodata=nodata), times=NO_TIME, rows_at_once=rows)

    with Image.open(io.BytesIO(encode_coverage_png(coverage))) as image:
        assert image.mode == mode
        assert image.info["transparency"] == nodata
        np.testing.assert_array_equal(np.asarray(image), expected_numbers(coverage)[0])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_transparent_grey_is_nodata_to_gdal():
    coverage = make_coverage(make_field(dtype="uint16", nodata=0.0), times=NO_TIME)

    with rasterio.MemoryFile(encode_coverage_png(coverage)) as file, file.open() as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("uint16",), 0)
        np.testing.assert_array_equal(dataset.read(1), expected_numbers(coverage)[0])


def test_all_numbers_may_be_values():
    coverage = make_coverage(make_field(nodata=None), times=NO_TIME)

    with Image.open(io.BytesIO(encode_coverage_png(coverage))) as image:
        assert "transparency" not in image.info


@pytest.mark.parametrize("dtype", ["int16", "uint32", "float32"])
def test_numbers_that_are_no_greys_are_refused_with_other_formats(dtype):
    coverage = make_coverage(make_field(dtype=dtype, nodata=1.0), times=NO_TIME)

    with pytest.raises(UnsupportedFormat, match=f"NDVI is {dtype}; GTiff, NetCDF, zarr and json.*/map") as refused:
        encode_coverage_png(coverage)

    assert refused.value.locator == "f"
    assert coverage.reads == []


REFUSED = {
    "times": (make_coverage(), "datetime"),
    "fields": (make_coverage(make_field("A"), make_field("B"), times=NO_TIME), "properties"),
}


@pytest.mark.parametrize(("coverage", "locator"), REFUSED.values(), ids=REFUSED)
def test_more_than_one_picture_is_refused(coverage, locator):
    with pytest.raises(InvalidParameter) as refused:
        encode_coverage_png(coverage)

    assert refused.value.locator == locator
