"""Products of EOPF: a tree of groups as one collection, with a separate grid per variable."""

import shutil

import numpy as np
import pytest

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.zarr.source import open_zarr
from tests.readers.zarr.products import (
    CODE,
    DISCOVERY,
    NORTH,
    RESOLUTIONS,
    SIDE_M,
    WEST,
    classes_of,
    numbers_of,
    write_geozarr,
    write_product,
)


def spec_of(path, *variables):
    """Return a source of a store."""
    return SourceSpec(
        collection="s2", kind="zarr", href=str(path), variables={variable.id: variable for variable in variables}
    )


def cells(reader, variable, level=0):
    """Return all cells of a level."""
    grid = reader.info.variables[variable].levels[level]
    return reader.read_window(variable, index=0, level=level, window=Window(0, grid.height, 0, grid.width))


@pytest.fixture(scope="module", params=[2, 3], ids=["2.5", "3.0"])
def product(request, tmp_path_factory):
    """Return the path of a product of two versions of the processors."""
    return write_product(tmp_path_factory.mktemp("eopf") / "S2A.zarr", version=request.param)


def test_bands_of_all_resolutions_are_variables_with_separate_grids(product):
    variables = open_zarr(spec_of(product)).info.variables

    sizes = {name: [grid.width for grid in variable.levels] for name, variable in variables.items()}
    assert sizes == {
        "b02": [96, 48, 16], "b04": [96, 48, 16], "b08": [96], "b05": [48, 16], "b11": [48], "b01": [16],
        "scl": [48, 16],
    }  # fmt: skip


@pytest.mark.parametrize(("band", "resolution"), [("b02", 10), ("b05", 20), ("b01", 60)])
def test_band_has_the_place_in_the_product(product, band, resolution):
    grid = open_zarr(spec_of(product)).info.variables[band].grid

    assert grid.crs.name == f"EPSG:{CODE}"
    assert tuple(grid.bbox) == (WEST, NORTH - SIDE_M, WEST + SIDE_M, NORTH)
    assert grid.resolution == resolution


@pytest.mark.parametrize(("band", "level", "group"), [("b02", 0, "r10m"), ("b02", 2, "r60m"), ("b11", 0, "r20m")])
def test_numbers_of_a_band_equal_those_of_its_array(product, band, level, group):
    read = cells(open_zarr(spec_of(product)), band, level)

    np.testing.assert_array_equal(read.numbers, numbers_of(band, RESOLUTIONS[group]))


def test_digital_counts_are_reflectances(product):
    encoding = open_zarr(spec_of(product)).info.variables["b04"].encoding

    assert (encoding.scale, encoding.offset, encoding.nodata, encoding.units) == (0.0001, -0.1, 0, "1")
    assert encoding.valid_range == (1, 65535)


def test_scene_classes_have_names(product):
    reader = open_zarr(spec_of(product))

    scl = reader.info.variables["scl"]
    assert [each.label for each in scl.classes][:5] == ["no data", "saturated", "dark", "cloud shadow", "vegetation"]
    assert scl.classes[5].label == "bare soil"
    np.testing.assert_array_equal(cells(reader, "scl").numbers, classes_of(20))


def test_time_is_that_of_the_acquisition(product):
    times = open_zarr(spec_of(product)).info.variables["b08"].times

    assert [str(each) for each in times.starts] == ["2025-04-15T09:40:41.024000000"]
    assert DISCOVERY["properties"]["datetime"].startswith(str(times.starts[0])[:23])


def test_arrays_that_are_no_rasters_are_reported(product):
    findings = open_zarr(spec_of(product)).info.findings

    (finding,) = [each for each in findings if each.place == "conditions/geometry/sun_angles"]
    assert (finding.severity, finding.is_left_out) == ("note", True)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("b02", [96, 48, 16]),
        ("measurements/reflectance/b02", [96, 48, 16]),
        ("measurements/reflectance/r20m/b02", [48, 16]),
        ("/measurements/reflectance/r60m/b02", [16]),
        ("conditions/mask/detector_footprint/r10m/b02", [96]),
        ("conditions/mask/detector_footprint/b02", [96]),
    ],
)
def test_a_variable_names_an_array_or_its_path(product, name, widths):
    info = open_zarr(spec_of(product, VariableSpec(id="V", name=name))).info

    assert [grid.width for grid in info.variables["V"].levels] == widths
    assert list(info.variables) == ["V"]


def test_unknown_name_is_an_error_with_the_existing_ones(product):
    with pytest.raises(UnsupportedSource, match=r"no array b99 in it; there are .*measurements/reflectance/r10m/b02"):
        open_zarr(spec_of(product, VariableSpec(id="b99")))


def test_formulas_take_bands_of_one_resolution(product):
    ndvi = VariableSpec(id="NDVI", formula=parse_expression("(b08 - b04) / (b08 + b04)"))
    reader = open_source(spec_of(product, VariableSpec(id="b04"), VariableSpec(id="b08"), ndvi))

    red, nir = (numbers_of(band, 10)[5, 7] * 0.0001 - 0.1 for band in ("b04", "b08"))
    value = reader.info.variables["NDVI"].encoding.values(cells(reader, "NDVI").numbers)[5, 7]
    assert value == pytest.approx((nir - red) / (nir + red), abs=1e-6)


def test_a_geozarr_store_of_a_product_ignores_attributes_of_other_resolutions(tmp_path):
    reader = open_zarr(spec_of(write_geozarr(tmp_path / "geo.zarr")))

    variables = reader.info.variables
    sizes = {name: [grid.width for grid in variable.levels] for name, variable in variables.items()}
    assert sizes == {"b02": [96, 48, 16, 8], "b08": [96, 48, 16, 8], "b11": [48, 16, 8]}
    assert {tuple(grid.bbox) for each in variables.values() for grid in each.levels} == {
        (WEST, NORTH - SIDE_M, WEST + SIDE_M, NORTH)
    }
    assert cells(reader, "b11").numbers[3, 4] == pytest.approx(numbers_of("b11", 20)[3, 4] * 0.0001 - 0.1)


@pytest.mark.parametrize("product", [2], indirect=True)
def test_a_store_whose_coordinates_are_missing_lies_by_its_transform(product, tmp_path):
    path = tmp_path / "S2A.zarr"
    shutil.copytree(product, path)
    for axis in ("x", "y"):
        shutil.rmtree(path / "measurements/reflectance/r20m" / axis)

    grid = open_zarr(spec_of(path, VariableSpec(id="b11"))).info.variables["b11"].grid

    assert tuple(grid.bbox) == (WEST, NORTH - SIDE_M, WEST + SIDE_M, NORTH)
