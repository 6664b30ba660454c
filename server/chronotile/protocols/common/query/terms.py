"""Search terms for texts of items."""

import re
from collections.abc import Sequence

from chronotile.core.model.types import Json

ITEM_FIELDS = ("id", "title", "description")
"""Indexed text properties of items."""


def terms_filter(terms: Sequence[str]) -> Json:
    """Return the CQL2 JSON filter for items with any of the terms in `ITEM_FIELDS`."""
    return {"op": "or", "args": [_has(term, field) for term in terms for field in ITEM_FIELDS]}


def _has(term: str, field: str) -> Json:
    escaped = re.sub(r"([\\%_])", r"\\\1", " ".join(term.split()))
    pattern = {"op": "casei", "args": [f"%{escaped}%"]}
    return {"op": "like", "args": [{"op": "casei", "args": [{"property": field}]}, pattern]}
