"""WCS has the numbers of OGC API Coverages, in the same bytes, and of the source, along the axes of the CRS."""

import numpy as np
import pytest
from lxml import etree
from pyproj import CRS, Transformer
from starlette.testclient import TestClient

from chronotile.app.application import application
from tests.agreement.scenes_served import EACH_SCENE_AND_KIND, SCENES, as_covered
from tests.protocols import served as made
from tests.protocols.ogcapi.coverages.reading import geotiff_of
from tests.protocols.wcs.asking import CRS as URI
from tests.protocols.wcs.asking import GML, NS, described, envelope, get_coverage, tuples_of
from tests.scenes import NODATA

FORMATS = {"image/tiff": "GTiff", "application/netcdf": "NetCDF", "application/prs.coverage+json": "json"}
"""Formats of OGC API by formats of WCS."""
DAYS = ("2020-01-11", "2020-02-01")


def asked_of_both(client, coverage, media_type, days=DAYS):
    """Twelve cells each way about the middle, by WCS and by OGC API, in the native CRS that WCS describes."""
    description = described(client, coverage)
    labels, low, high = envelope(description)
    uri = description.find(".//gml:Envelope", NS).get("srsName").rpartition("1=")[2].partition("&")[0]
    last = description.findtext(".//gml:high", namespaces=NS).split()
    cells = [(high[axis] - low[axis]) / (int(last[axis]) + 1) for axis in (0, 1)]
    middles = [low[axis] + cells[axis] * (int(last[axis]) // 2) for axis in (0, 1)]
    edges = [(middle - 6 * cell, middle + 6 * cell) for middle, cell in zip(middles, cells, strict=True)]
    subsets = [f"{label}({start!r},{end!r})" for label, (start, end) in zip(labels.split()[:2], edges, strict=True)]
    times = [f'time("{days[0]}","{days[1]}")'] * ("time" in labels)
    box = (*(start for start, _end in edges), *(end for _start, end in edges))
    query = {"bbox": ",".join(map(repr, box)), "bbox-crs": uri, "f": FORMATS[media_type]}
    query |= {"crs": uri} if uri.endswith("CRS84") else {}  # data in a CRS without a code are returned in CRS84
    dated = {"datetime": "/".join(days)} if times else {}
    wcs = get_coverage(client, coverage, *subsets, *times, FORMAT=media_type)
    return wcs, client.get(f"/ogcapi/collections/{coverage}/coverage", params={**query, **dated})


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_files_equal_those_of_ogc_api_coverages(serve, scene, kind, media_type):
    served = serve(SCENES[scene] if isinstance(scene, str) else scene, kind)

    wcs, ogcapi = asked_of_both(served.client, "NDVI", media_type)

    assert ogcapi.status_code == 200, ogcapi.text
    assert wcs.content == ogcapi.content


@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_numbers_equal_those_of_the_source(serve, scene, kind):
    served = serve(SCENES[scene] if isinstance(scene, str) else scene, kind)
    labels = envelope(described(served.client))[0].split()
    document = get_coverage(served.client, "NDVI", 'time("2020-01-11")', FORMAT=GML).content
    raster = geotiff_of(get_coverage(served.client, "NDVI", "time(2020-01-11)").content)

    expected = as_covered(served.scene, served.scene.numbers(1))
    np.testing.assert_array_equal(raster.numbers[0], expected)
    np.testing.assert_array_equal(tuples_of(document)[:, 0].reshape(expected.shape), expected)
    order = etree.fromstring(document).find(".//gml:sequenceRule", NS).get("axisOrder")
    assert order == ("+2 +1" if labels[0] in {"Lat", "Y"} else "+1 +2")
    assert raster.nodata == NODATA


@pytest.fixture
def of_grids():
    """Return a client of a coverage in EPSG:4326 and of one in EPSG:32631."""
    with TestClient(application(made.make_services(*made.tree_collections()))) as client:
        yield client


@pytest.mark.parametrize(
    ("code", "labels", "corner"),
    [
        (4326, ("Lat", "Long"), (50.85, 4.55)),
        (3035, ("Y", "X"), (3_095_000, 3_945_000)),
        (32631, ("E", "N"), (610_000, 5_640_000)),
    ],
)
def test_axes_are_in_the_order_of_the_crs(of_grids, code, labels, corner):
    sizes = [(low, low + (0.05 if code == 4326 else 5000)) for low in corner]
    subsets = [f"{label}({low},{high})" for label, (low, high) in zip(labels, sizes, strict=True)]
    answer = get_coverage(of_grids, "NDVI", *subsets, "time(2020-06-01)", SUBSETTINGCRS=f"{URI}{code}", FORMAT=GML)
    found, low, high = envelope(etree.fromstring(answer.content))
    lower_x, lower_y, upper_x, upper_y = map(float, answer.headers["content-bbox"].split(","))

    # The corners are in PROJ's axes, in unchanged order.
    there = Transformer.from_crs(CRS.from_epsg(code), CRS.from_epsg(4326))
    latitude, longitude = there.transform(*corner)
    cell = (high[0] - low[0]) / 20
    assert found == " ".join(labels)
    assert (low, high) == ([lower_x, lower_y], [upper_x, upper_y])
    np.testing.assert_allclose(low, corner, atol=cell)
    assert (50.5 < latitude < 51.2, 4.2 < longitude < 5.2) == (True, True)


def test_cell_of_a_north_first_crs_is_found_by_its_position(of_grids):
    grid = made.FLANDERS_4326
    row, column = 57, 123
    long, lat = grid.transform @ (column + 0.5, row + 0.5)

    answer = get_coverage(of_grids, "FAPAR", f"Lat({lat})", f"Long({long})", "time(2020-06-11)")

    assert geotiff_of(answer.content).numbers.tolist() == [[[int(made.number_at(np.array(row), np.array(column), 2))]]]
