"""Values that apply only if a quality variable allows it."""

from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.model.quality import AbsentFlags, NamedFlag, ValueBounds
from chronotile.core.model.raster import valid_pixels
from chronotile.core.model.source import Mask
from chronotile.core.model.space.grid import Window
from tests.readers.memory import (
    CLOUD,
    NODATA,
    MemoryReader,
    assert_cells_are_those_of_blocks,
    cells_told,
    derived,
    random_numbers,
    told,
    whole,
)

KEEP = (4, 5)
NDVI = random_numbers(11)
NDVI[:, 0, 0] = NODATA
NDVI[:, 1, 1] = CLOUD
SCL = np.random.default_rng(12).integers(3, 8, (3, 12, 12)).astype("uint8")
SCL[:, :2, :2] = 9


def make_source(quality=SCL, *, cell=10.0, **rest):
    source = MemoryReader().add("NDVI", NDVI, NDVI[:, ::2, ::2], flags=((CLOUD, "cloud"),))
    return source.add("SCL", quality, cell=cell, **rest)


def masked(source, **rest):
    return derived(source, NDVI={"mask": Mask("SCL", KEEP), **rest})


def valid(reader, pixels, variable="NDVI"):
    return reader.info.variables[variable].encoding.valid(pixels.numbers) & pixels.valid


def test_values_are_kept_where_the_quality_is_accepted():
    reader = masked(make_source())

    pixels = whole(reader, "NDVI", index=1)

    expected = np.isin(SCL[1], KEEP) & ~np.isin(NDVI[1], (NODATA, CLOUD))
    np.testing.assert_array_equal(valid(reader, pixels), expected)
    np.testing.assert_array_equal(pixels.numbers, NDVI[1])


def test_a_flag_stays_one_under_the_mask():
    pixels = whole(masked(make_source()), "NDVI")

    assert pixels.valid[1, 1]
    assert pixels.numbers[1, 1] == CLOUD


@pytest.mark.parametrize(
    ("row", "column", "reason"), [(0, 0, "nodata"), (1, 1, "cloud"), (0, 1, "masked"), (5, 5, None)]
)
def test_cell_has_the_reason_of_its_missing_value(row, column, reason):
    source = make_source()
    source.levels["SCL"][0][0, 5, 5] = 4

    pixels = masked(source).read_cell("NDVI", indexes=[0], row=row, column=column)

    assert pixels.reasons == (reason,)


def test_a_cell_is_masked_as_the_window_is():
    reader = masked(make_source())

    for_each_time = reader.read_cell("NDVI", indexes=[0, 1, 2], row=7, column=3)

    np.testing.assert_array_equal(for_each_time.valid, np.isin(SCL[:, 7, 3], KEEP))


@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize("times_as_large", [1, 2, 3, 4, 6])
def test_coarser_quality_cells_are_repeated(times_as_large, step):
    side = 12 // times_as_large
    quality = SCL[:, :side, :side].copy()
    reader = masked(make_source(quality, cell=10.0 * times_as_large))

    pixels = reader.read_window("NDVI", index=2, level=0, window=Window(1, 12, 2, 11), step=step)

    repeated = np.kron(quality[2], np.ones((times_as_large, times_as_large), dtype="uint8"))
    numbers = NDVI[2, 1:12:step, 2:11:step]
    expected = np.isin(repeated[1:12:step, 2:11:step], KEEP) | np.isin(numbers, (NODATA, CLOUD))
    np.testing.assert_array_equal(pixels.valid, expected)


def test_the_last_quality_cell_may_reach_beyond():
    numbers = random_numbers(4, side=11)
    quality = np.full((3, 6, 6), 4, dtype="uint8")
    source = MemoryReader().add("NDVI", numbers).add("SCL", quality, cell=20.0)

    reader = masked(source)

    assert whole(reader, "NDVI").valid.all()
    assert reader.read_cell("NDVI", indexes=[0], row=10, column=10).valid.all()


def test_overviews_are_masked_by_the_quality_level_nearest_in_size():
    source = make_source(SCL[:, :6, :6].copy(), cell=20.0)

    pixels = whole(masked(source), "NDVI", level=1)

    is_value = ~np.isin(NDVI[0, ::2, ::2], (NODATA, CLOUD))
    np.testing.assert_array_equal(pixels.valid[is_value], np.isin(SCL[0, :6, :6], KEEP)[is_value])
    assert source.windows[-1] == ("SCL", 0, Window(0, 6, 0, 6), 1)


def test_a_quality_variable_without_overviews_is_thinned():
    source = MemoryReader().add("NDVI", NDVI, NDVI[:, ::4, ::4]).add("SCL", SCL)

    pixels = whole(masked(source), "NDVI", level=1)

    is_value = NDVI[0, ::4, ::4] != NODATA
    np.testing.assert_array_equal(pixels.valid[is_value], np.isin(SCL[0, 2::4, 2::4], KEEP)[is_value])
    assert source.windows[-1] == ("SCL", 0, Window(2, 11, 2, 11), 4)


def test_times_without_quality_are_not_served():
    reader = masked(make_source(times=("2020-01-11", "2020-01-21", "2020-03-01")))

    assert [str(day)[:10] for day in reader.info.variables["NDVI"].times] == ["2020-01-11", "2020-01-21"]
    np.testing.assert_array_equal(whole(reader, "NDVI", index=0).numbers, NDVI[1])
    assert reader.revision("NDVI", 0) == "NDVI1 SCL (4, 5) SCL0"


def test_times_without_quality_are_a_finding():
    reader = masked(make_source(times=("2020-01-11", "2020-01-21", "2020-03-01")))

    assert [finding.text for finding in reader.info.findings] == [
        "NDVI: left out: 1 of 3 dates, without data of SCL: 2020-01-01T00:00:00Z"
    ]
    assert masked(make_source()).info.findings == ()


def test_a_quality_variable_without_time_masks_all_times():
    reader = masked(make_source(SCL[:1].copy(), times=()))

    expected = np.isin(SCL[0], KEEP) & ~np.isin(NDVI[2], (NODATA, CLOUD))
    np.testing.assert_array_equal(valid(reader, whole(reader, "NDVI", index=2)), expected)


def test_the_quality_variable_is_itself_not_masked():
    reader = masked(make_source())

    assert whole(reader, "SCL").valid is None
    assert reader.revision("SCL", 2) == "SCL2"


def test_a_formula_may_be_masked():
    reader = derived(make_source(), TWICE={"formula": "2 * NDVI", "mask": Mask("SCL", KEEP)})

    np.testing.assert_array_equal(
        valid(reader, whole(reader, "TWICE"), "TWICE"), np.isin(SCL[0], KEEP) & ~np.isin(NDVI[0], (NODATA, CLOUD))
    )
    assert reader.read_cell("TWICE", indexes=[0], row=0, column=1).reasons == ("masked",)


def test_masked_quality_is_not_accepted():
    source = make_source(np.full((3, 12, 12), 4, dtype="uint8"))
    source.masks["SCL"] = np.ones((3, 12, 12), dtype=bool)
    source.masks["SCL"][:, 8, 8] = False

    assert masked(source).read_cell("NDVI", indexes=[0], row=8, column=8).reasons == ("masked",)


@pytest.mark.parametrize(
    ("quality", "rest"),
    [
        (SCL[:, :5, :5], {"cell": 20.0}),
        (SCL[:, :8, :8], {"cell": 15.0}),
        (SCL, {"corner": (500_005.0, 5_650_000.0)}),
        (np.repeat(np.repeat(SCL, 2, axis=1), 2, axis=2), {"cell": 5.0}),
    ],
    ids=["smaller", "ratio", "shifted", "finer"],
)
def test_a_mask_that_does_not_fit_leaves_the_variable_out(quality, rest):
    reader = masked(make_source(quality, **rest))

    assert "NDVI" not in reader.info.variables
    assert "do not fill those of its mask SCL" in reader.info.findings[0].message


def test_a_mask_that_is_not_there_leaves_the_variable_out():
    reader = masked(MemoryReader().add("NDVI", NDVI))

    assert "NDVI" not in reader.info.variables
    assert "no variable SCL, which masks it" in reader.info.findings[0].message


def test_block_has_the_reason_of_each_missing_value():
    reader = masked(make_source())
    window = Window(0, 6, 1, 9)

    block = reader.read_block("NDVI", indexes=[2, 0], window=window, along="space")

    assert told(block) == cells_told(reader, "NDVI", [2, 0], window)


def test_a_block_under_a_coarser_mask_is_masked_as_its_windows_are():
    reader = masked(make_source(SCL[:, :4, :4], cell=30.0))
    window = Window(1, 12, 2, 11)

    block = reader.read_block("NDVI", indexes=[0, 1], window=window, along="space")

    assert told(block) == cells_told(reader, "NDVI", [0, 1], window)


@pytest.mark.parametrize("cell", [10.0, 30.0])
def test_cells_here_and_there_are_masked_as_blocks_are(cell):
    quality = SCL if cell == 10 else SCL[:, :4, :4]

    assert_cells_are_those_of_blocks(masked(make_source(quality, cell=cell)), "NDVI")


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"NDVI": {"mask": Mask("SCL", KEEP)}, "TWICE": {"formula": "2 * NDVI"}}, id="formula over mask"),
        pytest.param({"TWICE": {"formula": "2 * NDVI", "mask": Mask("SCL", KEEP)}}, id="mask over formula"),
        pytest.param(
            {"SCL": {"mask": Mask("NDVI", tuple(range(100)))}, "TWICE": {"formula": "NDVI", "mask": Mask("SCL", KEEP)}},
            id="mask over masked quality",
        ),
    ],
)
def test_formulas_and_masks_leave_the_same_values_however_they_are_read(variables):
    reader = derived(make_source(), **variables)
    encoding = reader.info.variables["TWICE"].encoding
    window = Window(0, 12, 0, 12)
    rows, columns = (each.ravel() for each in np.indices((12, 12)))

    expected = np.array([valid_pixels(whole(reader, "TWICE", index=index), encoding) for index in (2, 0)])
    block = reader.read_block("TWICE", indexes=[2, 0], window=window, along="space")
    cells = reader.read_cells("TWICE", indexes=[2, 0], rows=rows, columns=columns)

    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(valid_pixels(block, encoding), expected)
    np.testing.assert_array_equal(valid_pixels(cells, encoding), expected.reshape(2, -1))
    assert told(block) == cells_told(reader, "TWICE", [2, 0], window)


# Values and flags of the quality variable.

QUALITY = np.random.default_rng(13).integers(0, 256, (3, 12, 12)).astype("uint8")
BITS = (NamedFlag("land", 1), NamedFlag("ice", 6, 4))
HAS_FLAG = (QUALITY & 1 != 0) | (QUALITY & 6 == 4)
CONDITIONS = {
    "at_least": (ValueBounds(at_least=0.75), {"scale": 0.004}, QUALITY * 0.004 >= 0.75),
    "both": (ValueBounds(at_least=20, at_most=200), {}, (QUALITY >= 20) & (QUALITY <= 200)),
    "bits": (AbsentFlags(("land", "ice")), {}, ~HAS_FLAG),
    "layout": (AbsentFlags(("cloud", "snow"), "hls_fmask"), {}, QUALITY & 18 == 0),
    "flags": (AbsentFlags(("cloud",)), {"flags": ((7, "cloud"),)}, QUALITY != 7),
}


@pytest.fixture(params=CONDITIONS)
def condition(request):
    """The reader of a variable with a mask of each form, and (time, y, x) True for kept values."""
    keep, encoding, is_kept = CONDITIONS[request.param]
    source = make_source(QUALITY, **encoding)
    source.infos["SCL"] = replace(source.infos["SCL"], bit_flags=BITS)
    return derived(source, NDVI={"mask": Mask("SCL", keep)}), is_kept & (QUALITY != NODATA)


def test_window_is_masked_by_each_form_of_condition(condition):
    reader, is_kept = condition

    pixels = whole(reader, "NDVI", index=1)

    is_value = ~np.isin(NDVI[1], (NODATA, CLOUD))
    np.testing.assert_array_equal(valid(reader, pixels), is_kept[1] & is_value)


def test_cells_and_blocks_are_masked_by_each_form_of_condition(condition):
    reader, is_kept = condition

    block = reader.read_block("NDVI", indexes=[0, 1, 2], window=Window(0, 12, 0, 12), along="space")
    cell = reader.read_cell("NDVI", indexes=[0, 1, 2], row=7, column=3)

    is_value = ~np.isin(NDVI, (NODATA, CLOUD))
    np.testing.assert_array_equal(valid_pixels(block, reader.info.variables["NDVI"].encoding), is_kept & is_value)
    np.testing.assert_array_equal(cell.valid, is_kept[:, 7, 3])
    assert_cells_are_those_of_blocks(reader, "NDVI")


def test_conditions_have_different_revisions():
    revisions = {
        derived(make_source(QUALITY), NDVI={"mask": Mask("SCL", keep)}).revision("NDVI", 0)
        for keep in (ValueBounds(at_least=1), ValueBounds(at_most=1), AbsentFlags(("snow",), "hls_fmask"), KEEP)
    }

    assert len(revisions) == 4


def test_layer_with_an_unknown_flag_is_not_served():
    source = make_source(QUALITY)
    source.infos["SCL"] = replace(source.infos["SCL"], bit_flags=BITS)

    reader = derived(source, NDVI={"mask": Mask("SCL", AbsentFlags(("lnd",)))})

    assert [finding.text for finding in reader.info.findings] == [
        "NDVI: left out: flag 'lnd' does not exist; the nearest is land; accepted are land, ice"
    ]
    assert list(reader.info.variables) == ["SCL"]
