"""Members and runs of forecasts in GRIB files: made messages, and real files compared with ecCodes and GDAL."""

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import DimensionStep, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.instants import format_instant
from chronotile.readers.kinds import open_source
from tests.grib import code, message, with_octets
from tests.scenes import make_spec

CELLS = code(5, 7)
RUNS = [("2021-10-01", 24), ("2021-10-01", 48), ("2021-10-02", 24), ("2021-10-02", 0)]
"""Reference times and steps in hours: 2 October twice, 3 October twice."""


@pytest.fixture
def opened(tmp_path):
    """Return `opened({name: messages}, **select)`: a reader of GRIB files, with a variable P if steps are selected."""

    def open_files(files, *, variable="PRES_0-SFC", **select):
        for name, messages in files.items():
            (tmp_path / name).write_bytes(b"".join(messages))
        steps = tuple(DimensionStep(dimension=name, value=value) for name, value in select.items())
        variables = {"P": VariableSpec(id="P", name=variable, select=steps)} if steps else {}
        return open_source(make_spec("cog", tmp_path / "*.grib2", variables=variables))

    return open_files


@pytest.fixture
def runs(tmp_path):
    """Messages of two runs; message n has `CELLS + 7 * n`."""
    return [message(tmp_path, CELLS + 7 * n, day=day, hours=hours, category=3) for n, (day, hours) in enumerate(RUNS)]


@pytest.fixture
def members(tmp_path):
    """Messages of 14 members at one time; member n has `CELLS + n`."""
    return [message(tmp_path, CELLS + n, definition=1, more=(3, n, 14)) for n in range(14)]


def values(reader, name, index=0):
    grid = reader.info.variables[name].grid
    pixels = reader.read_window(name, index=index, level=0, window=Window(0, grid.height, 0, grid.width))
    numbers = reader.info.variables[name].encoding.values(pixels.numbers)
    return np.where(reader.info.variables[name].encoding.codes(pixels.numbers) == 0, numbers, np.nan)


def numbers_by_time(reader):
    """Return the times of the only variable with the number n of `CELLS + 7 * n` at each."""
    ((name, info),) = reader.info.variables.items()
    times = [format_instant(t)[:10] for t in info.times.instants]
    return {time: round(float(values(reader, name, n)[0, 0]) / 7) for n, time in enumerate(times)}


def notes(reader):
    return [finding.message for finding in reader.info.findings]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_newest_run_of_each_valid_time_is_served(opened, runs, order):
    reader = opened({"a.grib2": [runs[n] for n in order]})

    assert numbers_by_time(reader) == {"2021-10-02": 3, "2021-10-03": 2}
    (note,) = notes(reader)
    assert note.startswith("left out: 2 messages of older runs, such as PRES_0-SFC for 2021-10-0")
    assert "run 2021-10-02T00:00:00Z has too; to serve one run, set select: {run: latest} or {run: 2021-10-01T" in note


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_newest_run_is_served_among_files(opened, runs, names):
    old, new = names
    reader = opened({f"{old}.grib2": runs[:2], f"{new}.grib2": runs[2:]})

    assert numbers_by_time(reader) == {"2021-10-02": 3, "2021-10-03": 2}
    assert [note[:42] for note in notes(reader)] == ["left out: 2 messages of older runs, such a"]


@pytest.mark.parametrize(
    ("run", "numbers"),
    [
        ("latest", {"2021-10-02": 3, "2021-10-03": 2}),
        ("2021-10-01", {"2021-10-02": 0, "2021-10-03": 1}),
        ("2021-10-01T00:00:00Z", {"2021-10-02": 0, "2021-10-03": 1}),
    ],
)
def test_selected_run_is_served_alone(opened, runs, run, numbers):
    reader = opened({"a.grib2": runs[:3], "b.grib2": runs[3:]}, run=run)

    assert numbers_by_time(reader) == numbers
    assert notes(reader) == []


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ({"run": "2021-10-04"}, "select: it has no run 2021-10-04; accepted are latest and 2 times from 2021-10-01"),
        ({"run": "newest"}, "select: the run 'newest' is not a time; accepted are latest and 2 times"),
        ({"depth": 10}, "select: it has no dimension depth; it has run"),
    ],
)
def test_missing_run_is_refused_with_the_accepted_ones(opened, runs, select, reason):
    with pytest.raises(UnsupportedSource, match=reason):
        opened({"a.grib2": runs}, **select)


def test_selected_member_is_served(opened, members):
    reader = opened({"a.grib2": members[:9], "b.grib2": members[9:]}, number=11)

    np.testing.assert_allclose(values(reader, "P"), CELLS + 11, atol=0.01)


def test_messages_of_other_variables_are_counted(opened, tmp_path, runs):
    wind = [message(tmp_path, CELLS, day=f"2020-01-0{day}", category=2) for day in (1, 2, 3)]

    reader = opened({"a.grib2": runs, "b.grib2": wind}, run="latest")

    assert notes(reader) == ["left out: 3 bands of other variables, such as WDIR_0-SFC: name them as variables"]


def test_other_members_of_a_selected_one_are_not_reported(opened, members):
    assert notes(opened({"a.grib2": members[:9], "b.grib2": members[9:]}, number=11)) == []


def test_missing_member_is_refused_with_the_accepted_ones(opened, members):
    with pytest.raises(
        UnsupportedSource, match=r"select: number has no value 14; accepted are 0, 1, .* 13 \(14 values"
    ):
        opened({"a.grib2": members}, number=14)


def test_member_of_a_run_is_served(opened, tmp_path):
    def member(number, day, hours):
        more = (3, number, 2)
        return message(tmp_path, CELLS + 7 * number + hours, day=day, hours=hours, definition=1, more=more)

    files = {"a.grib2": [member(n, day, hours) for n in range(2) for day, hours in RUNS]}

    reader = opened(files, number=1, run="2021-10-01")

    np.testing.assert_allclose(values(reader, "P", 0), CELLS + 7 + 24, atol=0.01)
    assert len(reader.info.variables["P"].times) == 2


def test_member_by_name_needs_no_number(opened, members):
    reader = opened({"a.grib2": members}, variable="PRES_0-SFC_member3", run="latest")

    np.testing.assert_allclose(values(reader, "P"), CELLS + 3, atol=0.01)


def test_negative_perturbation_is_a_negative_number(opened, tmp_path):
    pair = [message(tmp_path, CELLS + n, definition=11, more=(kind, 1, 2, *PERIOD)) for n, kind in ((1, 2), (2, 3))]

    reader = opened({"a.grib2": pair}, variable="PRES_0-SFC_average", number=-1)

    np.testing.assert_allclose(values(reader, "P"), CELLS + 1, atol=0.01)


PERIOD = (2020, 1, 1, 6, 0, 0, 1, 0, 0, 2, 1, 6, 255, 0)


def test_select_of_a_geotiff_is_refused(tmp_path):
    rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs="EPSG:4326",
        transform=rasterio.Affine(1, 0, 0, 0, -1, 4),
    ).close()  # fmt: skip
    steps = (DimensionStep(dimension="number", value=1),)

    with pytest.raises(UnsupportedSource, match="select belongs to arrays and to messages of GRIB files"):
        open_source(make_spec("cog", tmp_path / "a.tif", variables={"P": VariableSpec(id="P", select=steps)}))


def test_increments_that_contradict_the_corners_are_replaced(opened, tmp_path):
    wrong = (2_000_000).to_bytes(4, "big")
    reader = opened({"a.grib2": [with_octets(message(tmp_path, CELLS, west=3.0), 3, {64: wrong, 68: wrong})]})

    (info,) = reader.info.variables.values()
    assert tuple(info.grid.bbox) == pytest.approx((2.5, 45.5, 9.5, 50.5))


def test_real_wrong_increments_have_the_cells_of_their_corners(shared_data):
    """Two files have one field: the first with increments of 2 degrees, the second with 5 degrees and from -180."""
    folder = shared_data / "instruments" / "grib"
    wrong, right = (
        open_source(make_spec("cog", folder / f"regular_ll_{name}.grib", variables={}))
        for name in ("wrong_increment", "sfc")
    )

    assert tuple(wrong.info.variables["TMP_2-HTGL"].grid.bbox) == (-2.5, -92.5, 357.5, 92.5)
    np.testing.assert_allclose(np.roll(values(wrong, "TMP_2-HTGL"), 36, axis=1), values(right, "SKT_0-SFC"), atol=1e-4)


def test_number_of_points_that_contradicts_rows_is_counted(opened, tmp_path):
    first, second = (message(tmp_path, CELLS, day=f"2020-01-0{day}") for day in (1, 2))
    reader = opened({"a.grib2": [with_octets(first, 3, {35: (4).to_bytes(4, "big")}), second]})

    assert len(next(iter(reader.info.variables.values())).times) == 1
    assert notes(reader) == ["left out: message 1: it states 35 points for 7 x 4 cells; copy the file again"]


REAL = {
    "alternate-scanning.grib": (1, 1, 296.411),
    "cams-egg4-monthly.grib": (4, 4, 596.1513),
    "cfrzr_and_cprat.grib": (4, 4, 0.002743456),
    "cfrzr_and_cprat_0s.grib": (4, 4, 0),
    "ds.waveh.5.grib": (1, 1, 0.4973646),
    "era5-levels-corrupted.grib": (2, 1, 273.6222),
    "era5-levels-members.grib": (160, 160, 2730597),
    "era5-single-level-scalar-time.grib": (1, 1, 279.3559),
    "fields_with_missing_values.grib": (2, 2, 182.0116),
    "forecast_monthly_ukmo.grib": (168, 112, 31583.46),
    "hpa_and_pa.grib": (3, 3, 493.8759),
    "lambert_grid.grib": (1, 1, -2457932),
    "multi_param_on_multi_dims.grib": (48, 48, 636928.2),
    "ncep-seasonal-monthly.grib": (372, 372, 102785.6),
    "regular_gg_ml.grib": (1, 1, 192.2042),
    "regular_gg_ml_g2.grib": (3, 3, 681.3581),
    "regular_gg_pl.grib": (1, 1, -0.3381788),
    "regular_gg_sfc.grib": (1, 1, -0.3381788),
    "regular_ll_msl.grib": (1, 1, 101089.2),
    "regular_ll_sfc.grib": (1, 1, 279.3502),
    "regular_ll_wrong_increment.grib": (1, 1, 279.3503),
    "scanning_mode_64.grib": (1, 1, 279.3502),
    "single_gridpoint.grib": (6, 6, 827.6262),
    "soil-surface-level-mix.grib": (10, 10, 1414.921),
    "step_60m.grib": (73, 73, 24.13695),
    "t_analysis_and_fc_0.grib": (1, 1, 7.954732e-05),
    "t_on_different_level_types.grib": (2, 1, 206.5243),
    "tp_on_different_grid_resolutions.grib": (2, 1, 0.001261393),
    "uv_on_different_levels.grib": (16, 16, 32.23526),
}
"""Messages by ecCodes 2.50, served messages, and the sum of their means by ecCodes (missing cells count as 0)."""


@pytest.mark.parametrize("name", REAL)
def test_messages_of_real_files_equal_eccodes(shared_data, name):
    messages, served_count, total = REAL[name]

    reader = open_source(make_spec("cog", shared_data / "instruments" / "grib" / name, variables={}))

    fields = [values(reader, v, n) for v, info in reader.info.variables.items() for n in range(len(info.times))]
    counted = [int(note.split()[2]) if note.split()[2].isdigit() else 1 for note in notes(reader) if "left out" in note]
    assert (len(fields), sum(counted)) == (served_count, messages - served_count)
    assert sum(np.nan_to_num(field).mean() for field in fields) == pytest.approx(total, rel=1e-5)
