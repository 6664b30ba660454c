"""Values that lack units or a scale are noted, and drawn in colours that suit them."""

import numpy as np
import pytest
import rasterio

from chronotile.archive.check import check_archive
from tests.scenes import Scene, write_tif

SCENE = Scene(scale=1.0, offset=0.0)
ROWS, COLUMNS = np.mgrid[: SCENE.height, : SCENE.width]
KELVIN = (270 + 0.5 * ROWS + 0.2 * COLUMNS).astype("float32")
REFLECTANCE = (100 + 100 * ROWS + 40 * COLUMNS).astype("uint16")


@pytest.fixture
def write(tmp_path):
    """Return `write(name, numbers, units=…, scale=…)`, which writes a raster."""

    def write_one(name, numbers, *, units=None, scale=1.0):
        path = write_tif(tmp_path / name, numbers, Scene(scale=scale, offset=0.0), nodata=None)
        with rasterio.open(path, "r+") as dataset:
            dataset.units = (units,)
        return path

    return write_one


@pytest.fixture
def configure(tmp_path):
    def write_configuration(variables):
        file = tmp_path / "chronotile.yaml"
        file.write_text(f"collections:\n  made: {{source: {{kind: cog, href: '*.tif'}}, variables: {variables}}}\n")
        return file

    return write_configuration


def layer_of(archive):
    (layer,) = archive.services.catalogue.layers
    return layer


def notes(archive):
    return [each.message for each in archive.findings if "nodata" not in each.message]


@pytest.mark.parametrize("name", ["LST_20200101.tif", "NDVI_20200101.tif", "x_20200101.tif"])
def test_kelvin_are_drawn_as_temperatures_over_kelvin(write, open_at, tmp_path, name):
    write(name, KELVIN, units="K")

    archive = open_at(tmp_path)

    layer = layer_of(archive)
    assert (layer.styles[0].id, layer.main_variable.encoding.units) == ("temperature", "K")
    assert layer.styles[0].range[0] > 250
    assert layer.styles[0].range[1] < 320
    assert notes(archive) == []


def test_scaled_kelvin_keep_their_units(write, open_at, tmp_path):
    write("LST_20200101.tif", (KELVIN / 0.02).astype("uint16"), units="K", scale=0.02)

    archive = open_at(tmp_path)

    assert layer_of(archive).styles[0].range[0] > 250
    assert notes(archive) == []


def test_kelvin_without_units_are_noted(write, open_at, tmp_path):
    write("LST_20200101.tif", KELVIN)

    archive = open_at(tmp_path)

    assert layer_of(archive).styles[0].id == "temperature"
    assert ["look like kelvin, but the file has no units; set units: K" in each for each in notes(archive)] == [True]


@pytest.mark.parametrize("is_configured", [False, True], ids=["folder", "configuration"])
def test_reflectances_without_a_scale_are_noted_and_stretched(write, open_at, configure, tmp_path, is_configured):
    write("B08_20200101.tif", REFLECTANCE)

    archive = open_at(configure("{B08: {}}") if is_configured else tmp_path)

    (note,) = notes(archive)
    assert note.endswith("are digital numbers without a scale; if they are multiplied by 10,000, set scale: 0.0001")
    assert layer_of(archive).styles[0].range[1] > 3000


@pytest.mark.parametrize(
    ("asset", "remedy"),
    [
        ("SR_B4", "set scale: 0.0000275 and offset: -0.2"),
        ("ST_B10", "set scale: 0.00341802, offset: 149.0 and units: K"),
    ],
)
def test_bands_of_landsat_are_noted_with_the_scale_that_they_lack(write, open_at, configure, asset, remedy):
    write("scene_20200101.tif", REFLECTANCE * 10)

    (note,) = notes(open_at(configure(f"{{{asset}: {{}}}}")))

    assert note.endswith(remedy)


def test_an_index_times_ten_thousand_is_noted(write, open_at, tmp_path):
    write("NDVI_20200101.tif", REFLECTANCE)

    assert ["set scale: 0.0001" in each for each in notes(open_at(tmp_path))] == [True]


def test_heights_are_not_noted(write, open_at, tmp_path):
    write("dem.tif", REFLECTANCE)

    assert notes(open_at(tmp_path)) == []


def test_check_reports_values_beyond_the_range_of_the_chosen_style(write, open_at, configure):
    write("T_20200101.tif", KELVIN, units="K")

    found = list(check_archive(open_at(configure("{T: {styles: [temperature]}}"))))

    (warning,) = [each for each in found if each.severity == "warning"]
    assert "are outside the range of its style temperature, -10 to 40" in warning.message


def test_check_reports_digital_numbers_with_any_style(write, open_at, configure):
    write("B08_20200101.tif", REFLECTANCE)
    archive = open_at(configure("{B08: {styles: [greys], range: [0, 4000]}}"))

    assert any("set scale: 0.0001" in each.message for each in check_archive(archive))


@pytest.mark.parametrize(("dtype", "fill"), [("float32", "9.969209968386869e+36"), ("int16", "-32767")])
@pytest.mark.parametrize("has_rest", [True, False], ids=["a row", "all"])
def test_the_default_fill_of_netcdf_is_noted_in_other_formats(write, open_at, tmp_path, dtype, fill, has_rest):
    numbers = (ROWS + COLUMNS).astype(dtype)
    numbers[0 if has_rest else slice(None)] = np.array(float(fill), dtype)
    write("NDVI_20200101.tif", numbers)

    (note,) = [each.message for each in open_at(tmp_path).findings if "fill" in each.message]

    assert f"the default fill of NetCDF, as values; if they stand for no value, set nodata: {fill}" in note
