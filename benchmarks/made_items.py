"""Synthetic items similar to Sentinel-2 over ten years, 30 % of them half swaths, and 200 more of one place and day.

The items of the first two months are put into an index; the database makes the later ones as copies.
"""

import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
from affine import Affine
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    cast,
    insert,
    literal,
    select,
    true,
    union_all,
    update,
)

from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.schema import BODIES, COVERS, FORMS, INDEX, INSTANTS, ITEMS, SCHEMA
from chronotile.core.database import POSTGRESQL, open_engine, write_transaction
from chronotile.core.model.items import Asset, AssetBand, IndexSettings, Item, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant

ARCHIVE = "made"
COLLECTION = "sentinel-2-l2a"
SETTINGS = IndexSettings(group="solar_day", order_by="eo:cloud_cover")
SHAPE = 1.12
"""Footprints from west to east for each from south to north, a degree apart and 1.4 degrees wide."""
WEST, SOUTH = -9.0, -20.0
FIRST = np.datetime64("2016-01-01T10:30:00", "ns")
STEP_H = 61
"""Hours from one date of a place to the next."""
DATES = 1440
"""Ten years of them."""
BLOCK = 24
"""Dates that are put, the source of the copies: 61 days exactly."""
DEEP = 200
BANDS = ("B02", "B03", "B04", "B08", "SCL")
CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeIndex:
    """Location of an index of synthetic items."""

    folder: Path
    """Path of SQLite's file."""
    places: int
    """Footprints; each has 1,440 dates."""
    postgresql: str | None = None
    """URL of an empty database, or of a database that this module has filled."""

    @property
    def count(self) -> int:
        """How many items are made."""
        return self.places * DATES + DEEP

    @property
    def columns(self) -> int:
        """Footprints from west to east."""
        return math.ceil(math.sqrt(SHAPE * self.places))

    @property
    def rows(self) -> int:
        """Whole rows of footprints from south to north."""
        return self.places // self.columns

    def open(self) -> ItemIndex:
        """Return the index."""
        return open_items(self.postgresql, self.folder, archive=ARCHIVE)

    def fill(self) -> float | None:
        """Return the seconds to make the items, or `None` if they exist."""
        index = self.open()
        started = time.perf_counter()
        index.configure(COLLECTION, SETTINGS)
        is_there = index.extent(COLLECTION) is not None
        last = scene(0, 0, self.places, f"deep-{DEEP - 1}-").id
        if is_there and not index.search(ItemSearch(collections=(COLLECTION,), ids=(last,))).items:
            sys.exit("the index was made in part: delete it")
        if not is_there:
            began = time.perf_counter()
            index.put(COLLECTION, scenes(self.places, range(BLOCK)))
            rate = BLOCK * self.places / (time.perf_counter() - began)
            print(f"the first {BLOCK} dates were put: {rate:,.0f} items a second", file=sys.stderr)
            self._copy()
            index.put(COLLECTION, deep(self.places))
        index.close()
        if self.postgresql and not is_there:  # as autovacuum does some time later
            with psycopg.connect(self.postgresql, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        return None if is_there else time.perf_counter() - started

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield the STAC items with the same places, times and properties as in the index."""
        first = [orjson.loads(item.document) for item in scenes(self.places, range(BLOCK))]
        yield from first
        for copy in range(1, DATES // BLOCK):
            later = np.timedelta64(copy * BLOCK * STEP_H, "h")
            for document in first:
                known = document["properties"]
                moved = {name: f"{np.datetime64(known[name][:19]) + later}Z" for name in ("datetime", "created")}
                yield {**document, "id": f"copy-{copy + 100}-{document['id']}", "properties": {**known, **moved}}
        yield from (orjson.loads(item.document) for item in deep(self.places))

    def _copy(self) -> None:
        """Copy the stored dates until they cover ten years; documents and properties do not change."""
        engine, put = open_engine(self.postgresql, self.folder, INDEX), BLOCK * self.places
        copies = range(1, DATES // BLOCK)
        for number in copies:
            with write_transaction(engine, INDEX) as connection:
                for table, item in ((ITEMS, ITEMS.c.number), (BODIES, BODIES.c.item)):
                    columns = _shifted(table, literal(number, BigInteger), put)
                    _insert(connection, table, select(*columns).where(item <= put).order_by(item))
        with write_transaction(engine, INDEX) as connection:
            every = union_all(*(select(literal(number, BigInteger).label("copy")) for number in copies)).subquery()
            for table, order in ((INSTANTS, INSTANTS.c.instant), (COVERS, COVERS.c.cell)):
                chosen = select(*_shifted(table, every.c.copy, put)).join_from(table, every, true())
                _insert(connection, table, chosen.order_by(order, every.c.copy))
            times = DATES // BLOCK
            connection.execute(update(FORMS).values({"items": FORMS.c["items"] * times}))
            connection.execute(update(SCHEMA).values(next_item=1 + put * times))
        engine.dispose()


def places_of(items: int) -> int:
    """Return how many footprints make about so many items."""
    return max(1, round(items / DATES))


def deep(places: int) -> Iterator[Item]:
    """Yield the items of one place and day."""
    return (scene(0, 0, places, f"deep-{number}-") for number in range(DEEP))


def scenes(places: int, dates: range, prefix: str = "") -> Iterator[Item]:
    """Yield the items of all places at all dates, date by date, as an archive grows."""
    return (scene(place, date, places, prefix) for date in dates for place in range(places))


def scene(place: int, date: int, places: int, prefix: str = "") -> Item:
    """Return the item of a place, by its number, at a date, by its number.

    Args:
        place: Below `places`.
        date: It may be one after the last that is made.
        places: How many there are.
        prefix: Of its id.
    """
    row, column = divmod(place, math.ceil(math.sqrt(SHAPE * places)))
    chance = random.Random(place * 100_003 + date)
    start: Instant = FIRST + np.timedelta64(date * STEP_H, "h") + np.timedelta64(place % 60, "m")
    id_ = f"{prefix}S2B_MSIL2A_{str(start.astype('datetime64[s]')).replace('-', '').replace(':', '')}_T{place:05}"
    west, south = WEST + column, SOUTH + row
    box = BBox(west, south, west + 1.4, south + 0.99)
    east = west + (chance.uniform(0.3, 1.2) if chance.random() < 0.3 else 1.35)
    ring = (
        *((west + 0.02, south), (east + 0.05, south + 0.01), (east, south + 0.99), (west, south + 0.98)),
        (west + 0.02, south),
    )
    properties = _properties(id_, start, place, chance)
    hrefs = {band: f"https://example.com/sentinel-2/{place:05}/{id_}/{band}.tif" for band in BANDS}
    return Item(
        id=id_,
        footprint=(ring,),
        bbox=box,
        start=start,
        end=start + np.timedelta64(1, "ns"),
        updated=start,
        assets=tuple(
            Asset(
                name=band,
                href=href,
                grid=_grid(place, row, column),
                bands=(AssetBand(dtype="uint16", nodata=0.0, scale=1e-4),),
            )
            for band, href in hrefs.items()
        ),
        properties=properties,
        document=orjson.dumps(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": id_,
                "collection": COLLECTION,
                "bbox": tuple(box),
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": properties,
                "assets": {
                    band: {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"]}
                    for band, href in hrefs.items()
                },
                "links": [{"rel": "collection", "href": f"https://example.com/collections/{COLLECTION}"}],
            }
        ),
    )


def _shifted(table: Table, copy: ColumnElement[int], put: int) -> list[ColumnElement[Any]]:
    """The columns of copies of the first `put` items, each two months later than the one before."""
    moves = copy * (BLOCK * STEP_H * 3_600_000_000_000)
    shifts = {
        **dict.fromkeys(("instant", "start", "end", "updated"), moves),
        **dict.fromkeys(("number", "item"), copy * put),
        "id": "copy-" + cast(copy + 100, String) + "-",
    }
    is_shifted = {name for name in shifts if name != "id" or table is ITEMS}
    return [shifts[each.name] + each if each.name in is_shifted else each for each in table.c]


def _insert(connection: Connection, table: Table, chosen: Select[Any]) -> None:
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.execute(insert(table).from_select(list(table.c.keys()), chosen))


def _properties(id_: str, start: Instant, place: int, chance: random.Random) -> dict[str, object]:
    return {
        "datetime": format_instant(start),
        "created": format_instant(start + np.timedelta64(1, "D")),
        "platform": chance.choice(("sentinel-2a", "sentinel-2b")),
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": round(chance.uniform(0, 100), 2),
        "grid:code": f"MGRS-{place:05}",
        "s2:product_uri": f"{id_}.SAFE",
        "s2:processing_baseline": "05.10",
        "view:sun_elevation": round(chance.uniform(10, 60), 3),
        "proj:code": f"EPSG:326{31 + place % 2}",
    }


def _grid(place: int, row: int, column: int) -> NativeGrid:
    return NativeGrid(
        crs=crs_of(f"EPSG:326{31 + place % 2}"),
        transform=Affine(10, 0, 100_000 * column + 99_960, 0, -10, 100_000 * row + 4_000_020),
        width=10_980,
        height=10_980,
    )
