"""Collections whose items are their dates: folders of rasters, cubes and NetCDF."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

import numpy as np

from chronotile.archive.index.date_items import DateFile, DateItems, date_id
from chronotile.archive.index.fill import FillSummary, IndexedCollection, IndexStore, Progress, fill
from chronotile.archive.index.rules import any_address
from chronotile.archive.index.source import Listed, ListedEntry, ReadEntry, Unread
from chronotile.catalog.items.passes import SourcePass
from chronotile.model.collection import Collection
from chronotile.model.items import IndexSettings
from chronotile.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.model.time.instants import Instant, TimeSpan
from chronotile.readers.file_state import file_state
from chronotile.readers.reader import Reader

IDENTITY = "dates of layers"
"""What passes over dates call their source; those under another name, at days by the sun, are listed again."""
DATED = IndexSettings(group="dates")
VERSION = 2
"""Of the items that are made: another one replaces those that are there."""
BATCH = 32
"""Dates that are stored together: requests wait for the interpreter while they are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedCollection:
    """A collection whose dates are listed."""

    collection: Collection = field(compare=False, repr=False)
    reader: Reader = field(compare=False, repr=False)
    spec: SourceSpec = field(compare=False, repr=False)
    """What the configuration says of its source."""
    id: str
    digest: str
    """What changes if a date appears or vanishes, if a file is replaced, or if the items are made in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDate:
    """A time of any of the variables."""

    span: TimeSpan
    held: tuple[tuple[str, int], ...]
    """The variables that have it, each with its index there."""


def dated_collection(collection: Collection, reader: Reader, spec: SourceSpec, *, state: str) -> DatedCollection:
    """Return a collection whose dates are listed.

    Args:
        collection: It, as it is served.
        reader: Of its source.
        spec: What the configuration says of its source.
        state: Of the files of its source.
    """
    digest = blake2b(f"{state} {_common_to_dates(collection, spec.variables)}".encode(), digest_size=16)
    for variable in collection.variables.values():
        digest.update(variable.times.starts.tobytes() + variable.times.ends.tobytes())
    return DatedCollection(collection=collection, reader=reader, spec=spec, id=collection.id, digest=digest.hexdigest())


def _common_to_dates(collection: Collection, specs: Mapping[str, VariableSpec]) -> str:
    """What the items of all dates have of their collection."""
    variables = collection.variables
    grids = [each.grid for each in variables.values()]
    about = [(name, each.title, each.encoding.units, specs.get(name)) for name, each in variables.items()]
    cells = [(grid.crs.name, *grid.transform, grid.width, grid.height) for grid in grids]
    return repr((VERSION, tuple(collection.bbox), about, cells))


def dates_of(variables: Mapping[str, VariableInfo]) -> Iterator[ListedDate]:
    """Yield the dates of all variables in order; of several that begin at one instant, one until the last end."""
    starts = [each.times.starts for each in variables.values()]
    for start in np.unique(np.concatenate(starts)) if starts else ():
        held, end = list[tuple[str, int]](), start
        for name, variable in variables.items():
            times = variable.times
            index = int(np.searchsorted(times.starts, start))
            if index < len(times) and times.starts[index] == start:
                held.append((name, index))
                end = max(end, times.ends[index])
        yield ListedDate(span=TimeSpan(start, end), held=tuple(held))


class DateSource:
    """The dates of one collection, as a source of items.

    Files of a date are those that hold this date alone: a file of a whole year is not handed out as a date.
    """

    identity = IDENTITY
    allowed = staticmethod(any_address)
    state = ""
    threads = 1
    is_computing = False
    knows_changes = False
    is_here = True

    def __init__(self, dated: DatedCollection) -> None:
        self._dated = dated
        self._variables = dated.collection.variables
        self._common = _common_to_dates(dated.collection, dated.spec.variables)

    def since(self) -> str:
        """Return the state of the collection that is listed."""
        return self._dated.digest

    def has_changed(self, *, most_files: int) -> bool:  # noqa: ARG002 -- none is looked at
        """Return that it has not: another state of the archive is another source."""
        return False

    def entries(self, _run: SourcePass) -> Iterator[Listed]:
        """Yield each date; one with a file that is gone, while the collection has it still, as one that is not read."""
        if not any(len(each.times) for each in self._variables.values()):
            return
        shared = self._shared_files()
        items = DateItems(self._dated.collection, self._variables, self._dated.spec)
        for date in dates_of(self._variables):
            key = date_id(date.span)
            try:
                files = self._files(date, shared)
            except OSError as error:
                yield Unread(key=key, reason=error.strerror or str(error))
                continue
            state = self._state(date, files)
            yield ListedEntry(key=key, state=state, read=partial(_read, items, date, files, state))

    def _paths(self, date: ListedDate) -> dict[str, list[str]]:
        """The variables in each file."""
        paths = dict[str, list[str]]()
        for name, index in date.held:
            path = self._dated.reader.file_of(name, index)
            if path is not None:
                paths.setdefault(path, []).append(name)
        return paths

    def _shared_files(self) -> set[str]:
        """The files that hold several dates."""
        first, shared = dict[str, Instant](), set[str]()
        for date in dates_of(self._variables):
            for path in self._paths(date):
                if first.setdefault(path, date.span.start) != date.span.start:
                    shared.add(path)
        return shared

    def _files(self, date: ListedDate, shared: set[str]) -> tuple[DateFile, ...]:
        """The files of a date, as they are now.

        Raises:
            OSError: One is gone or away.
        """
        own = ((path, names) for path, names in self._paths(date).items() if path not in shared)
        return tuple(_date_file(path, names) for path, names in own)

    def _state(self, date: ListedDate, files: Sequence[DateFile]) -> str:
        when = date.span.start.astype(np.int64), date.span.end.astype(np.int64)
        held = [name for name, _index in date.held]
        states = [(each.path, each.variables, each.size, str(each.updated)) for each in files]
        return blake2b(f"{when} {held} {states} {self._common}".encode(), digest_size=12).hexdigest()


def _date_file(path: str, names: Sequence[str]) -> DateFile:
    if "://" in path:
        return DateFile(path=path, variables=tuple(names))
    state = file_state(path)
    updated: Instant = np.datetime64(state.mtime_ns, "ns")
    return DateFile(path=path, variables=tuple(names), size=state.size, updated=updated)


def _read(items: DateItems, date: ListedDate, files: Sequence[DateFile], state: str, _before: str) -> ReadEntry:
    held = [name for name, _index in date.held]
    return ReadEntry(items=(items.item(date.span, held, files),), state=state)


def reason_to_list(dated: DatedCollection, store: IndexStore) -> str | None:
    """Return why the dates of a collection have to be listed; `None`: the index has them as they are.

    Raises:
        SourceUnavailable: The database does not answer.
    """
    settings = store.items.settings(dated.id)
    if settings is None:
        return "its dates are not listed yet, as /stac needs them"
    if settings != DATED or store.passes.source(dated.id) != IDENTITY:
        return "its items are those of another source"
    if store.passes.since(dated.id) != dated.digest:
        return "its dates or files have changed"
    return None


def list_dates(
    dated: DatedCollection,
    store: IndexStore,
    *,
    progress: Progress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FillSummary:
    """Bring the items of a collection in line with its dates; what is interrupted goes on the next time.

    Items of a collection that had scenes or tiles before are removed first, those that clients have added among them.

    Args:
        dated: The collection.
        store: The index.
        progress: Called after each `BATCH` of dates.
        is_stopped: Whether to stop after what is stored now.

    Raises:
        Interrupted: It was stopped.
        SourceUnavailable: The database does not answer, or another process is at it.
    """
    store.passes.forget_since(dated.id)  # until all is in line again
    listed = IndexedCollection(id=dated.id, settings=DATED)
    return fill(listed, DateSource(dated), store, batch=BATCH, progress=progress, is_stopped=is_stopped)
