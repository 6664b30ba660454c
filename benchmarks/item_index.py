"""The item index of an archive of many scenes: how long it takes to find the items of a tile, and to add new ones.

`python -m benchmarks.item_index [FOLDER] [--items 1000000] [--postgresql URL]`: items like those of Sentinel-2 over
ten years, 30 % of them half swaths, and 200 more of one place and day. Those of the first two months are put into an
index in FOLDER, unless it is there, or into a database; the later ones are copies of them, made by the database itself.
Then tiles and points of random places and days are looked up, alone and beside a process that adds 50 items a second
and one that adds 10,000 at once.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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

from benchmarks.figures import median, percentile
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.schema import BODIES, COVERS, FORMS, INDEX, INSTANTS, ITEMS, SCHEMA
from chronotile.database import POSTGRESQL, open_engine, write_transaction
from chronotile.model.crs import crs_of
from chronotile.model.grid import BBox, NativeGrid
from chronotile.model.items import Asset, AssetBand, IndexSettings, Item, ItemSearch
from chronotile.model.time.instants import Instant, TimeSpan, format_instant

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
"""Dates that are put, from which the later ones are copied: 61 days exactly."""
DEEP = 200
BANDS = ("B02", "B03", "B04", "B08", "SCL")
APPENDS_PER_S = 50
ADDED = 10_000
ASKED = 2_000
SLOW = ("all days", "times", "search")
"""Words in the names of what is looked up a twentieth as often."""
CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}


def main() -> None:
    """Fill an index if it is empty, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--items", type=int, default=1_000_000, help="how many, rounded to places of 1,440 dates")
    parser.add_argument("--postgresql", default=None, help="URL of an empty database, or of one that this has filled")
    parser.add_argument("--append", type=int, default=0, help="only add so many items, as fast as --per-s says")
    parser.add_argument("--per-s", type=float, default=math.inf)
    given = parser.parse_args()
    given.places = max(1, round(given.items / DATES))
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.append:
        _append(_open(given), given)
        return
    fill_s = _fill(given)
    count = given.places * DATES + DEEP
    where = "PostgreSQL" if given.postgresql else "SQLite"
    print(f"| {count:,} items in {where} | median (5 % .. 95 %) | processor |\n| --- | --- | --- |")
    if fill_s is not None:
        _say("make them", f"{fill_s:.0f} s")
    _measure(given)


def _open(given: argparse.Namespace) -> ItemIndex:
    return open_items(given.postgresql, _folder_of(given))


def _folder_of(given: argparse.Namespace) -> Path:
    return Path(given.folder / f"items-{given.places}")


def _fill(given: argparse.Namespace) -> float | None:
    index = _open(given)
    started = time.perf_counter()
    index.configure(COLLECTION, SETTINGS)
    is_there = index.extent(COLLECTION) is not None
    last = _scene(0, 0, given.places, f"deep-{DEEP - 1}-").id
    if is_there and not index.search(ItemSearch(collections=(COLLECTION,), ids=(last,))).items:
        sys.exit("the index was made in part: delete it")
    if not is_there:
        began = time.perf_counter()
        index.put(COLLECTION, _scenes(given.places, range(BLOCK)))
        _say("put the first", f"{BLOCK * given.places / (time.perf_counter() - began):,.0f} a second")
        _copy(given)
        index.put(COLLECTION, (_scene(0, 0, given.places, f"deep-{number}-") for number in range(DEEP)))
    index.close()
    if given.postgresql and not is_there:  # as autovacuum does some time later
        with psycopg.connect(given.postgresql, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    return None if is_there else time.perf_counter() - started


def _copy(given: argparse.Namespace) -> None:
    """Copy the dates that were put until there are ten years of them; documents and properties stay as they are."""
    engine, put = open_engine(given.postgresql, _folder_of(given), INDEX), BLOCK * given.places
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


def _measure(given: argparse.Namespace) -> None:
    started = time.perf_counter()
    index = _open(given)
    index.covering(COLLECTION, BBox(4.0, 50.0, 4.0, 50.0), span=TimeSpan(FIRST, FIRST + np.timedelta64(10, "D")))
    _say("open, and find the first", f"{(time.perf_counter() - started) * 1000:.0f} ms")
    rounds = _rounds(index, given)
    _say("5 ms of computing: how busy the machine is", _times(_compute, ASKED // 20))
    for name, look_up in rounds.items():
        _say(name, _times(look_up, ASKED // 20 if any(word in name for word in SLOW) else ASKED))
    added = ["--append", str(60 * APPENDS_PER_S), "--per-s", str(APPENDS_PER_S)]
    with _beside(given, added):
        time.sleep(2)
        _say("5 ms of computing, beside these", _times(_compute, ASKED // 20))
        for name in ("items of a tile on a day", "times of a tile's box"):
            _say(f"{name}, beside {APPENDS_PER_S} appends a second", _times(rounds[name], ASKED // 4))
    with _beside(given, ["--append", str(ADDED)]) as process:
        time.sleep(2)
        _say(
            f"items of a tile on a day, while {ADDED:,} are added",
            _times(rounds["items of a tile on a day"], ASKED // 2),
        )
        process.wait()
    _say("memory of this process", f"{_memory_mib():.0f} MiB")
    if given.postgresql is None:
        files = _folder_of(given).iterdir()
        _say("size", f"{sum(file.stat().st_size for file in files) / 2**20:,.0f} MiB")


def _rounds(index: ItemIndex, given: argparse.Namespace) -> dict[str, Callable[[random.Random], object]]:
    columns = _columns(given.places)
    rows = given.places // columns
    instants = index.times(COLLECTION).starts

    def box(chance: random.Random, side: float) -> BBox:
        west, south = WEST + chance.uniform(0, columns), SOUTH + chance.uniform(0, rows)
        return BBox(west, south, west + side, south + side)

    def day(chance: random.Random) -> np.ndarray:
        return instants[chance.randrange(len(instants)) :][:1]

    deep = BBox(WEST + 0.3, SOUTH + 0.3, WEST + 0.4, SOUTH + 0.4)
    return {
        "items of a tile on a day": lambda chance: index.covering(COLLECTION, box(chance, 0.09), instants=day(chance)),
        "items of a tile of zoom 5": lambda chance: index.covering(
            COLLECTION, box(chance, 11.25), instants=day(chance)
        ),
        "items of a place of 200": lambda _chance: index.covering(COLLECTION, deep, instants=instants[:1]),
        "items of a point on all days": lambda chance: index.covering(COLLECTION, box(chance, 0.0)),
        "times of a tile's box": lambda chance: index.times(COLLECTION, box=box(chance, 0.09)),
        "assets of an item": lambda chance: index.assets([chance.randrange(1, given.places * DATES)]),
        "search: newest ten": lambda _chance: index.search(ItemSearch(collections=(COLLECTION,))),
        "search: a degree, a month, clouds < 20": lambda chance: index.search(
            ItemSearch(collections=(COLLECTION,), bbox=box(chance, 1.0), span=_month(chance), filter=CLEAR)
        ),
        "search: clouds < 20 of all": lambda _chance: index.search(ItemSearch(collections=(COLLECTION,), filter=CLEAR)),
        "state": lambda _chance: index.state(COLLECTION),
    }


def _compute(_chance: random.Random) -> None:
    began = time.thread_time()
    while time.thread_time() - began < 0.005:
        pass


def _month(chance: random.Random) -> TimeSpan:
    start = FIRST + np.timedelta64(chance.randrange(3600), "D")
    return TimeSpan(start, start + np.timedelta64(30, "D"))


def _times(look_up: Callable[[random.Random], object], count: int) -> str:
    chance, seconds, processor = random.Random(1), [], []
    for _ in range(count):
        started, began = time.perf_counter(), time.thread_time()
        look_up(chance)
        processor.append(time.thread_time() - began)
        seconds.append(time.perf_counter() - started)
    low, middle, high = (
        f"{value * 1000:.3f}" for value in (percentile(seconds, 5), median(seconds), percentile(seconds, 95))
    )
    return f"{middle} ms ({low} .. {high}) | {median(processor) * 1000:.3f} ms"


def _say(what: str, found: str) -> None:
    print(f"| {what} | {found} |", flush=True)


class _beside:  # noqa: N801 -- used as a function
    """Runs this module in another process, to add items."""

    def __init__(self, given: argparse.Namespace, options: list[str]) -> None:
        where = [str(given.folder), "--items", str(given.items)]
        if given.postgresql:
            where += ["--postgresql", given.postgresql]
        self._command = [sys.executable, "-m", "benchmarks.item_index", *where, *options]

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(self._command)
        return self._process

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()


def _append(index: ItemIndex, given: argparse.Namespace) -> None:
    new = _scenes(given.places, range(DATES, DATES + given.append), f"{time.time():.0f}-")
    items = (next(new) for _ in range(given.append))
    if math.isinf(given.per_s):
        started = time.perf_counter()
        index.put(COLLECTION, items)
        _say(f"add {given.append:,} items beside readers", f"{time.perf_counter() - started:.1f} s")
        return
    began = time.monotonic()
    for number, item in enumerate(items):
        time.sleep(max(0.0, began + number / given.per_s - time.monotonic()))
        index.put(COLLECTION, [item])


def _memory_mib() -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _scenes(places: int, dates: range, prefix: str = "") -> Iterator[Item]:
    """All places at all dates, date by date, as an archive grows."""
    return (_scene(place, date, places, prefix) for date in dates for place in range(places))


def _columns(places: int) -> int:
    return math.ceil(math.sqrt(SHAPE * places))


def _scene(place: int, date: int, places: int, prefix: str = "") -> Item:
    row, column = divmod(place, _columns(places))
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


if __name__ == "__main__":
    main()
