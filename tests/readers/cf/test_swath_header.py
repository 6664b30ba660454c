"""Swaths that are opened from the headers of items."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.grid import Window
from chronotile.readers.cf import swath_header
from chronotile.readers.cf.geolocation import find_geolocation
from chronotile.readers.cf.swath import open_swath
from chronotile.readers.cf.swath_header import VERSION, header_of, open_stored
from tests.readers.made_swaths import GEOLOCATIONS, orbit, swath_fields

GRID = TargetGrid(crs="EPSG:4326", resolution=1 / 8)


def geolocation_of(positions):
    fields = swath_fields(*positions)
    return find_geolocation(fields.fields["v"], fields)


def forbid_reading(geolocation):
    """Return positions whose numbers cannot be read."""

    def fail(*_picks):
        raise AssertionError("positions are read")

    fields = (replace(field, load=fail, part=fail) for field in (geolocation.latitude, geolocation.longitude))
    latitude, longitude = fields
    return replace(geolocation, latitude=latitude, longitude=longitude)


def numbers_of(swath, level):
    """Return (y, x) numbers of the cells that the pixels of a level have."""
    grid, width = swath.levels[level], swath.geolocation.width
    plan = swath.plan(level, Window(0, grid.height, 0, grid.width), 1)
    numbers = np.full(grid.height * grid.width, -1)
    for part in plan.parts:
        rows, columns = np.divmod(part.sources, part.window.width)
        numbers[part.targets] = (rows + part.window.row_start) * width + columns + part.window.column_start
    return numbers


def replace_digest(swath):
    """Return the swath with another key of cached plans."""
    return replace(swath, digest=f"{swath.digest} stored")


@pytest.mark.parametrize("target", [None, GRID], ids=["default", "configured"])
@pytest.mark.parametrize("name", GEOLOCATIONS)
def test_stored_swath_needs_no_positions_and_has_the_same_cells(name, target):
    geolocation = geolocation_of(GEOLOCATIONS[name])
    made = open_swath(geolocation, target)

    stored = open_stored(header_of(made, "g", target), "g", forbid_reading(geolocation), target)

    coarsest = len(made.levels) - 1
    assert (stored.levels, stored.digest, stored.index.sides) == (made.levels, made.digest, made.index.sides)
    np.testing.assert_array_equal(stored.index.centres, made.index.centres)
    np.testing.assert_array_equal(numbers_of(replace_digest(stored), coarsest), numbers_of(made, coarsest))
    assert (numbers_of(made, coarsest) >= 0).any()


def test_fine_level_is_searched_with_the_stored_index():
    geolocation = geolocation_of(orbit(0, 40, rows=400, angles=np.linspace(-0.4, 0.4, 10)))
    target = TargetGrid(crs="EPSG:4326", resolution=1 / 32)
    made = open_swath(geolocation, target)

    stored = open_stored(header_of(made, None, target), None, geolocation, target)

    assert max(stored.levels[0].height, stored.levels[0].width) > swath_header.MAX_SIDE_PX
    assert made.levels[0] not in stored.stored
    np.testing.assert_array_equal(numbers_of(replace_digest(stored), 0), numbers_of(made, 0))


def change_document(header, **members):
    """Return a header with other members in its document."""
    start = len(VERSION) + 4
    stop = start + int.from_bytes(header[len(VERSION) : start], "little")
    document = json.dumps(json.loads(header[start:stop]) | members).encode()
    return VERSION + len(document).to_bytes(4, "little") + document + header[stop:]


UNUSABLE = {
    "empty": lambda _header: b"",
    "version": lambda header: b"swath 0\n" + header[8:],
    "key": partial(change_document, key=["g", None, "lat", "lon", 9, 9]),
    "sides": partial(change_document, sides=[float("inf"), 1]),
    "grid": partial(change_document, grid=[[1, 0, 0, 0, -1, 0], 0, 5]),
    "length": partial(change_document, lengths=[5]),
    "lengths": partial(change_document, lengths="5"),
    "levels": partial(change_document, levels=[[99, [1, 1]]]),
    "cut": lambda header: header[:-40],
    "document": lambda header: header[:40],
}


@pytest.mark.parametrize("change", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_header_is_replaced_by_the_positions(change):
    geolocation = geolocation_of(GEOLOCATIONS["orbit"])
    made = open_swath(geolocation, GRID)
    header = change(header_of(made, None, GRID))

    stored = open_stored(header, None, geolocation, GRID)

    np.testing.assert_array_equal(numbers_of(replace_digest(stored), 0), numbers_of(made, 0))


@pytest.mark.parametrize(("group", "target"), [("other", GRID), (None, None), (None, replace(GRID, resolution=0.25))])
def test_header_of_another_configuration_is_not_used(group, target):
    geolocation = geolocation_of(GEOLOCATIONS["orbit"])
    header = header_of(open_swath(geolocation, GRID), None, GRID)

    stored = open_stored(header, group, geolocation, target)

    assert not stored.stored
    assert stored.levels == open_swath(geolocation, target).levels


def test_header_has_a_maximum_size(monkeypatch):
    made = open_swath(geolocation_of(GEOLOCATIONS["orbit"]), GRID)
    whole = header_of(made, None, GRID)
    monkeypatch.setattr(swath_header, "MAX_BYTES", len(whole) - 2000)

    header = header_of(made, None, GRID)

    assert len(header) < len(whole) - 1000
    assert made.levels[0] not in open_stored(header, None, made.geolocation, GRID).stored


def test_header_without_room_for_its_index_is_missing(monkeypatch):
    monkeypatch.setattr(swath_header, "MAX_BYTES", 10)

    assert header_of(open_swath(geolocation_of(GEOLOCATIONS["orbit"]), GRID), None, GRID) is None
