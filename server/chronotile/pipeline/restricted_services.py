"""Services restricted to the layers, places and styles that a group of users has a right to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import UnknownLayer
from chronotile.core.model.access import PUBLIC, Right
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import LiveItems, Services

EVERYBODY = frozenset({PUBLIC})


def restrict(services: Services, subjects: frozenset[str], right: Right = "see") -> Services:
    """Return the services without everything that a user has no right to; readers and caches are shared.

    Args:
        services: The services of the archive.
        subjects: The user and its groups, as rules name them.
        right: The required right.
    """
    if services.catalogue.access is None:
        return services
    catalogue = services.catalogue.restrict(subjects, right)
    if catalogue is services.catalogue:
        return services
    names_in_use = catalogue.collections_by_id.keys() | set(catalogue.unavailable.values())
    live = services.live_items
    names = (
        *(layer.id for layer in catalogue.layers),
        *sorted(catalogue.unavailable),
        "",
        *catalogue.places,
        "",
        *catalogue.styles,
    )
    return replace(
        services,
        catalogue=catalogue,
        live_items=None if live is None else _GrantedLiveItems(live, _live_names(live, catalogue)),
        readers={name: reader for name, reader in services.readers.items() if name in names_in_use},
        changes={name: time for name, time in services.changes.items() if name in names_in_use or not name},
        source_hrefs={name: href for name, href in services.source_hrefs.items() if name in names_in_use},
        findings=tuple(note for note in services.findings if note.collection in catalogue.rules_of_configured),
        narrowed_from=services,
        grant=fingerprint("\n".join(names)),
    )


def _live_names(live: LiveItems, catalogue: Catalogue) -> tuple[str, ...]:
    # Only live collections with all layers visible to the user.
    served = catalogue.whole_collections | catalogue.wholly_unavailable
    return tuple(name for name in live.names if name in served)


@dataclass(frozen=True, slots=True)
class _GrantedLiveItems:
    """Live collections restricted to granted names."""

    live: LiveItems
    names: tuple[str, ...]

    @property
    def failing(self) -> Mapping[str, str]:
        return {name: reason for name, reason in self.live.failing.items() if name in self.names}

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> ItemPage:
        self._require(collection)
        return self.live.page(collection, search, at=at)

    def find(self, collection: str, id_: str) -> FoundItem | None:
        self._require(collection)
        return self.live.find(collection, id_)

    def _require(self, collection: str) -> None:
        if collection not in self.names:
            raise UnknownLayer(f"collection {collection[:80]!r} is not known", locator="collection")
