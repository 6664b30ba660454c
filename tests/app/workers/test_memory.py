"""A server within a control group of little memory, under large maps and processes."""

import pytest

from benchmarks.load.cgroup import group_of, lack_of_groups
from benchmarks.memory import MAP_CLIENTS, RUNS, measure, write_archive
from benchmarks.memory import SIDE as FULL_SIDE

PROCESSES = ("composite", "trend", "histogram", "export")
GENEROUS_S = 900.0


@pytest.mark.client("sh")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "memory_bytes", "side", "minutes"),
    [
        (1, 640 << 20, 1024, 0.0),
        (2, 1 << 30, FULL_SIDE, 0.3),  # with smaller files, an empty map is smaller than another
    ],
    ids=["one worker", "two workers"],
)
def test_concurrent_requests_of_all_kinds_do_not_exhaust_a_small_memory(workers, memory_bytes, side, minutes, tmp_path):
    if lack := lack_of_groups():
        pytest.skip(lack)
    write_archive(tmp_path, side)

    with group_of(memory_bytes) as group, (tmp_path / "log").open("w") as log:
        found = measure(group, tmp_path, log, minutes=minutes, side=2048, timeout_s=GENEROUS_S)

    assert (found["kills"], found["ended"], found["faults"]) == (0, None, {})
    assert found["workers"] == workers
    assert sum(found["maps"]["answers"].values()) == MAP_CLIENTS
    assert found["answers"]["map 200"] >= 1
    answered = sum(found["answers"].values())
    assert answered > MAP_CLIENTS + RUNS if minutes else answered == MAP_CLIENTS + RUNS
    assert minutes or any(found["answers"].get(f"{name} 200") for name in PROCESSES)
