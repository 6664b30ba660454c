"""Served data compared with their sources, read independently: the audit finds only deliberate changes."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from typer.testing import CliRunner

from chronotile.archive.open import open_archive
from chronotile.audit import archive as auditing
from chronotile.audit.archive import Audit, audit_archive
from chronotile.cli.main import app
from chronotile.core.model.time.instants import system_clock
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.odd_archives.safe import SafeProduct
from tests.older_cubes import optimise_in_format_1
from tests.scenes import KINDS, Scene, write_cogs, write_scene, write_tif
from tests.strict import folders_with_rasters

SCENE = Scene(days=tuple(f"2020-01-{day:02}" for day in range(1, 8)))
CONFIG = """
service: {{title: Audit}}
collections:
  scenes:
    source: {{kind: {kind}, href: "{href}"{more}}}
    variables: {variables}
"""


@pytest.fixture
def audited():
    """Return `audited(place)`: the lines of an audit, and its counts."""

    def audited(place, *, samples=50):
        archive = open_archive(Path(place), environment={}, clock=system_clock)
        found = Audit(seed=1)
        lines = list(audit_archive(archive, found, samples=samples))
        archive.close()
        return lines, found

    return audited


@pytest.fixture
def configured(tmp_path):
    """Return `configured(kind, href, more, variables)`: a configuration of one collection."""

    def write(kind, href, more="", variables="{NDVI: {}}"):
        place = tmp_path / "chronotile.yaml"
        place.write_text(CONFIG.format(kind=kind, href=href, more=more, variables=variables))
        return place

    return write


@pytest.fixture
def pair(tmp_path, configured):
    """Files of two variables with their series in a cube: the configuration, and the cube."""
    for name, shift in (("RED", 0), ("NIR", 90)):
        for index, day in enumerate(SCENE.days):
            scene = Scene(days=SCENE.days, shift=shift)
            write_tif(tmp_path / f"{name}_{day.replace('-', '')}.tif", scene.numbers(index), scene, overviews=(2,))
    files = sorted(map(str, tmp_path.glob("*.tif")))
    cube = tmp_path / "series.zarr"
    optimise(files, cube, Options(layout="series", block=4, threads=1))
    href = tmp_path / "{variable}_*.tif"
    return configured("cog", href, f', series: "{cube}"', "{RED: {}, NIR: {}}"), cube


def one_value(series):
    series["RED"][3, 7, 11] += 1


def another_scale(series):
    series["NIR"][2] = np.minimum(series["NIR"][2].astype(int) * 2, 250).astype("uint8")


def swapped_bands(series):
    red, nir = series["RED"][4], series["NIR"][4]
    series["RED"][4], series["NIR"][4] = nir, red


def shifted_date(series):
    series["RED"][1:5] = series["RED"][0:4]


def other_nodata(series):
    numbers = series["RED"][:]
    series["RED"][:] = np.where(numbers == 255, 254, numbers)


def test_unchanged_archive_has_no_mismatch(audited, pair):
    lines, found = audited(pair[0])

    assert lines == []
    assert found.compared == found.total == 2 * 2 * SCENE.cube().size
    assert found.summary().startswith("0 mismatches: 2 variables audited, 0 not audited; ")


@pytest.mark.quick_cases("one_value", "shifted_date")
@pytest.mark.parametrize("change", [one_value, another_scale, swapped_bands, shifted_date, other_nodata])
def test_change_in_a_serving_cube_is_found(audited, pair, change):
    place, cube = pair
    change(zarr.open_group(cube, mode="a"))

    lines, found = audited(place)

    assert found.mismatches > 0
    assert "series has" in lines[0]


@pytest.mark.parametrize(
    ("write", "layout"),
    [(optimise, ""), (optimise, "series"), (optimise_in_format_1, "0"), (optimise_in_format_1, "series")],
    ids=["maps", "series", "maps of format 1", "series of format 1"],
)
def test_layouts_of_a_cube_without_sources_are_compared_with_each_other(audited, configured, tmp_path, write, layout):
    source = write_cogs(tmp_path, SCENE)
    cube = tmp_path / "cube.zarr"
    write([source.href], cube, Options(layout="both", block=4, threads=1))
    place = configured("zarr", cube)
    before, _found = audited(place)
    zarr.open_group(cube / layout, mode="a")["NDVI"][3, 7, 11] += 1

    lines, found = audited(place)

    assert before == []
    assert found.mismatches == len(lines) == 1
    assert "2020-01-04T00:00:00Z, row 7 column 11" in lines[0]


def test_served_date_missing_from_the_source_is_found(audited, configured, tmp_path):
    source = write_cogs(tmp_path, SCENE)
    cube = tmp_path / "cube.zarr"
    optimise([source.href], cube, Options(layout="series", block=4, threads=1))
    place = configured("cog", source.href, f', series: "{cube}"')
    archive = open_archive(place, environment={}, clock=system_clock)
    file = next(each for each in tmp_path.rglob("*20200104*.tif"))
    file.rename(file.with_name(file.name.replace("20200104", "20200109")))
    found = Audit(seed=1)

    lines = list(audit_archive(archive, found, samples=5))
    archive.close()

    assert lines[0] == "scenes.NDVI, 2020-01-04T00:00:00Z: served, but its source has no such date"
    assert found.mismatches >= 1


def test_a_line_names_layer_date_cell_and_both_values(audited, pair):
    place, cube = pair
    one_value(zarr.open_group(cube, mode="a"))

    lines, found = audited(place)

    number = SCENE.number(3, 7, 11)
    values = [round(float(each) * SCENE.scale + SCENE.offset, 3) for each in (number + 1, number)]
    assert (
        f"scenes.RED, 2020-01-04T00:00:00Z, row 7 column 11: series has {values[0]:g}, source has {values[1]:g}"
        in lines
    )
    assert found.mismatches >= 1


def test_large_sources_are_sampled_and_the_share_is_reported(audited, pair, monkeypatch):
    monkeypatch.setattr(auditing, "ALL_CELLS", 1)
    monkeypatch.setattr(auditing, "BLOCK_SIDE", 8)

    _lines, found = audited(pair[0], samples=8)

    assert 0 < found.compared < found.total
    assert found.mismatches == 0
    assert "%" in found.summary()


@pytest.mark.quick_cases("zarr-v3", "cog")
@pytest.mark.parametrize("kind", KINDS)
def test_sources_of_all_kinds_agree_with_rasterio_and_xarray(audited, configured, tmp_path, kind):
    spec = write_scene(kind, tmp_path, SCENE)

    lines, found = audited(configured(spec.kind, spec.href))

    assert (lines, found.mismatches) == ([], 0)
    assert found.compared >= SCENE.cube().size


def test_products_in_folders_and_zip_files_agree_with_gdal(audited, tmp_path):
    SafeProduct().write(tmp_path)
    SafeProduct(sensed="20220105T101401", baseline="04.00", offset=-1000).write_zip(tmp_path / "2022")

    lines, counts = audited(tmp_path)

    assert (lines, counts.mismatches) == ([], 0)
    assert counts.samples == 18


def test_configuration_overrides_the_file(audited, configured, tmp_path):
    spec = write_cogs(tmp_path, SCENE)

    lines, found = audited(configured("cog", spec.href, variables="{NDVI: {scale: 0.5, offset: 3, nodata: 7}}"))

    assert (lines, found.mismatches) == ([], 0)


def test_described_bands_in_another_order_have_no_mismatch_under_a_number(audited, configured, tmp_path):
    order = ("RED", "NIR")
    for index, day in enumerate(SCENE.days[:3]):
        names = order if index else order[::-1]
        bands = np.stack([Scene(days=SCENE.days, shift=90 * order.index(name)).numbers(index) for name in names])
        path = write_tif(tmp_path / f"s2_{day.replace('-', '')}.tif", bands, SCENE)
        with rasterio.open(path, "r+") as file:
            file.descriptions = names

    lines, found = audited(configured("cog", tmp_path / "*.tif", variables="{RED: {band: 1}, NIR: {band: 2}}"))

    assert (lines, found.mismatches) == ([], 0)
    assert found.compared >= 2 * SCENE.cube()[:3].size


def test_masks_and_formulas_over_masked_variables_are_audited(audited, configured, pair, tmp_path):
    variables = '{RED: {mask: {variable: NIR, keep: [100, 101, 102]}}, NIR: {}, SUM: {formula: "RED + NIR"}}'

    lines, found = audited(configured("cog", tmp_path / "{variable}_*.tif", variables=variables))

    assert (lines, found.mismatches) == ([], 0)
    assert found.layers == ["scenes.RED", "scenes.NIR", "scenes.SUM"]


def test_the_command_exits_with_1_at_a_mismatch(pair):
    place, cube = pair
    good = CliRunner().invoke(app, ["audit", str(place), "--seed", "3"])
    one_value(zarr.open_group(cube, mode="a"))

    bad = CliRunner().invoke(app, ["audit", str(place), "--samples", "10"])

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "(seed 3)" in good.stdout
    assert "series has" in bad.stdout


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", folders_with_rasters())
def test_shared_data_equal_their_files(audited, shared_data, name):
    _lines, found = audited(shared_data / name, samples=1000)

    assert found.is_right
    assert found.compared > 10_000
