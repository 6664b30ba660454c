"""`python -m benchmarks.catalogue FOLDER`: the STAC API over a million items, compared with stac-fastapi-pgstac.

The items are made by `benchmarks.item_index` in FOLDER if they are missing. Searches select a degree, a
month, clouds below 20 % and ten documents, at random places and times. Parts:

- `processor`: processor time of a search: the operation, the operation with its documents, and the application without
  sockets;
- `http`: duration of first pages of 100 and of searches over HTTP from one worker, several times;
- `walk`: 100,000 items by links `next`, while 50 per second are added: each must be returned once, in order;
- `pgstac`: searches per second with one worker per core, alternating with the same number of workers of
  stac-fastapi-pgstac over the same items, after both have returned the same ids. PostgreSQL runs in a separate folder.
  With `--workers 1` PostgreSQL has a second core, so that one core is compared with two;
- `postgresql`: `processor` and `http` with our index in PostgreSQL, with the settings for pgSTAC.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.catalogue import over_http, pgstac
from benchmarks.catalogue.archive import Archive, make_archive, served
from benchmarks.catalogue.in_process import PATH, processor_times
from benchmarks.catalogue.queries import PAGE, Body, ageless_queries, month_queries, page_queries, post
from benchmarks.catalogue.walk import walk
from benchmarks.figures import median
from benchmarks.made_items import MadeIndex, places_of
from tests.postgresql import serving_postgresql
from tests.scenes_archive.pgstac import lack_of_pgstac

PARTS = ("processor", "http", "walk", "pgstac", "postgresql")
PROCESSOR_MS, PAGE_MS, TIMES = 5.0, 25.0, 5.0
WALKED = 100_000
PEERS_PATH = "/search"
COMPARED = 50
"""Searches whose ids are compared."""

PAGES, FEW = 100, 10
"""Number of requests of a kind per round, and for the slowest kind."""

Found = dict[str, Any]


def main() -> None:
    """Measure, and end with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--items", type=int, default=1_000_000, help="how many, rounded to places of 1,440 dates")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--searches", type=int, default=400, help="different ones")
    parser.add_argument("--rounds", type=int, default=3, help="of repeated parts")
    parser.add_argument("--seconds", type=float, default=10, help="of a round of requests a second")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of each server, both at the same time")
    parser.add_argument("--clients", type=int, default=8, help="at once, in rounds of requests a second")
    given = parser.parse_args()
    places = places_of(given.items)
    made = MadeIndex(folder=given.folder / f"items-{places}", places=places)
    archive = make_archive(made)
    bodies = month_queries(made, given.searches, seed=1)
    parts: dict[str, Callable[[], Found]] = {
        "processor": partial(processor_times, archive, bodies, _pages(bodies)),
        "http": partial(_http, archive, bodies, rounds=given.rounds),
        "walk": partial(_walk, archive),
        "pgstac": partial(_beside_pgstac, archive, bodies, given),
        "postgresql": partial(_in_postgresql, made, bodies, rounds=given.rounds),
    }
    found: Found = {"items": made.count}
    for name in given.parts:
        print(f"{name} …", file=sys.stderr)
        found[name] = parts[name]()
    found["goals"] = goals(found)
    print(json.dumps(found, indent=1))
    sys.exit(0 if all(found["goals"].values()) else 1)


def goals(found: Found) -> dict[str, bool]:
    """Return the goals of the parts that were measured, and whether they are met."""
    met: dict[str, bool] = {}
    if "processor" in found:
        searched = found["processor"]["verb_with_documents"]["median_ms"]
        met[f"a search takes at most {PROCESSOR_MS:g} ms of processor time"] = searched <= PROCESSOR_MS
    if "http" in found:
        waits = [each["median_ms"] for each in (*found["http"]["newest_100"], *found["http"]["year_100"])]
        met[f"first pages of 100 within {PAGE_MS:g} ms"] = max(waits) <= PAGE_MS
    if "walk" in found:
        met["a walk gives each item once, in order"] = found["walk"]["is_right"]
    if "ratio" in found.get("pgstac", {}):
        met[f"at least {TIMES:g} times the requests of stac-fastapi-pgstac"] = found["pgstac"]["ratio"] >= TIMES
    return met


def _pages(bodies: list[Body]) -> dict[str, list[Body]]:
    """Searches for first pages of 100 by their subject."""
    return {
        "newest_100": [{"collections": bodies[0]["collections"], "limit": PAGE}] * PAGES,
        "year_100": page_queries(bodies[:PAGES]),
        "ten_years_100": ageless_queries(bodies[:FEW]),
    }


def _http(archive: Archive, bodies: list[Body], *, rounds: int) -> Found:
    cases = {"search": bodies, **_pages(bodies)}
    with tempfile.TemporaryDirectory() as scratch, served(archive, Path(scratch)) as port:
        taken = [{name: over_http.waits(port, PATH, each) for name, each in cases.items()} for _ in range(rounds)]
    return {name: [each[name] for each in taken] for name in cases}


def _walk(archive: Archive) -> Found:
    with tempfile.TemporaryDirectory() as scratch, served(archive, Path(scratch)) as port:
        return walk(port, archive.made, items=min(WALKED, archive.made.count // 2))


def _beside_pgstac(archive: Archive, bodies: list[Body], given: argparse.Namespace) -> Found:
    lack = lack_of_pgstac()
    if lack is not None:
        return {"lack": lack}
    with tempfile.TemporaryDirectory() as place, serving_postgresql(pgstac.SETTINGS) as postgresql:
        scratch = Path(place)
        url, load_s = pgstac.load(postgresql, archive.made, scratch)
        with (
            served(archive, scratch, workers=given.workers) as ours,
            pgstac.served(url, scratch, workers=given.workers) as theirs,
        ):
            pages = page_queries(bodies)
            differing = [
                body
                for body in (*bodies[:COMPARED], *pages[:COMPARED])
                if over_http.ids_of(ours, PATH, body) != over_http.ids_of(theirs, PEERS_PATH, body)
            ]
            rates = _alternating({"chronotile": (ours, PATH), "pgstac": (theirs, PEERS_PATH)}, bodies, given)
    ratios = [own["per_s"] / other["per_s"] for own, other in zip(rates["chronotile"], rates["pgstac"], strict=True)]
    return {
        "versions": pgstac.version(),
        "workers": given.workers,
        "load_s": round(load_s),
        "same_ids": f"{2 * COMPARED - len(differing)} of {2 * COMPARED}",
        "differing": differing[:3],
        "rates": rates,
        "ratios": [round(each, 1) for each in ratios],
        "ratio": round(median(ratios), 1),
    }


def _alternating(ports: dict[str, tuple[int, str]], bodies: list[Body], given: argparse.Namespace) -> Found:
    found: dict[str, list[Found]] = {name: [] for name in ports}
    for number in range(-1, given.rounds):
        for name in sorted(ports, reverse=number % 2 == 0):
            port, path = ports[name]
            asks = [post(path, body) for body in bodies]
            rate = over_http.rate(port, asks, clients=given.clients, seconds=given.seconds)
            if number >= 0:  # the first round warms up
                shown = {"per_s": round(rate.per_s, 1), "processor_ms": round(rate.processor_ms, 2)}
                found[name].append({**shown, "failed": rate.failed})
    return found


def _in_postgresql(made: MadeIndex, bodies: list[Body], *, rounds: int) -> Found:
    with serving_postgresql(pgstac.SETTINGS) as postgresql:
        own = replace(made, folder=made.folder / "postgresql", postgresql=postgresql.make_database())
        archive = make_archive(own)
        taken = processor_times(archive, bodies, _pages(bodies))
        return {"processor": taken, "http": _http(archive, bodies, rounds=rounds)}


if __name__ == "__main__":
    main()
