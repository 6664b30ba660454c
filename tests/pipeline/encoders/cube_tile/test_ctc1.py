"""Cubes as CTC1, read back by the plain decoder that was written from docs/design/ctc1.md and ctc1-decoding.md."""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chronotile.core.model.cube import CubeAbout, CubeBlock, CubeNumbering, CubeTile
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.encoders.cube_tile.ctc1 import encode_cube
from tests.ctc1 import NotCtc1, decode_cube
from tests.golden.ctc1 import make

GOLDEN = Path(make.__file__).parent
PAGE = Path(__file__).parents[4] / "docs" / "design" / "ctc1-decoding.md"
WHOLE = sorted(path.stem for path in GOLDEN.glob("*.ctc") if not path.stem.startswith("damaged"))
DAMAGED = sorted(path.stem for path in GOLDEN.glob("damaged*.ctc"))
MOST = {"uint8": 255, "uint16": 65535}


def encode(numbers: np.ndarray, gaps: np.ndarray, *, block: int = 16, flags=(), is_categorical=False, **lacks) -> bytes:
    """Return the gzip bytes of a cube (time, y, x); all numbers except gaps and flags have a value."""
    count, height, width = numbers.shape
    grid = Grid(crs=crs_of("EPSG:3857"), bbox=BBox(0, 0, 1, 1), width=width, height=height)
    named = {flag: (float(flag), f"flag {flag}") for flag in flags}
    dtype = numbers.dtype.name
    about = CubeAbout(
        layer="NDVI",
        revision="r",
        tile=CubeTile(tile_matrix_set="WebMercatorQuad", matrix="11", column=1, row=2, grid=grid),
        res=1,
        numbering=CubeNumbering(dtype=dtype, nodata=MOST[dtype], scale=0.5, offset=-1.0, flags=named),
        units="1",
        times=tuple(f"{2000 + place}-01-01T00:00:00Z" for place in range(count)),
        is_categorical=is_categorical,
        is_mean=False,
    )
    valid = ~gaps & ~np.isin(numbers, list(flags))
    parts = [slice(start, start + block) for start in range(0, count, block)]
    blocks = (CubeBlock(numbers=numbers[each], valid=valid[each], gaps=gaps[each]) for each in parts)
    return encode_cube(about, blocks, **lacks)


def inflated(packed: bytes) -> bytes:
    return zlib.decompress(packed, 31)


@st.composite
def cubes(draw) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (time, y, x) and gaps; not everywhere gaps."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)))
    dtype = draw(st.sampled_from(["uint8", "uint16"]))
    ends = st.sampled_from([0, 1, MOST[dtype] - 1, MOST[dtype]])
    numbers = draw(arrays.arrays(dtype, shape, elements=ends | st.integers(0, MOST[dtype])))
    gaps = draw(arrays.arrays(bool, shape))
    gaps[draw(st.integers(0, shape[0] - 1)), 0, 0] = False
    return numbers, gaps


@given(cubes(), st.integers(1, 6), st.booleans())
def test_every_number_comes_back_and_every_gap(cube, block, is_categorical):
    numbers, gaps = cube

    decoded = decode_cube(inflated(encode(numbers, gaps, block=block, is_categorical=is_categorical)))

    assert np.array_equal(decoded.gaps, gaps)
    assert np.array_equal(decoded.filled[~gaps], numbers[~gaps])
    assert (decoded.numbers[gaps] == MOST[numbers.dtype.name]).all()


@given(cubes())
@example((np.full((3, 1, 1), 9, dtype="uint8"), np.array([[[True]], [[False]], [[True]]])))
def test_a_gap_has_the_last_number_before_it_and_before_the_first_that_one(cube):
    numbers, gaps = cube

    filled = decode_cube(inflated(encode(numbers, gaps))).filled

    has_any = ~gaps.all(axis=0)
    expected = make.filled(np.where(gaps, make.GAP, numbers.astype(int)))
    assert np.array_equal(filled[:, has_any], expected[:, has_any])


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_part_of_a_cube_is_not_accepted_as_a_whole_one(tail, length):
    whole = (GOLDEN / "season.ctc").read_bytes()
    part = whole[: min(length, len(whole) - 1)]

    with pytest.raises(NotCtc1):
        decode_cube(part)
    with pytest.raises(NotCtc1):
        decode_cube(whole + b"\0" + tail)


@pytest.mark.parametrize("name", WHOLE)
def test_golden_cubes_contain_their_documented_values(name):
    expected = json.loads((GOLDEN / f"{name}.json").read_text())

    decoded = decode_cube((GOLDEN / f"{name}.ctc").read_bytes())

    values = np.array(expected["values"], dtype=float)
    assert decoded.numbers.tolist() == expected["numbers"]
    assert decoded.filled.tolist() == expected.get("filled", decoded.filled.tolist())
    assert np.array_equal(decoded.values(), values, equal_nan=True)
    assert decoded.beyond().tolist() == expected.get("beyond", np.zeros_like(decoded.numbers).tolist())
    for across, down, row, column in expected.get("places", []):
        assert decoded.cell_at(across, down) == (None if row is None else (row, column))


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_cubes_are_refused(name):
    with pytest.raises(NotCtc1):
        decode_cube((GOLDEN / f"{name}.ctc").read_bytes())


def test_golden_files_equal_the_output_of_their_script():
    written = dict(make.files())

    kept = {path.name: path.read_bytes() for path in GOLDEN.glob("*") if path.suffix in {".ctc", ".json"}}
    assert {name: kept[name] for name in written} == written
    assert kept.keys() - written.keys() == {"season-gzip.json"}


def test_golden_gzip_is_the_same_cube():
    packed = (GOLDEN / "season-gzip.ctc.gz").read_bytes()

    assert inflated(packed) == (GOLDEN / "season.ctc").read_bytes()


def test_example_of_the_page_is_a_cube_of_its_tables():
    page = PAGE.read_text()
    magic, data = (bytes.fromhex(text) for text in re.findall(r"```hex\n(.*?)```", page, re.DOTALL))
    header = re.search(r"```json\n(.*?)\n```", page, re.DOTALL)[1].encode() + b" "

    decoded = decode_cube(magic + header + data)

    assert decoded.numbers.tolist() == [[[10, 12, 11], [13, 255, 12]], [[11, 14, 200], [255, 255, 13]]]
    assert decoded.filled.tolist() == [[[10, 12, 11], [13, 13, 12]], [[11, 14, 200], [13, 13, 13]]]


def test_example_of_the_page_equals_our_output():
    page = PAGE.read_text()
    _magic, data = (bytes.fromhex(text) for text in re.findall(r"```hex\n(.*?)```", page, re.DOTALL))
    numbers = np.array([[[10, 12, 11], [13, 0, 12]], [[11, 14, 200], [0, 0, 13]]], dtype="uint8")

    body = inflated(encode(numbers, numbers == 0))

    assert body[-len(data) :] == data


def test_blocks_may_be_decoded_one_by_one():
    numbers = np.arange(5 * 4).reshape(5, 2, 2).astype("uint8")

    header = decode_cube(inflated(encode(numbers, numbers > 100, block=2))).header

    assert [block["n"] for block in header["blocks"]] == [2, 2, 1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gzip_of_noise_takes_no_more_than_run_lengths_of_zlib(dtype):
    rng = np.random.default_rng(1)
    numbers = np.rint(rng.normal(100, 3, (16, 128, 128))).astype(dtype)
    gaps = rng.random((16, 16, 16)).repeat(8, axis=1).repeat(8, axis=2) > 0.5
    by_runs = zlib.compressobj(6, zlib.DEFLATED, 31, 9, zlib.Z_RLE)

    packed = encode(numbers, gaps)

    assert len(packed) < 1.02 * len(by_runs.compress(inflated(packed)) + by_runs.flush())


def test_header_ends_at_a_multiple_of_eight_bytes():
    body = inflated(encode(np.zeros((1, 1, 1), dtype="uint8"), np.zeros((1, 1, 1), dtype=bool)))

    length = int.from_bytes(body[4:8], "little")
    assert (8 + length) % 8 == 0
    assert body[8:9] == b"{"


def test_flags_stand_in_the_residuals_and_are_no_values():
    numbers = np.array([[[10, 252], [11, 0]]], dtype="uint8")

    decoded = decode_cube(inflated(encode(numbers, numbers == 0, flags=[252])))

    assert decoded.filled[0, 0].tolist() == [10, 252]
    assert decoded.header["flags"] == {"252": "flag 252"}
    assert decoded.header["valid"] == [0.5]
    assert decoded.header["range"] == [10, 11]


def test_shares_and_range_are_those_of_valid_values():
    numbers = np.array([[[9, 9, 9, 9]], [[7, 8, 255, 0]]], dtype="uint8")
    gaps = np.array([[[True, True, True, True]], [[False, False, True, True]]])

    header = decode_cube(inflated(encode(numbers, gaps))).header

    assert (header["valid"], header["range"]) == ([0.0, 0.5], [7, 8])


def test_a_cube_of_gaps_alone_is_nothing():
    assert encode(np.ones((3, 2, 2), dtype="uint8"), np.ones((3, 2, 2), dtype=bool)) == b""


def test_a_cube_of_gaps_alone_that_lacks_items_names_them():
    numbers, gaps = np.ones((3, 2, 2), dtype="uint8"), np.ones((3, 2, 2), dtype=bool)

    decoded = decode_cube(inflated(encode(numbers, gaps, left_out=lambda: {"2001-01-01T00:00:00Z": ["a", "b"]})))

    assert decoded.gaps.all()
    assert (decoded.header["left_out"], decoded.header["range"]) == ({"2001-01-01T00:00:00Z": ["a", "b"]}, None)


def test_a_cube_of_flags_alone_has_no_range():
    numbers = np.full((1, 2, 2), 252, dtype="uint8")

    header = decode_cube(inflated(encode(numbers, numbers == 0, flags=[252]))).header

    assert (header["range"], header["valid"]) == (None, [0.0])


def test_a_block_without_gaps_has_no_mask():
    numbers = np.ones((2, 3, 3), dtype="uint8")

    header = decode_cube(inflated(encode(numbers, numbers == 0))).header

    assert header["blocks"] == [{"n": 2, "mask": 0, "pred": 2}]
