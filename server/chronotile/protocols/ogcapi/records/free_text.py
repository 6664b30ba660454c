"""Free text: which texts have one of some terms (OGC 20-004r1, parameter `q`)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from chronotile.protocols.ogcapi.block import Json

ITEM_FIELDS = ("id", "title", "description")
"""Properties of items in the index that are texts."""


class TextSearch:
    """Looks for terms in records, in any case.

    Args:
        terms: One of which is enough; none: all records match.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        patterns = (r"\s+".join(map(re.escape, term.split())) for term in terms)
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if terms else None

    def finds(self, record: Json) -> bool:
        """Return whether a record has one in its id, title, description, a keyword or the id of a layer."""
        return self._pattern is None or any(self._pattern.search(text) for text in _texts(record))


def _texts(record: Json) -> Iterator[str]:
    properties = record["properties"]
    yield record["id"]
    yield properties["title"]
    yield properties.get("description", "")
    yield from properties.get("keywords", ())
    yield from properties.get("layers", ())


def terms_filter(terms: Sequence[str]) -> Json:
    """Return CQL2 JSON of items that have one of some terms in their id, title or description."""
    return {"op": "or", "args": [_has(term, field) for term in terms for field in ITEM_FIELDS]}


def _has(term: str, field: str) -> dict[str, Any]:
    escaped = re.sub(r"([\\%_])", r"\\\1", " ".join(term.split()))
    pattern = {"op": "casei", "args": [f"%{escaped}%"]}
    return {"op": "like", "args": [{"op": "casei", "args": [{"property": field}]}, pattern]}
