"""What the index looks up, as statements; each is made once for a number of cells, items or instants."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.schema import BODIES, COLLECTIONS, COVERS, FORMS, HEADERS, INSTANTS, ITEMS

REF_COLUMNS = (
    ITEMS.c.number,
    ITEMS.c.id,
    ITEMS.c.instant,
    ITEMS.c.changed,
    *(ITEMS.c.west, ITEMS.c.south, ITEMS.c.east, ITEMS.c.north),
    ITEMS.c.footprint,
    ITEMS.c.rank,
)
EDGES = ("west", "south", "east", "north")


def names(prefix: str, count: int) -> list[Any]:
    """Return the parameters of a list."""
    return [bindparam(f"{prefix}{number}") for number in range(count)]


def collection() -> Select[Any]:
    """A collection by `archive` and `id`."""
    return select(COLLECTIONS).where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))


def collections() -> Select[Any]:
    """All collections of an `archive`."""
    return select(COLLECTIONS).where(COLLECTIONS.c.archive == bindparam("archive"))


@cache
def covering(cells: int, instants: int) -> Select[Any]:
    """Items in `cell…` that may meet a box; of `instant…`, or from `first` to `last` if no instants are given."""
    return (
        select(*REF_COLUMNS)
        .select_from(COVERS.join(ITEMS, ITEMS.c.number == COVERS.c.item))
        .where(_in_cells(cells), _at(COVERS.c.instant, instants))
        .limit(bindparam("most"))
    )


@cache
def numbers_in_cells(cells: int) -> Select[Any]:
    """Numbers of items in `cell…` from `first` to `last` that may meet a box; some come more than once."""
    return select(COVERS.c.item).where(_in_cells(cells), _at(COVERS.c.instant, 0)).limit(bindparam("most"))


@cache
def numbers_of_ids(ids: int) -> Select[Any]:
    """Numbers of the items of a collection that have `id…`."""
    found = and_(ITEMS.c.collection == bindparam("collection"), ITEMS.c.id.in_(names("id", ids)))
    return select(ITEMS.c.number).where(found)


@cache
def levels_and_covering(cells: int, instants: int) -> Select[Any]:
    """Levels of the collection of `archive` and `id`, with each row of `covering` in it, or with NULL if none is."""
    found = and_(COVERS.c.collection == COLLECTIONS.c.number, *_near(cells), _at(COVERS.c.instant, instants))
    return (
        select(COLLECTIONS.c.levels, *REF_COLUMNS)
        .select_from(COLLECTIONS.outerjoin(COVERS, found).outerjoin(ITEMS, ITEMS.c.number == COVERS.c.item))
        .where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))
        .limit(bindparam("most"))
    )


@cache
def of_instants(instants: int) -> Select[Any]:
    """Items that may meet a box of many cells; of which instants, as `covering` has it."""
    return (
        select(*REF_COLUMNS)
        .where(ITEMS.c.collection == bindparam("collection"), _at(ITEMS.c.instant, instants), in_box())
        .limit(bindparam("most"))
    )


def instants() -> Select[Any]:
    """Instants of a collection and their ends."""
    return (
        select(INSTANTS.c.instant, INSTANTS.c.end)
        .where(INSTANTS.c.collection == bindparam("collection"))
        .order_by(INSTANTS.c.instant)
    )


def items_of_instants() -> Select[Any]:
    """How many items of a collection are of instants from `first` to `last`."""
    found = INSTANTS.c.instant.between(bindparam("first"), bindparam("last"))
    return select(func.sum(INSTANTS.c["items"])).where(INSTANTS.c.collection == bindparam("collection"), found)


@cache
def instants_changed(instants: int) -> Select[Any]:
    """The counter of the collection of `archive` and `id`, with when each of `instant…` last changed, or with NULL."""
    found = and_(INSTANTS.c.collection == COLLECTIONS.c.number, INSTANTS.c.instant.in_(names("instant", instants)))
    return (
        select(COLLECTIONS.c.counter, INSTANTS.c.instant, INSTANTS.c.changed)
        .select_from(COLLECTIONS.outerjoin(INSTANTS, found))
        .where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))
    )


@cache
def instants_in_cells(cells: int) -> Select[Any]:
    """Instants of items in `cell…` that may meet a box, and their ends; one statement, as rows cost more than pages."""
    return instants().where(INSTANTS.c.instant.in_(select(COVERS.c.instant).where(_in_cells(cells))))


def instants_in_box() -> Select[Any]:
    """Instants with an item that meets a box of many cells, and their ends: the first item found is enough."""
    found = exists().where(ITEMS.c.collection == INSTANTS.c.collection, ITEMS.c.instant == INSTANTS.c.instant, in_box())
    return instants().where(found)


@cache
def bodies(items: int) -> Select[Any]:
    """Assets of `item…`."""
    return select(BODIES.c.item, BODIES.c.assets).where(BODIES.c.item.in_(names("item", items)))


@cache
def changes(items: int) -> Select[Any]:
    """When `item…` changed last."""
    return select(ITEMS.c.number, ITEMS.c.changed).where(ITEMS.c.number.in_(names("item", items)))


@cache
def documents(items: int) -> Select[Any]:
    """Documents of `item…` that have at most `most` bytes."""
    is_wanted = and_(BODIES.c.item.in_(names("item", items)), func.length(BODIES.c.document) <= bindparam("most"))
    return select(BODIES.c.item, BODIES.c.document).where(is_wanted)


@cache
def headers(items: int) -> Select[Any]:
    """Headers of assets of `item…`."""
    return select(HEADERS).where(HEADERS.c.item.in_(names("item", items)))


@cache
def forms(count: int) -> Select[Any]:
    """Forms of assets by `digest…`; of several collections they are the same."""
    return select(FORMS.c.digest, FORMS.c.body).where(FORMS.c.digest.in_(names("digest", count)))


def forms_of_collection() -> Select[Any]:
    """Forms of assets of items of a collection, those of most items first."""
    return (
        select(FORMS.c.body, FORMS.c["items"])
        .where(FORMS.c.collection == bindparam("collection"))
        .order_by(FORMS.c["items"].desc(), FORMS.c.digest)
        .limit(bindparam("most"))
    )


def unranked() -> Select[Any]:
    """How many items of a collection there are, and how many lack what they are sorted by."""
    counts: tuple[Any, ...] = (func.count(), func.count() - func.count(ITEMS.c.rank))
    return select(*counts).where(ITEMS.c.collection == bindparam("collection"))


def _in_cells(cells: int) -> ColumnElement[bool]:
    return and_(COVERS.c.collection == bindparam("collection"), *_near(cells))


def _near(cells: int) -> Iterator[ColumnElement[bool]]:
    yield COVERS.c.cell.in_(names("cell", cells))
    yield COVERS.c.west <= bindparam("east")
    yield COVERS.c.east >= bindparam("west")
    yield COVERS.c.south <= bindparam("north")
    yield COVERS.c.north >= bindparam("south")


def in_box(number: str = "") -> ColumnElement[bool]:
    """Return whether the box of an item meets that of parameters whose names end with `number`.

    West of an item is east of its east where it crosses the antimeridian; that of the parameters does not.
    """
    is_west, is_east = ITEMS.c.west <= bindparam(f"east{number}"), ITEMS.c.east >= bindparam(f"west{number}")
    return and_(
        ITEMS.c.south <= bindparam(f"north{number}"),
        ITEMS.c.north >= bindparam(f"south{number}"),
        or_(and_(is_west, is_east), and_(ITEMS.c.west > ITEMS.c.east, or_(is_west, is_east))),
    )


def _at(column: ColumnElement[int], instants: int) -> ColumnElement[bool]:
    if instants:
        return column.in_(names("instant", instants))
    return column.between(bindparam("first"), bindparam("last"))
