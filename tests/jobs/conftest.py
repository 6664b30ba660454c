"""Fixtures of tests of jobs: the simulation of threads and processes on one clock."""

import pytest

from tests.jobs.queue.simulation import Simulation


@pytest.fixture
def simulation(closed_at_end):
    return closed_at_end(Simulation())
