"""Words that are looked for in the texts of items."""

import re
from collections.abc import Sequence

from chronotile.core.model.types import Json

ITEM_FIELDS = ("id", "title", "description")
"""Properties of items in the index that are texts."""


def terms_filter(terms: Sequence[str]) -> Json:
    """Return CQL2 JSON of items that have one of some terms in their id, title or description."""
    return {"op": "or", "args": [_has(term, field) for term in terms for field in ITEM_FIELDS]}


def _has(term: str, field: str) -> Json:
    escaped = re.sub(r"([\\%_])", r"\\\1", " ".join(term.split()))
    pattern = {"op": "casei", "args": [f"%{escaped}%"]}
    return {"op": "like", "args": [{"op": "casei", "args": [{"property": field}]}, pattern]}
