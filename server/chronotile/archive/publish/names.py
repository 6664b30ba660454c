"""Names of folders and files in a published catalogue, made from ids and names that anyone may have chosen."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import blake2b

from chronotile.core.durable_files import PARTIAL
from chronotile.core.model.types import Instant

CATALOGUE = "catalog.json"
"""Name of the document of each folder of items."""
MAX_LENGTH = 120
"""Length of a name in characters."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*")


def safe_name(text: str) -> str:
    """Return a text as a file name that is safe in paths and URLs; different texts give different names."""
    if len(text) <= MAX_LENGTH and _PLAIN.fullmatch(text):
        return text
    stem, dot, suffix = text.rpartition(".")
    if not (stem and dot and suffix.isascii() and suffix.isalnum() and len(suffix) <= 8):
        stem, suffix = text, ""
    readable = re.sub(r"[^A-Za-z0-9_+=-]+", "-", stem)[: MAX_LENGTH // 2].strip("-") or "item"
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{readable}-{digest}{f'.{suffix}' if suffix else ''}"


def item_name(id_: str) -> str:
    """Return the name of an item's folder and document, which differs from that of the catalogue in the same folder."""
    name = safe_name(id_)
    return safe_name(f"/{id_}") if name.lower() in _reserved_names(CATALOGUE) else name


def item_place(id_: str) -> str:
    """Return the path of an item's document relative to its catalogue."""
    name = item_name(id_)
    return f"{name}/{name}.json"


def distinct_names(names: Iterable[tuple[str, str]], *, document: str | None = None) -> dict[str, str]:
    """Return safe file names by key, which differ by more than case, also from names of partial files.

    Args:
        names: Unique keys, and names. Conflicting names get their key as a prefix.
        document: Name of the document in the same folder.
    """
    pairs = [(key, safe_name(name)) for key, name in names]
    counts = Counter(name.lower() for _key, name in pairs)
    reserved = set() if document is None else _reserved_names(document)
    alone = {key: name for key, name in pairs if counts[name.lower()] == 1 and not _is_like(name, reserved)}
    reserved.update(name.lower() for name in alone.values())
    file_names = dict[str, str]()
    for key, name in pairs:
        chosen = alone.get(key) or safe_name(f"{key}-{name}")
        if key not in alone and _is_like(chosen, reserved):
            chosen = safe_name(f"/{key}/{name}/")  # cannot equal an unchanged name
        reserved.add(chosen.lower())
        file_names[key] = chosen
    return file_names


def _reserved_names(document: str) -> set[str]:
    return {document.lower(), f"{document.lower()}{PARTIAL}"}


def _is_like(name: str, reserved: Collection[str]) -> bool:
    # Whether a name is used, or is that of a partial file.
    return name.lower() in reserved or name.lower().endswith(PARTIAL)


def group_path(start: Instant, *, is_daily: bool) -> str:
    """Return the folder of items of a time: their day if there may be many items per day, else their year."""
    text = str(start.astype("datetime64[D]"))
    return text.replace("-", "/") if is_daily else text[:4]
