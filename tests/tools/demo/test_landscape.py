"""The formulas of the demo's landscape: seasons of plants, clouds, snow; and the data file made from them."""

import numpy as np
import pytest

from chronotile.demo import DemoPlan
from chronotile.demo.scene import FILE, open_scene
from tools.demo.landscape import Kind, Parcels, make_landscape
from tools.demo.phenology import make_calendar
from tools.demo.sky import cloud_field, dekad_cloud_share, sky_of_dekad


def parcels_of(kind, count=40):
    nothing = np.zeros(count, dtype=np.float32)
    return Parcels(np.arange(count, dtype=np.uint64), np.full(count, int(kind)), nothing, nothing)


def mean_ndvi(kind, day):
    return float(make_calendar(parcels_of(kind)).ndvi(np.datetime64(day)).mean())


def test_snow_lies_in_a_snowy_dekad():
    sky = sky_of_dekad(DemoPlan().grid, np.datetime64("2021-02-01"))

    assert 0.5 < sky.snow.mean() < 0.6


@pytest.mark.parametrize("day", ["2021-06-01", "2020-09-01"])
def test_some_dekads_lack_a_strip(day):
    assert 0.02 < sky_of_dekad(DemoPlan().grid, np.datetime64(day)).gap.mean() < 0.3


def test_winters_are_cloudier_than_summers():
    starts = DemoPlan().time_domain.starts.astype("datetime64[D]")
    shares = np.array([dekad_cloud_share(day) for day in starts]).reshape(5, 36)

    assert 0.1 < shares[:, [0, 1, 2, 33, 34, 35]].mean() < 0.35
    assert shares[:, 15:24].mean() < 0.1


def test_cloud_banks_drift_to_the_north_east():
    x, y = np.arange(0, 60_000.0, 600.0), np.arange(60_000.0, 0, -600.0)

    before, after = cloud_field(x, y, day=18_000), cloud_field(x + 760 * 0.5, y + 310 * 0.5, day=18_000.5)

    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.97


def test_crops_have_their_own_seasons():
    may, august = (2024, "05-20"), (2024, "08-20")

    ndvi = {(kind, when): mean_ndvi(kind, f"{when[0]}-{when[1]}") for kind in Kind for when in (may, august)}

    arable = make_calendar(parcels_of(Kind.WHEAT, 600))
    swing = arable.ndvi(np.datetime64("2024-05-20")) - arable.ndvi(np.datetime64("2024-08-20"))
    assert swing.min() < -0.5  # maize
    assert swing.max() > 0.5  # wheat
    assert ndvi[Kind.DECIDUOUS, may] > 0.8
    assert ndvi[Kind.WATER, may] < 0


@pytest.mark.parametrize("kind", [Kind.DECIDUOUS, Kind.CONIFER, Kind.GRASS, Kind.ORCHARD, Kind.GARDEN])
def test_perennial_vegetation_is_greener_in_june_than_in_january(kind):
    assert mean_ndvi(kind, "2023-06-01") > mean_ndvi(kind, "2023-01-15") + 0.03


def test_the_dry_summer_of_2022_shows():
    assert mean_ndvi(Kind.GRASS, "2022-08-05") < mean_ndvi(Kind.GRASS, "2024-08-05") - 0.05


def test_the_data_file_is_at_most_ten_megabytes():
    assert FILE.stat().st_size <= 10_000_000


@pytest.mark.quick_cases("16")
@pytest.mark.parametrize("dekad", [3, 16, 100])
def test_the_data_file_has_the_green_of_the_formulas(dekad):
    """Parcels have steps of 0.004; the variation inside parcels has separate steps."""
    grid = DemoPlan(size_px=64).grid
    landscape = make_landscape(grid)
    day = DemoPlan().time_domain.starts[dekad].astype("datetime64[D]") + np.timedelta64(5, "D")
    parcels = make_calendar(landscape.parcels).ndvi(day)[landscape.parts].mean(axis=0)

    away = np.abs(open_scene(grid).ndvi(dekad) - parcels)
    # Inside of parcels 0.06 of ndvi (1 - ndvi) varies; fields that the small edge cuts off may get another crop.
    assert (away < 0.06).mean() > 0.9
