"""Files of coverages of real data, read by rasterio and xarray, compared with the source's files."""

import io

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr

from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.pipeline.coverage.deliver import deliver_coverage
from tests.real_data.test_coverages import box_of, part_of, services
from tests.real_data.test_real_data import archive_at, each_layer

__all__ = ["archive_at", "services"]

pytestmark = [pytest.mark.data, pytest.mark.slow]


def in_rasterio(body, _name, _folder):
    with rasterio.MemoryFile(body) as file, file.open() as dataset:
        numbers = dataset.read(masked=True).astype(np.float64)
        return (numbers * dataset.scales[0] + dataset.offsets[0]).filled(np.nan)


def in_xarray(body, name, _folder):
    with xr.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        return dataset[name].values


def in_zarr(body, name, folder):
    (folder / "coverage.zarr.zip").write_bytes(body)
    with zarr.storage.ZipStore(folder / "coverage.zarr.zip", mode="r") as store:
        return xr.open_zarr(store, chunks=None)[name].values


READERS = {"GTiff": in_rasterio, "NetCDF": in_xarray, "zarr": in_zarr}


@each_layer
@pytest.mark.parametrize(("format_name", "read"), READERS.items(), ids=READERS)
def test_file_has_the_values_of_the_source(services, expected, format_name, read, tmp_path):
    truth = expected.truth()
    rows, columns = part_of(truth)
    variable = services.catalogue.layer(expected.layer).main_variable
    trim = Trim(box=box_of(truth, rows, columns), crs=variable.grid.crs)

    delivery = deliver_coverage(CoverageRequest(layers=(expected.layer,), trims=(trim,)), format_name, services)
    found = read(b"".join(delivery.body.iter_bytes()), variable.name, tmp_path)
    delivery.body.close()

    asked = np.s_[:, rows.start : rows.stop, columns.start : columns.stop]
    values = np.where(truth.valid(*asked), truth.numbers[asked].astype(np.float64) * truth.scale + truth.offset, np.nan)
    upright = values[:, :: -1 if truth.transform.e > 0 else 1]
    np.testing.assert_array_equal(found.reshape(upright.shape).astype(np.float64), upright)
