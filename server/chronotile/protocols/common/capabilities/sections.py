"""Sections of capabilities (OWS Common 1.1 and 2.0 §7.3.3 and 7.3.4)."""

from collections.abc import Sequence
from typing import TypeVar

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, InvalidUpdateSequence
from chronotile.protocols.common.capabilities.update_sequence import sequence_order
from chronotile.protocols.common.query.kvp import Kvp

Name = TypeVar("Name", bound=str)


def parse_sections(text: str, offered: Sequence[Name]) -> frozenset[Name]:
    """Return the sections in a list of names; `All` means all sections.

    Raises:
        InvalidParameter: A section is unknown.
    """
    by_name = {name.lower(): frozenset((name,)) for name in offered} | {"all": frozenset(offered)}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name.lower() not in by_name:
            raise InvalidParameter(
                f"section {name[:MAX_SHOWN]!r} is not known; accepted are All, {', '.join(offered)}", locator="sections"
            )
    return frozenset[Name]().union(*(by_name[name.lower()] for name in names))


def requested_sections(query: Kvp, current: str | None, *, offered: Sequence[Name]) -> frozenset[Name]:
    """Return the requested sections, by default all; none if the client has the current document.

    Raises:
        ChronotileError: A section is unknown, or the sequence of the client is later.
    """
    is_needed = needs_sections(query.optional("UPDATESEQUENCE"), current)
    return parse_sections(query.optional("SECTIONS") or "All", offered) if is_needed else frozenset()


def needs_sections(client_sequence: str | None, current: str | None) -> bool:
    """Return whether the document of a client is missing or outdated.

    Raises:
        InvalidUpdateSequence: The sequence of the client is later.
    """
    if client_sequence is None or current is None:
        return True
    order = sequence_order(client_sequence, current)
    if order > 0:
        # Without a locator (OWS Common 1.1 Table 27, 2.0 Table 28).
        message = f"updateSequence {client_sequence[:MAX_SHOWN]!r} is later than the current {current}"
        raise InvalidUpdateSequence(message)
    return order < 0
