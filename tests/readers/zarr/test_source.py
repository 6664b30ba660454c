"""Zarr stores: levels, layouts, codecs, and missing chunks."""

import itertools
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from numcodecs import Delta

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.zarr.arrays import MAX_SEEN, TensorStoreArray, ZarrPythonArray, open_array
from chronotile.readers.zarr.metadata import read_group
from chronotile.readers.zarr.source import open_zarr
from tests.looked_at import settle
from tests.scenes import Scene, make_dataset, make_spec, save_zarr, write_zarr

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)


def sizes_of(reader, variable="NDVI"):
    return [(grid.width, grid.height) for grid in reader.info.variables[variable].levels]


def read_all(reader, variable="NDVI"):
    return np.stack([reader.read_window(variable, index=t, level=0, window=ALL).numbers for t in range(5)])


# Levels.


@pytest.mark.parametrize("version", [2, 3])
def test_single_flat_group_is_one_level(tmp_path, version):
    store = save_zarr(make_dataset(SCENE), tmp_path / "flat.zarr", version=version)

    reader = open_zarr(make_spec("zarr", store))

    assert sizes_of(reader) == [(40, 30)]
    np.testing.assert_array_equal(read_all(reader), SCENE.cube())


def test_groups_are_ordered_by_size_not_by_number(tmp_path):
    store = Path(write_zarr(tmp_path, SCENE).href)
    (store / "0").rename(store / "x")
    (store / "1").rename(store / "0")
    (store / "x").rename(store / "1")

    assert sizes_of(open_zarr(make_spec("zarr", store))) == [(40, 30), (20, 15)]


MULTISCALES = {
    "ome": [{"datasets": [{"path": "fine"}, {"path": "coarse"}]}],
    "layout of groups": {"layout": [{"group": "fine"}, {"group": "coarse", "from_group": "fine"}]},
    "layout of assets": {"layout": [{"asset": "fine"}, {"asset": "coarse", "derived_from": "fine"}]},
}


@pytest.mark.parametrize("multiscales", MULTISCALES.values(), ids=MULTISCALES)
def test_groups_that_multiscales_list_are_levels(tmp_path, multiscales):
    store = Path(write_zarr(tmp_path, SCENE).href)
    (store / "0").rename(store / "fine")
    (store / "1").rename(store / "coarse")
    zarr.open_group(store, mode="a").attrs["multiscales"] = multiscales

    assert sizes_of(open_zarr(make_spec("zarr", store))) == [(40, 30), (20, 15)]


def test_overview_with_other_times_is_skipped_and_reported(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    other = replace(SCENE, days=("2021-01-01", *SCENE.days[1:]), width=20, height=15)
    save_zarr(make_dataset(other), Path(spec.href), group="1")

    reader = open_zarr(spec)

    assert sizes_of(reader) == [(40, 30)]
    assert [(finding.severity, finding.place) for finding in reader.info.findings] == [("warning", "1/NDVI")]


def test_unreadable_overview_is_skipped_and_reported(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    shutil.rmtree(Path(spec.href) / "1" / "NDVI")

    reader = open_zarr(spec)

    assert sizes_of(reader) == [(40, 30)]
    assert "no array NDVI" in reader.info.findings[0].message


def test_title_and_attribution_come_from_the_root(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    zarr.open_group(spec.href, mode="a").attrs.update(title="Made", attribution="Nobody", license="CC0-1.0")

    info = open_zarr(spec).info

    assert (info.title, info.attribution, info.license) == ("Made", "Nobody", "CC0-1.0")


# Layouts.


@pytest.mark.parametrize("dims", list(itertools.permutations(("time", "y", "x"))), ids="-".join)
def test_dimensions_may_be_in_any_order(tmp_path, dims):
    reader = open_zarr(write_zarr(tmp_path, SCENE, dims=dims))

    part = reader.read_window("NDVI", index=3, level=0, window=Window(2, 9, 5, 30), step=2).numbers

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    np.testing.assert_array_equal(part, SCENE.numbers(3)[2:9:2, 5:30:2])
    np.testing.assert_array_equal(
        reader.read_cell("NDVI", indexes=[4, 1], row=7, column=3).numbers, SCENE.cube()[[4, 1], 7, 3]
    )


def test_additional_dimension_of_length_one_is_squeezed(tmp_path):
    dataset = make_dataset(SCENE)
    deep = dataset["NDVI"].expand_dims(depth=1, axis=2)
    store = save_zarr(dataset.assign(NDVI=deep), tmp_path / "deep.zarr")

    np.testing.assert_array_equal(read_all(open_zarr(make_spec("zarr", store))), SCENE.cube())


def test_times_stored_out_of_order_are_read_in_order(tmp_path):
    shuffled = make_dataset(SCENE).isel(time=[3, 0, 4, 2, 1])
    reader = open_zarr(make_spec("zarr", save_zarr(shuffled, tmp_path / "shuffled.zarr")))

    np.testing.assert_array_equal(reader.info.variables["NDVI"].times.starts, SCENE.times)
    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    np.testing.assert_array_equal(
        reader.read_cell("NDVI", indexes=range(5), row=3, column=4).numbers, SCENE.cube()[:, 3, 4]
    )


def test_array_without_time_has_none(tmp_path):
    still = make_dataset(SCENE).isel(time=0, drop=True)
    reader = open_zarr(make_spec("zarr", save_zarr(still, tmp_path / "still.zarr")))

    assert len(reader.info.variables["NDVI"].times) == 0
    np.testing.assert_array_equal(reader.read_window("NDVI", index=0, level=0, window=ALL).numbers, SCENE.numbers(0))
    assert list(reader.read_cell("NDVI", indexes=[0, 0], row=1, column=2).numbers) == [SCENE.number(0, 1, 2)] * 2


def test_shards_are_read(tmp_path):
    spec = write_zarr(tmp_path, SCENE, chunks=(1, 8, 8), shards=(1, 16, 16))

    np.testing.assert_array_equal(read_all(open_zarr(spec)), SCENE.cube())


def test_missing_chunk_is_fill_value_as_zarr_has_it(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    (Path(spec.href) / "0/NDVI/c/2/0/0").unlink()

    numbers = open_zarr(spec).read_window("NDVI", index=2, level=0, window=ALL).numbers

    assert (numbers[:16, :16] == zarr.open_array(f"{spec.href}/0/NDVI").fill_value).all()
    np.testing.assert_array_equal(numbers[16:], SCENE.numbers(2)[16:])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("version", [2, 3])
def test_real_types_are_read_as_stored(tmp_path, dtype, version):
    dataset = make_dataset(SCENE)
    numbers = (SCENE.cube() % 100).astype(dtype)
    dataset["NDVI"] = (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref"})
    reader = open_zarr(make_spec("zarr", save_zarr(dataset, tmp_path / "typed.zarr", version=version)))

    found = read_all(reader)

    assert found.dtype == reader.info.variables["NDVI"].encoding.dtype == ("uint8" if dtype == "bool" else dtype)
    np.testing.assert_array_equal(found, numbers)


def test_big_endian_numbers_are_turned(tmp_path):
    spec = write_zarr(tmp_path, SCENE, version=2)
    group = zarr.open_group(f"{spec.href}/0", mode="a")
    attrs = dict(group["NDVI"].attrs)
    big = group.create_array("NDVI", data=SCENE.cube().astype(">i2"), chunks=(1, 16, 16), overwrite=True)
    big.attrs.update(attrs)

    found = read_all(open_zarr(spec))

    assert found.dtype == "int16"
    np.testing.assert_array_equal(found, SCENE.cube())


def test_codec_that_tensorstore_lacks_is_read_with_zarr_python(tmp_path):
    spec = write_zarr(tmp_path, SCENE, version=2, filters=[Delta(dtype="u1")])
    node = read_group(spec.href).groups["0"].arrays["NDVI"]

    assert isinstance(open_array(spec.href, node), ZarrPythonArray)
    reader = open_zarr(spec)
    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    np.testing.assert_array_equal(
        reader.read_cell("NDVI", indexes=[3, 1, 1], row=7, column=3).numbers, SCENE.cube()[[3, 1, 1], 7, 3]
    )


def test_codec_that_tensorstore_has_is_read_with_it(tmp_path):
    spec = write_zarr(tmp_path, SCENE)

    assert isinstance(open_array(spec.href, read_group(spec.href).groups["0"].arrays["NDVI"]), TensorStoreArray)


def test_fill_value_that_xarray_wrote_in_base64_is_read(tmp_path):
    dataset = make_dataset(SCENE)
    dataset["NDVI"] = (("time", "y", "x"), SCENE.cube().astype("float32"), {"_FillValue": np.float32(-9999.5)})
    spec = make_spec("zarr", save_zarr(dataset, tmp_path / "filled.zarr"), crs="EPSG:32631")
    stored = json.loads((tmp_path / "filled.zarr/NDVI/zarr.json").read_text())["attributes"]["_FillValue"]
    assert isinstance(stored, str)

    assert open_zarr(spec).info.variables["NDVI"].encoding.nodata == -9999.5


# Change and loss.


def test_missing_folder_of_chunks_is_unavailable(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    reader = open_zarr(spec)
    reader.read_window("NDVI", index=2, level=0, window=ALL)
    shutil.rmtree(Path(spec.href) / "0/NDVI/c/2")

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)
    np.testing.assert_array_equal(reader.read_window("NDVI", index=3, level=0, window=ALL).numbers, SCENE.numbers(3))


@pytest.mark.parametrize(("version", "folder"), [(2, "NDVI/2"), (3, "NDVI/c/2"), (3, "NDVI/c")])
def test_folder_of_chunks_that_goes_before_it_was_ever_read_is_unavailable(tmp_path, version, folder):
    keys = {} if version == 3 else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    spec = write_zarr(tmp_path, SCENE, version=version, **keys)
    reader = open_zarr(spec)
    shutil.rmtree(Path(spec.href) / "0" / folder)

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)
    with pytest.raises(SourceUnavailable):
        reader.revision("NDVI", 2)


def test_missing_folder_of_chunks_of_a_long_series_is_unavailable(tmp_path):
    days = tuple(str(day) for day in np.arange("2020-01-01", "2020-03-08", dtype="datetime64[D]"))
    spec = write_zarr(tmp_path, Scene(days=days, width=16, height=16))
    reader = open_zarr(spec)
    shutil.rmtree(Path(spec.href) / "0/NDVI/c/66")

    with pytest.raises(SourceUnavailable):
        reader.read_cell("NDVI", indexes=range(len(days)), row=7, column=3)


def test_folder_that_was_never_written_is_fill_value(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    shutil.rmtree(Path(spec.href) / "0/NDVI/c/2")
    reader = open_zarr(spec)

    assert (reader.read_window("NDVI", index=2, level=0, window=ALL).numbers == 0).all()
    assert reader.read_cell("NDVI", indexes=range(5), row=7, column=3).numbers[2] == 0


def test_folder_that_is_written_later_is_read(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    kept = (Path(spec.href) / "0/NDVI/c/2").rename(tmp_path / "kept")
    reader = open_zarr(spec)
    reader.read_window("NDVI", index=2, level=0, window=ALL)

    kept.rename(Path(spec.href) / "0/NDVI/c/2")

    np.testing.assert_array_equal(reader.read_window("NDVI", index=2, level=0, window=ALL).numbers, SCENE.numbers(2))


def test_change_of_a_folder_with_a_forgotten_state_is_seen(tmp_path):
    group = zarr.create_group(tmp_path)
    stored = group.create_array("NDVI", shape=(MAX_SEEN + 65, 1, 1), chunks=(1, 1, 1), dtype="u1")
    stored[0] = 1
    array = open_array(str(tmp_path), read_group(str(tmp_path)).arrays["NDVI"])
    for start in range(0, MAX_SEEN + 1, 64):
        array.read((slice(start, start + 64), 0, 0))

    stored[0] = 2

    assert array.read((0, slice(0, 1), slice(0, 1))) == 2


def test_chunk_rewritten_in_place_is_seen(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    settle(tmp_path)
    reader = open_zarr(spec)
    before = [reader.revision("NDVI", t) for t in range(5)]
    reader.read_window("NDVI", index=2, level=0, window=ALL)

    zarr.open_array(f"{spec.href}/0/NDVI", mode="r+")[2, 20:, 20:] = 1

    changed = [reader.revision("NDVI", t) != before[t] for t in range(5)]
    assert changed == [False, False, True, False, False]
    assert (reader.read_window("NDVI", index=2, level=0, window=ALL).numbers[20:, 20:] == 1).all()


def test_appended_time_leaves_the_others_readable(tmp_path):
    store = save_zarr(make_dataset(SCENE), tmp_path / "grows.zarr")
    reader = open_zarr(make_spec("zarr", store))
    group = zarr.open_group(store, mode="r+")
    group["NDVI"].append(SCENE.numbers(7)[np.newaxis])
    group["time"].append(group["time"][-1:] + 240)

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    assert len(open_zarr(make_spec("zarr", store)).info.variables["NDVI"].times) == 6


def test_array_replaced_by_another_type_is_unavailable(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    reader = open_zarr(spec)
    zarr.open_group(f"{spec.href}/0", mode="a").create_array(
        "NDVI", shape=(5, 30, 40), dtype="float32", chunks=(1, 16, 16), overwrite=True
    )

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)


LIBRARIES = {
    "version 2": {"version": 2},
    "version 3": {"version": 3},
    "zarr-python": {"version": 2, "filters": [Delta(dtype="u1")]},
}
libraries = pytest.mark.parametrize("encoding", LIBRARIES.values(), ids=LIBRARIES)


@libraries
def test_array_replaced_by_another_shape_is_unavailable(tmp_path, encoding):
    reader = open_zarr(write_zarr(tmp_path, SCENE, **encoding))
    shutil.rmtree(tmp_path)
    write_zarr(tmp_path, Scene(width=60), **encoding)

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=2, level=0, window=Window(0, 2, 0, 2))


@libraries
def test_array_replaced_by_another_of_its_shape_is_read(tmp_path, encoding):
    reader = open_zarr(write_zarr(tmp_path, SCENE, **encoding))
    read_all(reader)
    shutil.rmtree(tmp_path)
    write_zarr(tmp_path, replace(SCENE, shift=9), **encoding | {"chunks": (1, 8, 8)})

    np.testing.assert_array_equal(read_all(reader), replace(SCENE, shift=9).cube())


@pytest.mark.parametrize("version", [2, 3])
def test_damaged_chunk_is_unavailable(tmp_path, version):
    spec = write_zarr(tmp_path, SCENE, version=version)
    chunk = Path(spec.href) / "0/NDVI" / ("1.0.0" if version == 2 else "c/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-5])

    with pytest.raises(SourceUnavailable):
        open_zarr(spec).read_window("NDVI", index=1, level=0, window=ALL)


# Stores that are no cubes.


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda store: zarr.create_array(store, shape=(3,), dtype="u1"), "is a single Zarr array; name the group"),
        (zarr.create_group, "no variable over x and y"),
        (lambda store: store.mkdir(), "not a Zarr group: it has neither"),
        (lambda store: (store.mkdir(), (store / "zarr.json").write_text("{"))[0], "cannot be opened"),
        (lambda store: (store.mkdir(), (store / "zarr.json").write_text("[]"))[0], "damaged"),
        (lambda store: store.with_suffix(".zip").write_bytes(b"PK"), "does not exist"),
    ],
    ids=["array", "empty group", "folder", "half metadata", "no metadata", "absent"],
)
def test_invalid_group_of_arrays_is_refused(tmp_path, made, reason):
    made(tmp_path / "odd.zarr")

    with pytest.raises(UnsupportedSource, match=reason):
        open_zarr(make_spec("zarr", tmp_path / "odd.zarr", variables={}))


def test_zip_without_a_folder_in_it_is_the_store(tmp_path):
    store = write_zarr(tmp_path, Scene()).href

    zipped = shutil.make_archive(store, "zip", root_dir=store)

    assert sizes_of(open_zarr(make_spec("zarr", zipped))) == [(40, 30), (20, 15)]


def test_invalid_zip_is_refused(tmp_path):
    (tmp_path / "odd.zarr.zip").write_bytes(b"PK no zip")

    with pytest.raises(UnsupportedSource, match=r"odd\.zarr\.zip cannot be opened"):
        open_zarr(make_spec("zarr", tmp_path / "odd.zarr.zip"))


@pytest.mark.slow
def test_opening_and_reading_load_neither_xarray_nor_zarr(tmp_path):
    spec = write_zarr(tmp_path, SCENE)
    program = f"""
import sys
from chronotile.core.model.space.grid import Window
from chronotile.core.model.source import SourceSpec
from chronotile.readers.kinds import open_source
reader = open_source(SourceSpec(collection="made", kind="zarr", href={spec.href!r}))
reader.read_window("NDVI", index=0, level=0, window=Window(0, 3, 0, 3))
print(*sorted({{"xarray", "zarr", "pandas", "rasterio"}} & set(sys.modules)))
"""

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == ""


def test_metadata_equal_those_of_xarray(tmp_path):
    spec = write_zarr(tmp_path, SCENE, version=2)
    opened = xarray.open_zarr(spec.href, group="0", consolidated=False, mask_and_scale=False, decode_times=False)

    node = read_group(spec.href).groups["0"].arrays["NDVI"]

    assert (node.dims, node.shape, node.dtype) == (opened["NDVI"].dims, opened["NDVI"].shape, opened["NDVI"].dtype)
    assert node.attrs == dict(opened["NDVI"].attrs) | {"_FillValue": 255}
