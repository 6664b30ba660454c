import os
import subprocess
import sys

import pytest

from benchmarks.soak.watch import Sample, courses, descendants, sample


def test_course_checks_slopes_after_warm_up_and_the_maximum():
    taken = [(0.0, 400.0), (600.0, 200.0), (1200.0, 201.0), (1800.0, 202.0)]
    history = {7: [(at, Sample(7, pss, 10 + int(pss) % 3, 5)) for at, pss in taken]}

    (course,) = courses(history, after_s=600)

    assert course.pss_mb_per_10_min == pytest.approx(1)
    assert course.max_pss_mb == 400
    assert course.threads == (5, 5)


def test_sample_of_this_process_has_memory_descriptors_and_threads():
    found = sample(os.getpid())

    assert found.pss_mb > 1
    assert found.descriptors >= 3
    assert found.threads >= 1


@pytest.mark.slow
def test_process_that_ended_has_no_sample():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert sample(child.pid) is None


@pytest.mark.slow
def test_child_processes_are_found():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in descendants(os.getpid())
        child.communicate(b"\n")
