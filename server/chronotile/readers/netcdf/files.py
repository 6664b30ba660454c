"""NetCDF files that a pattern names, read as one source: one per date, month or year."""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from chronotile.core.errors import SeveralGroups, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.readers.cf.time import ROUNDED
from chronotile.readers.dated_files import find_files, times_in_names
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.hrefs import base_name, local_path, names_among
from chronotile.readers.joined.join import Surveyed, join
from chronotile.readers.name_parts import precedence_of
from chronotile.readers.netcdf.open import open_netcdf
from chronotile.readers.reader import Reader

MAX_FILES = 500
"""Maximum number of files opened with a source (about 15 ms each) if their names contain the times; evenly spread."""

MAX_KNOWN = 20_000
"""Files whose contents are cached, so that a source that gained one is reopened without opening all."""


@dataclass(frozen=True, slots=True)
class JoinedNetcdf:
    """One file of several."""

    path: str
    span: TimeSpan | None
    """The time in its name; `None` without one."""
    spec: SourceSpec
    """Configuration of all files."""

    def open(self) -> Reader:
        """Return a reader of the variables in the file."""
        return open_netcdf(replace(self.spec, href=self.path), may_lack=True, is_dated=self.span is not None)


def open_netcdf_source(spec: SourceSpec, *, most: int | None = None) -> Reader:
    """Return a reader of the NetCDF file, or of all files of a pattern.

    Args:
        spec: The source; its `href` is a path or a pattern.
        most: Maximum number of files that are opened if their names contain the times; `None` means `MAX_FILES`.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    path = local_path(spec.href)
    is_pattern = re.search(r"[*?]", spec.href) is not None and not (path is not None and path.is_file())
    if not is_pattern and spec.time_pattern is None:
        return open_netcdf(spec)
    paths = sorted(find_files(spec)[None], key=lambda file_path: precedence_of(base_name(file_path)))
    if spec.times is not None and len(paths) > 1:
        raise UnsupportedSource(f"times: is for one file, and {len(paths)} match; set time_pattern: or leave it out")
    files = [JoinedNetcdf(path, span, spec) for path, _text, span in times_in_names(paths, spec.time_pattern)]
    names = names_among(paths)
    surveyed, failures = _survey(files, names, MAX_FILES if most is None else most)
    if not surveyed:
        raise UnsupportedSource(
            f"none of {len(paths)} files can be served; {failures[0].message.removeprefix(LEFT_OUT)}"
        )
    return join(spec.collection, surveyed, failures)


def _survey(files: Sequence[JoinedNetcdf], names: Sequence[str], most: int) -> tuple[list[Surveyed], list[Finding]]:
    """Return the content of the files, and a finding for each damaged file; only some of very many are opened."""
    some = set(range(len(files)))
    if len(files) > most and all(file.span is not None for file in files):
        some = {round(position) for position in np.linspace(0, len(files) - 1, most)}
    infos, failures = _infos(files, names, sorted(some))
    if len(some) < len(files) and not _are_dated_by_names(files, infos):
        # The times in the files differ from the times in the names, so all files must be opened.
        rest, further = _infos(files, names, [number for number in range(len(files)) if number not in some])
        infos, failures, some = infos | rest, failures + further, set(range(len(files)))
    surveyed = [
        Surveyed(file=file, name=name, info=infos.get(number))
        for number, (file, name) in enumerate(zip(files, names, strict=True))
        if number in infos or number not in some
    ]
    return (surveyed if infos else []), failures


def _infos(
    files: Sequence[JoinedNetcdf], names: Sequence[str], numbers: Sequence[int]
) -> tuple[dict[int, SourceInfo], list[Finding]]:
    infos: dict[int, SourceInfo] = {}
    failures = []
    for number in numbers:
        try:
            infos[number] = _known_files().info(files[number])
        except SeveralGroups:
            raise
        except (UnsupportedSource, OSError) as error:
            reason = error.message if isinstance(error, UnsupportedSource) else "it cannot be read"
            failures.append(Finding("error", names[number], f"{LEFT_OUT}{reason}"))
    return infos, failures


def _are_dated_by_names(files: Sequence[JoinedNetcdf], infos: Mapping[int, SourceInfo]) -> bool:
    """Return whether the name of each opened file contains its only time; false for overlapping periods."""
    starts = np.sort(np.array([file.span.start for file in files if file.span], dtype="datetime64[ns]"))
    for number, info in infos.items():
        if not _is_dated_by_name(files[number], info):
            return False
        for variable in info.variables.values():
            if variable.times.stated is None or variable.times.is_climatology:
                continue
            following = starts[np.searchsorted(starts, variable.times.starts[-1], side="right") :][:1]
            if (variable.times.periods[-1, 1] - ROUNDED > following).any():
                return False
    return True


def _is_dated_by_name(file: JoinedNetcdf, info: SourceInfo) -> bool:
    """Return whether the name contains the only time of each variable in the file."""
    return all(
        not len(variable.times)
        or (len(variable.times) == 1 and file.span is not None and variable.times.starts[0] == file.span.start)
        for variable in info.variables.values()
    )


class KnownFiles:
    """Cache of the contents of unchanged files."""

    def __init__(self) -> None:
        self._infos: dict[str, tuple[FileState | None, SourceSpec, SourceInfo]] = {}
        self._lock = threading.Lock()

    def info(self, file: JoinedNetcdf) -> SourceInfo:
        """Return the content of a file.

        Raises:
            UnsupportedSource: It cannot be served.
            OSError: It is missing.
        """
        state, key = file_state(file.path), _what_matters(file.spec)
        with self._lock:
            cached = self._infos.get(file.path)
        if cached is not None and cached[:2] == (state, key):
            return cached[2]
        reader = file.open()
        reader.close()
        with self._lock:
            if len(self._infos) >= MAX_KNOWN:
                self._infos.clear()
            self._infos[file.path] = state, key, reader.info
        return reader.info


@cache
def _known_files() -> KnownFiles:
    return KnownFiles()


def _what_matters(spec: SourceSpec) -> SourceSpec:
    # The parts of the configuration that affect the content of a file.
    variables = {name: replace(variable, mask=None) for name, variable in spec.variables.items()}
    return replace(spec, collection="", href="", time_pattern=None, variables=variables)
