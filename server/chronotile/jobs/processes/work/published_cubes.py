"""Serving cubes that jobs put where an operator serves them, each under the requested name."""

import errno
import os
import re
import shutil
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from chronotile.core.cancellation import require_active
from chronotile.core.durable_files import PARTIAL, Disk
from chronotile.core.errors import InvalidParameter, UnsupportedSource, require_at_most
from chronotile.core.model.types import Json
from chronotile.jobs.processes.process import Inputs, Work, optional
from chronotile.jobs.queue.faults import storing_results
from chronotile.optimise.store import CubeFolder
from chronotile.pipeline.services import PublishedCubes, Services

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,63}$"
NAME = optional(
    "Name",
    "Store the cube on the server as NAME.zarr instead of returning a file, if the operator allows "
    "it. Lowercase letters, digits, _ and -; an existing name is rejected.",
    {"type": "string", "pattern": NAME_PATTERN},
)
NAMED: Json = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
"""Schema of a result that is not a file."""
LEFT = f".*{PARTIAL}"
"""Names of unfinished copies, those of killed processes included."""
LEFT_S = 3600.0
"""Age after which an unfinished copy counts as abandoned: a process that copies touches it with each file."""
TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


def require_name(inputs: Inputs, services: Services) -> None:
    """Check the name of a cube, where it has one.

    Raises:
        InvalidParameter: The server keeps no cubes, it is not a name, or there is a cube of that name.
    """
    if "name" not in inputs:
        return
    if services.published_cubes is None:
        raise InvalidParameter(
            "this server does not store cubes by name; leave name out to get a ZIP file", locator="inputs.name"
        )
    if re.fullmatch(NAME_PATTERN.strip("^$"), inputs["name"]) is None:
        raise InvalidParameter("a name has up to 64 lowercase letters, digits, _ and -", locator="inputs.name")
    if _place(services.published_cubes, inputs["name"]).exists():
        raise _taken_name(inputs["name"])


def is_put(name: str, id_: str, services: Services) -> bool:
    """Return whether the cube of an id lies under a name: the end of a job may be made once more."""
    place = _place(_published_cubes(services), name)
    try:
        commit = CubeFolder(place, Disk()).commit()
    except UnsupportedSource:
        return False
    return commit is not None and commit.id == id_


def put(store: Path, name: str, work: Work) -> None:
    """Put a cube that is whole under a name, in one step, and remove it from where it was made.

    Raises:
        InvalidParameter: There is another of that name by now.
        LimitExceeded: All of them would be too large.
        StorageFull: There is no room.
        SourceUnavailable: Their folder cannot be written.
        ClientGone: The job was dismissed.
    """
    published_cubes = _published_cubes(work.services)
    place = _place(published_cubes, name)
    with storing_results():
        published_cubes.folder.mkdir(parents=True, exist_ok=True)
        _require_room(published_cubes, store)
        require_active(work.is_active)  # or else its partial results would be gone
        try:
            _move(store, place, work)
        except OSError as error:
            if error.errno in TAKEN:
                raise _taken_name(name) from error
            raise
        Disk().settle([published_cubes.folder])


def _move(store: Path, place: Path, work: Work) -> None:
    try:
        store.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    # Hidden, so that what looks for data passes it by; of this attempt alone, as others may be at the same name.
    partial = place.with_name(f".{place.name}.{uuid4().hex}{PARTIAL}")
    try:
        partial.mkdir()
        _remove_left(place.parent, before=partial.stat().st_mtime - LEFT_S)
        _copy(store, partial, work)
        partial.rename(place)
    finally:
        _remove(partial)


def _copy(store: Path, target: Path, work: Work) -> None:
    """Copy a store into a folder; fails where either is taken away meanwhile, and makes no folder of it again."""
    folders = [target]
    for parent, below, names in os.walk(store, onerror=_raise):
        into = target / Path(parent).relative_to(store)
        for name in names:
            require_active(work.is_active)
            shutil.copyfile(Path(parent, name), into / name)
            Disk().settle([into / name])
            os.utime(target)  # somebody is at it
        for name in below:
            (into / name).mkdir()
            folders.append(into / name)
    Disk().settle(folders)
    require_active(work.is_active)


def _raise(error: OSError) -> NoReturn:
    raise error


def _remove_left(folder: Path, *, before: float) -> None:
    """Remove copies that nobody has gone on with since a moment: who was at them was killed."""
    for left in folder.glob(LEFT):
        with suppress(FileNotFoundError):  # another removes it too
            if left.stat().st_mtime < before:
                _remove(left)


def _remove(partial: Path) -> None:
    """Remove a copy, under another name first: were it taken for left by mistake, half of it would get its place."""
    aside = partial.with_name(f".{uuid4().hex}{PARTIAL}")
    with suppress(OSError):  # it has its place, or is not ours; what stays is tried again
        partial.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _require_room(published_cubes: PublishedCubes, store: Path) -> None:
    requested, alternative = _bytes_of(published_cubes.folder) + _bytes_of(store), "leave name out to get a ZIP file"
    limit, allowed = "bytes of cubes stored by name", published_cubes.max_bytes
    require_at_most(limit, requested, allowed, alternative=alternative, locator="inputs.name")


def _bytes_of(folder: Path) -> int:
    """Of all files in a folder but copies that are not whole; one that is gone by now has none."""
    count = 0
    for parent, below, names in os.walk(folder):
        below[:] = [name for name in below if not fnmatch(name, LEFT)]
        for name in names:
            with suppress(FileNotFoundError):
                count += Path(parent, name).stat().st_size
    return count


def _place(published_cubes: PublishedCubes, name: str) -> Path:
    return published_cubes.folder / f"{name}.zarr"


def _published_cubes(services: Services) -> PublishedCubes:
    if services.published_cubes is None:
        raise InvalidParameter("this server no longer stores cubes by name", locator="inputs.name")
    return services.published_cubes


def _taken_name(name: str) -> InvalidParameter:
    return InvalidParameter(f"there is a cube {name} already; choose another name", locator="inputs.name")
