"""Requests to WCS, and readers of its documents."""

from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Protocol

import numpy as np
from lxml import etree
from starlette.testclient import TestClient

from tests.protocols.gml import schema_of


class Response(Protocol):
    """An answer of the test client."""

    status_code: int
    content: bytes
    text: str
    headers: Mapping[str, str]


NS = {
    "wcs": "http://www.opengis.net/wcs/2.0",
    "ows": "http://www.opengis.net/ows/2.0",
    "gml": "http://www.opengis.net/gml/3.2",
    "gmlcov": "http://www.opengis.net/gmlcov/1.0",
    "rgrid": "http://www.opengis.net/gml/3.3/rgrid",
    "swe": "http://www.opengis.net/swe/2.0",
}
CRS = "http://www.opengis.net/def/crs/EPSG/0/"
INTERPOLATION = "http://www.opengis.net/def/interpolation/OGC/1/"
GML, TIFF, NETCDF, COVJSON = (
    *("application/gml+xml", "image/tiff", "application/netcdf"),
    "application/prs.coverage+json",
)


def ask(client: TestClient, request: str, **query: object) -> Response:
    """Return the answer of WCS 2.0.1; names of parameters without regard to case."""
    version = {} if request == "GetCapabilities" else {"VERSION": "2.0.1"}
    return client.get("/wcs", params={"SERVICE": "WCS", "REQUEST": request, **version, **query})


def get_coverage(client: TestClient, coverage: str = "NDVI", *subsets: str, **query: object) -> Response:
    """Return the answer of GetCoverage, which must not be refused."""
    answer = ask(client, "GetCoverage", COVERAGEID=coverage, SUBSET=list(subsets), **query)
    assert answer.status_code == 200, answer.text
    return answer


def described(client: TestClient, coverage: str = "NDVI") -> etree._Element:
    """Return the description of a coverage."""
    answer = ask(client, "DescribeCoverage", COVERAGEID=coverage)
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.content).find("wcs:CoverageDescription", NS)


def refused(answer: Response) -> tuple[int, str, str | None]:
    """Return status, code and locator of an exception report."""
    exception = etree.fromstring(answer.content).find("ows:Exception", NS)
    return answer.status_code, exception.get("exceptionCode"), exception.get("locator")


def envelope(document: etree._Element) -> tuple[str, list[float], list[float]]:
    """Return the labels and corners of an envelope."""
    found = document.find("gml:boundedBy/gml:Envelope", NS)
    corners = (found.findtext(f"gml:{name}", namespaces=NS).split() for name in ("lowerCorner", "upperCorner"))
    low, high = (list(map(float, each)) for each in corners)
    return found.get("axisLabels"), low, high


def tuples_of(document: bytes) -> np.ndarray:
    """Return the numbers of a coverage in GML (cell, field)."""
    text = etree.fromstring(document).findtext(".//gml:tupleList", namespaces=NS)
    return np.array([list(map(float, each.split(","))) for each in text.split()])


def parts_of(answer: Response) -> list[tuple[str, bytes]]:
    """Return media type and body of each part of an answer."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    return [
        (part.get_content_type(), part.get_payload(decode=True))
        for part in message_from_bytes(head + answer.content).get_payload()
    ]


RGRID = """
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:gml="http://www.opengis.net/gml/3.2"
    xmlns:gmlcov="http://www.opengis.net/gmlcov/1.0" xmlns:r="http://www.opengis.net/gml/3.3/rgrid"
    targetNamespace="http://www.opengis.net/gml/3.3/rgrid" elementFormDefault="qualified">
  <import namespace="http://www.opengis.net/wcs/2.0" schemaLocation="http://schemas.opengis.net/wcs/2.0/wcsAll.xsd"/>
  <import namespace="http://www.opengis.net/gmlcov/1.0" schemaLocation="http://schemas.opengis.net/gmlcov/1.0/gmlcovAll.xsd"/>
  <import namespace="http://www.opengis.net/gml/3.2" schemaLocation="http://schemas.opengis.net/gml/3.2.1/gml.xsd"/>
  <element name="ReferenceableGridByVectors" substitutionGroup="gmlcov:AbstractReferenceableGrid">
    <complexType>
      <complexContent>
        <extension base="gmlcov:AbstractReferenceableGridType">
          <sequence>
            <element name="origin" type="gml:PointPropertyType"/>
            <element name="generalGridAxis" maxOccurs="unbounded">
              <complexType>
                <sequence>
                  <element name="GeneralGridAxis">
                    <complexType>
                      <sequence>
                        <element name="offsetVector" type="gml:VectorType"/>
                        <element name="coefficients" type="gml:doubleList"/>
                        <element name="gridAxesSpanned" type="gml:NCNameList"/>
                        <element name="sequenceRule" type="gml:SequenceRuleType"/>
                      </sequence>
                    </complexType>
                  </element>
                </sequence>
              </complexType>
            </element>
          </sequence>
        </extension>
      </complexContent>
    </complexType>
  </element>
</schema>
"""
"""The element of GML 3.3 (OGC 10-129r1 §10.3) that grids with time need, in the types of GML 3.2."""


def wcs_schema(folder: Path) -> etree.XMLSchema:
    """Return the schema of WCS 2.0 with grids of GML 3.3; `folder` as in `schema_of`."""
    return schema_of(RGRID, folder)
