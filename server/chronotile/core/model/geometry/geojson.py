"""Geometries from clients (RFC 7946, and `crs` of GeoJSON 2008)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, require_at_most
from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.geometry.geojson_rings import parse_geojson, positions_of
from chronotile.core.model.geometry.json_estimates import containers_in, features_in, holes_in, positions_in
from chronotile.core.model.geometry.json_text import ID_FORM, is_id, load_json
from chronotile.core.model.geometry.repair import LOCATOR, Repaired, refusal, repair_polygons, unite_polygons
from chronotile.core.model.space.boxes import FARTHEST
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import FloatArray, JsonValue

MIN_POSITIONS = 3
"""Minimum number of positions in a ring, without the last, which repeats the first."""

GROWTH = 2
"""Maximum number of vertices after repair, as a multiple of `max_vertices`; repair adds vertices at crossings."""

ONE_AREA = frozenset({"Feature", "Polygon", "MultiPolygon"})

CONTAINERS_PER_FEATURE = 64
"""Lists and objects that are not positions or rings, such as nested properties."""

MAX_HOLES = 30_000
"""Maximum number of holes in all polygons of a body; each becomes an array and is compared with the others."""

MAX_DEPTH = 8
"""Maximum nesting of geometry collections."""

MAX_PROPERTY_DEPTH = 128
"""Maximum nesting of lists and objects in properties, which answers repeat; orjson writes at most 254."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryRules:
    """Limits of the geometries of a body, and their CRS."""

    max_vertices: int
    max_features: int
    crs_named: Callable[[str], Crs]
    """Returns the CRS with a name, or raises UnsupportedCrs."""
    crs: str | None = None
    """CRS that the request names outside the body."""
    first: int = 1
    """Number of the first feature in messages and notes."""
    elsewhere: str = ""
    """Path that takes many areas if this path takes one area, or the opposite; empty: none."""

    @property
    def hint(self) -> str:
        """Hint to the other path at the end of messages."""
        return f"; {self.elsewhere} takes it" if self.elsewhere else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeoJsonArea:
    """An area as sent by a client."""

    name: str
    """Text at the end of messages: empty, or ` of feature 3`."""
    polygons: tuple[Polygon, ...]
    closed: tuple[str, ...]
    """Names of the rings that were open."""
    id: str | int | float | None = None
    properties: Mapping[str, Any] | None = None


def area_of(body: bytes, rules: GeometryRules) -> Area:
    """Return the polygons of a Feature or a bare geometry, without heights.

    Polygons that cross themselves are repaired, and open rings are closed; the note of the area reports it.

    Raises:
        InvalidParameter: The body is not valid; the message names the ring.
        UnsupportedCrs: The CRS is not supported.
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
    """Return one area per member of a FeatureCollection or GeometryCollection, in order.

    A feature whose geometry is null (RFC 7946 §3.2) is an area without polygons, and its note reports it.

    Raises:
        InvalidParameter: The body is not valid; the message names the member and ring.
        UnsupportedCrs: The CRS is not supported.
        LimitExceeded: It has more than `max_features`, or more than `max_vertices` in total.
    """
    _require_few(body, rules, features=features_in(body))
    document = _geojson_of(body)
    kind = _kind(document)
    if kind not in MEMBERS:
        raise refusal(
            f"the body must be a FeatureCollection or a GeometryCollection, got {_quote_type(kind)}"
            f"{rules.hint if kind in ONE_AREA else ''}"
        )
    key, member_name, draft_of = MEMBERS[kind]
    members = listed_members(document, key)
    _require_few(body, rules, features=len(members))
    drafts = [draft_of(member, f" of {member_name} {place}") for place, member in enumerate(members, rules.first)]
    return _areas(drafts, document, rules)


def listed_members(document: Mapping[str, JsonValue], key: str) -> list[JsonValue]:
    """Return the features or geometries of a collection.

    Raises:
        InvalidParameter: The member `key` is not a list.
    """
    members = document.get(key)
    if not isinstance(members, list):
        raise refusal(f"{key!r} must be a list")
    return members


def _require_few(body: bytes, rules: GeometryRules, *, features: int) -> None:
    """Limit features, positions, holes, lists and objects before the body is parsed.

    Raises:
        LimitExceeded: There are too many.
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
    if holes > MAX_HOLES:
        raise refusal(
            f"the polygons are too complex: they have {holes} holes, at most {MAX_HOLES}; simplify them, or send "
            "fewer at once"
        )


def point_of(body: bytes) -> tuple[float, float] | None:
    """Return longitude and latitude of a Point or of a Feature with a Point; `None` for other bodies.

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
        InvalidParameter: It is not valid JSON or not an object.
        LimitExceeded: It would take more memory than is available for a body.
    """
    return _document(body, partial(load_json, locator=LOCATOR))


def _geojson_of(body: bytes) -> dict[str, JsonValue]:
    # The JSON object of a body. Large bodies have arrays instead of lists of positions.
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
        members = (
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
        )
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return False
    return True


def _bare(geometry: JsonValue, name: str, **attributes: Any) -> GeoJsonArea:  # noqa: ANN401 -- fields of GeoJsonArea
    closed: list[str] = []
    listed = list(_coordinates(geometry, name))
    polygons = tuple(_polygon(rings, f"polygon {place}{name}", closed) for place, rings in enumerate(listed, 1))
    return GeoJsonArea(name=name, polygons=polygons, closed=tuple(closed), **attributes)


def _coordinates(geometry: JsonValue, name: str, depth: int = 0) -> Iterator[JsonValue]:
    """Yield the rings of each polygon, as JSON."""
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
    if isinstance(rings, np.ndarray):  # a list of positions instead of rings: `_ring` refuses the first one
        rings = rings[:1].tolist()
    if not isinstance(rings, list) or not rings:
        raise refusal(f"{name} has no rings")
    return tuple(_ring(ring, f"ring {place} of {name}", closed) for place, ring in enumerate(rings, 1))


def _ring(listed: JsonValue, name: str, closed: list[str]) -> FloatArray:
    positions = _positions(listed, name)
    if not np.isfinite(positions).all():
        raise refusal(f"{name} has a coordinate that is not a finite number")
    is_closed = len(positions) > 1 and bool((positions[0] == positions[-1]).all())
    if len(positions) - is_closed < MIN_POSITIONS:
        raise refusal(f"{name} must have at least {MIN_POSITIONS} positions and end where it begins")
    if is_closed:
        return positions
    closed.append(name)
    return np.vstack([positions, positions[:1]])


def _positions(listed: JsonValue, name: str) -> FloatArray:
    """Return (vertex, 2) x and y."""
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
    results = zip(names, repair_polygons(polygons, names) if polygons else (), strict=True)
    repairs = [[next(results) for _ in draft.polygons] for draft in drafts]
    valid = [[polygon for _name, repaired in pairs for polygon in repaired.polygons] for pairs in repairs]
    whole = unite_polygons(valid, [draft.name for draft in drafts])
    _require_vertices(
        "max_repaired_vertices",
        [polygon for area in whole for polygon in area],
        GROWTH * rules.max_vertices,
        alternative="untangle it",
    )
    return tuple(_area(draft, area, pairs, crs) for draft, area, pairs in zip(drafts, whole, repairs, strict=True))


def _require_vertices(limit: str, polygons: Sequence[Polygon], allowed: int, *, alternative: str) -> None:
    requested = sum(len(ring) for polygon in polygons for ring in polygon)
    require_at_most(limit, requested, allowed, alternative=alternative, locator=LOCATOR)


def _area(draft: GeoJsonArea, polygons: tuple[Polygon, ...], repairs: Sequence[tuple[str, Repaired]], crs: Crs) -> Area:
    notes = [] if draft.polygons else ["it has no geometry"]
    notes += [f"{name} was closed" for name in draft.closed]
    notes += [f"{name} was repaired: {repaired.note}" for name, repaired in repairs if repaired.note is not None]
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
    """Return the CRS of the request or the document (GeoJSON 2008 §3); x comes before y, even if the CRS differs."""
    member = document.get("crs")
    if member is None and isinstance(document.get("geometry"), dict):
        member = document["geometry"].get("crs")
    resolve = partial(_resolve_crs, rules=rules)
    if member is None:
        return CRS84 if rules.crs is None else resolve(rules.crs)
    inside = resolve(_member_name(member))
    if rules.crs is not None and resolve(rules.crs) != inside:
        raise InvalidParameter(f"crs is {rules.crs[:MAX_SHOWN]}, but the body says {inside.name}", locator="crs")
    return inside


def _resolve_crs(text: str, rules: GeometryRules) -> Crs:
    # CRS84, the CRS of GeoJSON, and its usual codes are accepted even if they are not offered.
    return CRS84 if text.upper() in {"CRS:84", "OGC:CRS84", "URN:OGC:DEF:CRS:OGC:1.3:CRS84"} else rules.crs_named(text)


def _member_name(member: JsonValue) -> str:
    """Return the name in `{"type": "name", "properties": {"name": …}}`, or the EPSG code of the older form."""
    properties = member.get("properties") if isinstance(member, dict) else None
    if isinstance(properties, dict):
        if isinstance(properties.get("name"), str):
            return str(properties["name"])
        if isinstance(properties.get("code"), int):
            return f"EPSG:{properties['code']}"
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
"""Key of the members, word for a member in messages, and function that reads a member."""
