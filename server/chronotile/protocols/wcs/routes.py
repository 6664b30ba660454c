"""The endpoint of WCS: one path; parameters select the version and the operation."""

import re

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.core.errors import MAX_SHOWN, ChronotileError, InvalidParameter, VersionNegotiationFailed
from chronotile.core.xml_text import MAX_BYTES, parse_xml
from chronotile.http.endpoint import endpoint
from chronotile.http.request_bodies import FORM, read_body, read_pairs
from chronotile.protocols.common.query.kvp import last_of_each
from chronotile.protocols.wcs import answers
from chronotile.protocols.wcs.faults import refusal, refusing
from chronotile.protocols.wcs.v1.version_1_0 import WCS_1_0
from chronotile.protocols.wcs.v1.version_1_1 import WCS_1_1
from chronotile.protocols.wcs.v2.version_2_0 import WCS_2
from chronotile.protocols.wcs.version import Pairs, WcsVersion

PATH = "/wcs"
VERSIONS: tuple[WcsVersion, ...] = (WCS_2, WCS_1_1, WCS_1_0)
"""Newest first."""
SPOKEN = "chronotile.wcs_version"
"""ASGI scope key of the version that answers a request."""
CAPABILITIES = (("SERVICE", "WCS"), ("REQUEST", "GetCapabilities"))
"""Parameters of a request without parameters."""
_NUMBERS = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}", re.ASCII)


async def answer(request: Request) -> Response:
    """Answer the operation that REQUEST names, in the negotiated version."""
    request.scope[SPOKEN] = VERSIONS[0]
    pairs = await _pairs(request) or CAPABILITIES
    version = request.scope[SPOKEN] = _spoken_version(pairs)
    service = last_of_each(pairs).require("SERVICE", accepted="WCS")
    if service.upper() != "WCS":
        raise InvalidParameter(f"SERVICE is WCS, got {service[:MAX_SHOWN]!r}", locator="service")
    return await answers.answer(version, request, pairs)


async def _pairs(request: Request) -> Pairs:
    """Return the parameters of a key-value request, or of an XML body as if it were one.

    Raises:
        InvalidParameter: The body is not a request.
    """
    media_type = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if request.method != "POST" or media_type == FORM:
        return await read_pairs(request)
    with refusing("InvalidEncodingSyntax", locator="request"):
        root = parse_xml(await read_body(request, at_most=MAX_BYTES), what="the body")
    namespace = etree.QName(root).namespace
    version = next((candidate for candidate in VERSIONS if candidate.namespace == namespace), None)
    if version is None:
        accepted = ", ".join(candidate.namespace for candidate in VERSIONS)
        where = f"the namespace {namespace[:MAX_SHOWN]!r}" if namespace else "no namespace"
        message = f"the root of the body is in {where}; accepted are {accepted}"
        raise refusal("InvalidEncodingSyntax", message, locator="request")
    request.scope[SPOKEN] = version
    number = root.get("version", version.numbers[0])
    if number not in version.numbers:
        message = f"version is {version.numbers[0]} in this namespace, got {number[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="version")
    return version.pairs_of_xml(root)


def _spoken_version(pairs: Pairs) -> WcsVersion:
    """Return the version of a request (OGC 09-110r4 §8.2, OWS Common 2.0 §7.3.2).

    GetCapabilities without an exact match follows OGC 03-065r6 §6.2.4.

    Raises:
        VersionNegotiationFailed: AcceptVersions names no version that is offered.
        ChronotileError: VERSION is missing or not offered, and the operation is not GetCapabilities.
    """
    query = last_of_each(pairs)
    by_number = {number: version for version in VERSIONS for number in version.numbers}
    requested, accepted = query.optional("VERSION"), query.optional("ACCEPTVERSIONS")
    if (query.optional("REQUEST") or "").lower() != "getcapabilities":
        number = query.require("VERSION", accepted=", ".join(by_number))
        if number not in by_number:
            message = f"VERSION is one of {', '.join(by_number)}, got {number[:MAX_SHOWN]!r}"
            raise InvalidParameter(message, locator="version")
        return by_number[number]
    if requested is not None:
        return by_number.get(requested) or _not_higher(requested)
    if accepted is None:
        return VERSIONS[0]
    listed = [number.strip() for number in accepted.split(",")]
    negotiated = next((by_number[number] for number in listed if number in by_number), None)
    if negotiated is None:
        message = f"ACCEPTVERSIONS {accepted[:MAX_SHOWN]!r} names none of {', '.join(by_number)}"
        raise VersionNegotiationFailed(message, locator="AcceptVersions")
    return negotiated


def _not_higher(requested: str) -> WcsVersion:
    # The highest version that is not higher than the requested one, else the lowest (OGC 03-065r6 §6.2.4).
    highest = requested if _NUMBERS.fullmatch(requested) else VERSIONS[0].numbers[0]
    return next((version for version in VERSIONS if _number(version.numbers[0]) <= _number(highest)), VERSIONS[-1])


def _number(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def _fault(error: ChronotileError, request: Request) -> Response:
    spoken: WcsVersion = request.scope.get(SPOKEN, VERSIONS[0])
    return spoken.fault(error, request)


routes = (Route(PATH, endpoint(answer, _fault), methods=["GET", "POST"]),)
