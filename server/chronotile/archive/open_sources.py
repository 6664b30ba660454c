"""Opening of sources: local ones in parallel, remote ones with a time limit."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from chronotile.archive.findings import merge_findings
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
"""Sources opened concurrently; most of the time is spent waiting."""

UNMARKED = (
    "its server sends neither ETag nor Last-Modified: a file replaced by another of the same size is not "
    "detected; configure the server to send an ETag"
)
WRONG = "no failure of its server, but of its content or the configuration: waiting does not help"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSources:
    """The sources that opened, by collection, and a finding for each source that did not."""

    readers: Mapping[str, Reader]
    findings: tuple[Finding, ...]
    unavailable: frozenset[str]
    """Collections of items whose index is unreachable, or whose item files are all unreadable."""


def open_sources(specs: Mapping[str, SourceSpec], caches: ReaderCaches) -> OpenSources:
    """Open the sources of `specs`; a source that does not open is skipped with a finding."""
    unavailable = set[str]()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="open") as pool:
        opened = list(pool.map(partial(_open, caches, unavailable), specs.values()))
    results = {spec.collection: x for spec, x in zip(specs.values(), opened, strict=True)}
    return OpenSources(
        readers={name: result for name, result in results.items() if not isinstance(result, Finding)},
        findings=tuple(o for o in opened if isinstance(o, Finding)),
        unavailable=frozenset(unavailable),
    )


def open_elsewhere(caches: ReaderCaches, source: PendingSource) -> Opened:
    """Open a remote source; add findings about its bands and about missing validators of its server.

    Raises:
        UnsupportedSource: It cannot be served.
        SourceUnavailable: It opens, but its pixels cannot be read.
    """
    opened, spec = open_pending(source, caches), source.spec
    findings = list(kind_of_spec(spec).unused_data_findings(spec.stored))
    if looks.has_unmarked(spec.href):
        findings.append(Finding("warning", spec.collection, UNMARKED, path=shown_href(spec.href)))
    return replace(opened, findings=tuple(findings))


def elsewhere_findings(snapshot: SourcesSnapshot, specs: Mapping[str, SourceSpec]) -> list[Finding]:
    """Return findings about remote sources: one for each failure, and those of the opened sources."""
    fails = "its layers fail until it can be read again: "
    unavailable = [
        (name, f"{fails if name in snapshot.opened else LEFT_OUT}{reason}")
        for name, reason in snapshot.unavailable.items()
    ]
    wrong = [(name, f"{LEFT_OUT}{reason}; {WRONG}") for name, reason in snapshot.wrong.items()]
    failures = [
        Finding("error", name, text, path=shown_href(specs[name].href)) for name, text in (*unavailable, *wrong)
    ]
    return [*failures, *(finding for o in snapshot.opened.values() for finding in o.findings)]


def reader_findings(readers: Mapping[str, Reader]) -> list[Finding]:
    """Return the findings of open readers, by collection."""
    return [
        finding
        for collection, reader in readers.items()
        for finding in merge_findings(collection, reader.info.findings)
    ]


def _open(caches: ReaderCaches, unavailable: set[str], spec: SourceSpec) -> Reader | Finding:
    try:
        with opening("it"):
            return open_source(spec, caches)
    except ChronotileError as error:
        if spec.items is not None and isinstance(error, SourceUnavailable):
            unavailable.add(spec.collection)
        # The server fills indexes of files after its start, and live collections have no items before the first search.
        is_filled_later = error.message == NONE_FOUND or (error.message == NONE_INDEXED and spec.kind != "stac")
        severity: Severity = "note" if is_filled_later else "error"
        return Finding(severity, spec.collection, f"{LEFT_OUT}{error.message}", path=shown_href(spec.href))
