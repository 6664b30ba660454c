"""The warning that tells which times stand in for those asked for (WMS 1.3.0 Annex C.4)."""

from chronotile.model.payload import TimeUsed
from chronotile.model.time import Instant, TimeDomain
from chronotile.protocols.common.time_extent import time_text

MAX_TIMES_TOLD = 16
"""Times that a warning lists; of more it tells the interval they lie in."""


def value_warning(what: str, instants: tuple[Instant, ...], domain: TimeDomain, *, of: str = "time") -> str:
    """Return the header that names the times used.

    Args:
        what: `default` or `nearest`.
        instants: Newest first.
        domain: Of the layer, whose times they are.
        of: The parameter for which they stand in.
    """
    texts = [time_text(instant, domain) for instant in reversed(instants)]
    named = ",".join(texts) if len(texts) <= MAX_TIMES_TOLD else f"{texts[0]}/{texts[-1]}"
    return f"99 {what.capitalize()} value used: {of}={named} ISO8601"


def nearest_warnings(used: TimeUsed, domain: TimeDomain) -> list[str]:
    """Return the headers of an answer in which other times stand in for those named."""
    warnings = []
    if used.instants and used.substitution == "nearest":
        warnings.append(value_warning("nearest", used.instants, domain))
    if used.base_substitution == "nearest":
        warnings.append(value_warning("nearest", used.base, domain, of="difference"))
    return warnings
