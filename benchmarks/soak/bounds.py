"""Limits of a soak: memory without caches, caches within their part of memory, descriptors, errors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figures import slope
from benchmarks.soak.watch import TEN_MINUTES_S, Sample

BEYOND_CACHES_MB = 300.0
"""Maximum memory of each worker without its caches."""
GROWTH_MB = 5.0
"""Maximum growth of this memory of a worker in ten minutes."""
DESCRIPTORS = 40
"""Maximum difference of the open descriptors of a worker while requests come and go."""
CACHES_SHARE, CACHES_MB = 8, 2048 * 1.048576
"""An eighth of memory, at most 2 GiB, for the caches of all workers together."""
JUDGED_FROM_S = 1200.0
"""Minimum duration for a statement on growth."""
ON_DISK = {"cubes", "stored_blocks"}
"""Caches whose bytes are no memory."""


@dataclass(frozen=True, slots=True)
class CacheSizes:
    """Caches of all workers together, in MB."""

    held: float
    most: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the workers, and verdicts on it."""

    beyond_caches_mb: float
    """Maximum of all samples after the caches filled, as the mean of the workers."""
    growth_mb: float | None
    """Growth of a worker in ten minutes, after the caches filled; `None` if the soak is too short."""
    caches_mb: float
    """Maximum of all samples, over all workers."""
    caches_most_mb: float
    """Limit of the caches."""
    descriptors: int
    """Range of a worker's descriptors."""

    def broken(self, *, memory_bytes: int) -> list[str]:
        """Return which bounds it is beyond, on a machine with so much memory."""
        share = min(memory_bytes / CACHES_SHARE / 1e6, CACHES_MB)
        bounds = {
            f"{self.beyond_caches_mb:.0f} MB per worker without caches": self.beyond_caches_mb > BEYOND_CACHES_MB,
            f"{self.growth_mb} MB more in ten minutes": self.growth_mb is not None and self.growth_mb > GROWTH_MB,
            f"caches of {self.caches_mb:.0f} MB": self.caches_mb > self.caches_most_mb,
            f"caches that may have {self.caches_most_mb:.0f} MB": self.caches_most_mb > share,
            f"descriptors that differ by {self.descriptors}": self.descriptors > DESCRIPTORS,
        }
        return [name for name, is_broken in bounds.items() if is_broken]


def cache_sizes(metrics: str) -> CacheSizes:
    """Return the used and the permitted bytes of caches in memory, from the text of `/metrics` of all workers.

    The cache of Zarr chunks does not report its size before it is full: until then it counts as empty.
    """
    found = dict.fromkeys(("chronotile_cache_bytes", "chronotile_cache_max_bytes"), 0.0)
    for family in text_string_to_metric_families(metrics):
        if family.name in found:
            kept = (sample.value for sample in family.samples if sample.labels["cache"] not in ON_DISK)
            found[family.name] = sum(kept) / 1e6
    return CacheSizes(*found.values())


def memory_of(
    history: Mapping[int, Sequence[tuple[float, Sample]]], sizes: Mapping[float, CacheSizes], *, after_s: float
) -> Memory:
    """Return the development of memory.

    Args:
        history: Seconds of activity and samples, by worker.
        sizes: Sizes of caches at the same seconds.
        after_s: Start of the measurement of memory without caches, growth and descriptors: caches fill before.
    """
    pss, count = defaultdict[float, float](float), defaultdict[float, int](int)
    for at, sample in (each for taken in history.values() for each in taken if each[0] in sizes):
        pss[at] += sample.pss_mb
        count[at] += 1
    beyond = {at: (total - sizes[at].held) / count[at] for at, total in pss.items()}
    late = [at for at in beyond if at >= after_s]
    is_long = bool(beyond) and max(beyond) >= JUDGED_FROM_S
    open_ones = [[each.descriptors for at, each in taken if at >= after_s] for taken in history.values()]
    return Memory(
        beyond_caches_mb=max((beyond[at] for at in late), default=0.0),
        growth_mb=slope([at / TEN_MINUTES_S for at in late], [beyond[at] for at in late]) if is_long else None,
        caches_mb=max((each.held for each in sizes.values()), default=0.0),
        caches_most_mb=max((each.most for each in sizes.values()), default=0.0),
        descriptors=max((max(each) - min(each) for each in open_ones if each), default=0),
    )
