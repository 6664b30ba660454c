"""Geometries that clients send (RFC 7946, and `crs` of GeoJSON 2008)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.geometry.geojson_rings import parse_geojson, positions_of
from chronotile.core.model.geometry.json_text import (
    ID_FORM,
    containers_in,
    features_in,
    holes_in,
    is_id,
    load_json,
    positions_in,
)
from chronotile.core.model.geometry.repair import LOCATOR, Repaired, refusal, repair_polygons, unite_polygons
from chronotile.core.model.space.boxes import FARTHEST
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import FloatArray, JsonValue

MAX_SHOWN = 60
"""Characters that a message has of what a client sent."""

LEAST_POSITIONS = 3
"""Of a ring, without the last, which is the first again."""

GROWTH = 2
"""Of `max_vertices`, by repair, which adds some where edges cross."""

ONE_AREA = frozenset({"Feature", "Polygon", "MultiPolygon"})

CONTAINERS_PER_FEATURE = 64
"""Lists and objects of a body that are not positions or rings: properties may have some within one another."""

MOST_HOLES = 30_000
"""Of all polygons of a body: each is made an array, and compared with the others."""

MAX_DEPTH = 8
"""Of geometry collections within one another."""

MAX_PROPERTY_DEPTH = 128
"""Of nested lists and objects in properties, which answers repeat; orjson writes no more than 254."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryRules:
    """What the geometries of a body may be, and how they are meant."""

    max_vertices: int
    max_features: int
    crs_named: Callable[[str], Crs]
    """Gives the CRS of a name, or raises UnsupportedCrs."""
    crs: str | None = None
    """As the request names it beside the body."""
    first: int = 1
    """The number of the first feature, as messages and notes count them."""
    elsewhere: str = ""
    """The path that takes many areas where this one takes one, or one where it takes many; empty is none."""

    @property
    def hint(self) -> str:
        """What a message says of the other path."""
        return f"; {self.elsewhere} takes it" if self.elsewhere else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeoJsonArea:
    """An area as it was sent."""

    name: str
    """What messages call it: nothing, or ` of feature 3`."""
    polygons: tuple[Polygon, ...]
    closed: tuple[str, ...]
    """Names of the rings that did not end where they began."""
    id: str | int | float | None = None
    properties: Mapping[str, Any] | None = None


def area_of(body: bytes, rules: GeometryRules) -> Area:
    """Return the polygons of a Feature or a bare geometry; a third coordinate is left out.

    Polygons that cross themselves are repaired and rings left open are closed; the area's note reports it.

    Raises:
        InvalidParameter: It is no such thing; the message names the ring.
        UnsupportedCrs: Its CRS is not one that it may be in.
        LimitExceeded: It has more than `max_vertices`.
    """
    _require_few(body, rules, features=0)
    document = _geojson_of(body)
    kind = _kind(document)
    if kind == "FeatureCollection":
        raise refusal(f"a FeatureCollection has many areas; send one Feature or geometry here{rules.hint}")
    draft = _feature(document, "") if kind == "Feature" else _bare(document, "")
    if not draft.polygons:
        raise refusal("the feature has no geometry: it is null")
    return _areas([draft], document, rules)[0]


def areas_of(body: bytes, rules: GeometryRules) -> tuple[Area, ...]:
    """Return one area for each member of a FeatureCollection or GeometryCollection, in their order.

    A feature whose geometry is null (RFC 7946 §3.2) is an area without polygons, and its note reports it.

    Raises:
        InvalidParameter: It is no such thing; the message names the member and ring.
        UnsupportedCrs: Its CRS is not one that it may be in.
        LimitExceeded: It has more than `max_features`, or all together more than `max_vertices`.
    """
    _require_few(body, rules, features=features_in(body))
    document = _geojson_of(body)
    kind = _kind(document)
    if kind not in MEMBERS:
        raise refusal(
            f"the body must be a FeatureCollection or a GeometryCollection, got {_quote_type(kind)}"
            f"{rules.hint if kind in ONE_AREA else ''}"
        )
    key, one, draft_of = MEMBERS[kind]
    members = listed_members(document, key)
    _require_few(body, rules, features=len(members))
    drafts = [draft_of(each, f" of {one} {place}") for place, each in enumerate(members, rules.first)]
    return _areas(drafts, document, rules)


def listed_members(document: Mapping[str, JsonValue], key: str) -> list[JsonValue]:
    """Return the features or geometries of a collection.

    Raises:
        InvalidParameter: They are not a list.
    """
    members = document.get(key)
    if not isinstance(members, list):
        raise refusal(f"{key!r} must be a list")
    return members


def _require_few(body: bytes, rules: GeometryRules, *, features: int) -> None:
    """Check that there are not too many features, positions, holes, nor lists and objects, before they are taken apart.

    Raises:
        LimitExceeded: There are.
        InvalidParameter: There are too many holes.
    """
    vertices = positions_in(body, more_than=rules.max_vertices)
    containers = 2 * rules.max_vertices + CONTAINERS_PER_FEATURE * (rules.max_features + 1)
    for name, allowed, requested in (
        ("max_features", rules.max_features, features),
        ("max_vertices", rules.max_vertices, vertices),
        ("max_containers", containers, containers_in(body)),
    ):
        require_at_most(name, requested, allowed, alternative="send fewer at once", locator=LOCATOR)
    holes = holes_in(body)
    if holes > MOST_HOLES:
        raise refusal(
            f"the polygons are too complex: they have {holes} holes, at most {MOST_HOLES}; simplify them, or send "
            "fewer at once"
        )


def point_of(body: bytes) -> tuple[float, float] | None:
    """Return the longitude and latitude of a Point, or of a Feature of one; `None` where the body is something else.

    Raises:
        InvalidParameter: It is not a JSON object, or the point has no position.
    """
    document = _geojson_of(body)
    geometry: JsonValue = document.get("geometry") if _kind(document) == "Feature" else document
    if _kind(geometry) != "Point":
        return None
    longitude, latitude = _positions([geometry.get("coordinates")], "the point")[0].tolist()
    return longitude, latitude


def document_of(body: bytes) -> dict[str, JsonValue]:
    """Return the JSON object of a body.

    Raises:
        InvalidParameter: It is not valid JSON, or no object.
        LimitExceeded: It would take more memory than there is for a body.
    """
    return _document(body, partial(load_json, locator=LOCATOR))


def _geojson_of(body: bytes) -> dict[str, JsonValue]:
    # The JSON object of a body, of a large one with arrays in place of lists of positions.
    return _document(body, partial(parse_geojson, locator=LOCATOR))


def _document(body: bytes, parse: Callable[[bytes], JsonValue]) -> dict[str, JsonValue]:
    try:
        document = parse(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise refusal(f"the body is not valid JSON: {_reason(body, error)}") from error
    if not isinstance(document, dict):
        raise refusal("the body must be a GeoJSON object such as a Polygon or MultiPolygon")
    return document


def _reason(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return "it is empty"
    rest = error.doc[error.pos :].lstrip("-")[:8]
    if rest == "Infinity" or rest.startswith("NaN"):
        return f"{error}; NaN and Infinity are not valid JSON, leave such positions out"
    return str(error)


def _feature(document: JsonValue, name: str) -> GeoJsonArea:
    if _kind(document) != "Feature":
        raise refusal(f"member{name} must be a Feature, got {_quote_type(_kind(document))}")
    identity = document.get("id")
    if identity is not None and not is_id(identity):
        raise refusal(f"the id{name or ' of a feature'} must be {ID_FORM}")
    properties = document.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise refusal(f"the properties{name or ' of a feature'} must be an object")
    if properties is not None and _is_deep(properties):
        raise refusal(
            f"the properties{name or ' of a feature'} have more than {MAX_PROPERTY_DEPTH} nested lists and objects"
        )
    if "geometry" in document and document["geometry"] is None:
        return GeoJsonArea(name=name, polygons=(), closed=(), id=identity, properties=properties)
    return _bare(document.get("geometry"), name, id=identity, properties=properties)


def _is_deep(properties: dict[str, JsonValue]) -> bool:
    """Whether lists and objects are nested too deeply."""
    level: list[JsonValue] = [properties]
    for _ in range(MAX_PROPERTY_DEPTH):
        members = (member for each in level for member in (each.values() if isinstance(each, dict) else each))
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return False
    return True


def _bare(geometry: JsonValue, name: str, **given: Any) -> GeoJsonArea:  # noqa: ANN401 -- members of Draft
    closed: list[str] = []
    listed = list(_coordinates(geometry, name))
    polygons = tuple(_polygon(rings, f"polygon {place}{name}", closed) for place, rings in enumerate(listed, 1))
    return GeoJsonArea(name=name, polygons=polygons, closed=tuple(closed), **given)


def _coordinates(geometry: JsonValue, name: str, depth: int = 0) -> Iterator[JsonValue]:
    """The rings of each polygon, as JSON."""
    kind = _kind(geometry)
    if kind == "GeometryCollection" and depth < MAX_DEPTH:
        members = geometry.get("geometries")
        if not isinstance(members, list) or not members:
            raise refusal(f"the collection{name} has no geometries")
        for place, member in enumerate(members, 1):
            yield from _coordinates(member, f" {place} of the collection{name}", depth + 1)
        return
    if kind not in {"Polygon", "MultiPolygon"}:
        points = "; a series of points is at /timeseries/points" if kind in {"Point", "MultiPoint"} else ""
        raise refusal(
            f"the geometry{name} must be a Polygon or MultiPolygon, or a Feature of one, "
            f"got {_quote_type(kind)}{points}"
        )
    listed = geometry.get("coordinates")
    polygons = [listed] if kind == "Polygon" else listed
    is_empty = isinstance(polygons, list) and len(polygons) == 1 and isinstance(polygons[0], list) and not polygons[0]
    if not isinstance(polygons, list) or not polygons or is_empty:
        raise refusal(f"the geometry{name} has no coordinates")
    yield from polygons


def _polygon(rings: JsonValue, name: str, closed: list[str]) -> Polygon:
    if isinstance(rings, np.ndarray):  # positions in the place of rings
        rings = rings[:1].tolist()
    if not isinstance(rings, list) or not rings:
        raise refusal(f"{name} has no rings")
    return tuple(_ring(ring, f"ring {place} of {name}", closed) for place, ring in enumerate(rings, 1))


def _ring(listed: JsonValue, name: str, closed: list[str]) -> FloatArray:
    positions = _positions(listed, name)
    if not np.isfinite(positions).all():
        raise refusal(f"{name} has a coordinate that is not a finite number")
    is_closed = len(positions) > 1 and bool((positions[0] == positions[-1]).all())
    if len(positions) - is_closed < LEAST_POSITIONS:
        raise refusal(f"{name} must have at least {LEAST_POSITIONS} positions and end where it begins")
    if is_closed:
        return positions
    closed.append(name)
    return np.vstack([positions, positions[:1]])


def _positions(listed: JsonValue, name: str) -> FloatArray:
    """(vertex, 2) of x and y."""
    if isinstance(listed, np.ndarray):
        return listed
    if not isinstance(listed, list) or not listed:
        raise refusal(f"{name} has no positions")
    positions = positions_of(listed)
    if positions is None:
        raise refusal(f"{name} must have positions [longitude, latitude]")
    return positions


def _areas(drafts: Sequence[GeoJsonArea], document: Mapping[str, JsonValue], rules: GeometryRules) -> tuple[Area, ...]:
    polygons = [polygon for draft in drafts for polygon in draft.polygons]
    _require_vertices("max_vertices", polygons, rules.max_vertices, alternative="simplify it")
    crs = _crs(document, rules)
    for draft in drafts:
        _check_reach(draft, crs)
    names = [f"polygon {place}{draft.name}" for draft in drafts for place in range(1, len(draft.polygons) + 1)]
    each_mended = zip(names, repair_polygons(polygons, names) if polygons else (), strict=True)
    mended = [[next(each_mended) for _ in draft.polygons] for draft in drafts]
    valid = [[polygon for _name, each in own for polygon in each.polygons] for own in mended]
    whole = unite_polygons(valid, [draft.name for draft in drafts])
    _require_vertices(
        "max_repaired_vertices",
        [polygon for own in whole for polygon in own],
        GROWTH * rules.max_vertices,
        alternative="untangle it",
    )
    return tuple(_area(*each, crs) for each in zip(drafts, whole, mended, strict=True))


def _require_vertices(limit: str, polygons: Sequence[Polygon], allowed: int, *, alternative: str) -> None:
    requested = sum(len(ring) for polygon in polygons for ring in polygon)
    require_at_most(limit, requested, allowed, alternative=alternative, locator=LOCATOR)


def _area(draft: GeoJsonArea, polygons: tuple[Polygon, ...], mended: Sequence[tuple[str, Repaired]], crs: Crs) -> Area:
    notes = [] if draft.polygons else ["it has no geometry"]
    notes += [f"{name} was closed" for name in draft.closed]
    notes += [f"{name} was repaired: {each.note}" for name, each in mended if each.note is not None]
    return Area(polygons=polygons, crs=crs, id=draft.id, properties=draft.properties, note="; ".join(notes) or None)


def _check_reach(draft: GeoJsonArea, crs: Crs) -> None:
    farthest = (360, 90) if crs.is_geographic else (FARTHEST, FARTHEST)
    for number, polygon in enumerate(draft.polygons, 1):
        for place, ring in enumerate(polygon, 1):
            if (np.abs(ring) > farthest).any():
                expected = (
                    "longitudes from -360 to 360 and latitudes from -90 to 90, longitude first; coordinates in metres "
                    "need crs="
                    if crs.is_geographic
                    else f"coordinates from {-FARTHEST:g} to {FARTHEST:g}"
                )
                raise refusal(f"ring {place} of polygon {number}{draft.name} must have {expected}")


def _crs(document: Mapping[str, JsonValue], rules: GeometryRules) -> Crs:
    """That of the request, or of the document (GeoJSON 2008 §3); x before y in both, whatever the CRS says."""
    member = document.get("crs")
    if member is None and isinstance(document.get("geometry"), dict):
        member = document["geometry"].get("crs")
    named = partial(_resolve_crs, rules=rules)
    if member is None:
        return CRS84 if rules.crs is None else named(rules.crs)
    inside = named(_member_name(member))
    if rules.crs is not None and named(rules.crs) != inside:
        raise InvalidParameter(f"crs is {rules.crs[:MAX_SHOWN]}, but the body says {inside.name}", locator="crs")
    return inside


def _resolve_crs(text: str, rules: GeometryRules) -> Crs:
    # GeoJSON's own and the code that many write for it need not be among those offered.
    return CRS84 if text.upper() in {"CRS:84", "OGC:CRS84", "URN:OGC:DEF:CRS:OGC:1.3:CRS84"} else rules.crs_named(text)


def _member_name(member: JsonValue) -> str:
    """The name in `{"type": "name", "properties": {"name": …}}`, or of the EPSG code in its elder form."""
    given = member.get("properties") if isinstance(member, dict) else None
    if isinstance(given, dict):
        if isinstance(given.get("name"), str):
            return str(given["name"])
        if isinstance(given.get("code"), int):
            return f"EPSG:{given['code']}"
    raise InvalidParameter('the member crs must be {"type": "name", "properties": {"name": …}}', locator="crs")


def _kind(document: JsonValue) -> str:
    kind = document.get("type") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else ""


def _quote_type(kind: str) -> str:
    return repr(kind[:40]) if kind else "something without a type"


MEMBERS: Mapping[str, tuple[str, str, Callable[[JsonValue, str], GeoJsonArea]]] = {
    "FeatureCollection": ("features", "feature", _feature),
    "GeometryCollection": ("geometries", "geometry", _bare),
}
"""Where a collection has its members, what messages call one, and how it is read."""
