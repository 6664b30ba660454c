"""Common behaviour of all readers, over the same scene in every kind of store."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.scenes import KINDS, NODATA, Scene, write_scene

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
PART = Window(5, 19, 3, 31)


@pytest.fixture(scope="session", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def stored(kind, tmp_path_factory):
    return write_scene(kind, tmp_path_factory.mktemp(kind), SCENE)


@pytest.fixture
def reader(stored, closed_at_end):
    return closed_at_end(open_source(stored))


@pytest.fixture
def own(kind, tmp_path):
    """Return a copy of the scene that a test may damage."""
    return write_scene(kind, tmp_path, SCENE)


def files_of(spec):
    """Return the files that hold the pixels, newest date last."""
    path = Path(spec.href)
    if path.is_file():
        return [path]
    return sorted(path.glob("0/NDVI/**/*")) if path.is_dir() else sorted(path.parent.glob(path.name))


def test_numbers_equal_the_stored_ones(reader):
    for_each_time = [reader.read_window("NDVI", index=t, level=0, window=ALL).numbers for t in range(5)]

    np.testing.assert_array_equal(for_each_time, SCENE.cube())


def test_window_is_the_part_of_the_whole(reader):
    numbers = reader.read_window("NDVI", index=3, level=0, window=PART).numbers

    np.testing.assert_array_equal(numbers, SCENE.numbers(3)[5:19, 3:31])
    assert numbers.dtype == "uint8"


@pytest.mark.parametrize("step", [2, 3, 7, 100])
def test_step_takes_every_nth_row_and_column_from_the_first(reader, step):
    numbers = reader.read_window("NDVI", index=1, level=0, window=PART, step=step).numbers

    np.testing.assert_array_equal(numbers, SCENE.numbers(1)[5:19, 3:31][::step, ::step])


@pytest.mark.parametrize("indexes", [range(5), [2], [4, 0, 3], [1, 1, 0], [], range(1, 4)], ids=str)
def test_cell_along_time_is_in_the_requested_order(reader, indexes):
    numbers = reader.read_cell("NDVI", indexes=indexes, row=7, column=11).numbers

    np.testing.assert_array_equal(numbers, SCENE.cube()[list(indexes), 7, 11])


def test_grid_is_that_of_the_scene(reader):
    grid = reader.info.variables["NDVI"].grid

    assert grid.crs.name == "EPSG:32631"
    assert (grid.width, grid.height) == (40, 30)
    assert grid.transform.almost_equals(SCENE.transform)


def test_times_are_days(reader):
    times = reader.info.variables["NDVI"].times

    np.testing.assert_array_equal(times.starts, SCENE.times)
    np.testing.assert_array_equal(times.ends, SCENE.times + np.timedelta64(1, "D"))


def test_encoding_is_that_of_the_store(reader):
    encoding = reader.info.variables["NDVI"].encoding

    assert (encoding.dtype, encoding.scale, encoding.offset, encoding.nodata) == ("uint8", 0.004, -0.08, NODATA)


def test_overview_is_half_as_wide_over_the_same_box(reader, kind):
    levels = reader.info.variables["NDVI"].levels

    assert len(levels) == (1 if kind.startswith("netcdf") else 2)
    assert (levels[-1].width, levels[-1].height) == ((40, 30) if kind.startswith("netcdf") else (20, 15))
    assert levels[-1].bbox == pytest.approx(levels[0].bbox)


def test_coarsest_level_is_readable_whole(reader):
    levels = reader.info.variables["NDVI"].levels
    window = Window(0, levels[-1].height, 0, levels[-1].width)

    numbers = reader.read_window("NDVI", index=0, level=len(levels) - 1, window=window).numbers

    assert numbers.shape == (levels[-1].height, levels[-1].width)
    assert np.isin(numbers, SCENE.numbers(0)).all()


def test_threads_read_the_same_as_one_thread(reader):
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda n: reader.read_window("NDVI", index=n % 5, level=0, window=ALL).numbers, range(80))
        )

    np.testing.assert_array_equal(found, np.stack([SCENE.numbers(n % 5) for n in range(80)]))


def test_reader_reads_again_after_it_was_closed(reader):
    reader.close()

    assert reader.read_cell("NDVI", indexes=[0], row=0, column=0).numbers == SCENE.numbers(0)[0, 0]


def test_revision_stays_while_the_data_stay(reader):
    assert reader.revision("NDVI", 2) == reader.revision("NDVI", 2)


def test_rewritten_data_are_read_again_under_another_revision(own, kind):
    reader = open_source(own)
    before = reader.revision("NDVI", 2)
    reader.read_window("NDVI", index=2, level=0, window=ALL)

    again = replace(SCENE, shift=100)
    write_scene(kind, Path(own.href).parent, again)

    assert reader.revision("NDVI", 2) != before
    np.testing.assert_array_equal(reader.read_window("NDVI", index=2, level=0, window=ALL).numbers, again.numbers(2))


def test_removed_data_are_unavailable_and_no_path_is_shown(own, tmp_path):
    reader = open_source(own)
    reader.read_window("NDVI", index=0, level=0, window=ALL)
    shutil.rmtree(tmp_path)

    with pytest.raises(SourceUnavailable, match="NDVI in collection made") as raised:
        reader.read_window("NDVI", index=0, level=0, window=ALL)
    with pytest.raises(SourceUnavailable):
        reader.read_cell("NDVI", indexes=[0], row=0, column=0)
    with pytest.raises(SourceUnavailable):
        reader.revision("NDVI", 0)

    assert str(tmp_path) not in raised.value.message


def test_truncated_data_are_unavailable(own):
    reader = open_source(own)
    for path in filter(Path.is_file, files_of(own)):
        if path.name != "zarr.json":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(SourceUnavailable, match="NDVI in collection made"):
        reader.read_window("NDVI", index=4, level=0, window=ALL)


def test_configuration_goes_before_the_file(stored):
    said = VariableSpec(
        id="NDVI",
        title="Greenness",
        units="percent",
        scale=0.5,
        offset=1.0,
        nodata=0.0,
        valid_range=(1.0, 200.0),
        flags=((251, "snow"),),
    )

    info = open_source(replace(stored, crs="EPSG:32632", variables={"NDVI": said})).info.variables["NDVI"]

    encoding = info.encoding
    assert (encoding.units, encoding.scale, encoding.offset, encoding.nodata) == ("percent", 0.5, 1.0, 0.0)
    assert (encoding.valid_range, encoding.flags) == ((1.0, 200.0), ((251, "snow"),))
    assert (info.title, info.grid.crs.name) == ("Greenness", "EPSG:32632")


def test_numbers_may_be_meant_as_another_type_of_their_size(stored):
    reader = open_source(replace(stored, variables={"NDVI": VariableSpec(id="NDVI", dtype="int8")}))

    numbers = reader.read_window("NDVI", index=0, level=0, window=ALL).numbers

    np.testing.assert_array_equal(numbers, SCENE.numbers(0).view("int8"))
    assert reader.info.variables["NDVI"].encoding.nodata == -1


def test_variable_has_its_id_with_any_name_in_the_file(stored):
    spec = replace(stored, variables={"greenness": VariableSpec(id="greenness", name="NDVI", band=None)})

    reader = open_source(spec)

    assert list(reader.info.variables) == ["greenness"]
    assert reader.read_cell("greenness", indexes=[1], row=2, column=3).numbers == SCENE.numbers(1)[2, 3]


def test_without_configured_variables_all_are_read(stored, kind):
    info = open_source(replace(stored, variables={})).info

    assert list(info.variables) == (["band1"] if kind == "cog" else ["NDVI"])


def test_absent_source_is_refused_by_its_base_name(stored):
    spec = replace(stored, href=str(Path(stored.href).with_name("absent.thing")))

    with pytest.raises(UnsupportedSource, match=r"absent\.thing"):
        open_source(spec)


def test_text_file_is_refused(stored, tmp_path):
    (tmp_path / "made.txt").write_text("no pixels here")

    with pytest.raises(UnsupportedSource):
        open_source(replace(stored, href=str(tmp_path / "made.txt")))


@pytest.mark.parametrize("indexes", [[0, 1, 2, 3, 4], [1], [4, 0, 3]], ids=["run", "one", "some"])
def test_a_block_is_the_windows_of_many_times(reader, indexes):
    block = reader.read_block("NDVI", indexes=indexes, window=PART, along="space")

    np.testing.assert_array_equal(block.numbers, SCENE.cube()[indexes, 5:19, 3:31])


def test_blocks_have_a_size_in_time_and_space(reader):
    shape = reader.block_shape("NDVI", "time")

    assert min(shape) >= 1
    assert shape.times <= len(SCENE.days)
