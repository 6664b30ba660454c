"""The commit of a serving cube: the one document that lists its complete parts.

It is an attribute of the root's `zarr.json`, which is written last and by one rename, so that a reader sees the state
before it or after it. `docs/design/serving-cube.md` gives the reasons.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chronotile.core.errors import UnsupportedSource

MARK = "chronotile"
"""The attribute of the root that has the format, and before `NATIVE_AT_ROOT` the commit as well."""
ATTRIBUTE = "_nc_chronotile"
"""The attribute of the root that has the commit, and the metadata of all nodes that the root does not list itself.

xarray leaves out attributes whose names begin with `_nc`, so a copy that it writes is not taken for a serving cube."""
NODES = "nodes"
FORMAT_VERSION = 2
"""Of a new store. A release reads its own version and the one before, and appends to a store in the store's version."""
NATIVE_AT_ROOT = 2
"""The format since which the root holds the native cells: before it was the group `0`, or `series` without maps."""

OVERLAY = "overlay"
"""The folder of the pixels that replace others, until they have taken their place."""
SERIES = "series"
"""The group of the series layout; those of the map layout are called `0`, `1` and so on (`Commit.path_of`)."""
SOURCES = "sources"
"""The group of what each time was made from."""


def state_number(revision: str) -> int:
    """Return 64 bits that stand for a reader's revision of one time, as `SOURCES` keeps them."""
    return int.from_bytes(hashlib.blake2b(revision.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What of a serving cube is there."""

    id: str
    """Another for each cube that was ever begun."""
    revision: int = 0
    """Counts commits."""
    times: int = 0
    """Positions along the stored time dimension that may be read; beyond them a writer is at work."""
    block: int
    """Dates in a block of the series layout."""
    region_px: int
    """Native rows, and columns, that a task of the map layout reads at once."""
    has_map: bool
    has_series: bool
    levels: int
    changed: Mapping[int, int] = field(default_factory=dict)
    """For each position whose pixels were replaced, the revision that did it last."""
    overlay: tuple[int, ...] = ()
    """Positions whose pixels, and whose blocks of series, are read from `OVERLAY`."""
    format: int = FORMAT_VERSION
    """Of the store; an append does not change it."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the variables, that of the native cells first: levels from fine to coarse, then the series."""
        levels = tuple(map(str, range(self.levels))) if self.has_map else ()
        return (*levels, SERIES) if self.has_series else levels

    def path_of(self, group: str, *names: str) -> str:
        """Return the path of a group, or of what has these `names` in it; the root is an empty path."""
        is_root = self.format >= NATIVE_AT_ROOT and group == self.groups[0]
        return "/".join(names if is_root else (group, *names))

    @property
    def overlay_blocks(self) -> frozenset[int]:
        """Blocks of the series layout that are read from the overlay."""
        return frozenset(position // self.block for position in self.overlay)

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the root that hold the commit."""
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
    """Return the commit that a root's attributes hold, or `None` of a store that is not a serving cube.

    Raises:
        UnsupportedSource: It is of a format that this release does not read.
    """
    mark = attributes.get(MARK)
    if not isinstance(mark, dict) or "format" not in mark:
        return None
    version = mark["format"]
    if version not in (FORMAT_VERSION, FORMAT_VERSION - 1):
        raise UnsupportedSource(
            f"its format is version {version}, this release reads {FORMAT_VERSION} and the one before; "
            "upgrade chronotile, or write it again with chronotile optimise"
        )
    said = mark if version < NATIVE_AT_ROOT else attributes.get(ATTRIBUTE)
    if said is None:  # a copy that xarray made of what it shows
        return None
    try:
        return Commit(
            id=str(said["id"]),
            revision=int(said["revision"]),
            times=int(said["times"]),
            block=int(said["block"]),
            region_px=int(said["region_px"]),
            has_map="map" in said["layouts"],
            has_series=SERIES in said["layouts"],
            levels=int(said["levels"]),
            changed={int(position): int(revision) for position, revision in said["changed"]},
            overlay=tuple(int(position) for position in said["overlay"]),
            format=version,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedSource("its commit document is damaged; write it again with chronotile optimise") from error


def nodes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of all nodes of a store by path, as far as its root's `zarr.json` has them."""
    shown = (document.get("consolidated_metadata") or {}).get("metadata") or {}
    ours = (document.get("attributes") or {}).get(ATTRIBUTE)
    return {**shown, **(ours.get(NODES, {}) if isinstance(ours, dict) else {})}
