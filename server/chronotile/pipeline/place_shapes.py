"""Shapes of places in a requested CRS, and revisions of place sets."""

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
    """Return the revision of a set for `rev=`; it changes whenever tiles or values of the set may change."""
    return fingerprint("places", places.digest, MVT_VERSION)[:12]


MAX_PROJECTED = 4
"""Maximum number of CRSs in which the shapes of a set are cached: that of maps, CRS84 and two more."""


def shapes_in(places: PlaceSet, crs: Crs) -> ProjectedShapes:
    """Return the places in another CRS, projected vertex by vertex; shapes without coordinates there are empty."""
    projected = places.projected.get(crs)
    if projected is None:
        shapes = _project_shapes(places, places.shapes, crs)
        projected = ProjectedShapes(shapes, shapely.bounds(shapes))
        for oldest in list(places.projected)[: 1 - MAX_PROJECTED]:
            places.projected.pop(oldest, None)
        places.projected[crs] = projected
    return projected


def choose_places(
    places: PlaceSet,
    numbers: Int64Array,
    *,
    crs: Crs = CRS84,
    columns: Mapping[str, Sequence[float | None]] = {},
) -> ChosenPlaces:
    """Return some places in another CRS, like `shapes_in`; other places are not projected.

    Args:
        places: The set.
        numbers: Positions of the places in the set.
        crs: The CRS of the returned shapes.
        columns: Further properties by name, (number,), with names that the set does not have.
    """
    cached, listed = places.projected.get(crs), numbers.tolist()
    set_columns = {name: [column[number] for number in listed] for name, column in places.columns.items()}
    shapes = _project_shapes(places, places.shapes[numbers], crs) if cached is None else cached.shapes[numbers]
    if crs.is_geographic and places.crs != crs:
        for number in np.flatnonzero(np.abs(shapely.bounds(shapes)[:, ::2]).max(axis=1) > WHOLE_CIRCLE / 2).tolist():
            shapes[number] = _cut(shapes[number])
    return ChosenPlaces(places=places, numbers=numbers, crs=crs, shapes=shapes, columns={**set_columns, **columns})


def related_places(
    places: PlaceSet,
    crs: Crs,
    geometry: Any,  # noqa: ANN401 -- shapely's
    relation: Callable[[Any, Any], Any],
) -> BoolArray:
    """Return a (place,) mask of places that have a relation to a geometry, such as an intersection.

    Args:
        places: The set.
        crs: The CRS of the geometry. In a geographic CRS, longitudes that differ by 360 degrees are equal.
        geometry: A geometry that is not empty.
        relation: A predicate of shapely with the geometry as first argument. It is called for places whose bounding box
            intersects that of the geometry, so it must be false for all others.
    """
    projected, is_related = shapes_in(places, crs), np.zeros(len(places), dtype=np.bool_)
    for shift in (0.0, -WHOLE_CIRCLE, WHOLE_CIRCLE) if crs.is_geographic else (0.0,):
        turned = translate(geometry, shift) if shift else geometry
        shapely.prepare(turned)
        near = projected.tree.query(turned)
        is_related[near[relation(turned, projected.shapes[near])]] = True
    return is_related


def _project_shapes(places: PlaceSet, set_shapes: ObjectArray, crs: Crs) -> ObjectArray:
    if places.crs == crs:
        return set_shapes
    project = transformer(places.crs, crs).transform
    x, y = project(*shapely.get_coordinates(set_shapes).T)
    vertices = np.column_stack((x, y))
    is_finite = np.isfinite(vertices).all(axis=1)
    ends = np.cumsum(shapely.get_num_coordinates(set_shapes))
    lacking = np.diff(np.concatenate(([0], np.cumsum(~is_finite)))[np.concatenate(([0], ends))]) > 0
    shapes: ObjectArray = shapely.set_coordinates(set_shapes.copy(), np.where(is_finite[:, None], vertices, 0.0))
    shapes[lacking] = shapely.Polygon()
    if crs.is_geographic:
        for number in np.flatnonzero(np.ptp(shapely.bounds(shapes)[:, ::2], axis=1) > WHOLE_CIRCLE / 2).tolist():
            parts = zip(shapely.get_parts(shapes[number]), shapely.get_parts(set_shapes[number]), strict=True)
            shapes[number] = shapely.multipolygons([_unwind(part, original, project) for part, original in parts])
    return shapes


Project = Callable[[Any, Any], tuple[Any, Any]]


def _unwind(polygon: Any, original: Any, project: Project) -> Any:  # noqa: ANN401 -- shapely's
    """Return a polygon whose longitudes continue beyond 180 degrees if it crosses the antimeridian.

    Args:
        polygon: The projected polygon in degrees.
        original: The polygon in its CRS, with the same vertices.
        project: Projects coordinates of the original.
    """
    pairs = zip(shapely.get_rings(polygon), shapely.get_rings(original), strict=True)
    rings = [
        _unwind_ring(shapely.get_coordinates(ring), shapely.get_coordinates(original_ring), project)
        for ring, original_ring in pairs
    ]
    for ring in rings[1:]:
        ring[:, 0] += WHOLE_CIRCLE * np.round((rings[0][0, 0] - ring[0, 0]) / WHOLE_CIRCLE)
    return shapely.Polygon(rings[0], rings[1:])


def _unwind_ring(ring: FloatArray, original_ring: FloatArray, project: Project) -> FloatArray:
    # A long step crosses the antimeridian if the projected middle of the edge is on the other side of the globe.
    middles = np.asarray(project(*((original_ring[1:] + original_ring[:-1]) / 2).T)[0])
    distances = np.abs(np.mod(middles - (ring[1:, 0] + ring[:-1, 0]) / 2 + 180, WHOLE_CIRCLE) - 180)
    steps = np.diff(ring[:, 0])
    is_across = (np.abs(steps) > WHOLE_CIRCLE / 2) & (distances > WHOLE_CIRCLE / 4)
    turns = np.where(is_across, -np.sign(steps) * WHOLE_CIRCLE, 0.0)
    ring[1:, 0] += np.cumsum(turns)
    if turns.sum() == 0:
        return ring
    pole = np.copysign(WHOLE_CIRCLE / 4, ring[:, 1].mean())  # the ring encloses a pole
    return np.vstack((ring, [(ring[-1, 0], pole), (ring[0, 0], pole), ring[0]]))


def _cut(shape: Any) -> Any:  # noqa: ANN401 -- shapely's
    """Cut a shape in degrees at the antimeridian, to longitudes within ±180 (RFC 7946 §3.1.9)."""
    turned = shapely.get_parts([translate(shape, shift) for shift in (-WHOLE_CIRCLE, 0.0, WHOLE_CIRCLE)])
    parts = shapely.get_parts(shapely.intersection(shapely.make_valid(turned), shapely.box(-180, -90, 180, 90)))
    return shapely.union_all(parts[shapely.area(parts) > 0])
