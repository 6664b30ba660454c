"""Serving cubes that jobs store in the operator's folder of published cubes, each under the requested name."""

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
"""Schema of the result if a cube is published: the name under which the server serves it."""
UNFINISHED = f".*{PARTIAL}"
"""Names of unfinished copies, those of killed processes included."""
ABANDONED_S = 3600.0
"""Age after which an unfinished copy counts as abandoned: a process that copies touches it with each file."""
TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


def require_name(inputs: Inputs, services: Services) -> None:
    """Check the requested name of a cube, if any.

    Raises:
        InvalidParameter: The server stores no cubes by name, the name is invalid, or a cube has it.
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


def is_published(name: str, id_: str, services: Services) -> bool:
    """Return whether the cube with an id is stored under a name: an attempt may repeat the end of a job."""
    place = _place(_published_cubes(services), name)
    try:
        commit = CubeFolder(place, Disk()).commit()
    except UnsupportedSource:
        return False
    return commit is not None and commit.id == id_


def publish_cube(store: Path, name: str, work: Work) -> None:
    """Move a complete cube to a name in one step.

    Raises:
        InvalidParameter: Another cube has got that name since.
        LimitExceeded: All published cubes together would be too large.
        StorageFull: The disk is full.
        SourceUnavailable: The folder of published cubes cannot be written.
        ClientGone: The job was dismissed.
    """
    published_cubes = _published_cubes(work.services)
    place = _place(published_cubes, name)
    with storing_results():
        published_cubes.folder.mkdir(parents=True, exist_ok=True)
        _require_room(published_cubes, store)
        require_active(work.is_active)  # partial results of an ended job may have been removed
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
    # Hidden, so that discovery skips it; unique per attempt, as another attempt may copy to the same name.
    partial = place.with_name(f".{place.name}.{uuid4().hex}{PARTIAL}")
    try:
        partial.mkdir()
        _remove_abandoned(place.parent, before=partial.stat().st_mtime - ABANDONED_S)
        _copy(store, partial, work)
        partial.rename(place)
    finally:
        _remove(partial)


def _copy(store: Path, target: Path, work: Work) -> None:
    """Copy a store into a folder. Fail if either is removed during the copy; a removed folder is not created again."""
    folders = [target]
    for parent, below, names in os.walk(store, onerror=_raise):
        into = target / Path(parent).relative_to(store)
        for name in names:
            require_active(work.is_active)
            shutil.copyfile(Path(parent, name), into / name)
            Disk().settle([into / name])
            os.utime(target)  # marks the copy as in progress
        for name in below:
            (into / name).mkdir()
            folders.append(into / name)
    Disk().settle(folders)
    require_active(work.is_active)


def _raise(error: OSError) -> NoReturn:
    raise error


def _remove_abandoned(folder: Path, *, before: float) -> None:
    """Remove copies without progress since a time: their processes were killed."""
    for copy in folder.glob(UNFINISHED):
        with suppress(FileNotFoundError):  # another process removes the copy, too
            if copy.stat().st_mtime < before:
                _remove(copy)


def _remove(partial: Path) -> None:
    """Remove a copy after renaming it: a copy in progress, removed by mistake, must not be published in part."""
    aside = partial.with_name(f".{uuid4().hex}{PARTIAL}")
    with suppress(OSError):  # the copy was published, or belongs to another user; the next run removes remains
        partial.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _require_room(published_cubes: PublishedCubes, store: Path) -> None:
    requested, alternative = _bytes_of(published_cubes.folder) + _bytes_of(store), "leave name out to get a ZIP file"
    limit, allowed = "bytes of cubes stored by name", published_cubes.max_bytes
    require_at_most(limit, requested, allowed, alternative=alternative, locator="inputs.name")


def _bytes_of(folder: Path) -> int:
    """Return the bytes of all files in a folder without unfinished copies; files removed meanwhile count as 0."""
    count = 0
    for parent, below, names in os.walk(folder):
        below[:] = [name for name in below if not fnmatch(name, UNFINISHED)]
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
