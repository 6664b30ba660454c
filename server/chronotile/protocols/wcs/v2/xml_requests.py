"""Requests in XML (OGC 09-148r1) as the parameters of requests in key-value pairs."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from lxml import etree

from chronotile.core.errors import MAX_SHOWN
from chronotile.core.xml_text import local_name
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.v2.subsets import OPEN
from chronotile.protocols.wcs.version import Pairs

OPERATIONS = ("GetCapabilities", "DescribeCoverage", "GetCoverage")
OWS = "http://www.opengis.net/ows/2.0"
CONTAINERS = {"extension", "scaling", "getcoveragecrs"}
"""Elements that only group elements of extensions, in lower case."""


def pairs_of_xml(root: etree._Element) -> Pairs:
    """Return the parameters of a request; elements of extensions are recognised by local name.

    Raises:
        InvalidParameter: The document is not a request, or contains an element that does not belong in one.
    """
    operation = local_name(root)
    if operation not in OPERATIONS:
        message = f"the root of the body is {operation[:MAX_SHOWN]}; accepted are {', '.join(OPERATIONS)}"
        raise refusal("InvalidEncodingSyntax", message, locator="request")
    names = ("service", "updateSequence", *(() if operation == "GetCapabilities" else ("version",)))
    attributes = [(name, text) for name in names if (text := root.get(name)) is not None]
    return [("request", operation), ("coverageId", _list(root, of="CoverageId")), *attributes, *_pairs(root)]


def _pairs(parent: etree._Element) -> Iterator[tuple[str, str]]:
    for element in parent:
        name = local_name(element)
        is_foreign = name == "AcceptVersions" and etree.QName(element).namespace != OWS  # other versions of OWS
        if name.lower() in CONTAINERS:
            yield from _pairs(element)
        elif name.lower() in READERS:
            parameter, read = READERS[name.lower()]
            yield from () if is_foreign else ((parameter, read(element)),)
        elif name not in {"CoverageId", "AcceptFormats"}:
            message = f"{name[:MAX_SHOWN]} has no place in a request"
            raise refusal("InvalidEncodingSyntax", message, locator=name[:MAX_SHOWN])


def _list(element: etree._Element, *, of: str) -> str:
    return ",".join(_text(child) for child in element if local_name(child) == of)


def _first(element: etree._Element, name: str) -> str:
    return next((_text(child) for child in element if local_name(child) == name), "")


def _text(element: etree._Element) -> str:
    text: str = (element.text or "").strip()
    if set(text) & set(",()"):  # these separate values in key-value pairs
        message = f"{local_name(element)} is one value, got {text[:MAX_SHOWN]!r}"
        raise refusal("InvalidEncodingSyntax", message, locator=local_name(element)[:MAX_SHOWN])
    return text


def _member(element: etree._Element, *ends: str, label: str = "axis", between: str = ",") -> str:
    return f"{_first(element, label)}({between.join(_first(element, end) or OPEN for end in ends)})"


def _members(element: etree._Element, *ends: str) -> str:
    return ",".join(_member(axis, *ends, between=":") for axis in element)


def _fields(element: etree._Element) -> str:
    items = [item for member in element for item in member]
    return ",".join(_text(item) or ":".join(_text(end) for end in item) for item in items)


READERS: Mapping[str, tuple[str, Callable[[etree._Element], str]]] = {
    "acceptversions": ("acceptVersions", partial(_list, of="Version")),
    "sections": ("sections", partial(_list, of="Section")),
    "acceptlanguages": ("acceptLanguages", partial(_list, of="Language")),
    "dimensiontrim": ("subset", lambda element: _member(element, "TrimLow", "TrimHigh", label="Dimension")),
    "dimensionslice": ("subset", lambda element: _member(element, "SlicePoint", label="Dimension")),
    **{name.lower(): (name, _text) for name in ("format", "mediaType", "subsettingCrs", "outputCrs")},
    "scalebyfactor": ("scaleFactor", lambda element: _first(element, "scaleFactor")),
    "scaleaxesbyfactor": ("scaleAxes", lambda element: _members(element, "scaleFactor")),
    "scaletosize": ("scaleSize", lambda element: _members(element, "targetSize")),
    "scaletoextent": ("scaleExtent", lambda element: _members(element, "low", "high")),
    "interpolation": ("interpolation", lambda element: _first(element, "globalInterpolation") or _text(element)),
    "rangesubset": ("rangeSubset", _fields),
}
"""Parameter and reader of each element, by lower-case name: examples of the standards mix upper and lower case."""
