"""A walk from page to page while items are added: each initial item must be returned once, in order."""

import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from sqlalchemy import select

from benchmarks.catalogue.queries import Body, post
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected
from benchmarks.made_items import COLLECTION, DATES, FIRST, STEP_H, MadeIndex, scene
from chronotile.catalog.items.schema import INDEX, ITEMS
from chronotile.core.database import open_engine

PER_S = 50
LIMIT = 100
PREFIX = "walk-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of a walk for the items that existed at its start."""

    expected: int
    missing: int
    twice: int
    """Number of items that were returned twice, including added ones."""
    is_in_order: bool
    added_seen: int

    @property
    def is_right(self) -> bool:
        """Whether each came once, and in order."""
        return not self.missing and not self.twice and self.is_in_order


def judge(expected: Sequence[str], seen: Sequence[str]) -> Verdict:
    """Compare the ids of a walk with the expected ids."""
    known, counts = set(expected), Counter(seen)
    return Verdict(
        expected=len(expected),
        missing=len(known - counts.keys()),
        twice=sum(count > 1 for count in counts.values()),
        is_in_order=[each for each in seen if each in known] == list(expected),
        added_seen=len(counts.keys() - known),
    )


def walk(port: int, made: MadeIndex, *, items: int, per_s: float = PER_S) -> dict[str, Any]:
    """Return the verdict on a walk over at least this number of items, and the number of added items."""
    dates = min(DATES, -(-items // made.places) + 1)
    body = {"collections": [COLLECTION], "datetime": _interval(dates), "limit": LIMIT}
    _tidy(made)
    expected = _ids(made, dates)
    with _adding(made, dates, per_s):
        began = time.monotonic()
        pages = list(_pages(port, body))
        lasted = time.monotonic() - began
    added = _tidy(made)
    verdict = judge(expected, [id_ for page in pages for id_ in page])
    return {
        **asdict(verdict),
        "is_right": verdict.is_right,
        "pages": len(pages),
        "seconds": round(lasted, 1),
        "added": added,
    }


def _interval(dates: int) -> str:
    begin, last = (each.astype("datetime64[s]") for each in _span(dates))
    return f"{begin}Z/{last}Z"


def _span(dates: int) -> tuple[np.datetime64, np.datetime64]:
    """The first instant, and the last second before the date after the last one."""
    return FIRST, FIRST + np.timedelta64(dates * STEP_H * 3600 - 1, "s")


def _pages(port: int, body: Body) -> Iterator[list[str]]:
    """Yield the ids of page after page, as the links `next` lead."""
    ask: Ask | None = post("/stac/search", body)
    with connected(port) as connection:
        while ask is not None:
            answer = connection.ask(ask)
            if answer.status != 200:
                raise RuntimeError(f"a page is answered with {answer.status}: {answer.body[:500]!r}")
            page = json.loads(answer.body)
            yield [each["id"] for each in page["features"]]
            following = next((each for each in page["links"] if each["rel"] == "next"), None)
            ask = None if following is None else post(urlsplit(following["href"]).path, {**body, **following["body"]})


def _ids(made: MadeIndex, dates: int) -> list[str]:
    """The ids in the order of pages, read from the database."""
    begin, last = (int(each.astype(int)) for each in _span(dates))
    inside = select(ITEMS.c.id).where(ITEMS.c.start <= last, ITEMS.c.start >= begin)
    engine = open_engine(made.postgresql, made.folder, INDEX)
    with engine.connect() as connection:
        found = list(connection.scalars(inside.order_by(ITEMS.c.start.desc(), ITEMS.c.number)))
    engine.dispose()
    return found


@contextmanager
def _adding(made: MadeIndex, dates: int, per_s: float) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    begun, ends = context.Event(), context.Event()
    process = context.Process(target=add, args=(made, dates, (begun, ends)), kwargs={"per_s": per_s})
    process.start()
    try:
        begun.wait()
        yield
    finally:
        ends.set()
        process.join()


def add(made: MadeIndex, dates: int, events: tuple[Event, Event], *, per_s: float) -> None:
    """Add items of random places and times of the walk, one by one: signal the start, and continue until the end."""
    begun, ends = events
    index, chance, number = made.open(), random.Random(3), 0
    began = time.monotonic()
    begun.set()
    while not ends.wait(max(0.0, began + number / per_s - time.monotonic())):
        item = scene(chance.randrange(made.places), chance.randrange(dates), made.places)
        index.put(COLLECTION, [replace(item, id=f"{PREFIX}{number:06}")])
        number += 1
    index.close()


def _tidy(made: MadeIndex) -> int:
    """Remove the added items; return their number."""
    engine = open_engine(made.postgresql, made.folder, INDEX)
    with engine.connect() as connection:
        added = list(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.startswith(PREFIX))))
    engine.dispose()
    index = made.open()
    index.remove(COLLECTION, added)
    index.close()
    return len(added)
