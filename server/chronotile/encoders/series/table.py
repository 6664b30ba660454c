"""Series of points and of areas as one table, from which the files of all formats are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.encoders.credits import Credits
from chronotile.encoders.series.analysis import findings_columns, units_of_column
from chronotile.model.crs import CRS84, Crs, transformer
from chronotile.model.geometry.area import Area, Polygon
from chronotile.model.number_text import text_values
from chronotile.model.raster import Encoding
from chronotile.model.series.analysis import Findings
from chronotile.model.series.series import AreaSeries, AreasSeries, PointsSeries, Series
from chronotile.model.time.instants import InstantArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

VALUE = "value"
"""The column of a point."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceSeries:
    """What there is to tell of one place along time."""

    id: str | int | float | None
    """As the client called it."""
    point: tuple[float, float] | None = None
    """Longitude and latitude, of a point."""
    area: Area | None = None
    """Of an area."""
    columns: Mapping[str, FloatArray | IntArray]
    """(time,) by name, of a histogram (time, bin); NaN where there is no value."""
    reasons: tuple[str | None, ...] | None = None
    """(time,): why a point has no value; `None` where it has one."""
    valid: IntArray | None = None
    """(time,): cells of an area with a value."""
    total: int | IntArray | None = None
    """Cells of an area; of periods (time,) those of all times of each."""

    @property
    def totals(self) -> IntArray:
        """(time,): `total` at each time; none of a point."""
        if self.valid is None or self.total is None:
            return np.empty(0, dtype=np.int64)
        return np.broadcast_to(np.asarray(self.total), self.valid.shape)

    @property
    def note(self) -> str | None:
        """What was done to an area, in words."""
        return None if self.area is None else self.area.note

    @property
    def flat(self) -> dict[str, FloatArray | IntArray]:
        """(time,) by name; of a histogram each bin for itself, as `histogram:16.0`."""
        flat: dict[str, FloatArray | IntArray] = {}
        for name, values in self.columns.items():
            if values.ndim == 1:
                flat[name] = values
            else:
                flat |= {f"{name}.{number}": values[:, number] for number in range(values.shape[1])}
        return flat


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacesSeries:
    """Series of places of one layer at the same times, all points or all areas."""

    layer: str
    units: str
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    places: Sequence[PlaceSeries]
    edges: Mapping[str, FloatArray] = field(default_factory=dict)
    """(bin + 1,) by the name of each histogram."""
    credits: Credits = field(default_factory=Credits)
    has_areas: bool = False
    """Whether the places are areas, or would be if there were any."""
    columns_of_none: Sequence[str] = ()
    """Names of the columns where there is no place."""
    column_units: Mapping[str, str] = field(default_factory=dict)
    """Of columns that have others than `units`, by name."""
    encoding: Encoding | None = None
    """Of points, whose text their values have; `None` of means of periods."""

    def texts(self, column: str, values: FloatArray | IntArray) -> FloatArray | IntArray:
        """Return values of a column as text has them."""
        return text_values(values, self.encoding if column == VALUE else None)

    @property
    def has_notes(self) -> bool:
        """Whether there is a note to any place."""
        return any(each.note is not None for each in self.places)

    @property
    def has_time(self) -> bool:
        """Whether the layer has times."""
        return not bool(np.isnat(self.times).any())

    @property
    def columns(self) -> list[str]:
        """Names of what there is of each place, each bin of a histogram for itself."""
        return list(self.places[0].flat if self.places else self.columns_of_none)

    def units_of(self, column: str) -> str:
        """Return those of the values, or 1 for counts and shares of cells; of what was found, its own."""
        if column in self.column_units:
            return self.column_units[column]
        if column.partition(":")[0] in {"count", "valid_share", "histogram"}:
            return "1"
        return units_of_column(column.rpartition(".")[2], self.units)

    @property
    def names(self) -> list[str | int | float]:
        """(place,): what the client called each, or its number, counted from 1."""
        return [number if each.id is None else each.id for number, each in enumerate(self.places, 1)]


def table_of_point(series: Series, credits: Credits) -> PlacesSeries:
    """Return the table of one point, with what was found out at each time."""
    place = PlaceSeries(
        id=None,
        point=(series.longitude, series.latitude),
        columns={VALUE: series.values, **_found(series.findings, 0)},
        reasons=series.reasons,
    )
    return PlacesSeries(
        layer=series.layer,
        units=series.units,
        times=series.times,
        places=[place],
        credits=credits,
        encoding=series.encoding,
    )


def table_of_points(series: PointsSeries, credits: Credits) -> PlacesSeries:
    """Return the table of many points."""
    reasons = np.array([None, *series.reasons], dtype=object)[series.codes]
    return PlacesSeries(
        layer=series.layer,
        units=series.units,
        times=series.times,
        places=[
            PlaceSeries(
                id=point.id,
                point=(point.longitude, point.latitude),
                columns={VALUE: series.values[row], **_found(series.findings, row)},
                reasons=tuple(reasons[row].tolist()),
            )
            for row, point in enumerate(series.points)
        ],
        credits=credits,
        encoding=series.encoding,
    )


def table_of_areas(series: AreasSeries, credits: Credits, *, reducers: Sequence[str] = ()) -> PlacesSeries:
    """Return the table of areas; `reducers` were asked for, and name its columns where there is no area."""
    return PlacesSeries(
        layer=series.layer,
        units=series.units,
        times=series.times,
        places=[_place_of_area(each, series.findings, row) for row, each in enumerate(series.areas)],
        edges=series.edges,
        credits=credits,
        has_areas=True,
        columns_of_none=[column for name in reducers for column in _columns_of(name, series.edges)],
    )


def outline(area: Area, crs: Crs = CRS84) -> tuple[Polygon, ...]:
    """Return the polygons of an area with their vertices in a CRS, outer rings anticlockwise and holes clockwise.

    That is the order of RFC 7946 §3.1.6 and of CF-1.11 §7.5.
    """
    turn = None if area.crs == crs else transformer(area.crs, crs).transform
    return tuple(
        tuple(
            _turned(ring if turn is None else np.array(turn(*ring.T)).T, is_hole=number > 0)
            for number, ring in enumerate(polygon)
        )
        for polygon in area.polygons
    )


def _turned(ring: NDArray[Any], *, is_hole: bool) -> FloatArray:
    """The ring in the order that it should have."""
    x, y = (ring - ring[0]).T
    is_anticlockwise = bool((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0)
    return ring if is_anticlockwise != is_hole else ring[::-1]


def geometry_json(place: PlaceSeries) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of a place (RFC 7946 §3.1): one polygon, or several; `None` of an area without."""
    if place.area is None:
        return {"type": "Point", "coordinates": list(place.point or ())}
    if not place.area.polygons:
        return None
    polygons = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in outline(place.area)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _found(findings: Findings | None, row: int) -> Mapping[str, FloatArray | NDArray[np.int64]]:
    """(time,) by name: what was found out about one of the points at each time."""
    return {} if findings is None else findings_columns(findings, row)


def _columns_of(name: str, edges: Mapping[str, FloatArray]) -> list[str]:
    """Of a reducer: itself, or of a histogram its bins."""
    return [f"{name}.{number}" for number in range(len(edges[name]) - 1)] if name in edges else [name]


def _place_of_area(series: AreaSeries, findings: Mapping[str, Findings], row: int) -> PlaceSeries:
    """What is found at each time stands under the reducer it is found of: `mean.smooth`."""
    columns: dict[str, FloatArray | IntArray] = {
        name: values.astype(np.int64) if name == "count" else values for name, values in series.reduced.items()
    }
    for reducer, found in findings.items():
        columns |= {f"{reducer}.{name}": column for name, column in findings_columns(found, row).items()}
    return PlaceSeries(
        id=series.area.id,
        area=series.area,
        columns=columns,
        valid=series.valid,
        total=series.total if series.totals is None else series.totals,
    )
