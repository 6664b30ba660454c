"""One version of WCS, as `routes` chooses among them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError

Pairs = Sequence[tuple[str, str]]
"""Parameters of a request, in order; one may be there several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a version answers, and how."""

    numbers: tuple[str, ...]
    """Under which clients request it; the first is its own."""
    namespace: str
    """Of requests in XML."""
    answer: Callable[[Request, Pairs], Awaitable[Response]]
    pairs_of_xml: Callable[[etree._Element], Pairs]
    """The root of a request in XML as the parameters of one in key-value pairs."""
    fault: Callable[[ChronotileError, Request], Response]
