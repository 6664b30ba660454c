"""Collections of scenes written onto one grid: every number equals the mosaic and the made ground."""

from contextlib import closing
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
import xarray
import zarr
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from chronotile.optimise.collections import optimise_collection, verify_collection
from chronotile.optimise.conversion import Packing
from chronotile.optimise.mosaics import MosaicRequest
from chronotile.optimise.options import Options
from tests.scenes_archive.files import path_of, write_asset
from tests.scenes_archive.indexed import LATTICE, indexed
from tests.scenes_archive.plan import TINY, by_cloud_cover

pytestmark = pytest.mark.slow

OPTIONS = Options(layout="both", block=4, threads=1)


@pytest.fixture
def scenes(tmp_path):
    """Return all scenes, indexed."""
    return indexed(TINY, tmp_path, more=LATTICE)


@pytest.fixture
def write(tmp_path):
    """Return `write(scenes, **request)`, which writes the cube and returns the report."""

    def write(scenes, *, options=OPTIONS, progress=lambda _what, _share: None, **request):
        archive = scenes.opened()
        try:
            return optimise_collection(
                archive,
                MosaicRequest(collection="scenes", **request),
                tmp_path / "cube.zarr",
                options,
                open_index=scenes.open_index,
                progress=progress,
            )
        finally:
            archive.close()
            archive.services.reader_caches.items.close()

    return write


@pytest.fixture
def verify(tmp_path):
    """Return `verify(scenes, **request)`, which compares the cube with the items and returns the summary."""

    def verify(scenes, **request):
        archive = scenes.opened()
        try:
            mosaic_request = MosaicRequest(collection="scenes", **request)
            return verify_collection(archive, mosaic_request, tmp_path / "cube.zarr", open_index=scenes.open_index)
        finally:
            archive.close()
            archive.services.reader_caches.items.close()

    return verify


@pytest.fixture
def cube(tmp_path):
    """Return `cube(variable)`: values (time, y, x) of the native level, NaN without a value."""
    return lambda variable, group="": xarray.open_zarr(tmp_path / "cube.zarr" / group, chunks=None)[variable]


def places_of(array):
    x, y = np.meshgrid(array["x"].values, array["y"].values)
    return x, y


def expected(asset, array, date, *, crs="EPSG:3035", scenes=None):
    """Return the values of the first piece, by cloud cover, at the centres of the cells."""
    return TINY.mosaic(asset, *places_of(array), date=date, crs=crs, order=by_cloud_cover, scenes=scenes).values


def combined(array, date, rule):
    """Return the statistic of the red bands of all pieces at the centres of the cells."""
    return TINY.combined("B04", *places_of(array), date=date, rule=rule, crs="EPSG:3035", order=by_cloud_cover)


@pytest.mark.parametrize(("variable", "asset"), [("RED", "B04"), ("CELL", "CELL"), ("SCL", "SCL")])
def test_every_number_is_that_of_the_first_scene_by_cloud_cover(scenes, write, cube, variable, asset):
    report = write(scenes, variables=(variable,))

    array = cube(variable)
    made = np.stack([expected(asset, array, date) for date in range(4)])
    assert report.added == 4
    assert np.isfinite(made).mean() > 0.3
    np.testing.assert_allclose(array.values, made, rtol=1e-6, equal_nan=True)
    np.testing.assert_array_equal(cube(variable, "series").values, array.values)


@pytest.mark.parametrize("rule", ["max", "mean", "median"])
def test_rules_combine_all_scenes(scenes, write, cube, rule):
    write(scenes, variables=("RED",), rule=rule)

    array = cube("RED")
    made = np.stack([combined(array, date, rule) for date in range(4)])
    np.testing.assert_allclose(array.values, made, rtol=1e-6, equal_nan=True)


def test_formulas_are_written_with_their_masks(scenes, write, cube):
    write(scenes, variables=("NDVI",))

    array = cube("NDVI")
    ndvi = np.stack([masked_ndvi(array, date) for date in range(4)])
    assert 0.1 < np.isfinite(ndvi).mean() < 0.9
    np.testing.assert_allclose(array.values, ndvi, rtol=1e-5, equal_nan=True)


def masked_ndvi(array, date):
    """Return the NDVI of the first piece, by cloud cover, with a value or a masked one."""
    x, y = places_of(array)
    ndvi = np.full(x.shape, np.nan)
    for scene in sorted(TINY.scenes(date), key=by_cloud_cover):
        red, nir, scl = (
            TINY.mosaic(asset, x, y, date=date, crs="EPSG:3035", scenes=(scene,)).values
            for asset in ("B04", "B08", "SCL")
        )
        own = np.where(np.isin(scl, (4, 5, 6)), (nir - red) / (nir + red), np.nan)
        ndvi = np.where(np.isnan(ndvi), own, ndvi)
    return ndvi


@pytest.mark.parametrize("dates", [slice(None), slice(0, 1)], ids=["all dates", "one date"])
def test_every_number_is_that_of_the_coverage(scenes, write, cube, dates):
    write(scenes)
    archive = scenes.opened()
    days = f"{TINY.days[dates][0]}/{TINY.days[dates][-1]}"

    with TestClient(application(archive.services)) as client:
        answer = client.get("/ogcapi/collections/scenes/coverage", params={"f": "netCDF", "datetime": days})
    archive.services.reader_caches.items.close()

    assert answer.status_code == 200, answer.text[:300]
    served = xarray.open_dataset(answer.content)
    for name in ("RED", "NIR", "SCL", "CELL"):
        np.testing.assert_allclose(cube(name).values[dates], served[name].values, rtol=1e-6, equal_nan=True)


def test_the_process_writes_the_same_numbers(tmp_path, scenes, write, cube):
    write(scenes, variables=("CELL",))
    archive = scenes.opened()

    with TestClient(application(archive.services)) as client:
        answer = client.post("/ogcapi/processes/optimise/execution", json={"inputs": {"layer": "scenes.CELL"}})
    archive.services.reader_caches.items.close()
    (tmp_path / "cube.zip").write_bytes(answer.content)
    with ZipFile(tmp_path / "cube.zip") as file:
        file.extractall(tmp_path / "job")

    assert answer.status_code == 200, answer.text[:300]
    job = xarray.open_zarr(next((tmp_path / "job").rglob("sources")).parent, chunks=None)
    np.testing.assert_array_equal(job["CELL"].values, cube("CELL").values)


def test_an_interrupted_run_is_resumed(scenes, write, cube):
    def stop(_what, share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(scenes, variables=("RED",), progress=stop)
    with pytest.raises(UnsupportedSource, match="use --resume"):
        write(scenes, variables=("RED",))
    write(scenes, variables=("RED",), options=replace(OPTIONS, resume=True))

    array = cube("RED")
    made = np.stack([expected("B04", array, date) for date in range(4)])
    np.testing.assert_allclose(array.values, made, rtol=1e-6, equal_nan=True)


def test_next_run_adds_new_instants(tmp_path, write, cube):
    scenes = indexed(TINY, tmp_path, more=LATTICE, scenes=[*TINY.scenes(0), *TINY.scenes(3)])
    write(scenes, variables=("CELL",))
    scenes.put(TINY.scenes(1))

    report = write(scenes, variables=("CELL",))

    array = cube("CELL").sortby("time")
    made = np.stack([expected("CELL", array, date) for date in (0, 1, 3)])
    assert (report.added, report.late, report.replaced) == (1, 1, 0)
    np.testing.assert_array_equal(array.values, made)


def test_next_run_writes_instants_of_changed_scenes_again(scenes, write, cube):
    write(scenes, variables=("RED",))
    cloudless, gone = TINY.scenes(0)[-1], TINY.scenes(1)[0]
    scenes.put([cloudless], properties={"eo:cloud_cover": -1.0})
    scenes.remove([gone])

    report = write(scenes, variables=("RED",))

    array = cube("RED")
    x, y = places_of(array)
    order = lambda scene: (-1.0 if scene == cloudless else scene.cloud_cover, scene.id)  # noqa: E731 -- a key
    first = TINY.mosaic("B04", x, y, date=0, crs="EPSG:3035", order=order).values
    left = expected("B04", array, 1, scenes=tuple(each for each in TINY.scenes(1) if each != gone))
    assert (report.added, report.replaced) == (0, 2)
    np.testing.assert_allclose(array.values[:2], [first, left], rtol=1e-6, equal_nan=True)


def test_instant_with_removed_scenes_becomes_nodata(scenes, write, cube):
    write(scenes, variables=("RED",))
    scenes.remove(TINY.scenes(2))

    report = write(scenes, variables=("RED",))

    array = cube("RED")
    assert (report.added, report.replaced) == (0, 1)
    assert np.isnan(array.values[2]).all()
    np.testing.assert_allclose(array.values[3], expected("B04", array, 3), rtol=1e-6, equal_nan=True)


def test_another_rule_writes_all_again(scenes, write, cube):
    write(scenes, variables=("RED",))

    report = write(scenes, variables=("RED",), rule="max")

    array = cube("RED")
    made = combined(array, 0, "max")
    assert report.replaced == 4
    np.testing.assert_allclose(array.values[0], made, rtol=1e-6, equal_nan=True)


def test_unreadable_scene_is_skipped_and_tried_again(tmp_path, scenes, write, cube):
    lost = TINY.scenes(0)[0]
    scenes.put([lost], folder=tmp_path / "elsewhere")

    first = write(scenes, variables=("RED",))
    array = cube("RED").load()
    without = expected("B04", array, 0, scenes=tuple(each for each in TINY.scenes(0) if each != lost))
    write_asset(tmp_path / "elsewhere" / path_of(lost, "B04"), lost, "B04")
    second = write(scenes, variables=("RED",))

    assert list(first.left_out) == [lost.id]
    assert any("tries again: 1 (" in line for line in first.lines())
    np.testing.assert_allclose(array.values[0], without, rtol=1e-6, equal_nan=True)
    assert (second.left_out, second.replaced) == ({}, 1)
    np.testing.assert_allclose(cube("RED").values[0], expected("B04", array, 0), rtol=1e-6, equal_nan=True)


def test_a_box_and_times_choose_a_part(scenes, write, cube):
    west, south, east, north = 5.99, 50.497, 6.005, 50.503
    day = np.datetime64(TINY.days[1], "ns")

    report = write(
        scenes,
        variables=("CELL",),
        bbox=BBox(west, south, east, north),
        spans=(TimeSpan(day, day + np.timedelta64(1, "D")),),
    )

    array = cube("CELL")
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True).transform([west, east], [south, north])
    assert report.added == 1
    assert abs(array["x"].values.min() - min(x)) < 100
    assert abs(array["y"].values.max() - max(y)) < 100
    np.testing.assert_array_equal(array.values[0], expected("CELL", array, 1))


def test_dates_outside_the_requested_times_stay(scenes, write, cube):
    write(scenes, variables=("CELL",))
    scenes.remove([*TINY.scenes(0), *TINY.scenes(1)])
    day = np.datetime64(TINY.days[1], "ns")

    report = write(scenes, variables=("CELL",), spans=(TimeSpan(day, day + np.timedelta64(90, "D")),))

    array = cube("CELL")
    assert report.replaced == 1
    assert np.isnan(array.values[1]).all()
    np.testing.assert_array_equal(array.values[0], expected("CELL", array, 0))


def test_files_of_several_grids_need_one(tmp_path, write):
    scenes = indexed(TINY, tmp_path)

    with pytest.raises(UnsupportedSource, match=r"grids .*EPSG:3263[12] 10.*--crs and --resolution"):
        write(scenes, variables=("RED",))


def test_a_requested_grid_replaces_the_configured_one(scenes, write, cube):
    write(scenes, variables=("CELL",), target=TargetGrid(crs="EPSG:32632", resolution=40.0))

    array = cube("CELL")
    assert set(np.diff(array["x"].values)) == {40.0}
    np.testing.assert_array_equal(array.values[0], expected("CELL", array, 0, crs="EPSG:32632"))


def test_files_of_one_grid_are_written_on_it(tmp_path, write, cube):
    scenes = indexed(TINY, tmp_path, scenes=[each for each in TINY.all_scenes() if each.frame.zone == 31])

    write(scenes, variables=("RED", "NIR"))

    array = cube("RED")
    assert set(np.diff(array["x"].values)) == {10.0}
    for date in range(4):
        zone = tuple(each for each in TINY.scenes(date) if each.frame.zone == 31)
        made = expected("B04", array, date, crs="EPSG:32631", scenes=zone)
        np.testing.assert_allclose(array.values[date], made, rtol=1e-6, equal_nan=True)


def test_a_cube_does_not_take_another_variable(scenes, write):
    write(scenes, variables=("RED",))

    with pytest.raises(UnsupportedSource, match="existing cube has RED, the source NIR"):
        write(scenes, variables=("NIR",))


@pytest.mark.parametrize("rule", ["first", "max", "mean", "median"])
def test_a_cube_is_verified_with_the_files_of_the_items(scenes, write, verify, rule):
    scenes.remove(TINY.scenes(3))
    request = {"variables": ("RED", "SCL", "NDVI"), "rule": rule}
    write(scenes, **request)

    summary = verify(scenes, **request)

    assert "3 dates of RED, SCL, NDVI compared with the items of the index" in summary
    assert "every number is the same in maps and series" in summary


def test_verify_accepts_rounded_numbers(scenes, write, verify):
    packed = replace(OPTIONS, packing=Packing(dtype="uint8", scale=0.004, offset=-0.08))
    write(scenes, variables=("NDVI",), options=packed)

    assert "to the rounding of their type" in verify(scenes, variables=("NDVI",))


def test_verify_finds_a_date_of_items_at_a_wrong_time(tmp_path, scenes, write, verify):
    write(scenes, variables=("RED",))
    for group in ("", "series"):
        group_arrays = zarr.open_group(tmp_path / "cube.zarr" / group, mode="a")
        for name in ("time", "time_bnds"):
            group_arrays[name][2] = group_arrays[name][2] + 3600

    with pytest.raises(UnsupportedSource, match="1 dates differ from the source"):
        verify(scenes, variables=("RED",))


@pytest.mark.parametrize("group", ["", "series"])
def test_verify_finds_a_number_that_differs_from_the_items(tmp_path, scenes, write, verify, cube, group):
    write(scenes, variables=("RED",))
    numbers = zarr.open_group(tmp_path / "cube.zarr" / group, mode="a")["RED"]
    row, column = (int(each[0]) for each in np.nonzero(np.isfinite(cube("RED").values[2])))
    numbers[2, row, column] += 1

    with pytest.raises(UnsupportedSource, match="1 dates differ from the source, in 1 cells; in the cube RED has"):
        verify(scenes, variables=("RED",))


def test_verify_skips_dates_that_lack_items(tmp_path, scenes, write, verify):
    lost = TINY.scenes(0)[0]
    scenes.put([lost], folder=tmp_path / "elsewhere")

    report = write(scenes, variables=("RED",))
    summary = verify(scenes, variables=("RED",))

    assert list(report.left_out) == [lost.id]
    assert summary.startswith("3 dates of RED")
    assert summary.endswith("; not verified: 1 dates of the cube that are of none of these sources, or lack items")


def test_verify_refuses_files_on_another_machine(scenes, write, verify):
    write(scenes, variables=("RED",))
    items = [scenes.item(scene) for scene in TINY.scenes(3)]
    away = [
        replace(item, assets=tuple(replace(each, href=f"https://example.org/{each.name}.tif") for each in item.assets))
        for item in items
    ]
    with closing(scenes.open_index()) as index:
        index.put("scenes", away)

    with pytest.raises(UnsupportedSource, match="cannot be verified: files of its items are not on this machine"):
        verify(scenes, variables=("RED",))


def test_a_cube_does_not_take_another_crs(scenes, write, cube):
    day = np.datetime64(TINY.days[0], "ns")
    spans = (TimeSpan(day, day + np.timedelta64(1, "D")),)
    write(scenes, variables=("CELL",), target=TargetGrid(crs="EPSG:32632", resolution=40.0), spans=spans)

    with pytest.raises(UnsupportedSource, match="the existing cube has another --bbox, --crs or --resolution"):
        write(scenes, variables=("CELL",), target=TargetGrid(crs="EPSG:3857", resolution=40.0))

    assert len(cube("CELL")["time"]) == 1


def test_an_interrupted_run_is_not_resumed_on_another_grid(scenes, write, verify):
    def stop(_what, share):
        raise KeyboardInterrupt

    resumed = replace(OPTIONS, resume=True)
    with pytest.raises(KeyboardInterrupt):
        write(scenes, variables=("CELL",), progress=stop)

    with pytest.raises(UnsupportedSource, match="the interrupted run had another grid; name the same, or delete"):
        write(scenes, variables=("CELL",), target=TargetGrid(crs="EPSG:3035", resolution=40.0), options=resumed)
    assert write(scenes, variables=("CELL",), options=resumed).added == 4
    verify(scenes, variables=("CELL",))


@pytest.mark.parametrize("box", [None, BBox(5.9, 50.4, 6.1, 50.6)], ids=["no box", "a box"])
def test_collection_that_grows_beyond_its_cube_continues_within_it(tmp_path, write, verify, cube, box):
    north = [scene for scene in TINY.all_scenes() if scene.frame.id.endswith("A")]
    scenes = indexed(TINY, tmp_path, more=LATTICE, scenes=[scene for scene in north if scene.date < 2])
    write(scenes, variables=("CELL",), bbox=box)
    shape = cube("CELL").shape[1:]
    scenes.put(TINY.all_scenes())

    report = write(scenes, variables=("CELL",), bbox=box)
    verify(scenes, variables=("CELL",))

    array = cube("CELL")
    assert (report.added, array.shape[1:]) == (2, shape)
    assert any("items lie beyond the cells of the existing cube" in line for line in report.lines())
    np.testing.assert_array_equal(array.values[3], expected("CELL", array, 3))


@pytest.mark.parametrize("box", [None, BBox(5.9, 50.4, 6.1, 50.6)], ids=["no box", "a box"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_another_crs_is_refused_before_the_box_of_the_cube_is_used(scenes, write, cube, crs, box):
    write(scenes, variables=("CELL",), bbox=box)
    resolution = 0.0005 if crs == "EPSG:4326" else 40.0

    with pytest.raises(UnsupportedSource, match="the existing cube has another --bbox, --crs or --resolution"):
        write(scenes, variables=("CELL",), bbox=box, target=TargetGrid(crs=crs, resolution=resolution))

    assert len(cube("CELL")["time"]) == 4


def test_cells_of_twice_the_size_are_verified(scenes, write, verify):
    request = {
        "variables": ("RED", "CELL", "SCL"),
        "target": TargetGrid(crs="EPSG:32631", resolution=20.0),
        "rule": "mean",
    }
    write(scenes, **request)

    assert verify(scenes, **request).startswith("4 dates of RED, CELL, SCL")
