"""A folder or a configuration as the server serves it, with its index filled."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from chronotile.app.application import serving
from chronotile.app.configured_archive import index_store, open_configured, source_access
from chronotile.app.settings import Settings
from chronotile.archive.dated_collections import dated_collections
from chronotile.archive.index.dates import list_dates
from chronotile.archive.index.fill import fill
from chronotile.archive.index.sources import indexed_collection, source_of, specs_of_items
from tests.walk.address import BASE


def has_items(place: Path) -> bool:
    """Return whether a place is a configuration with collections of items."""
    return place.suffix == ".yaml" and ("kind: stac" in (text := place.read_text()) or "tiles: true" in text)


def opened(place: Path, folder: Path, **more: Any) -> Starlette:
    """Return the application over a place, with its index filled; the index and the caches lie in `folder`."""
    folders = {f"{name}_dir": folder / f"{name}s" for name in ("job", "preview", "cube", "mosaic", "block")}
    given = {"jobs_dir": folders.pop("job_dir"), "watch_s": 0, "source_prefixes": str(place.parent.absolute())}
    settings = Settings(config=place, **folders | given | more)
    with closing(index_store(settings)) as store:
        for spec in specs_of_items(place, environment={}) if has_items(place) else ():
            fill(indexed_collection(spec), source_of(spec, source_access(settings)), store)
        archive = open_configured(settings)
        for dated in dated_collections(archive):
            list_dates(dated, store)
    return serving(archive, settings)


@contextmanager
def served(place: Path, folder: Path) -> Iterator[TestClient]:
    """A client of the application over a place; the index and the caches lie in `folder`."""
    with TestClient(opened(place, folder), base_url=BASE, raise_server_exceptions=False) as client:
        yield client
