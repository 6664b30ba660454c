"""The member `climatology` of documents in JSON."""

from typing import Any

from chronotile.model.time.instants import TimeSpan, format_instant


def climatology_member(span: TimeSpan | None, *, is_climatology: bool) -> dict[str, Any]:
    """Return `{"climatology": {"start", "end"}}`, nothing of other times.

    The end is exclusive, as bounds of CF are; the value is null where the data do not say of which years they are.
    """
    if not is_climatology:
        return {}
    if span is None:
        return {"climatology": None}
    return {"climatology": {"start": format_instant(span.start), "end": format_instant(span.end)}}
