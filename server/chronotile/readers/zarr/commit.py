"""The commit of a serving cube: the one document that lists its complete parts.

It is the attribute `chronotile` of the root's `zarr.json`, which is written last and by one rename, so that a reader
sees the state before it or after it. `docs/design/serving-cube.md` gives the reasons.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chronotile.errors import UnsupportedSource

ATTRIBUTE = "chronotile"
FORMAT_VERSION = 1
"""Of the store. A release reads its own version and the one before."""

OVERLAY = "overlay"
"""The folder of the pixels that replace others, until they have taken their place."""
SERIES = "series"
"""The group of the series layout; those of the map layout are called `0`, `1` and so on."""
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

    @property
    def overlay_blocks(self) -> frozenset[int]:
        """Blocks of the series layout that are read from the overlay."""
        return frozenset(position // self.block for position in self.overlay)

    def attribute(self) -> dict[str, Any]:
        """Return the commit as JSON members."""
        return {
            "format": FORMAT_VERSION,
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
    said = attributes.get(ATTRIBUTE)
    if not isinstance(said, dict) or "format" not in said:
        return None
    version = said["format"]
    if version not in {FORMAT_VERSION, FORMAT_VERSION - 1}:
        raise UnsupportedSource(
            f"its format is version {version}, this release reads {FORMAT_VERSION} and the one before; "
            "upgrade chronotile, or write it again with chronotile optimise"
        )
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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedSource("its commit document is damaged; write it again with chronotile optimise") from error
