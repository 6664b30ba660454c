"""A source on another machine: how to open it, what opened, and what is known of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.errors import SourceUnavailable
from chronotile.model.source import Finding, SourceInfo, SourceSpec
from chronotile.readers.foreign import BeingWritten, origin_of
from chronotile.readers.hrefs import local_path
from chronotile.readers.open import open_source
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import Away
from chronotile.readers.sample import observed_range


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSource:
    """A source elsewhere that is to be opened."""

    spec: SourceSpec
    styled: frozenset[str] = frozenset()
    """Variables for which the configuration names styles; for others a sample of values is read."""

    def is_same(self, other: "PendingSource") -> bool:
        """Return whether both are the same; time domains compare by identity, so their arrays are compared."""
        own, others = (each.spec.times for each in (self, other))
        if own is None or others is None:
            return self == other
        is_same_time = own.starts.tobytes() == others.starts.tobytes() and own.ends.tobytes() == others.ends.tobytes()
        return is_same_time and self == replace(other, spec=replace(other.spec, times=own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source elsewhere that did open."""

    reader: Reader
    info: SourceInfo
    """What it holds, with the range of values of variables that have no style."""
    revisions: tuple[str, ...] = ()
    """The state of its files when it was opened."""
    findings: tuple[Finding, ...] = ()
    """Besides those of `info`."""

    @property
    def state(self) -> str:
        """A text that is another one if the source is in another state, or holds other variables, times or grids."""
        return repr(
            [
                self.revisions,
                *(
                    (name, each.encoding, each.levels, each.times.starts.tobytes(), each.times.ends.tobytes())
                    for name, each in self.info.variables.items()
                ),
            ]
        )

    def is_current(self) -> bool:
        """Request the state of the source; return whether it is the one in which it was opened."""
        try:
            return revisions_of(self.reader) == self.revisions
        except SourceUnavailable:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesSnapshot:
    """What is known of all sources elsewhere at one moment."""

    opened: Mapping[str, Opened]
    """By collection; one that was open once and is away now is here too."""
    away: Mapping[str, str]
    """Why a source cannot be read now, by collection."""
    causes: Mapping[str, str]
    """Of those that are away, what its server did, without the name of the source, where that is known."""
    wrong: Mapping[str, str]
    """Why a source cannot be served though its server answers, by collection: what it holds or its configuration."""
    changes: int
    """How often any of this has changed."""


def open_pending(pending: PendingSource, caches: ReaderCaches | None = None) -> Opened:
    """Return a source opened, with the values of variables that have no style looked at.

    Raises:
        UnsupportedSource: It cannot be served.
        SourceUnavailable: It opens, but its pixels cannot be read.
    """
    reader = open_source(pending.spec, caches)
    variables = {
        name: each
        if each.classes or name in pending.styled
        else replace(each, observed_range=observed_range(reader, name))
        for name, each in reader.info.variables.items()
    }
    return Opened(reader=reader, info=replace(reader.info, variables=variables), revisions=revisions_of(reader))


def revisions_of(reader: Reader) -> tuple[str, ...]:
    """Return the states of the files of a source elsewhere: of each variable one, as all its times are in one file.

    Raises:
        SourceUnavailable: It cannot be read, or is in another state than that in which it was opened.
    """
    return tuple(reader.revision(name, 0) for name in reader.info.variables)


def is_elsewhere(spec: SourceSpec) -> bool:
    """Return whether a source is not on this machine; items are in the index, wherever their files are."""
    return spec.items is None and local_path(spec.href) is None


def is_mistake(failure: Exception) -> bool:
    """Return whether a source did not open for what it holds or how it is configured, not for its server."""
    return away_of(failure) is None and not isinstance(origin_of(failure), BeingWritten | SourceUnavailable)


def away_of(failure: BaseException | None) -> Away | None:
    """Return what a server did that a failure came from; its message has no name of a source."""
    while failure is not None and not isinstance(failure, Away):
        failure = failure.__cause__
    return failure
