"""Which sections of capabilities a client gets (OWS Common 1.1 and 2.0 §7.3.3 and 7.3.4)."""

from collections.abc import Sequence
from typing import TypeVar

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, InvalidUpdateSequence
from chronotile.protocols.common.capabilities.layer_entries import sequence_order
from chronotile.protocols.common.query.kvp import Kvp

Name = TypeVar("Name", bound=str)


def named_sections(given: str, known: Sequence[Name]) -> frozenset[Name]:
    """Return the sections of a list of names, of which `All` is one.

    Raises:
        InvalidParameter: One is not known.
    """
    by_name = {name.lower(): frozenset((name,)) for name in known} | {"all": frozenset(known)}
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name.lower() not in by_name:
            raise InvalidParameter(
                f"section {name[:MAX_SHOWN]!r} is not known; accepted are All, {', '.join(known)}", locator="sections"
            )
    return frozenset[Name]().union(*(by_name[name.lower()] for name in names))


def requested_sections(query: Kvp, current: str | None, *, known: Sequence[Name]) -> frozenset[Name]:
    """Return the sections that SECTIONS names, all without it; none where a client holds the current sequence.

    Raises:
        ChronotileError: As `named_sections` and `needs_sections`.
    """
    is_needed = needs_sections(query.optional("UPDATESEQUENCE"), current)
    return named_sections(query.optional("SECTIONS") or "All", known) if is_needed else frozenset()


def needs_sections(held: str | None, current: str | None) -> bool:
    """Return whether a client needs any section: not if it holds the document of the current sequence.

    Raises:
        InvalidUpdateSequence: It holds a later one.
    """
    if held is None or current is None:
        return True
    order = sequence_order(held, current)
    if order > 0:
        # Without a locator (OWS Common 1.1 Table 27, 2.0 Table 28).
        raise InvalidUpdateSequence(f"updateSequence {held[:MAX_SHOWN]!r} is later than the current {current}")
    return order < 0
