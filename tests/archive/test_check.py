"""Findings of `chronotile check`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rasterio.shutil import copy

from chronotile.archive import check as checking
from chronotile.archive.check import check_archive
from tests.scenes import Scene, make_dataset, save_zarr, write_cogs, write_tif

SCENE = Scene()
TIME_PATTERN = r"_(?P<time>\d{8})"


@pytest.fixture
def check(open_at):
    """Return `check(place)`: severity and message of each finding."""

    def find(place: Path) -> list[tuple[str, str]]:
        return [(finding.severity, finding.message) for finding in check_archive(open_at(place))]

    return find


def test_good_files_have_no_findings(check, tmp_path):
    write_cogs(tmp_path, SCENE)

    assert check(tmp_path) == []


def test_times_in_the_future_are_found(check, tmp_path):
    write_cogs(tmp_path, replace(SCENE, days=("2020-01-01", "2090-01-01")))

    ((severity, message),) = check(tmp_path)

    assert severity == "warning"
    assert "2090-01-01" in message


def test_missing_nodata_is_reported_once_for_all_bands(check, tmp_path):
    write_tif(tmp_path / "a.tif", np.stack([SCENE.numbers(0)] * 4), SCENE, nodata=None, photometric="MINISBLACK")

    assert [severity for severity, message in check(tmp_path) if "nodata" in message] == ["note"]


def test_slow_source_is_read_in_part_and_reported(check, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "MAX_READ_S", -1.0)
    write_tif(tmp_path / "a.tif", np.stack([SCENE.numbers(0)] * 4), SCENE, photometric="MINISBLACK")

    ((severity, message),) = check(tmp_path)

    assert (severity, message.partition(", in")[0]) == ("note", "only pixels of the first 1 of 4 variables were read")


def test_absence_of_valid_values_is_found(check, tmp_path):
    write_tif(tmp_path / "a.tif", np.full((30, 40), 255, dtype="uint8"), SCENE)

    ((severity, message),) = check(tmp_path)

    assert severity == "warning"
    assert message == "no value is valid in the sampled times; all sampled cells of the newest time are nodata (255)"


def test_invalid_values_advise_to_compare_nodata(check, tmp_path):
    dataset = make_dataset(SCENE)
    for variable in dataset.data_vars.values():
        variable.attrs["valid_range"] = np.array([300, 301], dtype="int16")
    dataset.to_netcdf(tmp_path / "a.nc")

    messages = [message for _severity, message in check(tmp_path)]

    assert "no value is valid in the sampled times; compare nodata with the files" in messages


def test_dates_without_classes_of_clear_pixels_are_a_note(check, tmp_path):
    classes = replace(SCENE, scale=1.0, offset=0.0)
    for t, day in enumerate(("20200101", "20200111", "20200121")):
        write_tif(tmp_path / f"{day}_NDVI.tif", SCENE.numbers(t), SCENE)
        write_tif(tmp_path / f"{day}_SCL.tif", SCENE.numbers(t) % 12, classes)
    (tmp_path / "20200111_SCL.tif").unlink()

    notes = [finding for finding in check(tmp_path) if "clear" in finding[1]]

    assert notes == [
        ("note", "its clear pixels are unknown at 1 of 3 dates, without data of SCL: 2020-01-11T00:00:00Z")
    ]


def test_damaged_pixels_are_an_error(check, tmp_path):
    path = write_tif(tmp_path / "a.tif", np.random.default_rng(1).integers(0, 250, (512, 512), "uint8"), SCENE)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(4096))
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text("collections: {a: {source: {kind: cog, href: a.tif}}}")

    ((severity, message),) = check(configuration)

    assert severity == "error"
    assert message.startswith("its pixels cannot be read: a.tif: ")


@pytest.mark.parametrize("is_named", [True, False], ids=["configured", "discovered"])
@pytest.mark.parametrize("nodata", ["", "<NoDataValue>0</NoDataValue>"], ids=["plain", "nodata"])
def test_missing_file_of_a_vrt_is_named_in_the_finding(open_at, tmp_path, nodata, is_named):
    source = '<SimpleSource><SourceFilename relativeToVRT="1">sub/gone.tif</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Byte" band="1">{nodata}{source}</VRTRasterBand>'
    place = "<SRS>EPSG:4326</SRS><GeoTransform>4, 0.1, 0, 51, 0, -0.1</GeoTransform>"
    (tmp_path / "a.vrt").write_text(f'<VRTDataset rasterXSize="9" rasterYSize="9">{place}{band}</VRTDataset>')
    write_tif(tmp_path / "b.tif", np.full((30, 40), 7, dtype="uint8"), SCENE)
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text("collections: {a: {source: {kind: cog, href: a.vrt}}}")

    archive = open_at(configuration if is_named else tmp_path)
    messages = [each.message for each in (*archive.findings, *check_archive(archive))]

    assert any("a.vrt names sub/gone.tif, which is missing" in each for each in messages), messages
    assert not any(str(tmp_path) in each for each in messages)


@pytest.fixture
def newest_damaged(tmp_path):
    """Return the scene's files, with zeros instead of the first compressed pixels of the newest; and its name."""
    write_cogs(tmp_path, SCENE)
    path = max(tmp_path.glob("*.tif"))
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes(1600) + content[1608:])
    return path.name


@pytest.mark.parametrize(("bounds", "warnings"), [("[0, 1]", 0), ("[100, 200]", 1)])
def test_damaged_newest_file_is_reported_once_and_values_of_others_are_checked(
    check, tmp_path, newest_damaged, bounds, warnings
):
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{a: {{source: {{kind: cog, href: '*.tif', time_pattern: '{TIME_PATTERN}'}}, "
        f"variables: {{NDVI: {{styles: [viridis], range: {bounds}}}}}}}}}"
    )

    found = check(configuration)

    (damage,) = [message for severity, message in found if severity == "error"]
    assert damage.startswith("the file is damaged: ")
    assert damage.endswith("; copy it or make it again")
    assert [severity for severity, message in found if "outside the range of its style" in message] == [
        "warning"
    ] * warnings


def test_damaged_overview_of_the_only_file_is_an_error(check, tmp_path):
    numbers = np.random.default_rng(1).integers(0, 250, (2048, 2048), "uint8")
    path = write_tif(tmp_path / "a.tif", numbers, SCENE, overviews=(2,), blockxsize=256, blockysize=256)
    with path.open("r+b") as file:  # overviews come last
        file.seek(-400_000, 2)
        file.write(bytes(200_000))
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text("collections: {a: {source: {kind: cog, href: a.tif}}}")

    assert [severity for severity, message in check(configuration) if "a.tif: " in message] == ["error"]


@pytest.mark.parametrize("source", ["folder", "configuration"])
def test_truncated_file_among_good_ones_is_named(open_at, tmp_path, source):
    write_cogs(tmp_path, replace(SCENE, days=("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04")))
    path = tmp_path / "NDVI_20200102.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{a: {{source: {{kind: cog, href: '*.tif', time_pattern: '{TIME_PATTERN}'}}}}}}"
    )

    archive = open_at({"folder": tmp_path, "configuration": configuration}[source])
    findings = [*archive.findings, *check_archive(archive)]

    assert [path.name in finding.place for finding in findings if finding.severity == "error"] == [True]


def test_newest_file_that_is_cut_short_is_one_finding(open_at, tmp_path):
    numbers = np.random.default_rng(1).integers(0, 250, (600, 600), "uint8")
    for day in range(1, 4):
        copy(write_tif(tmp_path / "source", numbers, SCENE), tmp_path / f"NDVI_2020010{day}.tif", driver="COG")
    path = tmp_path / "NDVI_20200103.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{a: {{source: {{kind: cog, href: 'N*.tif', time_pattern: '{TIME_PATTERN}'}}}}}}"
    )

    findings = list(check_archive(open_at(configuration)))

    assert [each.place for each in findings if each.severity == "error"] == ["a: NDVI_20200103.tif"]


@pytest.mark.parametrize(("flags", "places"), [("", ["style mine"]), ("flags: {251: masked}", [])])
def test_style_that_colours_a_flag_of_no_variable_is_found(open_at, tmp_path, flags, places):
    write_cogs(tmp_path, SCENE)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "mine.yaml").write_text('ramp: {0: "#000", 250: "#fff"}\nflags: {masked: "#888"}\n')
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{a: {{source: {{kind: cog, href: '*.tif', time_pattern: '{TIME_PATTERN}'}}, "
        f"variables: {{NDVI: {{styles: [mine], {flags}}}}}}}}}"
    )

    found = [each for each in check_archive(open_at(configuration)) if "flags" in each.message]

    assert [each.place for each in found] == places
    assert all(each.message.startswith("colours the flags masked, which no variable has") for each in found)


def test_file_without_its_last_block_is_named(open_at, tmp_path):
    source = write_tif(tmp_path / "source", np.random.default_rng(1).integers(0, 250, (1200, 1200), "uint8"), SCENE)
    for day in range(1, 6):
        copy(source, tmp_path / f"NDVI_2020010{day}.tif", driver="COG")
    path = tmp_path / "NDVI_20200102.tif"
    path.write_bytes(path.read_bytes()[:-200])

    findings = list(check_archive(open_at(tmp_path)))

    assert [finding.place for finding in findings if "is damaged" in finding.message] == ["ndvi: NDVI_20200102.tif"]


def test_files_that_are_not_looked_into_are_counted(check, tmp_path, monkeypatch):
    monkeypatch.setattr("chronotile.readers.raster.findings.MAX_FILES", 2)
    write_cogs(tmp_path, SCENE)

    assert check(tmp_path) == [
        ("note", f"of {len(SCENE.days)} files the first {len(SCENE.days) - 2} by name were not inspected")
    ]


@pytest.mark.parametrize(("overviews", "count"), [((), 1), ((2,), 0)])
def test_large_raster_without_overviews_is_found(check, tmp_path, monkeypatch, overviews, count):
    monkeypatch.setattr(checking, "LARGE_PX", 1000)
    write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, overviews=overviews)

    assert sum("overviews" in message for _severity, message in check(tmp_path)) == count


@pytest.mark.parametrize(
    ("profile", "count"),
    [({"tiled": False, "blockysize": 1}, 1), ({"tiled": True, "blockxsize": 256, "blockysize": 256}, 0)],
    ids=["strips", "tiles"],
)
def test_large_raster_in_strips_is_found(check, tmp_path, profile, count):
    profile = {"blockxsize": 1100} | profile
    write_tif(tmp_path / "a.tif", np.zeros((1100, 1100), dtype="uint8"), SCENE, **profile)

    assert sum("whole rows" in message for _severity, message in check(tmp_path)) == count


def test_large_chunks_of_a_zarr_store_are_found(check, tmp_path):
    scene = replace(SCENE, width=2048, height=2048)
    save_zarr(make_dataset(scene), tmp_path / "cube.zarr", NDVI={"chunks": (5, 2048, 2048)})

    assert [severity for severity, message in check(tmp_path) if "chunks of 5 x 2048 x 2048" in message] == ["warning"]


def test_unserved_files_beyond_the_sample_are_errors(open_at, tmp_path, monkeypatch):
    monkeypatch.setattr("chronotile.readers.raster.survey.MAX_FILES", 3)
    for day in range(1, 7):
        dtype = "float32" if day == 5 else "uint8"
        write_tif(tmp_path / f"NDVI_202001{day:02}.tif", SCENE.numbers(0).astype(dtype), SCENE)

    found = [each for each in check_archive(open_at(tmp_path)) if "is not served of it" in each.message]

    assert [(each.severity, each.place) for each in found] == [("error", "ndvi: NDVI_20200105.tif")]
    assert "its numbers are float32 * 0.004 - 0.08, nodata 255, which uint8 * 0.004 - 0.08" in found[0].message
