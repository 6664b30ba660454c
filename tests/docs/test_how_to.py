"""How-to pages that are followed from the first to the last block, in an empty folder, with real servers."""

import csv
import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from tests.docs.reader import reading
from tests.docs.shell import SERVER
from tests.docs.site import DOCS

pytestmark = [pytest.mark.slow, pytest.mark.every_case]


def follow(folder, name):
    """Return the output of each block of commands of a page."""
    with reading(folder) as reader:
        reader.follow(DOCS / "how-to" / f"{name}.md")
        return reader.printed


def values_of(text, column):
    """Return `{day: value}` of the last table in an output; a missing value is an empty text."""
    table = text[text.rindex("time,") - (3 if "id,time," in text else 0) :]
    return {row["time"][:10]: row[column] for row in csv.DictReader(table.splitlines())}


@pytest.fixture(scope="module")
def cloud_masks(tmp_path_factory):
    """Return the outputs of the page, and its folder."""
    folder = tmp_path_factory.mktemp("cloud-masks")
    return follow(folder, "cloud-masks"), folder


def test_series_of_points_omit_cloudy_dates(cloud_masks):
    clear, masked, _areas = filter(None, cloud_masks[0])

    assert values_of(masked, "value") == {"2023-06-01": "0.3", "2023-06-11": "", "2023-06-21": ""}
    assert values_of(clear, "value") == values_of(masked, "value")


def test_series_of_areas_omit_dates_below_min_valid(cloud_masks):
    areas = cloud_masks[0][-1]

    assert values_of(areas, "mean") == {"2023-06-01": "0.3", "2023-06-11": "", "2023-06-21": ""}
    assert values_of(areas, "valid") == {"2023-06-01": "15590", "2023-06-11": "10697", "2023-06-21": "0"}


def test_a_composite_has_the_median_of_the_clear_dates(cloud_masks):
    with rasterio.open(cloud_masks[1] / "june.tif") as file:
        row = file.read(1)[0]

    np.testing.assert_allclose(row[[50, 150, 250]], [0.3, 0.35, 0.4], rtol=1e-6)


@pytest.fixture(scope="module")
def monthly_netcdf(tmp_path_factory):
    """Return the outputs of the page, and its folder."""
    folder = tmp_path_factory.mktemp("monthly-netcdf")
    return follow(folder, "monthly-netcdf"), folder


def test_both_longitudes_of_a_point_have_its_column(monthly_netcdf):
    (text,) = (printed for printed in monthly_netcdf[0] if printed.startswith("time,"))

    assert text.splitlines()[1::2] == ["2022-04-01T00:00:00Z,263,"] * 2  # column 260 in the fourth month


def test_boxes_cross_greenwich_and_the_antimeridian(monthly_netcdf):
    text = monthly_netcdf[0][-1]
    greenwich, antimeridian = [*range(350, 360), *range(10)], range(170, 190)

    means = [float(line.split(",")[2]) for line in text.splitlines()[1::2]]
    assert means == [3 + np.mean(columns) for columns in (greenwich, antimeridian)]


def test_a_coverage_across_greenwich_starts_in_the_west(monthly_netcdf):
    with rasterio.open(monthly_netcdf[1] / "europe.tif") as file:
        assert file.bounds == (-10, 35, 40, 70)
        np.testing.assert_array_equal(file.read(1)[0], [3 + column % 360 for column in range(350, 400)])


def write_bounds(year, folder):
    """Write bounds of the months, and return a source for the server."""
    ends = pd.date_range("2022-02-01", periods=12, freq="MS")
    bounds = (("time", "side"), np.stack([year.time.values, ends.values], axis=1))
    year.time.attrs["bounds"] = "time_bnds"
    encoding = {name: {"units": "days since 2022-01-01"} for name in ("time", "time_bnds")}
    year.assign(time_bnds=bounds).to_netcdf(folder / "rain_2022.nc", encoding=encoding)
    return folder / "rain_2022.nc"


def write_times(year, folder):
    """Write the year, and return a configuration with its times."""
    year.to_netcdf(folder / "year.nc")
    times = {"start": "2022-01-01", "step": "P1M", "count": 12}
    source = {"kind": "netcdf", "href": "year.nc", "times": times}
    collections = {"rain": {"source": source, "variables": {"rain": {}}}}
    (folder / "rain.yaml").write_text(yaml.safe_dump({"collections": collections}), encoding="utf-8")
    return folder / "rain.yaml"


def write_names(year, folder):
    """Write each month to a file, and return their folder."""
    for number in range(12):
        year.isel(time=number, drop=True).to_netcdf(folder / f"rain_2022{number + 1:02d}.nc")
    return folder


@pytest.mark.parametrize("write", [write_bounds, write_times, write_names])
def test_each_remedy_gives_a_value_to_the_whole_month(monthly_netcdf, write, tmp_path):
    (tmp_path / "data").mkdir()
    with xr.open_dataset(monthly_netcdf[1] / "rain" / "rain_2022.nc") as year:
        configuration = write(year.load(), tmp_path / "data")

    with TestClient(create_app(Settings(config=configuration, jobs_dir=tmp_path / "jobs"))) as client:
        (layer,) = client.get("/layers").json()["layers"]
        answer = client.get(f"/timeseries/{layer['id']}/point?lon=-99.5&lat=40.5&datetime=2022-04-15")

    assert answer.json()["values"] == [263]


def test_a_box_beyond_360_degrees_is_refused(monthly_netcdf, tmp_path):
    configuration = monthly_netcdf[1] / "rain.yaml"
    with TestClient(create_app(Settings(config=configuration, jobs_dir=tmp_path / "jobs"))) as client:
        assert client.get("/timeseries/RAIN/area?bbox=350,40,370,50").status_code == 400


DEMO = DemoPlan(size_px=100, first_day="2023-01-01", dekads=12, levels=1, picture_days=("2024-06-01",))


@pytest.fixture(scope="module")
def make_it_yours(tmp_path_factory):
    """Return the outputs of the page, and its folder with a demo and a logo."""
    folder = tmp_path_factory.mktemp("make-it-yours")
    make_demo(folder / "data" / "demo", plan=DEMO)
    Image.new("RGB", (64, 64), "#0b5d1e").save(folder / "logo.png")
    return follow(folder, "make-it-yours"), folder


def test_a_configuration_with_title_and_logo_has_no_findings(make_it_yours):
    assert make_it_yours[0][0].startswith("1 collection, 2 layers: 0 errors, 0 warnings")


def test_the_viewer_has_title_logo_base_map_and_layer(make_it_yours):
    document = json.loads(make_it_yours[0][0].partition("\n")[2])

    assert document["title"] == "Vegetation of my region"
    assert document["logo"] == "viewer/logo.png"
    assert (document["default_layer"], document["default_base_map"]) == ("NDVI", "streets")
    assert [base_map["title"] for base_map in document["base_maps"]] == ["Streets"]


def test_the_layer_has_the_colours_of_the_style(make_it_yours, tmp_path):
    configuration = make_it_yours[1] / "maps.yaml"
    with TestClient(create_app(Settings(config=configuration, jobs_dir=tmp_path / "jobs"))) as client:
        legend = client.get("/tiles/NDVI/legend.json").json()

    assert (legend["style"], legend["range"]) == ("my-greens", [0, 0.9])
    assert [stop["color"] for stop in legend["stops"]] == ["#f5f0e1", "#c9d48a", "#0b5d1e"]


@pytest.mark.client("ogrinfo")
def test_the_address_for_qgis_has_a_value_for_each_field(server):
    """GDAL and QGIS send the same requests; tests/clients/test_features.py draws such a layer in QGIS."""
    page = (DOCS / "how-to" / "coloured-fields.md").read_text(encoding="utf-8")
    (address,) = re.findall(rf"URL `{re.escape(SERVER)}(/ogcapi\?[^`]+)`", page)

    command = ["ogrinfo", "-al", "-oo", "PAGE_SIZE=10000", f"OAPIF:{server}{address}", "fields"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout

    values = re.findall(r"^  NDVI \(Real\) = (.+)$", printed, re.MULTILINE)
    assert f"Feature Count: {len(values)}" in printed
    assert len([value for value in values if value != "(null)"]) > len(values) / 2
