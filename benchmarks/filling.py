"""`python -m benchmarks.filling FOLDER`: fills and searches an index, compared with pypgstac's loader.

The same synthetic items are in a stac-geoparquet file, in a static catalogue, and in a small STAC API.
Each line is a complete command: seconds, and processor time per item of the command and its child processes.
Searches use an index, over all items and years: processor time of this process, and time.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from benchmarks.catalogue import pgstac
from benchmarks.figures import median
from benchmarks.made_items import COLLECTION
from benchmarks.made_parquet import documents, write_parquet
from chronotile.archive.archive_ids import archive_id_at
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.opening import open_items
from chronotile.core.errors import ChronotileError
from chronotile.core.model.items import ItemSearch
from tests.archive.index.stac_api import StacApi, serving
from tests.postgresql import serving_postgresql
from tests.running import PROGRAM

CONFIGURATION = """
collections:
  {collection}:
    source: {{kind: stac, href: {href}}}
    time: {{group: solar_day}}
    mosaic: {{order_by: "eo:cloud_cover"}}
    search: {{properties: ["grid:code", platform]}}
    variables: {{red: {{asset: red}}, nir: {{asset: nir}}, scl: {{asset: scl}}}}
"""


HALF = "platform = 'sentinel-2a' AND \"eo:cloud_cover\" < 20"
BY_CLOUD = (("eo:cloud_cover", False),)
SEARCHES: Mapping[str, ItemSearch] = {
    "newest": ItemSearch(),
    "by cloud": ItemSearch(sort=BY_CLOUD),
    "by cloud, falling": ItemSearch(sort=(("eo:cloud_cover", True),)),
    "cloud < 20": ItemSearch(filter=filter_from_text('"eo:cloud_cover" < 20')),
    "cloud < 20, by cloud": ItemSearch(filter=filter_from_text('"eo:cloud_cover" < 20'), sort=BY_CLOUD),
    "grid:code =": ItemSearch(filter=filter_from_text("\"grid:code\" = 'MGRS-00400'")),
    "grid:code =, by cloud": ItemSearch(filter=filter_from_text("\"grid:code\" = 'MGRS-00400'"), sort=BY_CLOUD),
    "grid:code IN of five": ItemSearch(
        filter=filter_from_text(f'"grid:code" IN ({", ".join(f"{chr(39)}MGRS-0040{n}{chr(39)}" for n in range(5))})')
    ),
    "platform =": ItemSearch(filter=filter_from_text("platform = 'sentinel-2a'")),
    "platform = and cloud < 20": ItemSearch(filter=filter_from_text(HALF)),
    "platform = and cloud < 20, by cloud": ItemSearch(filter=filter_from_text(HALF), sort=BY_CLOUD),
    "refused: baseline =": ItemSearch(filter=filter_from_text("\"s2:processing_baseline\" = 'none'")),
    "refused: by baseline": ItemSearch(sort=(("s2:processing_baseline", False),)),
}
REPEATED = 5


def main() -> None:
    """Make the items, fill with each source, and print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--documents", type=int, default=20_000, help="of the static catalogue")
    options.add_argument("--features", type=int, default=20_000, help="of the STAC API")
    options.add_argument("--postgresql", action="store_true", help="fill PostgreSQL as well, and load into pgSTAC")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    parquet = _parquet(given.folder, given.items)
    _fill("parquet", str(parquet), given.items, given.folder)
    _again("parquet, again", str(parquet), given.items, given.folder)
    _search("SQLite", given.folder)
    if given.postgresql:
        with serving_postgresql(pgstac.SETTINGS) as postgresql:
            url = postgresql.make_database()
            _again("parquet, into PostgreSQL", str(parquet), given.items, given.folder, url=url)
            _again("parquet, into PostgreSQL, again", str(parquet), given.items, given.folder, url=url)
            _search("PostgreSQL", given.folder, url=url)
            _load_pgstac(parquet, given.items, postgresql.make_database(), given.folder)
    catalogue = _catalogue(_parquet(given.folder, given.documents), given.folder / f"catalogue-{given.documents}")
    _fill("static catalogue", catalogue, given.documents, given.folder)
    _again("static catalogue, again", catalogue, given.documents, given.folder)
    with _api(_parquet(given.folder, given.features)) as href:
        _fill("STAC API", href, given.features, given.folder)
        _again("STAC API, again", href, given.features, given.folder)


def _parquet(folder: Path, count: int) -> Path:
    file = folder / f"items-{count}.parquet"
    if not file.exists():
        write_parquet(file.with_suffix(".part"), count)
        file.with_suffix(".part").rename(file)
    return file


def _search(name: str, folder: Path, *, url: str | None = None) -> None:
    """Run each search several times, and print its median time."""
    archive = archive_id_at(folder / "archive.yaml", environment={})
    with closing(open_items(url, folder / "jobs", archive=archive)) as items:
        for label, search in SEARCHES.items():
            computed_ms, took_ms, told = list[float](), list[float](), ""
            for _ in range(REPEATED):
                began_s, before_s = time.perf_counter(), time.process_time()
                try:
                    page = items.search(replace(search, collections=(COLLECTION,)))
                    told = f"{len(page.items)} of {page.matched}"
                except ChronotileError as error:
                    told = f"{error.message[:60]} …"
                computed_ms.append(1e3 * (time.process_time() - before_s))
                took_ms.append(1e3 * (time.perf_counter() - began_s))
            print(f"| {name}: {label} | {median(computed_ms):.1f} ms | {median(took_ms):.1f} ms | {told} |", flush=True)


def _fill(name: str, href: str, count: int, folder: Path, *, url: str | None = None) -> None:
    for file in folder.glob("jobs/**/index.sqlite*"):
        file.unlink()
    _again(name, href, count, folder, url=url)


def _again(name: str, href: str, count: int, folder: Path, *, url: str | None = None) -> None:
    file = folder / "archive.yaml"
    file.write_text(CONFIGURATION.format(collection=COLLECTION, href=href))
    environment = _environment(folder) | ({} if url is None else {"CHRONOTILE_DATABASE_URL": url})
    _timed(name, [str(PROGRAM), "index", str(file)], count, environment)


def _environment(folder: Path) -> dict[str, str]:
    return {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "CHRONOTILE_SOURCE_PREFIXES": "https://example.com/"}


def _timed(name: str, command: Sequence[str], count: int, environment: Mapping[str, str]) -> None:
    """Run a command, and print its time and the processor time of its processes."""
    began_s = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _pid, status, used = os.wait4(process.pid, 0)
    took_s, computed_s = time.monotonic() - began_s, used.ru_utime + used.ru_stime
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} failed: {told}")
    each_us = 1e6 * computed_s / count
    print(
        f"| {name} | {count} | {took_s:.1f} s | {each_us:.0f} µs | {used.ru_maxrss >> 10} MiB | {told.strip()[:80]} |",
        flush=True,
    )


def _catalogue(parquet: Path, folder: Path) -> str:
    """Write the items of a file as documents, with a catalogue per thousand; return the path of the first catalogue."""
    if (folder / "catalog.json").exists():
        return str(folder / "catalog.json")
    parts = list[str]()
    for documents_of_part in batched(documents(parquet), 1000):
        part = folder / f"{len(parts):04}"
        part.mkdir(parents=True, exist_ok=True)
        for document in documents_of_part:
            (part / f"{document['id']}.json").write_bytes(orjson.dumps(document))
        _write_catalogue(part, "item", [f"./{document['id']}.json" for document in documents_of_part])
        parts.append(f"./{part.name}/catalog.json")
    _write_catalogue(folder, "child", parts)
    return str(folder / "catalog.json")


def batched(found: Iterable[dict[str, Any]], count: int) -> Iterator[list[dict[str, Any]]]:
    """Yield so many at a time."""
    waiting = iter(found)
    while part := list(islice(waiting, count)):
        yield part


def _write_catalogue(folder: Path, relation: str, hrefs: Sequence[str]) -> None:
    catalogue: dict[str, Any] = {"type": "Catalog", "id": "made", "stac_version": "1.0.0", "description": "Made"}
    links = [{"rel": relation, "href": href} for href in hrefs]
    (folder / "catalog.json").write_bytes(orjson.dumps(catalogue | {"links": links}))


@contextmanager
def _api(parquet: Path) -> Iterator[str]:
    """Give the address of a collection of a small STAC API in this process."""
    api = StacApi(page=250)  # type: ignore[no-untyped-call]  # a double of tests
    api.add(*documents(parquet))  # type: ignore[no-untyped-call]  # as above
    with serving(api):
        yield api.href


def _load_pgstac(parquet: Path, count: int, url: str, folder: Path) -> None:
    collection, items = folder / "collection.ndjson", folder / "items.ndjson"
    collection.write_bytes(orjson.dumps(pgstac.DOCUMENT))
    with items.open("wb") as file:
        file.writelines(orjson.dumps(document) + b"\n" for document in documents(parquet))
    pgstac.run_pypgstac("migrate", url=url)
    pgstac.run_pypgstac("load", "collections", str(collection), "--method", "upsert", url=url)
    began_s, before = time.monotonic(), os.times()
    pgstac.run_pypgstac("load", "items", str(items), "--method", "insert", url=url)
    took_s, after = time.monotonic() - began_s, os.times()
    computed_s = after.children_user + after.children_system - before.children_user - before.children_system
    print(
        f"| pypgstac load | {count} | {took_s:.1f} s | {1e6 * computed_s / count:.0f} µs | | without PostgreSQL |",
        flush=True,
    )


if __name__ == "__main__":
    main()
