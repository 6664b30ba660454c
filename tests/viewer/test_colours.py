"""`viewer/base/colours.js` gives numbers the same colours as the server."""

import itertools
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Raster
from chronotile.core.model.request import AS_STYLED, Colouring
from chronotile.core.model.style import Colour, Stop, Style
from chronotile.pipeline.styling.legend import legend_document
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.pipeline.styling.paint import paint
from chronotile.pipeline.styling.restyle import apply_colouring, stretch_ramp
from tests.pipeline.styling.truth import RAMP, classes_of

pytestmark = pytest.mark.client("node")

WRITER = Path(__file__).with_name("colour_tables.mjs")

FLAGS = ((251, "snow"), (252, "cloud"), (253, "unnamed"))
ENCODINGS = {
    "uint8": Encoding(dtype="uint8", scale=0.004, offset=-0.08, nodata=255, flags=FLAGS),
    "uint8-plain": Encoding(dtype="uint8"),
    "uint16": Encoding(dtype="uint16", scale=0.0001, offset=-1, nodata=65535),
    "uint16-flags": Encoding(dtype="uint16", scale=0.0001, offset=-1, nodata=0, flags=((65534, "cloud"), (1, "snow"))),
    "uint16-coarse": Encoding(dtype="uint16", scale=0.01, offset=0, nodata=65535),
    "int16": Encoding(dtype="int16", scale=0.0001, nodata=-32768, flags=((-32767, "cloud"),)),
    "int8": Encoding(dtype="int8", scale=0.01, nodata=-128),
}
GREY = Colour(9, 9, 9)
STEPPED = replace(
    RAMP,
    range=(0.0, 0.5),
    ramp=(Stop(0.0, GREY), Stop(0.25, GREY), Stop(0.25, Colour(250, 1, 4)), Stop(0.5, Colour(0, 2, 9, 77))),
    below=GREY,
)
SHIPPED = load_styles(style_folders(None))
STYLES = {
    **{name: SHIPPED[name] for name in ("ndvi", "viridis", "difference")},
    "ramp": RAMP,
    "stepped": STEPPED,
    "flat": replace(RAMP, range=(0.2, 0.2), ramp=(Stop(0.2, Colour(1, 1, 1)),)),
    "classes": classes_of(7),
    "one-class": classes_of(1),
}
COLOURINGS: dict[str, tuple[tuple[float, float] | None, Colouring]] = {
    "as-styled": (None, AS_STYLED),
    "reversed": (None, Colouring(is_reversed=True)),
    "range": ((0.1 + 0.2, 0.71), AS_STYLED),
    "range-reversed": ((-0.3, 0.9), Colouring(is_reversed=True)),
    "log": ((0.01, 0.9), Colouring(is_logarithmic=True)),
    "log-reversed": ((0.004, 2.5), Colouring(is_logarithmic=True, is_reversed=True)),
}


@dataclass(frozen=True)
class Case:
    """A style over numbers, with or without changes."""

    style: str
    encoding: str
    colouring: str

    @property
    def painted(self) -> Style:
        """Return the style with the server's changes."""
        span, colouring = COLOURINGS[self.colouring]
        style = STYLES[self.style]
        return apply_colouring(style if span is None else stretch_ramp(style, span), colouring)


def _is_possible(case: Case) -> bool:
    return case.colouring == "as-styled" or not (STYLES[case.style].is_categorical or case.style == "flat")


CASES = [case for names in itertools.product(STYLES, ENCODINGS, COLOURINGS) if _is_possible(case := Case(*names))]


def _question(case: Case) -> dict[str, Any]:
    """Return the input of JavaScript: the served legend, the changes, and the numbers of a cube."""
    span, colouring = COLOURINGS[case.colouring]
    encoding = ENCODINGS[case.encoding]
    kind = np.dtype(encoding.dtype)
    shift = int(np.iinfo(kind).min)
    return {
        "legend": legend_document(STYLES[case.style], layer="L", title="L", units="1"),
        "colouring": {
            "range": span,
            "ramp": None,
            "isReversed": colouring.is_reversed,
            "isLog": colouring.is_logarithmic,
        },
        "numbers": {
            "dtype": f"uint{8 * kind.itemsize}",
            "nodata": None if encoding.nodata is None else int(encoding.nodata) - shift,
            "scale": encoding.scale,
            "offset": encoding.offset + shift * encoding.scale,
            "flags": {str(number - shift): name for number, name in encoding.flags},
            **({"source": {"shift": shift, "offset": encoding.offset}} if shift else {}),
        },
    }


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Colour tables by case."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "cases.json").write_bytes(orjson.dumps([_question(case) for case in CASES]))

    subprocess.run(["node", WRITER, folder / "cases.json", folder / "tables.bin"], check=True, timeout=120)

    sizes = [4 * 256 ** np.dtype(ENCODINGS[case.encoding].dtype).itemsize for case in CASES]
    ends = list(itertools.accumulate(sizes))
    data = (folder / "tables.bin").read_bytes()
    return {case: data[end - size : end] for case, size, end in zip(CASES, sizes, ends, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.style}-{case.encoding}-{case.colouring}")
def test_a_table_has_the_colours_of_the_servers_picture(tables, case):
    encoding = ENCODINGS[case.encoding]
    kind = np.dtype(encoding.dtype)
    numbers = np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1).astype(kind)

    picture = paint(Raster(numbers[np.newaxis], encoding), case.painted).rgba()[0]

    table = np.frombuffer(tables[case], dtype=np.uint8).reshape(-1, 4)
    assert np.array_equal(table, picture)
