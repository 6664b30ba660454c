"""Findings on files of one variable that differ in encoding, and on encodings that the configuration replaces."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.readers.configured_encoding import encoding_text, is_scaled
from chronotile.readers.overview_summaries import is_same_nodata


class FileEncoding(NamedTuple):
    """Encoding of the numbers of a file."""

    stated: Encoding
    """Encoding that the file states."""
    used: Encoding
    """Encoding with the corrections of the configuration."""


def encoding_findings(
    variable: str, encodings: Mapping[str, FileEncoding], served: Encoding, *, remedy: str = ""
) -> Iterator[Finding]:
    """Yield findings about replaced encodings and about files that differ in encoding.

    Args:
        variable: Its id.
        encodings: Encodings of opened files, by the names of files in messages.
        served: The common encoding.
        remedy: Advice for a wrong file; if set, files that differ in scale or offset are a warning.
    """
    yield from _replaced_findings(encodings)
    counts = Counter(x.used for x in encodings.values())
    if len(counts) < 2:
        return
    usual, count = counts.most_common(1)[0]
    name, odd = next((name, x.used) for name, x in encodings.items() if x.used != usual)
    message = (
        f"the numbers of {variable} are {encoding_text(odd)}, those of most files {encoding_text(usual)} "
        f"({len(encodings) - count} of {len(encodings)} differ); each file is read by its own, and all are served as "
        f"{encoding_text(served)}"
    )
    is_of_values = len({(x.scale, x.offset) for x in counts}) > 1
    yield Finding("warning" if remedy and is_of_values else "note", name, "; ".join(filter(None, (message, remedy))))


def _replaced_keys(encoding: FileEncoding) -> tuple[str, ...]:
    """Return which of `scale`, `offset` and `nodata` the configuration replaces in the file."""
    stated, used = encoding
    keys = [key for key in ("scale", "offset") if is_scaled(stated) and getattr(stated, key) != getattr(used, key)]
    if stated.dtype == used.dtype and stated.nodata is not None and not is_same_nodata(stated.nodata, used.nodata):
        keys.append("nodata")
    return tuple(keys)


def _replaced_findings(encodings: Mapping[str, FileEncoding]) -> Iterator[Finding]:
    """Yield a finding if the configuration replaces the encoding of files; a warning if files differ in it.

    Among files that differ, some may be right and others lack a scale, so that one key cannot be right for both.

    Args:
        encodings: Encodings of opened files, by the names of files in messages.
    """
    replaced = {name: keys for name, x in encodings.items() if (keys := _replaced_keys(x))}
    if not replaced:
        return
    name, keys = next(iter(replaced.items()))
    stated, used = encodings[name]
    key_names = " and ".join(f"{key}:" for key in keys)
    message = (
        f"it states {encoding_text(stated)}, but is read as {encoding_text(used)}: {key_names} of the configuration "
        f"{'replaces' if len(keys) == 1 else 'replace'} what files state ({len(replaced)} of {len(encodings)})"
    )
    if len({(x.stated.scale, x.stated.offset, str(x.stated.nodata)) for x in encodings.values()}) == 1:
        yield Finding("note", name, message)
    else:
        remedy = "if a file is right, remove these keys and write them into the files that lack them"
        yield Finding("warning", name, f"{message}; {remedy}")
