"""Requests for OGC's test data in the spelling of its test suite, and answers in comparable form."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from lxml import etree
from starlette.testclient import TestClient

from tests.protocols.pictures import rgba_of

WMS = "{http://www.opengis.net/wms}"
OGC = "{http://www.opengis.net/ogc}"
HREF = "{http://www.w3.org/1999/xlink}href"
LAKE = "-0.0042,-0.0024,0.0042,0.0024"
TEXT_XML = "text/xml; charset=utf-8"
CAPABILITIES = {"ReQuEsT": "GetCapabilities", "SeRvIcE": "WMS", "VeRsIoN": "1.3.0"}
MAP = {
    "ReQuEsT": "GetMap",
    "VeRsIoN": "1.3.0",
    "LaYeRs": "Lakes",
    "StYlEs": "",
    "CrS": "CRS:84",
    "BbOx": LAKE,
    "WiDtH": "420",
    "HeIgHt": "240",
    "FoRmAt": "image/png",
}
INFO = MAP | {"ReQuEsT": "GetFeatureInfo", "QuErY_LaYeRs": "Lakes", "InFo_FoRmAt": "text/plain", "I": "60", "J": "60"}
WHITE = (255, 255, 255, 255)


@dataclass(frozen=True)
class Cite:
    """Server of the test data."""

    client: TestClient
    validate: Callable[..., list[str]]

    def get(self, valid, **changes):
        """Return the answer to a valid request with changed parameters; `None` removes a parameter."""
        given = {name.lower(): (name, value) for name, value in valid.items()}
        given |= {name.lower(): (name, value) for name, value in changes.items()}
        return self.client.get("/wms", params={name: value for name, value in given.values() if value is not None})

    def capabilities(self, **changes):
        """Return the capabilities as a tree."""
        return etree.fromstring(self.get(CAPABILITIES, **changes).content)

    def pixels(self, **changes):
        """Return a map as (y, x, 4)."""
        answer = self.get(MAP, **changes)
        assert answer.headers["content-type"].startswith("image/"), answer.text
        return rgba_of(answer.content)

    def code(self, valid, **changes):
        """Return the exception code of a request after checking that the answer is valid XML of the right type."""
        answer = self.get(valid, **changes)
        assert answer.headers["content-type"] == "text/xml"
        assert self.validate(answer.content) == []
        return etree.fromstring(answer.content).find(f"{OGC}ServiceException").get("code")


def named_layers(root):
    """Return the layers with a name, which can be requested."""
    return [layer for layer in root.iter(f"{WMS}Layer") if layer.find(f"{WMS}Name") is not None]


def inherited(layer, tag):
    """Return elements of a layer and of its ancestors."""
    parents = [layer, *layer.iterancestors(f"{WMS}Layer")]
    return [found for each in parents for found in each.findall(f"{WMS}{tag}")]


def is_blank(pixels):
    """Return whether the picture is white."""
    return bool((pixels == WHITE).all())


def drawn(pixels):
    """Return a (y, x) mask of pixels that are not white."""
    return np.asarray((pixels != WHITE).any(axis=2))
