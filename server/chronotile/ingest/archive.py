"""Everything that is served, opened once: configuration, styles, sources, catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chronotile.catalog.build import build_catalogue, source_specs
from chronotile.catalog.load import Configuration, configuration_of, load_configuration
from chronotile.errors import ConfigurationError
from chronotile.ingest.discover import LEFT_OUT, Discovery, Progress, discover
from chronotile.ingest.observe import observed_infos
from chronotile.ingest.open_sources import open_sources
from chronotile.ingest.valid_share import with_valid_defaults
from chronotile.model.collection import Clock
from chronotile.model.source import Finding
from chronotile.model.style import Style
from chronotile.pipeline.services import Services
from chronotile.styling.load import load_styles, style_folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is served, and what was found when it was opened."""

    configuration: Configuration
    services: Services
    findings: tuple[Finding, ...]
    discovery: Discovery | None = None
    """Where the configuration was made from what a folder or file of data holds."""

    def close(self) -> None:
        """Let go of the sources."""
        for reader in self.services.readers.values():
            reader.close()


def open_archive(
    place: Path, *, environment: Mapping[str, str], clock: Clock, progress: Progress | None = None
) -> Archive:
    """Return what a configuration file says, or a folder or file of data holds, opened.

    Raises:
        ConfigurationError: With all mistakes of the configuration and the styles; or nothing there can be served.
    """
    if is_configuration(place):
        return _opened(*_loaded(place, environment), clock)
    styles = load_styles(style_folders(None))
    discovery = discover(place, styles, progress=progress)
    configuration = configuration_of(discovery.values(discovery.root), file=discovery.root / "chronotile.yaml")
    archive = _opened(configuration, styles, clock)
    return replace(archive, findings=(*discovery.findings, *archive.findings), discovery=discovery)


def is_configuration(place: Path) -> bool:
    """Whether a place names a configuration file rather than data; one that is not there does."""
    return place.suffix.lower() in {".yaml", ".yml"} and not place.is_dir()


def _loaded(file: Path, environment: Mapping[str, str]) -> tuple[Configuration, dict[str, Style]]:
    """The configuration and the styles; the mistakes of both are told together."""
    mistakes: list[str] = []
    styles: dict[str, Style] | None = None
    try:
        styles = load_styles(style_folders(file))
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        configuration = load_configuration(file, environment=environment, styles=styles)
    except ConfigurationError as error:
        raise ConfigurationError([*error.mistakes, *mistakes]) from error
    if styles is None:
        raise ConfigurationError(mistakes)
    return configuration, styles


def _opened(configuration: Configuration, styles: Mapping[str, Style], clock: Clock) -> Archive:
    opened = open_sources(source_specs(configuration))
    infos = observed_infos(configuration.collections, opened.readers)
    catalogue, findings = build_catalogue(configuration, infos, styles)
    catalogue, notes = with_valid_defaults(catalogue, opened.readers, clock())
    if not catalogue.collections:
        failures = [each for each in (*opened.findings, *findings) if each.severity == "error"]
        raise ConfigurationError([f"{each.place}: {each.message.removeprefix(LEFT_OUT)}" for each in failures])
    services = Services(catalogue=catalogue, readers=opened.readers, clock=clock)
    return Archive(configuration=configuration, services=services, findings=(*opened.findings, *findings, *notes))
