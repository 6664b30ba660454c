"""Requests in XML (OGC 09-148r1) as the parameters of requests in key-value pairs."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from lxml import etree

from chronotile.core.errors import MAX_SHOWN
from chronotile.core.xml_text import local_name
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.version import Pairs

OPERATIONS = ("GetCapabilities", "DescribeCoverage", "GetCoverage")
CONTAINERS = {"Extension", "Scaling", "GetCoverageCrs"}
"""What only holds elements of extensions."""


def pairs_of_xml(root: etree._Element) -> Pairs:
    """Return the parameters of a request; elements of extensions are taken by their local names.

    Raises:
        InvalidParameter: It is not a request, or has an element that has no place in one.
    """
    operation = local_name(root)
    if operation not in OPERATIONS:
        message = f"the root of the body is {operation[:MAX_SHOWN]}; accepted are {', '.join(OPERATIONS)}"
        raise refusal("InvalidEncodingSyntax", message, locator="request")
    names = ("service", "updateSequence", *(() if operation == "GetCapabilities" else ("version",)))
    attributes = [(name, text) for name in names if (text := root.get(name)) is not None]
    ids = ",".join(_texts(root, "CoverageId"))
    return [("request", operation), ("coverageId", ids), *attributes, *_pairs(root)]


def _pairs(parent: etree._Element) -> Iterator[tuple[str, str]]:
    for element in parent:
        name = local_name(element)
        if name in CONTAINERS:
            yield from _pairs(element)
        elif name in READERS:
            parameter, read = READERS[name]
            yield parameter, read(element)
        elif name not in {"CoverageId", "AcceptFormats"}:
            message = f"{name[:MAX_SHOWN]} has no place in a request"
            raise refusal("InvalidEncodingSyntax", message, locator=name[:MAX_SHOWN])


def _list(element: etree._Element, *, of: str) -> str:
    return ",".join(_texts(element, of))


def _trim(element: etree._Element) -> str:
    low, high = (_first(element, end) or "*" for end in ("TrimLow", "TrimHigh"))
    return f"{_first(element, 'Dimension')}({low},{high})"


def _slice(element: etree._Element) -> str:
    return f"{_first(element, 'Dimension')}({_first(element, 'SlicePoint')})"


def _by_axis(element: etree._Element, *, of: str) -> str:
    return ",".join(f"{_first(axis, 'axis')}({_first(axis, of)})" for axis in element)


def _extents(element: etree._Element) -> str:
    return ",".join(f"{_first(axis, 'axis')}({_first(axis, 'low')}:{_first(axis, 'high')})" for axis in element)


def _interpolation(element: etree._Element) -> str:
    return _first(element, "globalInterpolation") or _text(element)


def _fields(element: etree._Element) -> str:
    return ",".join(_field(item) for member in element for item in member)


def _field(item: etree._Element) -> str:
    if local_name(item) == "RangeInterval":
        return f"{_first(item, 'startComponent')}:{_first(item, 'endComponent')}"
    return _text(item)


def _texts(element: etree._Element, name: str) -> list[str]:
    return [_text(child) for child in element if local_name(child) == name]


def _first(element: etree._Element, name: str) -> str:
    return next(iter(_texts(element, name)), "")


def _text(element: etree._Element) -> str:
    return (element.text or "").strip()


READERS: Mapping[str, tuple[str, Callable[[etree._Element], str]]] = {
    "AcceptVersions": ("acceptVersions", partial(_list, of="Version")),
    "Sections": ("sections", partial(_list, of="Section")),
    "AcceptLanguages": ("acceptLanguages", partial(_list, of="Language")),
    "DimensionTrim": ("subset", _trim),
    "DimensionSlice": ("subset", _slice),
    "format": ("format", _text),
    "mediaType": ("mediaType", _text),
    "subsettingCrs": ("subsettingCrs", _text),
    "outputCrs": ("outputCrs", _text),
    "ScaleByFactor": ("scaleFactor", partial(_first, name="scaleFactor")),
    "ScaleAxesByFactor": ("scaleAxes", partial(_by_axis, of="scaleFactor")),
    "ScaleToSize": ("scaleSize", partial(_by_axis, of="targetSize")),
    "ScaleToExtent": ("scaleExtent", _extents),
    "Interpolation": ("interpolation", _interpolation),
    "RangeSubset": ("rangeSubset", _fields),
}
"""Parameters, and how their values are read, by elements."""
