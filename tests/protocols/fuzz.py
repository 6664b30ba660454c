"""Valid requests of every protocol with one to three parameters broken; no answer may be a fault of the server.

    python -m tests.protocols.fuzz 20000 [SEED]

The application is called directly, as a server would, so that bytes can be sent which no HTTP client would send.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, quote_plus, unquote

import anyio
import orjson
from affine import Affine
from lxml import etree
from starlette.types import ASGIApp

from chronotile.app import application
from chronotile.model.crs import crs_of
from chronotile.model.grid import NativeGrid
from chronotile.pipeline.services import Services
from tests.places import make_places
from tests.protocols import served

MAP = "REQUEST=GetMap&LAYERS=NDVI&STYLES=steps&WIDTH=64&HEIGHT=48&FORMAT=image/png"
COLOURS = (
    "<StyledLayerDescriptor><NamedLayer><Name>NDVI</Name><UserStyle><RasterSymbolizer><ColorMap>"
    '<ColorMapEntry color="#000000" quantity="0"/><ColorMapEntry color="#0000fa" quantity="250" opacity="0.5"/>'
    "</ColorMap></RasterSymbolizer></UserStyle></NamedLayer></StyledLayerDescriptor>"
)
INFO = f"{MAP.replace('GetMap', 'GetFeatureInfo')}&QUERY_LAYERS=NDVI"
TILE = "SERVICE=WMTS&VERSION=1.0.0&LAYER=NDVI&STYLE=steps&FORMAT=image/png"
PLACE = "TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=11&TILEROW=687&TILECOL=1052"

VALID = (
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.3.0",
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1&FORMAT=text/xml&UPDATESEQUENCE=0",
    f"/wms?{MAP}&VERSION=1.3.0&CRS=EPSG:4326&BBOX=50.8,4.5,50.9,4.7&TIME=2020-06-11&TRANSPARENT=TRUE&BGCOLOR=0xFF0000",
    f"/wms?{MAP}&VERSION=1.3.0&CRS=EPSG:3857&BBOX=500000,6580000,550000,6610000&TIME=2020-06-01/2020-06-30"
    "&EXCEPTIONS=XML",
    f"/wms?{MAP}&VERSION=1.1.1&SRS=EPSG:3035&BBOX=3930000,3080000,3960000,3110000&COLORSCALERANGE=10,200",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=TRUE_COLOUR&STYLES=&CRS=CRS:84&BBOX=4.5,50.8,4.7,50.9&WIDTH=32&HEIGHT=32"
    "&FORMAT=image/jpeg&TIME=current",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=HEIGHT&STYLES=default&CRS=EPSG:32631&BBOX=600000,5620000,640000,5650000"
    "&WIDTH=40&HEIGHT=30&FORMAT=image/webp",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=WORLD&STYLES=&CRS=EPSG:4326&BBOX=-90,-180,90,180&WIDTH=60&HEIGHT=30"
    "&FORMAT=image/png",
    "/wms?REQUEST=GetMap&VERSION=1.1.1&LAYERS=POLE&STYLES=&SRS=EPSG:3857&BBOX=-20037508,-20037508,20037508,20037508"
    "&WIDTH=60&HEIGHT=60&FORMAT=image/png",
    f"/wms?{INFO}&VERSION=1.3.0&CRS=EPSG:4326&BBOX=50.8,4.5,50.9,4.7&TIME=2020-06&I=20&J=30"
    "&INFO_FORMAT=application/json&FEATURE_COUNT=1",
    f"/wms?{INFO}&VERSION=1.1.1&SRS=EPSG:3857&BBOX=500000,6580000,550000,6610000&X=20&Y=30"
    "&INFO_FORMAT=application/vnd.ogc.gml",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=HEIGHT,NDVI,TRUE_COLOUR&STYLES=,reds,&CRS=EPSG:32631"
    "&BBOX=600000,5620000,640000,5650000&WIDTH=40&HEIGHT=30&FORMAT=image/png;+mode=8bit&EXCEPTIONS=INIMAGE",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=NDVI&STYLES=boxfill/reds&CRS=CRS:84&BBOX=4.5,50.8,4.7,50.9&WIDTH=32&HEIGHT=32"
    "&FORMAT=image/tiff&COLORSCALERANGE=auto&NUMCOLORBANDS=9&LOGSCALE=false&ABOVEMAXCOLOR=0x80FF0000&BELOWMINCOLOR=extend",
    "/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=NDVI&STYLES=&CRS=CRS:84&BBOX=4.5,50.8,4.7,50.9&WIDTH=32&HEIGHT=32"
    "&FORMAT=image/png&TIME=2020-06-11&DIFFERENCE=2020-05-21&REDUCER=mean&EXCEPTIONS=JSON",
    "/wms?REQUEST=GetLegendGraphic&VERSION=1.3.0&LAYER=NDVI&STYLE=reds&FORMAT=image/png&WIDTH=100&HEIGHT=200&SCALE=1000"
    "&LEGEND_OPTIONS=layout:horizontal&COLORSCALERANGE=10,200",
    "/wms?REQUEST=GetStyles&VERSION=1.1.1&LAYERS=NDVI,TRUE_COLOUR&SLDVER=1.1.0",
    "/wms?REQUEST=DescribeLayer&VERSION=1.3.0&LAYERS=NDVI,HEIGHT",
    f"/wms?{MAP}&VERSION=1.3.0&CRS=EPSG:4326&BBOX=50.8,4.5,50.9,4.7&SLD_BODY={quote_plus(COLOURS)}",
    "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&ACCEPTVERSIONS=1.0.0&SECTIONS=Contents,Themes",
    f"/wmts?{TILE}&REQUEST=GetTile&{PLACE}&TIME=2020-06-11",
    f"/wmts?{TILE}&REQUEST=GetTile&TILEMATRIXSET=EPSG:3857&TILEMATRIX=EPSG:3857:9&TILEROW=171&TILECOL=263&TIME=2020-06",
    f"/wmts?{TILE}&REQUEST=GetFeatureInfo&{PLACE}&I=1&J=1&INFOFORMAT=text/plain",
    "/wmts?SERVICE=WMTS&REQUEST=DescribeDomains&LAYER=NDVI&TILEMATRIXSET=EPSG:3857&TIME=2020-06/2020-07"
    "&BBOX=500000,6580000,550000,6610000&DOMAINS=bbox,time&EXPANDLIMIT=2",
    "/wmts?SERVICE=WMTS&REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=time&FROMVALUE=2020-06-01&FROMEND=true&SORT=desc&LIMIT=2",
    "/wmts/1.0.0/WMTSCapabilities.xml?layers=NDVI,HEIGHT",
    "/wmts/1.0.0/NDVI/steps/2020-06-11/WebMercatorQuad/11/687/1052.png",
    "/wmts/1.0.0/HEIGHT/default/WorldCRS84Quad/11/445/2100.webp",
    "/wmts/1.0.0/NDVI/steps/2020-06-11/WebMercatorQuad/11/687/1052/10/20.json",
    "/wmts/1.0.0/HEIGHT/default/WorldCRS84Quad/11/445/2100/10/20.gml",
    "/tiles/NDVI/WebMercatorQuad/11/1052/687.png?datetime=2020-06-11&style=steps&range=10,200&ramp=reds&reducer=latest",
    "/tiles/NDVI/WebMercatorQuad/11/1052/687.png?range=1,250&ramp=reds&reversed=true&logarithmic=true",
    "/tiles/POLE/WebMercatorQuad/0/0/0.webp",
    "/tiles/WORLD/WorldCRS84Quad/0/1/0.png?style=reds",
    "/tiles/TIMED/WorldCRS84Quad/9/525/111.jpg?datetime=2020-06-20/2020-06-30&rev=abc",
    "/tiles/NDVI/WebMercatorQuad/tilejson.json?style=reds&datetime=2020-06-11",
    "/tiles/NDVI/legend.png?style=steps&range=0,1",
    "/tiles/NDVI/legend.svg?ramp=reds",
    "/tiles/NDVI/legend.json?style=reds",
    "/ramps",
    "/viewer/config.json?lang=en",
    "/animations/NDVI.gif?bbox=4.5,50.8,4.7,50.9&width=48&height=32&datetime=2020-06-01/2020-06-30&step=2&fps=4&style=reds",
    "/animations/NDVI.mp4?crs=EPSG:3857&bbox=500000,6580000,550000,6610000&width=48&step=P1M&reducer=max&labels=date",
    "/animations/TRUE_COLOUR.webp?width=32&height=32&fps=0.5&labels=none&rev=abc",
    "/cubes/NDVI/WebMercatorQuad/11/1052/687.ctc?datetime=2020-06-01/2020-06-30&res=2&rev=abc",
    "/cubes/WORLD/WorldCRS84Quad/0/1/0.ctc?datetime=2020&res=1",
    "/timeseries/NDVI/point?lon=4.6&lat=50.85&datetime=2020-06-01/2020-06-30&format=json",
    "/timeseries/NDVI/point?x=620000&y=5635000&crs=EPSG:32631&format=csv",
    "/timeseries/NDVI/point?lon=4.6&lat=50.85&smooth=whittaker&lambda=100&outliers=upper&step=P1M&fill=linear&trend=seasonal",
    "/timeseries/NDVI/point?lon=4.6&lat=50.85&climatology=p50&climatology_by=day&reference=2020-05/2020-06&anomaly=abs&phenology=threshold&threshold=0.2",
    "/timeseries/NDVI/area?place=squares/S1&datetime=2020-06-01/2020-06-30&reducers=mean,p10&min_valid=0.5&format=json",
    "/timeseries/NDVI/point?lon=4.6&lat=50.85&datetime=2020-06&format=netcdf",
    "/timeseries/NDVI/point?lon=4.6&lat=50.85&datetime=2020-06&format=parquet",
    "/timeseries/NDVI/area?bbox=4.5,50.8,4.51,50.81&weights=area&reducers=std,histogram:4&format=covjson",
    "/timeseries/HEIGHT/area?bbox=4.5,50.8,4.51,50.81&crs=EPSG:4326&dry_run=false&format=geojson",
    "/timeseries/v1.0/ts/",
    "/timeseries/v1.1/ts/NDVI/point?lon=4.6&lat=50.85&startDate=2020-06-01&endDate=2020-06-30&maxValids=2&inclCount=0",
    "/openapi.json",
    "/docs",
    "/places?lang=en",
    "/places/squares?limit=2&offset=1&format=geojson",
    "/places/squares/tiles/WebMercatorQuad/9/262/171.mvt?rev=abc",
    "/places/squares/values?layer=NDVI&datetime=2020-06-01/2020-06-30&reducer=mean&limit=2&offset=1",
    "/layers?lang=en",
    "/layers/NDVI?lang=en",
    "/layers/TIMED/times?datetime=2020-06-01/..&bbox=4,50,5,51&limit=2",
    "/layers/POLE/times?bbox=-2000000,-2000000,2000000,2000000&crs=EPSG:3857",
    "/?f=json",
    "/?f=html&lang=en",
    "/health/live",
    "/health/ready",
    "/ogcapi?f=json&lang=en",
    "/ogcapi/?f=html",
    "/ogcapi/conformance?f=json",
    "/ogcapi/openapi?f=json",
    "/ogcapi/collections?bbox=4,50,5,51&datetime=2020-06-01/..&limit=2&offset=1&f=json",
    "/ogcapi/collections/s2?f=html&lang=en",
    "/ogcapi/collections/NDVI/position?coords=POINT(4.6+50.85)&datetime=2020-06-01/2020-06-30&parameter-name=NDVI&crs=CRS84"
    "&f=CoverageJSON",
    "/ogcapi/collections/s2/position?coords=MULTIPOINT((4.6+50.85),(4.7+50.8))&datetime=2020-06&f=CSV&z=0",
    "/ogcapi/collections/NDVI/area?coords=POLYGON((4.5+50.8,4.51+50.8,4.51+50.81,4.5+50.8))&datetime=2020-06-11/..&f=GeoJSON",
    "/ogcapi/collections/HEIGHT/cube?bbox=4.5,50.8,4.51,50.81&crs=CRS84&resolution-x=3&resolution-y=2&f=CoverageJSON",
    "/ogcapi/collections/NDVI/radius?coords=POINT(4.6+50.85)&within=500&within-units=m&parameter-name=NDVI&f=NetCDF",
    "/ogcapi/collections/NDVI/locations?bbox=4,50,5,51&limit=2&offset=1&f=GeoJSON",
    "/ogcapi/collections/NDVI/locations/squares:S1?datetime=2020-06-01/2020-06-30&parameter-name=NDVI&f=CoverageJSON",
    "/ogcapi/collections/NDVI/items?datetime=2020-06&bbox=4,50,5,51&limit=2&offset=0&f=GeoJSON",
    "/ogcapi/collections/NDVI/items/2020-06-11T00:00:00Z?f=GeoJSON",
    "/ogcapi/collections/s2/coverage?bbox=4.5,50.8,4.51,50.81&bbox-crs=[OGC:CRS84]&datetime=2020-06-11&properties=NDVI&f=json",
    '/ogcapi/collections/NDVI/coverage?subset=x(610000:612000),y(5630000:5632000),time("2020-06-01":"2020-06-11")'
    "&scale-factor=2&interpolation=nearest&f=GTiff",
    "/ogcapi/collections/WORLD/coverage?subset=Lat(40:50)&subset=Lon(170:-170)&datetime=2020-06-11&scale-size=Lat(5),Lon(9)&f=NetCDF",
    "/ogcapi/collections/HEIGHT/coverage?crs=[EPSG:3035]&scale-axes=x(3),y(3)&interpolation=bilinear&f=png",
    "/ogcapi/collections/POLE/coverage?bbox=-1000000,-1000000,1000000,1000000&bbox-crs=[EPSG:3031]&width=20&height=20"
    "&datetime=2020-06-11&f=zarr",
    "/ogcapi/collections/NDVI/coverage/domainset?f=json",
    "/ogcapi/collections/NDVI/coverage/rangetype?f=json",
    "/ogcapi/collections/NDVI/schema?f=json",
    "/ogcapi/map?bbox=4.5,50.8,4.7,50.9&width=64&height=48&collections=HEIGHT,NDVI&transparent=false&bgcolor=CC00CC&f=png",
    "/ogcapi/collections/NDVI/map?center=4.6,50.85&scale-denominator=200000&mm-per-pixel=0.28&width=50&datetime=2020-06-11"
    "&crs=[EPSG:3857]&void-color=red&void-transparent=false",
    "/ogcapi/collections/NDVI/styles/reds/map?subset=Lat(50.8:50.9),Lon(4.5:4.7)&subset-crs=[OGC:CRS84]&width=32&f=jpeg"
    "&range=10,200",
    "/ogcapi/collections/WORLD/map?bbox=-180,-90,180,90&bbox-crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84&width=60&f=webp",
    "/ogcapi/styles/steps/map?width=20&f=tiff",
    "/ogcapi/tileMatrixSets?f=json",
    "/ogcapi/tileMatrixSets/WebMercatorQuad?f=json",
    "/ogcapi/map/tiles?collections=NDVI&f=json",
    "/ogcapi/collections/NDVI/map/tiles/WebMercatorQuad?datetime=2020-06-11&f=tilejson",
    "/ogcapi/collections/NDVI/map/tiles/WebMercatorQuad/11/687/1052?datetime=2020-06-11&ramp=reds&f=png",
    "/ogcapi/collections/NDVI/styles/reds/map/tiles/WebMercatorQuad/11/687/1052?transparent=false&bgcolor=0x00ff00&f=jpeg",
    "/ogcapi/tiles/WebMercatorQuad/9/171/262?collections=squares&f=mvt",
    "/ogcapi/styles?f=json",
    "/ogcapi/styles/steps?f=sld10",
    "/ogcapi/collections/NDVI/styles/reds/legend?width=100&height=200&orientation=horizontal&f=svg",
)

LONG = "a" * 3000
WORDS = """
    0 -1 1 2 -0 1.5 1e2 1e9 1000000000 9999999999999999999999999999999999999999 -9999999999999999999 0x10 00011 +5
    1_000 ½ NaN nan inf -inf Infinity 1e308 -1e308 1e309 1e-320 null undefined None true TRUE [] {} * % %s%n %00 ?
    \\ . .. / // ../../../etc/passwd /etc/passwd file:///etc/passwd http://127.0.0.1:1/ <script>alert(1)</script>
    &lt; ]]> ' " ';-- {{7*7}} ${PATH} $(id) ü漢😀 , ,,, ,NDVI NDVI, NDVI,HEIGHT ndvi FUTURE UNDATED TRUE_COLOUR HEIGHT
    RECENT TIMED S2_NDVI default steps reds steps/reds rgb viridis 0,0,0,0 1,2,3 1,2,3,4,5 4,3,2,1 nan,nan,nan,nan
    -inf,-inf,inf,inf -1e300,-1e300,1e300,1e300 -180,-90,180,90 -90,-180,90,180 179,-10,181,10 -1e9,-1e9,1e9,1e9
    0,0,1e-300,1e-300 4.5,50.8,4.5,50.9 4.5,50.8,4.50000000000001,50.9
    -20037508.34,-20037508.34,20037508.34,20037508.34 0,89.9,1,91 1e14,1e14,1.1e14,1.1e14 EPSG:4326 EPSG:3857
    EPSG:32631 EPSG:3035 CRS:84 OGC:CRS84 EPSG:0 EPSG: : AUTO2:42001,1,4,50 urn:ogc:def:crs:EPSG::4326
    http://www.opengis.net/def/crs/EPSG/0/3857 +init=epsg:4326 +proj=longlat image/png image/jpeg image/webp
    image/tiff auto extend transparent JSON
    image/gif text/html application/json png csv svg 1.3.0 1.1.1 1.1.0 1.0.0 0.0.0 100.0.0 1.3 v1 1.0.0,2.0.0
    Contents All Bogus GetMap getmap GetTile GetCapabilities GetFeatureInfo GetLegendGraphic GetBogus WMS WMTS WFS
    WebMercatorQuad WorldCRS84Quad EPSG:3857:11 WorldCRS84Quad:11 11 24 25 255 2047 4294967296 INIMAGE BLANK XML
    0xFFFFFF #ff0000 0xGGGGGG 10,200 200,10 5,5 -1e308,1e308 0,1e-320
    [EPSG:3857] [EPSG:4326 [] http://www.opengis.net/def/crs/OGC/1.3/CRS84 http://www.opengis.net/def/crs/EPSG/0/0
    Lat(50.8:50.9) Lat(50.8) lon(4.5:4.7),LAT(*:50.9) Lat(50.9:50.8) Lat(nan:1) Lat( Lat() Lat(:) x(1:2),x(1:2)
    Lat(1),lat(2) time(2020-06-11) time("2020-06-01":"2020-06-30") time(*) time("a":"b") Lat(2),Lon(2) Lat(0)
    width(10) 0.5 1e-9 POINT(4.6_50.85) POINT() POINTZ(4.6_50.85_0) POINT_EMPTY POINT(nan_nan) POINT(1e308_1e308)
    MULTIPOINT((4.6_50.85),(4.7_50.8)) POLYGON((4.5_50.8,4.6_50.8,4.6_50.9,4.5_50.8)) POLYGON((4.5_50.8))
    POLYGON((4_50,5_51,5_50,4_51,4_50)) POLYGON()
    LINESTRING(4_50,5_51) GEOMETRYCOLLECTION(POINT(4_50)) POLYGON((-180_-90,180_-90,180_90,-180_90,-180_-90)) km parsec
    CoverageJSON GeoJSON CSV NetCDF GTiff zarr tilejson html sld11 squares/S1 squares:S1 transparent red none
"""
VALUES = (
    *(
        "",
        " ",
        "\x00",
        "\x1b[31m",
        "\r\nX-A: b",
        "NDVI ",
        "image/png; mode=8bit",
        "\u0663\u0664",
        "\uff11\uff12",
        "\ufffe",
    ),
    *(word.replace("_", " ") if "(" in word else word for word in WORDS.split()),
)
TIME_WORDS = """
    current latest default now today 2020 2020-06 2020-06-11 20200611 2020-6-1 2020-163 2020-13-01 2020-02-30
    2019-02-29 0000-01-01 0001-01-01 9999-12-31 1677-01-01 2262-04-12 -2020-01-01 2020-06-11T24:00:00Z
    2020-06-11T23:59:60Z 2020-06-11T10:00:00+99:99 2020-06-11T10Z 2020-06-11T00:00:00.000000000000000001Z .. ../.. /
    // /// ../2020 2020/.. 2020/ /2020 */* 2020-06-30/2020-06-01 2020-06-11/2020-06-11 1678/2261 1678/2261/P1D
    1678/2261/PT1S 2020/2021/P0D 2020/2021/PT0S 2020/2021/0 2020/2021/P1000000Y 2020/2021/P 2020/2021/-P1D
    2020/2021/dekad R5/2020/P1D 2020-05-21/2020-06-21/P1D 2020-05-21/2020-06-21/P10D 2020-06-01,2020-06-11
    2020-06-01, , current,2020-06-01 2020-06-01/current current/current 2106-01-01 2020-06-12
    2020-06-01,2020-06-01/2020-06-30/P10D,2020 P1D 2020-06-11Z
"""
TIMES = (
    *(",".join(["2020-06-11"] * 1900), ",".join(["2020-06-11"] * 2100), "2020-06-11T10:00:00 02:00", "\uff12020-06-11"),
    *TIME_WORDS.split(),
)
HEADERS = ("accept", "accept-language", "accept-encoding", "if-none-match", "host", "x-forwarded-host", "range")
HEADER_VALUES = (
    *(b"", b"*", b"*/*", b'"x"', b'W/"x", "y"', b"\xff\xfe", b"a" * 3000, b"text/html;q=nan", b"nl-BE;q=2,,;"),
    *(
        b"example.org",
        b"example.org:99999",
        b"[::1",
        b"[::1]:80",
        b"a b",
        b"<x>",
        b"../..",
        b"bytes=0-5",
        b"gzip;q=0, br",
    ),
)
SIGNATURES = {
    "image/tiff": b"II*\x00",
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/webp": b"RIFF",
    "image/gif": b"GIF89a",
    "application/x-netcdf": b"\x89HDF",
    "application/zip": b"PK\x03\x04",
    "application/vnd.chronotile.cube": b"CTC1",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent; segments and pairs are not escaped yet."""

    segments: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    method: str = "GET"
    header: tuple[str, bytes] | None = None
    tail: str = ""
    """Bytes at the end of the query, escaped already."""

    @property
    def raw_path(self) -> bytes:
        return ("/" + "/".join(quote(each, safe="") for each in self.segments)).encode()

    @property
    def raw_query(self) -> bytes:
        return ("&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in self.pairs) + self.tail).encode()

    def __str__(self) -> str:
        shown = f"{self.method} {self.raw_path.decode()}?{self.raw_query.decode()}"[:600]
        return f"{shown} {self.header}" if self.header else shown


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    media_type: str
    body: bytes
    seconds: float


def parse(url: str) -> Request:
    """Return a valid request from its URL."""
    path, _, query = url.partition("?")
    return Request(tuple(path[1:].split("/")), tuple(parse_qsl(query, keep_blank_values=True)))


def mutate(request: Request, chance: random.Random) -> Request:
    """Return the request with one thing broken."""
    breakers = [_break_segment, _break_value] + ([_break_value, _break_structure] * 3 if request.pairs else [])
    if chance.random() < 0.03:
        return replace(request, method=chance.choice(("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")))
    if chance.random() < 0.05:
        return replace(request, header=(chance.choice(HEADERS), chance.choice(HEADER_VALUES)))
    return chance.choice(breakers)(request, chance)


def requests(count: int, seed: int) -> Iterator[tuple[str, Request]]:
    """Yield protocols with requests that have one to three things broken; the same ones for the same seed."""
    chance = random.Random(seed)
    valid = [parse(url) for url in VALID]
    weights = [1 + 2 * len(each.pairs) + len(each.segments) for each in valid]
    for _ in range(count):
        (request,) = chance.choices(valid, weights)
        protocol = request.segments[0] or "landing"
        for _ in range(chance.randint(1, 3)):
            request = mutate(request, chance)
        yield protocol, request


def _break_segment(request: Request, chance: random.Random) -> Request:
    place = chance.randrange(len(request.segments))
    if place == 0 and chance.random() < 0.9:  # which protocol it is for
        return request
    segments = list(request.segments)
    stem, dot, extension = segments[place].rpartition(".")
    other = _other(segments[place], chance)
    segments[place] = chance.choice((other, f"{other}{dot}{extension}", f"{stem}{dot}{other}"))
    if chance.random() < 0.1:
        segments.insert(place, other)
    elif chance.random() < 0.1 and len(segments) > 1:
        del segments[place]
    return replace(request, segments=tuple(segments))


def _break_value(request: Request, chance: random.Random) -> Request:
    if not request.pairs:
        return _break_segment(request, chance)
    place = chance.randrange(len(request.pairs))
    name, value = request.pairs[place]
    pairs = list(request.pairs)
    pairs[place] = (name, _other(value, chance, is_time=name.lower() in {"time", "datetime", "startdate", "enddate"}))
    return replace(request, pairs=tuple(pairs))


def _break_structure(request: Request, chance: random.Random) -> Request:
    """A parameter dropped, repeated, renamed, swapped, moved, or followed by what is no parameter."""
    place, other = chance.randrange(len(request.pairs)), chance.randrange(len(request.pairs))
    pairs = list(request.pairs)
    name, value = pairs[place]
    match chance.randrange(7):
        case 0:
            del pairs[place]
        case 1:
            pairs.append((name.swapcase(), _other(value, chance)))
        case 2:
            pairs[place] = (_edited(name, chance), value)
        case 3:
            pairs[place], pairs[other] = (name, pairs[other][1]), (pairs[other][0], value)
        case 4:
            pairs.append((chance.choice(VALUES), chance.choice(VALUES)))
        case 5:
            pairs[place] = (chance.choice((name.upper(), name.lower(), name.title())), value)
        case _:
            return replace(
                request, tail=chance.choice(("&%ff%fe=%c0%80", "&&&", "&=", "=", "&a", "%", "&%zz=1", ";x=1"))
            )
    return replace(request, pairs=tuple(pairs))


def _other(value: str, chance: random.Random, *, is_time: bool = False) -> str:
    """A value in place of another: a hostile one, one edited, or a long one."""
    die = chance.random()
    if die < 0.02:
        return chance.choice((LONG, LONG * 15, value * 50))
    if die < 0.25:
        return _edited(value, chance)
    if is_time or die < 0.30:
        return chance.choice(TIMES)
    return chance.choice(VALUES)


def _edited(text: str, chance: random.Random) -> str:
    """A character put in, taken away, doubled or changed."""
    place = chance.randrange(len(text) + 1)
    piece = chance.choice("0123456789-+.,:/eE aZ%\x00é\n")
    return chance.choice(
        (text[:place] + piece + text[place:], text[:place] + text[place + 1 :], text[:place] + piece, text * 2)
    )


async def send(app: ASGIApp, request: Request) -> Answer:
    """Return the application's answer; an exception that it lets out is a 500."""
    path = unquote(request.raw_path.decode())
    headers = {"host": b"testserver", **dict([request.header] if request.header else [])}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": request.raw_path,
        "root_path": "",
        "query_string": request.raw_query,
        "headers": [(name.encode(), value) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    start, messages = time.perf_counter(), []
    bodies = iter([b""])

    async def receive() -> dict[str, object]:
        body = next(bodies, None)
        if body is None:  # whoever waits for more waits for the client to leave, which it does not
            await anyio.sleep_forever()
        return {"type": "http.request", "body": body, "more_body": False}

    async def collect(message: dict[str, object]) -> None:
        messages.append(message)

    try:
        await app(scope, receive, collect)
    except Exception as error:  # noqa: BLE001 -- whatever comes out is a finding
        return Answer(500, "exception", repr(error).encode(), time.perf_counter() - start)
    told = {name.decode().lower(): value.decode("latin-1") for name, value in messages[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(messages[0]["status"], told.get("content-type", ""), body, time.perf_counter() - start)


def fault_of(request: Request, answer: Answer) -> str | None:
    """Return what is wrong with an answer, whatever the request was."""
    if answer.status >= 500 and answer.status != 501:
        return f"{answer.status}: {answer.body[:200]!r}"
    if answer.status == 501 and request.segments[0] != "wmts":
        return "501 from a service that has none"
    if b"Traceback (most recent call last)" in answer.body:
        return "a traceback"
    if request.method == "HEAD" or request.header is not None or not answer.body:
        return None
    return _misformed(answer)


def _misformed(answer: Answer) -> str | None:
    """What the body is not that its type says it is."""
    media_type = answer.media_type.partition(";")[0]
    signature = SIGNATURES.get(media_type, b"")
    if not answer.body.startswith(signature):
        return f"no {media_type}"
    try:
        if media_type.endswith("xml"):
            etree.fromstring(answer.body)
        elif media_type.endswith("json"):
            orjson.loads(answer.body)
    except (etree.XMLSyntaxError, orjson.JSONDecodeError) as error:
        return f"no {media_type}: {error}"
    return None


def archive() -> Services:
    """Return services over a layer of each kind, and over grids round the earth and round a pole."""
    world = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
    pole = NativeGrid(crs=crs_of("EPSG:3031"), transform=Affine(25e3, 0, -3e6, 0, -25e3, 3e6), width=240, height=240)
    layers = [
        served.make_layer(name, collection=name, variable=served.make_variable(name, grid=grid))
        for name, grid in (("WORLD", world), ("POLE", pole))
    ]
    collections = (*served.varied_collections(), *map(served.make_collection, layers))
    return served.make_services(*collections, places=[make_places()])


async def fuzz(count: int, seed: int) -> tuple[list[str], Counter[str], list[tuple[float, str]]]:
    """Return all that went wrong, how often each status came from each protocol, and the slowest requests."""
    app = application(archive())
    faults, statuses, slowest = list[str](), Counter[str](), list[tuple[float, str]]()
    async with app.router.lifespan_context(app):
        for protocol, request in requests(count, seed):
            answer = await send(app, request)
            statuses[f"{protocol} {answer.status}"] += 1
            fault = fault_of(request, answer)
            if fault is not None:
                faults.append(f"{fault}\n    {request}")
            slowest = sorted([*slowest, (answer.seconds, str(request))], reverse=True)[:5]
    return faults, statuses, slowest


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 if anything went wrong."""
    count, seed = (*map(int, arguments), *(20000, 1)[len(arguments) :])
    faults, statuses, slowest = anyio.run(fuzz, count, seed)
    for name, number in sorted(statuses.items()):
        sys.stdout.write(f"{number:8} {name}\n")
    for seconds, request in slowest:
        sys.stdout.write(f"{seconds:8.3f} s {request[:200]}\n")
    for fault in faults[:50]:
        sys.stdout.write(f"FAULT {fault}\n")
    sys.stdout.write(f"{count} requests, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
