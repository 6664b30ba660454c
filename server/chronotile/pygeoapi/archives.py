"""Archives that providers read; each is opened once per process, because pygeoapi makes a provider per request."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

from chronotile.app.settings import load_settings
from chronotile.archive.live_archive import ItemAccess, LiveArchive, LiveArchives
from chronotile.core.errors import ChronotileError, PlanStale, UnknownCollection
from chronotile.core.model.types import Json
from chronotile.pipeline.restricted_services import EVERYBODY, restrict
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.services import Services
from chronotile.pygeoapi.exchange import fields_of, find_collection, translate_errors

MAX_ARCHIVES = 16
"""Open archives per process; an evicted archive is closed when its last read has ended."""

CHECK_S = 10.0
"""Time between two checks of configuration, styles and files; new times of serving cubes are noticed immediately."""


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class OpenData:
    """Open services as the `data` of a provider."""

    services: Services

    def __deepcopy__(self, memo: object) -> "OpenData":
        """Return the same object: pygeoapi copies its configuration, but open files cannot be copied."""
        return self


class ServedCollection:
    """Base of providers: the collection that they serve. Decorate their queries with `answer_query`."""

    data: Any
    options: Any
    lacks_values = ""
    """Reason for refusing collections of colours without values; empty if these are accepted."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)  # type: ignore[call-arg]  # a provider of pygeoapi
        with translate_errors():
            self.open()
            if self.lacks_values and not self._offered.has_values:
                raise UnknownCollection(f"{self._offered.id} has colours but no values: {self.lacks_values}")
        self._fields = self.get_fields()

    def get_fields(self) -> dict[str, Json]:
        """Return the schema of each field by its name."""
        return fields_of(self._offered)

    def open(self) -> None:
        """Use the current services.

        Raises:
            ChronotileError: The collection does not exist, or nothing can be served.
        """
        self._services = services_of(self.data)
        self._offered = find_collection(self._services, self.options)


def answer_query(query: Callable[..., Answer]) -> Callable[..., Answer]:
    """Decorate a query: repeat it if it skipped files of unknown encoding, and convert its errors."""

    @wraps(query)
    def query_with_retries(self: ServedCollection, *args: object, **keywords: object) -> Answer:
        def answer() -> Answer:
            try:
                result = query(self, *args, **keywords)
            except ChronotileError:  # a file that was skipped for its new encoding may be the cause
                self._services.require_current_plans([self._offered.collection.id])
                raise
            self._services.require_current_plans([self._offered.collection.id])
            return result

        with translate_errors():
            return retry_overtaken(answer, PlanStale, lambda _error: self.open())

    return query_with_retries


def services_of(data: object) -> Services:
    """Return the current services of the `data` of a provider: `OpenData`, or a path of a configuration or of data.

    Raises:
        ConfigurationError: All mistakes of the configuration; or no collection can be served.
    """
    if isinstance(data, OpenData):
        return data.services
    path = Path(str(data)).expanduser().resolve()
    return restrict_current(_archives.at(path, _item_access(path)))


@lru_cache(maxsize=MAX_ARCHIVES)
def _item_access(path: Path) -> ItemAccess:
    """Return the access to item collections, from the same environment variables as the server."""
    settings = load_settings(config=path)
    return ItemAccess.from_place(
        path, database_url=settings.database_url, jobs_folder=settings.jobs_folder, prefixes=settings.source_places
    )


def restrict_current(live: LiveArchive) -> Services:
    """Reload an archive if it has changed, and return the part that anonymous clients may download.

    pygeoapi does not pass the user on.
    """
    live.follow(None)
    live.refresh(after_s=CHECK_S)
    return restrict(live.services, EVERYBODY, "download")


_archives = LiveArchives(most=MAX_ARCHIVES)
"""Shared by all providers: pygeoapi makes them from plain values, and nothing else outlives a request."""
