"""Groups of NetCDF, HDF5 and Zarr: choice of a group, and coordinates in other groups."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import zarr
from affine import Affine

from chronotile.core.errors import SeveralGroups, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.cf import swath
from chronotile.readers.cf.geolocation import examine
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH, MAX_GROUPS
from chronotile.readers.kinds import kind_of_spec, open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.grouped import (
    ABOVE,
    LOCATIONS,
    PRODUCT,
    STORES,
    Stored,
    scene_in_groups,
    write_groups,
    write_scene_in_groups,
)
from tests.readers.made_swaths import orbit
from tests.scenes import Scene, make_spec

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)


def open_spec(spec):
    return open_source(spec, ReaderCaches())


def assert_is_scene(reader, scene=SCENE, variable="NDVI"):
    info = reader.info.variables[variable]
    assert info.grid.transform.almost_equals(scene.transform)
    assert info.grid.crs.definition.to_epsg() == 32631
    np.testing.assert_array_equal(info.times.starts, scene.times)
    window = Window(0, scene.height, 0, scene.width)
    numbers = [reader.read_window(variable, index=t, level=0, window=window).numbers for t in range(len(scene.days))]
    np.testing.assert_array_equal(numbers, scene.cube())


PAIRS = [(store, location) for store in STORES for location in LOCATIONS if store != "hdf5" or location in ABOVE]
"""Dimensions of HDF5 that are not defined in the group or above it are not NetCDF."""


@pytest.mark.parametrize(("store", "location"), PAIRS)
@pytest.mark.parametrize("group", [PRODUCT, None], ids=["named", "only one"])
def test_group_finds_coordinates_at_location(tmp_path, store, location, group):
    reader = open_spec(write_scene_in_groups(tmp_path, SCENE, location, store, group=group))

    assert_is_scene(reader)
    assert reader.info.group == PRODUCT


def test_only_group_with_rasters_is_reported(tmp_path):
    reader = open_spec(write_scene_in_groups(tmp_path, SCENE, "sister", "netcdf-4", variables={}))

    (finding,) = [f for f in reader.info.findings if f.place == PRODUCT]
    assert finding.severity == "note"
    assert finding.message == "only this group has rasters that can be served, so it is read"


TWO = Scene(transform=Affine(20, 0, 600_000, 0, -20, 5_600_000), width=20, height=12, shift=5)


def write_two(folder, store, **rest):
    """Write two groups with rasters on different grids."""
    content = {**scene_in_groups(SCENE, "group", "first"), **scene_in_groups(TWO, "group", "second/deep")}
    kind = "zarr" if store.startswith("zarr") else "netcdf"
    return make_spec(
        kind, write_groups(content, folder / ("made.zarr" if kind == "zarr" else "made.nc"), store), **rest
    )


@pytest.mark.parametrize("store", STORES[1:])
def test_several_groups_are_read_by_their_paths(tmp_path, store):
    spec = write_two(tmp_path, store)

    assert_is_scene(open_spec(replace(spec, group="first")))
    assert_is_scene(open_spec(replace(spec, group="second/deep")), TWO)


@pytest.mark.parametrize("store", STORES[1:])
def test_several_groups_without_a_choice_are_listed(tmp_path, store):
    with pytest.raises(SeveralGroups, match="its groups first, second/deep have rasters; set group:") as error:
        open_spec(write_two(tmp_path, store, variables={}))

    assert error.value.groups == ("first", "second/deep")


@pytest.mark.parametrize("store", STORES[1:])
def test_missing_group_lists_existing_groups(tmp_path, store):
    with pytest.raises(UnsupportedSource, match="no group third with arrays in it; there are first, second/deep"):
        open_spec(write_two(tmp_path, store, group="third"))


@pytest.mark.parametrize("store", STORES)
def test_missing_group_lists_few_of_many_groups(tmp_path, store):
    small = {"v": Stored(("y", "x"), np.zeros((2, 3), "u1"))}
    path = write_groups({f"g{n:02}": small for n in range(30)}, tmp_path / "made.zarr", store)

    with pytest.raises(UnsupportedSource, match=r"there are g00, .*g19 and 10 more"):
        open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path, group="none"))


def test_configured_variable_chooses_its_group(tmp_path):
    content = {**scene_in_groups(SCENE, "group", "first"), **scene_in_groups(TWO, "group", "second")}
    content["second"] = {name.replace("NDVI", "LAI"): stored for name, stored in content["second"].items()}

    reader = open_spec(make_spec("netcdf", write_groups(content, tmp_path / "made.nc", "hdf5")))

    assert reader.info.group == "first"


@pytest.mark.parametrize("store", STORES[1:])
def test_root_with_rasters_is_read_and_groups_are_reported(tmp_path, store):
    content = {**scene_in_groups(SCENE, "root", ""), **scene_in_groups(TWO, "group", "second")}
    path = write_groups(content, tmp_path / "made.zarr", store)

    reader = open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path, variables={}))

    assert_is_scene(reader)
    assert reader.info.other_groups == ("second",)
    assert [f.message for f in reader.info.findings if f.place == "second"] == [
        "group second is not served, with its variables NDVI; serve it as another source, with group: second"
    ]


@pytest.mark.parametrize("store", ["netcdf-4", "zarr-2", "zarr-3"])
def test_two_sisters_with_coordinates_are_ambiguous(tmp_path, store):
    content = scene_in_groups(SCENE, "sister")
    content["a/other"] = {**content["a/geolocation"], "x": Stored(("x",), content["a/geolocation"]["x"].numbers + 500)}
    path = write_groups(content, tmp_path / "made.zarr", store)

    with pytest.raises(UnsupportedSource, match="NDVI: "):
        open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path, group=PRODUCT))


def test_netcdf_dimension_of_the_group_has_no_coordinates_in_sisters(tmp_path):
    content = scene_in_groups(SCENE, "group", "a/other")
    path = write_groups(content, tmp_path / "made.nc", "netcdf-4")
    with h5py.File(path, "a") as file:
        sizes = dict(zip(("time", "y", "x"), SCENE.cube().shape, strict=True))
        bare = file.create_group("a/product")
        bare["NDVI"] = SCENE.cube()
        for axis, (dim, length) in enumerate(sizes.items()):
            bare[dim] = np.zeros(length)
            bare[dim].make_scale("This is a netCDF dimension but not a netCDF variable. ")
            bare["NDVI"].dims[axis].attach_scale(bare[dim])

    with pytest.raises(UnsupportedSource, match="NDVI: "):
        open_spec(make_spec("netcdf", path, group="a/product"))


def test_grid_with_x_and_y_next_to_latitudes_is_no_swath(tmp_path):
    content = scene_in_groups(SCENE, "group", "grid")
    rows, columns = np.mgrid[: SCENE.height, : SCENE.width]
    places = {
        "latitude": Stored(("y", "x"), 51.0 - rows * 9e-5, {"units": "degrees_north"}),
        "longitude": Stored(("y", "x"), 3.0 + columns * 1.4e-4, {"units": "degrees_east"}),
    }
    content["grid"] = {**content["grid"], **places}

    assert_is_scene(open_spec(make_spec("netcdf", write_groups(content, tmp_path / "made.nc", "hdf5"))))


@pytest.mark.parametrize("store", STORES)
def test_group_below_the_limit_of_depth_is_reported(tmp_path, store):
    deep = "/".join(["d"] * 100)
    content = {**scene_in_groups(SCENE, "root", ""), deep: {"v": Stored(("row", "column"), np.zeros((2, 3), "u1"))}}
    path = write_groups(content, tmp_path / "made.zarr", store)

    reader = open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path))

    assert_is_scene(reader)
    assert any(f"read are {MAX_GROUP_DEPTH} levels" in finding.message for finding in reader.info.findings)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["hdf5", "zarr-3"])
def test_more_groups_than_the_limit_are_reported(tmp_path, store):
    small = {"v": Stored(("row", "column"), np.zeros((2, 3), "u1"))}
    content = {**scene_in_groups(SCENE, "root", ""), **{f"g{n:04}": small for n in range(MAX_GROUPS + 5)}}
    path = write_groups(content, tmp_path / "made.zarr", store)

    reader = open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path))

    assert_is_scene(reader)
    assert any(f"{MAX_GROUPS} groups" in finding.message for finding in reader.info.findings)


def test_cyclic_links_are_read_once(tmp_path):
    spec = write_scene_in_groups(tmp_path, SCENE, "root", "hdf5")
    with h5py.File(spec.href, "a") as file:
        file["a/product/again"] = file["a"]
        file["a/soft"] = h5py.SoftLink("/a")

    assert_is_scene(open_spec(spec))


def test_dimension_defined_in_a_sister_group_is_refused_in_words(tmp_path):
    spec = write_scene_in_groups(tmp_path, SCENE, "above", "hdf5", group=PRODUCT)
    with h5py.File(spec.href, "a") as file:
        file.move("a/x", "b/x")

    with pytest.raises(UnsupportedSource, match="dimension 'x' of group a/product is not defined in it or above"):
        open_spec(spec)


def test_group_in_another_file_is_not_followed(tmp_path):
    write_scene_in_groups(tmp_path, SCENE, "group", "hdf5")
    with h5py.File(tmp_path / "outer.nc", "w") as file:
        file["product"] = h5py.ExternalLink("made.nc", "/a/product")

    with pytest.raises(UnsupportedSource, match="product is in another file"):
        open_spec(make_spec("netcdf", tmp_path / "outer.nc", group="product"))


def test_circle_of_folders_of_a_zarr_store_is_bounded(tmp_path):
    spec = write_scene_in_groups(tmp_path, SCENE, "group", "zarr-3")
    (tmp_path / "made.zarr" / "a" / "again").symlink_to(tmp_path / "made.zarr" / "a")

    reader = open_spec(replace(spec, group=PRODUCT))

    assert_is_scene(reader)
    assert len(kind_of_spec(spec).files(spec)) < 10_000


@pytest.mark.parametrize("version", [2, 3])
def test_changed_document_of_a_deep_group_is_watched(tmp_path, version):
    content = scene_in_groups(SCENE, "group", "a/b/product/deep")
    path = write_groups(content, tmp_path / "made.zarr", f"zarr-{version}")
    spec = make_spec("zarr", path)

    watched = kind_of_spec(spec).files(spec)

    assert str(path / "a/b/product/deep/NDVI" / ("zarr.json" if version == 3 else ".zarray")) in watched


def test_levels_of_a_group_are_overviews(tmp_path):
    fine, coarse = (scene_in_groups(scene, "group", f"ndvi/{n}") for n, scene in enumerate((SCENE, SCENE)))
    coarse["ndvi/1"] = {
        name: Stored(s.dims, s.numbers[..., ::2, ::2] if len(s.dims) == 3 else s.numbers, s.attrs)
        for name, s in coarse["ndvi/1"].items()
    }
    for name, step in (("y", -5), ("x", 5)):
        stored = coarse["ndvi/1"][name]
        coarse["ndvi/1"][name] = Stored(stored.dims, stored.numbers[::2] + step, stored.attrs)
    path = write_groups({**fine, **coarse}, tmp_path / "made.zarr", "zarr-3")

    reader = open_spec(make_spec("zarr", path))

    assert_is_scene(reader)
    assert reader.info.group == "ndvi"
    assert [grid.width for grid in reader.info.variables["NDVI"].levels] == [40, 20]


def test_consolidated_store_reads_a_group(tmp_path):
    spec = write_scene_in_groups(tmp_path, SCENE, "sister", "zarr-2")
    zarr.consolidate_metadata(spec.href)

    assert_is_scene(open_spec(spec))


# Swaths in groups.


def swath_in_groups(dims=("scan", "pixel"), of_positions=("scan", "pixel")):
    longitudes, latitudes = orbit(20, 24, rows=60, angles=np.linspace(-2, 2, 50))
    return {
        "a/product": {"v": Stored(dims, np.arange(3000, dtype="f4").reshape(60, 50))},
        "a/geolocation": {
            "latitude": Stored(of_positions, latitudes, {"units": "degrees_north"}),
            "longitude": Stored(of_positions, longitudes, {"units": "degrees_east"}),
        },
    }


@pytest.mark.parametrize("of_positions", [("scan", "pixel"), ("y", "x")], ids="-".join)
@pytest.mark.parametrize("store", STORES)
def test_positions_of_a_sister_have_the_shape_of_the_array(tmp_path, store, of_positions):
    path = write_groups(swath_in_groups(of_positions=of_positions), tmp_path / "made", store)

    reader = open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path, variables={}))

    assert list(reader.info.variables) == ["v"]
    assert reader.info.group == "a/product"


@pytest.mark.parametrize("store", STORES)
def test_positions_of_a_swath_in_a_group_are_read_once(tmp_path, store, monkeypatch):
    path = write_groups(swath_in_groups(), tmp_path / "made", store)
    examined = []
    monkeypatch.setattr(swath, "examine", lambda geolocation: examined.append(geolocation) or examine(geolocation))

    open_spec(make_spec("zarr" if store.startswith("zarr") else "netcdf", path, variables={}))

    assert len(examined) == 1
