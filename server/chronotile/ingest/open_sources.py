"""Opening the sources of a configuration, several at once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from chronotile.errors import ChronotileError
from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.hrefs import shown_href
from chronotile.readers.open import open_source
from chronotile.readers.reader import Reader

THREADS = 8
"""Sources opened at once: most of the time is spent waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSources:
    """The sources that opened, by collection, and a finding for each that did not."""

    readers: Mapping[str, Reader]
    findings: tuple[Finding, ...]


def open_sources(specs: Mapping[str, SourceSpec]) -> OpenSources:
    """Return the sources of `specs`; one that does not open is left out and becomes a finding."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="open") as pool:
        opened = list(pool.map(_open, specs.values()))
    found = {spec.collection: each for spec, each in zip(specs.values(), opened, strict=True)}
    return OpenSources(
        readers={name: each for name, each in found.items() if not isinstance(each, Finding)},
        findings=tuple(each for each in opened if isinstance(each, Finding)),
    )


def reader_findings(readers: Mapping[str, Reader]) -> list[Finding]:
    """Return what was found while sources were opened that did open, however long ago, by collection."""
    return [
        replace(each, place=f"{collection}: {each.place}")
        for collection, reader in readers.items()
        for each in reader.info.findings
    ]


def _open(spec: SourceSpec) -> Reader | Finding:
    try:
        return open_source(spec)
    except ChronotileError as error:
        return Finding("error", spec.collection, f"left out: {error.message}", path=shown_href(spec.href))
