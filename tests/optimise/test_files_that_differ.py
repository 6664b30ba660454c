"""Cubes of files that differ in encoding or order of bands: each value is that of its file, as verify checks."""

import numpy as np
import pytest
import rasterio
import xarray
import zarr
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.optimise.conversion import Packing

SIDE = 60


def write_file(path, *, dtype="uint16", scale=1.0, offset=0.0, nodata=None, names=("NDVI",), seed=0):
    """Write a file with values in the same range for any encoding, some of them nodata."""
    random = np.random.default_rng(seed)
    values = random.uniform(0.0, 0.9, (len(names), SIDE, SIDE))
    numbers = (values - offset) / scale if np.dtype(dtype).kind == "f" else np.rint((values - offset) / scale)
    numbers = numbers.astype(dtype)
    if nodata is not None:
        numbers[random.random(numbers.shape) < 0.1] = nodata
    place = {"crs": "EPSG:32631", "transform": Affine(10, 0, 500_000, 0, -10, 5_650_000)}
    with rasterio.open(
        path, "w", driver="GTiff", count=len(names), height=SIDE, width=SIDE, dtype=dtype, nodata=nodata, **place
    ) as to:
        to.write(numbers)
        to.scales, to.offsets = [scale] * to.count, [offset] * to.count
        to.descriptions = names
    return path


def values_in(path, name="NDVI"):
    """Return the values (y, x) that one file holds by itself."""
    with rasterio.open(path) as file:
        band = file.descriptions.index(name) + 1
        numbers, nodata = file.read(band), file.nodatavals[band - 1]
        values = numbers * np.float64(file.scales[band - 1]) + file.offsets[band - 1]
    return values if nodata is None else np.where(numbers == nodata, np.nan, values)


def values_of(target, group="", name="NDVI"):
    """Return the values (time, y, x) of a cube as xarray decodes them."""
    return xarray.open_zarr(target / group)[name].values.astype(np.float64)


OLD = {"scale": 0.0001, "nodata": 0}
NEW = {"scale": 0.0001, "offset": -0.1, "nodata": 0}
STACKS = {
    "offset": [OLD, NEW, NEW],
    "nodata": [{"dtype": "int16", "scale": 0.001, "nodata": n} for n in (-9999, -32768, 5)],
    "types": [
        {"dtype": "uint8", "scale": 0.01, "nodata": 255},
        {"dtype": "int16", "scale": 0.001, "nodata": -1},
        {"dtype": "uint16", "scale": 0.001, "nodata": 65535},
    ],
    "no nodata in one": [{"dtype": "uint8", "scale": 0.01, "nodata": 255}, {"dtype": "uint8", "scale": 0.01}],
}


def write_all(folder, stack):
    return [
        write_file(folder / f"NDVI_202001{day:02}.tif", **file, seed=day) for day, file in enumerate(stack, start=1)
    ]


@pytest.mark.quick_cases("-in order")
@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "turned round"])
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS.keys())
def test_different_files_get_one_encoding_with_exact_values(tmp_path, write, verify, target, stack, turn):
    paths = write_all(tmp_path, stack[::turn])

    report = write(tmp_path)
    summary = verify(tmp_path)

    for group in ("", "series"):
        np.testing.assert_allclose(values_of(target, group), [values_in(path) for path in paths], rtol=1e-6, atol=1e-9)
        numbers = xarray.open_zarr(target / group, mask_and_scale=False)["NDVI"]
        assert np.dtype(numbers.dtype).kind in "iu"
    assert "differ); each file is read by its own" in "\n".join(report.notes)
    assert f"{len(stack)} dates of NDVI compared with {len(stack)} files" in summary


def test_files_without_a_common_step_are_written_as_float32_values_and_this_is_reported(
    tmp_path, write, verify, target
):
    stack = [{"dtype": "uint8", "scale": 0.004, "nodata": 255}, {"dtype": "float32", "nodata": -9999.0}]
    paths = write_all(tmp_path, stack)

    report = write(tmp_path)
    verify(tmp_path)

    assert xarray.open_zarr(target, mask_and_scale=False)["NDVI"].dtype == np.float32
    expected = np.array([values_in(path) for path in paths]).astype(np.float32)
    np.testing.assert_allclose(values_of(target), expected, rtol=1e-6)
    assert (
        "NDVI: no whole numbers hold the values of all files, which differ; written as float32 values" in report.notes
    )


@pytest.mark.parametrize("pattern", [None, r"_(?P<time>\d{8})"], ids=["names", "time pattern"])
def test_bands_in_another_order_are_found_by_their_descriptions(tmp_path, write, verify, target, pattern):
    stack = [{**OLD, "names": ("RED", "NIR")}, {**NEW, "names": ("NIR", "RED")}]
    paths = write_all(tmp_path, stack)

    write(tmp_path, time_pattern=pattern)
    verify(tmp_path, time_pattern=pattern)

    for name in ("RED", "NIR"):
        np.testing.assert_allclose(values_of(target, name=name), [values_in(path, name) for path in paths], rtol=1e-6)


def test_netcdf_of_each_month_packed_by_itself_keeps_its_values(tmp_path, write, verify, target):
    temperatures = 280 + np.random.default_rng(1).uniform(0, 10, (4, SIDE, SIDE)).astype("float64")
    for month in range(2):
        dataset = xarray.Dataset(
            {"t2m": (("time", "lat", "lon"), temperatures[2 * month : 2 * month + 2], {"units": "K"})},
            coords={
                "time": np.array([f"2020-0{month + 1}-01", f"2020-0{month + 1}-11"], dtype="datetime64[ns]"),
                "lat": 50 - np.arange(SIDE) * 0.1,
                "lon": 4 + np.arange(SIDE) * 0.1,
            },
        )
        packing = {"dtype": "int16", "scale_factor": 0.0003 + month * 0.0001, "add_offset": 285.0 + month}
        dataset.to_netcdf(tmp_path / f"t2m_{month}.nc", encoding={"t2m": {**packing, "_FillValue": -32768}})

    write([tmp_path / "t2m_0.nc", tmp_path / "t2m_1.nc"])
    verify([tmp_path / "t2m_0.nc", tmp_path / "t2m_1.nc"])

    np.testing.assert_allclose(values_of(target, name="t2m"), temperatures, atol=0.00021)


def test_flags_of_one_netcdf_file_are_numbers_of_a_cube_of_floats(tmp_path, write, verify, target):
    for month in (1, 2):
        coords = {
            "time": np.array([f"2020-0{month}-01"], dtype="datetime64[ns]"),
            "lat": 50 - np.arange(SIDE) * 0.1,
            "lon": 4 + np.arange(SIDE) * 0.1,
        }
        flags = {"scale_factor": 0.5, "flag_values": np.array([55], dtype="uint8"), "flag_meanings": "cloud"}
        numbers, attributes = (np.uint8(55), flags) if month == 2 else (np.float32(0.1), {})
        values = np.full((1, SIDE, SIDE), numbers)
        dataset = xarray.Dataset({"t2m": (("time", "lat", "lon"), values, attributes)}, coords=coords)
        dataset.to_netcdf(tmp_path / f"t2m_20200{month}01.nc")

    write(tmp_path)
    verify(tmp_path)

    cube = xarray.open_zarr(target, mask_and_scale=False)["t2m"]
    assert cube.values[1, 0, 0] == cube.attrs["flag_values"][0]


# Existing cubes.


def test_a_date_in_another_encoding_is_added_to_a_cube_that_holds_its_values(tmp_path, write, verify, target):
    paths = write_all(tmp_path, [OLD, NEW, NEW])
    write(paths[:2])
    assert write([paths[2]]).added == 1
    verify([paths[2]])

    np.testing.assert_allclose(values_of(target), [values_in(path) for path in paths], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "late", [NEW, {"scale": 0.0001, "nodata": 65535}, {"dtype": "float32"}], ids=["offset", "nodata", "type"]
)
def test_a_date_whose_values_a_cube_cannot_hold_is_refused(tmp_path, write, target, late):
    paths = write_all(tmp_path, [OLD, OLD, late])
    write(paths[:2])
    before = values_of(target)

    with pytest.raises(
        UnsupportedSource, match=r"another NDVI than the source: uint16 \* 0\.0001, nodata 0, which cannot"
    ):
        write(paths)

    np.testing.assert_array_equal(values_of(target), before)


def test_a_value_that_packing_cannot_hold_is_refused(tmp_path, write):
    write_all(tmp_path, [OLD, NEW])

    with pytest.raises(UnsupportedSource, match="has no number in uint8 with --scale"):
        write(tmp_path, packing=Packing(dtype="uint8", scale=0.001, offset=0.0))


def test_packing_that_rounds_is_reported_and_verified_to_its_step(tmp_path, write, verify, target):
    paths = write_all(tmp_path, [OLD, NEW])

    report = write(tmp_path, packing=Packing(dtype="uint8", scale=0.004, offset=-0.08))
    verify(tmp_path)

    assert "NDVI: values are rounded to steps of 0.004, as set by --dtype" in report.notes
    np.testing.assert_allclose(values_of(target), [values_in(path) for path in paths], atol=0.002001)


# Errors that `optimise verify` must report.


def changed(target, name, group, change):
    """Change the numbers (time, y, x) of an array of a cube."""
    array = zarr.open_array(target / group / name, mode="r+")
    numbers = array[...]
    change(numbers)
    array[...] = numbers


def bake_the_first_files_offset(numbers):
    numbers[1] = np.where(numbers[1] == numbers.min(), numbers[1], numbers[1] + 1000)


def take_another_nodata(numbers):
    numbers[1][numbers[1] == numbers.min()] = 1000


def change_one_value(numbers):
    numbers[1, 33, 44] += 1


@pytest.mark.parametrize("group", ["", "series"], ids=["maps", "series"])
@pytest.mark.parametrize("fault", [bake_the_first_files_offset, take_another_nodata, change_one_value])
def test_verify_finds_numbers_that_differ_from_their_file(tmp_path, write, verify, target, group, fault):
    paths = write_all(tmp_path, [OLD, NEW])
    write(paths)
    verify(paths)

    changed(target, "NDVI", group, fault)

    with pytest.raises(
        UnsupportedSource, match=r"1 dates differ from the source, in .*band 1 \(NDVI\) of NDVI_20200102\.tif"
    ):
        verify(paths)


def test_verify_finds_bands_that_were_swapped(tmp_path, write, verify, target):
    paths = write_all(tmp_path, [{**OLD, "names": ("RED", "NIR")}, {**OLD, "names": ("NIR", "RED")}])
    write(paths)
    verify(paths)
    red, nir = (zarr.open_array(target / name, mode="r+") for name in ("RED", "NIR"))
    red[1], nir[1] = nir[1], red[1]

    with pytest.raises(UnsupportedSource, match=r"1 dates differ .* band 2 \(RED\) of NDVI_20200102\.tif has"):
        verify(paths)


def test_a_cube_into_which_an_older_release_baked_the_first_files_offset_is_refused(tmp_path, write):
    """The cube has the unchanged numbers of all files under the offset of the first."""
    paths = write_all(tmp_path, [OLD, OLD])
    write(paths)
    write_file(paths[1], **NEW, seed=2)

    with pytest.raises(UnsupportedSource, match="another NDVI than the source"):
        write(paths)


def test_netcdf_files_of_one_date_each_are_verified_file_by_file(tmp_path, write, verify, target):
    for month in (1, 2):
        values = np.full((1, SIDE, SIDE), month, dtype="float32")
        coords = {
            "time": np.array([f"2020-0{month}-01"], dtype="datetime64[ns]"),
            "lat": 50 - np.arange(SIDE) * 0.1,
            "lon": 4 + np.arange(SIDE) * 0.1,
        }
        dataset = xarray.Dataset({"t2m": (("time", "lat", "lon"), values)}, coords=coords)
        dataset.to_netcdf(tmp_path / f"t2m_20200{month}01.nc")

    report = write(tmp_path)
    verify(tmp_path)

    assert zarr.open_array(target / "t2m", mode="r")[:, 0, 0].tolist() == [1, 2]
    assert report.added == 2
