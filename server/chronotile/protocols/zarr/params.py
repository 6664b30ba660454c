"""Paths below `/zarr` turned into requests."""

import re
from collections.abc import Mapping

from chronotile.errors import UnknownPath
from chronotile.model.layer_store import ChunkRequest, StoreRequest

AT = "@"
"""Between a layer and the state of it; in no layer's name."""
MAX_SHOWN = 60
_NUMBERS = r"\d{1,9}(?:%s\d{1,9}){0,2}"
_KEYS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        f"c(?:/({_NUMBERS % '/'}))?",
        rf"c\.({_NUMBERS % re.escape('.')})",
        f"({_NUMBERS % '/'})",
    )
)
"""Names of chunks by the encodings in which stores are described, in their order (Zarr 3 §Chunk key encoding)."""


def store_request(path: Mapping[str, str]) -> StoreRequest:
    """Return the layer, and the state of it, that `/zarr/{layer}` or `/zarr/{layer}@{revision}` names."""
    layer, at, revision = path["layer"].partition(AT)
    return StoreRequest(layer=layer, revision=revision if at else None)


def chunk_request(path: Mapping[str, str]) -> ChunkRequest:
    """Return the chunk that `/zarr/{layer}/{array}/{chunk}` names.

    Raises:
        UnknownPath: It is not a name of a chunk.
    """
    key = path["chunk"]
    for encoding, pattern in enumerate(_KEYS):
        found = pattern.fullmatch(key)
        if found is not None:
            numbers = tuple(int(each) for each in re.findall(r"\d+", found[1] or ""))
            return ChunkRequest(store=store_request(path), array=path["array"], encoding=encoding, numbers=numbers)
    raise UnknownPath(f"{key[:MAX_SHOWN]!r} is neither the name of a chunk, such as c/0/0/0, nor a document")
