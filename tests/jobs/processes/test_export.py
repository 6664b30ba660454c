"""Exports: the numbers that coverages have, beyond the limit of a request."""

import numpy as np
import pytest
import rasterio
import xarray
import zarr

from chronotile.catalog.catalogue import Limits
from chronotile.errors import InvalidParameter, LimitExceeded, TimeNotAvailable, UnsupportedCrs
from chronotile.jobs.execute import execute
from chronotile.jobs.job import Execution
from chronotile.jobs.processes import export, process_of
from tests.jobs.processes.doing import blocks_of, do_oddly, work_in
from tests.protocols import served
from tests.real_data.truth import CONFIGURED, open_place, raster_truth

SHAPE = (served.BELGIUM_31N.height, served.BELGIUM_31N.width)
ALL_DATES = np.stack([served.number_at(*np.indices(SHAPE), time) for time in range(len(served.DEKADS))])


@pytest.fixture
def services():
    return served.make_services(limits=Limits(max_coverage_bytes=1000))


def exported(services, folder, **inputs):
    """The file of an export that is made at once, and its media type."""
    results = execute(Execution(process="export", inputs={"layer": "NDVI"} | inputs), services, folder)
    return folder / results["export"].file, results["export"].media_type


def test_a_geotiff_has_a_band_a_time(services, tmp_path):
    path, media_type = exported(services, tmp_path)

    assert (path.name, media_type) == ("s2_2020-05-21_2020-06-21.tif", "image/tiff; application=geotiff")
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), ALL_DATES)


def test_netcdf_has_the_times_that_are_asked_for(services, tmp_path):
    path, media_type = exported(services, tmp_path, format="NetCDF", datetime="2020-06")

    assert media_type == "application/x-netcdf"
    with xarray.open_dataset(path, engine="h5netcdf", mask_and_scale=False) as dataset:
        np.testing.assert_array_equal(dataset["NDVI"].values, ALL_DATES[1:])


def test_a_zarr_store_is_zipped(services, tmp_path):
    path, media_type = exported(services, tmp_path, format="zarr")

    assert (path.suffixes[-2:], media_type) == ([".zarr", ".zip"], "application/zip")
    with zarr.storage.ZipStore(path, mode="r") as store:
        np.testing.assert_array_equal(xarray.open_zarr(store, mask_and_scale=False)["NDVI"].values, ALL_DATES)


def test_a_box_is_cut_out(services, tmp_path):
    box = {"bbox": [601_000, 5_640_000, 602_000, 5_642_000], "crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}

    path, _media_type = exported(services, tmp_path, bbox=box)

    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), ALL_DATES[:, 80:100, 10:20])


def test_a_file_may_be_in_another_crs(services, tmp_path):
    path, _media_type = exported(services, tmp_path, crs="EPSG:3035", datetime="2020-06-01")

    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 3035


def test_several_layers_of_a_collection_come_together(tmp_path):
    layers = [served.make_layer("NDVI"), served.make_layer("LAI")]

    path, _media_type = exported(served.make_services(served.make_collection(*layers)), tmp_path, layer=["NDVI", "LAI"])

    with rasterio.open(path) as file:
        assert [name.split()[0] for name in file.descriptions] == ["NDVI", "LAI"] * 4


def test_what_is_done_twice_is_there_once(services, tmp_path):
    results = do_oddly("export", {"layer": "NDVI"}, services, tmp_path)
    again = process_of("export").finish({}, [vars_of(results["export"])], work_in(tmp_path, services))

    assert again == results
    assert [path.name for path in tmp_path.rglob("*.*")] == ["s2_2020-05-21_2020-06-21.tif"]


def vars_of(result):
    """What is remembered of the block that wrote a result."""
    return {"file": result.file, "media_type": result.media_type}


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"datetime": "2019"}, TimeNotAvailable),
        ({"crs": "EPSG:1"}, UnsupportedCrs),
        ({"format": "png"}, InvalidParameter),
        ({"layer": []}, InvalidParameter),
    ],
    ids=str,
)
def test_what_makes_no_file_is_refused_before_anything_is_read(services, inputs, error):
    with pytest.raises(error):
        blocks_of("export", {"layer": "NDVI"} | inputs, services)


def test_what_no_disk_holds_is_refused(services, monkeypatch):
    monkeypatch.setattr(export, "MOST_BYTES", 479_999)

    with pytest.raises(LimitExceeded, match="smaller bbox"):
        blocks_of("export", {"layer": "NDVI"}, services)


@pytest.mark.data
def test_real_data_are_exported_as_they_are(tmp_path, shared_data):
    truth = raster_truth(sorted((shared_data / "modis_sinop").glob("*.jp2")), dtype="int16", scale=1e-4)
    archive = open_place(CONFIGURED["modis_sinop"])

    path, _media_type = exported(archive.services, tmp_path, layer="sinop.NDVI")
    archive.close()

    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), truth.numbers)
