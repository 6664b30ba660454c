"""Requests of a soak, and checks of their answers."""

import hashlib
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image
from pyproj import Transformer
from rasterio.io import MemoryFile

from benchmarks.load.exchange import Answer, Ask
from benchmarks.soak.archive import BLOCK, NORTH, RESOLUTION_M, SIDE, WEST, Archive, date_of, day

ZOOM, FIRST_COLUMN, FIRST_ROW = 13, 4164, 2726
"""The first tile of native zoom within the data; 4 by 4 of them are requested."""
TILES = 4


class WrongAnswer(Exception):
    """An answer came, and it is not right."""


Check = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Question:
    """A request with the check of its answer."""

    kind: str
    ask: Ask
    check: Check


@dataclass(slots=True)
class Known:
    """Expected state of the growing archive, and of pictures that must not change."""

    archive: Archive
    dates: int
    """Dates that must be everywhere: those after whose append a reload has settled."""
    cube_dates: int
    """Dates that the cube must have: those whose append has ended, since it is acknowledged then."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """Digests of pictures of one explicit instant, by path."""
    etags: dict[str, str] = field(default_factory=dict)
    """ETags of answered tiles, by path."""


Maker = Callable[[random.Random, Known], Question]


def tile(chance: random.Random, known: Known) -> Question:
    """Request a tile."""
    layer = chance.choice(["NDVI", "NDVI", "STACK", "TWICE"])
    zoom, column, row = _place(chance)
    path = f"/tiles/{layer}/WebMercatorQuad/{zoom}/{column}/{row}.png?datetime={_day(chance, known)}"
    is_same = _same_picture(path, known, 256)

    def check(answer: Answer) -> None:
        is_same(answer)
        known.etags[path] = answer.headers["etag"]

    return Question("tile", Ask(path=path), check)


def composed_tile(chance: random.Random, known: Known) -> Question:
    """Request the newest valid pixels of some days, or of an expression."""
    zoom, column, row = _place(chance)
    first = chance.randrange(known.dates - 4)
    query = chance.choice(
        [f"datetime={day(first)}/{day(first + 4)}&reducer={chance.choice(['latest', 'max', 'mean', 'median'])}",
         f"datetime={day(first)}&expression={quote('NDVI * 0.5 + 0.1')}"]
    )  # fmt: skip
    path = f"/tiles/NDVI/WebMercatorQuad/{zoom}/{column}/{row}.png?{query}"
    return Question("composed tile", Ask(path=path), _same_picture(path, known, 256))


def values_tile(chance: random.Random, known: Known) -> Question:
    """Request the numbers of a tile."""
    zoom, column, row = _place(chance)
    path = f"/tiles/NDVI/WebMercatorQuad/{zoom}/{column}/{row}.npy?datetime={_day(chance, known)}"

    def check(answer: Answer) -> None:
        _expect(answer, 200, "application/")
        array = np.load(io.BytesIO(answer.body))
        _require(array.shape[-2:] == (256, 256), f"shape {array.shape}")

    return Question("npy", Ask(path=path), check)


def cube(chance: random.Random, known: Known) -> Question:
    """Request a tile of consecutive days, or from a day on: complete, with these days, and unchanged."""
    layer, (zoom, column, row) = chance.choice(["NDVI", "NDVI", "STACK", "TWICE"]), _place(chance)
    settled = known.cube_dates if layer == "NDVI" else known.dates
    count = min(settled, chance.choice([1, 20, 40]))
    first = chance.randrange(max(1, settled - count))
    is_open = chance.random() < 0.2
    path = (
        f"/cubes/{layer}/WebMercatorQuad/{zoom}/{column}/{row}.ctc?res={chance.choice([1, 1, 2])}"
        f"&datetime={day(settled - 5 if is_open else first)}/{'..' if is_open else day(first + count - 1)}"
    )

    def check(answer: Answer) -> None:
        _expect(answer, 200, "application/vnd.chronotile.cube")
        header = _cube_header(answer.body)
        dates = [date_of(instant) for instant in header["times"]]
        if is_open:
            _require(dates[:5] == list(range(settled - 5, settled)), f"dates {dates[:5]}, {settled} existed before")
            return
        _require(dates == list(range(first, first + count)), f"dates {dates}")
        digest = hashlib.blake2b(answer.body, digest_size=16).digest()
        _require(known.digests.setdefault(path, digest) == digest, "the cube is another than before")

    return Question("cube", Ask(path=path, headers={"Accept-Encoding": "gzip"}), check)


def wms_map(chance: random.Random, known: Known) -> Question:
    """Request a map."""
    x, y = WEST + chance.uniform(1000, 5000), NORTH - chance.uniform(5000, 9000)
    crs = chance.choice(["EPSG:3857", "EPSG:32631"])
    to = Transformer.from_crs("EPSG:32631", crs, always_xy=True)
    (left, low), (right, high) = to.transform(x, y), to.transform(x + 4000, y + 4000)
    picture_format = chance.choice(["image/png", "image/png", "image/webp", "image/jpeg"])
    path = (
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={chance.choice(['NDVI', 'STACK'])}&STYLES=&CRS={crs}"
        f"&BBOX={left:.2f},{low:.2f},{right:.2f},{high:.2f}&WIDTH=400&HEIGHT=400&FORMAT={picture_format}"
        f"&TRANSPARENT=TRUE&TIME={_day(chance, known)}"
    )
    return Question("wms map", Ask(path=path), _same_picture(path, known, 400, picture_format))


def wmts_tile(chance: random.Random, known: Known) -> Question:
    """Request a tile by WMTS, in key-value pairs or by path."""
    zoom, column, row = _place(chance)
    when = _day(chance, known)
    path = chance.choice(
        [f"/wmts/1.0.0/NDVI/default/{when}/WebMercatorQuad/{zoom}/{row}/{column}.png",
         "/wmts?SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetTile&LAYER=NDVI&STYLE=default&FORMAT=image/png&TILEMATRIXSET="
         f"WebMercatorQuad&TILEMATRIX={zoom}&TILEROW={row}&TILECOL={column}&TIME={when}"]
    )  # fmt: skip
    return Question("wmts tile", Ask(path=path), _same_picture(path, known, 256))


def point_series(chance: random.Random, known: Known) -> Question:
    """Request the series of a cell, and check every value."""
    row, column = chance.randrange(SIDE), chance.randrange(SIDE)
    x, y = WEST + (column + 0.5) * RESOLUTION_M, NORTH - (row + 0.5) * RESOLUTION_M
    layer = chance.choice(["NDVI", "NDVI", "NDVI", "STACK"])
    settled = known.cube_dates if layer == "NDVI" else known.dates

    def check(answer: Answer) -> None:
        document = _json(answer)
        dates = [date_of(instant) for instant in document["times"]]
        _require(len(dates) >= settled, f"{layer} has {len(dates)} dates, {settled} existed before")
        _require(document["values"] == known.archive.values_at(row, column, dates), f"values at {row}, {column}")

    return Question("point series", Ask(path=f"/timeseries/{layer}/point?x={x}&y={y}&crs=EPSG:32631"), check)


def edr_position(chance: random.Random, known: Known) -> Question:
    """Request the series of a cell by EDR, and check every value."""
    row, column = chance.randrange(SIDE), chance.randrange(SIDE)
    x, y = WEST + (column + 0.5) * RESOLUTION_M, NORTH - (row + 0.5) * RESOLUTION_M
    layer = chance.choice(["NDVI", "NDVI", "NDVI", "STACK"])
    settled = known.cube_dates if layer == "NDVI" else known.dates

    def check(answer: Answer) -> None:
        _expect(answer, 200, "application/prs.coverage+json")
        document = json.loads(answer.body)
        dates = [date_of(instant) for instant in document["domain"]["axes"]["t"]["values"]]
        _require(len(dates) >= settled, f"{layer} has {len(dates)} dates, {settled} existed before")
        found = document["ranges"]["NDVI"]["values"]
        _require(found == known.archive.values_at(row, column, dates), f"values at {row}, {column}")

    path = f"/ogcapi/collections/{layer}/position?coords=POINT({x}%20{y})&crs=EPSG:32631"
    return Question("EDR position", Ask(path=path), check)


def coverage(chance: random.Random, known: Known) -> Question:
    """Request the native cells of a square as GeoTIFF, and check every number."""
    top, left, side = chance.randrange(SIDE - 200), chance.randrange(SIDE - 200), chance.choice([20, 200])
    west, north = WEST + left * RESOLUTION_M, NORTH - top * RESOLUTION_M
    date = chance.randrange(known.dates)
    path = (
        f"/ogcapi/collections/{chance.choice(['NDVI', 'STACK'])}/coverage?bbox={west},{north - side * RESOLUTION_M},"
        f"{west + side * RESOLUTION_M},{north}&bbox-crs=EPSG:32631&datetime={day(date)}&f=GTiff"
    )

    def check(answer: Answer) -> None:
        _expect(answer, 200, "image/tiff")
        with MemoryFile(answer.body) as memory, memory.open() as file:
            found = file.read(1)
        expected = known.archive.numbers(date)[top : top + side, left : left + side]
        _require(np.array_equal(found, expected), f"numbers of {side} cells from {top}, {left}")

    return Question("coverage", Ask(path=path), check)


def terrascope_series(chance: random.Random, known: Known) -> Question:
    """Send a request of Terrascope's clients."""
    to = Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    longitude, latitude = to.transform(WEST + chance.uniform(100, 10_000), NORTH - chance.uniform(100, 10_000))
    first = chance.randrange(known.dates - 10)
    path = (
        f"/timeseries/v1.0/ts/NDVI/point?lon={longitude:.6f}&lat={latitude:.6f}"
        f"&startDate={day(first)}&endDate={day(first + 9)}"
    )

    def check(answer: Answer) -> None:
        results = _json(answer)["results"]
        _require(len(results) == 10, f"{len(results)} results of 10 days")

    return Question("terrascope series", Ask(path=path), check)


def area_series(chance: random.Random, known: Known) -> Question:
    """Request the mean of a square that no cloud's edge crosses, and check it."""
    top, left = chance.randrange(SIDE // BLOCK) * BLOCK, chance.randrange(SIDE // BLOCK) * BLOCK
    to = Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    rows, columns = (top + 4, top + 60), (left + 4, left + 60)
    corners = [(columns[0], rows[0]), (columns[1], rows[0]), (columns[1], rows[1]), (columns[0], rows[1])]
    ring = [to.transform(WEST + c * RESOLUTION_M, NORTH - r * RESOLUTION_M) for c, r in [*corners, corners[0]]]
    body = json.dumps({"type": "Polygon", "coordinates": [ring]}).encode()
    date = chance.randrange(known.dates)

    def check(answer: Answer) -> None:
        found = _json(answer)["features"][0]["series"]["mean"][0]
        expected = known.archive.values_at(top, left, [date])[0]
        _require((found is None) == (expected is None), f"mean {found} of a square at {top}, {left}")

    path = f"/timeseries/NDVI/area?datetime={day(date)}"
    return Question("area series", Ask(path=path, method="POST", headers=JSON, body=body), check)


def revalidation(chance: random.Random, known: Known) -> Question:
    """Request a picture again as a browser does: it is unchanged, or has the same bytes under another ETag."""
    path = chance.choice(list(known.etags) or ["/tiles/NDVI/legend.png"])
    unchecked = _same_picture(path, known, 256)

    def check(answer: Answer) -> None:
        if answer.status == 304:
            _require(not answer.body, "a body with 304")
        elif path in known.etags:
            unchecked(answer)

    headers = {"If-None-Match": known.etags.get(path, '"none"')}
    return Question("revalidation", Ask(path=path, headers=headers), check)


def layers(chance: random.Random, known: Known) -> Question:
    """Request the layers; no worker may have lost a date that had settled."""
    settled = {"NDVI": known.cube_dates, "STACK": known.dates, "TWICE": known.dates}

    def check(answer: Answer) -> None:
        found = {each["id"]: each["times"]["count"] for each in _json(answer)["layers"]}
        _require(set(found) >= set(settled), f"layers {sorted(found)}")
        _require(all(found[layer] >= count for layer, count in settled.items()), f"{found} dates, not {settled}")

    del chance
    return Question("layers", Ask(path="/layers", headers={"Accept-Encoding": "gzip"}), check)


def documents(chance: random.Random, known: Known) -> Question:
    """Request a document."""
    path, media_type, part = chance.choice(DOCUMENTS)

    def check(answer: Answer) -> None:
        _expect(answer, 200, media_type)
        _require(part in answer.body, f"{path} lacks {part!r}")

    del known
    return Question("documents", Ask(path=path), check)


def user_cog(chance: random.Random, known: Known) -> Question:
    """Request a file of the stack from the TiTiler endpoints."""
    file = known.archive.stack / f"ndvi_{_day(chance, known).replace('-', '')}.tif"
    zoom, column, row = _place(chance)
    path = f"/cog/tiles/WebMercatorQuad/{zoom}/{column}/{row}.png?url={quote(str(file), safe='')}&rescale=0,250"

    def check(answer: Answer) -> None:
        _expect(answer, 200, "image/png")
        _pixels(answer.body)

    return Question("cog", Ask(path=path), check)


def wrong_requests(chance: random.Random, known: Known) -> Question:
    """Send a wrong request; the error must have the protocol's form."""
    path, status, media_type = chance.choice(MISTAKES)
    del known
    return Question("mistakes", Ask(path=path), lambda answer: _expect(answer, status, media_type))


def feature_info(chance: random.Random, known: Known) -> Question:
    """Request the value under a click."""
    path = (
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&CRS=EPSG:32631"
        f"&BBOX=501000,5691000,505000,5695000&WIDTH=400&HEIGHT=400&I={chance.randrange(400)}&J={chance.randrange(400)}"
        f"&INFO_FORMAT=application/json&TIME={_day(chance, known)}"
    )
    return Question("feature info", Ask(path=path), lambda answer: _expect(answer, 200, "application/"))


JSON = {"Content-Type": "application/json"}
DOCUMENTS = [
    ("/wms?SERVICE=WMS&REQUEST=GetCapabilities", "text/xml", b"</WMS_Capabilities>"),
    ("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", "", b"Capabilities>"),
    ("/wmts/1.0.0/WMTSCapabilities.xml", "", b"Capabilities>"),
    ("/layers/NDVI", "application/json", b'"revision"'),
    ("/layers/NDVI/times?limit=20", "application/json", b'"total"'),
    ("/tiles/NDVI/WebMercatorQuad/tilejson.json", "application/json", b'"tiles"'),
    ("/tiles/NDVI/legend.svg", "image/svg+xml", b"</svg>"),
    ("/timeseries/v1.0/ts/", "application/json", b"NDVI"),
    ("/ogcapi?f=json", "application/json", b"conformance"),
    ("/ogcapi/collections?f=json", "application/json", b'"STACK"'),
    ("/ogcapi/collections/NDVI?f=html", "text/html", b"</html>"),
    ("/ogcapi/openapi?f=json", "application/vnd.oai.openapi+json", b'"paths"'),
    ("/", "application/json", b"links"),
    ("/viewer/", "text/html", b"<html"),
    ("/viewer/viewer.css", "text/css", b"light-dark"),
    ("/health/live", "application/json", b"live"),
    ("/health/ready", "application/json", b'"ready"'),
    ("/metrics", "text/plain", b"chronotile_layers"),
]
MISTAKES = [
    ("/tiles/NOTHING/WebMercatorQuad/3/4/2.png", 404, "application/problem+json"),
    ("/tiles/NDVI/WebMercatorQuad/13/4165/2727.png?datetime=1999-01-01", 404, "application/problem+json"),
    ("/timeseries/NDVI/point?lon=900&lat=1", 400, "application/problem+json"),
    ("/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NOTHING", 200, "text/xml"),
    ("/nothing", 404, "application/problem+json"),
]
MAKERS: dict[Maker, int] = {
    tile: 30, composed_tile: 6, values_tile: 3, wms_map: 14, wmts_tile: 10, point_series: 12, terrascope_series: 4,
    area_series: 4, edr_position: 4, coverage: 3, revalidation: 8, layers: 4, documents: 6, user_cog: 2,
    wrong_requests: 2, feature_info: 3, cube: 3,
}  # fmt: skip
"""Relative frequency of each kind of request."""
NOT_YET = (area_series,)
"""Requests that are only sent if the server offers them."""


def _place(chance: random.Random) -> tuple[int, int, int]:
    """Zoom, column and row of a tile within the data."""
    up = chance.choice([0, 0, 1, 2, 4])
    column, row = FIRST_COLUMN + chance.randrange(TILES), FIRST_ROW + chance.randrange(TILES)
    return ZOOM - up, column >> up, row >> up


def _day(chance: random.Random, known: Known) -> str:
    return day(chance.randrange(known.dates))


def _same_picture(path: str, known: Known, side: int, media_type: str = "image/png") -> Check:
    """Return a check for a picture of that size with the same pixels as in earlier answers.

    It does not compare bytes: ISA-L sometimes finds another match of the same length.
    """

    def check(answer: Answer) -> None:
        _expect(answer, 200, media_type)
        pixels = _pixels(answer.body)
        _require(pixels.shape[:2] == (side, side), "a picture of another size")
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        _require(known.digests.setdefault(path, digest) == digest, "the picture is another than before")

    return check


def _pixels(body: bytes) -> np.ndarray:
    """(y, x, 4)."""
    with Image.open(io.BytesIO(body)) as picture:
        return np.asarray(picture.convert("RGBA"))


def _cube_header(body: bytes) -> dict[str, Any]:
    """The header of a cube, whose blocks fill the rest exactly (docs/design/ctc1.md)."""
    _require(body[:4] == b"CTC1", "no cube")
    start = 8 + int.from_bytes(body[4:8], "little")
    header: dict[str, Any] = json.loads(body[8:start])
    pixels, size = header["w"] * header["h"], {"uint8": 1, "uint16": 2}[header["dtype"]]
    length = sum(block["n"] * (block["mask"] * -(-pixels // 8) + pixels * size) for block in header["blocks"])
    _require(len(body) - start == length, f"{len(body) - start} bytes of blocks, not {length}")
    return header


def _json(answer: Answer) -> Any:  # noqa: ANN401 -- what the check then looks at
    _expect(answer, 200, "application/json")
    return json.loads(answer.body)


def _expect(answer: Answer, status: int, media_type: str) -> None:
    _require(answer.status == status, f"status {answer.status}: {answer.body[:200]!r}")
    found = answer.headers.get("content-type", "")
    _require(found.startswith(media_type), f"content type {found}")


def _require(is_right: bool, mistake: str) -> None:
    if not is_right:
        raise WrongAnswer(mistake)
