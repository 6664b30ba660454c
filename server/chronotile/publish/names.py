"""Names of folders and files in a published catalogue, from ids and names that anyone may have written."""

import re
from collections.abc import Iterable
from hashlib import blake2b

from chronotile.model.time.instants import Instant

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


def distinct_names(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return safe names by key, of (key, name) pairs; names that differ at most in case get their keys in front."""
    pairs = [(key, safe_name(name)) for key, name in names]
    lower = [name.lower() for _key, name in pairs]
    return {key: name if lower.count(name.lower()) == 1 else safe_name(f"{key}-{name}") for key, name in pairs}


def group_path(start: Instant, *, is_daily: bool) -> str:
    """Return the folder of items of a time: of their day if there may be many a day, else of their year."""
    text = str(start.astype("datetime64[D]"))
    return text.replace("-", "/") if is_daily else text[:4]
