"""Content of a folder, and reasons for skipped files."""

import html
import os
from pathlib import Path

import h5py
import pytest

from chronotile.archive.discovery import walk as walking
from chronotile.archive.discovery.walk import walk
from chronotile.readers.kinds import kind_of_path


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names_of(folder: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_files_are_found_by_kind_in_folders_of_any_depth(tmp_path):
    touch(tmp_path, "a.tif", "b/c.TIFF", "b/d.jp2", "e.nc", "f.zarr/zarr.json", "f.zarr/c/0", "g.zarr.zip")

    found = walk(tmp_path)

    assert names_of(tmp_path, found.places["cog"]) == ["a.tif", "b/c.TIFF", "b/d.jp2"]
    assert names_of(tmp_path, found.places["netcdf"]) == ["e.nc"]
    assert names_of(tmp_path, found.places["zarr"]) == ["f.zarr", "g.zarr.zip"]
    assert found.findings == ()


@pytest.mark.parametrize("mark", [".zgroup", ".zmetadata", "zarr.json", ".zarray"])
def test_folder_with_metadata_of_zarr_is_a_store(tmp_path, mark):
    assert kind_of_path(touch(tmp_path, mark)).name == "zarr"


@pytest.mark.parametrize("name", ["a.json", "a.h5", "a.hdf"])
def test_pipes_are_not_read(tmp_path, name):
    os.mkfifo(tmp_path / name)

    assert walk(tmp_path).places == {}


def test_hidden_folders_and_side_files_are_passed_over_in_silence(tmp_path):
    touch(tmp_path, ".hidden", ".git/a.tif", "a.tif", "a.tif.aux.xml", "a.tif.ovr", "a.tfw", "a.prj")

    found = walk(tmp_path)

    assert names_of(tmp_path, found.places["cog"]) == ["a.tif"]
    assert found.findings == ()


def test_formats_that_hold_data_are_warnings(tmp_path):
    touch(tmp_path, "a.tif", "b.hdf", "c.zip", "d.csv")

    assert {each.place: each.severity for each in walk(tmp_path).findings} == {
        "b.hdf": "warning",
        "c.zip": "warning",
        "d.csv": "note",
    }


def test_grib_is_a_raster(tmp_path):
    touch(tmp_path, "a.grib", "b.grb2")

    assert names_of(tmp_path, walk(tmp_path).places["cog"]) == ["a.grib", "b.grb2"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".a.tif", "begins with a dot"),
        ("a.tif.ovr", "a raster that is missing here"),
        ("a.csv", "a table"),
        ("a.geojson", "features"),
        ("a.shp", "shapefile"),
        ("a.png", "is not georeferenced"),
        ("a.hdf", "convert it to GeoTIFF"),
        ("a.tar.gz", "unpack it"),
        ("a.yaml", "a configuration"),
        ("README", "neither raster, NetCDF nor Zarr"),
    ],
)
def test_skipped_file_is_reported_with_its_reason(tmp_path, name, reason):
    (finding,) = walk(touch(tmp_path, name)).findings

    assert finding.place == name
    assert reason in finding.message


def test_many_files_skipped_for_one_reason_are_one_line(tmp_path):
    (finding,) = walk(touch(tmp_path, *(f"{number}.csv" for number in range(9)))).findings

    assert finding.place == "9 files (.csv)"


def test_link_that_leads_back_is_followed_once(tmp_path):
    touch(tmp_path, "a.tif", "b/c.tif")
    (tmp_path / "b" / "back").symlink_to(tmp_path, target_is_directory=True)

    assert names_of(tmp_path, walk(tmp_path).places["cog"]) == ["a.tif", "b/c.tif"]


def test_too_deep_folders_are_reported(tmp_path):
    deep = "/".join("d" * (walking.MAX_DEPTH + 1))

    found = walk(touch(tmp_path, f"{deep}/a.tif"))

    assert found.places == {}
    assert "are skipped" in found.findings[0].message


def test_files_above_the_limit_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "MAX_FILES", 3)

    found = walk(touch(tmp_path, *(f"{number}.tif" for number in range(5))))

    assert len(found.places["cog"]) == 3
    assert "first 3 files" in found.findings[0].message


def write_vrt(path: Path, source: str, *, is_relative: bool = True) -> None:
    path.write_text(
        '<VRTDataset rasterXSize="40" rasterYSize="30"><SRS>EPSG:32631</SRS>'
        "<GeoTransform>500000,10,0,5650000,0,-10</GeoTransform><VRTRasterBand dataType='Int16' band='1'><SimpleSource>"
        f'<SourceFilename relativeToVRT="{is_relative:d}">{source}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


@pytest.mark.parametrize(
    ("source", "is_relative"),
    [
        ("/vsis3/bucket/a.tif", False),
        ("/vsicurl/https://127.0.0.1:9/a.tif", False),
        ("https://127.0.0.1:9/a.tif", True),
        ("../other/a.tif", True),
        ("a.tif", False),
        ("PG:host=127.0.0.1", True),
        ("inner.vrt", True),
        ("&lt;VRTDataset>&lt;SourceFilename>/a.tif&lt;/SourceFilename>&lt;/VRTDataset>", False),
    ],
)
def test_vrt_that_leads_out_of_the_folder_is_skipped(tmp_path, source, is_relative):
    folder = touch(tmp_path / "data", "a.tif")
    write_vrt(folder / "outer.vrt", source, is_relative=is_relative)
    if source == "inner.vrt":
        write_vrt(folder / "inner.vrt", "/vsis3/bucket/a.tif")

    found = walk(folder)

    assert names_of(folder, found.places["cog"]) == ["a.tif"]
    told = {each.place: each for each in found.findings}
    assert told.keys() == {path.name for path in folder.glob("*.vrt")}
    assert told["outer.vrt"].is_left_out
    assert told["outer.vrt"].path == (html.unescape(source) if source != "inner.vrt" else "/vsis3/bucket/a.tif")


def pointer(path: Path) -> None:
    path.write_text("<GDAL_WMS><Service name='TMS'/></GDAL_WMS>")


def linked(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["v"] = h5py.ExternalLink("/other.nc", "v")


@pytest.mark.parametrize(
    ("name", "source", "write"),
    [
        ("inner.tif", "inner.tif", lambda path: write_vrt(path, "/other.tif", is_relative=False)),
        ("inner.vrt", "inner.vrt", pointer),
        ("inner.img", "inner.img", pointer),
        ("inner.nc", 'NETCDF:"inner.nc":v', linked),
    ],
)
def test_vrt_of_a_file_that_leads_out_is_skipped(tmp_path, name, source, write):
    write(tmp_path / name)
    write_vrt(tmp_path / "outer.vrt", source)

    assert {each.place for each in walk(tmp_path).findings if each.is_left_out} == {"outer.vrt"}


@pytest.mark.parametrize("attribute", ['relativetovrt="1"', 'relativeToVRT="2"'])
def test_a_vrt_is_read_as_gdal_reads_its_attributes(tmp_path, attribute):
    folder = touch(tmp_path / "data", "a.tif")
    write_vrt(folder / "outer.vrt", "../a.tif")
    outer = (folder / "outer.vrt").read_text()
    (folder / "outer.vrt").write_text(outer.replace('relativeToVRT="1"', attribute))

    assert [each.path for each in walk(folder).findings if each.is_left_out] == ["../a.tif"]


def test_vrt_of_files_in_its_folder_is_a_raster(tmp_path):
    touch(tmp_path, "a.tif", "below/b.tif", "c 10:00.tif", "d.nc")
    write_vrt(tmp_path / "relative.vrt", "a.tif")
    write_vrt(tmp_path / "below" / "up.vrt", "../a.tif")
    write_vrt(tmp_path / "absolute.vrt", str(tmp_path / "below" / "b.tif"), is_relative=False)
    write_vrt(tmp_path / "colon.vrt", "c 10:00.tif")
    write_vrt(tmp_path / "nested.vrt", "relative.vrt")
    write_vrt(tmp_path / "subdataset.vrt", 'NETCDF:"d.nc":NDVI')

    found = walk(tmp_path)

    assert {path.name for path in found.places["cog"] if path.suffix == ".vrt"} == {
        *("relative.vrt", "up.vrt", "absolute.vrt", "colon.vrt", "nested.vrt", "subdataset.vrt")
    }
    assert found.findings == ()
