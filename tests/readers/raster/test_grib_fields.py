"""GRIB files whose messages differ in their grids, their parameters, or in missing parts."""

import struct

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import DateUnreadable, UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.instants import format_instant
from chronotile.readers.kinds import open_source
from tests.faulty_source import faulty_source
from tests.grib import code, first_edition, gaussian, gaussian_rows, message, section_at, signed, with_octets
from tests.scenes import make_spec

ROWS, COLUMNS = 5, 7
CELLS = code(ROWS, COLUMNS)
PERIOD = (2020, 1, 1, 6, 0, 0, 1, 0)
"""The end of a period, in a product definition, and how many ranges of time it is of."""
AVERAGE, HOURS = 0, (2, 1, 6, 255, 0)


@pytest.fixture
def opened(tmp_path):
    """Return `opened(messages, variables={…})`: a reader of a file of these messages."""

    def open_messages(*messages, **rest):
        path = tmp_path / "a.grib"
        path.write_bytes(b"".join(messages))
        return open_source(make_spec("cog", path, **{"variables": {}, **rest}))

    return open_messages


def values(reader, name, index=0):
    grid = reader.info.variables[name].grid
    pixels = reader.read_window(name, index=index, level=0, window=Window(0, grid.height, 0, grid.width))
    return np.asarray(reader.info.variables[name].encoding.values(pixels.numbers))


def notes(reader):
    return " | ".join(each.message for each in reader.info.findings)


def times(reader, name):
    return [format_instant(each) for each in reader.info.variables[name].times.instants]


def test_file_of_damaged_messages_is_refused_with_the_reason(opened):
    with pytest.raises(
        UnsupportedSource, match="none of its messages can be read; message 1: section 3 of 5 bytes after section 0"
    ):
        opened(b"GRIB\0\0\0\2" + struct.pack(">QIB", 25, 5, 3) + b"7777")


def test_message_on_another_grid_is_skipped_and_named(opened, tmp_path):
    own = [message(tmp_path, CELLS + 7 * day, day=f"2020-01-0{day + 1}") for day in range(2)]
    other = message(tmp_path, code(9, 11), west=0.5, step=0.5, day="2020-01-03")

    reader = opened(own[0], other, own[1])

    (name,) = reader.info.variables
    assert times(reader, name) == ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"]
    np.testing.assert_allclose(values(reader, name, 1), CELLS + 7, atol=0.01)
    assert "band 2 on another grid than band 1 (11 x 9 cells, not 7 x 5 cells; grib_copy IN" in notes(reader)


def test_of_one_size_grids_differ_by_their_place(opened, tmp_path):
    reader = opened(message(tmp_path, CELLS), message(tmp_path, CELLS, west=1.0, day="2020-01-02"))

    assert times(reader, *reader.info.variables) == ["2020-01-01T00:00:00Z"]
    assert "band 2 on another grid" in notes(reader)


def test_rows_from_the_south_are_of_the_same_grid(opened):
    whole = {"longitudes": (0, 6)}
    north = first_edition(CELLS, latitudes=(50, 46), **whole)
    south = first_edition(CELLS[::-1], latitudes=(46, 50), day=(2020, 1, 2), **whole)

    reader = opened(north, south)

    (name,) = reader.info.variables
    assert len(times(reader, name)) == 2
    np.testing.assert_array_equal(values(reader, name, 0), CELLS)
    np.testing.assert_array_equal(values(reader, name, 1), CELLS)


def test_fields_of_one_message_have_separate_grids(opened, tmp_path):
    one, two = message(tmp_path, CELLS), message(tmp_path, CELLS + 3, west=2.0, category=2)
    both = bytearray(one[:-4] + two[section_at(two, 3) :])
    both[8:16] = struct.pack(">Q", len(both))

    reader = opened(b"TTAA00 CWAO 010000\r\r\n", bytes(both))

    assert len(reader.info.variables) == 1
    assert "band 2 on another grid" in notes(reader)


def test_band_number_is_refused_on_another_grid(opened, tmp_path):
    files = message(tmp_path, CELLS), message(tmp_path, CELLS, west=1.0)

    with pytest.raises(UnsupportedSource, match="band 2 is on another grid than its first; grib_copy IN"):
        opened(*files, variables={"P": VariableSpec(id="P", band=2)})


NUMBER = 16
EACH = code(2 * NUMBER, 4 * NUMBER)


def first_editions_gaussian(cells, latitudes):
    return first_edition(cells, latitudes=latitudes, longitudes=(0, 360 - 90 / NUMBER), gaussian=NUMBER)


def second_editions_gaussian(tmp_path):
    rows = gaussian_rows(NUMBER)
    return gaussian(message(tmp_path, EACH, north=float(rows[0]), step=90 / NUMBER), NUMBER)


@pytest.mark.parametrize("form", ["second", "first", "first from the south"])
def test_rows_of_gaussian_grids_are_at_their_latitudes(opened, tmp_path, form):
    rows = gaussian_rows(NUMBER)
    found = {
        "second": lambda: second_editions_gaussian(tmp_path),
        "first": lambda: first_editions_gaussian(EACH, (rows[0], rows[-1])),
        "first from the south": lambda: first_editions_gaussian(EACH[::-1], (rows[-1], rows[0])),
    }[form]()

    reader = opened(found)

    (name,) = reader.info.variables
    grid, stored = reader.info.variables[name].grid, values(reader, name)
    for row, latitude in enumerate(rows):
        for column in (0, 17, 4 * NUMBER - 1):
            place = grid.cell_at(column * 90 / NUMBER, latitude)
            assert place == (row, column)
            assert stored[place] == pytest.approx(EACH[row, column], abs=0.05)
    edges = (rows[:-1] + rows[1:]) / 2  # half way between two rows, each at its true latitude
    assert max(abs(grid.transform.f + (row + 1) * grid.transform.e - edge) for row, edge in enumerate(edges)) < 0.1
    assert max(abs(grid.bbox.ymin), grid.bbox.ymax) < 90


def reduced(found):
    """Return the message with a reduced grid: lengths of rows after the template, and no common length."""
    at = section_at(found, 3)
    size = struct.unpack(">I", found[at : at + 4])[0]
    lengths = struct.pack(f">{2 * NUMBER}H", *([4 * NUMBER] * 2 * NUMBER))
    section = bytearray(found[at : at + size] + lengths)
    section[:4], section[10:12], section[30:34] = struct.pack(">I", len(section)), b"\2\1", b"\xff" * 4
    whole = bytearray(found[:at] + section + found[at + size :])
    whole[8:16] = struct.pack(">Q", len(whole))
    return bytes(whole)


def rotated_gaussian(found):
    return with_octets(found, 3, {13: struct.pack(">H", 41)})


def from_the_east(found):
    return with_octets(found, 3, {51: signed(354_375_000, 4), 60: signed(0, 4), 72: b"\x80"})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (reduced, "its rows have different numbers of cells; .*cdo -f nc setgridtype,regular"),
        (rotated_gaussian, "GDAL places grids of template 41 wrongly; .*cdo -f nc copy"),
        (from_the_east, "GDAL places rows from east to west wrongly; .*cdo -f nc copy"),
    ],
)
def test_grids_that_gdal_misplaces_are_refused_with_the_remedy(opened, tmp_path, changed, reason):
    with pytest.raises(UnsupportedSource, match=reason):
        opened(changed(second_editions_gaussian(tmp_path)))


@pytest.mark.slow
def test_a_grid_elsewhere_that_gdal_does_not_place_is_refused_in_the_same_words(tmp_path):
    (tmp_path / "files").mkdir()
    spectral = with_octets(message(tmp_path, CELLS), 3, {13: (50).to_bytes(2, "big")})
    (tmp_path / "files" / "a.grib2").write_bytes(spectral)

    with (
        faulty_source(tmp_path / "files") as source,
        pytest.raises(UnsupportedSource, match=r"it holds spherical harmonics and no cells; .*cdo -f nc sp2gp"),
    ):
        open_source(make_spec("cog", source.url_of("a.grib2"), variables={}))


def test_a_reduced_grid_of_the_first_edition_is_refused(opened):
    found = bytearray(first_edition(CELLS, latitudes=(50, 46), longitudes=(0, 6), gaussian=NUMBER))
    found[8 + 28 + 6 : 8 + 28 + 8] = b"\xff\xff"

    with pytest.raises(UnsupportedSource, match="its rows have different numbers of cells"):
        opened(bytes(found))


def test_rows_from_the_north_on_a_plane_are_refused(opened, tmp_path):
    found = message(tmp_path, CELLS, north=0.0, step=10_000, crs="+proj=lcc +lat_1=50 +lon_0=5 +R=6371229")

    assert len(opened(found).info.variables) == 1
    with pytest.raises(UnsupportedSource, match="GDAL places rows from north to south on a plane wrongly"):
        opened(with_octets(found, 3, {65: b"\0"}))


def test_without_a_valid_time_it_is_the_reference_time(opened, tmp_path):
    satellite = (2009, 9, 21)
    found = message(tmp_path, CELLS, day="2009-09-21")
    image = with_octets(found, 4, {8: struct.pack(">H", 31), 14: b"\1" + bytes(11) + b"\0" * 8})

    with rasterio.MemoryFile(image, ext=".grib2") as memory, memory.open() as file:
        assert file.tags(1)["GRIB_VALID_TIME"] == "0"  # as GDAL has it
    reader = opened(image)

    assert times(reader, *reader.info.variables) == ["{:04}-{:02}-{:02}T00:00:00Z".format(*satellite)]


def test_the_first_instant_of_1970_is_a_time(opened, tmp_path):
    reader = opened(message(tmp_path, CELLS, day="1970-01-01"), message(tmp_path, CELLS + 1, day="1970-01-02"))

    assert times(reader, *reader.info.variables) == ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"]


@pytest.mark.slow
def test_messages_of_a_file_elsewhere_are_on_their_own_grids_too(tmp_path):
    (tmp_path / "files").mkdir()
    other = message(tmp_path, CELLS, west=1.0, day="2020-01-02")
    (tmp_path / "files" / "a.grib2").write_bytes(second_editions_gaussian(tmp_path) + other)

    with faulty_source(tmp_path / "files") as source:
        reader = open_source(make_spec("cog", source.url_of("a.grib2"), variables={}))
        (name,) = reader.info.variables
        grid, stored = reader.info.variables[name].grid, values(reader, name)

    rows = gaussian_rows(NUMBER)
    assert [stored[grid.cell_at(0, latitude)] for latitude in rows] == pytest.approx(EACH[:, 0], abs=0.05)
    assert "band 2 on another grid" in notes(reader)


def test_members_of_an_ensemble_are_variables(opened, tmp_path):
    files = [
        message(tmp_path, CELLS + 7 * member, day=f"2020-01-0{day}", definition=1, more=(3 if member else 1, member, 3))
        for member in range(3)
        for day in (1, 2)
    ]

    reader = opened(*files)

    assert list(reader.info.variables) == [f"PRES_0-SFC_member{member}" for member in range(3)]
    for member in range(3):
        assert len(times(reader, f"PRES_0-SFC_member{member}")) == 2
        np.testing.assert_allclose(values(reader, f"PRES_0-SFC_member{member}"), CELLS + 7 * member, atol=0.01)
    assert reader.info.variables["PRES_0-SFC_member2"].title == "Pressure, 0-SFC, member 2"
    assert notes(reader) == ""


def test_members_of_the_first_edition_are_variables(opened):
    def member(number, of):
        own = bytes([1, 1, 11, 4, 15]) + b"0001" + bytes([number, of, 0])
        return first_edition(CELLS + number, latitudes=(50, 46), longitudes=(0, 6), own=own)

    reader = opened(member(0, 10), member(7, 10))

    assert [name.rpartition("_")[2] for name in reader.info.variables] == ["member0", "member7"]
    np.testing.assert_array_equal(values(reader, list(reader.info.variables)[1]), CELLS + 7)
    assert not next(iter(opened(member(0, 0)).info.variables)).endswith("member0")


@pytest.mark.parametrize(
    ("centres", "definition", "number", "rest"),
    [
        pytest.param({"centre": 98}, 36, b"\x07", b"\x0a\0\0\0\0\0", id="ERA5"),
        pytest.param({"centre": 7, "part": 98}, 12, b"\x01\x2c", b"\0\x02\0\x01\0\x03", id="seasonal, of NCEP"),
        pytest.param({"centre": 74, "part": 98}, 12, b"\0\x07", b"\0\x0e\0\x01\0\x03", id="seasonal, of the UKMO"),
    ],
)
def test_members_by_local_definitions_of_ecmwf_are_variables(opened, centres, definition, number, rest):
    def member(numbers, own):
        start = bytes([definition, 31, 80, 4, 197]) + b"0001"
        return first_edition(numbers, latitudes=(50, 46), longitudes=(0, 6), own=start + own + rest, **centres)

    reader = opened(member(CELLS, bytes(len(number))), member(CELLS + 7, number))

    names = list(reader.info.variables)
    found = [name.rpartition("_")[2] for name in names]
    assert found == ["member0", f"member{int.from_bytes(number, 'big')}"]
    np.testing.assert_array_equal(values(reader, names[1]), CELLS + 7)


def test_member_must_be_configured(opened, tmp_path):
    files = [message(tmp_path, CELLS, definition=1, more=(3, member, 3)) for member in range(3)]

    with pytest.raises(UnsupportedSource, match=r"of the dimension number .*select: {number: 0}: accepted are 0, 1, 2"):
        opened(*files, variables={"p": VariableSpec(id="p", name="PRES_0-SFC")})


def test_values_of_instants_and_of_periods_are_variables(opened, tmp_path):
    average = message(tmp_path, CELLS + 50, definition=8, more=(*PERIOD, AVERAGE, *HOURS))
    highest = message(tmp_path, CELLS + 90, definition=8, more=(*PERIOD, 2, *HOURS))
    spread = message(tmp_path, CELLS + 10, hours=6, definition=2, more=(4, 50))

    reader = opened(message(tmp_path, CELLS, hours=6), average, highest, spread)

    wanted = {"PRES_0-SFC": 0, "PRES_0-SFC_average": 50, "PRES_0-SFC_maximum": 90, "PRES_0-SFC_ensemble_spread": 10}
    assert set(reader.info.variables) == set(wanted)
    for name, more in wanted.items():
        np.testing.assert_allclose(values(reader, name), CELLS + more, atol=0.01)


def test_periods_of_edition_1_are_distinguished(opened):
    whole = {"latitudes": (50, 46), "longitudes": (0, 6)}
    reader = opened(first_edition(CELLS, **whole), first_edition(CELLS + 1, range_of_time=4, **whole))

    assert [name.rpartition("_")[2] for name in reader.info.variables] == ["0-SFC", "accumulation"]


def test_missing_cells_stay_so(opened):
    some = np.where((CELLS + np.arange(COLUMNS)) % 3 == 1, np.nan, CELLS)
    reader = opened(first_edition(some, latitudes=(50, 46), longitudes=(0, 6)))

    (info,) = reader.info.variables.values()
    shown = values(reader, info.name)
    shown[shown == info.encoding.nodata] = np.nan
    np.testing.assert_array_equal(shown, some)


def with_bytes(found, at, own):
    """Return the message with bytes of it replaced."""
    return found[:at] + own + found[at + len(own) :]


SECOND_EDITION = {
    "length below its sections": lambda found: with_bytes(found, 8, (60).to_bytes(8, "big")),
    "length beyond its end": lambda found: with_bytes(found, 8, (len(found) + 40).to_bytes(8, "big")),
    "no end mark": lambda found: with_bytes(found, len(found) - 4, b"7778"),
    "a section of no bytes": lambda found: with_bytes(found, section_at(found, 6), bytes(4)),
    "a section too long": lambda found: with_octets(found, 4, {1: (5000).to_bytes(4, "big")}),
    "an unknown section": lambda found: with_octets(found, 5, {5: b"\x09"}),
    "more values than cells": lambda found: with_octets(found, 5, {6: (36).to_bytes(4, "big")}),
    "fewer bytes than values": lambda found: with_octets(found, 5, {20: b"\x20"}),
}
WHOLE = {"latitudes": (50, 46), "longitudes": (0, 6)}
GRID_AT, BITMAP_AT = 8 + 28, 8 + 28 + 32
DATA_AT = BITMAP_AT + 6 + 5
FIRST_EDITION = {
    "length below its sections": lambda found: with_bytes(found, 4, (60).to_bytes(3, "big")),
    "length beyond its end": lambda found: with_bytes(found, 4, (len(found) + 40).to_bytes(3, "big")),
    "no end mark": lambda found: with_bytes(found, len(found) - 4, b"7778"),
    "a section too short": lambda found: with_bytes(found, GRID_AT, (28).to_bytes(3, "big")),
    "a data section too long": lambda found: with_bytes(found, DATA_AT, (90).to_bytes(3, "big")),
    "more cells than values": lambda found: with_bytes(found, GRID_AT + 8, (500).to_bytes(2, "big")),
    "fewer bytes than values": lambda found: with_bytes(found, DATA_AT + 10, b"\x20"),
    "padding instead of cells": lambda found: with_bytes(found, BITMAP_AT + 3, b"\x0f"),
}


def require_only_the_whole_messages(reader, damaged):
    (name,) = reader.info.variables
    assert times(reader, name) == ["2020-01-01T00:00:00Z", "2020-01-03T00:00:00Z"]
    np.testing.assert_allclose(values(reader, name, 0), CELLS, atol=0.01)
    np.testing.assert_allclose(values(reader, name, 1), CELLS + 2, atol=0.01)
    (finding,) = reader.info.findings
    assert (finding.severity, finding.message[: len(damaged)]) == ("error", damaged)


@pytest.mark.parametrize("damage", SECOND_EDITION.values(), ids=SECOND_EDITION)
def test_damaged_message_is_skipped_and_reported(opened, tmp_path, damage):
    first, second, third = (message(tmp_path, CELLS + day, day=f"2020-01-0{day + 1}") for day in range(3))

    reader = opened(first, damage(second), third)

    require_only_the_whole_messages(reader, "left out: message 2: ")


@pytest.mark.parametrize("damage", FIRST_EDITION.values(), ids=FIRST_EDITION)
def test_damaged_message_of_edition_1_is_skipped(opened, damage):
    first, second, third = (first_edition(CELLS + day, day=(2020, 1, day + 1), **WHOLE) for day in range(3))

    reader = opened(damage(first), first, second.replace(b"7777", b"7770"), third)

    require_only_the_whole_messages(reader, "left out: 2 messages cannot be read, such as message 1: ")


def test_message_with_length_in_120_bytes_is_skipped(opened):
    rows, columns = 1500, 2900
    found = first_edition(code(rows, columns) % 1000, latitudes=(50, 35.01), longitudes=(0, 28.99))
    units = -(-(len(found) - 4) // 120)
    data = 8 + 28 + 32 + 6 + rows * columns // 8
    written = with_bytes(found, 4, (units | 0x800000).to_bytes(3, "big"))
    written = with_bytes(written, data, (units * 120 + 4 - len(found)).to_bytes(3, "big"))

    reader = opened(written, first_edition(CELLS, day=(2020, 1, 2), **WHOLE))

    (finding,) = reader.info.findings
    assert finding.message.startswith("left out: message 1: GDAL does not read its length, of more than 16 MB")
    np.testing.assert_array_equal(values(reader, *reader.info.variables), CELLS)


def test_band_number_is_refused_among_damaged_messages(opened, tmp_path):
    first, second, third = (message(tmp_path, CELLS + day, day=f"2020-01-0{day + 1}") for day in range(3))

    with pytest.raises(UnsupportedSource, match="its bands cannot be counted: message 1: "):
        opened(first[:-1] + b"8", second, third, variables={"P": VariableSpec(id="P", band=2)})


def test_file_damaged_while_it_is_served_gives_no_values(opened, tmp_path):
    files = [message(tmp_path, CELLS + day, day=f"2020-01-0{day + 1}") for day in range(3)]
    reader = opened(*files)
    (name,) = reader.info.variables

    (tmp_path / "a.grib").write_bytes(files[0][:-1] + b"8" + files[1] + files[2])

    with pytest.raises(DateUnreadable):
        values(reader, name, 2)


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"west": 1.0}, "from latitude and longitude 50, 1 to 46, 7, not from latitude and longitude 50, 0 to 46, 6"),
        ({"crs": "+proj=lcc +lat_1=50 +lon_0=5 +R=6371229", "north": 0.0}, "grid type 30, not grid type 0"),
    ],
)
def test_other_grid_is_reported_with_the_difference(opened, tmp_path, changed, difference):
    reader = opened(message(tmp_path, CELLS), message(tmp_path, CELLS, day="2020-01-02", **changed))

    assert f"band 2 on another grid than band 1 ({difference}; " in notes(reader)


def test_many_skipped_messages_are_reported_by_their_number(opened, tmp_path):
    same = [message(tmp_path, CELLS + each) for each in range(7)]

    reader = opened(*same, message(tmp_path, CELLS, day="2020-01-02"))

    (finding,) = reader.info.findings
    text = "6 bands, such as band 2, which is of 2020-01-01T00:00:00Z as band 1 is"
    assert finding.message == f"left out: {text}: the other bands are dates"


@pytest.mark.parametrize("flags", [0x40, 0x50, 0x10], ids=["second order", "with more flags", "a matrix"])
def test_packing_unsupported_by_gdal_is_skipped(opened, flags):
    first, second = (first_edition(CELLS + day, day=(2020, 1, day + 1), **WHOLE) for day in range(2))

    reader = opened(with_bytes(first, DATA_AT + 3, bytes([flags])), second)

    (finding,) = reader.info.findings
    assert finding.message.startswith("left out: message 1: GDAL does not read its packing; pack it simply (grib_set ")
    np.testing.assert_array_equal(values(reader, *reader.info.variables), CELLS + 1)


def test_predefined_bitmap_is_skipped(opened):
    first, second = (first_edition(CELLS + day, day=(2020, 1, day + 1), **WHOLE) for day in range(2))

    reader = opened(with_bytes(first, BITMAP_AT + 4, b"\0\1"), second)

    assert "message 1: its bitmap is named by a number alone" in notes(reader)


def test_field_packed_as_a_damaged_png_is_skipped(opened, tmp_path):
    first, second = (message(tmp_path, CELLS + day, day=f"2020-01-0{day + 1}") for day in range(2))

    reader = opened(with_octets(first, 5, {10: (41).to_bytes(2, "big")}), second)

    assert "message 1: the PNG of its values is damaged" in notes(reader)
