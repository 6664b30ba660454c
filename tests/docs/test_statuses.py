"""Each statement of docs/reference/statuses.md about 401, 404, 429 and 503, with a small archive."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS
from tests.docs.test_troubleshooting import literals
from tests.rasters import write_raster

pytestmark = pytest.mark.slow

PAGE = DOCS / "reference" / "statuses.md"
TEXT = PAGE.read_text(encoding="utf-8")
OPEN = """
collections:
  ndvi:
    source: {kind: cog, href: "NDVI_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables: {NDVI: {layer: NDVI, range: [0, 250], styles: [greys]}}
  hidden:
    source: {kind: cog, href: "NDVI_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    access: {see: [group:staff]}
    variables: {NDVI: {layer: HIDDEN, range: [0, 250], styles: [greys]}}
access:
  default: {see: [public]}
"""
QUOTAS = "  quotas: {public: {pictures: {requests: 0}, series: {requests: 0}, downloads: {requests: 0}}}\n"
WRONG_KEY = {"Authorization": f"Bearer ctk_{'0' * 43}"}
MAP = "service=WMS&request=GetMap&styles=&bbox=15,45.149,15.005,45.154&width=9&height=9&format=image/png&layers="
ADDRESSES = {
    "series": "/timeseries/{layer}/point?lon=15.002&lat=45.152",
    "tiles": "/tiles/{layer}/WebMercatorQuad/10/554/367.png",
    "Zarr": "/zarr/{layer}/zarr.json",
    "OGC API": "/ogcapi/collections/{layer}/map",
    "STAC": "/stac/collections/{layer}",
    "OData": "/odata/v1/{layer}",
    "WMS 1.3.0": f"/wms?version=1.3.0&crs=CRS:84&{MAP}{{layer}}",
    "WMS 1.1.1": f"/wms?version=1.1.1&srs=EPSG:4326&{MAP}{{layer}}",
    "WMTS": "/wmts?service=WMTS&version=1.0.0&request=GetTile&style=&format=image/png&tilematrixset=WebMercatorQuad"
    "&tilematrix=10&tilerow=367&tilecol=554&layer={layer}",
    "WCS 2.0.1": '/wcs?service=WCS&version=2.0.1&request=GetCoverage&subset=time("2023-06-11")&coverageId={layer}',
    "WCS 1.1": "/wcs?service=WCS&version=1.1.1&request=GetCoverage&format=image/tiff&identifier={layer}"
    "&boundingbox=45,15,46,16,urn:ogc:def:crs:EPSG::4326",
    "WCS 1.0.0": "/wcs?service=WCS&version=1.0.0&request=GetCoverage&crs=EPSG:4326&bbox=15,45.149,15.005,45.154&width=9"
    "&height=9&format=GeoTIFF&coverage={layer}",
    "WPS (process)": "/wps?service=WPS&version=2.0.0&request=DescribeProcess&identifier={layer}",
}
"""Requests by the names in the first column of the page's last table.

`{layer}` is a layer, in WPS a process, in OData a resource.
"""
QUOTA_ADDRESSES = ("series", "tiles", "OGC API", "WMS 1.3.0", "WMTS", "WCS 2.0.1")


def rows() -> Iterator[tuple[str, list[str]]]:
    """Yield `(protocol, [status, media type, member])` of the page's last table."""
    for line in TEXT.split("## Error documents")[1].splitlines():
        names, *cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].isdigit():
            yield from ((name, cells) for name in names.split(", "))


ROWS = dict(rows())


def write_archive(folder: Path, text: str = OPEN) -> Path:
    for day in ("20230601", "20230611"):
        write_raster(folder / f"NDVI_{day}.tif", np.full((40, 40), 100, np.uint8), tiled=True, compress="deflate")
    (folder / "chronotile.yaml").write_text(text, encoding="utf-8")
    return folder / "chronotile.yaml"


@contextmanager
def serving(configuration: Path) -> Iterator[TestClient]:
    app = create_app(Settings(config=configuration, jobs_dir=configuration.parent / "jobs"))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serving(write_archive(tmp_path_factory.mktemp("archive"))) as client:
        yield client


def test_the_table_has_every_protocol():
    assert ROWS.keys() == ADDRESSES.keys()


@pytest.mark.parametrize("protocol", ROWS)
def test_an_unknown_layer_has_the_status_and_document_of_the_page(client, protocol):
    status, media_type, member = ROWS[protocol]

    answer = client.get(ADDRESSES[protocol].format(layer="ABSENT"))

    assert str(answer.status_code) == status
    assert answer.headers["Content-Type"].split(";")[0] == media_type
    assert member in answer.text


@pytest.mark.parametrize("protocol", ROWS)
def test_a_wrong_key_is_a_problem_in_every_protocol(client, protocol):
    """Ten within a minute are 401, more are 429 with `Retry-After`."""
    answer = client.get(ADDRESSES[protocol].format(layer="NDVI"), headers=WRONG_KEY)

    assert answer.status_code in {401, 429}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json().keys() >= {"title", "status", "detail"}
    assert answer.headers.get("Retry-After") == (None if answer.status_code == 401 else "60")


@pytest.mark.parametrize("address", ["/layers/HIDDEN", ADDRESSES["series"].format(layer="HIDDEN")])
def test_a_private_layer_is_404_without_a_key(client, address):
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("address", ["/metrics", "/login/wms", "/login/wmts"])
def test_some_addresses_require_a_credential(client, address):
    assert client.get(address).status_code == 401


def test_a_date_without_data_names_the_nearest(client):
    answer = client.get(f"{ADDRESSES['series']}&datetime=2023-06-05".format(layer="NDVI"))

    assert answer.status_code == 404
    assert [date[:10] for date in answer.json()["nearest"]] == ["2023-06-01", "2023-06-11"]


def test_a_used_up_quota_is_a_problem_in_every_protocol(tmp_path):
    with serving(write_archive(tmp_path, OPEN + QUOTAS)) as client:
        answers = [client.get(ADDRESSES[protocol].format(layer="NDVI")) for protocol in QUOTA_ADDRESSES]

    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
    assert all(0 < int(answer.headers["Retry-After"]) <= 86_400 for answer in answers)


@pytest.mark.parametrize("protocol", ["OGC API", "WMS 1.3.0", "WMS 1.1.1", "WMTS", "WCS 2.0.1", "WCS 1.0.0"])
def test_a_damaged_date_is_503_in_every_protocol(tmp_path, protocol):
    configuration = write_archive(tmp_path)
    file = tmp_path / "NDVI_20230611.tif"
    with serving(configuration) as client:
        file.write_bytes(file.read_bytes()[:400])

        answer = client.get(ADDRESSES[protocol].format(layer="NDVI"))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Content-Type"].split(";")[0] == ROWS[protocol][1]


@pytest.mark.parametrize("message", re.findall(r"^(?:\| |- )`([a-z][^`]+)`", TEXT.split("## 404")[1], re.MULTILINE))
def test_a_quoted_message_is_in_the_code(message):
    parts = [part.strip() for part in message.split("…")]

    assert re.search(".*".join(map(re.escape, parts)), literals()), message


class Busy(http.server.BaseHTTPRequestHandler):
    """Answers 503 to the first two requests, then 200."""

    requests = 0

    def do_GET(self):
        type(self).requests += 1
        self.send_response(503 if self.requests < 3 else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_):
        """Print nothing."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_program_repeats_a_request_until_it_succeeds():
    program = blocks_of(PAGE)[-1].text.split("\n\n\nprint")[0]
    names = {}
    exec(program, names)
    with http.server.HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        body = names["fetch"](f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()

    assert (body, Busy.requests) == (b"done", 3)
