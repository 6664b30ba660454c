"""Real layouts of archives that failed: yearly files of dated bands, one NetCDF file per date."""

import numpy as np
import pytest
import rasterio
import xarray
from pyproj import Transformer

from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.instants import format_day
from chronotile.core.model.time.periods import DEKAD
from tests.archive.series import series_at

pytestmark = pytest.mark.data

DEKADS = domain_of_periods(np.datetime64("2001-01-01", "ns"), DEKAD, 612)


@pytest.fixture
def write_years(shared, tmp_path):
    """Return `write_years("ndmi_{}.tif", are_described)`: the 612 dekads of Mexico as 17 files; returns their bands."""

    def write(name, *, are_described):
        (path,) = (shared / "data" / "ndmi_dekads_mexico").glob("*.tif")
        with rasterio.open(path) as source:
            bands, profile = source.read(), source.profile | {"count": 36}
        for year in range(17):
            with rasterio.open(tmp_path / name.format(2001 + year), "w", **profile) as file:
                file.write(bands[36 * year : 36 * (year + 1)])
                if are_described:
                    file.descriptions = [format_day(DEKADS.starts[36 * year + band]) for band in range(36)]
        longitude, latitude = Transformer.from_crs(profile["crs"], "EPSG:4326", always_xy=True).transform(
            *(profile["transform"] @ (10.5, 20.5))
        )
        return bands, longitude, latitude

    return write


def expected(bands):
    values = bands[:, 20, 10].astype(float)
    return [None if value < -1e30 or np.isnan(value) else pytest.approx(value, abs=1e-6) for value in values]


def test_yearly_files_of_dekads_are_one_layer_of_612_times(write_years, open_at, tmp_path):
    bands, longitude, latitude = write_years("ndmi_{}.tif", are_described=True)

    archive = open_at(tmp_path)

    (layer,) = archive.services.catalogue.layers
    assert [format_day(each) for each in layer.times.instants] == [format_day(each) for each in DEKADS.starts]
    assert series_at(archive, layer.id, lon=longitude, lat=latitude)["values"] == expected(bands)


def test_yearly_files_get_the_configured_dekads_of_their_years(write_years, open_at, tmp_path):
    bands, longitude, latitude = write_years("ndmi_{}.tif", are_described=False)
    (tmp_path / "ndmi_2009.tif").unlink()
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        "collections:\n  m: {source: {kind: cog, href: 'ndmi_*.tif', times: {start: 2001-01-01, step: dekad, "
        "count: 612}}, variables: {NDMI: {layer: NDMI}}}\n"
    )

    archive = open_at(file)

    kept = [t for t in range(612) if not 8 * 36 <= t < 9 * 36]
    assert series_at(archive, "NDMI", lon=longitude, lat=latitude)["values"] == expected(bands[kept])
    assert any("36 of 612 times" in each.message for each in archive.findings)


def test_one_netcdf_a_month_is_one_layer(shared, open_at, tmp_path):
    (path,) = (shared / "data" / "modis_ndvi_north_america").glob("*.nc")
    with xarray.open_dataset(path, mask_and_scale=False) as dataset:
        for month in range(12):
            part = dataset.isel(time=[month]).load()
            day = str(part["time"].values[0])[:10].replace("-", "")
            part.to_netcdf(tmp_path / f"MOD13A3_NDVI_{day}.nc", engine="h5netcdf")
        longitude, latitude = float(dataset["lon"][400]), float(dataset["lat"][300])
    with xarray.open_dataset(path) as dataset:
        name = next(str(each) for each, field in dataset.data_vars.items() if field.ndim == 3)
        values = dataset[name].isel(lat=300, lon=400).to_numpy().astype(float)

    archive = open_at(tmp_path)

    (layer,) = archive.services.catalogue.layers
    answer = series_at(archive, layer.id, lon=longitude, lat=latitude)
    assert len(answer["times"]) == 12
    assert answer["values"] == [None if np.isnan(value) else pytest.approx(value, abs=1e-6) for value in values]
