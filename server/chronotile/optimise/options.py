"""The options of a run, and its report."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.source import DimensionStep, TargetGrid
from chronotile.optimise.conversion import Packing

LayoutChoice = Literal["both", "map", "series"]

BLOCK = 64
"""Dates per block of the series layout; `docs/design/serving-cube.md` has the measurement."""

MEMORY_BYTES = 2 << 30

MAX_SHOWN = 5
"""Skipped items with a reason in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a run."""

    layout: LayoutChoice | None = None
    """`None`: the layout of an existing cube; otherwise `both`, or `series` for tiled rasters with overviews."""
    variable: str | None = None
    select: tuple[DimensionStep, ...] = ()
    """Steps of additional dimensions of `variable`."""
    time_pattern: str | None = None
    group: str | None = None
    """Group of NetCDF, HDF5 and Zarr."""
    grid: TargetGrid | None = None
    """Grid of swaths and curvilinear grids; by default in degrees."""
    classes: tuple[str, ...] = ()
    """Variables whose numbers are classes, though no file declares it."""
    packing: Packing | None = None
    memory_bytes: int = MEMORY_BYTES
    threads: int | None = None
    """Tasks in parallel; `None`: one per core."""
    dask: str | None = None
    """Address of a Dask scheduler."""
    resume: bool = False
    block: int = BLOCK


def parse_step(text: str) -> DimensionStep:
    """Return the step in a text: `depth=10` selects by value, `depth=index:0` by position.

    Raises:
        InvalidParameter: The text has another form.
    """
    name, _equals, value = text.partition("=")
    index = value.removeprefix("index:")
    if not name or not value or (index != value and not index.isdecimal()):
        raise InvalidParameter(f"--select {text[:40]!r} is not valid; accepted are depth=10 and depth=index:0")
    if index != value:
        return DimensionStep(dimension=name, index=int(index))
    try:
        return DimensionStep(dimension=name, value=float(value))
    except ValueError:
        return DimensionStep(dimension=name, value=value)


@dataclass(slots=True, kw_only=True)
class Report:
    """Results of a run."""

    added: int = 0
    late: int = 0
    replaced: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    """Reasons by id of unreadable items; the next run writes their dates again."""
    files: int = 0
    written_bytes: int = 0
    native_bytes: int = 0
    """Bytes of the numbers read, unpacked."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for the operator."""
        yield from self.notes
        late = f" ({self.late} of them late)" if self.late else ""
        yield f"{self.added} dates added{late}, {self.replaced} replaced"
        if self.left_out:
            reasons = "; ".join(f"{item}: {reason}" for item, reason in sorted(self.left_out.items())[:MAX_SHOWN])
            more = "; …" if len(self.left_out) > MAX_SHOWN else ""
            yield f"items left out, which the next run tries again: {len(self.left_out)} ({reasons}{more})"
        if self.written_bytes:
            rate = self.native_bytes / 1e6 / max(self.seconds, 1e-9)
            native, written = self.native_bytes / 1e6, self.written_bytes / 1e6
            yield f"{native:.1f} MB of numbers, {written:.1f} MB in {self.files} files: ratio {native / written:.2f}"
            yield f"{self.seconds:.1f} s, {rate:.0f} MB/s"
