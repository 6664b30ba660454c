"""Descriptions of grids by producers of HDF5: layouts that vary, and damaged or contradictory ones."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.netcdf.hdf_eos import MAX_BYTES, parse_grids, unpack_degrees
from chronotile.readers.netcdf.producers import producer_of
from chronotile.readers.reader_caches import ReaderCaches
from tests.made_producers import (
    TILE_M,
    VNP13_DATA,
    struct_metadata,
    vnp13_entries,
    write_odim,
    write_probav,
    write_struct,
    write_vnp13,
)
from tests.scenes import make_spec

SIZE = 6
GRID = "HDFEOS/GRIDS/G/Data Fields"
GEOGRAPHIC = {
    "GridName": '"G"',
    "XDim": 8,
    "YDim": 4,
    "UpperLeftPointMtrs": "(-10030000.000000,50000000.000000)",
    "LowerRightMtrs": "(-8030000.000000,49000000.000000)",
    "Projection": "HE5_GCTP_GEO",
    "GridOrigin": "HE5_HDFE_GD_UL",
}
"""From -10.5 to -8.5 degrees east, in packed degrees, minutes and seconds."""


def open_file(path, **spec):
    return open_source(make_spec("netcdf", path, variables={}, **spec), ReaderCaches())


def write_grid(path, entries, *, fields=None, shape=(4, 8), **attributes):
    numbers = np.arange(np.prod(shape), dtype="i2").reshape(shape)
    with h5py.File(path, "w") as file:
        write_struct(file, struct_metadata(entries, {"v": '"YDim","XDim"'} if fields is None else fields))
        array = file.create_dataset(f"{GRID}/v", data=numbers)
        array.attrs.update(attributes)
    return numbers


def steps_of(grid):
    return tuple(round(number, 9) for number in tuple(grid.transform)[:6])


@pytest.mark.parametrize(
    ("origin", "transform"),
    [
        ("UL", (0.25, 0, -10.5, 0, -0.25, 50)),
        ("UR", (-0.25, 0, -8.5, 0, -0.25, 50)),
        ("LL", (0.25, 0, -10.5, 0, 0.25, 49)),
        ("LR", (-0.25, 0, -8.5, 0, 0.25, 49)),
    ],
)
@pytest.mark.parametrize("registration", ["HE5_HDFE_CENTER", "HE5_HDFE_CORNER"])
def test_first_cell_is_at_the_origin(tmp_path, origin, transform, registration):
    entries = {**GEOGRAPHIC, "GridOrigin": f"HE5_HDFE_GD_{origin}", "PixelRegistration": registration}
    write_grid(tmp_path / "a.h5", entries)

    grid = open_file(tmp_path / "a.h5").info.variables["v"].grid

    assert steps_of(grid) == transform
    assert grid.crs.name == "EPSG:4326"


def test_rows_of_a_grid_may_begin_in_the_south(tmp_path):
    upside_down = {
        **GEOGRAPHIC,
        "UpperLeftPointMtrs": "(-10030000,49000000)",
        "LowerRightMtrs": "(-8030000,50000000)",
    }
    write_grid(tmp_path / "a.h5", upside_down)

    assert steps_of(open_file(tmp_path / "a.h5").info.variables["v"].grid) == (0.25, 0, -10.5, 0, 0.25, 49)


@pytest.mark.parametrize("fields", [{}, {"v": '"Band","YDim","XDim"'}])
def test_third_dimension_keeps_its_steps(tmp_path, fields):
    numbers = write_grid(tmp_path / "a.h5", GEOGRAPHIC, fields=fields, shape=(3, 4, 8))

    reader = open_file(tmp_path / "a.h5", has_each_step=True)

    read = [
        reader.read_window(name, index=0, level=0, window=Window(0, 4, 0, 8)).numbers for name in reader.info.variables
    ]
    np.testing.assert_array_equal(read, numbers)


@pytest.mark.parametrize(
    ("grid", "scale", "expected"),
    [("VNP_Grid_16Day_VI_1km", 10_000.0, 0.0001), ("VNP_Grid_16Day_VI_1km", 0.01, 0.01), ("ET", 10_000.0, 10_000.0)],
)
def test_scale_divides_for_vegetation_indices_only(tmp_path, grid, scale, expected):
    entries = {**GEOGRAPHIC, "GridName": f'"{grid}"'}
    write_grid(tmp_path / "a.h5", entries, scale_factor=scale, valid_range=np.array([-2000.0, 10_000.0]))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.move("HDFEOS/GRIDS/G", f"HDFEOS/GRIDS/{grid}")

    reader = open_file(tmp_path / "a.h5")

    assert reader.info.variables["v"].encoding.scale == expected
    assert any("divides" in finding.message for finding in reader.info.findings) == (expected == 0.0001)


STRUCT = struct_metadata(vnp13_entries((18, 3), SIZE), {"v": '"YDim","XDim"'})


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"XDim": None}, "its XDim is not a number: ''"),
        ({"YDim": "many"}, "its YDim is not a number: 'many'"),
        ({"XDim": 0}, r"its YDim 4 and XDim 0 contradict the shape \(4, 8\) of its array v"),
        ({"XDim": 10**30}, "contradict the shape"),
        ({"XDim": "1e999"}, "its XDim is not a number"),
        ({"UpperLeftPointMtrs": None}, "its UpperLeftPointMtrs has 0 numbers, not 2"),
        ({"LowerRightMtrs": "(1)"}, "its LowerRightMtrs has 1 numbers, not 2"),
        ({"LowerRightMtrs": "(nan,nan)"}, "its LowerRightMtrs is not a number: 'nan'"),
        ({"UpperLeftPointMtrs": GEOGRAPHIC["LowerRightMtrs"], "LowerRightMtrs": GEOGRAPHIC["UpperLeftPointMtrs"]},
         r"its upper left and lower right corners \(-8.5, 49\) and \(-10.5, 50\) contradict each other"),
        ({"LowerRightMtrs": GEOGRAPHIC["UpperLeftPointMtrs"]}, "contradict each other"),
        ({"UpperLeftPointMtrs": "(-10099000,50000000)"}, "its angle -10099000.00 is not of the form DDDMMMSSS.SS"),
        ({"UpperLeftPointMtrs": "(-10030000,500000000)"}, "its latitudes reach"),
        ({"Projection": None}, "its projection  is not read; read are HE5_GCTP_SNSOID and HE5_GCTP_GEO"),
        ({"Projection": "HE5_GCTP_LAMAZ"}, "its projection HE5_GCTP_LAMAZ is not read"),
        ({"Projection": "HE5_GCTP_SNSOID"}, "its ProjParams has 0 numbers, not 8"),
        ({"Projection": "HE5_GCTP_SNSOID", "ProjParams": "(0,0,0,0,0,0,0,0)"}, "do not state the radius"),
        ({"Projection": "HE5_GCTP_SNSOID", "ProjParams": "(1,0,0,0,0,0,0,0)"}, "not of the Earth"),
        ({"GridName": '"other"'}, "HDFEOS INFORMATION/StructMetadata describes no grid G"),
    ],
)  # fmt: skip
def test_contradictory_grid_is_refused_with_its_entry(tmp_path, changed, problem):
    entries = {key: value for key, value in {**GEOGRAPHIC, **changed}.items() if value is not None}
    write_grid(tmp_path / "a.h5", entries)

    with pytest.raises(UnsupportedSource, match=problem):
        open_file(tmp_path / "a.h5")


@pytest.mark.parametrize("length", range(50, STRUCT.index("END_GROUP=GridStructure"), 97))
def test_struct_metadata_cut_short_is_refused(tmp_path, length):
    write_vnp13(tmp_path / "a.h5", size=SIZE)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["HDFEOS INFORMATION"]
        write_struct(file, STRUCT[:length])

    with pytest.raises(UnsupportedSource, match=f"{VNP13_DATA} is not served.*HDFEOS INFORMATION/StructMetadata"):
        open_file(tmp_path / "a.h5")


def faults_of(text):
    """Return the messages of the errors that a text raises."""
    try:
        for grid in parse_grids(text).values():
            grid.place_cells()
    except UnsupportedSource as error:
        return [error.message]
    return []


@given(st.text(alphabet='GROUPEND_OBJECT=Gridtucrue1()",.\n\t', max_size=200), st.integers(0, len(STRUCT)))
def test_damaged_struct_metadata_is_read_or_refused(inserted, at):
    assert all(len(message) < 300 for message in faults_of(STRUCT[:at] + inserted + STRUCT[at:]))


def test_huge_struct_metadata_is_not_read(tmp_path):
    write_vnp13(tmp_path / "a.h5", size=SIZE)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["HDFEOS INFORMATION"]
        file.create_dataset(
            "HDFEOS INFORMATION/StructMetadata.0", (MAX_BYTES // 1000 + 1,), dtype="S1000", chunks=(1000,)
        )

    with pytest.raises(UnsupportedSource, match="describes no grid VIIRS_Grid_16Day_VI_500m"):
        open_file(tmp_path / "a.h5")


def test_grid_in_groups_100_deep_is_reported(tmp_path):
    deep = "/".join(f"g{level}" for level in range(100))
    write_vnp13(tmp_path / "a.h5", size=SIZE)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file[f"{deep}/v"] = np.zeros((4, 5))

    reader = open_file(tmp_path / "a.h5")

    assert len(reader.info.variables) == 2
    assert any("is not read, and others may not be" in finding.message for finding in reader.info.findings)


@pytest.mark.parametrize(
    ("packed", "degrees"),
    [(-180_000_000.0, -180), (10_030_000, 10.5), (-30_036.0, -0.51), (0, 0), (120_015_018.0, 120.255)],
)
def test_packed_degrees_have_minutes_and_seconds(packed, degrees):
    assert unpack_degrees(packed) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MAPPING", np.array([b"UTM"] * 9), "its MAPPING states no grid of longitudes and latitudes"),
        ("MAPPING", np.array([b"Geographic Lat/Lon"] * 3), "its MAPPING states no grid"),
        ("MAPPING", np.array([b"Geographic Lat/Lon", *[b"x"] * 8]), "its MAPPING is not a number: 'x'"),
        ("MAPPING", b"Geographic Lat/Lon, 0.5, 0.5, 0, 50, 0, 0", "its MAPPING is not understood"),
        ("MAPPING", b"Geographic Lat/Lon, 1.5, 1.5, 0, 50, 0.1, 0.1", "its MAPPING is not understood"),
        ("SCALE", np.float32(0), "its SCALE is 0"),
        ("SCALE", b"many", "its SCALE is not a number: 'many'"),
        ("NO_DATA", b"", "its NO_DATA is not a number: ''"),
    ],
)
def test_wrong_attribute_of_probav_is_named(tmp_path, name, value, problem):
    write_probav(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["LEVEL3/NDVI/NDVI"].attrs[name] = value

    with pytest.raises(UnsupportedSource, match=problem):
        open_file(tmp_path / "a.h5", group="LEVEL3/NDVI")


def test_cf_attributes_of_probav_override_the_mapping(tmp_path):
    write_probav(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        array = file["LEVEL3/NDVI/NDVI"]
        file["crs"] = 0
        file["crs"].attrs.update(spatial_ref="EPSG:4326", GeoTransform="7 0.1 0 50 0 -0.1")
        array.attrs.update(grid_mapping="crs", scale_factor=0.004, add_offset=-0.08)
        for axis, dim in enumerate(("lat", "lon")):
            file[dim] = np.arange(112) * (0.1 if axis else -0.1) + (7.05 if axis else 49.95)
            file[dim].make_scale(dim)
            array.dims[axis].attach_scale(file[dim])

    grid = open_file(tmp_path / "a.h5", group="LEVEL3/NDVI").info.variables["NDVI"].grid

    assert steps_of(grid) == (0.1, 0, 7, 0, -0.1, 50)


@pytest.mark.parametrize(
    ("group", "changed", "problem"),
    [
        ("where", {"projdef": b"+proj=none"}, "its coordinate reference system is not understood"),
        ("where", {"projdef": b""}, "its coordinate reference system is not understood"),
        ("where", {"xsize": 10**18}, "its where/ysize 90 and where/xsize 1000000000000000000 contradict its shape"),
        ("where", {"xscale": 0.0}, "its xscale and yscale are not positive"),
        ("where", {"yscale": -2000.0}, "its xscale and yscale are not positive"),
        ("where", {"LR_lon": 5.0}, "its corners UL and LR contradict xscale, yscale, xsize and ysize"),
        ("where", {"UL_lat": b"north"}, "its UL_lat is not a number: 'north'"),
        ("dataset1/data1/what", {"gain": 0.0}, "its gain is 0"),
        ("dataset1/data1/what", {"nodata": b"none"}, "its nodata is not a number: 'none'"),
        ("what", {"object": b"PVOL"}, "its object 'PVOL' is not read; read are COMP and IMAGE"),
    ],
)
def test_wrong_attribute_of_odim_is_named(tmp_path, group, changed, problem):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file[group].attrs.update(changed)

    with pytest.raises(UnsupportedSource, match=problem):
        open_file(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["UL_lon", "projdef", "xscale", "ysize"])
def test_missing_attribute_of_odim_is_named(tmp_path, name):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["where"].attrs[name]

    with pytest.raises(UnsupportedSource, match=name if name != "projdef" else "coordinate reference system"):
        open_file(tmp_path / "a.h5")


def test_attributes_of_lower_levels_override(tmp_path):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["what"].attrs["gain"] = 7.0

    assert open_file(tmp_path / "a.h5").info.variables["data"].encoding.scale == 0.5


@pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/hostname", "/"), h5py.SoftLink("/dataset1")])
def test_links_to_attributes_are_not_followed(tmp_path, link):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["where"]
        file["where"] = link

    with pytest.raises(ChronotileError, match=r"ysize is not a number|is in another file"):
        open_file(tmp_path / "a.h5")


def test_tiles_are_adjacent(tmp_path):
    west = write_vnp13(tmp_path / "a.h5", tile=(18, 3), size=SIZE)
    east = write_vnp13(tmp_path / "b.h5", tile=(19, 3), size=SIZE)

    boxes = [next(iter(open_file(tmp_path / name).info.variables.values())).grid.bbox for name in ("a.h5", "b.h5")]

    assert boxes[0][2] == pytest.approx(boxes[1][0], abs=1e-3) == pytest.approx(east.x_edge, abs=1e-3)
    assert boxes[0][2] - west.x_edge == pytest.approx(TILE_M, abs=1e-3)


def test_nodata_of_odim_may_be_nan(tmp_path):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["dataset1/data1/data"]
        file["dataset1/data1/data"] = np.full((90, 80), np.nan, "f4")
        file["dataset1/data1/what"].attrs["nodata"] = np.nan

    assert np.isnan(open_file(tmp_path / "a.h5").info.variables["data"].encoding.nodata)


@pytest.mark.parametrize("value", [np.zeros(0), h5py.Empty("S5")])
def test_conventions_may_be_empty(tmp_path, value):
    write_grid(tmp_path / "a.h5", GEOGRAPHIC)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["HDFEOS INFORMATION"]
        file.attrs["Conventions"] = value

        assert producer_of(file, {}) is None


def test_struct_metadata_without_text_describes_no_grid(tmp_path):
    write_grid(tmp_path / "a.h5", GEOGRAPHIC)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["HDFEOS INFORMATION/StructMetadata.0"]
        file["HDFEOS INFORMATION/StructMetadata.0"] = h5py.Empty("S10")

    with pytest.raises(UnsupportedSource, match="describes no grid G"):
        open_file(tmp_path / "a.h5")


def test_grid_without_cells_is_refused(tmp_path):
    write_grid(tmp_path / "a.h5", {**GEOGRAPHIC, "XDim": 0, "YDim": 0}, shape=(0, 0))

    with pytest.raises(UnsupportedSource, match="its YDim 0 or XDim 0 is not above 0"):
        open_file(tmp_path / "a.h5")


@pytest.mark.parametrize(("projection", "crs"), [("LAMAZ", ""), ("LAMAZ", "EPSG:3035"), ("GEO", "EPSG:3035")])
def test_array_with_coordinates_is_placed_by_cf(tmp_path, projection, crs):
    write_grid(tmp_path / "a.h5", {**GEOGRAPHIC, "Projection": f"HE5_GCTP_{projection}"})
    with h5py.File(tmp_path / "a.h5", "a") as file:
        axes = [("y", "degrees_north", 50 - np.arange(4.0)), ("x", "degrees_east", np.arange(8.0))]
        for axis, (dim, degrees, values) in enumerate(axes):
            scale = file.create_dataset(f"{GRID}/{dim}", data=values)
            scale.attrs.update({"standard_name": f"projection_{dim}_coordinate"} if crs else {"units": degrees})
            scale.make_scale(dim)
            file[f"{GRID}/v"].dims[axis].attach_scale(scale)
        if crs:
            file[f"{GRID}/v"].attrs["grid_mapping"] = "crs"
            file.create_dataset(f"{GRID}/crs", data=0).attrs["spatial_ref"] = crs

    grid = open_file(tmp_path / "a.h5").info.variables["v"].grid

    assert steps_of(grid) == (1, 0, -0.5, 0, -1, 50.5)
    assert grid.crs.name == crs or not crs


def test_valid_range_without_numbers_is_named(tmp_path):
    write_vnp13(tmp_path / "a.h5", size=SIZE)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file[f"{VNP13_DATA}/500 m 16 days NDVI"].attrs["valid_range"] = "-2000, many"

    info = open_file(tmp_path / "a.h5").info

    assert [*info.variables] == ["500 m 16 days pixel reliability"]
    assert any("left out: its valid_range has no numbers" in finding.message for finding in info.findings)


@pytest.mark.parametrize("shape", [(112, 112), (56, 28)])
def test_faulty_array_does_not_concern_arrays_of_any_size(tmp_path, shape):
    write_probav(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        group = file["LEVEL3/NDVI"]
        for name in ("other", "faulty"):
            group.create_dataset(name, data=np.zeros(shape, "u1")).attrs.update(group["NDVI"].attrs)
        group["faulty"].attrs["SCALE"] = 0.0

    info = open_file(tmp_path / "a.h5", group="LEVEL3/NDVI").info

    assert {(info.variables[name].grid.height, info.variables[name].grid.width) for name in ("NDVI", "other")} == {
        (112, 112),
        shape,
    }
    assert [(f.place, f.message) for f in info.findings] == [("faulty", "left out: its SCALE is 0")]


def test_large_attribute_of_odim_is_not_read(tmp_path):
    write_odim(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a", libver="latest") as file:
        where = file.create_group("dataset1/data1/where")
        where.attrs["xscale"] = np.ones(10_000)

    assert open_file(tmp_path / "a.h5").info.variables["data"].grid.transform.a == pytest.approx(2000)
