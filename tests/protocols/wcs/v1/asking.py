"""Requests to WCS 1.x, and readers of its answers."""

from email import message_from_bytes

import httpx2
import numpy as np
import rasterio
from lxml import etree
from starlette.testclient import TestClient

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols.served import number_at

NS = {
    "w": "http://www.opengis.net/wcs",
    "wcs": "http://www.opengis.net/wcs/1.1.1",
    "ows": "http://www.opengis.net/ows/1.1",
    "gml": "http://www.opengis.net/gml",
    "ogc": "http://www.opengis.net/ogc",
    "xlink": "http://www.w3.org/1999/xlink",
}
CELLS = BBox(600_000, 5_648_000, 603_000, 5_650_000)
"""30 columns and 20 rows of `served.BELGIUM_31N` from its north-western corner on."""
UTM = "urn:ogc:def:crs:EPSG::32631"


def ask(client: TestClient, version: str, request: str, **query: object) -> httpx2.Response:
    """Return the answer to a request; parameters that are `None` are omitted."""
    given = {"SERVICE": "WCS", "VERSION": version, "REQUEST": request, **query}
    return client.get("/wcs", params={name: value for name, value in given.items() if value is not None})


def get_coverage_10(client: TestClient, **query: object) -> httpx2.Response:
    """Return the native cells of `CELLS` by WCS 1.0.0, parameters changed or taken away."""
    cells = {"BBOX": ",".join(map(str, CELLS)), "WIDTH": 30, "HEIGHT": 20}
    valid = {"COVERAGE": "NDVI", "CRS": "EPSG:32631", "FORMAT": "GeoTIFF", **cells}
    return ask(client, "1.0.0", "GetCoverage", **{**valid, **query})


def get_coverage_11(client: TestClient, **query: object) -> httpx2.Response:
    """Return the native cells of `CELLS` by WCS 1.1.1; its box spans the cell centres."""
    box = ",".join(map(str, (CELLS.xmin + 50, CELLS.ymin + 50, CELLS.xmax - 50, CELLS.ymax - 50)))
    valid = {"IDENTIFIER": "NDVI", "FORMAT": "image/tiff", "BOUNDINGBOX": f"{box},{UTM}"}
    return ask(client, "1.1.1", "GetCoverage", **{**valid, **query})


def parts_of(answer: httpx2.Response) -> list[bytes]:
    """Return the two parts of an answer of WCS 1.1.1: the document and the file."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    return [part.get_payload(decode=True) for part in message_from_bytes(head + answer.content).get_payload()]


def raster_of(answer: httpx2.Response) -> tuple[np.ndarray, BBox]:
    """Return the numbers (band, y, x) and edges of a GeoTIFF, alone or behind the document that names it."""
    body = parts_of(answer)[1] if answer.headers["content-type"].startswith("multipart") else answer.content
    assert body[:4] == b"II*\0", answer.text
    with rasterio.MemoryFile(body) as memory, memory.open() as dataset:
        return dataset.read(), BBox(*dataset.bounds)


def native_numbers(height: int, width: int, *, time: int = 3, row: int = 0, column: int = 0) -> np.ndarray:
    """Return the numbers of native cells (y, x) from a row and column on, by the formula."""
    rows, columns = np.mgrid[row : row + height, column : column + width]
    return number_at(rows, columns, time)


def box_of(grid: NativeGrid, *, inward: float = 0.0) -> BBox:
    """Return the edges of a grid, moved inward by so many of its cells."""
    across, down = inward * abs(grid.transform.a), inward * abs(grid.transform.e)
    xmin, ymin, xmax, ymax = grid.bbox
    return BBox(xmin + across, ymin + down, xmax - across, ymax - down)


def tags_of(element: etree._Element) -> list[str]:
    """Return the local names of the children of an element, in order."""
    return [etree.QName(child).localname for child in element]


def refused_10(answer: httpx2.Response) -> tuple[str | None, str | None]:
    """Return code and locator of a service exception."""
    exception = etree.fromstring(answer.content).find("ogc:ServiceException", NS)
    return exception.get("code"), exception.get("locator")


def refused_11(answer: httpx2.Response) -> tuple[int, str, str | None]:
    """Return status, code and locator of an exception report."""
    exception = etree.fromstring(answer.content).find("ows:Exception", NS)
    return answer.status_code, exception.get("exceptionCode"), exception.get("locator")
