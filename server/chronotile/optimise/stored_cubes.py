"""Cells of an existing cube, read by xarray for the verification."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from affine import Affine

from chronotile.audit.arrays import decode_coordinate, meaning_of, times_of_axis
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import AnyArray, Float64Array, Instant, InstantArray, UInt32Array
from chronotile.optimise.plan import GRID_MAPPING, ServingCubePlan
from chronotile.readers.zarr.commit import SERIES

LAYOUTS = {"0": "maps", SERIES: "series"}
SLACK = 1e-3
"""Fraction of a cell by which coordinates may differ from the transform."""


class CellValues(NamedTuple):
    """Values and flags of cells (y, x)."""

    values: Float64Array
    flags: UInt32Array
    """Code of the flag name of each cell; 0 without a flag."""
    origin: str = ""
    """File of the cells, with the band if it has several; empty for a cube."""


class CellCentres(NamedTuple):
    """Centres of cells (y, x), in the CRS of the cube."""

    x: Float64Array
    y: Float64Array


class StoredCube:
    """A variable of a cube in each layout.

    Raises:
        UnsupportedSource: The layouts differ in the location or time of their cells.
    """

    def __init__(self, folder: Path, plan: ServingCubePlan, name: str) -> None:
        import xarray

        groups = {group: layout for group, layout in LAYOUTS.items() if group in plan.groups}
        self._block = plan.shape.block
        self._datasets = {
            group: xarray.open_zarr(
                folder / plan.shape.path_of(group),
                consolidated=True,  # otherwise xarray would read the folder of the run as a broken group
                chunks=None,
                mask_and_scale=False,
                decode_times=False,
            )
            for group in groups
        }
        self._arrays = {group: dataset[name] for group, dataset in self._datasets.items()}
        is_categorical = plan.variables[name].info.is_categorical  # a single class looks like a flag
        self._meanings = {
            group: replace(meaning_of(array), flags=()) if is_categorical else meaning_of(array)
            for group, array in self._arrays.items()
        }
        places = {
            layout: _LayoutAxes(self._datasets[group], self._arrays[group].shape[1:])
            for group, layout in groups.items()
        }
        _require_equal_axes(name, places)
        self._place = next(iter(places.values()))
        self._last_block: tuple[object, AnyArray] | None = None
        self._points: tuple[Window, CellCentres] | None = None

    def close(self) -> None:
        """Close the files."""
        for dataset in self._datasets.values():
            dataset.close()

    def instant(self, position: int) -> Instant:
        """Return the time of a position."""
        instant: Instant = self._place.times[position]
        return instant

    def points(self, window: Window) -> CellCentres:
        """Return the centres of cells; the same object if the window is the same as before."""
        if self._points is None or self._points[0] != window:
            columns, rows = np.meshgrid(
                np.arange(window.column_start, window.column_stop) + 0.5,
                np.arange(window.row_start, window.row_stop) + 0.5,
            )
            self._points = window, CellCentres(*map(np.asarray, self._place.transform @ (columns, rows)))
        return self._points[1]

    def cells(self, position: int, window: Window) -> Iterator[CellValues]:
        """Yield the cells of a date in each layout."""
        for group, array in self._arrays.items():
            start = position // self._block * self._block if group == SERIES else position
            stop = start + self._block if group == SERIES else position + 1
            if group == SERIES and self._last_block is not None and self._last_block[0] == (start, window):
                numbers = self._last_block[1]
            else:
                numbers = array[start:stop, slice(*window[:2]), slice(*window[2:])].values
            if group == SERIES:
                self._last_block = (start, window), numbers
            date_numbers, meaning = numbers[position - start], self._meanings[group]
            yield CellValues(meaning.values(date_numbers), meaning.flag_codes(date_numbers))


class _LayoutAxes:
    """Coordinates and transform of a layout."""

    def __init__(self, dataset: Any, shape: tuple[int, int]) -> None:  # noqa: ANN401 -- xarray has no types here
        self.times: InstantArray = times_of_axis(decode_coordinate(dataset, "time"), "time").coordinates
        self.transform = Affine.from_gdal(*map(float, str(dataset[GRID_MAPPING].attrs["GeoTransform"]).split()))
        self._axes = {
            name: decode_coordinate(dataset, name)[name].values for name in ("x", "y") if name in dataset.variables
        }
        self._shape = shape

    def coordinates(self, layout: str) -> Iterator[tuple[str, str, AnyArray]]:
        """Yield the coordinates of each axis: its name, their source, and the coordinates."""
        rows, columns = (np.arange(size) + 0.5 for size in self._shape)
        yield "time", f"the {layout}", self.times
        yield "x", f"the transform of the {layout}", self.transform.c + self.transform.a * columns
        yield "y", f"the transform of the {layout}", self.transform.f + self.transform.e * rows
        yield from ((name, f"the {layout}", centres) for name, centres in self._axes.items())


def _require_equal_axes(variable: str, places: Mapping[str, _LayoutAxes]) -> None:
    first = dict[str, tuple[str, AnyArray]]()
    for axis, by, coordinates in (
        axis_coordinates for layout, place in places.items() for axis_coordinates in place.coordinates(layout)
    ):
        other, expected = first.setdefault(axis, (by, coordinates))
        slack = np.timedelta64(0, "ns") if axis == "time" else SLACK * abs(float(np.diff(expected[:2]).sum()))
        wrong = (
            np.flatnonzero(~(np.abs(coordinates - expected) <= slack)) if coordinates.shape == expected.shape else [0]
        )
        if len(wrong):
            at = int(wrong[0])
            raise UnsupportedSource(
                f"in the cube {variable} has {axis} {_coordinate_text(coordinates[at])} at position {at} by {by}, "
                f"{_coordinate_text(expected[at])} by {other}; write the cube again"
            )


def _coordinate_text(coordinate: Any) -> str:  # noqa: ANN401 -- an instant or a number
    return format_instant(coordinate) if isinstance(coordinate, np.datetime64) else f"{float(coordinate):.10g}"
