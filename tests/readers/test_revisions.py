"""Revisions of many times equal the revisions of single times, with one check per file."""

import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import xarray
import zarr

from chronotile.core.model.expression import parse_expression
from chronotile.core.model.source import Mask, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers import file_states
from chronotile.readers.file_states import file_state, one_look
from chronotile.readers.kinds import open_source
from chronotile.readers.reader import GONE
from chronotile.readers.zarr.arrays import MAX_SEEN, open_array
from chronotile.readers.zarr.metadata import read_group
from chronotile.readers.zarr.source import open_zarr
from tests.looked_at import looked_at, settle
from tests.readers.memory import MemoryReader, derived, random_numbers
from tests.running import PATIENCE_S
from tests.scenes import (
    KINDS,
    Scene,
    make_dataset,
    make_spec,
    save_netcdf,
    save_zarr,
    write_cogs,
    write_scene,
    write_tif,
    write_zarr,
)

SCENE = Scene(days=tuple(f"2020-01-{day:02}" for day in range(1, 13)))
INDEXES = [3, 0, 11, 4, 5]


def one_by_one(reader, variable="NDVI", indexes=INDEXES):
    return " ".join(reader.revision(variable, index) for index in indexes)


def derived_of(spec, **variables):
    """Return the source with a mask or a formula over its variables."""
    specs = {"NDVI": VariableSpec(id="NDVI"), "QA": VariableSpec(id="QA"), **variables}
    return open_source(replace(spec, variables=specs))


def two_variables(folder, chunks):
    """NDVI, and QA in other chunks along time, whose numbers are twice the date's."""
    dataset = make_dataset(SCENE)
    quality = np.broadcast_to(np.arange(12, dtype="uint8")[:, None, None] * 2, SCENE.cube().shape)
    dataset["QA"] = (("time", "y", "x"), quality.copy(), {"grid_mapping": "spatial_ref"})
    store = save_zarr(dataset, folder / "made.zarr", NDVI={"chunks": chunks}, QA={"chunks": (5, 16, 16)})
    settle(folder)
    return make_spec("zarr", store)


# The text.


@pytest.mark.parametrize("kind", KINDS)
def test_state_of_times_is_the_states_of_each(tmp_path, kind):
    reader = open_source(write_scene(kind, tmp_path, SCENE))

    assert reader.revision_of_times("NDVI", INDEXES) == one_by_one(reader)


@pytest.mark.parametrize("chunk", [1, 5, 12])
def test_state_of_times_that_share_chunks_is_the_states_of_each(tmp_path, chunk):
    reader = open_zarr(write_scene("zarr-v3", tmp_path, SCENE))
    spec = make_spec("zarr", save_zarr(make_dataset(SCENE), tmp_path / "own.zarr", NDVI={"chunks": (chunk, 16, 16)}))

    assert open_zarr(spec).revision_of_times("NDVI", INDEXES) == one_by_one(open_zarr(spec))
    assert reader.revision_of_times("NDVI", []) == ""


def test_states_differ_of_times_in_different_chunks_alone(tmp_path):
    reader = derived_of(two_variables(tmp_path, (12, 16, 16)))
    zarr.open_array(str(tmp_path / "made.zarr/QA"), mode="r+")[7] = 1

    states = reader.revision_of_times("QA", range(12)).split(" ")

    assert [state == states[0] for state in states] == [True] * 5 + [False] * 7
    assert states[5:10] == [states[5]] * 5


def test_state_of_masked_times_covers_values_and_mask(tmp_path):
    """The mask's chunks hold five dates, the values' all."""
    spec = two_variables(tmp_path, (12, 16, 16))
    reader = derived_of(spec, NDVI=VariableSpec(id="NDVI", mask=Mask("QA", (4, 20))))
    before = reader.revision_of_times("NDVI", INDEXES), reader.revision_of_times("NDVI", [11])
    assert before[0] == one_by_one(reader)

    zarr.open_array(str(tmp_path / "made.zarr/QA"), mode="r+")[0, :16, :16] = 1

    after = reader.revision_of_times("NDVI", INDEXES), reader.revision_of_times("NDVI", [11])
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]
    assert after[0] == one_by_one(reader)


def test_state_of_times_of_a_formula_covers_its_operands(tmp_path):
    spec = two_variables(tmp_path, (12, 16, 16))
    reader = derived_of(spec, SUM=VariableSpec(id="SUM", formula=parse_expression("NDVI + QA")))
    before = reader.revision_of_times("SUM", INDEXES), reader.revision_of_times("SUM", [11])
    assert before[0] == one_by_one(reader, "SUM")

    zarr.open_array(str(tmp_path / "made.zarr/QA"), mode="r+")[0, :16, :16] = 1

    after = reader.revision_of_times("SUM", INDEXES), reader.revision_of_times("SUM", [11])
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]


def test_times_of_a_source_that_shares_no_states_have_their_own():
    source = MemoryReader().add("A", random_numbers(1)).add("B", random_numbers(2))
    reader = derived(source, SUM={"formula": "A + B"}, A={"mask": Mask("B", (4,))})

    assert reader.revision_of_times("B", [2, 0, 2]) == "B2 B0 B2"
    assert reader.revision_of_times("A", [2, 0]) == "A2 B (4,) B2 A0 B (4,) B0"
    assert reader.revision_of_times("SUM", [1]) == reader.revision("SUM", 1)


def test_missing_file_changes_the_state_of_its_times_only(tmp_path):
    reader = open_source(write_cogs(tmp_path, SCENE))
    states = reader.revision_of_times("NDVI", range(12)).split(" ")

    (tmp_path / "NDVI_20200103.tif").unlink()

    assert reader.revision_of_times("NDVI", range(12)).split(" ") == [*states[:2], GONE, *states[3:]]


def test_bands_of_one_file_share_its_state(tmp_path):
    write_tif(tmp_path / "ndvi_2019.tif", SCENE.cube(), SCENE)
    reader = open_source(make_spec("cog", tmp_path / "ndvi_*.tif", times=derived_times()))
    before = reader.revision_of_times("NDVI", INDEXES)
    assert before == one_by_one(reader)

    with looked_at(tmp_path) as found:
        reader.revision_of_times("NDVI", INDEXES)

    assert found == {"ndvi_2019.tif": 1}


def test_variables_of_one_netcdf_file_share_its_state(tmp_path):
    dataset = make_dataset(SCENE)
    dataset["QA"] = dataset["NDVI"].variable
    spec = make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc"))
    reader = derived_of(spec, NDVI=VariableSpec(id="NDVI", mask=Mask("QA", (4, 20))))

    with looked_at(tmp_path) as found:
        reader.revision_of_times("NDVI", INDEXES)

    assert found == {"made.nc": 1}


def derived_times():
    return MemoryReader().add("A", random_numbers(1, times=12), times=SCENE.days).infos["A"].times


# Levels.


def two_levels(folder, *, time_chunks=(5, 3)):
    """NDVI and an overview in other chunks along time."""
    spec = write_zarr(folder, SCENE)
    for level, chunk in enumerate(time_chunks):
        dataset = xarray.open_zarr(spec.href, group=str(level), consolidated=False, decode_cf=False).load()
        dataset["NDVI"].encoding.clear()
        dataset.to_zarr(
            spec.href, group=str(level), mode="w", consolidated=False, encoding={"NDVI": {"chunks": (chunk, 16, 16)}}
        )
    settle(folder)
    return spec


@pytest.mark.parametrize("level", [0, 1])
def test_state_of_times_covers_all_levels(tmp_path, level):
    spec = two_levels(tmp_path)
    reader = open_zarr(spec)
    before = [reader.revision("NDVI", index) for index in range(12)]
    assert reader.revision_of_times("NDVI", INDEXES) == one_by_one(reader)

    zarr.open_array(f"{spec.href}/{level}/NDVI", mode="r+")[7, 3, 3] = 1

    after = [reader.revision("NDVI", index) for index in range(12)]
    chunk = range(5, 10) if level == 0 else range(6, 9)
    assert [index for index in range(12) if before[index] != after[index]] == list(chunk)
    assert reader.revision_of_times("NDVI", INDEXES) == one_by_one(reader)


def test_each_folder_of_each_level_is_checked_once(tmp_path):
    reader = open_zarr(two_levels(tmp_path))

    with looked_at(tmp_path) as found:
        reader.revision_of_times("NDVI", range(12))

    assert set(found.values()) == {1}
    assert {path.split("/")[1] for path in found} == {"0", "1"}


def test_state_of_a_window_is_that_of_native_cells(tmp_path):
    spec = two_levels(tmp_path)
    reader = open_zarr(spec)
    before = reader.revision_of_times("NDVI", INDEXES, Window(3, 4, 3, 4))

    zarr.open_array(f"{spec.href}/1/NDVI", mode="r+")[:] = 1

    assert reader.revision_of_times("NDVI", INDEXES, Window(3, 4, 3, 4)) == before


def test_missing_overview_is_a_state_and_no_failure(tmp_path):
    spec = two_levels(tmp_path)
    reader = open_zarr(spec)
    before = reader.revision("NDVI", 7)

    shutil.rmtree(f"{spec.href}/1")

    after = reader.revision("NDVI", 7)
    assert after.split(" ") == [before.split(" ")[0], GONE]


# Windows.


def test_state_of_a_window_is_that_of_its_chunks(tmp_path):
    reader = open_zarr(two_variables(tmp_path, (12, 16, 16)))
    north, south = Window(3, 4, 5, 6), Window(20, 21, 5, 6)
    before = [reader.revision_of_times("NDVI", INDEXES, window) for window in (north, south)]

    zarr.open_array(str(tmp_path / "made.zarr/NDVI"), mode="r+")[7, 20, 5] = 1

    after = [reader.revision_of_times("NDVI", INDEXES, window) for window in (north, south)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False]


def test_window_without_a_state_has_that_of_the_whole_source(tmp_path):
    reader = open_source(write_cogs(tmp_path, SCENE))

    assert reader.revision_of_times("NDVI", INDEXES, Window(0, 1, 0, 1)) == one_by_one(reader)


@pytest.mark.parametrize("version", [2, 3])
def test_chunk_far_down_a_tall_array_is_seen_to_change(tmp_path, version):
    """It has more rows of chunks than an earlier release checked."""
    tall = Scene(height=80, width=4, days=SCENE.days[:2])
    keys = {} if version == 3 else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    dataset = make_dataset(tall)
    store = save_zarr(dataset, tmp_path / "tall.zarr", version=version, NDVI={"chunks": (1, 1, 4)} | keys)
    settle(tmp_path)
    reader = open_zarr(make_spec("zarr", store))
    before = [reader.revision("NDVI", index) for index in (0, 1)]

    zarr.open_array(f"{store}/NDVI", mode="r+")[1, 79] = 3

    assert [reader.revision("NDVI", index) == before[index] for index in (0, 1)] == [True, False]


def test_read_of_many_folders_sees_changes_of_the_last(tmp_path):
    count = MAX_SEEN + 65
    stored = zarr.create_group(tmp_path).create_array("NDVI", shape=(count, 1, 1), chunks=(1, 1, 1), dtype="u1")
    stored[0], stored[count - 1] = 1, 1
    array = open_array(str(tmp_path), read_group(str(tmp_path)).arrays["NDVI"])
    assert array.read((slice(0, count), 0, 0))[-1] == 1

    stored[count - 1] = 2

    assert array.read((slice(0, count), 0, 0))[-1] == 2


# One look.


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    return path


def test_a_file_has_one_state_in_one_look_and_its_own_after_it(file):
    with one_look():
        first = file_state(str(file))
        file.write_text("longer")
        with one_look():
            within = file_state(str(file))
        last = file_state(str(file))

    assert first == within == last
    assert file_state(str(file)).size == len("longer")


def test_a_file_that_is_not_there_is_looked_for_once(tmp_path):
    absent = str(tmp_path / "absent")

    with looked_at(tmp_path) as found, one_look():
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                file_state(absent)

    assert found == {"absent": 1}


def test_file_is_checked_again_after_a_failed_check(file):
    with pytest.raises(FileNotFoundError), one_look():
        file_state(str(file.with_name(str(file_state(str(file)).size))))

    file.write_text("longer")

    assert file_state(str(file)).size == len("longer")


def test_another_thread_checks_for_itself(file):
    sizes = []

    with one_look():
        file_state(str(file))
        file.write_text("longer")
        other = threading.Thread(target=lambda: sizes.append(file_state(str(file)).size))
        other.start()
        other.join(PATIENCE_S)

    assert sizes == [len("longer")]


def test_a_look_remembers_no_more_than_so_many_files(file, monkeypatch):
    monkeypatch.setattr(file_states, "MAX_REMEMBERED", 1)
    second = file.with_name("second")
    second.touch()

    with looked_at(file.parent) as found, one_look():
        for _ in range(3):
            file_state(str(file))
            file_state(str(second))

    assert found == {"file": 1, "second": 3}
