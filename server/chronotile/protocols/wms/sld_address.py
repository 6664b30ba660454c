"""SLD: the address of colours that a request brings along, where the operator allows its place."""

from collections.abc import Iterable

from starlette.requests import Request

from chronotile.errors import ConfigurationError, InvalidParameter
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp
from chronotile.protocols.common.remote_place import RemotePlace, remote_place
from chronotile.protocols.common.state import state_of
from chronotile.readers.fetch import fetch
from chronotile.styling.read_sld import MAX_BYTES

SCHEMES = {"http", "https"}


def sld_places(prefixes: Iterable[str]) -> tuple[RemotePlace, ...]:
    """Return the places below which documents may lie.

    Raises:
        ConfigurationError: With all prefixes that are none.
    """
    places, mistakes = [], []
    for prefix in prefixes:
        try:
            places.append(_web_place(prefix.rstrip("/")))
        except ValueError as error:
            mistakes.append(f"SLD_PREFIXES: {prefix[:80]!r} is no prefix ({error}); accepted are https:// URLs")
    if mistakes:
        raise ConfigurationError(mistakes)
    return tuple(places)


async def with_document(request: Request, query: Kvp, places: tuple[RemotePlace, ...]) -> Kvp:
    """Return the parameters with what SLD names as SLD_BODY; as they are without it.

    Raises:
        InvalidParameter: Both are there, or the address is not allowed or gives no text.
        ServerBusy: Too much is waiting already.
    """
    address = query.optional("SLD")
    if address is None:
        return query
    if query.optional("SLD_BODY") is not None:
        raise InvalidParameter("SLD and SLD_BODY exclude one another", locator="SLD")
    url = _allowed(address, places)
    gate = state_of(request).gates.series  # a place that hangs holds its share of these threads, and no others
    body = await gate.run(lambda: fetch(url, max_bytes=MAX_BYTES, locator="SLD"), sources=("SLD",))
    try:
        return query.replacing("SLD_BODY", (body or b"").decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidParameter("SLD gives no UTF-8 text", locator="SLD") from error


def _allowed(address: str, places: tuple[RemotePlace, ...]) -> str:
    if not places:
        raise InvalidParameter("SLD is not fetched here; send the document as SLD_BODY", locator="SLD")
    try:
        place = _web_place(address)
    except ValueError as error:
        raise InvalidParameter(f"SLD {address[:MAX_SHOWN]!r} is no plain URL: {error}", locator="SLD") from error
    if not any(each.holds(place) for each in places):
        raise InvalidParameter(f"SLD {address[:MAX_SHOWN]!r} lies at no place that is allowed", locator="SLD")
    return place.url


def _web_place(text: str) -> RemotePlace:
    place = remote_place(text)
    if place.scheme not in SCHEMES:
        raise ValueError("it is no http or https URL")
    return place
