"""Everything that is served, opened once: configuration, styles, sources, catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chronotile.catalog.build import build_catalogue, source_specs
from chronotile.catalog.load import Configuration, load_configuration
from chronotile.ingest.open_sources import open_sources
from chronotile.model.collection import Clock
from chronotile.model.source import Finding
from chronotile.pipeline.services import Services
from chronotile.styling.load import load_styles, style_folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is served, and what was found when it was opened."""

    configuration: Configuration
    services: Services
    findings: tuple[Finding, ...]

    def close(self) -> None:
        """Let go of the sources."""
        for reader in self.services.readers.values():
            reader.close()


def open_archive(place: Path, *, environment: Mapping[str, str], clock: Clock) -> Archive:
    """Return what a configuration file says is to be served.

    Raises:
        ConfigurationError: With all mistakes of the configuration and the styles.
    """
    styles = load_styles(style_folders(place))
    configuration = load_configuration(place, environment=environment, styles=styles)
    opened = open_sources(source_specs(configuration))
    catalogue, findings = build_catalogue(configuration, opened.infos, styles)
    services = Services(catalogue=catalogue, readers=opened.readers, clock=clock)
    return Archive(configuration=configuration, services=services, findings=(*opened.findings, *findings))
