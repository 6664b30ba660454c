"""Omissions in a configuration are reported at the start, by check, and in folders."""

import logging

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.cli.main import app
from tests.scenes import Scene, make_dataset, save_netcdf, write_tif

SCENE = Scene()


@pytest.fixture
def write(tmp_path):
    """Return `write(name, *descriptions)`, which writes a raster with one band per description."""

    def write_one(name, *descriptions):
        count = len(descriptions) or 1
        path = write_tif(tmp_path / name, np.stack([SCENE.numbers(t) for t in range(count)]), SCENE)
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = descriptions or (None,)
        return path

    return write_one


@pytest.fixture
def configure(tmp_path):
    def write_configuration(source, variables="{NDVI: {}}"):
        file = tmp_path / "chronotile.yaml"
        file.write_text(f"collections:\n  made: {{source: {{{source}}}, variables: {variables}}}\n")
        return file

    return write_configuration


def found(archive):
    return [(each.severity, each.place, each.message) for each in archive.findings]


def test_additional_bands_of_files_with_a_variable_in_their_names_are_reported(write, configure, open_at):
    for name in ("NDVI_20200101.tif", "NDVI_20200111.tif"):
        write(name, "ndvi", "QA")

    ((severity, place, message),) = found(open_at(configure("kind: cog, href: '{variable}_*.tif'")))

    assert (severity, place) == ("warning", "made: NDVI")
    assert (
        "of its 2 bands 2 (QA) are not served; name them as variables, such as NDVI_2: {name: NDVI, band: 2}" in message
    )


def test_remedy_for_additional_bands_works(write, configure, open_at):
    for name in ("NDVI_20200101.tif", "NDVI_20200111.tif"):
        write(name, "ndvi", "QA")

    archive = open_at(configure("kind: cog, href: '{variable}_*.tif'", "{NDVI: {}, NDVI_2: {name: NDVI, band: 2}}"))

    assert found(archive) == []
    numbers = archive.services.readers["made"].read_cell("NDVI_2", indexes=[0, 1], row=3, column=4).numbers
    np.testing.assert_array_equal(numbers, [SCENE.number(1, 3, 4)] * 2)


def test_bands_that_no_variable_names_are_noted(write, configure, open_at):
    write("a_20200101.tif", "NDVI", "QA")

    assert found(open_at(configure("kind: cog, href: 'a_*.tif'"))) == [
        ("note", "made", "bands 2 (QA) are not variables: name them with band: to serve them")
    ]


def test_additional_images_of_a_file_are_a_warning_with_a_working_remedy(write, configure, open_at, tmp_path):
    path = write("a_20200101.tif")
    numbers = SCENE.numbers(1)[np.newaxis]
    with rasterio.open(path) as first:
        profile = first.profile
    with rasterio.open(path, "w", **profile | {"APPEND_SUBDATASET": "YES"}) as dataset:
        dataset.write(numbers)

    ((severity, place, message),) = found(open_at(configure("kind: cog, href: 'a_*.tif'")))

    assert (severity, place) == ("warning", "made")
    assert message.startswith("of its 2 images (pages) only the first is served")
    assert "gdal_translate GTIFF_DIR:2:IN OUT" in message
    with rasterio.open(f"GTIFF_DIR:2:{path}") as second:
        np.testing.assert_array_equal(second.read(), numbers)


def test_files_that_no_pattern_matches_are_noted(write, configure, open_at, tmp_path):
    write("NDVI_20200101.tif")
    write("ndvi-20200111.tif")
    (tmp_path / "NDVI_20200121.txt").touch()
    (tmp_path / "NDVI_20200101.tif.aux.xml").touch()

    messages = [message for _severity, _place, message in found(open_at(configure("kind: cog, href: 'NDVI_*'")))]

    assert any(each.startswith("1 other file of data in the folder of its files") for each in messages)
    assert any("ndvi-20200111.tif; widen href" in each for each in messages)
    assert any(each.startswith("passed over: NDVI_20200121.txt") for each in messages)
    assert not any("aux.xml" in each for each in messages)


def test_files_of_other_collections_are_not_reported(write, open_at, tmp_path):
    write("NDVI_20200101.tif")
    write("LAI_20200101.tif")
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        "collections:\n"
        "  a: {source: {kind: cog, href: 'NDVI_*.tif'}, variables: {NDVI: {}}}\n"
        "  b: {source: {kind: cog, href: 'LAI_*.tif'}, variables: {LAI: {}}}\n"
    )

    assert found(open_at(file)) == []


def test_skipped_files_are_logged_at_the_start_and_printed_by_check(write, configure, tmp_path, caplog):
    write("NDVI_20200101.tif", "2020-01-01", "2020-01-11", "QA")
    file = configure("kind: cog, href: '{variable}_*.tif'")

    with caplog.at_level(logging.WARNING):
        create_app(Settings(config=file))
    printed = CliRunner().invoke(app, ["check", str(file)]).output
    in_folder = CliRunner().invoke(app, ["check", str(tmp_path)]).output

    line = "NDVI_20200101.tif: left out: band 3 (QA): the other bands are dates"
    assert line in caplog.text
    assert line in printed
    assert line in in_folder


def test_unserved_formats_of_a_folder_are_reported_at_the_start(write, tmp_path, caplog):
    write("NDVI_20200101.tif")
    (tmp_path / "MOD13.hdf").touch()

    with caplog.at_level(logging.WARNING):
        create_app(Settings(config=tmp_path))

    assert "MOD13.hdf: skipped: its format is not supported; convert it" in caplog.text


def test_quality_band_that_gdal_calls_alpha_masks_nothing_and_is_reported(configure, open_at, tmp_path):
    numbers = np.stack([SCENE.numbers(t) for t in range(4)])
    numbers[3, :, :20] = 0
    path = write_tif(tmp_path / "a_20200101.tif", numbers, SCENE, photometric="RGB", alpha="yes", nodata=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("RED", "GREEN", "NIR", "QA")
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3].name == "alpha"

    in_configuration = open_at(configure("kind: cog, href: 'a_*.tif'", "{RED: {}, GREEN: {}, NIR: {}}"))
    in_folder = open_at(tmp_path / "a_20200101.tif")

    assert [message for _severity, _place, message in found(in_configuration)] == [
        "bands 4 (QA) are not variables: name them with band: to serve them"
    ]
    assert "QA" in {layer.main_variable.name for layer in in_folder.services.catalogue.layers}
    pixels = in_configuration.services.readers["made"].read_cell("RED", indexes=[0], row=3, column=4)
    assert pixels.numbers == [SCENE.number(0, 3, 4)]
    assert pixels.valid is None


def test_arrays_that_are_skipped_for_one_reason_are_one_finding(open_at, tmp_path):
    angles = {name: (("tp_y", "tp_x"), np.zeros((3, 4), "f4")) for name in ("OAA", "OZA", "SAA")}
    save_netcdf(make_dataset(SCENE).assign(angles), tmp_path / "made.nc")

    (finding,) = open_at(tmp_path).findings

    assert finding.text == "made: OAA, OZA, SAA: its dimensions (tp_y, tp_x) are not a grid: x and y are missing"
