"""Files in the folder of a job: its plan is complete or made again; inputs of tasks are read only the first time."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from chronotile.archive.live_archive import ItemAccess
from chronotile.core.errors import SourceUnavailable
from chronotile.core.web.places import AllowedPlaces
from chronotile.jobs.processes.process import JobPlan
from chronotile.jobs.queue.faults import JobFailed, TemporaryFault
from chronotile.jobs.queue.job_folder import PARTIAL_RESULTS, RESULTS, clear
from chronotile.jobs.runner.tasks import (
    DONE,
    READ_FILES,
    ReadFiles,
    TaskContext,
    do_task,
    finish,
    store_plan,
    store_task_results,
    stored_plan,
)
from tests.jobs.processes.doing import plan_of
from tests.real_data.truth import open_place
from tests.scenes import Scene, write_cogs

PLAN = JobPlan(tasks=[{"row": row} for row in range(1000)], seconds=0, held_bytes=0, shared={"times": []})


@pytest.fixture
def files(tmp_path):
    """Return `files("a", "inputs", size)`: a file of a job with a text of `size` bytes."""

    def write(job, name, size):
        (tmp_path / job).mkdir(exist_ok=True)
        file = tmp_path / job / f"{name}.json"
        file.write_bytes(json.dumps({"text": ""}).encode().ljust(size))
        return file

    return write


def is_kept(read, file):
    """Return whether a file's content is cached, so that the file may be missing."""
    told = read.read(file)
    file.unlink()
    return read.read(file) is told


def test_files_of_a_job_are_read_once_however_large(files):
    read = ReadFiles(100)
    inputs, shared = files("a", "inputs", 1000), files("a", "shared", 1000)

    read.read(inputs)

    assert is_kept(read, shared)
    assert is_kept(read, inputs)


def test_small_files_of_other_jobs_are_cached(files):
    read = ReadFiles(100)
    small, large, last = files("a", "inputs", 40), files("b", "inputs", 90), files("c", "inputs", 40)
    told = [read.read(file) for file in (small, large, last)]

    for file in (small, large):
        file.unlink()

    assert read.read(last) is told[2]
    with pytest.raises(FileNotFoundError):
        read.read(large)
    with pytest.raises(FileNotFoundError):
        read.read(small)


def test_cache_of_files_of_other_jobs_is_bounded(files):
    read = ReadFiles(1_000_000)
    first, *others = [files(f"job {number}", "inputs", 20) for number in range(READ_FILES + 1)]
    for file in (first, *others):
        read.read(file)
        file.unlink()

    assert [read.read(file)["text"] for file in others] == [""] * READ_FILES
    with pytest.raises(FileNotFoundError):
        read.read(first)


def test_plan_is_stored_for_the_next_attempt(tmp_path):
    kept = store_plan(tmp_path / "job", {"layer": "ndvi.NDVI"}, PLAN)

    assert stored_plan(tmp_path / "job") == kept


def test_new_plan_finds_no_partial_results_of_another(tmp_path):
    first = store_plan(tmp_path / "job", {}, PLAN)
    (tmp_path / "job" / PARTIAL_RESULTS / first.id / "0").write_text("a partial result")

    second = store_plan(tmp_path / "job", {}, PLAN)

    assert [*(tmp_path / "job" / PARTIAL_RESULTS).rglob("*")] == [tmp_path / "job" / PARTIAL_RESULTS / second.id]
    assert stored_plan(tmp_path / "job") == second
    assert first.id != second.id


def test_two_concurrent_attempts_leave_complete_files_only(tmp_path):
    store_plan(tmp_path, {}, PLAN)
    before = {file.name for file in tmp_path.iterdir()}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: store_task_results(tmp_path, PLAN.tasks), range(64)))

    assert json.loads((tmp_path / DONE).read_bytes()) == PLAN.tasks
    assert {file.name for file in tmp_path.iterdir()} - before == {DONE}


def test_missing_folder_is_reported(tmp_path):
    store_plan(tmp_path / "job", {}, PLAN)
    shutil.rmtree(tmp_path / "job")

    with pytest.raises(SourceUnavailable, match="files of the job are gone"):
        store_task_results(tmp_path / "job", [])


def test_finished_job_has_only_its_results(tmp_path):
    store_plan(tmp_path, {}, PLAN)
    store_task_results(tmp_path, [])
    (tmp_path / "done.json.0123.part").write_text("of an attempt that was killed")

    clear(tmp_path)

    assert [each.name for each in tmp_path.iterdir()] == [RESULTS]


def test_archive_that_cannot_be_opened_is_named_in_the_log_only(tmp_path, caplog):
    written = tmp_path / "chronotile.yaml"
    written.write_text("collections: {made: {source: {kind: zarr, href: gone.zarr}}}")
    plan = store_plan(tmp_path / "job", {}, PLAN)
    context = TaskContext(place=str(written), revision="", process="export", folder=str(tmp_path / "job"), plan=plan.id)

    with pytest.raises(TemporaryFault) as failed:
        do_task(context, {})

    assert failed.value.fault.detail.startswith("a process that does tasks of the job cannot open the archive")
    assert str(tmp_path) not in failed.value.fault.detail
    assert str(tmp_path) in caplog.text


def test_address_of_a_database_is_not_shown_with_a_task():
    items = ItemAccess(open_index=partial(str, "postgresql://user:secret@host/name"), places=AllowedPlaces())

    context = TaskContext(place="a", revision="", process="export", folder="b", plan="c", items=items)

    assert "secret" not in repr(context)


@pytest.mark.slow
def test_a_job_whose_files_were_replaced_fails_without_another_attempt(tmp_path):
    data, folder, inputs = tmp_path / "data", tmp_path / "job", {"layer": "ndvi.NDVI"}
    write_cogs(data, Scene())
    archive = open_place(data)
    plan = plan_of("histogram", inputs, archive.services)
    archive.close()
    kept = store_plan(folder, inputs, plan)
    context = TaskContext(place=str(data), revision="", process="histogram", folder=str(folder), plan=kept.id)
    store_task_results(folder, [do_task(context, task) for task in plan.tasks])
    shutil.rmtree(data)
    write_cogs(data, Scene(shift=1))

    with pytest.raises(JobFailed, match="submit it again") as failed:
        finish(replace(context, revision="another"))

    assert failed.value.fault.status == 503
