"""The operations of WCS 2.0.1."""

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import OperationNotSupported
from chronotile.protocols.wcs.faults import fault_2
from chronotile.protocols.wcs.version import Pairs, Version


async def answer(_request: Request, _pairs: Pairs) -> Response:
    """Return what REQUEST requests."""
    raise OperationNotSupported("not yet", locator="request")


def pairs_of_xml(_root: etree._Element) -> Pairs:
    """Return the parameters of a request in XML."""
    return []


WCS_2 = Version(
    numbers=("2.0.1",),
    namespace="http://www.opengis.net/wcs/2.0",
    answer=answer,
    pairs_of_xml=pairs_of_xml,
    fault=fault_2,
)
