"""Requests for a layer as a Zarr store, as given."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """Describe the store of this layer."""

    layer: str
    """Id or alias."""
    revision: str | None = None
    """The state that is meant; `None` is that of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRequest:
    """Give me this chunk of it."""

    store: StoreRequest
    array: str
    """Its name."""
    encoding: int
    """Of the key in which the numbers were: an index into those in which stores are described."""
    numbers: tuple[int, ...]
    """Which chunk, by axis."""
