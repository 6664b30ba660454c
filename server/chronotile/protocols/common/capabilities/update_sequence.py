"""The `updateSequence` of capabilities, by which clients detect outdated copies (OWS Common 1.1 §7.3.4)."""

import re
from decimal import Decimal

import numpy as np

from chronotile.pipeline.services import Services

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE]\+?\d{1,3})?", re.ASCII)


def update_sequence(services: Services) -> str | None:
    """Return when what the capabilities tell of last changed, in microseconds since 1970, if that is known."""
    if services.changed is None:
        return None
    return str(services.changed.astype("datetime64[us]").astype(np.int64))


def sequence_order(held: str, current: str) -> int:
    """Return -1, 0 or 1: the sequence that a client holds is earlier than the current one, the same, or later.

    They compare as numbers, however they are written: OGC's suite of WMS writes one more as a double, `1.6E15`. What
    is not a number is earlier, such as the instants that earlier versions of the server had as sequences.
    """
    if _NUMBER.fullmatch(held.strip()) is None:
        return -1
    own, now = Decimal(held.strip()), Decimal(current)
    return (own > now) - (own < now)
