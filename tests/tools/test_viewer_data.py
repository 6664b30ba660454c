"""The viewer's towns and ground are files of regions that together contain a made source, without duplicates."""

import json
from itertools import pairwise

import numpy as np
import pytest

from tools.viewer_data import ground, towns
from tools.viewer_data.files import Written

LAND = [(-180.0, -60.0), (-180.0, 70.0), (10.0, 70.0), (100.0, -20.0), (-180.0, -60.0)]
LAKE = [(4.0, 50.0), (4.0, 51.0), (5.0, 51.0), (5.0, 50.0), (4.0, 50.0)]
BORDER = [(3.0, 50.0), (30.0, 52.0), (60.0, 10.0)]


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path / "data")


@pytest.fixture
def made_shapes(monkeypatch):
    def read_shapes(name):
        country = {"NAME_EN": "Belgium", "NAME_NL": "België", "NAME_LONG": "Kingdom", "ISO_A2_EH": "BE"}
        parts = [LAKE] if "lakes" in name or "countries" in name else [BORDER] if "boundary" in name else [LAND]
        return iter([(country, parts)])

    monkeypatch.setattr(ground, "read_shapes", read_shapes)
    monkeypatch.setattr(towns, "read_shapes", read_shapes)


def read(written, name):
    return json.loads((written.folder / name).read_text("utf-8"))


def points_of(deltas):
    return np.cumsum(np.array(deltas, dtype=float).reshape(-1, 2), axis=0)


def area_of(points):
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def mercator(line, size):
    lon, lat = np.array(line).T
    return (
        np.column_stack([(lon + 180) / 360, 0.5 - np.log(np.tan(np.pi / 4 + np.radians(lat) / 2)) / (2 * np.pi)]) * size
    )


@pytest.mark.usefixtures("made_shapes")
def test_the_world_is_in_web_mercator(written):
    ground.write_world(written)

    for name, size, line in (("land", 65_536, LAND), ("land-coarse", 16_384, LAND), ("borders", 65_536, BORDER)):
        file = read(written, f"{name}.json")
        assert file["size"] == size
        assert np.abs(points_of(file["lines"][0]) - mercator(line, size)).max() <= 0.5


@pytest.mark.usefixtures("made_shapes")
def test_finer_land_is_cut_into_cells_that_contain_all_of_it(written):
    ground.write_ground(written)

    size = ground.SIZE
    cells = {(column, row): read(written, f"ground/{column}_{row}.json") for column in range(16) for row in range(16)}
    whole = sum(area_of(mercator(ring, size)) for ring in (LAND, LAKE))
    parts = [(cell, points_of(ring)) for cell, file in cells.items() for ring in file["land"]]
    assert sum(area_of(points) for _cell, points in parts) == pytest.approx(whole, rel=1e-4)
    for (column, row), points in parts:
        low = np.array([column, row]) * ground.UNITS
        assert (points >= low).all()
        assert (points <= low + ground.UNITS).all()


@pytest.mark.usefixtures("made_shapes")
def test_each_step_of_a_border_is_in_one_cell(written):
    ground.write_ground(written)

    steps = [
        tuple(map(tuple, pair))
        for path in (written.folder / "ground").iterdir()
        for line in json.loads(path.read_text("utf-8"))["borders"]
        for pair in pairwise(points_of(line).tolist())
    ]
    assert set(steps) == {tuple(map(tuple, pair)) for pair in pairwise(mercator(BORDER, ground.SIZE).round().tolist())}


TOWNS = [
    towns.Town("Brussel", ("Bruxelles", "Брюссель"), "BE.BRU", 4_350, 50_850, 1_200_000),
    towns.Town("Mechelen", ("Malines",), "BE.VLG", 4_480, 51_030, 86_000),
    towns.Town("Hulshout", ("Ulshout",), "BE.VLG", 4_790, 51_070, 10_000),
    towns.Town("Suva", (), "FJ.02", 178_440, -18_140, 93_000),
]


@pytest.fixture
def data(written, made_shapes, monkeypatch):
    monkeypatch.setattr(towns, "_regions", lambda _towns: {"BE.VLG": ["Flanders", 4.48, 51.03, 4.79, 51.07]})
    towns.write_towns(TOWNS, written)
    return written


def test_each_town_is_in_the_file_of_its_region(data):
    assert read(data, "cells.json") == ["36_28", "71_14"]
    near, others = read(data, "towns/36_28.json"), read(data, "others/36_28.json")
    assert near["names"] == ["Brussel", "Mechelen", "Hulshout"]
    assert near["ranks"] == [0, 1, 2]
    assert others["others"] == ["", "", "Ulshout"]
    assert read(data, "towns/71_14.json")["lats"] == [-18_140]


def test_other_names_of_large_towns_are_in_the_files_of_their_first_letters(data):
    assert read(data, "large.json")["names"] == ["Brussel", "Mechelen", "Suva"]
    for name, rank in (("Bruxelles", 0), ("Брюссель", 0), ("Malines", 1)):
        assert read(data, f"names/{towns.file_of(towns.simplify(name))}.json")[name] == [rank]


def test_regions_and_countries_have_names_and_boxes(data):
    areas = read(data, "areas.json")
    assert areas["regions"] == [["BE.BRU", ""], ["BE.VLG", "Flanders", 4.48, 51.03, 4.79, 51.07], ["FJ.02", ""]]
    assert areas["countries"] == {"BE": ["Belgium|België", 4, 50, 5, 51]}


@pytest.mark.parametrize(
    ("name", "simple"),
    [("Saint-Gilles", "saint gilles"), ("Łódź", "lodz"), ("Weißenburg", "weissenburg"), ("São  P.", "sao p")],
)
def test_names_are_without_parts_that_people_omit(name, simple):
    assert towns.simplify(name) == simple


def test_names_with_one_spelling_and_codes_are_omitted():
    others = ["brussel", "BRU", "Brüssel", "Bruxelles", "bruselas", "An|Ba"]

    assert list(towns._told_apart("Brussel", others)) == ["Bruxelles", "An Ba"]


def test_digest_changes_with_the_output(tmp_path):
    digests = []
    for content in ([1], [1], [2]):
        to = Written(tmp_path / "data")
        to.write("a.json", content)
        to.close()
        digests.append(read(to, "digest.json"))

    assert digests[0] == digests[1] != digests[2]
