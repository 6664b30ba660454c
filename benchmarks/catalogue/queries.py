"""Searches of random places and months."""

import random
from typing import Any

import numpy as np
import orjson

from benchmarks.load.exchange import Ask
from benchmarks.made_items import CLEAR, COLLECTION, FIRST, SOUTH, WEST, MadeIndex

Body = dict[str, Any]

DAYS = 30
FIRST_DAY, LAST_DAY = 31, 3600
"""Range of first days of months, in days after the first date. It excludes a day with 200 items in undefined order."""
PAGE = 100


def month_queries(made: MadeIndex, count: int, *, seed: int) -> list[Body]:
    """Return bodies of searches: a degree, a month, clouds below 20 %, ten documents."""
    chance, bodies = random.Random(seed), []
    for _ in range(count):
        west, south = WEST + chance.uniform(0, made.columns), SOUTH + chance.uniform(0, made.rows)
        start = FIRST.astype("datetime64[D]") + np.timedelta64(chance.randrange(FIRST_DAY, LAST_DAY), "D")
        # No item begins at this second, so that it does not matter whether the edges are part of the interval.
        interval = f"{start}T00:00:30Z/{start + np.timedelta64(DAYS, 'D')}T00:00:30Z"
        bodies.append(
            {
                "collections": [COLLECTION],
                "bbox": [round(each, 6) for each in (west, south, west + 1, south + 1)],
                "datetime": interval,
                "filter-lang": "cql2-json",
                "filter": CLEAR,
                "limit": 10,
            }
        )
    return bodies


def page_queries(bodies: list[Body]) -> list[Body]:
    """Return searches for first pages of 100 at the places of other searches, in a year, with any clouds."""
    years = [each["datetime"][:4] for each in bodies]
    intervals = [f"{year}-01-01T00:00:30Z/{year}-12-31T00:00:30Z" for year in years]
    found = [{**each, "datetime": interval, "limit": PAGE} for each, interval in zip(bodies, intervals, strict=True)]
    return [{name: value for name, value in each.items() if not name.startswith("filter")} for each in found]


def ageless_queries(bodies: list[Body]) -> list[Body]:
    """Return the same of all times."""
    return [{name: value for name, value in each.items() if name != "datetime"} for each in page_queries(bodies)]


def post(path: str, body: Body) -> Ask:
    """Return the request of a search."""
    return Ask(path=path, method="POST", headers={"Content-Type": "application/json"}, body=orjson.dumps(body))
