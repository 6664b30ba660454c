"""Names of variables as CF accepts them."""

import re
from collections.abc import Collection, Iterable
from itertools import chain, count

_NO_NAME = re.compile(r"\W")


def name_of(text: str) -> str:
    """Return a text as a name of CF: characters other than letters and digits become underscores."""
    return _NO_NAME.sub("_", text)


def distinct_names(texts: Iterable[str], existing: Collection[str] = ()) -> list[str]:
    """Return a name of CF for each text that is not in `existing`; a second equal name ends in `_2`."""
    names: list[str] = []
    for text in texts:
        stem = name_of(text)
        ends = chain([stem], (f"{stem}_{number}" for number in count(2)))
        names.append(next(name for name in ends if name not in existing and name not in names))
    return names
