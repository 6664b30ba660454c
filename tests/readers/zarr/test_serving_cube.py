"""A serving cube read while it grows and changes."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.durable_files import Disk
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import open_source
from chronotile.readers.reader import BlockShape
from chronotile.readers.zarr.serving_cube import ServingCube
from tests.older_cubes import optimise_in_format_1
from tests.scenes import Scene, make_spec, write_cogs, write_tif

SCENE = Scene(width=70, height=50, days=tuple(f"2020-01-{day:02}" for day in range(1, 12)))
ALL = Window(0, SCENE.height, 0, SCENE.width)
OPTIONS = Options(layout="both", block=4, threads=1)


@pytest.fixture
def tifs(tmp_path):
    write_cogs(tmp_path, SCENE)
    return sorted(map(str, tmp_path.glob("*.tif")))


@pytest.fixture
def cube(tmp_path, tifs):
    """Return a cube of the first five dates."""
    optimise(tifs[:5], tmp_path / "cube.zarr", OPTIONS)
    return tmp_path / "cube.zarr"


@pytest.fixture
def reader(cube):
    return open_source(make_spec("zarr", cube))


@pytest.fixture(scope="module")
def same_reader(tmp_path_factory):
    """Return a reader of a cube of five dates that no test changes."""
    folder = tmp_path_factory.mktemp("same")
    write_cogs(folder, replace(SCENE, days=SCENE.days[:5]))
    optimise(sorted(map(str, folder.glob("*.tif"))), folder / "cube.zarr", OPTIONS)
    return open_source(make_spec("zarr", folder / "cube.zarr"))


def times_of(reader):
    return reader.info.variables["NDVI"].times


def cell_of(reader, indexes):
    return reader.read_cell("NDVI", indexes=indexes, row=7, column=11).numbers


def test_folder_that_optimise_wrote_is_read_as_a_serving_cube(same_reader):
    assert isinstance(same_reader, ServingCube)


def test_appended_date_is_seen_by_an_open_reader(reader, cube, tifs):
    before = cell_of(reader, range(5))

    optimise(tifs[5:6], cube, OPTIONS)

    assert len(times_of(reader)) == 6
    np.testing.assert_array_equal(cell_of(reader, range(6)), SCENE.cube()[:6, 7, 11])
    np.testing.assert_array_equal(before, SCENE.cube()[:5, 7, 11])


def test_revisions_of_other_dates_stay_when_one_is_added(reader, cube, tifs):
    before = [reader.revision("NDVI", index) for index in range(5)]

    optimise(tifs[5:6], cube, OPTIONS)

    assert [reader.revision("NDVI", index) for index in range(5)] == before


def test_replaced_date_has_another_revision_and_the_new_numbers(reader, cube, tifs):
    before = [reader.revision("NDVI", index) for index in range(5)]
    reader.read_window("NDVI", index=2, level=0, window=ALL)
    again = replace(SCENE, shift=50)
    write_tif(tifs[2], again.numbers(2), again)

    optimise(tifs[:5], cube, OPTIONS)

    changed = [reader.revision("NDVI", index) != each for index, each in enumerate(before)]
    assert changed == [False, False, True, False, False]
    np.testing.assert_array_equal(reader.read_window("NDVI", index=2, level=0, window=ALL).numbers, again.numbers(2))
    assert cell_of(reader, [2]) == again.numbers(2)[7, 11]


def test_a_replaced_date_shows_in_the_revision_of_times_that_hold_it(reader, cube, tifs):
    choices = [(0, 1), (1, 2), (2, 3), (3, 4)]
    before = [reader.revision_of_times("NDVI", choice) for choice in choices]
    again = replace(SCENE, shift=50)
    write_tif(tifs[2], again.numbers(2), again)

    optimise(tifs[:5], cube, OPTIONS)

    after = [reader.revision_of_times("NDVI", choice) for choice in choices]
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True, False]
    assert len(set(after)) == len(choices)


def test_indexes_keep_their_meaning_when_a_late_date_comes(cube, tifs):
    optimise(tifs[6:7], cube, OPTIONS)
    reader = open_source(make_spec("zarr", cube))

    optimise(tifs[5:6], cube, OPTIONS)
    optimise(tifs[7:8], cube, OPTIONS)

    np.testing.assert_array_equal(times_of(reader).starts, SCENE.times[[0, 1, 2, 3, 4, 6, 7]])
    np.testing.assert_array_equal(cell_of(reader, range(7)), SCENE.cube()[[0, 1, 2, 3, 4, 6, 7], 7, 11])
    anew = open_source(make_spec("zarr", cube))
    np.testing.assert_array_equal(times_of(anew).starts, SCENE.times[:8])
    np.testing.assert_array_equal(cell_of(anew, range(8)), SCENE.cube()[:8, 7, 11])


@pytest.mark.parametrize("indexes", [range(11), [10, 0, 5], [3, 3], [0, 10]], ids=str)
def test_cells_are_in_the_requested_order_across_blocks(cube, tifs, indexes):
    optimise(tifs, cube, OPTIONS)
    reader = open_source(make_spec("zarr", cube))

    np.testing.assert_array_equal(cell_of(reader, indexes), SCENE.cube()[list(indexes), 7, 11])


def test_absent_file_is_unavailable_and_no_fill_value(reader, cube):
    (cube / "NDVI/c.3.0.0").unlink()

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=3, level=0, window=ALL)


def test_missing_cube_is_unavailable(reader, cube):
    shutil.rmtree(cube)

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=0, level=0, window=ALL)
    with pytest.raises(SourceUnavailable):
        reader.revision("NDVI", 0)
    assert len(times_of(reader)) == 5


@pytest.mark.parametrize("version", [0, 3, 99, -1, "x", [2]])
def test_format_of_another_release_is_refused(cube, version):
    document = json.loads((cube / "zarr.json").read_text())
    document["attributes"]["chronotile"]["format"] = version
    (cube / "zarr.json").write_text(json.dumps(document))

    with pytest.raises(UnsupportedSource, match="this release reads 2 and the one before"):
        open_source(make_spec("zarr", cube))


def test_format_of_the_release_before_is_read(tmp_path, tifs):
    optimise_in_format_1(tifs[:5], tmp_path / "old.zarr", OPTIONS)

    reader = open_source(make_spec("zarr", tmp_path / "old.zarr"))

    np.testing.assert_array_equal(cell_of(reader, range(5)), SCENE.cube()[:5, 7, 11])
    np.testing.assert_array_equal(reader.read_window("NDVI", index=4, level=0, window=ALL).numbers, SCENE.numbers(4))


def test_damaged_commit_is_refused(cube):
    document = json.loads((cube / "zarr.json").read_text())
    del document["attributes"]["_nc_chronotile"]["levels"]
    (cube / "zarr.json").write_text(json.dumps(document))

    with pytest.raises(UnsupportedSource, match="its commit document is damaged"):
        open_source(make_spec("zarr", cube))


class Watching(Disk):
    """Inspects the cube before every rename."""

    def __init__(self, look):
        self._look = look

    def rename(self, source, target):
        self._look()
        super().rename(source, target)
        self._look()


def test_every_moment_of_an_append_shows_the_old_state_or_the_new(reader, cube, tifs):
    seen = []

    def look():
        count = len(times_of(reader))
        np.testing.assert_array_equal(cell_of(reader, range(count)), SCENE.cube()[:count, 7, 11])
        numbers = reader.read_window("NDVI", index=count - 1, level=0, window=ALL).numbers
        np.testing.assert_array_equal(numbers, SCENE.numbers(count - 1))
        seen.append(count)

    optimise(tifs[5:10], cube, OPTIONS, disk=Watching(look))

    assert seen == sorted(seen)
    assert set(seen) == {5, 8, 10}


def test_every_moment_of_a_replacement_shows_the_old_state_or_the_new(reader, cube, tifs):
    again = replace(SCENE, shift=50)
    write_tif(tifs[1], again.numbers(1), again)
    write_tif(tifs[4], again.numbers(4), again)
    old, new = SCENE.cube()[:5], SCENE.cube()[:5]
    new[[1, 4]] = again.numbers(1), again.numbers(4)
    seen = []

    def look():
        maps = np.stack([reader.read_window("NDVI", index=t, level=0, window=ALL).numbers for t in range(5)])
        state = "old" if np.array_equal(maps, old) else "new" if np.array_equal(maps, new) else "half"
        np.testing.assert_array_equal(cell_of(reader, range(5)), maps[:, 7, 11])
        seen.append(state)

    optimise(tifs[:5], cube, OPTIONS, disk=Watching(look))

    assert "half" not in seen
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}


@pytest.mark.slow
def test_threads_never_read_half_a_state_while_dates_are_replaced(cube, tifs):
    versions = [SCENE.cube()[:5]]
    for shift in (50, 90, 130):
        again = replace(SCENE, shift=shift)
        cube_now = versions[-1].copy()
        cube_now[[1, 4]] = again.numbers(1), again.numbers(4)
        versions.append(cube_now)
    cells = {version[:, 7, 11].tobytes() for version in versions}
    stop, wrong = threading.Event(), []

    def read():
        reader = open_source(make_spec("zarr", cube))
        while not stop.is_set():
            if cell_of(reader, range(5)).tobytes() not in cells:
                wrong.append(1)
            window = reader.read_window("NDVI", index=1, level=0, window=ALL).numbers
            if not any(np.array_equal(window, version[1]) for version in versions):
                wrong.append(2)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for shift in (50, 90, 130):
        again = replace(SCENE, shift=shift)
        write_tif(tifs[1], again.numbers(1), again)
        write_tif(tifs[4], again.numbers(4), again)
        optimise(tifs[:5], cube, OPTIONS)
    stop.set()
    for thread in threads:
        thread.join()

    assert not wrong
    np.testing.assert_array_equal(cell_of(open_source(make_spec("zarr", cube)), range(5)), versions[-1][:, 7, 11])


PART = Window(5, 41, 13, 66)


def test_blocks_are_those_of_the_requested_layout(same_reader):
    shapes = [same_reader.block_shape("NDVI", along) for along in ("time", "space")]

    assert shapes[0] == BlockShape(4, 16, 16)
    assert shapes[1].times == 1


@pytest.mark.quick_cases("order-")
@pytest.mark.parametrize("along", ["time", "space"])
@pytest.mark.parametrize(
    "indexes", [[0, 1, 2, 3, 4], [2, 0, 1], [4, 1], [2]], ids=["run", "run in another order", "some", "one"]
)
def test_a_block_of_either_layout_has_the_same_numbers(same_reader, along, indexes):
    block = same_reader.read_block("NDVI", indexes=indexes, window=PART, along=along)

    np.testing.assert_array_equal(block.numbers, SCENE.cube()[indexes, 5:41, 13:66])


@pytest.mark.parametrize("along", ["time", "space"])
def test_blocks_of_replaced_dates_are_new(reader, cube, tmp_path, along):
    again = replace(SCENE, shift=9)
    write_cogs(tmp_path, again)

    optimise([str(sorted(tmp_path.glob("*.tif"))[2])], cube, OPTIONS)

    block = reader.read_block("NDVI", indexes=[1, 2, 4], window=PART, along=along).numbers
    np.testing.assert_array_equal(block[1], again.numbers(2)[5:41, 13:66])
    np.testing.assert_array_equal(block[[0, 2]], SCENE.cube()[[1, 4], 5:41, 13:66])


@pytest.mark.every_case
@pytest.mark.parametrize(
    "indexes", [[0, 1, 2, 3, 4], [2, 0, 1], [4, 1], [2]], ids=["run", "run in another order", "some", "one"]
)
def test_scattered_cells_equal_their_series(same_reader, indexes):
    rows, columns = np.array([40, 3, 3, 49]), np.array([69, 0, 17, 5])

    cells = same_reader.read_cells("NDVI", indexes=indexes, rows=rows, columns=columns)

    np.testing.assert_array_equal(cells.numbers, SCENE.cube()[indexes][:, rows, columns])
