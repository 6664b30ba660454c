"""Write the golden cubes of this folder: `python -m tests.golden.ctc1.make`.

Each `NAME.ctc` (bare) or `NAME.ctc.gz` has a `NAME.json`. For a valid cube it contains the expected `numbers`
(time, y, x), `nodata` in gaps; `filled`, the numbers before gaps are applied, if the filling rule defines them;
`values`, null in gaps; for some cubes `beyond`, 1 or -1 if the value is at least or at most this; and `places`,
the native cells `[across, down, row, column]`, null without a cell. For a damaged cube it contains only `error`.
"""

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chronotile.core.model.cube import CellPlaces, CubeAbout, CubeBlock, CubeNumbering, CubeTile
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.encoders.cube_tile.ctc1 import encode_cube

HERE = Path(__file__).parent
NDVI = CubeNumbering(dtype="uint8", nodata=255, scale=0.004, offset=-0.08, range=(0, 250))
WIDE = CubeNumbering(dtype="uint16", nodata=65535, scale=0.0001, offset=0.0, range=(0, 65534))
CLASSES = CubeNumbering(dtype="uint8", nodata=0, scale=1.0, offset=0.0, flags={9: (9.0, "cloud"), 3: (3.0, "shadow")})
SIGNED = CubeNumbering(
    dtype="uint16", nodata=29768, scale=0.0001, offset=-3.2768, base=-32768, range=(30768, 42768), source_offset=0.0
)
STEPS = CubeNumbering(
    dtype="uint16", nodata=65535, scale=0.0005, offset=-0.2, base=-0.2, step=0.0005, is_quantised=True
)
TURNED = CellPlaces(
    columns=((3.4, 2.9, -0.2), (0.7,)),
    rows=((2.8, 0.4), (2.6, 0.1), (0.05,)),
    width=7,
    height=6,
    pixels=np.full((6, 7), 1, dtype=np.int32),
)
"""A tile over turned cells; tile and cells overlap only partly."""
OPEN = replace(STEPS, reach=(0, 65534))
FALLING = replace(STEPS, scale=-0.0005, offset=32.0, reach=(None, 65534))
GAP = -1
"""In the numbers that a case begins with."""


def cases() -> Iterator[tuple[str, np.ndarray, CubeNumbering, dict[str, Any]]]:
    """Yield name, numbers (time, y, x) with `GAP`, numbering and more members of the header."""
    t, y, x = np.mgrid[:18, :6, :7]
    season = (100 + 60 * np.sin(t / 3) + 3 * x + 5 * y).astype(int)
    yield "season", np.where((5 * t + 3 * y + x) % 4 == 0, GAP, season), NDVI, {}
    yield "cells", np.where((t + 3 * y + x) % 9 == 0, GAP, season)[:3], NDVI, {"places": TURNED}
    yield "one-date", np.where((x + y) % 3 == 0, GAP, season)[:1], NDVI, {}
    yield "one-pixel", np.where(t % 5 == 0, GAP, season)[:, :1, :1], NDVI, {}
    yield "no-gaps", season[:3], NDVI, {}
    yield "one-clear-date", np.where(t == 7, season, GAP)[:16], NDVI, {}
    yield "never-clear-pixels", np.where((x == 0) | (x == 4), GAP, season)[:4], NDVI, {}
    yield "nothing-but-a-flag", np.where((t == 1) & (y == 2) & (x == 3), 9, GAP)[:2], CLASSES, {"is_categorical": True}
    yield "wraps-round", np.where((t + y + x) % 2 == 0, 0, 254)[:5], NDVI, {}
    yield "classes-and-flags", 1 + (t * 3 + y * x) % 9, CLASSES, {"is_categorical": True}
    yield "wide", np.where((t + x) % 6 == 0, GAP, (t * 7919 + y * 4099 + x * 257) % 65535), WIDE, {}
    yield "wide-wraps-round", np.where((t + y + x) % 2 == 0, 0, 65534)[:4], WIDE, {}
    yield (
        "signed",
        np.where((t + x) % 5 == 0, GAP, 32768 + 1000 * np.cos(t) + 50 * x - 40 * y).astype(int)[:9],
        SIGNED,
        {},
    )
    far = np.where((t + x) % 5 == 0, 65534, np.where((t + y) % 6 == 0, 0, 32000 + 20 * t + 3 * y + x))
    yield "beyond", np.where((x == 3) & (t > 1), GAP, far)[:5], OPEN, {}
    yield "beyond-above", np.where(far == 0, 1, far)[:3], OPEN, {}
    yield "beyond-falling", far[:3], FALLING, {}
    yield "steps", np.where((t + y) % 7 == 0, GAP, 400 + 20 * t + 3 * y + x)[:17], STEPS, {"is_mean": True}


def place_cells(places: CellPlaces) -> Iterator[tuple[float, float, int | None, int | None]]:
    """Places over a tile with the row and column of their cells, by the polynomials written out."""
    for across, down in np.random.default_rng(16).uniform(0, 1, (200, 2)).round(6).tolist():
        u, v = 2 * across - 1, 2 * down - 1
        column = 3.4 + 2.9 * u - 0.2 * (2 * u**2 - 1) + 0.7 * v
        row = 2.8 + 0.4 * u + (2.6 + 0.1 * u) * v + 0.05 * (2 * v**2 - 1)
        is_inside = 0 <= column < places.width and 0 <= row < places.height
        yield across, down, *((math.floor(row), math.floor(column)) if is_inside else (None, None))


def encoded(numbers: np.ndarray, numbering: CubeNumbering, is_categorical=False, is_mean=False, places=None) -> bytes:
    """Return the gzip bytes of a case."""
    count, height, width = numbers.shape
    grid = Grid(crs=crs_of("EPSG:3857"), bbox=BBox(0, 0, width, height), width=width, height=height)
    days = np.datetime64("2019-01-01", "s") + 5 * np.timedelta64(1, "D") * np.arange(count)
    about = CubeAbout(
        layer="NDVI",
        revision="0a1b2c3d4e5f",
        tile=CubeTile(tile_matrix_set="WebMercatorQuad", matrix="11", column=1048, row=686, grid=grid),
        res=1,
        numbering=numbering,
        units="1",
        times=tuple(f"{day}Z" for day in days),
        is_categorical=is_categorical,
        is_mean=is_mean,
        places=places,
    )
    gaps = numbers == GAP
    valid = ~gaps & ~np.isin(numbers, list(numbering.flags))
    plain = np.where(gaps, numbering.nodata, numbers).astype(numbering.dtype)
    blocks = [slice(start, start + 16) for start in range(0, count, 16)]
    return encode_cube(about, [CubeBlock(numbers=plain[each], valid=valid[each], gaps=gaps[each]) for each in blocks])


def filled(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers with gaps as docs/design/cube-tiles.md fills them, one pixel after the other."""
    done = numbers.copy()
    for block in (done[start : start + 16] for start in range(0, len(done), 16)):
        for row, column in np.ndindex(block.shape[1:]):
            series = block[:, row, column]
            clear = series[series != GAP]
            left = int(block[0, row, column - 1]) if column else 0
            last = int(clear[0]) if clear.size else left
            for place, number in enumerate(series):
                last = last if number == GAP else int(number)
                series[place] = last
    return done


def expected(numbers: np.ndarray, numbering: CubeNumbering) -> dict[str, object]:
    """Return the expected document of a case."""
    gaps = numbers == GAP
    has_value = ~gaps & ~np.isin(numbers, list(numbering.flags))
    values = numbers * numbering.scale + numbering.offset
    ends = (numbers == numbering.reach[1]).astype(int) - (numbers == numbering.reach[0])
    found = {
        "numbers": np.where(gaps, numbering.nodata, numbers).tolist(),
        "filled": filled(numbers).tolist(),
        "values": np.where(has_value, values, None).tolist(),
    }
    if numbering.reach != (None, None):
        found["beyond"] = np.where(has_value, ends * int(np.sign(numbering.scale)), 0).tolist()
    return found


def by_hand() -> bytes:
    """Return a cube that our encoder does not write: a block of each predictor, odd names, undefined members."""
    header = {
        "v": 1,
        "w": 3,
        "h": 3,
        "res": 1,
        "dtype": "uint8",
        "nodata": 99,
        "scale": 2.0,
        "offset": 1.0,
        "units": "m",
    }
    header |= {
        "layer": "HEIGHT",
        "rev": "",
        "crs": "EPSG:4326",
        "tms": "other",
        "z": "a:1",
        "x": 0,
        "y": 0,
        "range": None,
    }
    header |= {
        "times": ["2019-01-01T00:00:00Z", "2019-01-01T00:00:00.5Z", None],
        "valid": [1, 1, 1],
        "new": {"member": 1},
    }
    header["blocks"] = [{"n": 1, "mask": 1, "pred": 0}, {"n": 1, "mask": 0, "pred": 2}, {"n": 1, "mask": 0, "pred": 1}]
    text = json.dumps(header).encode()
    text = text.ljust(len(text) + -len(text) % 8)
    body = bytes([0b00010001, 0b1, *range(1, 10)]) + bytes([5, 0, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(250, 241, -1))
    return b"CTC1" + len(text).to_bytes(4, "little") + text + body


BY_HAND = [
    [[99, 2, 3], [4, 99, 6], [7, 8, 99]],
    [[5, 5, 5], [5, 5, 5], [5, 5, 5]],
    [[250, 249, 248], [247, 246, 245], [244, 243, 242]],
]


def damaged(whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Yield name, bytes and error of damaged cubes."""
    length = int.from_bytes(whole[4:8], "little")
    yield "damaged-magic", b"CTC2" + whole[4:], "it does not begin with CTC1"
    yield "damaged-version", whole.replace(b'"v":1,', b'"v":2,'), "another version"
    yield "damaged-dtype", whole.replace(b'"uint8"', b'"uint7"'), "an unknown dtype"
    yield "damaged-predictor", whole.replace(b'"pred":2', b'"pred":9'), "an unknown predictor"
    yield "damaged-json", whole.replace(b'"v":1,', b'"v":1;'), "the header is no JSON"
    yield "damaged-header-length", whole[:4] + (1 << 31).to_bytes(4, "little") + whole[8:], "the header is not whole"
    yield "damaged-unaligned", whole[:4] + (length - 1).to_bytes(4, "little") + whole[8:], "8 + H is no multiple of 8"
    yield (
        "damaged-dates",
        whole.replace(b'{"n":2,', b'{"n":1,'),
        "fewer dates in blocks than times, and bytes left over",
    )
    yield "damaged-truncated", whole[:-1], "it ends early"
    yield "damaged-in-header", whole[: 8 + length // 2], "it ends in the header"
    yield "damaged-empty", b"", "it is empty"
    yield "damaged-longer", whole + b"\0", "it goes on after the last block"


def files() -> Iterator[tuple[str, bytes]]:
    """Names and contents of all golden files, cubes bare."""
    for name, numbers, numbering, about in cases():
        yield f"{name}.ctc", zlib.decompress(encoded(numbers, numbering, **about), 31)
        places = {"places": list(place_cells(about["places"]))} if "places" in about else {}
        yield f"{name}.json", _json(expected(numbers, numbering) | places)
    yield "by-hand.ctc", by_hand()
    values = [[[None if number == 99 else number * 2.0 + 1.0 for number in row] for row in date] for date in BY_HAND]
    yield "by-hand.json", _json({"numbers": BY_HAND, "values": values})
    whole = zlib.decompress(encoded(np.arange(18).reshape(2, 3, 3), NDVI), 31)
    for name, content, error in damaged(whole):
        yield f"{name}.ctc", content
        yield f"{name}.json", _json({"error": error})


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    for name, content in files():
        (HERE / name).write_bytes(content)
    numbers, numbering = next((numbers, numbering) for name, numbers, numbering, _about in cases() if name == "season")
    (HERE / "season-gzip.ctc.gz").write_bytes(encoded(numbers, numbering))
    (HERE / "season-gzip.json").write_bytes((HERE / "season.json").read_bytes())
