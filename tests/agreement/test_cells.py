"""Beyond the native zoom, viewer, pictures and series show the cell that PROJ names.

Without a browser: cubes come from the server, `viewer/ctc1/` decodes them in Node and chooses cells, and the results
are compared with the scene's formula at the cell that pyproj computes for the same point.
"""

import io
import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronotile.core.model.space.crs import CRS84, transformer
from tests.agreement.scenes_served import DAY_INDEX, SCENES, TILE_PX, WEB_MERCATOR, Served, Tile, cell_of, native_tile
from tests.ctc1 import decode_cube
from tests.scenes import NODATA

READER = Path(__file__).parents[1] / "viewer" / "numbers_at_places.mjs"
LARGE = {name: replace(scene, width=500, height=400, gap=333) for name, scene in SCENES.items() if "360" not in name}
WORLDS = {name: scene for name, scene in SCENES.items() if "360" in name}
FINER = range(6)
"""Zooms beyond the native one."""
PLACES = 200
"""Points at each of the zooms."""
ASKED = 12
"""Points at each of the zooms for which pictures and series are requested too."""


@dataclass(frozen=True)
class Pixel:
    """A pixel of a tile of some zoom, and the place in its middle."""

    tile: Tile
    column: int
    row: int
    lon: float
    lat: float


def random_pixels(served: Served, native: Tile, finer: int) -> list[Pixel]:
    """Draw pixels of a zoom on the native tile, including the edges of the scene and points outside it."""
    drawn = np.random.default_rng(finer).integers(0, TILE_PX << finer, (PLACES, 2)).tolist()
    pixels = []
    for across, down in drawn:
        tile = Tile(native.z + finer, (native.x << finer) + across // TILE_PX, (native.y << finer) + down // TILE_PX)
        column, row = across % TILE_PX, down % TILE_PX
        xs, ys = tile.centres()
        lon, lat = transformer(WEB_MERCATOR, CRS84).transform(xs[row, column], ys[row, column])
        pixels.append(Pixel(tile, column, row, float(lon), float(lat)))
    return pixels


def expected(served: Served, pixel: Pixel) -> list[int] | None:
    """Return the scene's numbers by date in the cell of a point; `None` outside the scene."""
    scene = served.scene
    row, column = cell_of(scene, pixel.lon, pixel.lat)
    if not (0 <= row < scene.height and 0 <= column < scene.width):
        return None
    return [int(scene.number(t, row, column)) for t in range(len(scene.days))]


def cube_bytes(served: Served, tile: Tile, query: str = "?cells=1") -> bytes:
    answer = served.client.get(f"/cubes/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.ctc{query}")
    assert answer.status_code == 200, answer.text
    return answer.content


def read_by_viewer(folder: Path, served: Served, native: Tile, pixels: list[Pixel]) -> list[list[list[int] | None]]:
    """Return the numbers that the viewer reads and paints at each place."""
    (folder / "tile.ctc").write_bytes(cube_bytes(served, native))
    places = [
        {
            "lon": each.lon,
            "lat": each.lat,
            "tile": {"z": each.tile.z, "x": each.tile.x, "y": each.tile.y},
            "column": each.column,
            "row": each.row,
        }
        for each in pixels
    ]
    asked = {
        "zoom": native.z,
        "tiles": {f"{native.z}/{native.x}/{native.y}": str(folder / "tile.ctc")},
        "places": places,
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    subprocess.run(["node", READER, folder / "asked.json", folder / "found.json"], check=True, timeout=300)
    found: list[list[list[int] | None]] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.client("node")
@pytest.mark.parametrize("scene", (LARGE | WORLDS).values(), ids=LARGE | WORLDS)
def test_the_viewer_paints_and_reads_the_cell_of_every_place_at_the_native_zoom_and_beyond(serve, tmp_path, scene):
    served = serve(scene)
    native = native_tile(served)
    pixels = [pixel for finer in FINER for pixel in random_pixels(served, native, finer)]

    found = read_by_viewer(tmp_path, served, native, pixels)

    wanted = [expected(served, pixel) for pixel in pixels]
    assert sum(numbers is not None for numbers in wanted) > len(wanted) // 3
    wrong = [
        (pixel, numbers, read, painted)
        for pixel, numbers, (read, painted) in zip(pixels, wanted, found, strict=True)
        if not read == painted == numbers
    ]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("scene", LARGE.values(), ids=LARGE)
def test_pictures_and_series_beyond_the_native_zoom_show_the_same_cells(serve, scene):
    served = serve(scene)
    native = native_tile(served)

    wrong = []
    for finer in FINER:
        for pixel in random_pixels(served, native, finer)[:ASKED]:
            numbers = expected(served, pixel)
            number = NODATA if numbers is None else numbers[DAY_INDEX]
            seen = (tile_number(served, pixel), wms_number(served, pixel), series_number(served, pixel))
            if seen != (number,) * 3:
                wrong.append((pixel, number, seen))
    assert wrong == []


def tile_number(served: Served, pixel: Pixel) -> int:
    tile = pixel.tile
    answer = served.client.get(
        f"/tiles/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png", params={"datetime": served.scene.days[DAY_INDEX]}
    )
    return grey(answer.content, pixel.column, pixel.row)


def wms_number(served: Served, pixel: Pixel) -> int:
    answer = served.client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:3857&FORMAT=image/png"
        f"&BBOX={','.join(map(repr, pixel.tile.bbox))}&WIDTH={TILE_PX}&HEIGHT={TILE_PX}&TRANSPARENT=TRUE"
        f"&TIME={served.scene.days[DAY_INDEX]}"
    )
    return grey(answer.content, pixel.column, pixel.row)


def grey(picture: bytes, column: int, row: int) -> int:
    """Return the number that the style `numbers` paints a pixel for."""
    red, _green, _blue, alpha = Image.open(io.BytesIO(picture)).convert("RGBA").getpixel((column, row))
    return red if alpha else NODATA


def series_number(served: Served, pixel: Pixel) -> int:
    place = {"lon": pixel.lon, "lat": pixel.lat}
    answer = served.client.get("/timeseries/NDVI/point", params={**place, "datetime": served.scene.days[DAY_INDEX]})
    if answer.status_code == 404 or not answer.is_success:
        return NODATA
    (value,) = answer.json()["values"]
    return NODATA if value is None else round((value - served.scene.offset) / served.scene.scale)


@pytest.mark.slow
@pytest.mark.parametrize("scene", LARGE.values(), ids=LARGE)
def test_cubes_of_cells_are_no_approximation_and_have_the_shares_of_pixels(serve, scene):
    served = serve(scene)
    native = native_tile(served)

    cells, pixels = (decode_cube(cube_bytes(served, native, query)) for query in ("?cells=1", ""))

    assert ("warped" in cells.header, cells.header["mean"], "cells" in pixels.header) == (False, False, False)
    assert cells.header["times"] == pixels.header["times"]
    assert cells.header["valid"] == pytest.approx(pixels.header["valid"], abs=2e-4)


@pytest.mark.slow
def test_each_kind_of_a_tile_has_its_own_validator_and_half_the_resolution_is_of_pixels(serve):
    served = serve(LARGE["UTM"])
    tile = native_tile(served)
    path = f"/cubes/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.ctc"

    tags = {served.client.get(path + query).headers["etag"] for query in ("", "?cells=1")}
    halves = {served.client.get(path + query).headers["etag"] for query in ("?res=2", "?res=2&cells=1")}

    assert (len(tags), len(halves)) == (2, 1)
    assert served.client.get(f"{path}?cells=2").status_code == 400
