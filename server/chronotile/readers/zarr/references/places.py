"""Where the addresses in references lead, and whether they may be opened."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from chronotile.readers.hrefs import local_path
from chronotile.web.item_places import ItemPlaces
from chronotile.web.places import Places

MAX_KNOWN = 1 << 20
"""Addresses whose places are remembered."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def places_of(href: str, allowed: Places | None) -> Callable[[str], str]:
    """Return what gives the place of a file; relative addresses begin in the folder in which the references are.

    Args:
        href: The references: a document, or a folder of documents.
        allowed: What may be opened besides what lies below that folder, or at its server or in its bucket.

    Raises:
        AddressRefused: By the returned function: an address lies elsewhere, or could mean two things.
    """
    path = local_path(href)
    folder = href.rstrip("/").rpartition("/")[0] if path is None else str(path.absolute().parent)
    places = ItemPlaces(folder, allowed or Places())
    known: dict[str, str] = {}

    def place_of(address: str) -> str:
        found = known.get(address)
        if found is None:
            is_relative = not _SCHEME.match(address) and not address.startswith("/")
            found = places.allowed(_beside(folder, address, is_here=path is not None) if is_relative else address)
            if len(known) < MAX_KNOWN:
                known[address] = found
        return found

    return place_of


def _beside(folder: str, address: str, *, is_here: bool) -> str:
    return os.path.normpath(Path(folder) / address) if is_here else f"{folder}/{address}"
