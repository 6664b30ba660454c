"""Which encodings of files the configuration replaces."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chronotile.model.raster import Encoding
from chronotile.model.source import Finding
from chronotile.readers.encoding import encoding_text, is_scaled


class FileEncoding(NamedTuple):
    """How the numbers of a file are encoded."""

    stated: Encoding
    """As the file itself states it."""
    used: Encoding
    """As the configuration corrects it."""


def replaced_keys(encoding: FileEncoding) -> tuple[str, ...]:
    """Return which of `scale`, `offset` and `nodata` the file states and the configuration replaces by another."""
    stated, used = encoding
    keys = [key for key in ("scale", "offset") if is_scaled(stated) and getattr(stated, key) != getattr(used, key)]
    if stated.dtype == used.dtype and stated.nodata is not None and not _is_same(stated.nodata, used.nodata):
        keys.append("nodata")
    return tuple(keys)


def replaced_findings(encodings: Mapping[str, FileEncoding]) -> Iterator[Finding]:
    """Yield that the configuration replaces what files state: a warning if not all files state the same.

    Then some files may be right and others lack a scale, and one key cannot be right for both.

    Args:
        encodings: Of files that were opened, by what messages call them.
    """
    replaced = {name: keys for name, each in encodings.items() if (keys := replaced_keys(each))}
    if not replaced:
        return
    name, keys = next(iter(replaced.items()))
    stated, used = encodings[name]
    said = " and ".join(f"{key}:" for key in keys)
    message = (
        f"it states {encoding_text(stated)}, but is read as {encoding_text(used)}: {said} of the configuration "
        f"{'replaces' if len(keys) == 1 else 'replace'} what files state ({len(replaced)} of {len(encodings)})"
    )
    if len({(each.stated.scale, each.stated.offset, str(each.stated.nodata)) for each in encodings.values()}) == 1:
        yield Finding("note", name, message)
    else:
        remedy = "if a file is right, remove these keys and write them into the files that lack them"
        yield Finding("warning", name, f"{message}; {remedy}")


def _is_same(first: float, second: float | None) -> bool:
    return second is not None and (first == second or (math.isnan(first) and math.isnan(second)))
