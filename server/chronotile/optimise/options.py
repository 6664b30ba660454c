"""The options of a run, and its report."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.source import DimensionStep
from chronotile.optimise.conversion import Packing

Layout = Literal["both", "map", "series"]

BLOCK = 64
"""Dates in a block of the series layout; `docs/design/serving-cube.md` has the measurement."""

MEMORY_BYTES = 2 << 30

MOST_SHOWN = 5
"""Items of which a report gives the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a cube is written."""

    layout: Layout | None = None
    """What an existing cube has; else `both`, or over tiled rasters with overviews `series`."""
    variable: str | None = None
    select: tuple[DimensionStep, ...] = ()
    """Of the variable, the steps of its further dimensions."""
    time_pattern: str | None = None
    classes: tuple[str, ...] = ()
    """Variables whose numbers are classes, though no file states it."""
    packing: Packing | None = None
    memory_bytes: int = MEMORY_BYTES
    threads: int | None = None
    """Tasks done at once; as many as there are cores."""
    dask: str | None = None
    """Address of a scheduler."""
    resume: bool = False
    verify: bool = False
    block: int = BLOCK


def parse_step(text: str) -> DimensionStep:
    """Return the step that `depth=10`, by value, or `depth=index:0`, by position, names.

    Raises:
        InvalidParameter: The text is neither.
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
    """What a run did."""

    added: int = 0
    late: int = 0
    replaced: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    """Items that could not be read, and why; their dates are written again by the next run."""
    verified: str | None = None
    """What was compared and found to be the same."""
    files: int = 0
    written_bytes: int = 0
    native_bytes: int = 0
    """Of the numbers that were read, unpacked."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield what an operator wants to know."""
        yield from self.notes
        late = f" ({self.late} of them late)" if self.late else ""
        yield f"{self.added} dates added{late}, {self.replaced} replaced"
        if self.left_out:
            shown = "; ".join(f"{item}: {reason}" for item, reason in sorted(self.left_out.items())[:MOST_SHOWN])
            more = "; …" if len(self.left_out) > MOST_SHOWN else ""
            yield f"items left out, which the next run tries again: {len(self.left_out)} ({shown}{more})"
        if self.written_bytes:
            rate = self.native_bytes / 1e6 / max(self.seconds, 1e-9)
            native, written = self.native_bytes / 1e6, self.written_bytes / 1e6
            yield f"{native:.1f} MB of numbers, {written:.1f} MB in {self.files} files: ratio {native / written:.2f}"
            yield f"{self.seconds:.1f} s, {rate:.0f} MB/s"
        if self.verified:
            yield self.verified
