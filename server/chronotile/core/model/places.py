"""Places: sets of named polygons that are served beside the layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from types import NoneType
from typing import Literal

import numpy as np
import shapely

from chronotile.core.finding import Finding
from chronotile.core.model.collection import LocalisedText
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.payload import NOTHING_MISSING, Missing
from chronotile.core.model.request import Weights
from chronotile.core.model.series.analysis import MEAN, Reducer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import (
    AnyArray,
    BoolArray,
    Float64Array,
    InstantArray,
    Int64Array,
    ObjectArray,
)

Property = str | int | float | bool | None
"""What a feature may say of itself; `None` where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesSpec:
    """Which file makes a set of places, and what it does not tell itself."""

    id: str
    title: LocalisedText
    attribution: str | None = None
    path: str
    """Absolute; the suffix gives the format."""
    table: str | None = None
    """The feature table of a GeoPackage, where it has several."""
    id_field: str | None = None
    """The field with the id; `None` takes the features' own."""
    label_field: str | None = None
    """The field with the name for people; `None` takes the id."""
    fields: tuple[str, ...] = ()
    """The other fields that documents and tiles carry."""
    max_features: int
    max_vertices: int


PropertyType = Literal["string", "number", "integer", "boolean"]
"""As JSON Schema names it."""
_INTEGERS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True, eq=False)
class PropertyColumn:
    """What places say of themselves under one name, by its type."""

    type: PropertyType
    values: AnyArray
    """(place,): zero, `False` or no text where a place does not say it."""
    is_known: BoolArray
    """(place,)."""


def property_column(values: Sequence[Property]) -> PropertyColumn:
    """Return properties as an array of the one type that all of them have; as text where they are of several."""
    types = set(map(type, values)) - {NoneType}
    is_known = np.fromiter((value is not None for value in values), dtype=np.bool_, count=len(values))
    if types == {bool}:
        return PropertyColumn("boolean", np.array([value or False for value in values], dtype=np.bool_), is_known)
    if types == {int} and all(value is None or value in _INTEGERS for value in values):
        return PropertyColumn("integer", np.array([value or 0 for value in values], dtype=np.int64), is_known)
    if types and types <= {int, float}:
        return PropertyColumn("number", np.array([value or 0 for value in values], dtype=np.float64), is_known)
    texts = ["" if value is None else str(value) for value in values]
    return PropertyColumn("string", np.array(texts, dtype=object), is_known)


@dataclass(frozen=True)
class ProjectedShapes:
    """The places of a set in another CRS."""

    shapes: ObjectArray
    """(place,): valid; empty for one that has no coordinates there."""
    bounds: Float64Array
    """(place, 4): NaN for an empty one."""

    @cached_property
    def tree(self) -> shapely.STRtree:
        """What finds them by their boxes."""
        return shapely.STRtree(self.shapes)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceSet:
    """Named polygons of one file, in its order; where a place stands there is its number in vector tiles."""

    spec: PlacesSpec
    crs: Crs
    shapes: ObjectArray
    """(place,): valid polygons and multipolygons."""
    ids: tuple[str, ...]
    """(place,): each once."""
    labels: tuple[str, ...]
    """(place,): for people."""
    fields: Mapping[str, tuple[Property, ...]]
    """(place,) by name: those that the configuration names."""
    notes: Mapping[int, str]
    """By number: what was repaired, in words."""
    bbox: BBox
    """In CRS84."""
    digest: str
    """Of all that a place is."""
    findings: tuple[Finding, ...] = ()
    projected: dict[Crs, ProjectedShapes] = field(default_factory=dict, repr=False)
    """`pipeline.place_shapes` keeps them here, as long as the set is served."""

    @property
    def id(self) -> str:
        """The id of the set."""
        return self.spec.id

    @property
    def own_crs(self) -> tuple[Crs, ...]:
        """The CRS of the file."""
        return (self.crs,)

    def __len__(self) -> int:
        """The number of places."""
        return len(self.ids)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Where each place stands, by its id."""
        return {name: number for number, name in enumerate(self.ids)}

    @property
    def columns(self) -> dict[str, tuple[Property, ...]]:
        """(place,) by name: id, label and fields, as documents and tiles carry them."""
        return {"id": self.ids, "label": self.labels, **self.fields}

    @cached_property
    def typed_columns(self) -> Mapping[str, PropertyColumn]:
        """The same as arrays."""
        return {name: property_column(values) for name, values in self.columns.items()}

    def areas_of(self, numbers: Sequence[int] | Int64Array) -> tuple[Area, ...]:
        """Return (number,): some places as areas of a series."""
        listed = np.asarray(numbers, dtype=np.int64)
        polygons, places = shapely.get_parts(self.shapes[listed], return_index=True)
        rings, owners = shapely.get_rings(polygons, return_index=True)
        vertices, ends_of_rings = shapely.get_coordinates(rings), np.cumsum(shapely.get_num_coordinates(rings)).tolist()
        ring_arrays = [vertices[start:end] for start, end in pairwise((0, *ends_of_rings))]
        grouped: list[list[tuple[Float64Array, ...]]] = [[] for _ in listed]
        ends = np.searchsorted(owners, np.arange(len(polygons)), side="right").tolist()
        start = 0
        for place, end in zip(places.tolist(), ends, strict=True):
            grouped[place].append(tuple(ring_arrays[start:end]))
            start = end
        return tuple(
            Area(
                polygons=tuple(own),
                crs=self.crs,
                id=self.ids[number],
                properties={"label": self.labels[number], **{key: each[number] for key, each in self.fields.items()}},
                note=self.notes.get(number),
            )
            for number, own in zip(listed.tolist(), grouped, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenPlaces:
    """Some places of a set as they are written."""

    places: PlaceSet
    numbers: Int64Array
    crs: Crs
    shapes: ObjectArray
    """(number,): in `crs`, x before y; empty for one that has no coordinates there."""
    columns: Mapping[str, Sequence[Property]]
    """(number,) by name: the properties of the set and further ones, which are numbers."""

    @property
    def no_coordinates_count(self) -> int:
        """Number of places that have no coordinates in `crs`."""
        return int(shapely.is_empty(self.shapes).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTileRequest:
    """Show the outlines of a set of places in a tile."""

    places: str
    """Id of the set."""
    grid: Grid
    """Of the tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceValuesRequest:
    """What happened in the places of a set, one number a place and instant."""

    places: str
    """Id of the set."""
    layer: str
    """Id or alias."""
    time: TimeSelection = ABSENT
    reducer: Reducer = MEAN
    weights: Weights = "pixel"
    min_valid: float = 0.0
    """As of `AreaSeriesRequest`."""
    offset: int = 0
    """The first place of the document."""
    limit: int | None = None
    """The most places that are; `None` is all."""
    numbers: Int64Array | None = None
    """The places, ascending, in place of `offset` and `limit`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceValues:
    """One number a place and instant."""

    places: str
    """Id of the set."""
    revision: str
    """Of the set: that of tiles whose features have the numbers of these rows."""
    layer: str
    units: str
    reducer: str
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    ids: tuple[str, ...]
    """(place,)."""
    values: Float64Array
    """(place, time): NaN where too few cells have a value, or the place lies outside the layer."""
    missing: Missing = NOTHING_MISSING
    without_cells: int = 0
    """Places in the layer that hold no cell's centre."""
    offset: int
    """Number of the first place in its set, as in vector tiles."""
    total: int
    """Places in the set."""
