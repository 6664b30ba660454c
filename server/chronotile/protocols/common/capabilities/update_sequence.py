"""The `updateSequence` of capabilities: clients detect outdated copies with it (OWS Common 1.1 §7.3.4)."""

import re
from decimal import Decimal

import numpy as np

from chronotile.core.errors import MAX_SHOWN, CurrentUpdateSequence, InvalidUpdateSequence
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE]\+?\d{1,3})?", re.ASCII)


def update_sequence(services: Services) -> str | None:
    """Return the time of the last change in microseconds since 1970; `None` if unknown."""
    if services.changed is None:
        return None
    return str(services.changed.astype("datetime64[us]").astype(np.int64))


def sequence_order(client_sequence: str, current: str) -> int:
    """Return -1, 0 or 1: the sequence of a client is earlier than, equal to or later than the current one.

    Sequences compare as numbers, because OGC's WMS test suite sends doubles (`1.6E15`). Other texts are earlier: old
    versions of the server had instants as sequences.
    """
    if _NUMBER.fullmatch(client_sequence.strip()) is None:
        return -1
    client, server = Decimal(client_sequence.strip()), Decimal(current)
    return (client > server) - (client < server)


def check_update_sequence(query: Kvp, current: str | None) -> None:
    """Refuse a client with the current or a later document (WMS 1.3.0 §7.2.3.5, WCS 1.0.0 §8.2.2).

    Args:
        query: Parameters of the request.
        current: Sequence of the document; with `None` UPDATESEQUENCE is ignored.

    Raises:
        CurrentUpdateSequence: The client has the current document.
        InvalidUpdateSequence: The sequence of the client is later.
    """
    requested = query.optional("UPDATESEQUENCE")
    if requested is None or current is None:
        return
    order = sequence_order(requested, current)
    if order == 0:
        raise CurrentUpdateSequence(f"UPDATESEQUENCE {current} is current", locator="UPDATESEQUENCE")
    if order > 0:
        raise InvalidUpdateSequence(
            f"UPDATESEQUENCE {requested[:MAX_SHOWN]!r} is later than the current {current}", locator="UPDATESEQUENCE"
        )
