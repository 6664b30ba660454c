"""Products of Sentinel-3 in folders: cells, times and damaged files; positions at tie points."""

import shutil
from contextlib import closing

import h5py
import numpy as np
import pytest
import xarray
from scipy.spatial import cKDTree

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import Window
from chronotile.readers.hrefs import product_of
from chronotile.readers.netcdf.hdf5 import MAX_ARRAYS
from chronotile.readers.netcdf.open import open_netcdf
from chronotile.readers.netcdf.sentinel3 import MAX_FILES
from tests.readers.made_sentinel3 import (
    COLUMNS,
    FACTOR,
    GRIDS,
    MIDDLE,
    ROWS,
    cells,
    positions,
    write,
    write_olci,
    write_slstr,
)
from tests.scenes import make_spec

PIXELS = 2000


def open_product(path, *names, **options):
    variables = {name: VariableSpec(id=name) for name in names}
    return open_netcdf(make_spec("netcdf", path, variables=variables), **options)


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def interpolate(longitudes, latitudes):
    """Longitudes and latitudes between tie points along rows, in earth-centred coordinates."""
    ties = vectors_of(longitudes, latitudes)
    at, weights = np.divmod(np.arange(COLUMNS) / FACTOR, 1)
    at, after = at.astype(int), np.minimum(at.astype(int) + 1, ties.shape[1] - 1)
    x, y, z = np.moveaxis(ties[:, at] * (1 - weights)[:, None] + ties[:, after] * weights[:, None], -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z / np.sqrt(x**2 + y**2 + z**2)))


def require_nearest_cells(reader, name, longitudes, latitudes, numbers):
    """Compare random pixels with the numbers of the nearest of all cells."""
    grid, nodata = reader.info.variables[name].grid, reader.info.variables[name].encoding.nodata
    window = Window(0, grid.height, 0, grid.width)
    read = reader.read_window(name, index=0, level=0, window=window)
    random = np.random.default_rng(3)
    rows, columns = random.integers(0, grid.height, PIXELS), random.integers(0, grid.width, PIXELS)
    assert grid.crs.name in {CRS84.name, "EPSG:4326"}
    points = vectors_of(*grid.points_at(columns + 0.5, rows + 0.5))
    vectors = vectors_of(longitudes, latitudes)
    (distances, second), (nearest, _other) = (part.T for part in cKDTree(vectors.reshape(-1, 3)).query(points, k=2))
    steps = [np.linalg.norm(np.gradient(vectors, axis=axis), axis=-1) for axis in (0, 1)]
    ratios = distances / (np.hypot(*steps).ravel()[nearest] / 2)
    is_clear = second - distances > 1e-3 * distances
    inside, outside = is_clear & (ratios < 0.9), ratios > 1.3
    assert inside.sum() > PIXELS / 4
    np.testing.assert_array_equal(read.numbers[rows, columns][inside], numbers.ravel()[nearest[inside]])
    is_nodata = read.numbers[rows, columns] == nodata if nodata is not None else ~read.valid[rows, columns]
    assert is_nodata[outside].all()


def read_array(path, name, dtype=None):
    with xarray.open_dataset(path, mask_and_scale=dtype is None, decode_times=False) as dataset:
        return dataset[name].to_numpy()


@pytest.mark.parametrize(("file", "array"), [("chl_nn", "CHL_NN"), ("wqsf", "WQSF")])
def test_olci_has_the_nearest_cells(tmp_path, file, array):
    folder = write_olci(tmp_path)
    latitudes, longitudes = (read_array(folder / "geo_coordinates.nc", name) for name in ("latitude", "longitude"))

    with closing(open_product(folder, array)) as reader:
        require_nearest_cells(reader, array, longitudes, latitudes, read_array(folder / f"{file}.nc", array, "raw"))
        assert reader.info.variables[array].times.starts.tolist() == [MIDDLE.astype(int)]
        assert not reader.info.findings


@pytest.mark.parametrize(
    ("array", "grid"), [("S8_BT_in", "in"), ("F1_BT_fn", "fn"), ("S1_radiance_an", "an"), ("sat_zenith_tn", "tx")]
)
def test_slstr_has_the_cells_of_its_grid(tmp_path, array, grid):
    folder = write_slstr(tmp_path)
    file = "geometry_tn.nc" if grid == "tx" else f"{array}.nc"
    latitudes, longitudes = (
        read_array(folder / f"geodetic_{grid}.nc", f"{name}_{grid}") for name in ("latitude", "longitude")
    )

    with closing(open_product(folder)) as reader:
        numbers = read_array(folder / file, array, "raw")
        assert numbers.shape == GRIDS[grid][:2]
        swath = reader.swaths[array]
        assert (swath.geolocation.latitude.name, swath.geolocation.height) == (f"latitude_{grid}", GRIDS[grid][0])
        if grid != "tx":
            require_nearest_cells(reader, array, longitudes, latitudes, numbers)


def test_slstr_serves_each_array_once_without_orphans(tmp_path):
    with closing(open_product(write_slstr(tmp_path))) as reader:
        assert set(reader.info.variables) == {"S8_BT_in", "F1_BT_fn", "S1_radiance_an", "sat_zenith_tn", "NDVI"}
        assert reader.swaths["NDVI"] is not None
        assert {finding.place for finding in reader.info.findings} == {"uncertainties", "/S8_quality_in/uncertainties"}


def test_positions_between_tie_points_equal_numpy(tmp_path):
    folder = write_olci(tmp_path, has_cells=False, node=-150)
    names = ("longitude", "latitude")
    expected = interpolate(*(read_array(folder / "tie_geo_coordinates.nc", name) for name in names))

    with closing(open_product(folder, "CHL_NN")) as reader:
        geolocation = reader.swaths["CHL_NN"].geolocation
        whole = geolocation.read(slice(0, geolocation.height), slice(0, geolocation.width))
        part = geolocation.read(slice(7, 30), slice(17, 61))
        require_nearest_cells(reader, "CHL_NN", *expected, read_array(folder / "chl_nn.nc", "CHL_NN", "raw"))

    np.testing.assert_allclose(vectors_of(*whole), vectors_of(*expected), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(part, np.array(whole)[:, 7:30, 17:61])
    true = vectors_of(*cells(-150))
    assert np.linalg.norm(vectors_of(*whole) - true, axis=-1).max() < 1e-6


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_grids_in_files_of_a_folder_have_their_positions(tmp_path, shift):
    for name, start in (("B0", 10.0), ("NDVI", 10.0 + shift)):
        axes = {
            "lat": ("lat", 50 - np.arange(4), {"units": "degrees_north"}),
            "lon": ("lon", start + np.arange(6), {"units": "degrees_east"}),
        }
        numbers = np.arange(24.0).reshape(4, 6)
        (tmp_path / "a.SEN3").mkdir(exist_ok=True)
        xarray.Dataset({name: (("lat", "lon"), numbers)}, axes).to_netcdf(tmp_path / "a.SEN3" / f"{name}.nc")

    with closing(open_product(tmp_path / "a.SEN3")) as reader:
        corners = {name: info.grid.bbox[:2] for name, info in reader.info.variables.items()}

    assert corners == {"B0": (9.5, 46.5), "NDVI": (9.5 + shift, 46.5)}


def test_file_of_a_folder_has_its_arrays_only(tmp_path):
    folder = write_olci(tmp_path)

    with closing(open_product(folder / "chl_nn.nc")) as reader:
        assert set(reader.info.variables) == {"CHL_NN", "CHL_NN_err"}
        assert set(reader.swaths) == {"CHL_NN", "CHL_NN_err"}


def damage(path):
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(("file", "rest"), [("wqsf.nc", {"CHL_NN", "SZA"}), ("chl_nn.nc", {"WQSF", "SZA"})])
def test_damaged_file_is_reported_and_others_are_served(tmp_path, file, rest):
    folder = write_olci(tmp_path)
    damage(folder / file)

    with closing(open_product(folder)) as reader:
        assert rest <= set(reader.info.variables)
        assert file in {finding.place for finding in reader.info.findings}


@pytest.mark.parametrize("spoil", [damage, lambda path: path.unlink()], ids=["damaged", "missing"])
def test_arrays_without_positions_are_reported_and_others_are_served(tmp_path, spoil):
    folder = write_slstr(tmp_path)
    spoil(folder / "geodetic_in.nc")

    with closing(open_product(folder)) as reader:
        messages = {finding.place: finding.message for finding in reader.info.findings}
        assert set(reader.info.variables) == {"F1_BT_fn", "S1_radiance_an", "sat_zenith_tn"}
        assert "no file of the folder has the latitudes and longitudes" in messages["S8_BT_in"]
        assert ("geodetic_in.nc" in messages["S8_BT_in"]) == (folder / "geodetic_in.nc").exists()


def test_configured_array_of_a_damaged_file_names_the_file(tmp_path):
    folder = write_olci(tmp_path)
    damage(folder / "wqsf.nc")

    with pytest.raises(UnsupportedSource, match=r"WQSF: no file .* has it; wqsf\.nc: it cannot be opened"):
        open_product(folder, "CHL_NN", "WQSF")
    with closing(open_product(folder, "CHL_NN", "WQSF", may_lack=True)) as reader:
        assert set(reader.info.variables) == {"CHL_NN"}


SMALL = np.ones((5, 7))


@pytest.mark.parametrize(
    "arrays", [{"mine": (SMALL, {"units": "1"})}, positions(SMALL, SMALL)], ids=["values", "positions"]
)
def test_file_of_another_size_does_not_hide_the_others(tmp_path, arrays):
    folder = write_olci(tmp_path)
    write(folder, "A.nc", ("rows", "columns"), arrays)

    with closing(open_product(folder)) as reader:
        assert {"CHL_NN", "CHL_NN_err", "WQSF", "SZA"} <= set(reader.info.variables)


def test_attribute_has_the_value_of_most_files(tmp_path):
    folder = write_olci(tmp_path, has_cells=False)
    numbers = {"mine": (np.ones(3), {"units": "1"})}
    write(folder, "A.nc", ("n",), numbers, start_time="no time", ac_subsampling_factor=np.int16(0))

    with closing(open_product(folder)) as reader:
        assert reader.info.variables["CHL_NN"].times.starts.tolist() == [MIDDLE.astype(int)]


def test_copy_of_a_file_does_not_take_the_name_of_its_array(tmp_path):
    folder = write_olci(tmp_path)
    shutil.copy(folder / "chl_nn.nc", folder / "chl_nn (copy).nc")

    with closing(open_product(folder)) as reader:
        assert {"CHL_NN", "/chl_nn (copy)/CHL_NN"} <= set(reader.info.variables)


def test_classic_file_of_a_folder_is_read(tmp_path):
    folder = write_olci(tmp_path)
    dims, shape = ("rows", "columns"), (ROWS, COLUMNS)
    xarray.Dataset({"old": (dims, np.ones(shape))}).to_netcdf(folder / "old.nc", format="NETCDF3_64BIT", engine="scipy")

    with closing(open_product(folder, "CHL_NN", "old")) as reader:
        assert set(reader.info.variables) == {"CHL_NN", "old"}
        assert not reader.info.findings


def test_file_with_too_many_arrays_is_not_opened(tmp_path):
    folder = write_olci(tmp_path)
    with h5py.File(folder / "chl_nn.nc", "a") as file:
        for number in range(MAX_ARRAYS + 1):
            file.create_dataset(f"a{number}", data=1)

    with closing(open_product(folder)) as reader:
        assert "CHL_NN" not in reader.info.variables
        assert "chl_nn.nc" in {finding.place for finding in reader.info.findings}


def test_folder_without_files_is_refused(tmp_path):
    (tmp_path / "a.SEN3").mkdir()

    with pytest.raises(UnsupportedSource, match="no variable over x and y"):
        open_product(tmp_path / "a.SEN3")


def test_folder_of_too_many_files_is_refused(tmp_path):
    folder = write_olci(tmp_path)
    for number in range(MAX_FILES):
        (folder / f"{number}.nc").touch()

    with pytest.raises(UnsupportedSource, match="NetCDF files, at most 300 are read"):
        open_product(folder)


def test_revision_changes_with_each_file(tmp_path):
    folder = write_olci(tmp_path)
    assert product_of(folder / "chl_nn.nc") == folder

    with closing(open_product(folder, "CHL_NN")) as reader:
        before = reader.revision("CHL_NN", 0)
        write_olci(tmp_path / "other", node=40)
        (tmp_path / "other" / folder.name / "geo_coordinates.nc").rename(folder / "geo_coordinates.nc")
        after = reader.revision("CHL_NN", 0)

    assert before != after


@pytest.mark.parametrize("factor", [17, 15, 0, -1, 2**62, "x"])
def test_tie_points_that_do_not_cover_the_cells_are_refused(tmp_path, factor):
    folder = write_olci(tmp_path, has_cells=False)
    for name in ("chl_nn.nc", "tie_geo_coordinates.nc"):
        with xarray.open_dataset(folder / name, mask_and_scale=False) as dataset:
            changed = dataset.load().assign_attrs(ac_subsampling_factor=factor)
        changed.to_netcdf(folder / name, engine="h5netcdf")

    with pytest.raises(UnsupportedSource, match="CHL_NN: "):
        open_product(folder, "CHL_NN")
