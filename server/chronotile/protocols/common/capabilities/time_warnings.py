"""Warning headers about times that replace requested ones (WMS 1.3.0 Annex C.4)."""

from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Instant
from chronotile.protocols.common.capabilities.time_extent import time_text

MAX_TIMES_LISTED = 16
"""Limit of listed times; more become their interval."""


def value_warning(kind: str, instants: tuple[Instant, ...], domain: TimeDomain, *, of: str = "time") -> str:
    """Return the header that lists the times used instead of a requested value.

    Args:
        kind: `default` or `nearest`.
        instants: Instants, newest first.
        domain: Times of the layer.
        of: Name of the parameter.
    """
    texts = [time_text(instant, domain) for instant in reversed(instants)]
    listed = ",".join(texts) if len(texts) <= MAX_TIMES_LISTED else f"{texts[0]}/{texts[-1]}"
    return f"99 {kind.capitalize()} value used: {of}={listed} ISO8601"


def nearest_warnings(used: TimeUsed, domain: TimeDomain) -> list[str]:
    """Return the headers of an answer with other times than requested."""
    warnings = []
    if used.instants and used.substitution == "nearest":
        warnings.append(value_warning("nearest", used.instants, domain))
    if used.base_substitution == "nearest":
        warnings.append(value_warning("nearest", used.base, domain, of="difference"))
    return warnings
