"""What providers read: archives opened once a process, since pygeoapi makes a provider for every request."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

from chronotile.app.settings import load_settings
from chronotile.archive.live import ItemAccess, LiveArchive, LiveArchives
from chronotile.core.errors import ChronotileError, PlanStale, UnknownCollection
from chronotile.core.model.types import Json
from chronotile.pipeline.granted import EVERYBODY, restrict
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.services import Services
from chronotile.pygeoapi.exchange import chosen, fields_of, translate_errors

MAX_ARCHIVES = 16
"""Archives open at once; an evicted one is closed when its last read has ended."""

LOOK_S = 10.0
"""How often configuration, styles and files are inspected; whether a serving cube grew is seen at once."""


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Services that are open already, as a provider's `data`."""

    services: Services

    def __deepcopy__(self, memo: object) -> "Live":
        """Return itself: pygeoapi copies its configuration, and open files cannot be."""
        return self


class Served:
    """What a provider serves; its queries are `asked`."""

    data: Any
    options: Any
    lacks_values = ""
    """Why a collection that has colours alone is refused, where it is."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)  # type: ignore[call-arg]  # of pygeoapi's provider
        with translate_errors():
            self.open()
            if self.lacks_values and not self._offered.has_values:
                raise UnknownCollection(f"{self._offered.id} has colours but no values: {self.lacks_values}")
        self._fields = self.get_fields()

    def get_fields(self) -> dict[str, Json]:
        """Return the schema of each field by its name."""
        return fields_of(self._offered)

    def open(self) -> None:
        """Take what is served now.

        Raises:
            ChronotileError: There is no such collection, or nothing can be served.
        """
        self._services = services_of(self.data)
        self._offered = chosen(self._services, self.options)


def asked(query: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return a query that is begun again where an answer lacks files whose encoding it found; with words for errors."""

    @wraps(query)
    def ask(self: Served, *args: object, **others: object) -> Answer:
        def answer() -> Answer:
            try:
                found = query(self, *args, **others)
            except ChronotileError:  # perhaps for lack of the encoding
                self._services.require_nothing_learnt([self._offered.collection.id])
                raise
            self._services.require_nothing_learnt([self._offered.collection.id])
            return found

        with translate_errors():
            return retry_overtaken(answer, PlanStale, lambda _error: self.open())

    return ask


def services_of(data: object) -> Services:
    """Return the services of now of a provider's `data`: `Live` ones, or a configuration file, a file or a folder.

    Raises:
        ConfigurationError: With all mistakes of the configuration; or nothing there can be served.
    """
    if isinstance(data, Live):
        return data.services
    place = Path(str(data)).expanduser().resolve()
    return current(_archives.at(place, _items(place)))


@lru_cache(maxsize=MAX_ARCHIVES)
def _items(place: Path) -> ItemAccess:
    """How collections of items are read: by the variables that the server of the archive has, too."""
    settings = load_settings(config=place)
    return ItemAccess.of(
        place, database_url=settings.database_url, jobs_folder=settings.jobs_folder, prefixes=settings.source_places
    )


def current(live: LiveArchive) -> Services:
    """Return what everyone may download of an archive, which is reloaded first if it has changed.

    pygeoapi does not say the user.
    """
    live.follow(None)
    live.refresh(after_s=LOOK_S)
    return restrict(live.services, EVERYBODY, "download")


_archives = LiveArchives(most=MAX_ARCHIVES)
"""pygeoapi makes its providers itself, of plain values: nothing else lives from one to the next."""
