"""Place sets: named polygons that are served in addition to layers."""

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
from chronotile.core.model.series.reducers import MEAN, Reducer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, InstantArray, Int64Array, ObjectArray

Property = str | int | float | bool | None
"""Property of a feature; `None` if it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesSpec:
    """Configuration of a place set."""

    id: str
    title: LocalisedText
    attribution: str | None = None
    path: str
    """Absolute; the suffix gives the format."""
    table: str | None = None
    """Feature table of a GeoPackage; required if it has several."""
    id_field: str | None = None
    """Field with the id; `None`: ids of the features."""
    label_field: str | None = None
    """Field with the displayed name; `None`: the id is displayed."""
    fields: tuple[str, ...] = ()
    """Other fields in documents and tiles."""
    max_features: int
    max_vertices: int


PropertyType = Literal["string", "number", "integer", "boolean"]
"""Type names of JSON Schema."""
_INTEGERS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True, eq=False)
class PropertyColumn:
    """One property of all places, in an array of its type."""

    type: PropertyType
    values: AnyArray
    """(place,): zero, `False` or empty if the property is missing."""
    is_known: BoolArray
    """(place,): whether the property exists."""


def property_column(values: Sequence[Property]) -> PropertyColumn:
    """Return a property as an array of the common type of its values, of text if their types differ."""
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
    """(place,): valid; empty for a place without coordinates in the CRS."""
    bounds: Float64Array
    """(place, 4): NaN for an empty shape."""

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Spatial index of the shapes."""
        return shapely.STRtree(self.shapes)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceSet:
    """Named polygons of one file, in its order. The position of a place is its number in vector tiles."""

    spec: PlacesSpec
    crs: Crs
    shapes: ObjectArray
    """(place,): valid polygons and multipolygons."""
    ids: tuple[str, ...]
    """(place,): unique."""
    labels: tuple[str, ...]
    """(place,): displayed names."""
    fields: Mapping[str, tuple[Property, ...]]
    """(place,) by name: the configured fields."""
    notes: Mapping[int, str]
    """Descriptions of repairs, by number of the place."""
    bbox: BBox
    """In CRS84."""
    digest: str
    """Digest of all attributes of the places."""
    findings: tuple[Finding, ...] = ()
    projected: dict[Crs, ProjectedShapes] = field(default_factory=dict, repr=False)
    """Cache of `pipeline.place_shapes` that lives as long as the set."""

    @property
    def id(self) -> str:
        """The id of the set."""
        return self.spec.id

    @property
    def all_native_crs(self) -> tuple[Crs, ...]:
        """The CRS of the file."""
        return (self.crs,)

    def __len__(self) -> int:
        """The number of places."""
        return len(self.ids)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Place numbers by id."""
        return {name: number for number, name in enumerate(self.ids)}

    @property
    def columns(self) -> dict[str, tuple[Property, ...]]:
        """(place,) by name: id, label and fields, for documents and tiles."""
        return {"id": self.ids, "label": self.labels, **self.fields}

    @cached_property
    def typed_columns(self) -> Mapping[str, PropertyColumn]:
        """The columns as arrays."""
        return {name: property_column(values) for name, values in self.columns.items()}

    def areas_of(self, numbers: Sequence[int] | Int64Array) -> tuple[Area, ...]:
        """Return (number,): places as areas of a series."""
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
                polygons=tuple(parts),
                crs=self.crs,
                id=self.ids[number],
                properties={"label": self.labels[number], **{k: column[number] for k, column in self.fields.items()}},
                note=self.notes.get(number),
            )
            for number, parts in zip(listed.tolist(), grouped, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenPlaces:
    """Some places of a set, ready to be written."""

    places: PlaceSet
    numbers: Int64Array
    crs: Crs
    shapes: ObjectArray
    """(number,): in `crs`, x before y; empty for places without coordinates in it."""
    columns: Mapping[str, Sequence[Property]]
    """(number,) by name: the properties of the set, and additional numbers."""

    @property
    def no_coordinates_count(self) -> int:
        """Number of places without coordinates in `crs`."""
        return int(shapely.is_empty(self.shapes).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTileRequest:
    """Request for a vector tile of a place set."""

    places: str
    """Id of the set."""
    grid: Grid
    """Grid of the tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceValuesRequest:
    """Request for one number per place and instant."""

    places: str
    """Id of the set."""
    layer: str
    """Id or alias."""
    time: TimeSelection = ABSENT
    reducer: Reducer = MEAN
    weights: Weights = "pixel"
    min_valid: float = 0.0
    """Minimum fraction of cells with a value (`AreaSeriesRequest`)."""
    offset: int = 0
    """Position of the first place in the set."""
    limit: int | None = None
    """Maximum number of places; `None`: all."""
    numbers: Int64Array | None = None
    """Place numbers, ascending; replaces `offset` and `limit`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceValues:
    """One number per place and instant."""

    places: str
    """Id of the set."""
    revision: str
    """Revision of the set; the features of tiles with this revision have the numbers of these rows."""
    layer: str
    units: str
    reducer: str
    attribution: str | None
    """Authors of the layer and of the places."""
    times: InstantArray
    """(time,); not a time (NaT) for the single value of a layer without time."""
    ids: tuple[str, ...]
    """(place,)."""
    values: Float64Array
    """(place, time): NaN if too few cells have a value or the place is outside the layer."""
    missing: Missing = NOTHING_MISSING
    without_cells: int = 0
    """Number of places in the layer that contain no cell centre."""
    offset: int
    """Number of the first place in its set, as in vector tiles."""
    total: int
    """Number of places in the set."""
