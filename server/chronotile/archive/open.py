"""Opening of an archive: configuration, styles, sources, catalogue."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from chronotile.archive import source_states
from chronotile.archive.default_times import add_valid_defaults
from chronotile.archive.discovery.discover import Discovery, DiscoveryProgress, discover
from chronotile.archive.findings import add_places, files_passed_over, value_findings
from chronotile.archive.masked_layers import add_clear_layers
from chronotile.archive.observe import observed_infos, styled_variables
from chronotile.archive.open_sources import elsewhere_findings, open_elsewhere, open_sources, reader_findings
from chronotile.archive.stac_defaults import CollectionDocument, add_stac_metadata, add_stated_extents
from chronotile.catalog.build import build_catalogue
from chronotile.catalog.load import Configuration, load_configuration, parse_configuration
from chronotile.catalog.source_specs import places_specs, source_specs
from chronotile.core.errors import ChronotileError, ConfigurationError, SourceUnavailable
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.collection import Clock
from chronotile.core.model.places import PlaceSet, PlacesSpec
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.core.model.style import Style
from chronotile.core.yaml_source import YamlNode
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.load import load_styles, shipped_styles, style_folders
from chronotile.readers.elsewhere import OPENING_S, START_S, Elsewhere, PendingSource, SourcesSnapshot, is_elsewhere
from chronotile.readers.file_states import DocumentState
from chronotile.readers.kinds import kind_of_spec, kind_options
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.places.place_files import read_places
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveState:
    """Everything that an archive was opened from; it is reopened if any part of this differs."""

    written: YamlNode
    """The configuration as text, by key."""
    styles: Mapping[str, Style]
    sources: Mapping[str, str]
    """Digests by collection."""
    places: Mapping[str, str]
    """Digests by place set."""
    passed_over: tuple[Finding, ...]
    """Findings about files next to those of the configuration that no collection reads."""
    elsewhere: int
    """Number of detected changes of remote sources, which the digests above do not cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An open archive, and the findings of its opening."""

    configuration: Configuration
    services: Services
    specs: Mapping[str, SourceSpec]
    state: ArchiveState
    documents: Mapping[str, DocumentState | source_states.IndexState]
    """States of item indexes, and of stores with one root document, by collection."""
    discovery: Discovery | None = None
    """Set if the configuration was derived from a folder or file of data."""
    unavailable: frozenset[str] = frozenset()
    """Collections whose source could not be read when this archive was opened."""
    collection_documents: Mapping[str, CollectionDocument] = field(default_factory=dict)
    """STAC documents of collections, by id."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of the opening."""
        return self.services.findings

    @property
    def unopened(self) -> dict[str, SourceSpec]:
        """Collections of items without any item that could be opened, by id."""
        unavailable = self.unavailable - self.services.readers.keys()
        return {name: spec for name, spec in self.specs.items() if name in unavailable and spec.items is not None}

    def close(self) -> None:
        """Close the sources."""
        self.services.elsewhere.close()
        for reader in self.services.readers.values():
            reader.close()


def open_archive(
    place: Path,
    *,
    environment: Mapping[str, str],
    clock: Clock,
    progress: DiscoveryProgress | None = None,
    patience_s: float = OPENING_S,
    caches: ReaderCaches | None = None,
) -> Archive:
    """Open the archive of a configuration file, or of a folder or file of data.

    Args:
        place: The configuration file, or the folder or file of data.
        environment: Variables that the configuration may refer to.
        clock: Returns the current time, which separates past and future times.
        progress: Called with the progress of a folder's sources.
        patience_s: Time limit for opening remote sources; later they are retried in the background.
        caches: Caches of its readers; `None`: new ones of the default size.

    Raises:
        ConfigurationError: The configuration or a style is invalid (all mistakes are listed), or no data can be served.
    """
    caches = caches or ReaderCaches()
    if is_configuration(place):
        return _open(*_load(place, environment), clock, patience_s=patience_s, caches=caches)
    styles = dict(shipped_styles())
    folder = source_states.folder_state(place)
    discovery = discover(place, styles, caches, progress=progress)
    file = discovery.root / "chronotile.yaml"
    configuration = parse_configuration(discovery.values(discovery.root), file=file, kinds=kind_options())
    archive = _open(configuration, styles, clock, discovery=discovery, caches=caches)
    return _add_discovery(archive, discovery, folder=folder)


def _add_discovery(archive: Archive, discovery: Discovery, *, folder: str) -> Archive:
    """Return an archive that was discovered in a folder; `folder` is the digest of the folder."""
    return replace(
        archive,
        services=replace(archive.services, findings=(*discovery.findings, *archive.findings)),
        discovery=discovery,
        state=replace(archive.state, sources={"": folder}),
    )


def refresh_archive(archive: Archive, place: Path, *, environment: Mapping[str, str], clock: Clock) -> Archive:
    """Reopen an archive if its configuration, styles or sources changed, else return it unchanged.

    Unchanged sources keep their open files, and their answers stay in the caches.

    Raises:
        ConfigurationError: The new configuration is invalid; the old archive stays usable.
    """
    caches = archive.services.reader_caches
    if archive.discovery is not None:
        if archive.state.sources == {"": source_states.folder_state(place)}:
            return archive
        return _share_services(archive, open_archive(place, environment=environment, clock=clock, caches=caches))
    configuration, styles = _load(place, environment)
    specs = source_specs(configuration, styles)
    changes = archive.services.elsewhere.found.changes
    state = _state_of(configuration, styles, specs, _index_of(specs, caches), elsewhere=changes)
    if state == archive.state and not _can_open(archive.unopened, caches):
        return archive
    if state != archive.state and replace(state, passed_over=archive.state.passed_over) == archive.state:
        # Only findings about unused files differ: nothing has to be reopened.
        before, unused_now = (add_places(x.passed_over, archive.configuration) for x in (archive.state, state))
        findings = (*(finding for finding in archive.findings if finding not in before), *unused_now)
        return replace(archive, services=replace(archive.services, findings=findings), state=state)
    return _share_services(archive, _open(configuration, styles, clock, before=archive, caches=caches))


def _can_open(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> bool:
    """Return whether at least one source can be opened now."""
    readers = open_sources(specs, caches).readers
    for reader in readers.values():
        reader.close()
    return bool(readers)


def reopen_grown(archive: Archive, *, clock: Clock) -> Archive:
    """Reopen an archive with the current content of its sources; the configuration is not read again.

    Raises:
        ConfigurationError: No data can be served any more.
    """
    newer = _open(
        archive.configuration,
        archive.state.styles,
        clock,
        before=archive,
        discovery=archive.discovery,
        caches=archive.services.reader_caches,
    )
    newer = _share_services(archive, newer)
    if archive.discovery is None:
        return newer
    return _add_discovery(newer, archive.discovery, folder=archive.state.sources[""])


_SHARED_SERVICES = ("caches", "published_cubes", "failing_dates", "memory", "served_axes", "checksums", "live_items")
"""Services that a reopened archive takes over."""


def _share_services(archive: Archive, newer: Archive) -> Archive:
    """Return `newer` with the caches of `archive`; clear times only of layers that still exist."""
    services = {name: getattr(archive.services, name) for name in _SHARED_SERVICES}
    catalogue = newer.services.catalogue
    layers = (*(x for collection in catalogue.collections for x in collection.layers), *catalogue.clear.values())
    ids = {layer.id for layer in layers}
    clear_times = {key: time for key, time in archive.services.clear_times.items() if key[0] in ids}
    return replace(newer, services=replace(newer.services, clear_times=clear_times, **services))


def is_configuration(place: Path) -> bool:
    """Return whether a path names a configuration file instead of data; the file may be missing."""
    return place.suffix.lower() in {".yaml", ".yml"} and not place.is_dir()


def _load(file: Path, environment: Mapping[str, str]) -> tuple[Configuration, dict[str, Style]]:
    """Return configuration and styles; the mistakes of both are reported together."""
    mistakes: list[str] = []
    styles: dict[str, Style] | None = None
    try:
        styles = load_styles(style_folders(file))
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        configuration = load_configuration(file, kinds=kind_options(), environment=environment, styles=styles)
    except ConfigurationError as error:
        raise ConfigurationError([*error.mistakes, *mistakes]) from error
    if styles is None:
        raise ConfigurationError(mistakes)
    return configuration, styles


def _open(  # noqa: PLR0913 -- four of them by keyword
    configuration: Configuration,
    styles: Mapping[str, Style],
    clock: Clock,
    *,
    caches: ReaderCaches,
    before: Archive | None = None,
    discovery: Discovery | None = None,
    patience_s: float = START_S,
) -> Archive:
    """Open the archive of a written or discovered configuration."""
    index = _index_of(source_specs(configuration, styles), caches)
    completed = add_stac_metadata(
        configuration,
        styles,
        index,
        before={} if before is None else before.collection_documents,
        is_same=before is not None and before.configuration.root == configuration.root,
    )
    specs = source_specs(completed.configuration, completed.styles)
    here = {name: spec for name, spec in specs.items() if not is_elsewhere(spec)}
    # Taken before files are opened, so that a later change is seen.
    documents = source_states.document_states(here, index)
    elsewhere = Elsewhere(partial(open_elsewhere, caches)) if before is None else before.services.elsewhere
    state = _state_of(configuration, styles, specs, index, elsewhere=0)
    places, place_findings = open_places(places_specs(configuration), unchanged=_unchanged_places(before, state))
    readers, local_findings, unopened = _open_local(here, state, before=before, caches=caches)
    snapshot = elsewhere.open(_remote_sources(configuration, specs), patience_s=patience_s)
    infos = observed_infos(completed.configuration.collections, readers)
    infos |= {name: o.info for name, o in snapshot.opened.items()}
    readers |= {name: o.reader for name, o in snapshot.opened.items()}
    unavailable = (
        (snapshot.unavailable.keys() - snapshot.opened.keys())
        | _collections_without_items(here, index, readers)
        | unopened
    )
    catalogue, findings = build_catalogue(
        completed.configuration,
        infos,
        completed.styles,
        places=places,
        unavailable=unavailable,
        shipped=shipped_styles(),
    )
    catalogue = add_stated_extents(
        catalogue, specs, {name: document.body for name, document in completed.documents.items()}
    )
    catalogue, default_findings = add_valid_defaults(catalogue, readers, clock(), elsewhere=elsewhere)
    catalogue = add_clear_layers(catalogue)
    _require_index(here, before, caches)
    source_findings = (*local_findings, *elsewhere_findings(snapshot, specs), *reader_findings(readers))
    if not catalogue.collections and not (unavailable or snapshot.wrong):
        raise _nothing_served((*source_findings, *findings), configuration)
    left_out = [x for spec in here.values() for x in kind_of_spec(spec.stored).unused_data_findings(spec.stored)]
    if discovery is None:  # otherwise discovery reports unused files and odd values
        left_out += [*state.passed_over, *_odd_values(infos, styles)]
    all_findings = (*source_findings, *completed.findings, *left_out, *place_findings, *findings, *default_findings)
    return Archive(
        configuration=configuration,
        services=Services(
            catalogue=catalogue,
            readers=readers,
            clock=clock,
            reader_caches=caches,
            is_local=source_states.local_sources(specs),
            changes=source_states.last_changes(configuration.root, [configuration.folder_of() / "styles"], specs),
            findings=add_places(all_findings, configuration),
            elsewhere=elsewhere,
            revision=_revision(state, snapshot),
            source_hrefs={name: spec.href for name, spec in specs.items()},
        ),
        specs=specs,
        state=replace(state, elsewhere=snapshot.changes),
        documents=documents,
        unavailable=frozenset(snapshot.unavailable) | unavailable,
        collection_documents=completed.documents,
    )


def _require_index(specs: Mapping[str, SourceSpec], before: Archive | None, caches: ReaderCaches) -> None:
    """Check after the opening that the index still answers, if collections of `before` are in it.

    While it is unreachable, these collections cannot be opened or sampled: they would disappear or change their range.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    served = () if before is None else before.services.readers.keys()
    indexed = [name for name in served if name in specs and specs[name].items is not None]
    if indexed and caches.items is not None:
        caches.items.state(indexed[0], is_fresh=True)


def _collections_without_items(
    specs: Mapping[str, SourceSpec], index: PieceIndex | None, readers: Collection[str]
) -> frozenset[str]:
    """Return collections without indexed items, which are unavailable until the index is filled."""
    names = [name for name, spec in specs.items() if spec.items is not None and name not in readers]
    try:
        states = {} if index is None else {name: (index.settings(name), index.extent(name)) for name in names}
    except SourceUnavailable:  # opening each collection reports that the index is unreachable
        return frozenset()
    # No items, or the dates of a former collection without items.
    return frozenset(
        name
        for name, (settings, extent) in states.items()
        if extent is None or (settings is not None and settings.is_of_dates)
    )


def _index_of(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> PieceIndex | None:
    """Return the index of items; `None` if it is unreachable or no source has items.

    Raises:
        ConfigurationError: The index cannot be used.
    """
    try:
        return caches.items if any(spec.items is not None for spec in specs.values()) else None
    except SourceUnavailable:
        return None


def _open_local(
    specs: Mapping[str, SourceSpec], state: ArchiveState, *, before: Archive | None, caches: ReaderCaches
) -> tuple[dict[str, Reader], list[Finding], frozenset[str]]:
    """Return readers of local sources (of unchanged ones those of `before`), findings, and unavailable collections."""
    unchanged = {} if before is None else _unchanged_readers(before, specs, state)
    opened = open_sources({name: spec for name, spec in specs.items() if name not in unchanged}, caches)
    failing = {} if before is None else _failing_cubes(before, specs, {*unchanged, *opened.readers})
    readers = {**unchanged, **opened.readers, **failing}
    return readers, _source_findings(opened.findings, failing), opened.unavailable - readers.keys()


def _nothing_served(findings: Iterable[Finding], configuration: Configuration) -> ConfigurationError:
    # The error of a configuration without any served collection.
    failures = add_places([finding for finding in findings if finding.severity == "error"], configuration)
    return ConfigurationError(
        [replace(failure, message=failure.message.removeprefix(LEFT_OUT)).text for failure in failures]
    )


def _revision(state: ArchiveState, snapshot: SourcesSnapshot) -> str:
    return fingerprint(
        state.written.plain(),
        sorted(state.styles.items()),
        *(sorted(states.items()) for states in (state.sources, state.places)),
        sorted(snapshot.unavailable),
        sorted((name, o.state) for name, o in snapshot.opened.items()),
    )


def _remote_sources(configuration: Configuration, specs: Mapping[str, SourceSpec]) -> dict[str, PendingSource]:
    """Return the remote sources of a configuration."""
    return {
        name: PendingSource(spec=spec, styled=styled_variables(configuration.collections[name]))
        for name, spec in specs.items()
        if is_elsewhere(spec)
    }


def _odd_values(infos: Mapping[str, SourceInfo], styles: Mapping[str, Style]) -> Iterator[Finding]:
    """Yield findings about values of variables without a configured style; `chronotile check` reads the others."""
    for collection, info in infos.items():
        for variable in info.variables.values():
            yield from (
                replace(finding, place=f"{collection}: {finding.place}") for finding in value_findings(variable, styles)
            )


def _state_of(
    configuration: Configuration,
    styles: Mapping[str, Style],
    specs: Mapping[str, SourceSpec],
    index: PieceIndex | None,
    *,
    elsewhere: int,
) -> ArchiveState:
    """Return the current state. Remote sources are not queried; `elsewhere` counts their detected changes."""
    here = {name: spec for name, spec in specs.items() if not is_elsewhere(spec)}
    return ArchiveState(
        written=configuration.root,
        styles=styles,
        sources=source_states.source_states(here, index),
        passed_over=tuple(files_passed_over({name: spec.stored for name, spec in here.items()})),
        places={
            name: source_states.state_of_file(Path(spec.path)) for name, spec in places_specs(configuration).items()
        },
        elsewhere=elsewhere,
    )


def _unchanged_places(before: Archive | None, state: ArchiveState) -> dict[str, PlaceSet]:
    """Return the place sets whose files are unchanged."""
    if before is None:
        return {}
    sets = before.services.catalogue.places
    return {name: s for name, s in sets.items() if state.places.get(name) == before.state.places.get(name)}


def _failing_cubes(before: Archive, specs: Mapping[str, SourceSpec], opened: Collection[str]) -> dict[str, Reader]:
    """Return the readers of serving cubes that are configured as before and can no longer be opened.

    They stay in use, so that requests report a failing source instead of an unknown layer until the cube is repaired.
    """
    return {
        name: before.services.readers[name]
        for name in before.documents.keys() - set(opened)
        if name in before.services.readers and specs.get(name) == before.specs.get(name)
    }


def _source_findings(findings: Iterable[Finding], failing: Collection[str]) -> list[Finding]:
    """Return findings of sources; messages about failing cubes do not say that the collection is left out."""
    return [
        replace(finding, message=f"its layers fail until it is repaired: {finding.message.removeprefix(LEFT_OUT)}")
        if finding.place in failing
        else finding
        for finding in findings
    ]


def _unchanged_readers(before: Archive, specs: Mapping[str, SourceSpec], state: ArchiveState) -> dict[str, Reader]:
    """Return open readers of sources with unchanged configuration and times."""
    return {
        name: reader
        for name, reader in before.services.readers.items()
        if specs.get(name) == before.specs.get(name) and state.sources.get(name) == before.state.sources.get(name)
    }


def open_places(
    specs: Mapping[str, PlacesSpec], *, unchanged: Mapping[str, PlaceSet]
) -> tuple[dict[str, PlaceSet], list[Finding]]:
    """Read place sets.

    Args:
        specs: The place sets, by id.
        unchanged: Sets whose files are unchanged; they are reused if their specification is unchanged too.

    Returns:
        The readable sets by id, and findings, one for each set that cannot be read.
    """
    sets, findings = dict[str, PlaceSet](), list[Finding]()
    for name, spec in specs.items():
        place = f"places.{name}"
        earlier = unchanged.get(name)
        try:
            sets[name] = earlier if earlier is not None and earlier.spec == spec else read_places(spec)
        except ChronotileError as error:
            findings.append(Finding("error", place, f"left out: {error.message}", path=spec.path))
        else:
            findings += [replace(finding, place=place) for finding in sets[name].findings]
    return sets, findings
