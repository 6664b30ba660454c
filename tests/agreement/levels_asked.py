"""Values of a member of `tests.odd_archives.levels` from each protocol, compared with its native values.

A right coarse cell follows one rule for all overviews: its value lies between the smallest and the greatest native
value near it; it has none if no native cell near it has one; and it has a value if all of them have one.
"""

import io
import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyproj
import rasterio
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter
from starlette.testclient import TestClient

from tests.odd_archives.levels import CELL_M, CRS, DAYS, LAYER, NORTH, WEST, Member
from tests.running import until
from tests.walk.serving import served

TOLERANCE = 1.01
"""Tolerance of a value that is read from one of 256 colours."""
SHARE_CELLS, SHARE_TOLERANCE = 9, 0.01
WORLD_M = math.pi * 6_378_137
TO_METRES = pyproj.Transformer.from_crs(CRS, "EPSG:3857", always_xy=True)
TO_DEGREES = pyproj.Transformer.from_crs(CRS, "OGC:CRS84", always_xy=True)
COVERAGE = f"/ogcapi/collections/{LAYER}/coverage"


@dataclass
class Compared:
    """How many values of each protocol were compared, and which were wrong."""

    member: Member
    client: TestClient
    count: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def get(self, address: str, **parameters: object):
        answer = self.client.get(address, params=parameters)
        is_right = answer.status_code == 200 and b"<ServiceException" not in answer.content[:1000]
        assert is_right, (self.member.name, address, answer.status_code, answer.text[:1000])
        return answer

    def coarse(self, what: str, values: np.ndarray, x: np.ndarray, y: np.ndarray, cells: float, day: int) -> None:
        """Compare (y, x) values, NaN for missing ones, at points in the member's CRS.

        Args:
            what: The protocol.
            values: Values of the answer.
            x: x of the centres.
            y: y of the centres.
            cells: Native cells along a side of a cell of the answer.
            day: Number of the date.
        """
        native = self.member.values[day]
        reach = 2 * (2 * math.ceil(cells) + 1) + 1
        low = minimum_filter(np.where(np.isnan(native), np.inf, native), reach, mode="nearest")
        high = maximum_filter(np.where(np.isnan(native), -np.inf, native), reach, mode="nearest")
        is_whole = minimum_filter((~np.isnan(native)).astype("u1"), reach, mode="constant", cval=0) > 0
        column = np.floor((x - WEST) / CELL_M).astype(int)
        row = np.floor((NORTH - y) / CELL_M).astype(int)
        margin = math.ceil(cells)
        inside = (column >= margin) & (row >= margin)
        inside &= (column < native.shape[1] - margin) & (row < native.shape[0] - margin)
        at = row[inside], column[inside]
        found = values[inside]
        is_value = ~np.isnan(found)
        is_wrong = is_value & ((found < low[at] - TOLERANCE) | (found > high[at] + TOLERANCE))
        is_wrong |= ~is_value & is_whole[at]
        self.count[what] += found.size
        self.wrong[what] += int(is_wrong.sum())

    def exact(self, what: str, values: np.ndarray, expected: np.ndarray) -> None:
        """Compare native values."""
        values, expected = np.asarray(values, dtype=float), np.asarray(expected, dtype=float)
        self.count[what] += expected.size
        self.wrong[what] += int((~np.isclose(values, expected, atol=1e-4, equal_nan=True)).sum())


def _grey(body: bytes) -> np.ndarray:
    """Return (y, x) values of a picture in grey from 0 to 255, NaN for transparent pixels."""
    rgba = np.array(Image.open(io.BytesIO(body)).convert("RGBA"))
    return np.where(rgba[..., 3] > 0, rgba[..., 0].astype(float), np.nan)


def _centres(west: float, north: float, size: tuple[float, float], shape: tuple[int, int]):
    return np.meshgrid(west + size[0] * (np.arange(shape[1]) + 0.5), north - size[1] * (np.arange(shape[0]) + 0.5))


def compare_maps(compared: Compared) -> None:
    """WMS: the whole raster at a quarter, a tenth and the full size."""
    height, width = compared.member.values.shape[1:]
    box = f"{WEST},{NORTH - height * CELL_M},{WEST + width * CELL_M},{NORTH}"
    for day, time in enumerate(DAYS):
        for cells in (1, 2.2, 4, 10):
            columns, rows = round(width / cells), round(height / cells)
            wms = {"SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", "LAYERS": LAYER, "STYLES": "greys"}
            body = compared.get(
                "/wms", **wms, CRS=CRS, BBOX=box, WIDTH=columns, HEIGHT=rows, FORMAT="image/png", TRANSPARENT="TRUE",
                TIME=time,
            ).content  # fmt: skip
            size = width * CELL_M / columns, height * CELL_M / rows
            centres = _centres(WEST, NORTH, size, (rows, columns))
            compared.coarse("WMS", _grey(body), *centres, max(size) / CELL_M, day)


def compare_tiles(compared: Compared) -> None:
    """Tiles of WebMercatorQuad over the middle."""
    height, width = compared.member.values.shape[1:]
    x, y = TO_METRES.transform(WEST + width * CELL_M / 2, NORTH - height * CELL_M / 2)
    for level in (8, 10):
        side = 2 * WORLD_M / 2**level
        column, row = int((x + WORLD_M) // side), int((WORLD_M - y) // side)
        body = compared.get(
            f"/ogcapi/collections/{LAYER}/styles/greys/map/tiles/WebMercatorQuad/{level}/{row}/{column}",
            datetime=f"{DAYS[1]}", f="png",
        ).content  # fmt: skip
        picture = _grey(body)
        centres = _centres(column * side - WORLD_M, WORLD_M - row * side, (side / 256, side / 256), (256, 256))
        own = TO_METRES.transform(*centres, direction="INVERSE")
        compared.coarse("tiles", picture, *own, side / 256 / CELL_M, 1)


def _raster(body: bytes):
    """(y, x) values of a GeoTIFF, the centres of its cells and their size."""
    with rasterio.MemoryFile(body) as memory, memory.open() as file:
        values = file.read(1, masked=True).astype(float).filled(np.nan) * file.scales[0] + file.offsets[0]
        transform = file.transform
    centres = _centres(transform.c, transform.f, (transform.a, -transform.e), values.shape)
    return values, centres, max(transform.a, -transform.e) / CELL_M


def compare_coverages(compared: Compared) -> None:
    """OGC API Coverages and WCS: native cells are equal, scaled ones follow the rule."""
    for day, time in enumerate(DAYS):
        values, _centres_of, _cells = _raster(compared.get(COVERAGE, f="geotiff", datetime=time).content)
        compared.exact("coverage", values, compared.member.values[day])
        for factor in (2, 5, 8):
            answer = compared.get(COVERAGE, **{"f": "geotiff", "datetime": time, "scale-factor": factor})
            values, centres, cells = _raster(answer.content)
            compared.coarse("scaled coverage", values, *centres, cells, day)
        answer = compared.get(
            "/wcs", SERVICE="WCS", VERSION="2.0.1", REQUEST="GetCoverage", COVERAGEID=LAYER, FORMAT="image/tiff",
            SCALEFACTOR="0.25", SUBSET=f'time("{time}T00:00:00Z")',
        )  # fmt: skip
        values, centres, cells = _raster(answer.content)
        compared.coarse("WCS", values, *centres, cells, day)


def compare_places(compared: Compared, rng: np.random.Generator) -> None:
    """Series, EDR and GetFeatureInfo: the native cells of some places."""
    values = compared.member.values
    for _ in range(3):
        row, column = int(rng.integers(values.shape[1])), int(rng.integers(values.shape[2]))
        x, y = WEST + (column + 0.5) * CELL_M, NORTH - (row + 0.5) * CELL_M
        longitude, latitude = TO_DEGREES.transform(x, y)
        series = compared.get(f"/timeseries/{LAYER}/point", lon=longitude, lat=latitude).json()["values"]
        compared.exact("series", series, values[:, row, column])
        document = compared.get(
            f"/ogcapi/collections/{LAYER}/position", coords=f"POINT({longitude} {latitude})", f="json"
        ).json()
        compared.exact("EDR", next(iter(document["ranges"].values()))["values"], values[:, row, column])
        half = CELL_M / 2
        box = f"{x - half},{y - half},{x + half},{y + half}"
        document = compared.get(
            "/wms", SERVICE="WMS", VERSION="1.3.0", REQUEST="GetFeatureInfo", LAYERS=LAYER, QUERY_LAYERS=LAYER, CRS=CRS,
            BBOX=box, WIDTH=1, HEIGHT=1, I=0, J=0, INFO_FORMAT="application/json", STYLES="", TIME=DAYS[1],
        ).json()  # fmt: skip
        compared.exact("GetFeatureInfo", document["features"][0]["properties"]["value"], values[1, row, column])


def compare_shares(compared: Compared) -> None:
    """Shares of valid cells, which are estimated from an overview: a cell of it may be one native cell of many."""
    address = f"/layers/{LAYER}/times"
    until(lambda: not compared.get(address).json()["valid_shares_pending"])
    shares = compared.get(address).json()["valid_shares"]
    is_valid = (~np.isnan(compared.member.values)).astype("u1")
    reach = (1, SHARE_CELLS, SHARE_CELLS)
    low, high = (each(is_valid, reach).mean(axis=(1, 2)) for each in (minimum_filter, maximum_filter))
    found = np.array(shares, float)
    is_right = (found >= low - SHARE_TOLERANCE) & (found <= high + SHARE_TOLERANCE)
    compared.wrong["valid shares"] += int((~is_right).sum())


def compare_all(member: Member, rng: np.random.Generator) -> Compared:
    """Compare all protocols over a member that is served."""
    with served(member.place, member.place.parent / "stored") as client:
        compared = Compared(member, client)
        compare_maps(compared)
        compare_tiles(compared)
        compare_coverages(compared)
        compare_places(compared, rng)
        compare_shares(compared)
    return compared
