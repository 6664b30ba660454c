"""Odd entries of a folder stop nothing: good files are served, and each odd one has a finding.

CHRONOTILE_TEST_FULL=1 tries 200 random folders, else a few.
"""

import numpy as np
import pytest

from chronotile.archive.discovery.collection import MAX_VARIABLES
from chronotile.archive.open import open_archive
from tests.odd_archives.files import NUMBERS, write_tif
from tests.odd_archives.neighbours import FORMATS, NEIGHBOURS, drawn, write_format, write_good
from tests.sampling import IS_FULL

SEEDS = range(200 if IS_FULL else 6)


def opened(folder):
    return open_archive(folder, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))


def cells_of(archive, layer):
    layer = archive.services.catalogue.layer(layer)
    reader = archive.services.readers[layer.collection]
    return reader.read_cell(layer.main_variable.name, indexes=range(2), row=3, column=4).numbers.tolist()


@pytest.mark.every_case
@pytest.mark.parametrize("seed", SEEDS)
def test_random_neighbours_of_good_files_are_reported(seed, tmp_path):
    names = drawn(seed)
    write_good(tmp_path)
    for name in names:
        NEIGHBOURS[name][0](tmp_path)

    archive = opened(tmp_path)

    places = [finding.place for finding in archive.findings]
    missing = [name for name in names if not any(NEIGHBOURS[name][1] in place for place in ["", *places])]
    good = next(each.id for each in archive.services.catalogue.layers if len(each.times) == 2)
    assert (names, missing, cells_of(archive, good)) == (names, [], [1.0, 2.0])
    assert all(line.isprintable() for finding in archive.findings for line in [finding.text])


@pytest.mark.slow
def test_file_of_very_many_bands_is_served_in_part_and_reported(tmp_path):
    write_tif(tmp_path / "many.tif", np.ones((MAX_VARIABLES + 20, 2, 3), dtype="uint8"), dtype="uint8")

    archive = opened(tmp_path)

    (finding,) = [each for each in archive.findings if each.is_left_out]
    assert (len(list(archive.services.catalogue.layers)), finding.severity) == (MAX_VARIABLES, "warning")


@pytest.mark.parametrize("name", FORMATS)
def test_format_served_alone_is_served_in_a_folder(name, tmp_path):
    path = write_format(name, tmp_path)

    by_folder, by_name = opened(tmp_path), opened(path)

    (layer,), (own,) = by_folder.services.catalogue.layers, by_name.services.catalogue.layers
    reader = by_folder.services.readers[layer.collection]
    number = reader.read_cell(layer.main_variable.name, indexes=[0], row=3, column=4).numbers[0]
    assert (number, layer.main_variable.grid) == (NUMBERS[3, 4], own.main_variable.grid)
