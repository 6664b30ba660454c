"""Everything that is served, opened once: configuration, styles, sources, catalogue."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from chronotile.archive import refresh
from chronotile.archive.discovery.discover import Discovery, Progress, discover
from chronotile.archive.findings import files_passed_over, value_findings, with_places
from chronotile.archive.observe import observed_infos, styled_variables, with_clear_layers, with_valid_defaults
from chronotile.archive.open_sources import elsewhere_findings, open_elsewhere, open_sources, reader_findings
from chronotile.archive.stac_defaults import CollectionDocument, with_stac_metadata, with_stated_extents
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
from chronotile.readers.hrefs import DocumentState
from chronotile.readers.kinds import kind_of_spec, kind_options
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.places.place_files import read_places
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveState:
    """What an archive was opened from; it is reopened where any of it differs."""

    written: YamlNode
    """The configuration as it is written."""
    styles: Mapping[str, Style]
    sources: Mapping[str, str]
    """Digests by collection."""
    places: Mapping[str, str]
    """Digests by set of places."""
    passed_over: tuple[Finding, ...]
    """About files beside those of a configuration that no collection reads."""
    elsewhere: int
    """Changes found so far of sources on other machines, which the digests above do not cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is served, and what was found when it was opened."""

    configuration: Configuration
    services: Services
    specs: Mapping[str, SourceSpec]
    state: ArchiveState
    documents: Mapping[str, DocumentState | refresh.IndexState]
    """By collection, of stores that tell in one document what they hold."""
    discovery: Discovery | None = None
    """Where the configuration was made from what a folder or file of data holds."""
    unavailable: frozenset[str] = frozenset()
    """Collections whose source is elsewhere and could not be read when this archive was made."""
    collection_documents: Mapping[str, CollectionDocument] = field(default_factory=dict)
    """STAC documents of collections, by id."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found when it was opened."""
        return self.services.findings

    @property
    def unopened(self) -> dict[str, SourceSpec]:
        """The collections of items of which no item could be opened, by id."""
        unavailable = self.unavailable - self.services.readers.keys()
        return {name: spec for name, spec in self.specs.items() if name in unavailable and spec.items is not None}

    def close(self) -> None:
        """Let go of the sources."""
        self.services.elsewhere.close()
        for reader in self.services.readers.values():
            reader.close()


def open_archive(
    place: Path,
    *,
    environment: Mapping[str, str],
    clock: Clock,
    progress: Progress | None = None,
    patience_s: float = OPENING_S,
    caches: ReaderCaches | None = None,
) -> Archive:
    """Return the opened archive of a configuration file, or of a folder or file of data.

    Args:
        place: The configuration file, or the folder or file of data.
        environment: Variables that the configuration may name.
        clock: The current time; later times lie in the future.
        progress: Called with the progress of a folder's sources.
        patience_s: How long to wait for sources on other machines; later ones are retried in the background.
        caches: The caches of its readers; `None`: new ones of the default size.

    Raises:
        ConfigurationError: With all mistakes of the configuration and the styles; or none of the data can be served.
    """
    caches = caches or ReaderCaches()
    if is_configuration(place):
        return _open(*_loaded(place, environment), clock, patience_s=patience_s, caches=caches)
    styles = dict(shipped_styles())
    folder = refresh.folder_state(place)
    discovery = discover(place, styles, caches, progress=progress)
    file = discovery.root / "chronotile.yaml"
    configuration = parse_configuration(discovery.values(discovery.root), file=file, kinds=kind_options())
    archive = _open(configuration, styles, clock, discovery=discovery, caches=caches)
    return _with_discovery(archive, discovery, folder=folder)


def _with_discovery(archive: Archive, discovery: Discovery, *, folder: str) -> Archive:
    """The archive of what was found in a folder, whose state is `folder`."""
    return replace(
        archive,
        services=replace(archive.services, findings=(*discovery.findings, *archive.findings)),
        discovery=discovery,
        state=replace(archive.state, sources={"": folder}),
    )


def refresh_archive(archive: Archive, place: Path, *, environment: Mapping[str, str], clock: Clock) -> Archive:
    """Return the archive reopened if its configuration, styles or sources changed, else the same.

    Sources that did not change keep their open files, and answers made of them stay in the caches.

    Raises:
        ConfigurationError: With all mistakes of the new configuration; the old one still serves.
    """
    caches = archive.services.reader_caches
    if archive.discovery is not None:
        if archive.state.sources == {"": refresh.folder_state(place)}:
            return archive
        return _with_caches_of(archive, open_archive(place, environment=environment, clock=clock, caches=caches))
    configuration, styles = _loaded(place, environment)
    specs = source_specs(configuration, styles)
    changes = archive.services.elsewhere.found.changes
    state = _state_of(configuration, styles, specs, _index_of(specs, caches), elsewhere=changes)
    if state == archive.state and not _opens_now(archive.unopened, caches):
        return archive
    if state != archive.state and replace(state, passed_over=archive.state.passed_over) == archive.state:
        # Other findings about files that no collection reads: nothing is opened again.
        before, now = (with_places(each.passed_over, archive.configuration) for each in (archive.state, state))
        findings = (*(each for each in archive.findings if each not in before), *now)
        return replace(archive, services=replace(archive.services, findings=findings), state=state)
    return _with_caches_of(archive, _open(configuration, styles, clock, before=archive, caches=caches))


def _opens_now(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> bool:
    """Whether one of the sources opens by now."""
    found = open_sources(specs, caches).readers
    for reader in found.values():
        reader.close()
    return bool(found)


def grown(archive: Archive, *, clock: Clock) -> Archive:
    """Return the archive with what its sources hold now; its configuration is not looked at.

    Raises:
        ConfigurationError: Nothing of it can be served any more.
    """
    newer = _open(
        archive.configuration,
        archive.state.styles,
        clock,
        before=archive,
        discovery=archive.discovery,
        caches=archive.services.reader_caches,
    )
    newer = _with_caches_of(archive, newer)
    if archive.discovery is None:
        return newer
    return _with_discovery(newer, archive.discovery, folder=archive.state.sources[""])


_KEPT = ("caches", "published_cubes", "failing_dates", "memory", "served_axes", "checksums", "live_items")
"""Of services, also when the archive is opened again."""


def _with_caches_of(archive: Archive, newer: Archive) -> Archive:
    kept = {name: getattr(archive.services, name) for name in _KEPT}
    return replace(newer, services=replace(newer.services, **kept))


def is_configuration(place: Path) -> bool:
    """Whether a place names a configuration file rather than data; one that is not there does."""
    return place.suffix.lower() in {".yaml", ".yml"} and not place.is_dir()


def _loaded(file: Path, environment: Mapping[str, str]) -> tuple[Configuration, dict[str, Style]]:
    """The configuration and the styles; the mistakes of both are reported together."""
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


def _open(  # noqa: PLR0913 -- of which four are named
    configuration: Configuration,
    styles: Mapping[str, Style],
    clock: Clock,
    *,
    caches: ReaderCaches,
    before: Archive | None = None,
    discovery: Discovery | None = None,
    patience_s: float = START_S,
) -> Archive:
    """The archive of a configuration that was written, or of one that was found in a folder."""
    index = _index_of(source_specs(configuration, styles), caches)
    completed = with_stac_metadata(
        configuration,
        styles,
        index,
        before={} if before is None else before.collection_documents,
        is_same=before is not None and before.configuration.root == configuration.root,
    )
    specs = source_specs(completed.configuration, completed.styles)
    here = {name: spec for name, spec in specs.items() if not is_elsewhere(spec)}
    documents = refresh.document_states(here, index)  # before they are opened: what comes between is seen as new
    elsewhere = Elsewhere(partial(open_elsewhere, caches)) if before is None else before.services.elsewhere
    state = _state_of(configuration, styles, specs, index, elsewhere=0)
    places, of_places = open_places(places_specs(configuration), unchanged=_unchanged_places(before, state))
    readers, of_readers, unopened = _opened_here(here, state, before=before, caches=caches)
    # Collections of `before` would be lost if the index does not answer.
    lost = set[str]() if before is None else before.services.readers.keys() & unopened
    if lost and caches.items is not None:
        refresh.state_in_index(caches.items, min(lost))
    found = elsewhere.open(_wanted(configuration, specs), patience_s=patience_s)
    infos = observed_infos(completed.configuration.collections, readers)
    infos |= {name: each.info for name, each in found.opened.items()}
    readers |= {name: each.reader for name, each in found.opened.items()}
    unavailable = (found.unavailable.keys() - found.opened.keys()) | _without_items(here, index, readers) | unopened
    catalogue, findings = build_catalogue(
        completed.configuration,
        infos,
        completed.styles,
        places=places,
        unavailable=unavailable,
        shipped=shipped_styles(),
    )
    catalogue = with_stated_extents(catalogue, specs, {name: each.body for name, each in completed.documents.items()})
    catalogue, notes = with_valid_defaults(catalogue, readers, clock(), elsewhere=elsewhere)
    catalogue = with_clear_layers(catalogue)
    of_sources = (*of_readers, *elsewhere_findings(found, specs), *reader_findings(readers))
    if not catalogue.collections and not (unavailable or found.wrong):
        raise _nothing_served((*of_sources, *findings), configuration)
    left_out = [each for spec in here.values() for each in kind_of_spec(spec.stored).left_out(spec.stored)]
    if discovery is None:  # else a walk through the folder reports files
        left_out += [*state.passed_over, *_odd_values(infos, styles)]
    found_here = (*of_sources, *completed.findings, *left_out, *of_places, *findings, *notes)
    return Archive(
        configuration=configuration,
        services=Services(
            catalogue=catalogue,
            readers=readers,
            clock=clock,
            reader_caches=caches,
            is_local=refresh.local_sources(specs),
            changes=refresh.last_changes(configuration.root, [configuration.folder_of() / "styles"], specs),
            findings=with_places(found_here, configuration),
            elsewhere=elsewhere,
            revision=_revision(state, found),
            source_hrefs={name: spec.href for name, spec in specs.items()},
        ),
        specs=specs,
        state=replace(state, elsewhere=found.changes),
        documents=documents,
        unavailable=frozenset(found.unavailable) | unavailable,
        collection_documents=completed.documents,
    )


def _without_items(
    specs: Mapping[str, SourceSpec], index: PieceIndex | None, readers: Collection[str]
) -> frozenset[str]:
    """Collections that the index has nothing of yet: as if their source were away until it is filled."""
    names = [name for name, spec in specs.items() if spec.items is not None and name not in readers]
    try:
        known = {} if index is None else {name: (index.settings(name), index.extent(name)) for name in names}
    except SourceUnavailable:  # which is a finding of each
        return frozenset()
    # Nothing, or the dates of what it was before.
    return frozenset(
        name
        for name, (settings, extent) in known.items()
        if extent is None or (settings is not None and settings.is_of_dates)
    )


def _index_of(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> PieceIndex | None:
    """The index of items, where a source has some; `None` while it does not answer: then its collections are away.

    Raises:
        ConfigurationError: It cannot be used.
    """
    try:
        return caches.items if any(spec.items is not None for spec in specs.values()) else None
    except SourceUnavailable:
        return None


def _opened_here(
    specs: Mapping[str, SourceSpec], state: ArchiveState, *, before: Archive | None, caches: ReaderCaches
) -> tuple[dict[str, Reader], list[Finding], frozenset[str]]:
    """The readers of sources of this machine: of those that did not change the ones of before; and what is away."""
    unchanged = {} if before is None else _unchanged(before, specs, state)
    opened = open_sources({name: spec for name, spec in specs.items() if name not in unchanged}, caches)
    failing = {} if before is None else _failing_cubes(before, specs, {*unchanged, *opened.readers})
    readers = {**unchanged, **opened.readers, **failing}
    return readers, _source_findings(opened.findings, failing), opened.unavailable - readers.keys()


def _nothing_served(findings: Iterable[Finding], configuration: Configuration) -> ConfigurationError:
    # The error of a configuration of which nothing can be served.
    failures = with_places([each for each in findings if each.severity == "error"], configuration)
    return ConfigurationError([replace(each, message=each.message.removeprefix(LEFT_OUT)).text for each in failures])


def _revision(state: ArchiveState, found: SourcesSnapshot) -> str:
    return fingerprint(
        state.written.plain(),
        sorted(state.styles.items()),
        *(sorted(states.items()) for states in (state.sources, state.places)),
        sorted(found.unavailable),
        sorted((name, each.state) for name, each in found.opened.items()),
    )


def _wanted(configuration: Configuration, specs: Mapping[str, SourceSpec]) -> dict[str, PendingSource]:
    """The sources elsewhere that are to be opened."""
    return {
        name: PendingSource(spec=spec, styled=styled_variables(configuration.collections[name]))
        for name, spec in specs.items()
        if is_elsewhere(spec)
    }


def _odd_values(infos: Mapping[str, SourceInfo], styles: Mapping[str, Style]) -> Iterator[Finding]:
    """Of variables without a configured style, whose values were looked at; `check` looks at the others."""
    for collection, info in infos.items():
        for variable in info.variables.values():
            yield from (replace(each, place=f"{collection}: {each.place}") for each in value_findings(variable, styles))


def _state_of(
    configuration: Configuration,
    styles: Mapping[str, Style],
    specs: Mapping[str, SourceSpec],
    index: PieceIndex | None,
    *,
    elsewhere: int,
) -> ArchiveState:
    """The state of now; no source elsewhere is queried, of whose changes `elsewhere` counts what was noticed."""
    here = {name: spec for name, spec in specs.items() if not is_elsewhere(spec)}
    return ArchiveState(
        written=configuration.root,
        styles=styles,
        sources=refresh.source_states(here, index),
        passed_over=tuple(files_passed_over({name: spec.stored for name, spec in here.items()})),
        places={name: refresh.state_of_file(Path(spec.path)) for name, spec in places_specs(configuration).items()},
        elsewhere=elsewhere,
    )


def _unchanged_places(before: Archive | None, state: ArchiveState) -> dict[str, PlaceSet]:
    """The sets that were read from files which are as they were."""
    if before is None:
        return {}
    sets = before.services.catalogue.places
    return {name: each for name, each in sets.items() if state.places.get(name) == before.state.places.get(name)}


def _failing_cubes(before: Archive, specs: Mapping[str, SourceSpec], opened: Collection[str]) -> dict[str, Reader]:
    """The readers of serving cubes that are configured as before and cannot be opened now.

    They are served on: each request gets the fault of a failing source, not of an unknown layer, until the cube is
    repaired.
    """
    return {
        name: before.services.readers[name]
        for name in before.documents.keys() - set(opened)
        if name in before.services.readers and specs.get(name) == before.specs.get(name)
    }


def _source_findings(findings: Iterable[Finding], failing: Collection[str]) -> list[Finding]:
    """The findings of sources that were opened; those that fail are not left out."""
    return [
        replace(each, message=f"its layers fail until it is repaired: {each.message.removeprefix(LEFT_OUT)}")
        if each.place in failing
        else each
        for each in findings
    ]


def _unchanged(before: Archive, specs: Mapping[str, SourceSpec], state: ArchiveState) -> dict[str, Reader]:
    """The open readers of sources that are configured as before and hold the same times."""
    return {
        name: reader
        for name, reader in before.services.readers.items()
        if specs.get(name) == before.specs.get(name) and state.sources.get(name) == before.state.sources.get(name)
    }


def open_places(
    specs: Mapping[str, PlacesSpec], *, unchanged: Mapping[str, PlaceSet]
) -> tuple[dict[str, PlaceSet], list[Finding]]:
    """Return the sets of `specs` that can be read, by id, and findings: one that cannot be read is one.

    Args:
        specs: What to read, by id.
        unchanged: Sets read before from files that did not change; those that are configured as before are taken again.
    """
    sets, findings = dict[str, PlaceSet](), list[Finding]()
    for name, spec in specs.items():
        place = f"places.{name}"
        known = unchanged.get(name)
        try:
            sets[name] = known if known is not None and known.spec == spec else read_places(spec)
        except ChronotileError as error:
            findings.append(Finding("error", place, f"left out: {error.message}", path=spec.path))
        else:
            findings += [replace(finding, place=place) for finding in sets[name].findings]
    return sets, findings
