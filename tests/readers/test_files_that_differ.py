"""Stacks whose files differ in encoding or order of bands: each date has the values of its file."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pytest
import rasterio
from affine import Affine

from chronotile.archive.open import open_archive
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.raster import cell_reasons, pixel_codes, valid_pixels
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.library_errors import cause_text
from chronotile.readers.raster import survey as raster_survey
from chronotile.readers.raster.open_stack import open_raster_stack
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes import make_spec

SIDE = 40
ALL = Window(0, SIDE, 0, SIDE)
PATTERN = r"_(?P<time>\d{8})"
CELLS = [(0, 0), (3, 7), (21, 30), (39, 39)]


@dataclass(frozen=True, kw_only=True)
class File:
    """File of one date, before it is written."""

    dtype: str = "uint16"
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    units: str | None = None
    names: tuple[str | None, ...] = (None,)
    overviews: tuple[int, ...] = ()
    has_mask: bool = False
    tags: dict = field(default_factory=dict)


def numbers_of(file, seed):
    """(band, y, x) numbers all over the type's range, a tenth of them nodata."""
    random = np.random.default_rng(seed)
    shape = (len(file.names), SIDE, SIDE)
    if np.dtype(file.dtype).kind == "f":
        numbers = random.normal(0, 1, shape).astype(file.dtype)
    else:
        limits = np.iinfo(file.dtype)
        numbers = random.integers(max(limits.min, -20_000), min(limits.max, 20_000), shape, dtype=file.dtype)
    if file.nodata is not None:
        numbers[random.random(shape) < 0.1] = file.nodata
    return numbers


def write(path, file, seed=0):
    numbers = numbers_of(file, seed)
    profile = {"driver": "GTiff", "count": len(file.names), "height": SIDE, "width": SIDE, "dtype": file.dtype}
    place = {"crs": "EPSG:32631", "transform": Affine(10, 0, 500_000, 0, -10, 5_650_000)}
    with rasterio.open(
        path, "w", nodata=file.nodata, tiled=True, blockxsize=16, blockysize=16, **profile, **place
    ) as to:
        to.write(numbers)
        to.scales = [file.scale] * to.count
        to.offsets = [file.offset] * to.count
        to.units = [file.units] * to.count if file.units else to.units
        to.descriptions = file.names
        if file.has_mask:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                to.write_mask(np.random.default_rng(seed).random((SIDE, SIDE)) > 0.3)
    if file.overviews:
        with rasterio.open(path, "r+") as to:
            to.build_overviews(list(file.overviews), rasterio.enums.Resampling.nearest)
    return path


def write_all(folder, files):
    return [write(folder / f"a_202001{day:02}.tif", file, seed=day) for day, file in enumerate(files, start=1)]


def values_in(path, *, band=1, level=None):
    """Return the values (y, x) of one file by rasterio, NaN for missing ones."""
    with rasterio.open(path, **({} if level is None else {"OVERVIEW_LEVEL": level})) as file:
        numbers, present = file.read(band), file.read_masks(band) > 0
    with rasterio.open(path) as file:
        values = numbers * np.float64(file.scales[band - 1]) + file.offsets[band - 1]
    return np.where(present & np.isfinite(numbers.astype(float)), values, np.nan)


def values_of(pixels, info):
    return np.where(valid_pixels(pixels, info.encoding), info.encoding.values(pixels.numbers), np.nan)


def assert_like_files(reader, variable, paths, *, bands=None):
    """Compare the reader with the values of each file by window, by block and by cell."""
    info = reader.info.variables[variable]
    expected = [values_in(path, band=1 if bands is None else bands[n]) for n, path in enumerate(paths)]
    tolerance = {"rtol": 1e-13, "atol": 1e-12}
    for index, values in enumerate(expected):
        window = reader.read_window(variable, index=index, level=0, window=ALL)
        np.testing.assert_allclose(values_of(window, info), values, **tolerance)
    block = reader.read_block(variable, indexes=range(len(paths)), window=ALL, along="space")
    np.testing.assert_allclose(values_of(block, info), np.stack(expected), **tolerance)
    assert (pixel_codes(block, info.encoding).numbers == 0).tolist() == (~np.isnan(expected)).tolist()
    for row, column in CELLS:
        cell = reader.read_cell(variable, indexes=range(len(paths)), row=row, column=column)
        own = np.array([values[row, column] for values in expected])
        np.testing.assert_allclose(values_of(cell, info), own, **tolerance)
        assert cell_reasons(cell, info.encoding) == tuple("nodata" if np.isnan(each) else None for each in own)


STACKS = {
    "Sentinel-2 before and since 2022": [
        File(scale=0.0001, nodata=0),
        File(scale=0.0001, offset=-0.1, nodata=0),
        File(scale=0.0001, offset=-0.1, nodata=0),
    ],
    "another nodata": [File(dtype="int16", nodata=-9999), File(dtype="int16", nodata=-32768)],
    "no nodata in one": [File(dtype="uint8", nodata=255), File(dtype="uint8"), File(dtype="uint8", nodata=0)],
    "several types": [
        File(dtype="uint8", nodata=255),
        File(dtype="int16", nodata=-1),
        File(dtype="float32", nodata=-9999.0),
        File(dtype="float32", nodata=np.nan),
    ],
    "packed anew each month": [
        File(dtype="int16", scale=0.0123456789, offset=287.5, nodata=-32768, units="K"),
        File(dtype="int16", scale=0.0113456711, offset=286.25, nodata=-32768, units="K"),
    ],
    "scaled bytes and floats": [File(dtype="uint8", scale=0.004, offset=-0.08, nodata=255), File(dtype="float32")],
    "a mask in one": [File(dtype="uint8", nodata=None), File(dtype="uint8", has_mask=True)],
}


@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "turned round"])
@pytest.mark.parametrize("files", STACKS.values(), ids=STACKS.keys())
def test_each_date_has_the_values_of_its_file(tmp_path, files, turn):
    paths = write_all(tmp_path, files[::turn])

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))

    assert_like_files(reader, "NDVI", paths)


@pytest.mark.parametrize("files", STACKS.values(), ids=STACKS.keys())
def test_overviews_have_the_encoding_of_their_file(tmp_path, files):
    paths = write_all(tmp_path, [File(**{**vars(file), "overviews": (2,)}) for file in files])
    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))
    info = reader.info.variables["NDVI"]
    raster = Window(0, SIDE // 2, 0, SIDE // 2)

    for index, path in enumerate(paths):
        pixels = reader.read_window("NDVI", index=index, level=1, window=raster)
        np.testing.assert_allclose(values_of(pixels, info), values_in(path, level=0), rtol=1e-13, atol=1e-12)


@pytest.fixture
def previews(tmp_path):
    return Previews(tmp_path / "previews", 1 << 20)


@pytest.mark.parametrize("has_previews", [False, True], ids=["made now", "previews"])
def test_levels_that_no_file_holds_are_made_of_values_of_each_file(tmp_path, previews, has_previews, monkeypatch):
    monkeypatch.setattr("chronotile.readers.raster.overviews.implied.SMALLEST_SIDE_PX", 4)
    files = [File(scale=0.0001, nodata=0), File(scale=0.0001, offset=-0.1, nodata=0), File(dtype="float32", nodata=-1)]
    paths = write_all(tmp_path, files)
    caches = ReaderCaches(previews=previews)
    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN), caches)
    info = reader.info.variables["NDVI"]
    level = next(number for number, grid in enumerate(info.levels) if grid.width == 5)
    window = Window(0, 5, 0, 5)

    if has_previews:
        for index in range(3):
            reader.read_window("NDVI", index=index, level=level, window=window)
        while previews.make_next():
            pass
        assert previews.state.built == 3

    for index, path in enumerate(paths):
        pixels = reader.read_window("NDVI", index=index, level=level, window=window)
        means = np.nanmean(values_in(path).reshape(5, 8, 5, 8), axis=(1, 3))
        np.testing.assert_allclose(values_of(pixels, info), means, atol=0.00006)  # half a step


OF_CLASSES = {"NDVI": VariableSpec(id="NDVI", has_classes=True)}


@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "turned round"])
@pytest.mark.parametrize("name", ["Sentinel-2 before and since 2022", "packed anew each month"])
def test_scaled_values_with_a_style_of_classes_are_those_of_each_file(tmp_path, name, turn):
    paths = write_all(tmp_path, STACKS[name][::turn])

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=OF_CLASSES))

    assert_like_files(reader, "NDVI", paths)


def test_file_with_a_scale_among_files_of_classes_is_skipped(tmp_path):
    plain = File(dtype="uint8", nodata=255)
    paths = write_all(tmp_path, [plain, File(dtype="uint8", scale=0.1, nodata=255), plain])

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=OF_CLASSES))

    assert_like_files(reader, "NDVI", [paths[0], paths[2]])
    assert [finding.place for finding in reader.info.findings if "classes without a scale" in finding.message] == [
        paths[1].name
    ]


def test_numbers_of_files_that_do_not_differ_are_handed_out_as_they_lie_there(tmp_path):
    write_all(tmp_path, [File(scale=0.0001, nodata=0)] * 2)

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))

    assert reader.info.findings == ()
    assert reader.info.variables["NDVI"].encoding.dtype == "uint16"


def test_difference_of_files_is_reported_with_how_they_are_served(tmp_path):
    write_all(tmp_path, STACKS["Sentinel-2 before and since 2022"])

    (finding,) = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN)).info.findings

    assert (finding.severity, finding.place) == ("warning", "a_20200101.tif")
    assert finding.message == (
        "the numbers of NDVI are uint16 * 0.0001, nodata 0, those of most files uint16 * 0.0001 - 0.1, nodata 0 "
        "(1 of 3 differ); each file is read by its own, and all are served as int32 * 0.0001, nodata -2147483648; "
        "if a file is wrong, set scale:, offset: or nodata: for the variable, which replace those of all files"
    )


def test_configuration_applies_to_all_files(tmp_path):
    paths = write_all(tmp_path, STACKS["Sentinel-2 before and since 2022"])
    said = VariableSpec(id="NDVI", scale=0.5, offset=1.0, nodata=7)

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables={"NDVI": said}))

    info = reader.info.variables["NDVI"]
    assert (info.encoding.dtype, info.encoding.scale, info.encoding.offset, info.encoding.nodata) == (
        *("uint16", 0.5, 1, 7),
    )
    for index, path in enumerate(paths):
        with rasterio.open(path) as file:
            numbers = file.read(1)
        pixels = reader.read_window("NDVI", index=index, level=0, window=ALL)
        np.testing.assert_array_equal(values_of(pixels, info), np.where(numbers == 7, np.nan, numbers * 0.5 + 1))


SCALED = VariableSpec(id="NDVI", scale=0.004, offset=-0.08)
PLAIN = File(dtype="uint8", nodata=255)


@pytest.mark.parametrize(
    ("files", "variable", "severity", "message"),
    [
        (
            [PLAIN, PLAIN, File(dtype="int16", scale=0.0001, nodata=-32768)],
            SCALED,
            "warning",
            "it states int16 * 0.0001, nodata -32768, but is read as int16 * 0.004 - 0.08, nodata -32768: scale: and "
            "offset: of the configuration replace what files state (1 of 3); if a file is right, remove these keys and "
            "write them into the files that lack them",
        ),
        (
            [PLAIN, PLAIN, File(dtype="uint8", nodata=0)],
            VariableSpec(id="NDVI", nodata=255),
            "warning",
            "it states uint8, nodata 0, but is read as uint8, nodata 255: nodata: of the configuration replaces what "
            "files state (1 of 3); if a file is right, remove these keys and write them into the files that lack them",
        ),
        (
            [File(scale=0.0001)] * 2,
            VariableSpec(id="NDVI", scale=0.001),
            "note",
            "it states uint16 * 0.0001, no nodata, but is read as uint16 * 0.001, no nodata: scale: of the "
            "configuration replaces what files state (2 of 2)",
        ),
    ],
)
def test_override_of_file_metadata_by_the_configuration_is_reported(tmp_path, files, variable, severity, message):
    paths = write_all(tmp_path, files)

    found = open_raster_stack(
        make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables={"NDVI": variable})
    ).info.findings

    place = paths[2].name if len(paths) == 3 else paths[0].name
    assert Finding(severity, place, message) in found


def test_a_configuration_that_replaces_nothing_is_no_finding(tmp_path):
    write_all(tmp_path, [PLAIN, PLAIN])

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables={"NDVI": SCALED}))

    assert reader.info.findings == ()


def test_file_in_other_units_is_skipped_unless_units_are_configured(tmp_path):
    files = [File(units="K"), File(units="degC"), File(units="K")]
    write_all(tmp_path, files)
    spec = {"time_pattern": PATTERN}

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", **spec))
    told = open_raster_stack(
        make_spec("cog", tmp_path / "*.tif", variables={"NDVI": VariableSpec(id="NDVI", units="K")}, **spec)
    )

    assert len(reader.info.variables["NDVI"].times) == 2
    assert [(each.place, each.message) for each in reader.info.findings] == [
        (
            "a_20200102.tif",
            "left out: its units are degC, those of most files K; if they are the same, set units: K for the variable",
        )
    ]
    assert len(told.info.variables["NDVI"].times) == 3


# Bands.

RED_NIR = File(names=("RED", "NIR"), scale=0.0001, nodata=0)
NIR_RED = File(names=("NIR", "RED"), scale=0.0001, nodata=0)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"RED": VariableSpec(id="RED"), "NIR": VariableSpec(id="NIR")},
        {"RED": VariableSpec(id="RED", name="RED"), "NIR": VariableSpec(id="NIR", name="NIR")},
        {"RED": VariableSpec(id="RED", band=1), "NIR": VariableSpec(id="NIR", band=2)},
    ],
    ids=["none", "id", "name", "number"],
)
def test_bands_in_another_order_are_found_by_their_descriptions(tmp_path, variables):
    paths = write_all(tmp_path, [RED_NIR, NIR_RED, RED_NIR])

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=variables))

    assert_like_files(reader, "RED", paths, bands=[1, 2, 1])
    assert_like_files(reader, "NIR", paths, bands=[2, 1, 2])
    moved = [each for each in reader.info.findings if "is its band" in each.message]
    assert {each.place for each in moved} == {"a_20200102.tif"}
    has_numbers = any(each.band for each in variables.values())
    assert {each.severity for each in moved} == {"warning" if has_numbers else "note"}


@pytest.mark.parametrize("has_overviews", [False, True])
def test_bands_in_another_order_may_have_another_encoding_too(tmp_path, has_overviews):
    overviews = (2,) if has_overviews else ()
    files = [
        File(names=("RED", "NIR"), scale=0.0001, nodata=0, overviews=overviews),
        File(names=("NIR", "RED", "QA"), dtype="int16", scale=0.0001, offset=-0.1, nodata=-1, overviews=overviews),
    ]
    paths = write_all(tmp_path, files)
    variables = {"RED": VariableSpec(id="RED")}

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=variables))

    assert_like_files(reader, "RED", paths, bands=[1, 2])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((None, None), "no band of it is called NIR, which those of others are"),
        (("RED", "EVI"), "its band 2 is called EVI, that of others NIR"),
        (("NIR", "NIR"), "2 of its bands are called NIR"),
    ],
    ids=["absent", "another", "ambiguous"],
)
def test_file_with_an_ambiguous_band_is_skipped(tmp_path, names, message):
    write_all(tmp_path, [RED_NIR, File(names=names), RED_NIR])
    variables = {"NIR": VariableSpec(id="NIR")}

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=variables))

    assert len(reader.info.variables["NIR"].times) == 2
    left_out = [each for each in reader.info.findings if each.message.startswith("left out: ")]
    assert [each.place for each in left_out] == ["a_20200102.tif"]
    assert left_out[0].message.startswith(f"left out: {message}")


NO_NAMES = (None, None)


@pytest.fixture
def archive_of(tmp_path):
    """Return `archive_of(files)`, which opens a folder of these files and returns the reader and their paths."""
    with ExitStack() as opened:

        def open_all(files):
            paths = write_all(tmp_path, files)
            archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))
            opened.callback(archive.close)
            return archive, paths

        yield open_all


@pytest.mark.parametrize(
    ("files", "bands"),
    [
        (
            [("VV", "VH"), ("VV", "VH"), (None, "VV"), NO_NAMES, ("VV_db", "VH_db")],
            {"VV": [1, 1, 2, 1, None], "VH": [2, 2, None, 2, None]},
        ),
        ([NO_NAMES, NO_NAMES, ("VH", "VV")], {"band1": [1, 1, None], "band2": [2, 2, None]}),
        ([("VV", "VH"), NO_NAMES, NO_NAMES, ("vh", "vv")], {"VV": [1, 1, 1, 2], "VH": [2, 2, 2, 1]}),
        ([("VV", "VH"), ("VV", "VH"), ("vh", "vv")], {"VV": [1, 1, 2], "VH": [2, 2, 1]}),
        ([("VV", "VH"), ("VV", "VH"), ("VV", None)], {"VV": [1, 1, 1], "VH": [2, 2, 2]}),
        ([("VV", "VH"), ("VV", "VH"), ("VH", None)], {"VV": [1, 1, None], "VH": [2, 2, 1]}),
        ([NO_NAMES, NO_NAMES, ("Band 1", "20200103")], {"band1": [1, 1, 1], "band2": [2, 2, 2]}),
        ([("VV", "VH"), ("a", "VV"), ("b", "c"), ("d", "e")], {"VV": [1, 2, None, None], "VH": [2, None, 2, 2]}),
    ],
    ids=[
        *("mixed", "first without", "most without", "case", "one missing", "other at number", "says nothing"),
        "own names",
    ],
)
def test_band_is_never_one_with_another_name_in_its_file(archive_of, files, bands):
    archive, paths = archive_of([File(dtype="float32", names=names) for names in files])

    for name, numbers in bands.items():
        served = [(path, number) for path, number in zip(paths, numbers, strict=True) if number is not None]
        assert_like_files(
            archive.services.readers["a"], name, [path for path, _ in served], bands=[each for _, each in served]
        )
    told = {each.place for each in archive.findings if each.is_left_out}
    assert told == {f"a: {path.name}" for path, *own in zip(paths, *bands.values(), strict=True) if None in own}


def test_skipped_parts_of_a_file_are_named(archive_of):
    archive, _paths = archive_of([File(names=names) for names in [("VV", "VH"), ("VV", "VH"), (None, "VV")]])

    (finding,) = [each for each in archive.findings if each.is_left_out]

    assert finding.message.startswith("left out: VH of it, as its band 2 is called VV, that of others VH; ")


def test_unique_descriptions_of_each_file_are_ignored(tmp_path):
    paths = write_all(tmp_path, [File(names=(f"x_{n}.1", f"x_{n}.2")) for n in range(3)])
    variables = {"NDVI": VariableSpec(id="NDVI", band=2)}

    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN, variables=variables))

    assert_like_files(reader, "NDVI", paths, bands=[2, 2, 2])


def test_bands_of_one_file_each_a_date_may_differ(tmp_path):
    from chronotile.core.model.time.domain import domain_of_periods
    from chronotile.core.model.time.periods import DEKAD

    path = write(tmp_path / "a.tif", File(names=(None, None, None), scale=0.0001, nodata=0))
    with rasterio.open(path, "r+") as file:
        file.offsets = [0.0, -0.1, -0.1]
    times = domain_of_periods(np.datetime64("2020-01-01", "ns"), DEKAD, 3)

    reader = open_raster_stack(make_spec("cog", path, times=times))

    assert_like_files(reader, "NDVI", [path] * 3, bands=[1, 2, 3])


# Files without an inspected header.


@pytest.mark.parametrize("overviews", [(), (2,)], ids=["native", "overviews"])
def test_file_outside_the_sample_is_read_by_its_own_encoding_or_skipped(tmp_path, monkeypatch, overviews):
    monkeypatch.setattr(raster_survey, "MAX_FILES", 3)
    usual = {"scale": 0.0001, "nodata": 0, "overviews": overviews}
    files = [File(**usual), File(offset=-0.1, **usual)] * 3
    files[3] = File(offset=-0.2, **usual)  # not inspected, and fits
    files[4] = File(dtype="float32", overviews=overviews)  # not inspected, and does not fit
    paths = write_all(tmp_path, files)
    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))
    info = reader.info.variables["NDVI"]
    level, window = (1, Window(0, SIDE // 2, 0, SIDE // 2)) if overviews else (0, ALL)

    for index in (0, 1, 2, 3, 5):
        pixels = reader.read_window("NDVI", index=index, level=level, window=window)
        expected = values_in(paths[index], level=0 if overviews else None)
        np.testing.assert_allclose(values_of(pixels, info), expected, rtol=1e-13, atol=1e-12)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="not stored as those of other times") as raised:
            reader.read_window("NDVI", index=4, level=level, window=window)
        with pytest.raises(SourceUnavailable):
            reader.read_cell("NDVI", indexes=range(6), row=0, column=0)
    assert "a_20200105.tif: its numbers are float32" in cause_text(raised.value)
    assert "a_20200105.tif" not in str(raised.value)


def test_file_rewritten_in_another_encoding_is_read_by_that(tmp_path):
    files = STACKS["Sentinel-2 before and since 2022"]
    paths = write_all(tmp_path, files)
    reader = open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))
    assert_like_files(reader, "NDVI", paths)
    before = reader.revision("NDVI", 0)

    write(tmp_path / "new.tif", files[1], seed=77)
    (tmp_path / "new.tif").replace(paths[0])

    assert_like_files(reader, "NDVI", paths)
    assert reader.revision("NDVI", 0) != before


def test_no_file_that_can_be_read_is_an_error(tmp_path):
    write_all(tmp_path, [File(names=("A", "B"))] * 2)

    with pytest.raises(UnsupportedSource, match="no band for NDVI"):
        open_raster_stack(make_spec("cog", tmp_path / "*.tif", time_pattern=PATTERN))
