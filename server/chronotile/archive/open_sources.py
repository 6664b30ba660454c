"""Opening the sources of a configuration: those of this machine several at once, those elsewhere with a deadline."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from chronotile.core.errors import ChronotileError, SourceUnavailable
from chronotile.core.finding import LEFT_OUT, Finding, Severity
from chronotile.core.model.source import SourceSpec
from chronotile.readers.elsewhere import Opened, PendingSource, SourcesSnapshot, open_pending
from chronotile.readers.hrefs import shown_href
from chronotile.readers.kinds import kind_of_spec, open_source
from chronotile.readers.library_errors import opening
from chronotile.readers.mosaic.info import NONE_FOUND, NONE_INDEXED
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import looks

THREADS = 8
"""Sources opened at once: most of the time is spent waiting."""

UNMARKED = (
    "its server sends neither ETag nor Last-Modified: a file replaced by another of the same size is not "
    "detected; configure the server to send an ETag"
)
WRONG = "no failure of its server, but of its content or the configuration: it does not pass by itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSources:
    """The sources that opened, by collection, and a finding for each that did not."""

    readers: Mapping[str, Reader]
    findings: tuple[Finding, ...]
    unavailable: frozenset[str]
    """Collections of items whose index, or of whose items all files that were tried, cannot be read now."""


def open_sources(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> OpenSources:
    """Return the sources of `specs`; one that does not open is left out and becomes a finding."""
    unavailable = set[str]()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="open") as pool:
        opened = list(pool.map(partial(_open, caches, unavailable), specs.values()))
    found = {spec.collection: each for spec, each in zip(specs.values(), opened, strict=True)}
    return OpenSources(
        readers={name: each for name, each in found.items() if not isinstance(each, Finding)},
        findings=tuple(each for each in opened if isinstance(each, Finding)),
        unavailable=frozenset(unavailable),
    )


def open_elsewhere(caches: ReaderCaches, source: PendingSource) -> Opened:
    """Return a source elsewhere opened, with the findings of its bands and all that a collection needs.

    Raises:
        UnsupportedSource: It cannot be served.
        SourceUnavailable: It opens, but its pixels cannot be read.
    """
    opened, spec = open_pending(source, caches), source.spec
    findings = list(kind_of_spec(spec).left_out(spec.stored))
    if looks.has_unmarked(spec.href):
        findings.append(Finding("warning", spec.collection, UNMARKED, path=shown_href(spec.href)))
    return replace(opened, findings=tuple(findings))


def elsewhere_findings(found: SourcesSnapshot, specs: Mapping[str, SourceSpec]) -> list[Finding]:
    """Return a finding for each source elsewhere that is away or wrong, and what was found of those that opened."""
    fails = "its layers fail until it can be read again: "
    unavailable = [
        (name, f"{fails if name in found.opened else LEFT_OUT}{reason}") for name, reason in found.unavailable.items()
    ]
    wrong = [(name, f"{LEFT_OUT}{reason}; {WRONG}") for name, reason in found.wrong.items()]
    failures = [
        Finding("error", name, text, path=shown_href(specs[name].href)) for name, text in (*unavailable, *wrong)
    ]
    return [*failures, *(finding for each in found.opened.values() for finding in each.findings)]


def reader_findings(readers: Mapping[str, Reader]) -> list[Finding]:
    """Return what was found while sources were opened that did open, however long ago, by collection."""
    return [
        replace(each, place=f"{collection}: {each.place}")
        for collection, reader in readers.items()
        for each in reader.info.findings
    ]


def _open(caches: ReaderCaches, unavailable: set[str], spec: SourceSpec) -> Reader | Finding:
    try:
        with opening("it"):
            return open_source(spec, caches)
    except ChronotileError as error:
        if spec.items is not None and isinstance(error, SourceUnavailable):
            unavailable.add(spec.collection)
        # A server fills the index of files after its start, and a live collection has no items before its first search.
        is_filled_later = error.message == NONE_FOUND or (error.message == NONE_INDEXED and spec.kind != "stac")
        severity: Severity = "note" if is_filled_later else "error"
        return Finding(severity, spec.collection, f"{LEFT_OUT}{error.message}", path=shown_href(spec.href))
