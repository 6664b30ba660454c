"""Addresses in documents: the request to send, and the documented answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

BASE = "http://localhost"
"""Base URL of the application for the test client: job links contain this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of a document."""

    url: str
    media_type: str | None = None
    """Documented media type of the answer, if any."""
    method: str = "GET"
    body: object = None
    merges: bool = False
    """Whether the body is merged into the body of the answered request (STAC API, paging of POST)."""
    """That is posted as JSON."""
    origin: str = ""
    """The address of the document."""
    how: str = ""
    """Position in the document."""
    is_template: bool = False
    """Whether parts in braces are still to be expanded."""

    @property
    def is_here(self) -> bool:
        """Whether it leads to the server that is walked."""
        return self.url == BASE or self.url.startswith((f"{BASE}/", f"{BASE}?"))

    @property
    def key(self) -> tuple[str, str, str | None, str]:
        """Equal to the key of an address with the same answer."""
        return self.method, self.url.partition("#")[0], self.media_type, repr(self.body)

    def __str__(self) -> str:
        told = f" as {self.media_type}" if self.media_type else ""
        return f"{self.method} {self.url.removeprefix(BASE)}{told} ({self.how} of {self.origin.removeprefix(BASE)})"


PROTOCOLS: Mapping[str, str] = {
    "": "landing page",
    "docs": "OpenAPI",
    "openapi.json": "OpenAPI",
    "wms": "WMS",
    "wmts": "WMTS",
    "wcs": "WCS",
    "wps": "WPS",
    "opensearch": "OpenSearch",
    "stac": "STAC",
    "odata": "OData",
    "health": "operations",
    "metrics": "operations",
    "ramps": "tiles",
}
PARTS: Mapping[str, str] = {
    "processes": "OGC API Processes",
    "jobs": "OGC API Processes",
    "coverage": "OGC API Coverages",
    "schema": "OGC API Coverages",
    "map": "OGC API Maps",
    "tiles": "OGC API Tiles",
    "tileMatrixSets": "OGC API Tiles",
    "styles": "OGC API Styles",
    "legend": "OGC API Styles",
    **dict.fromkeys(("position", "area", "cube", "radius", "locations", "items"), "OGC API EDR"),
}
RECORDS = ("_collections", "_items")


def protocol_of(url: str) -> str:
    """Return the protocol of an address of the server."""
    first, *rest = [each for each in urlsplit(url).path.split("/") if each] or [""]
    if first != "ogcapi":
        return PROTOCOLS.get(first, first)
    if len(rest) > 1 and rest[1] in RECORDS:
        return "OGC API Records"
    if {"map", "tiles"} <= set(rest):
        return PARTS["tiles"]
    found = [PARTS[each] for each in (*rest[:1], *rest[2:]) if each in PARTS]
    return found[0] if found else "OGC API Common"
