"""The shapes of a set of places in a CRS, and their state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate

from chronotile.core.model.places import ChosenPlaces, PlaceSet, ProjectedShapes
from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import BoolArray, FloatArray, Int64Array, ObjectArray
from chronotile.pipeline.encoders.vector.mvt import MVT_VERSION
from chronotile.pipeline.revision import fingerprint


def places_revision(places: PlaceSet) -> str:
    """Return the state of a set, for `rev=`: another one whenever its tiles or values may be others."""
    return fingerprint("places", places.digest, MVT_VERSION)[:12]


MOST_PROJECTED = 4
"""CRSs in which the places of a set are kept: that of maps, CRS84 and two more."""


def shapes_in(places: PlaceSet, crs: Crs) -> ProjectedShapes:
    """Return the places in another CRS, vertex by vertex; what has no coordinates there is empty."""
    found = places.projected.get(crs)
    if found is None:
        shapes = _projected(places, places.shapes, crs)
        found = ProjectedShapes(shapes, shapely.bounds(shapes))
        for oldest in list(places.projected)[: 1 - MOST_PROJECTED]:
            places.projected.pop(oldest, None)
        places.projected[crs] = found
    return found


def choose_places(
    places: PlaceSet,
    numbers: Int64Array,
    *,
    crs: Crs = CRS84,
    columns: Mapping[str, Sequence[float | None]] = {},
) -> ChosenPlaces:
    """Return some places in another CRS, as `shapes_in` has them; no others are projected.

    Args:
        places: The set.
        numbers: Of the places.
        crs: Of their shapes.
        columns: (number,) by name: properties besides those of the set, and not with their names.
    """
    kept, listed = places.projected.get(crs), numbers.tolist()
    own = {name: [column[number] for number in listed] for name, column in places.columns.items()}
    shapes = _projected(places, places.shapes[numbers], crs) if kept is None else kept.shapes[numbers]
    if crs.is_geographic and places.crs != crs:
        for number in np.flatnonzero(np.abs(shapely.bounds(shapes)[:, ::2]).max(axis=1) > WHOLE_CIRCLE / 2).tolist():
            shapes[number] = _cut(shapes[number])
    return ChosenPlaces(places=places, numbers=numbers, crs=crs, shapes=shapes, columns={**own, **columns})


def related_places(
    places: PlaceSet,
    crs: Crs,
    geometry: Any,  # noqa: ANN401 -- shapely's
    relation: Callable[[Any, Any], Any],
) -> BoolArray:
    """Return (place,): whether a geometry has a relation to each, which only those have whose boxes meet.

    Args:
        places: The set.
        crs: Of the geometry. In a geographic one it is held against places in whichever turn of the globe.
        geometry: Not empty.
        relation: A predicate of shapely, whose first argument is the geometry.
    """
    projected, found = shapes_in(places, crs), np.zeros(len(places), dtype=np.bool_)
    for turn in (0.0, -WHOLE_CIRCLE, WHOLE_CIRCLE) if crs.is_geographic else (0.0,):
        turned = translate(geometry, turn) if turn else geometry
        shapely.prepare(turned)
        near = projected.tree.query(turned)
        found[near[relation(turned, projected.shapes[near])]] = True
    return found


def _projected(places: PlaceSet, own: ObjectArray, crs: Crs) -> ObjectArray:
    if places.crs == crs:
        return own
    turn = transformer(places.crs, crs).transform
    x, y = turn(*shapely.get_coordinates(own).T)
    vertices = np.column_stack((x, y))
    is_known = np.isfinite(vertices).all(axis=1)
    ends = np.cumsum(shapely.get_num_coordinates(own))
    lacking = np.diff(np.concatenate(([0], np.cumsum(~is_known)))[np.concatenate(([0], ends))]) > 0
    shapes: ObjectArray = shapely.set_coordinates(own.copy(), np.where(is_known[:, None], vertices, 0.0))
    shapes[lacking] = shapely.Polygon()
    if crs.is_geographic:
        for number in np.flatnonzero(np.ptp(shapely.bounds(shapes)[:, ::2], axis=1) > WHOLE_CIRCLE / 2).tolist():
            parts = zip(shapely.get_parts(shapes[number]), shapely.get_parts(own[number]), strict=True)
            shapes[number] = shapely.multipolygons([_unwind(part, drawn, turn) for part, drawn in parts])
    return shapes


Turn = Callable[[Any, Any], tuple[Any, Any]]


def _unwind(polygon: Any, drawn: Any, turn: Turn) -> Any:  # noqa: ANN401 -- shapely's
    """A polygon in degrees, of one `drawn` in another CRS, beyond 180 degrees where it crosses the antimeridian."""
    pairs = zip(shapely.get_rings(polygon), shapely.get_rings(drawn), strict=True)
    rings = [_unwound_ring(shapely.get_coordinates(ring), shapely.get_coordinates(own), turn) for ring, own in pairs]
    for ring in rings[1:]:
        ring[:, 0] += WHOLE_CIRCLE * np.round((rings[0][0, 0] - ring[0, 0]) / WHOLE_CIRCLE)
    return shapely.Polygon(rings[0], rings[1:])


def _unwound_ring(ring: FloatArray, drawn: FloatArray, turn: Turn) -> FloatArray:
    # A long step crosses the antimeridian if the middle of the edge is on the other side of the globe.
    middles = np.asarray(turn(*((drawn[1:] + drawn[:-1]) / 2).T)[0])
    unavailable = np.abs(np.mod(middles - (ring[1:, 0] + ring[:-1, 0]) / 2 + 180, WHOLE_CIRCLE) - 180)
    steps = np.diff(ring[:, 0])
    is_across = (np.abs(steps) > WHOLE_CIRCLE / 2) & (unavailable > WHOLE_CIRCLE / 4)
    turns = np.where(is_across, -np.sign(steps) * WHOLE_CIRCLE, 0.0)
    ring[1:, 0] += np.cumsum(turns)
    if turns.sum() == 0:
        return ring
    pole = np.copysign(WHOLE_CIRCLE / 4, ring[:, 1].mean())  # it goes around one
    return np.vstack((ring, [(ring[-1, 0], pole), (ring[0, 0], pole), ring[0]]))


def _cut(shape: Any) -> Any:  # noqa: ANN401 -- shapely's
    """A shape in degrees within ±180 (RFC 7946 §3.1.9)."""
    turned = shapely.get_parts([translate(shape, turn) for turn in (-WHOLE_CIRCLE, 0.0, WHOLE_CIRCLE)])
    parts = shapely.get_parts(shapely.intersection(shapely.make_valid(turned), shapely.box(-180, -90, 180, 90)))
    return shapely.union_all(parts[shapely.area(parts) > 0])
