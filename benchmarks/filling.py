"""`python -m benchmarks.filling FOLDER`: fills an index by the whole command, beside pypgstac's loader.

The same made items lie in a stac-geoparquet file, in a static catalogue, and in a small STAC API.
Each line is one command from its start to its end: seconds, and processor time an item of it and all its processes.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.catalogue import pgstac
from benchmarks.made_items import COLLECTION
from benchmarks.made_parquet import documents, write_parquet
from tests.archive.index.stac_api import StacApi, serving
from tests.postgresql import serving_postgresql
from tests.running import PROGRAM

CONFIGURATION = """
collections:
  {collection}:
    source: {{kind: stac, href: {href}}}
    time: {{group: solar_day}}
    mosaic: {{order_by: "eo:cloud_cover"}}
    variables: {{red: {{asset: red}}, nir: {{asset: nir}}, scl: {{asset: scl}}}}
"""


def main() -> None:
    """Make the items, fill with each source, and print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--documents", type=int, default=20_000, help="of the static catalogue and of the STAC API")
    options.add_argument("--postgresql", action="store_true", help="fill PostgreSQL as well, and load into pgSTAC")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    parquet, few = given.folder / "items.parquet", given.folder / "few.parquet"
    write_parquet(parquet, given.items)
    write_parquet(few, given.documents)
    _fill("parquet", str(parquet), given.items, given.folder)
    _again("parquet, again", str(parquet), given.items, given.folder)
    catalogue = _catalogue(few, given.folder / "catalogue")
    _fill("static catalogue", catalogue, given.documents, given.folder)
    _again("static catalogue, again", catalogue, given.documents, given.folder)
    with _api(few) as href:
        _fill("STAC API", href, given.documents, given.folder)
        _again("STAC API, again", href, given.documents, given.folder)
    if given.postgresql:
        with serving_postgresql(pgstac.SETTINGS) as postgresql:
            url = postgresql.make_database()
            _again("parquet, into PostgreSQL", str(parquet), given.items, given.folder, url=url)
            _load_pgstac(parquet, given.items, postgresql.make_database(), given.folder)


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
    """Run a command, and print what it took with all of its processes."""
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
    """Write the items of a file as documents, a thousand in each folder; return where the catalogue is."""
    links = []
    for number, document in enumerate(documents(parquet)):
        part = folder / f"{number // 1000:04}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{document['id']}.json").write_bytes(orjson.dumps(document))
        links.append({"rel": "item", "href": f"./{part.name}/{document['id']}.json"})
    catalogue: dict[str, Any] = {"type": "Catalog", "id": "made", "stac_version": "1.0.0", "description": "Made"}
    (folder / "catalog.json").write_bytes(orjson.dumps(catalogue | {"links": links}))
    return str(folder / "catalog.json")


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
