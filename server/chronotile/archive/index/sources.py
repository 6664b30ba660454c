"""Sources of configured collections of items, and the rules for their items."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chronotile.archive.index.apis import ApiSource, is_api
from chronotile.archive.index.catalogues import CatalogueSource
from chronotile.archive.index.documents import DocumentReader, MissingDocument
from chronotile.archive.index.files import FilesSource
from chronotile.archive.index.fill import IndexedCollection
from chronotile.archive.index.geoparquet import GeoparquetSource, is_geoparquet
from chronotile.archive.index.source import ItemFilter, ItemRules, ItemSource
from chronotile.archive.index.tile_indexes import TileIndexSource, is_tile_index
from chronotile.catalog.load import load_configuration
from chronotile.catalog.source_specs import source_specs
from chronotile.core.errors import ConfigurationError, UnsupportedSource
from chronotile.core.model.source import SourceSpec
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.core.web.item_places import FoldersOnce, ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.kinds import kind_options

log = logging.getLogger(__name__)

LIVE = (
    "is live: searches are passed to its API, and the items that they find are indexed then; to index all of them now, "
    "remove mode: live"
)
DATES = "the dates of other collections are listed by chronotile serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAccess:
    """Everything needed to open sources."""

    prefixes: AllowedPlaces
    """Permitted locations of files, in addition to the host of the source."""
    documents: DocumentReader
    is_watched: bool = True
    """Whether sources store the states of their files for `has_changed`: 250 bytes per file."""


def specs_of_items(place: Path, *, environment: Mapping[str, str], collection: str | None = None) -> list[SourceSpec]:
    """Return all collections of items of a configuration, or a single one.

    Args:
        place: The configuration file.
        environment: Variables that the configuration may refer to.
        collection: Id of one collection; `None`: all.

    Raises:
        ConfigurationError: The configuration is invalid, or has no such collection.
    """
    if place.is_dir() or place.suffix.lower() not in {".yaml", ".yml"}:
        expected = "a configuration (YAML), which names the collections of items and their sources"
        raise ConfigurationError([f"{place} is not {expected}"])
    styles = load_styles(style_folders(place))
    configuration = load_configuration(place, kinds=kind_options(), environment=environment, styles=styles)
    specs = source_specs(configuration, styles)
    candidates = [spec for name, spec in specs.items() if collection in {None, name}]
    indexed_specs = [spec for spec in candidates if spec.items is not None and not spec.is_live]
    live = [spec.collection for spec in candidates if spec.is_live]
    if indexed_specs:
        for name in live:
            log.info("%s %s", name, LIVE)
        return indexed_specs
    if live:
        raise ConfigurationError([f"{live[0]} {LIVE}"])
    if collection is None:
        lacking = "collections of items (kind: stac, or kind: cog with tiles: true)"
        raise ConfigurationError([f"{place} has no {lacking}; {DATES}"])
    if collection in specs:
        raise ConfigurationError([f"{collection} is not a collection of items; {DATES}"])
    raise ConfigurationError([f"{place} has no collection {collection[:60]!r}; it has {', '.join(specs)}"])


def indexed_collection(spec: SourceSpec) -> IndexedCollection:
    """Return the collection of a specification in the form that `fill` needs."""
    assert spec.items is not None  # noqa: S101 -- of a collection of items
    return IndexedCollection(id=spec.collection, settings=spec.items.settings, keep_days=spec.items.keep_days)


def rules_of(spec: SourceSpec, prefixes: AllowedPlaces) -> ItemRules:
    """Return the rules for the items and files of a collection.

    Raises:
        ConfigurationError: Its filter is invalid.
    """
    text = None if spec.items is None else spec.items.filter
    assets = [variable.asset for variable in spec.stored.variables.values()]
    return ItemRules(
        # A variable without a key may be in several assets, which only their bands show.
        assets=frozenset(filter(None, assets)) if all(assets) else frozenset(),
        filter=None if text is None else ItemFilter(text),
        allowed=FoldersOnce(ItemPlaces(spec.href, prefixes).require_allowed).require_allowed,
        places=prefixes.digest,
        keep_days=None if spec.items is None else spec.items.keep_days,
    )


def identities_of(spec: SourceSpec, access: SourceAccess) -> frozenset[str]:
    """Return the possible identities of a source without reading it; only its documents show the class of the source.

    Raises:
        ConfigurationError: Its filter is invalid.
        UnsupportedSource: It cannot be a source of items.
    """
    if spec.kind != "stac":
        return frozenset({_files_source(spec, access).identity})
    href, identity = shown_href(_address_of(spec)), rules_of(spec, access.prefixes).identity
    return frozenset(f"{kind} {href} {identity}" for kind in ("api", "catalogue", "geoparquet"))


def _files_source(spec: SourceSpec, access: SourceAccess) -> FilesSource:
    if not is_tile_index(spec.href):
        return FilesSource(spec)
    return TileIndexSource(spec, rules_of(spec, access.prefixes).allowed, access.prefixes.digest)


def _address_of(spec: SourceSpec) -> str:
    return str(local_path(spec.href) or spec.href)


def source_of(spec: SourceSpec, access: SourceAccess) -> ItemSource:
    """Return the source of a collection of items.

    Raises:
        ConfigurationError: Its filter is invalid.
        SourceUnavailable: It is unreachable.
        UnsupportedSource: It is not a source of items.
    """
    if spec.kind != "stac":
        return _files_source(spec, access)
    inner_hosts.trust(spec.href)
    rules = rules_of(spec, access.prefixes)
    href = _address_of(spec)
    if is_geoparquet(href):
        return GeoparquetSource(href, rules)
    if local_path(href) is None:
        try:
            document = access.documents.read(href)
        except MissingDocument as error:
            raise UnsupportedSource(f"{shown_href(href)}: {error.message}") from error
        if document is not None and is_api(document.body):
            return ApiSource(document, access.documents, rules)
    return CatalogueSource(href, access.documents, rules, is_watched=access.is_watched)
