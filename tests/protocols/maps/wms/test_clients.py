"""WMS through OWSLib and GDAL: the pixels follow the formula."""

import subprocess
import sys

import pytest
from jinja2 import Template
from owslib.util import ServiceException
from owslib.wms import WebMapService

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from tests.protocols import served
from tests.protocols.pictures import share_differing

OWSLIB = pytest.mark.client(sys.executable)
"""OWSLib is no program: only Python is needed."""

BOXES = {
    "EPSG:4326": BBox(4.45, 50.75, 4.75, 50.95),
    "EPSG:32631": BBox(600000, 5620000, 640000, 5650000),
    "EPSG:3857": BBox(500000, 6580000, 550000, 6610000),
    "EPSG:3035": BBox(3930000, 3080000, 3970000, 3110000),
}
SERVICE = Template("""<GDAL_WMS>
  <Service name="WMS">
    <Version>{{ version }}</Version>
    <ServerUrl>{{ url }}/wms?TIME=2020-06-01&amp;</ServerUrl>
    <Layers>NDVI</Layers>
    {% if version == "1.3.0" %}<CRS>{{ crs }}</CRS>{% else %}<SRS>{{ crs }}</SRS>{% endif %}
    <ImageFormat>image/png</ImageFormat>
    <Transparent>TRUE</Transparent>
    <BBoxOrder>{{ order }}</BBoxOrder>
  </Service>
  <DataWindow>
    <UpperLeftX>{{ box.xmin }}</UpperLeftX><UpperLeftY>{{ box.ymax }}</UpperLeftY>
    <LowerRightX>{{ box.xmax }}</LowerRightX><LowerRightY>{{ box.ymin }}</LowerRightY>
    <SizeX>400</SizeX><SizeY>300</SizeY>
  </DataWindow>
  <Projection>{{ crs }}</Projection>
  <BandsCount>4</BandsCount>
  <BlockSizeX>128</BlockSizeX><BlockSizeY>128</BlockSizeY>
</GDAL_WMS>
""")


def expected_map(crs, time, *, width=400, height=300):
    grid = Grid(crs=crs_of(crs), bbox=BOXES[crs], width=width, height=height)
    return served.expected_rgba(served.BELGIUM_31N, grid, time)


@pytest.fixture
def url(make_url):
    return make_url(served.make_services(*served.varied_collections(), broken=["GONE"]))


def gdal_pixels(source, target, *options):
    """Return the PNG that gdal_translate makes of a source; its tile cache is in the same folder."""
    command = ["gdal_translate", "-q", "-of", "PNG", *options, str(source), str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=target.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return target.read_bytes()


@OWSLIB
@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
@pytest.mark.parametrize("crs", BOXES)
def test_owslib_gets_the_map_of_the_formula(url, version, crs):
    service = WebMapService(f"{url}/wms", version=version)

    picture = service.getmap(
        layers=["NDVI"],
        srs=crs,
        bbox=tuple(BOXES[crs]),
        size=(400, 300),
        format="image/png",
        transparent=True,
        time="2020-06-11",
    )

    assert share_differing(picture.read(), expected_map(crs, 2)) <= 0.001


@OWSLIB
@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_owslib_reads_the_description_of_a_layer(url, version):
    layer = WebMapService(f"{url}/wms", version=version)["NDVI"]

    assert layer.timepositions == ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
    assert layer.defaulttimeposition == "2020-06-21"
    assert layer.boundingBoxWGS84 == pytest.approx((4.4167, 50.7149, 4.9946, 50.9929), abs=1e-4)
    assert list(layer.styles) == ["steps", "reds"]
    assert layer.parent.title == "Collection s2"


@OWSLIB
@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_owslib_understands_exceptions(url, version):
    service = WebMapService(f"{url}/wms", version=version)

    with pytest.raises(ServiceException, match="NDVX"):
        service.getmap(layers=["NDVX"], srs="EPSG:4326", bbox=(4, 50, 5, 51), size=(8, 8), format="image/png")


@pytest.mark.client
@pytest.mark.parametrize(
    ("version", "crs", "order"),
    [
        ("1.1.1", "EPSG:4326", "xyXY"),
        ("1.3.0", "EPSG:4326", "yxYX"),
        ("1.3.0", "EPSG:3857", "xyXY"),
        ("1.3.0", "EPSG:32631", "xyXY"),
        ("1.3.0", "EPSG:3035", "yxYX"),
    ],
)
def test_gdal_gets_the_map_of_the_formula(url, tmp_path, version, crs, order):
    service = tmp_path / "wms.xml"
    service.write_text(SERVICE.render(url=url, version=version, crs=crs, order=order, box=BOXES[crs]))

    picture = gdal_pixels(service, tmp_path / "map.png")

    assert share_differing(picture, expected_map(crs, 1)) <= 0.001


@pytest.mark.client
def test_gdal_gets_the_native_cells_exactly(url, tmp_path):
    service = tmp_path / "wms.xml"
    service.write_text(
        SERVICE.render(url=url, version="1.3.0", crs="EPSG:32631", order="xyXY", box=BOXES["EPSG:32631"])
    )

    assert share_differing(gdal_pixels(service, tmp_path / "map.png"), expected_map("EPSG:32631", 1)) == 0


@pytest.mark.client
def test_gdal_opens_a_getmap_url_with_time(url, tmp_path):
    box = ",".join(str(edge) for edge in BOXES["EPSG:32631"])
    source = (
        f"WMS:{url}/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:32631&BBOX={box}"
        "&FORMAT=image/png&TRANSPARENT=TRUE&TIME=2020-06-01"
    )

    picture = gdal_pixels(source, tmp_path / "map.png", "-outsize", "1024", "768")

    assert share_differing(picture, expected_map("EPSG:32631", 1, width=1024, height=768)) <= 0.001


@pytest.mark.client
def test_gdalinfo_lists_the_layers(url, tmp_path):
    command = ["gdalinfo", f"WMS:{url}/wms"]

    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path).stdout

    assert "LAYERS=NDVI&SRS=EPSG:4326&BBOX=4.416734015,50.714926123,4.994586724,50.992884666" in told
