"""WCS has the coverages of a mosaic as OGC API has them, in the same bytes."""

import pytest

from tests.agreement.mosaics.test_coverages import CENTRE, box_around
from tests.protocols.ogcapi.coverages.reading import geotiff_of
from tests.protocols.wcs.asking import CRS, TIFF, get_coverage
from tests.protocols.wcs.v1.asking import ask
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("code", [32631, 32632, 3035])
def test_files_of_a_mosaic_equal_those_of_ogc_api_coverages(serve, code):
    client, (longitude, latitude), day = serve().client, CENTRE, SMALL.days[1]
    subsets = (f"Lat({latitude - 0.01},{latitude + 0.01})", f"Long({longitude - 0.01},{longitude + 0.01})")
    query = {"bbox": box_around(*CENTRE), "crs": f"{CRS}{code}", "datetime": day, "f": "GTiff"}

    places = {"SUBSETTINGCRS": f"{CRS}4326", "OUTPUTCRS": f"{CRS}{code}"}
    wcs = get_coverage(client, "CELL", *subsets, f"time({day})", **places, FORMAT=TIFF)
    ogcapi = client.get("/ogcapi/collections/CELL/coverage", params=query)

    assert ogcapi.status_code == 200, ogcapi.text
    assert wcs.content == ogcapi.content


@pytest.mark.parametrize("code", [32631, 32632, 3035])
def test_cells_of_a_mosaic_in_1_0_0_equal_those_of_ogc_api_coverages(serve, code):
    client, day = serve().client, SMALL.days[1]
    query = {"bbox": box_around(*CENTRE), "crs": f"{CRS}{code}", "datetime": day, "f": "GTiff"}
    ogcapi = client.get("/ogcapi/collections/CELL/coverage", params=query)
    raster = geotiff_of(ogcapi.content)
    _bands, height, width = raster.numbers.shape
    (west, north), (east, south) = raster.transform @ (0, 0), raster.transform @ (width, height)

    place = {"CRS": f"EPSG:{code}", "BBOX": f"{west},{south},{east},{north}", "WIDTH": width, "HEIGHT": height}
    wcs = ask(client, "1.0.0", "GetCoverage", COVERAGE="CELL", TIME=day, FORMAT="GeoTIFF", **place)

    assert wcs.content == ogcapi.content
