"""Selection of places of a set by bounding box, properties and filter."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import shapely

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.places import PlaceSet, PropertyType
from chronotile.core.model.space.boxes import BBox, boxes_of
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import Int64Array, JsonMapping
from chronotile.pipeline.place_shapes import related_places
from chronotile.pipeline.series.places import find_places_near

BOOLEANS = {"1": "true", "0": "false"}
"""Truth values as GDAL writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSelection:
    """Conditions for places; without conditions all places are selected."""

    box: BBox | None = None
    """Places must meet it; `xmin` is greater than `xmax` if it crosses the antimeridian."""
    box_crs: Crs = CRS84
    properties: Mapping[str, str] = field(default_factory=dict)
    """Texts that properties must equal, by name."""
    filter: JsonMapping | None = None
    """CQL2 JSON from `cql2.tree.checked`, in the axis order of `filter_crs` (OGC 19-079r2 §7.4)."""
    filter_crs: Crs = CRS84


def queryables_of(places: PlaceSet) -> dict[str, dict[str, PropertyType]]:
    """Return the JSON Schema of each property that a selection may use, without the geometry."""
    return {name: {"type": column.type} for name, column in places.typed_columns.items()}


def select_places(places: PlaceSet, selection: PlaceSelection) -> Int64Array:
    """Return the ascending numbers of the selected places.

    A place that touches the edge of a box meets it (OGC 17-069r4 §7.15.3).

    Raises:
        InvalidParameter: A property is unknown or has another type, or the filter is invalid.
        UnsupportedCrs: PROJ cannot transform to a CRS.
    """
    conditions = [_equality(places, name, text) for name, text in selection.properties.items()]
    conditions += [] if selection.filter is None else [selection.filter]
    is_chosen = np.ones(len(places), dtype=np.bool_)
    if selection.box is not None:
        shape = _shape(selection.box, selection.box_crs)
        is_chosen = related_places(places, selection.box_crs, shape, shapely.intersects)
    if conditions:
        from chronotile.pipeline.features.filter import PlaceFilter  # noqa: PLC0415 -- imports SQLAlchemy

        is_chosen &= PlaceFilter(places, selection.filter_crs).truths({"op": "and", "args": conditions}) > 0
    return np.flatnonzero(is_chosen)


def places_near(places: PlaceSet, layer: Layer, box: BBox | None) -> Int64Array:
    """Return the numbers of the places that meet a box in CRS84, and whose bounding boxes meet that of a layer."""
    chosen = select_places(places, PlaceSelection(box=box))
    return chosen[find_places_near(places, layer)[chosen]]


def _shape(box: BBox, crs: Crs) -> Any:  # noqa: ANN401 -- shapely's
    """Return a box, which may be a line or a point, as a shape."""
    boxes = boxes_of(box) if crs.is_geographic else (box,)
    corners = [((xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax)) for xmin, ymin, xmax, ymax in boxes]
    return shapely.union_all([shapely.convex_hull(shapely.multipoints(points)) for points in corners])


def _equality(places: PlaceSet, name: str, text: str) -> JsonMapping:
    column, value = places.typed_columns.get(name), text
    type_ = "string" if column is None else column.type
    if type_ != "string":
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(BOOLEANS.get(text, text) if type_ == "boolean" else text)
        if not isinstance(value, int | float) or isinstance(value, bool) is not (type_ == "boolean"):
            raise InvalidParameter(f"{name} is {type_}, not {text[:MAX_SHOWN]!r}", locator=name)
    return {"op": "=", "args": [{"property": name}, value]}
