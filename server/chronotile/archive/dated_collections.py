"""Collections with one item per date."""

from collections.abc import Callable, Iterator, Sequence

from chronotile.archive.index.dates import DatedCollection, dated_collection
from chronotile.archive.open import Archive


def dated_collections(archive: Archive) -> tuple[DatedCollection, ...]:
    """Return the served collections whose source is open; the dates of an unreachable source are unknown."""
    return tuple(_open_dated_collections(archive))


def _open_dated_collections(archive: Archive) -> Iterator[DatedCollection]:
    services = archive.services
    opened = services.elsewhere.found.opened
    for collection in services.catalogue.collections:
        id_ = collection.id
        reader = services.readers.get(id_)
        if reader is None or id_ in archive.unavailable or archive.specs[id_].items is not None:
            continue
        # Collections that were found in one folder share the digest of its files, which has no id.
        state = archive.state.sources.get(id_) or archive.state.sources.get("", "")
        revisions = opened[id_].revisions if id_ in opened else ()
        yield dated_collection(collection, reader, archive.specs[id_], state=f"{state} {revisions}")


class DatedCollections:
    """The dated collections of a live archive, computed once per state of the archive."""

    def __init__(self, archive: Callable[[], Archive]) -> None:
        self._archive = archive
        self._known: tuple[Archive, Sequence[DatedCollection]] | None = None

    def __call__(self) -> Sequence[DatedCollection]:
        """Return the dated collections of the current archive."""
        archive = self._archive()
        if self._known is None or self._known[0] is not archive:
            self._known = archive, dated_collections(archive)
        return self._known[1]
