"""Memory in the report of a soak."""

import pytest

from benchmarks.soak.bounds import CacheSizes, Memory, cache_sizes, memory_of
from benchmarks.soak.watch import Sample

MINUTES = [minute * 60.0 for minute in range(31)]
METRICS = """
# TYPE chronotile_cache_bytes gauge
chronotile_cache_bytes{cache="blocks",worker="1"} 2e6
chronotile_cache_bytes{cache="blocks",worker="2"} 3e6
chronotile_cache_bytes{cache="cubes",worker="1"} 9e9
chronotile_cache_bytes{cache="stored_blocks",worker="1"} 4e9
# TYPE chronotile_cache_max_bytes gauge
chronotile_cache_max_bytes{cache="blocks",worker="1"} 5e6
chronotile_cache_max_bytes{cache="payloads",worker="2"} 7e6
chronotile_cache_max_bytes{cache="cubes",worker="2"} 9e9
"""


def history(*, growth_mb=0.0, cache_growth_mb=0.0):
    """Return samples of two workers of 150 MB and their caches, with the growth of each in ten minutes."""
    taken = [
        (at, Sample(pid=1, pss_mb=150 + (growth_mb + cache_growth_mb) * at / 600, descriptors=30, threads=20))
        for at in MINUTES
    ]
    sizes = {at: CacheSizes(held=2 * cache_growth_mb * at / 600, most=800) for at in MINUTES}
    return {1: taken, 2: taken}, sizes


def test_memory_caches_are_summed_over_all_workers():
    assert cache_sizes(METRICS) == CacheSizes(held=5.0, most=12.0)


def test_caches_that_fill_are_no_growth():
    memory = memory_of(*history(cache_growth_mb=100), after_s=600)

    assert memory.growth_mb == pytest.approx(0, abs=1e-9)
    assert (memory.beyond_caches_mb, memory.caches_mb) == (150, 600)
    assert memory.broken(memory_bytes=8 << 30) == []


def test_memory_during_the_fill_of_caches_is_not_judged():
    workers, sizes = history()
    workers[1][0] = (0.0, Sample(pid=1, pss_mb=900, descriptors=30, threads=20))

    assert memory_of(workers, sizes, after_s=600).beyond_caches_mb == 150


def test_growth_in_addition_to_caches_is_found():
    memory = memory_of(*history(growth_mb=20), after_s=600)

    assert memory.growth_mb == pytest.approx(20)
    assert len(memory.broken(memory_bytes=8 << 30)) == 1


def test_short_soak_reports_no_growth():
    workers, sizes = history(growth_mb=20)
    early = {at: size for at, size in sizes.items() if at <= 180}

    assert memory_of(workers, early, after_s=60).growth_mb is None


@pytest.mark.parametrize(
    "beyond",
    [
        {"beyond_caches_mb": 301.0},
        {"growth_mb": 6.0},
        {"caches_mb": 900.0},
        {"caches_most_mb": 1200.0},
        {"descriptors": 41},
    ],
    ids=lambda given: next(iter(given)),
)
def test_each_limit_is_checked(beyond):
    within = {
        "beyond_caches_mb": 150.0,
        "growth_mb": 1.0,
        "caches_mb": 700.0,
        "caches_most_mb": 800.0,
        "descriptors": 9,
    }

    assert len(Memory(**{**within, **beyond}).broken(memory_bytes=8 << 30)) == 1
