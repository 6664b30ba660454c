"""What a cube has of a variable, opened with xarray and decoded by its own attributes, coordinates and transform."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from chronotile.archive.audit.arrays import decoded, meaning_of
from chronotile.archive.audit.times import Instants, times_of_axis
from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.model.time.instants import Instant, format_instant
from chronotile.optimise.plan import GRID_MAPPING
from chronotile.optimise.tasks import Job
from chronotile.readers.zarr.commit import SERIES

Values = NDArray[np.float64]
"""(y, x), NaN where there is no value."""
LAYOUTS = {"0": "maps", SERIES: "series"}
SLACK = 1e-3
"""Of a cell, by which coordinates may differ from the transform."""


class Cells(NamedTuple):
    """Cells (y, x), by what they are."""

    values: Values
    flags: NDArray[np.uint32]
    """A number for the name of the flag that a cell is; 0 of all others."""
    origin: str = ""
    """Of a source, the file and the band of several."""


class Points(NamedTuple):
    """Centres of cells (y, x), in the CRS of the cube."""

    x: Values
    y: Values


class StoredCube:
    """A variable of a cube in each of its layouts.

    Raises:
        UnsupportedSource: They have their cells at different places or times.
    """

    def __init__(self, job: Job, name: str) -> None:
        import xarray

        groups = {group: layout for group, layout in LAYOUTS.items() if group in job.plan.groups}
        self._block = job.plan.shape.block
        self._datasets = {
            group: xarray.open_zarr(
                job.folder / job.plan.shape.path_of(group),
                consolidated=True,  # without it the folder of the run would be taken for a broken group
                chunks=None,
                mask_and_scale=False,
                decode_times=False,
            )
            for group in groups
        }
        self._arrays = {group: dataset[name] for group, dataset in self._datasets.items()}
        is_categorical = job.plan.variables[name].info.is_categorical  # of which a single class looks like a flag
        self._meanings = {
            group: replace(meaning_of(array), flags=()) if is_categorical else meaning_of(array)
            for group, array in self._arrays.items()
        }
        places = {
            layout: _Place(self._datasets[group], self._arrays[group].shape[1:]) for group, layout in groups.items()
        }
        _require_one_place(name, places)
        self._place = next(iter(places.values()))
        self._kept: tuple[object, NDArray[Any]] | None = None
        self._points: tuple[Window, Points] | None = None

    def close(self) -> None:
        """Let go of open files."""
        for dataset in self._datasets.values():
            dataset.close()

    def instant(self, position: int) -> Instant:
        """Return the time of a position."""
        instant: Instant = self._place.times[position]
        return instant

    def points(self, window: Window) -> Points:
        """Return the centres of cells; those of the window before are the same object."""
        if self._points is None or self._points[0] != window:
            columns, rows = np.meshgrid(
                np.arange(window.column_start, window.column_stop) + 0.5,
                np.arange(window.row_start, window.row_stop) + 0.5,
            )
            self._points = window, Points(*map(np.asarray, self._place.transform @ (columns, rows)))
        return self._points[1]

    def cells(self, position: int, window: Window) -> Iterator[Cells]:
        """Yield the cells of a date in each layout."""
        for group, array in self._arrays.items():
            start = position // self._block * self._block if group == SERIES else position
            stop = start + self._block if group == SERIES else position + 1
            if group == SERIES and self._kept is not None and self._kept[0] == (start, window):
                numbers = self._kept[1]
            else:
                numbers = array[start:stop, slice(*window[:2]), slice(*window[2:])].values
            if group == SERIES:
                self._kept = (start, window), numbers
            own, meaning = numbers[position - start], self._meanings[group]
            yield Cells(meaning.values(own), meaning.flag_codes(own))


class _Place:
    """Where and when the cells of a layout are."""

    def __init__(self, dataset: Any, shape: tuple[int, int]) -> None:  # noqa: ANN401 -- xarray has no types here
        self.times: Instants = times_of_axis(decoded(dataset, "time"), "time").coordinates
        self.transform = Affine.from_gdal(*map(float, str(dataset[GRID_MAPPING].attrs["GeoTransform"]).split()))
        self._axes = {name: decoded(dataset, name)[name].values for name in ("x", "y") if name in dataset.variables}
        self._shape = shape

    def coordinates(self, layout: str) -> Iterator[tuple[str, str, NDArray[Any]]]:
        """Yield the coordinates of each axis: its name, their source, and the coordinates."""
        rows, columns = (np.arange(size) + 0.5 for size in self._shape)
        yield "time", f"the {layout}", self.times
        yield "x", f"the transform of the {layout}", self.transform.c + self.transform.a * columns
        yield "y", f"the transform of the {layout}", self.transform.f + self.transform.e * rows
        yield from ((name, f"the {layout}", centres) for name, centres in self._axes.items())


def _require_one_place(variable: str, places: Mapping[str, _Place]) -> None:
    first = dict[str, tuple[str, NDArray[Any]]]()
    for axis, by, found in (each for layout, place in places.items() for each in place.coordinates(layout)):
        other, expected = first.setdefault(axis, (by, found))
        slack = np.timedelta64(0, "ns") if axis == "time" else SLACK * abs(float(np.diff(expected[:2]).sum()))
        wrong = np.flatnonzero(~(np.abs(found - expected) <= slack)) if found.shape == expected.shape else [0]
        if len(wrong):
            at = int(wrong[0])
            raise UnsupportedSource(
                f"in the cube {variable} has {axis} {_text(found[at])} at position {at} by {by}, "
                f"{_text(expected[at])} by {other}; write the cube again"
            )


def _text(coordinate: Any) -> str:  # noqa: ANN401 -- an instant or a number
    return format_instant(coordinate) if isinstance(coordinate, np.datetime64) else f"{float(coordinate):.10g}"
