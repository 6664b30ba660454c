"""The serving cube on disk: documents and coordinates, and the commit that makes a state visible."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chronotile.core.durable_files import PARTIAL, Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import InstantArray, Int64Array, Json, UInt64Array
from chronotile.optimise.arrays import SEPARATOR, ArraySpec, as_json, group_document, is_in_crs, root_document
from chronotile.optimise.plan import TIME_CHUNK, ServingCubePlan
from chronotile.readers.hrefs import base_name
from chronotile.readers.zarr.commit import OVERLAY, SERIES, SOURCES, Commit, commit_of, nodes_of
from chronotile.readers.zarr.stores import PlainStore, load_all

DOCUMENT = "zarr.json"


@dataclass(frozen=True, slots=True)
class History:
    """Times and fingerprints of sources by index along the stored time dimension."""

    starts: InstantArray
    bounds: InstantArray
    """(time, 2): start and end of the period of the values."""
    states: UInt64Array
    """(time, variable): fingerprint of the source from which the values were made."""

    def __len__(self) -> int:
        """The number of positions."""
        return int(self.starts.size)

    def extend(self, other: "History") -> "History":
        """Append positions."""
        return History(
            np.concatenate([self.starts, other.starts]),
            np.concatenate([self.bounds, other.bounds]),
            np.concatenate([self.states, other.states]),
        )

    def part(self, start: int, stop: int) -> "History":
        """Return a slice of the positions."""
        return History(self.starts[start:stop], self.bounds[start:stop], self.states[start:stop])

    def replace_states(self, positions: list[int], states: list[tuple[int, ...]]) -> "History":
        """Return a history with other states at some positions."""
        changed = self.states.copy()
        changed[positions] = np.array(states, dtype=np.uint64)
        return replace(self, states=changed)


def no_history(variables: int) -> History:
    """Return the history of an empty cube."""
    nothing = np.array([], dtype="datetime64[ns]")
    return History(nothing, nothing.reshape(0, 2), np.zeros((0, variables), dtype=np.uint64))


@dataclass(frozen=True, slots=True)
class CubeFolder:
    """The folder of a cube, written through `disk`."""

    path: Path
    disk: Disk

    def root_document(self) -> Json | None:
        """Return the document of the root; `None` before the first commit.

        Raises:
            UnsupportedSource: The store is not a serving cube.
        """
        file = self.path / DOCUMENT
        if not file.exists():
            return None
        document = json.loads(file.read_bytes())
        try:
            commit = commit_of(document.get("attributes") or {})
        except UnsupportedSource as error:
            raise UnsupportedSource(f"{self.path.name}: {error.message}") from error
        if commit is None:
            raise UnsupportedSource(f"{self.path.name} is a Zarr store that optimise did not write; name another")
        return dict(document)

    def commit(self) -> Commit | None:
        """Return the commit; `None` before the first one."""
        document = self.root_document()
        return None if document is None else commit_of(document["attributes"])

    def history(self, plan: ServingCubePlan, commit: Commit) -> History:
        """Return the history of the committed positions."""
        stored = PlainStore(str(self.path))
        root = stored.read_group()
        nodes = root.at(commit.path_of(commit.groups[0])).arrays
        starts = load_all(stored, nodes["time"])[: commit.times]
        name = plan.bounds.name
        bounds = None if name is None else load_all(stored, nodes[name])[: commit.times]
        states = load_all(stored, root.groups[SOURCES].arrays["state"])[: commit.times]
        unit = np.timedelta64(1, "s" if plan.time_unit == "seconds" else "ns")
        begin = (starts * unit).astype("timedelta64[ns]") + np.datetime64(0, "ns")
        if bounds is None:
            exact = np.stack([begin, begin + np.timedelta64(1, "ns")], axis=1)
            return History(begin, exact, states.astype(np.uint64))
        return History(begin, (bounds * unit).astype("timedelta64[ns]") + np.datetime64(0, "ns"), states)

    def create(self, plan: ServingCubePlan) -> None:
        """Write the constant coordinates; nothing is visible yet."""
        for group in plan.groups:
            for name, spec, numbers in plan.coordinates(group):
                folder = self.path / plan.shape.path_of(group, name)
                self.disk.make_folder(folder)
                self.disk.put(folder / spec.key(*(0 for _ in spec.file)), spec.encode(numbers))
                self.disk.put(folder / DOCUMENT, as_json(spec.document(0)))
                self.disk.settle([folder])

    def publish(self, plan: ServingCubePlan, commit: Commit, history: History, *, since: int) -> None:
        """Make a state visible: the document of the root is written last.

        Args:
            plan: The cube.
            commit: The state.
            history: Its positions.
            since: First position whose time or state differs from the published one.
        """
        nodes: dict[str, Json] = {}
        for group in plan.groups:
            self._put_times(plan, group, history, since)
            documents = {name: spec.document(commit.times) for name, spec in _arrays(plan, group).items()}
            for name, document in documents.items():
                self._put_document(self.path / commit.path_of(group, name), document)
            if path := commit.path_of(group):
                attributes = plan.attributes_of(group)
                self._put_document(self.path / path, group_document(attributes, documents))
                nodes[path] = group_document(attributes, {})
            nodes |= {commit.path_of(group, name): document for name, document in documents.items()}
        nodes |= self._put_states(plan, history, since)
        self._put_document(self.path, root_document({**plan.root_attributes(), **commit.attributes()}, nodes))

    def describe_overlay(self, plan: ServingCubePlan, times: int) -> None:
        """Write array documents for the files in the overlay."""
        for group in plan.groups:
            for variable in plan.variables:
                document = plan.array(group, variable).document(times)
                self._put_document(self.path / OVERLAY / plan.shape.path_of(group, variable), document)

    def take_overlay(self, commit: Commit) -> None:
        """Link the files of the overlay over the files that they replace; they stay in the overlay too."""
        folders = set()
        for file in self._overlay_files(commit):
            target = self.path / file.relative_to(self.path / OVERLAY)
            partial = target.with_name(target.name + PARTIAL)
            self.disk.remove(partial)
            try:
                os.link(file, partial)
            except OSError:
                self.disk.put(target, file.read_bytes())
            else:
                self.disk.rename(partial, target)
                self.disk.remove(partial)  # rename does nothing if both names are links to the same file
            folders.add(target.parent)
        self.disk.settle(sorted(folders))

    def drop_overlay(self) -> None:
        """Remove the overlay, which no reader uses any more."""
        shutil.rmtree(self.path / OVERLAY, ignore_errors=True)

    def _overlay_files(self, commit: Commit) -> Iterator[Path]:
        """Yield the overlay files of a commit; an interrupted run may have left other files."""
        for group in commit.groups:
            numbers = commit.overlay_blocks if group == SERIES else commit.overlay
            for variable in sorted((self.path / OVERLAY / commit.path_of(group)).iterdir()):
                for file in sorted(variable.glob(f"c{SEPARATOR}*")):
                    is_whole = file.is_file() and not file.name.endswith(PARTIAL)  # a variable may have the name `c.1`
                    if is_whole and int(file.name.split(SEPARATOR)[1]) in numbers:
                        yield file

    def _put_times(self, plan: ServingCubePlan, group: str, history: History, since: int) -> None:
        for name, spec in plan.time_arrays().items():
            numbers = _encode_instants(history.starts if name == "time" else history.bounds, plan.time_unit)
            self._put_line(self.path / plan.shape.path_of(group, name), spec, numbers, since)

    def _put_states(self, plan: ServingCubePlan, history: History, since: int) -> dict[str, Json]:
        spec = plan.source_states()
        self._put_line(self.path / SOURCES / "state", spec, history.states, since)
        document = spec.document(len(history))
        self._put_document(self.path / SOURCES / "state", document)
        self._put_document(self.path / SOURCES, group_document({}, {"state": document}))
        return {SOURCES: group_document({}, {}), f"{SOURCES}/state": document}

    def _put_line(self, folder: Path, spec: ArraySpec, numbers: NDArray[np.generic], since: int) -> None:
        """Write the files of an array along time from a position on; earlier numbers in them are unchanged."""
        self.disk.make_folder(folder)
        rest = (0,) * (len(spec.file) - 1)
        for number in range(since // TIME_CHUNK, -(-len(numbers) // TIME_CHUNK)):
            part = numbers[number * TIME_CHUNK : (number + 1) * TIME_CHUNK]
            self.disk.put(folder / spec.key(number, *rest), spec.encode(part))
        self.disk.settle([folder])

    def _put_document(self, folder: Path, document: Json) -> None:
        self.disk.make_folder(folder)
        self.disk.put(folder / DOCUMENT, as_json(document))
        self.disk.settle([folder])


def _arrays(plan: ServingCubePlan, group: str) -> dict[str, ArraySpec]:
    coordinates = {name: spec for name, spec, _numbers in plan.coordinates(group)}
    return plan.time_arrays() | coordinates | {name: plan.array(group, name) for name in plan.variables}


def _encode_instants(instants: InstantArray, unit: str) -> Int64Array:
    nanoseconds = instants.astype("datetime64[ns]").astype(np.int64)
    if unit == "nanoseconds":
        return nanoseconds
    seconds, rest = np.divmod(nanoseconds, 1_000_000_000)
    if rest.any():
        raise UnsupportedSource(
            "some of its times have fractions of a second, the existing cube has whole seconds; write a new cube"
        )
    return seconds


def variables_of(document: Json) -> list[str]:
    """Return the names of the variables of a cube in their order."""
    return list(nodes_of(document)[f"{SOURCES}/state"]["attributes"]["variables"])


def require_same(document: Json, plan: ServingCubePlan, name: str) -> None:
    """Check that an existing cube has the planned location and arrays.

    Raises:
        UnsupportedSource: It differs.
    """
    nodes = nodes_of(document)
    if not _is_same_place(document["attributes"], plan):
        raise UnsupportedSource(f"{base_name(name)} has another CRS or place than the source; name another cube")
    for group in plan.groups:
        for variable, spec in _arrays(plan, group).items():
            there, planned = nodes.get(plan.shape.path_of(group, variable)), spec.document(0)
            if there is None or any(
                _value_without_time(there, key) != _value_without_time(planned, key) for key in _COMPARED
            ):
                part = variable if variable in plan.variables else "grid or times"
                raise UnsupportedSource(f"{base_name(name)} has another {part} than the source; name another cube")


def _is_same_place(attributes: Json, plan: ServingCubePlan) -> bool:
    """Return whether the root of a cube has the CRS and box of a plan; missing attributes count as equal."""
    if not is_in_crs(attributes, plan.grid.crs):
        return False
    box = np.array(attributes.get("spatial:bbox", plan.grid.bbox), dtype=np.float64)
    return bool(np.allclose(box, plan.grid.bbox, rtol=0, atol=plan.grid.resolution / 100))


_COMPARED = ("shape", "data_type", "chunk_grid", "fill_value", "codecs", "dimension_names")


def _value_without_time(document: Json, key: str) -> object:
    if key != "shape":
        return document.get(key)
    return [length for length, dim in zip(document["shape"], document["dimension_names"], strict=True) if dim != "time"]
