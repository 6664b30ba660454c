"""Variables computed from others during reads."""

import numpy as np
import pytest

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.source import ItemsSpec, Mask
from chronotile.core.model.space.grid import Window
from chronotile.readers.derived.formula import BLOCK_CELLS, FormulaReader, formula_of
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

NIR, RED = random_numbers(1), random_numbers(2)
NIR[:, 0, 0] = NODATA
RED[:, 1, 1] = CLOUD
VALUES_NIR = np.where(NIR == NODATA, np.nan, NIR * 0.004)
VALUES_RED = np.where(RED == CLOUD, np.nan, RED * 0.004)


def reflectances():
    reader = MemoryReader().add("NIR", NIR, NIR[:, ::2, ::2], scale=0.004)
    return reader.add("RED", RED, RED[:, ::2, ::2], scale=0.004, flags=((CLOUD, "cloud"),))


NDVI = "(NIR - RED) / (NIR + RED)"
EXPECTED = (VALUES_NIR - VALUES_RED) / (VALUES_NIR + VALUES_RED)


def test_numbers_are_the_formula_of_physical_values():
    pixels = whole(derived(reflectances(), NDVI={"formula": NDVI}), "NDVI", index=2)

    assert pixels.numbers.dtype == np.float32
    np.testing.assert_array_equal(pixels.numbers, EXPECTED[2].astype("float32"))


@pytest.mark.parametrize("step", [1, 2, 5])
def test_a_window_is_the_part_of_the_whole(step):
    reader = derived(reflectances(), NDVI={"formula": NDVI})

    pixels = reader.read_window("NDVI", index=1, level=0, window=Window(2, 11, 3, 12), step=step)

    np.testing.assert_array_equal(pixels.numbers, EXPECTED[1, 2:11:step, 3:12:step].astype("float32"))


def test_overviews_are_of_the_operands_overviews():
    reader = derived(reflectances(), NDVI={"formula": NDVI})

    assert [grid.width for grid in reader.info.variables["NDVI"].levels] == [12, 6]
    np.testing.assert_array_equal(whole(reader, "NDVI", level=1).numbers, EXPECTED[0, ::2, ::2].astype("float32"))


def test_levels_are_those_of_all_operands():
    reader = MemoryReader().add("A", NIR, NIR[:, ::2, ::2], NIR[:, ::4, ::4]).add("B", RED, RED[:, ::4, ::4])

    reader = derived(reader, SUM={"formula": "A + B"})

    assert [grid.width for grid in reader.info.variables["SUM"].levels] == [12, 3]
    expected = NIR[0, ::4, ::4].astype(float) + RED[0, ::4, ::4]
    np.testing.assert_array_equal(np.nan_to_num(whole(reader, "SUM", level=1).numbers)[1:], expected[1:])


def test_cell_equals_that_of_the_window():
    reader = derived(reflectances(), NDVI={"formula": NDVI})

    pixels = reader.read_cell("NDVI", indexes=[2, 0], row=4, column=5)

    np.testing.assert_array_equal(pixels.numbers, EXPECTED[[2, 0], 4, 5].astype("float32"))
    assert pixels.reasons == (None, None)


@pytest.mark.parametrize(
    ("row", "column", "reason"), [(0, 0, "nodata"), (1, 1, "cloud"), (2, 2, "masked"), (3, 3, "nodata")]
)
def test_missing_value_of_a_cell_has_the_reason_of_its_operand(row, column, reason):
    source = reflectances().add("SCL", np.full((3, 12, 12), 4, dtype="uint8"))
    source.levels["SCL"][0][:, 2, 2] = 9
    source.levels["NIR"][0] = np.where(np.arange(144).reshape(12, 12) == 39, RED, NIR)  # 0 / 0 at (3, 3)
    reader = derived(source, NDVI={"formula": "1 / (NIR - RED)"}, NIR={"mask": Mask("SCL", (4,))})

    assert reader.read_cell("NDVI", indexes=[0], row=row, column=column).reasons == (reason,)


def test_times_are_those_of_all_operands():
    source = MemoryReader().add("A", NIR).add("B", RED, times=("2020-01-11", "2020-01-21", "2020-02-01"))

    reader = derived(source, SUM={"formula": "A + B"})

    assert [str(day)[:10] for day in reader.info.variables["SUM"].times] == ["2020-01-11", "2020-01-21"]
    expected = NIR[1:, 5, 5].astype(float) + RED[:2, 5, 5]
    assert reader.read_cell("SUM", indexes=[0, 1], row=5, column=5).numbers.tolist() == expected.tolist()
    assert reader.revision("SUM", 1) == "A + B A2 B1"


def test_times_that_one_operand_lacks_are_a_finding():
    times = ("2020-01-21", "2020-02-01", "2020-02-11")
    source = MemoryReader().add("A", NIR).add("B", RED, times=times)

    reader = derived(source, SUM={"formula": "A + B"})

    first = "2020-01-01T00:00:00Z, 2020-01-11T00:00:00Z, 2020-02-01T00:00:00Z and 1 more"
    assert [finding.text for finding in reader.info.findings] == [
        f"SUM: left out: 4 of 5 dates, without data of A or B: {first}"
    ]


def test_operand_without_time_is_used_at_all_times():
    source = reflectances().add("HEIGHT", random_numbers(5, times=1), times=())

    reader = derived(source, HIGH={"formula": "NIR + HEIGHT"})

    assert len(reader.info.variables["HIGH"].times) == 3
    cell = reader.read_cell("HIGH", indexes=[2], row=6, column=6).numbers[0]
    assert cell == np.float32(VALUES_NIR[2, 6, 6] + source.levels["HEIGHT"][0][0, 6, 6])


def test_a_formula_may_take_another():
    reader = derived(reflectances(), TWICE={"formula": "2 * NDVI + NIR"}, NDVI={"formula": NDVI})

    expected = 2 * EXPECTED[0].astype("float32").astype(float) + VALUES_NIR[0]
    np.testing.assert_array_equal(whole(reader, "TWICE").numbers, expected.astype("float32"))
    assert NDVI in reader.revision("TWICE", 0)


def test_the_sources_own_mask_counts():
    source = reflectances()
    source.masks["NIR"] = np.ones(NIR.shape, dtype=bool)
    source.masks["NIR"][:, 7, 7] = False

    reader = derived(source, NDVI={"formula": NDVI})

    assert np.isnan(whole(reader, "NDVI").numbers[7, 7])
    assert reader.read_cell("NDVI", indexes=[0], row=7, column=7).reasons == ("nodata",)


def test_a_window_larger_than_a_block_is_whole():
    side = int(BLOCK_CELLS**0.5) + 30
    reader = derived(MemoryReader().add("A", random_numbers(7, side=side, times=1)), B={"formula": "A + 1"})

    numbers = whole(reader, "B").numbers

    np.testing.assert_array_equal(numbers, whole(reader, "A").numbers + np.float32(1))


def test_value_beyond_float32_is_missing():
    reader = derived(reflectances(), BIG={"formula": "NIR * 1e300"})

    assert not reader.info.variables["BIG"].encoding.valid(whole(reader, "BIG").numbers).any()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"numbers": random_numbers(3, side=6), "cell": 20.0},
            "A and B lie on different grids (12 x 12 and 6 x 6 cells)",
        ),
        ({"numbers": random_numbers(3), "corner": (500_010.0, 5_650_000.0)}, "A and B lie on different grids"),
        (
            {"numbers": random_numbers(3), "times": ("2019-01-01", "2019-01-02", "2019-01-03")},
            "A and B have no time in",
        ),
    ],
)
def test_operands_that_do_not_fit_leave_the_formula_out(other, message):
    source = MemoryReader().add("A", NIR).add("B", other.pop("numbers"), **other)

    reader = derived(source, SUM={"formula": "A + B"})

    assert "SUM" not in reader.info.variables
    assert [(each.severity, each.place) for each in reader.info.findings] == [("error", "SUM")]
    assert message in reader.info.findings[0].message


def test_a_formula_over_bands_of_two_resolutions_of_items_names_the_remedy():
    source = MemoryReader().add("A", NIR).add("B", random_numbers(3, side=6), cell=20.0)

    (finding,) = derived(source, ItemsSpec(), SUM={"formula": "A + B"}).info.findings

    assert finding.message == (
        "left out: A and B lie on different grids (12 x 12 and 6 x 6 cells); accepted are variables of one grid: take "
        "bands of one resolution, or write the collection onto one grid (chronotile optimise new --collection)"
    )


def test_missing_operand_skips_all_formulas_that_use_it():
    reader = derived(reflectances(), A={"formula": "GREEN + 1"}, B={"formula": "A + NIR"})

    assert {each.place: each.message for each in reader.info.findings} == {
        "A": "left out: the source has no variable GREEN",
        "B": "left out: the source has no variable A",
    }


def test_grids_that_differ_by_rounding_are_one():
    source = MemoryReader().add("A", NIR).add("B", RED, corner=(500_000.001, 5_650_000.0))

    assert derived(source, SUM={"formula": "A + B"}).info.findings == ()


def test_title_and_units_are_those_configured():
    reader = derived(reflectances(), NDVI={"formula": NDVI, "title": "Greenness", "units": "%"})

    info = reader.info.variables["NDVI"]
    assert (info.title, info.encoding.units) == ("Greenness", "%")


def test_other_variables_of_the_source_are_unchanged():
    source = reflectances()
    reader = derived(source, NDVI={"formula": NDVI})

    assert reader.read_cell("RED", indexes=[1], row=3, column=3).numbers == RED[1, 3, 3]
    assert reader.revision("RED", 1) == "RED1"
    reader.close()
    assert source.is_closed


def test_formula_of_a_request_reports_mismatches():
    source = MemoryReader().add("A", NIR).add("B", random_numbers(3, side=6), cell=20.0)

    with pytest.raises(InvalidParameter) as caught:
        formula_of("=", parse_expression("A + B"), source.infos)

    assert caught.value.locator == "expression"


def test_a_formula_reader_takes_any_name():
    source = reflectances()

    reader = FormulaReader(source, {"=": formula_of("=", parse_expression("NIR"), source.infos)})

    np.testing.assert_array_equal(whole(reader, "=").numbers, VALUES_NIR[0].astype("float32"))


def test_block_has_the_reason_of_each_missing_value():
    numbers = random_numbers(3)
    numbers[:, 0, 0], numbers[:, 1, 1], numbers[0, 2, 2] = NODATA, CLOUD, 0
    source = MemoryReader().add("A", numbers, flags=((CLOUD, "cloud"),)).add("B", random_numbers(4))
    reader = derived(source, RATIO={"formula": "B / (A - A)"}, SUM={"formula": "A + B"})
    window = Window(0, 5, 0, 7)

    blocks = {name: reader.read_block(name, indexes=[1, 0], window=window, along="space") for name in ("RATIO", "SUM")}

    assert {name: told(block) for name, block in blocks.items()} == {
        name: cells_told(reader, name, [1, 0], window) for name in ("RATIO", "SUM")
    }


def test_cells_here_and_there_are_computed_as_blocks_are():
    numbers = random_numbers(3)
    numbers[:, 0, 0] = NODATA
    source = MemoryReader().add("A", numbers).add("B", random_numbers(4))

    assert_cells_are_those_of_blocks(derived(source, SUM={"formula": "A + B"}), "SUM")
