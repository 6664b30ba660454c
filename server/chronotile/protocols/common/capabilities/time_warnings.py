"""Warnings that name the times used in place of those requested (WMS 1.3.0 Annex C.4), and what was ignored."""

import re
from collections.abc import Collection

from chronotile.errors import MAX_SHOWN
from chronotile.model.payload import TimeUsed
from chronotile.model.time.instants import Instant, TimeDomain
from chronotile.protocols.common.capabilities.time_extent import time_text
from chronotile.protocols.common.query.kvp import Kvp

MAX_TIMES_LISTED = 16
"""Times that a warning lists; more are given as the interval they lie in."""


def value_warning(what: str, instants: tuple[Instant, ...], domain: TimeDomain, *, of: str = "time") -> str:
    """Return the header that names the times used.

    Args:
        what: `default` or `nearest`.
        instants: Newest first.
        domain: Of the layer, whose times they are.
        of: The parameter in place of whose value they are used.
    """
    texts = [time_text(instant, domain) for instant in reversed(instants)]
    named = ",".join(texts) if len(texts) <= MAX_TIMES_LISTED else f"{texts[0]}/{texts[-1]}"
    return f"99 {what.capitalize()} value used: {of}={named} ISO8601"


def nearest_warnings(used: TimeUsed, domain: TimeDomain) -> list[str]:
    """Return the headers of an answer in which other times are used than those requested."""
    warnings = []
    if used.instants and used.substitution == "nearest":
        warnings.append(value_warning("nearest", used.instants, domain))
    if used.base_substitution == "nearest":
        warnings.append(value_warning("nearest", used.base, domain, of="difference"))
    return warnings


def slip_warnings(query: Kvp, known: Collection[str]) -> list[str]:
    """Return the headers (RFC 7234 §5.5) that name ignored parameters which are nearly those of the operation."""
    slips = ((re.sub(r"[^\w-]", "", name[:MAX_SHOWN], flags=re.ASCII), meant) for name, meant in query.slips(known))
    return [f'199 - "{name} is not a parameter here and is ignored; {meant} is one"' for name, meant in slips]
