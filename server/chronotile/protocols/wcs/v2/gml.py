"""Coverages in GMLCOV 1.0 (OGC 09-146r2): descriptions, whole coverages, and documents that refer to a file."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chronotile.core.cancellation import IsActive
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.space.crs import Crs, crs_of, is_north_first
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import FloatArray, InstantArray, NumberArray
from chronotile.core.xml_names import xml_name
from chronotile.pipeline.encoders.coverage.attributes import is_scaled
from chronotile.pipeline.encoders.coverage.strips import strips
from chronotile.pipeline.encoders.covjson_parts import standard_name_uri
from chronotile.protocols.common.query.axes import CoverageAxis
from chronotile.protocols.common.xml import number_text, render_xml

TEMPLATES = "wcs/v2/templates"
ONE_SECOND = np.timedelta64(1, "s")
TIME_CRS = "http://www.opengis.net/def/crs/OGC/0/UnixTime"
"""Temporal CRS with numeric coordinates, which GML positions require: seconds since 1970."""
COMPOUND_CRS = "http://www.opengis.net/def/crs-compound?1={space}&2={time}"


def axis_labels(crs: Crs) -> dict[CoverageAxis, str]:
    """Return labels of the axes x and y, in the axis order of the CRS.

    Labels are the abbreviations of the CRS, unless these mislead: EPSG:2180 abbreviates its northing as `x`.
    """
    order: list[CoverageAxis] = ["y", "x"] if is_north_first(crs) else ["x", "y"]
    if crs.is_geographic:
        return {axis: {"x": "Long", "y": "Lat"}[axis] for axis in order}
    registered = crs_of(crs.name).definition  # files may describe the same axes in other words
    abbreviations = dict(zip(order, (axis.abbrev for axis in registered.axis_info[:2]), strict=False))
    is_usual = abbreviations.get("x") in {"E", "X"} and abbreviations.get("y") in {"N", "Y"}
    return abbreviations if is_usual else {axis: {"x": "E", "y": "N"}[axis] for axis in order}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAxis:
    """An axis of a grid, which is an axis of its CRS."""

    key: CoverageAxis
    label: str
    unit: str
    low: float
    high: float
    """Edges of the outermost cells, as a value describes an area; first and last instant on the time axis."""
    origin: float
    """Centre of the first cell."""
    step: float
    offsets: Sequence[float] = ()
    """Distances from the origin in steps, for an irregular axis; empty for a regular axis."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Axes and CRS of a coverage."""

    axes: tuple[GridAxis, ...]
    """Axes in the order of the CRS, then time."""
    srs: str
    """The URI of the CRS."""

    @property
    def subtype(self) -> str:
        """Element name of a coverage with this domain."""
        return subtype_of(self.axes)


def subtype_of(axes: Iterable[GridAxis]) -> str:
    """Return the element name of a coverage with these axes; axes that slices removed count as regular."""
    return "ReferenceableGridCoverage" if any(axis.offsets for axis in axes) else "RectifiedGridCoverage"


def domain_of(grid: Grid, instants: InstantArray, *, sliced: Collection[CoverageAxis] = ()) -> Domain:
    """Return the domain of a coverage.

    Args:
        grid: Grid whose CRS has a URI.
        instants: (time,); empty without a time axis.
        sliced: Axes removed by slices. If no axis remains, the spatial axes are kept.
    """
    every = [_space_axis(grid, key, label) for key, label in axis_labels(grid.crs).items()]
    axes = tuple(axis for axis in (*every, *time_axes(instants)) if axis.key not in sliced) or tuple(every)
    in_space = [axis.label for axis in axes if axis.key != "time"]
    space = f'{grid.crs.uri}?axis-label="{in_space[0]}"' if len(in_space) == 1 else str(grid.crs.uri)
    if len(in_space) == len(axes):
        return Domain(axes=axes, srs=space)
    return Domain(axes=axes, srs=COMPOUND_CRS.format(space=space, time=TIME_CRS) if in_space else TIME_CRS)


def _space_axis(grid: Grid, key: CoverageAxis, label: str) -> GridAxis:
    place = 0 if key == "x" else 1
    low, high, size = grid.bbox[place], grid.bbox[place + 2], grid.resolution[place]
    unit = "deg" if grid.crs.is_geographic else crs_of(grid.crs.name).definition.axis_info[0].unit_name
    return GridAxis(
        key=key,
        label=label,
        unit="m" if unit == "metre" else unit.replace(":", " ").replace(" ", "_"),
        low=low,
        high=high,
        origin=low + size / 2 if key == "x" else high - size / 2,
        step=size if key == "x" else -size,
        count=grid.width if key == "x" else grid.height,
    )


def time_axes(instants: InstantArray) -> tuple[GridAxis, ...]:
    """Return the axis of ascending instants (time,), regular if all distances are equal; empty without instants."""
    if not instants.size:
        return ()
    steps, seconds = np.unique(np.diff(instants)) / ONE_SECOND, seconds_of(instants)
    return (
        GridAxis(
            key="time",
            label="time",
            unit="s",
            low=float(seconds[0]),
            high=float(seconds[-1]),
            origin=float(seconds[0]),
            step=float(steps[0]) if steps.size == 1 else 1.0,
            offsets=((instants - instants[0]) / ONE_SECOND).tolist() if steps.size > 1 else (),
            count=instants.size,
        ),
    )


def seconds_of(instants: InstantArray) -> FloatArray:
    """Return instants (time,) in seconds since 1970."""
    return (instants - np.datetime64(0, "ns")) / ONE_SECOND


VALUES: Mapping[str, object] = {
    "numbers": lambda values: " ".join(map(number_text, values)),
    "xml_name": xml_name,
    "is_scaled": is_scaled,
    "standard_name_uri": standard_name_uri,
}
"""Functions for the macros of `gml.xml`."""


def coverage_gml(coverage: Coverage, domain: Domain, name: str, **of_range: str) -> bytes:
    """Return a coverage as a GML document.

    Args:
        coverage: The coverage.
        domain: Its domain.
        name: Its id.
        of_range: Values as `tuples`, or the `file` that contains them with its `media_type`.
    """
    fields = {field.name: field for field in coverage.fields}
    return render_xml(f"{TEMPLATES}/coverage_2_0_1.xml", domain=domain, id=name, fields=fields, **of_range, **VALUES)


def tuple_list(coverage: Coverage, is_active: IsActive) -> str:
    """Return the values of a coverage as text; all values are in memory at the same time.

    Raises:
        SourceUnavailable: The source is missing or damaged.
        ClientGone: The client disconnected.
    """
    columns = [_texts(coverage, field, is_active) for field in range(len(coverage.fields))]
    return " ".join(map(",".join, zip(*columns, strict=True)))


def _texts(coverage: Coverage, field: int, is_active: IsActive) -> list[str]:
    numbers: NumberArray = np.concatenate(
        [strip.numbers.ravel() for strip in strips(coverage, field, is_active=is_active)]
    )
    texts: list[str] = numbers.astype(str).tolist()
    return texts if numbers.dtype.kind in "iu" else ["NaN" if text == "nan" else text for text in texts]
