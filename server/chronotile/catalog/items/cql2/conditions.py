"""Filters as conditions: what a database tests, and what is tested of the footprints of the items that it finds."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import shapely
import sqlalchemy as sa
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import shape
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.tree import Node, is_geometry_type, refused, shown
from chronotile.catalog.items.footprints import unpack
from chronotile.catalog.items.properties import INSTANT_MARK
from chronotile.catalog.items.schema import BODIES, ITEMS
from chronotile.core.database import POSTGRESQL
from chronotile.core.model.crs import CRS84, Crs, is_north_first
from chronotile.core.model.grid import FARTHEST, BBox, boxes_of

TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "s_contains": shapely.contains,
    "s_crosses": shapely.crosses,
    "s_disjoint": shapely.disjoint,
    "s_equals": shapely.equals,
    "s_intersects": shapely.intersects,
    "s_overlaps": shapely.overlaps,
    "s_touches": shapely.touches,
    "s_within": shapely.within,
}


@dataclass(frozen=True, slots=True)
class SpatialTest:
    """A spatial operator between the footprint of an item and a geometry."""

    operator: str
    geometries: tuple[Any, ...]
    """The same one here, and a turn to the east and to the west, where footprints across the antimeridian may be."""
    is_first: bool
    """Whether the geometry is the first argument."""

    @property
    def boxes(self) -> tuple[BBox, ...]:
        """Boxes within ±180 degrees, one of which the item's box meets if this holds; empty: no matter where it is."""
        if self.operator == "s_disjoint":
            return ()
        west, south, east, north = shapely.bounds(self.geometries[0]).tolist()
        if west >= -180 and east <= 180:
            return (BBox(west, south, east, north),)
        return (BBox(-180.0, south, 180.0, north),)

    def holds(self, footprint: bytes, box: BBox) -> bool:
        """Return whether it holds of an item."""
        polygons = _polygons(footprint, box)
        test = TESTS[self.operator]
        held = (bool(test(each, polygons) if self.is_first else test(polygons, each)) for each in self.geometries)
        return all(held) if self.operator == "s_disjoint" else any(held)


def spatial_test(operator: str, arguments: Sequence[Node], crs: Crs = CRS84) -> SpatialTest:
    """Return the test of a spatial operator, whose geometry is in the axis order of `crs`.

    Raises:
        InvalidParameter: It is not one between the geometry of items and another.
    """
    are_properties = [isinstance(each, Mapping) and each.get("property") in GEOMETRIES for each in arguments]
    if sum(are_properties) != 1:
        raise refused(f"has {operator} that is not of the property geometry and a geometry")
    geometry = _geometry(arguments[are_properties.index(False)], crs)
    turned = (geometry, *(translate(geometry, turn) for turn in (360.0, -360.0)))
    return SpatialTest(operator, turned, is_first=are_properties[1])


def _geometry(node: Node, crs: Crs) -> Any:  # noqa: ANN401 -- shapely's
    if isinstance(node, Mapping) and "bbox" in node:
        return _box(node["bbox"], crs)
    if not isinstance(node, Mapping) or not is_geometry_type(node.get("type")):
        raise refused(f"has {shown(node)} where a GeoJSON geometry or a bbox is accepted")
    try:
        found = shape(dict(node))
        if is_north_first(crs):
            found = shapely.transform(found, lambda vertices: vertices[:, ::-1])
        is_good = not found.is_empty and all(map(math.isfinite, found.bounds)) and shapely.is_valid(found)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise refused(f"has the geometry {shown(node)}, which is not valid GeoJSON") from error
    farthest = (360, 90) * 2 if crs.is_geographic else (FARTHEST,) * 4
    if not is_good or any(abs(edge) > most for edge, most in zip(found.bounds, farthest, strict=True)):
        raise refused(f"has the geometry {shown(node)}, which is empty, crosses itself or is not on the earth")
    return found


def _box(numbers: Node, crs: Crs) -> Any:  # noqa: ANN401 -- shapely's
    is_list = isinstance(numbers, list | tuple) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in numbers
    )
    if not is_list or len(numbers) not in {4, 6}:
        raise refused(f"has the bbox {shown(numbers)}; accepted: west, south, east, north")
    half = len(numbers) // 2
    west, south, east, north = (float(each) for each in (*numbers[:2], *numbers[half : half + 2]))
    if is_north_first(crs):
        west, south, east, north = south, west, north, east
    if not crs.is_geographic and -FARTHEST <= west < east <= FARTHEST and -FARTHEST <= south < north <= FARTHEST:
        return shapely.box(west, south, east, north)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise refused(f"has the bbox {shown(numbers)}, which is not on the earth")
    return shapely.union_all([shapely.box(*part) for part in boxes_of(BBox(west, south, east, north))])


@lru_cache(maxsize=4096)
def _polygons(footprint: bytes, box: BBox) -> Any:  # noqa: ANN401 -- shapely's
    rings = [shapely.Polygon(ring) for ring in unpack(footprint, box)]
    found = rings[0] if len(rings) == 1 else shapely.MultiPolygon(rings)
    return found if shapely.is_valid(found) else shapely.make_valid(found)


Truth = bool | None
"""`None` is unknown, as of properties that an item lacks."""


@dataclass(frozen=True, slots=True)
class Plain:
    """What a database tests."""

    sql: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Spatial:
    """What is tested of a footprint."""

    test: SpatialTest


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions, of which all or any have to hold."""

    parts: tuple["Condition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Negated:
    """A condition that may not hold."""

    part: "Condition"


Condition = Plain | Spatial | Joined | Negated


def join(parts: list[Condition], *, is_all: bool) -> Condition:
    """Return conditions of which all or any have to hold, as one of the database if it can test all."""
    plain = [part.sql for part in parts if isinstance(part, Plain)]
    if len(plain) == len(parts):
        return Plain(sa.and_(*plain) if is_all else sa.or_(*plain))
    return Joined(tuple(parts), is_all)


def negate(part: Condition) -> Condition:
    """Return the condition that another does not hold."""
    return Plain(sa.not_(part.sql)) if isinstance(part, Plain) else Negated(part)


def loosely(condition: Condition) -> ColumnElement[bool]:
    """Return what holds in the database wherever a condition does, and perhaps elsewhere."""
    if isinstance(condition, Plain):
        return condition.sql
    if isinstance(condition, Spatial):
        boxes = condition.test.boxes
        return sa.or_(*map(meets_box, boxes)) if boxes else sa.true()
    if isinstance(condition, Negated):
        return sa.true()
    parts = [loosely(part) for part in condition.parts]
    return sa.and_(*parts) if condition.is_all else sa.or_(*parts)


def meets_box(box: BBox) -> ColumnElement[bool]:
    """Return whether the box of an item meets one within ±180 degrees."""
    is_west, is_east = ITEMS.c.west <= float(box.xmax), ITEMS.c.east >= float(box.xmin)
    return sa.and_(
        ITEMS.c.south <= float(box.ymax),
        ITEMS.c.north >= float(box.ymin),
        sa.or_(sa.and_(is_west, is_east), sa.and_(ITEMS.c.west > ITEMS.c.east, sa.or_(is_west, is_east))),
    )


def near_boxes(condition: Condition) -> tuple[BBox, ...]:
    """Return boxes, one of which an item has to meet; empty: it may be anywhere."""
    if isinstance(condition, Spatial):
        return condition.test.boxes
    if isinstance(condition, Joined) and condition.is_all:
        return next((boxes for boxes in map(near_boxes, condition.parts) if boxes), ())
    return ()


def plain_parts(condition: Condition) -> Iterator[ColumnElement[bool]]:
    """Yield what the database has to say of an item, for `holds`, in its order."""
    if isinstance(condition, Plain):
        yield condition.sql
    elif isinstance(condition, Negated):
        yield from plain_parts(condition.part)
    elif isinstance(condition, Joined):
        for part in condition.parts:
            yield from plain_parts(part)


def holds(condition: Condition, plain: Iterator[Truth], footprint: bytes, box: BBox) -> Truth:
    """Return whether a condition holds of an item, with three values of truth, as in SQL.

    Args:
        condition: It.
        plain: The outcomes of `plain_parts` in the database.
        footprint: Of the item.
        box: Of the item.
    """
    if isinstance(condition, Plain):
        said = next(plain)
        return None if said is None else bool(said)
    if isinstance(condition, Spatial):
        return condition.test.holds(footprint, box)
    if isinstance(condition, Negated):
        return opposite(holds(condition.part, plain, footprint, box))
    return of_parts([holds(part, plain, footprint, box) for part in condition.parts], is_all=condition.is_all)


def opposite(held: Truth) -> Truth:
    """Return whether a condition does not hold."""
    return None if held is None else not held


def of_parts(held: Sequence[Truth], *, is_all: bool) -> Truth:
    """Return whether all or any of some conditions hold."""
    decisive = not is_all
    return decisive if decisive in held else None if None in held else not decisive


# Properties of items as expressions over the tables: columns where there are some, else values within JSON.

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.\-]{0,199}")
TIMES = {"datetime": ITEMS.c.start, "updated": ITEMS.c.updated}
EDGES = {"start_datetime": ITEMS.c.start, "end_datetime": ITEMS.c.end - 1}
"""What periods begin and end with, and the times of items that state none: the end of an instant is the instant."""
EXACT = {"id", *TIMES, *EDGES}
"""What items are sorted by in columns of their own: ranks are rounded."""
COLLECTION = "collection_id"
GEOMETRIES = ("geometry", "geom", "bbox")

Expression = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Property:
    """A property by each type that its value may have; NULL where it has another, or is missing."""

    name: str
    number: Expression
    text: Expression
    boolean: Expression
    time: Expression
    """In nanoseconds since 1970."""
    is_there: Expression
    is_time: bool = False
    """Whether it can be nothing else."""


class Columns:
    """Makes expressions of properties, for one database.

    The id of the collection whose items are looked at is the parameter `COLLECTION`.

    Args:
        dialect: Name of the database.
    """

    def __init__(self, dialect: str) -> None:
        self._is_postgresql = dialect == POSTGRESQL
        self.are_bodies_used = False

    def property(self, name: object) -> Property:
        """Return a property.

        Raises:
            InvalidParameter: There can be none of that name.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise refused(f"names the property {str(name)[:60]!r}; names have letters, digits and _ : . -")
        if name in GEOMETRIES:
            return Property(name, sa.null(), sa.null(), sa.null(), sa.null(), is_there=sa.literal(value=True))
        if name in TIMES:
            column = TIMES[name]
            return Property(name, sa.null(), sa.null(), sa.null(), column, is_there=column.is_not(None), is_time=True)
        if name in {"id", "collection"}:
            text = ITEMS.c.id if name == "id" else self.collated(sa.bindparam(COLLECTION, type_=sa.Text()))
            return Property(name, sa.null(), text, sa.null(), sa.null(), is_there=sa.literal(value=True))
        self.are_bodies_used = True
        time = self._of_type(INSTANT_MARK + name, ("integer",), "number", sa.BigInteger())
        return Property(
            name,
            number=self._of_type(name, ("integer", "real"), "number", sa.Double()),
            text=self.collated(self._of_type(name, ("text",), "string", sa.Text())),
            boolean=self._of_type(name, ("true", "false"), "boolean", sa.Boolean()),
            time=sa.func.coalesce(time, EDGES[name]) if name in EDGES else time,
            is_there=self._kind(name).is_not(None),
            is_time=name in EDGES,
        )

    def collated(self, text: Expression) -> Expression:
        """Return a text that compares by its characters' numbers, as in SQLite, whatever the database's language is."""
        return text.collate("C") if self._is_postgresql else text

    def matching(self, text: Expression, pattern: str) -> Expression:
        """Return whether a text has the form of a pattern of LIKE: `%` for any, `_` for one character."""
        if self._is_postgresql:
            return text.like(pattern, escape="\\")
        return text.bool_op("GLOB")(sa.literal(glob_of(pattern), sa.Text()))

    def _kind(self, name: str) -> Expression:
        if self._is_postgresql:
            return sa.func.jsonb_typeof(sa.func.jsonb_extract_path(BODIES.c.properties, name))
        return sa.func.json_type(BODIES.c.properties, f'$."{name}"')

    def _of_type(self, name: str, sqlite: tuple[str, ...], postgresql: str, type_: Any) -> Expression:  # noqa: ANN401 -- SQLAlchemy's
        kind = self._kind(name)
        if self._is_postgresql:
            text = sa.func.jsonb_extract_path_text(BODIES.c.properties, name)
            return sa.case((kind == postgresql, sa.cast(text, type_)))
        value = sa.func.json_extract(BODIES.c.properties, f'$."{name}"', type_=type_)
        return sa.case((kind.in_([sa.literal(each) for each in sqlite]), value))


def lower(text: str) -> str:
    """Return a text of a filter with A to Z in lower case, as `func.lower` does it in both databases."""
    return "".join(letter.lower() if "A" <= letter <= "Z" else letter for letter in text)


def glob_of(pattern: str) -> str:
    """Return a pattern of LIKE as SQLite's GLOB has it, which minds the case."""
    parts, is_escaped = list[str](), False
    for letter in pattern:
        if is_escaped or letter not in "\\%_":
            parts.append(f"[{letter}]" if letter in "*?[" else letter)
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        else:
            parts.append("*" if letter == "%" else "?")
    return "".join(parts)
