"""Names of folders and files in a published catalogue, from ids and names that anyone may have written."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import blake2b

from chronotile.durable_files import PARTIAL
from chronotile.model.time.instants import Instant

CATALOGUE = "catalog.json"
"""Of each folder of items."""
MOST = 120
"""Characters."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*")


def safe_name(text: str) -> str:
    """Return a text as a name that means no other place and is safe in addresses; different texts give others."""
    if len(text) <= MOST and _PLAIN.fullmatch(text):
        return text
    stem, dot, suffix = text.rpartition(".")
    if not (stem and dot and suffix.isascii() and suffix.isalnum() and len(suffix) <= 8):
        stem, suffix = text, ""
    shown = re.sub(r"[^A-Za-z0-9_+=-]+", "-", stem)[: MOST // 2].strip("-") or "item"
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{shown}-{digest}{f'.{suffix}' if suffix else ''}"


def item_name(id_: str) -> str:
    """Return the name of an item's folder and document, which is not that of the catalogue beside it."""
    name = safe_name(id_)
    return safe_name(f"/{id_}") if name.lower() in _taken_by(CATALOGUE) else name


def item_place(id_: str) -> str:
    """Return the path of an item's document in the folder of its catalogue."""
    name = item_name(id_)
    return f"{name}/{name}.json"


def distinct_names(names: Iterable[tuple[str, str]], *, document: str | None = None) -> dict[str, str]:
    """Return safe names of files by key, which differ by more than case, also from those of files that are not whole.

    Args:
        names: Keys, which differ, and names. Names that are like others get their keys in front.
        document: Name of the document beside the files.
    """
    pairs = [(key, safe_name(name)) for key, name in names]
    counts = Counter(name.lower() for _key, name in pairs)
    reserved = set() if document is None else _taken_by(document)
    alone = {key: name for key, name in pairs if counts[name.lower()] == 1 and not _is_like(name, reserved)}
    reserved.update(name.lower() for name in alone.values())
    named = dict[str, str]()
    for key, name in pairs:
        chosen = alone.get(key) or safe_name(f"{key}-{name}")
        if key not in alone and _is_like(chosen, reserved):
            chosen = safe_name(f"/{key}/{name}/")  # which no plain name is
        reserved.add(chosen.lower())
        named[key] = chosen
    return named


def _taken_by(document: str) -> set[str]:
    return {document.lower(), f"{document.lower()}{PARTIAL}"}


def _is_like(name: str, reserved: Collection[str]) -> bool:
    """Whether a name is taken, or that of a file until it is whole."""
    return name.lower() in reserved or name.lower().endswith(PARTIAL)


def group_path(start: Instant, *, is_daily: bool) -> str:
    """Return the folder of items of a time: of their day if there may be many a day, else of their year."""
    text = str(start.astype("datetime64[D]"))
    return text.replace("-", "/") if is_daily else text[:4]
