"""Values that replace valid ones."""

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
        *("", " ", "\x00", "\x1b[31m", "\r\nX-A: b", "NDVI ", "image/png; mode=8bit", "\u0663\u0664", "\uff11\uff12"),
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
HEADERS: dict[str, tuple[bytes, ...]] = {
    "accept": (b"image/png;q=nan", b"text/html;q=0, */*;q=0", b"application/" + b"x" * 3000, b"a/b/c, ;q=, =", b"*"),
    "accept-language": (b"nl-BE;q=2,,;", b"*;q=0", b"xx-" * 900, b"fr"),
    "accept-encoding": (b"gzip;q=0, br", b"gzip;q=\xff", b"*;q=0", b"gzip"),
    "if-none-match": (b"*", b'"x"', b'W/"x", "y"', b'"' * 900, b"x"),
    "if-match": (b"*", b'"x"'),
    "if-modified-since": (b"Sat, 99 Foo 2020 00:00:00 GMT", b"Thu, 01 Jan 1970 00:00:00 GMT"),
    "if-range": (b'"x"', b"Thu, 01 Jan 1970 00:00:00 GMT"),
    "range": (b"bytes=0-5", b"bytes=-5", b"bytes=5-", b"bytes=9-5", b"bytes=-0", b"bytes=99999999999999999999999-",
              b"bytes=" + b"0-1," * 500 + b"0-1", b"items=0-5", "bytes=\u0663-\u0664".encode()),
    "prefer": (b"respond-async", b"respond-async, wait=0", b"wait=99999999999999999999", b"wait=-1, return=minimal",
               b"return=representation", b"respond-async;x=\xff", b"handling=strict,,=;"),
    "content-type": (b"application/json; charset=utf-16", b"text/xml", b"application/x-www-form-urlencoded",
                     b"multipart/form-data", b"multipart/form-data; boundary=x", b"application/geo+json", b"/"),
    "content-encoding": (b"gzip", b"br", b"identity", b"gzip, gzip", b"\xff"),
    "content-length": (b"-1", b"0", b"1", b"99999999999999999999999", "\u0663".encode(), b"1e9"),
    "host": (b"", b"example.org", b"example.org:99999", b"[::1", b"[::1]:80", b"a b", b"<x>", b"../..", b"\xff\xfe"),
    "origin": (b"null", b"https://example.org", b"x", b"\xff"),
    "referer": (b"https://example.org/<x>",),
    "x-forwarded-host": (b"example.org", b"<x>", b"a b", b"example.org, other", b"x" * 3000, b"\xff"),
    "x-forwarded-prefix": (b"/p", b"//example.org", b"<x>", b"/../..", b"p\x00", b"/" * 900),
    "x-forwarded-proto": (b"https", b"javascript", b"https, http", b"\xff"),
    "x-forwarded-for": (b"10.0.0.1, 127.0.0.1", b"unknown", b"[::1]:x", b"," * 900),
    "x-forwarded-port": (b"99999", b"x"),
    "forwarded": (b"for=1;host=<x>;proto=https", b'host="', b"=;=;,"),
    "access-control-request-method": (b"DELETE", b"\xff"),
    "access-control-request-headers": (b"x-a, x-b", b"\xff", b"a" * 3000),
    "cookie": (b"a=b", b"=" * 900),
    "authorization": (b"Bearer x", b"Basic \xff"),
    "x-http-method-override": (b"DELETE",),
    "expect": (b"100-continue", b"x"),
    "te": (b"trailers",),
    "upgrade": (b"websocket",),
}  # fmt: skip
"""Headers with odd or wrong values."""
ANY_HEADER = (b"", b"*", b"*/*", b'"x"', b"\xff\xfe", b"a" * 3000, b"\x00", b"\t", b"nan", b"<script>alert(1)</script>")
