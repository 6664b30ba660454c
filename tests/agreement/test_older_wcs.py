"""WCS 1.0.0 and 1.1.1 have the files of OGC API Coverages, of cells of the grid that they describe."""

import pytest
from lxml import etree

from chronotile.core.model.space.crs import crs_of, is_north_first
from tests.agreement.scenes_served import EACH_SCENE_AND_KIND, SCENES
from tests.protocols.wcs.v1.asking import NS, ask, parts_of

TIMES = {"1.0.0": "TIME", "1.1.1": "TIMESEQUENCE"}
SIDE = 12


def asked_of_both(client, coverage, version, day="2020-01-11"):
    """Return the cells about the middle, by WCS with the box and number of cells that it describes, and by OGC API."""
    offering = etree.fromstring(ask(client, "1.0.0", "DescribeCoverage", COVERAGE=coverage).content)[0]
    grid = offering.find(".//gml:RectifiedGrid", NS)
    texts = [each.text.split() for each in grid.iter() if each.text.strip()]
    (_low, high, _x, _y, origin, across, down), code = texts, grid.get("srsName")
    sizes = [min(SIDE, int(each) + 1) for each in high]
    firsts = [(int(each) + 1 - size) // 2 for each, size in zip(high, sizes, strict=True)]
    steps = float(across[0]), float(down[1])
    starts = [float(at) + first * step for at, first, step in zip(origin, firsts, steps, strict=True)]
    ends = [start + (size - 1) * step for start, size, step in zip(starts, sizes, steps, strict=True)]
    centres, half = (starts[0], ends[1], ends[0], starts[1]), (steps[0] / 2, -steps[1] / 2)
    edges = (centres[0] - half[0], centres[1] - half[1], centres[2] + half[0], centres[3] + half[1])
    days = [each.text for each in offering.iterfind(".//w:temporalDomain/gml:timePosition", NS)]
    time = next((each for each in days if each.startswith(day)), days[0]) if days else None
    places = {
        "1.0.0": {"COVERAGE": coverage, "CRS": code, "BBOX": joined(edges), "WIDTH": sizes[0], "HEIGHT": sizes[1]},
        "1.1.1": {"IDENTIFIER": coverage, "BOUNDINGBOX": f"{joined(turned(centres, code))},{urn_of(code)}"},
    }
    wcs = get_coverage(client, version, **places[version], **{TIMES[version]: time})
    query = {
        "bbox": joined(turned(edges, code)),
        "bbox-crs": crs_of(code).uri,
        "crs": crs_of(code).uri,
        "f": "GTiff",
        "datetime": time,
    }
    given = {name: text for name, text in query.items() if text is not None}
    return wcs, client.get(f"/ogcapi/collections/{coverage}/coverage", params=given)


def get_coverage(client, version, **place):
    query = {"1.0.0": {"FORMAT": "GeoTIFF"}, "1.1.1": {"FORMAT": "image/tiff"}}
    answer = ask(client, version, "GetCoverage", **query[version], **place)
    assert answer.headers["content-type"].startswith(("image/tiff", "multipart/related")), answer.text
    return answer.content if version == "1.0.0" else parts_of(answer)[1]


def joined(numbers):
    return ",".join(map(repr, numbers))


def urn_of(code):
    authority, _colon, number = code.partition(":")
    return f"urn:ogc:def:crs:{authority}::{number}"


def turned(box, code):
    """Return the box in the axis order of its CRS."""
    return (box[1], box[0], box[3], box[2]) if is_north_first(crs_of(code)) else box


@pytest.mark.parametrize("version", TIMES)
@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_files_equal_those_of_ogc_api_coverages(serve, scene, kind, version):
    served = serve(SCENES[scene] if isinstance(scene, str) else scene, kind)

    wcs, ogcapi = asked_of_both(served.client, "NDVI", version)

    assert ogcapi.status_code == 200, ogcapi.text
    assert wcs == ogcapi.content
