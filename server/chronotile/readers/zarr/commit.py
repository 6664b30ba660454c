"""The commit of a serving cube: the one document that lists its complete parts.

It is an attribute of the root's `zarr.json`, which is written last and by one rename, so that a reader sees the state
before it or after it. `docs/design/serving-cube-commit.md` gives the reasons.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chronotile.core.errors import UnsupportedSource

MARK = "chronotile"
"""Attribute of the root with the format; in formats before `NATIVE_AT_ROOT` also with the commit."""
ATTRIBUTE = "_nc_chronotile"
"""Attribute of the root with the commit, and the metadata of all nodes that the root does not list itself.

xarray omits attributes whose names start with `_nc`, so a copy written by xarray does not count as a serving cube."""
NODES = "nodes"
FORMAT_VERSION = 2
"""Format of new stores. A release reads this version and the previous one; an append keeps the store's version."""
NATIVE_AT_ROOT = 2
"""First format with the native cells in the root; earlier formats use the group `0`, or `series` without maps."""

OVERLAY = "overlay"
"""Folder of replacing pixels, until they are copied into the arrays."""
SERIES = "series"
"""Group of the series layout; groups of the map layout are called `0`, `1`, … (`Commit.path_of`)."""
SOURCES = "sources"
"""Group with the revisions of the sources of each time."""


def state_number(revision: str) -> int:
    """Return a 64-bit hash of a reader's revision of one time, for storage in `SOURCES`."""
    return int.from_bytes(hashlib.blake2b(revision.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The complete parts of a serving cube."""

    id: str
    """Different for every cube ever started."""
    revision: int = 0
    """Number of the commit."""
    times: int = 0
    """Number of readable positions along the stored time dimension; a writer may use later positions."""
    block: int
    """Dates in a block of the series layout."""
    region_px: int
    """Native rows, and columns, that a task of the map layout reads in one call."""
    has_map: bool
    has_series: bool
    levels: int
    changed: Mapping[int, int] = field(default_factory=dict)
    """For each position with replaced pixels, the revision of the last replacement."""
    overlay: tuple[int, ...] = ()
    """Positions whose pixels, and whose blocks of series, are read from `OVERLAY`."""
    format: int = FORMAT_VERSION
    """Format of the store; an append does not change it."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the variables, native cells first: levels from fine to coarse, then the series."""
        levels = tuple(map(str, range(self.levels))) if self.has_map else ()
        return (*levels, SERIES) if self.has_series else levels

    def path_of(self, group: str, *names: str) -> str:
        """Return the path of a group, or of `names` in it; the root has an empty path."""
        is_root = self.format >= NATIVE_AT_ROOT and group == self.groups[0]
        return "/".join(names if is_root else (group, *names))

    @property
    def overlay_blocks(self) -> frozenset[int]:
        """Blocks of the series layout that are read from the overlay."""
        return frozenset(position // self.block for position in self.overlay)

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the root that contain the commit."""
        if self.format < NATIVE_AT_ROOT:
            return {MARK: self._members()}
        return {MARK: {"format": self.format}, ATTRIBUTE: self._members()}

    def _members(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "id": self.id,
            "revision": self.revision,
            "times": self.times,
            "block": self.block,
            "region_px": self.region_px,
            "layouts": [name for name, there in (("map", self.has_map), (SERIES, self.has_series)) if there],
            "levels": self.levels,
            "changed": [list(pair) for pair in sorted(self.changed.items())],
            "overlay": list(self.overlay),
        }


def commit_of(attributes: Mapping[str, Any]) -> Commit | None:
    """Return the commit in a root's attributes; `None` if the store is not a serving cube.

    Raises:
        UnsupportedSource: It has a format that this release does not read, or is damaged.
    """
    mark = attributes.get(MARK)
    if not isinstance(mark, dict) or "format" not in mark:
        return None
    version = mark["format"]
    if version not in (FORMAT_VERSION, FORMAT_VERSION - 1):
        raise UnsupportedSource(
            f"its format is version {version}, this release reads {FORMAT_VERSION} and the one before; "
            "upgrade chronotile, or write it again with chronotile optimise new"
        )
    members = mark if version < NATIVE_AT_ROOT else attributes.get(ATTRIBUTE)
    if members is None:  # xarray has copied the values of a cube, without its commit
        return None
    try:
        return Commit(
            id=str(members["id"]),
            revision=int(members["revision"]),
            times=int(members["times"]),
            block=int(members["block"]),
            region_px=int(members["region_px"]),
            has_map="map" in members["layouts"],
            has_series=SERIES in members["layouts"],
            levels=int(members["levels"]),
            changed={int(position): int(revision) for position, revision in members["changed"]},
            overlay=tuple(int(position) for position in members["overlay"]),
            format=version,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedSource(
            "its commit document is damaged; write it again with chronotile optimise new"
        ) from error


def nodes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of all nodes of a store by path, if its root's `zarr.json` contains them."""
    listed = (document.get("consolidated_metadata") or {}).get("metadata") or {}
    ours = (document.get("attributes") or {}).get(ATTRIBUTE)
    return {**listed, **(ours.get(NODES, {}) if isinstance(ours, dict) else {})}
