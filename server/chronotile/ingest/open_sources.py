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
    """The sources that opened, by collection, and what was found while opening."""

    readers: Mapping[str, Reader]
    findings: tuple[Finding, ...]


def open_sources(specs: Mapping[str, SourceSpec]) -> OpenSources:
    """Return the sources of `specs`; one that does not open is left out and becomes a finding."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="open") as pool:
        opened = list(pool.map(_open, specs.values()))
    readers = {spec.collection: each for spec, each in zip(specs.values(), opened, strict=True)}
    findings = [each for each in opened if isinstance(each, Finding)]
    for collection, reader in readers.items():
        if not isinstance(reader, Finding):
            findings += [replace(each, place=f"{collection}: {each.place}") for each in reader.info.findings]
    return OpenSources(
        readers={name: each for name, each in readers.items() if not isinstance(each, Finding)},
        findings=tuple(findings),
    )


def _open(spec: SourceSpec) -> Reader | Finding:
    try:
        return open_source(spec)
    except ChronotileError as error:
        return Finding("error", spec.collection, f"left out: {error.message}", path=shown_href(spec.href))
