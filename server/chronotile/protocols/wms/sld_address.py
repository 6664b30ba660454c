"""SLD: the address of colours that a request brings along, where the operator allows its place."""

from urllib.parse import urlsplit

from starlette.requests import Request

from chronotile.errors import InvalidParameter
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.state import in_fetches
from chronotile.styling.read_sld import MAX_BYTES
from chronotile.web.fetch import fetch
from chronotile.web.places import Places


async def with_document(request: Request, query: Kvp, places: Places) -> Kvp:
    """Return the parameters with what SLD names as SLD_BODY; as they are without it.

    Raises:
        InvalidParameter: Both are there, or the address is not allowed, or gives no text or too much.
        SourceUnavailable: The address cannot be reached.
        ServerBusy: Too much is waiting already.
    """
    address = query.optional("SLD")
    if address is None:
        return query
    if query.optional("SLD_BODY") is not None:
        raise InvalidParameter("SLD and SLD_BODY exclude one another", locator="SLD")
    if not places:
        raise InvalidParameter("SLD is not fetched here; send the document as SLD_BODY", locator="SLD")
    url = places.allowed(address, locator="SLD")
    found = await in_fetches(request, {urlsplit(url).netloc}, fetch, url, max_bytes=MAX_BYTES, locator="SLD")
    if len(found.body) > MAX_BYTES:
        raise InvalidParameter(f"SLD has more than the {MAX_BYTES} bytes that are read", locator="SLD")
    try:
        return query.replacing("SLD_BODY", found.body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidParameter("SLD is not UTF-8 text", locator="SLD") from error
