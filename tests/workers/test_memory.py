"""A server within a control group of little memory, under large maps and processes."""

import pytest

from benchmarks.load.cgroup import group_of, lack_of_groups
from benchmarks.memory import MAP_CLIENTS, RUNS, measure, write_archive
from benchmarks.memory import SIDE as FULL_SIDE

SIDE = 1024
MEMORY, MEMORY_OF_TWO = 640 << 20, 1 << 30
"""Into which one worker fits, and two."""
GENEROUS_S = 900.0


@pytest.mark.client("sh")
@pytest.mark.slow
def test_large_maps_and_processes_at_once_kill_no_server_that_has_little_memory(tmp_path):
    if lack := lack_of_groups():
        pytest.skip(lack)
    write_archive(tmp_path, SIDE)

    with group_of(MEMORY) as group, (tmp_path / "log").open("w") as log:
        found = measure(group, tmp_path, log, minutes=0, side=2048, timeout_s=GENEROUS_S)

    assert (found["kills"], found["ended"], found["faults"]) == (0, None, {})
    assert found["workers"] == 1
    assert sum(found["maps"]["answers"].values()) == MAP_CLIENTS
    assert found["answers"]["map 200"] >= 1
    assert sum(found["answers"].values()) == MAP_CLIENTS + RUNS
    assert any(found["answers"].get(f"{name} 200") for name in ("composite", "trend", "histogram", "export"))


@pytest.mark.client("sh")
@pytest.mark.slow
def test_two_workers_in_1_gib_answer_all_kinds_of_requests_at_once(tmp_path):
    if lack := lack_of_groups():
        pytest.skip(lack)
    write_archive(tmp_path, FULL_SIDE)  # of smaller ones a map is smaller than one that shows something

    with group_of(MEMORY_OF_TWO) as group, (tmp_path / "log").open("w") as log:
        found = measure(group, tmp_path, log, minutes=0.3, side=2048, timeout_s=GENEROUS_S)

    assert (found["kills"], found["ended"], found["faults"]) == (0, None, {})
    assert found["workers"] == 2
    assert found["answers"]["map 200"] >= 1
    assert sum(found["answers"].values()) > MAP_CLIENTS + RUNS
