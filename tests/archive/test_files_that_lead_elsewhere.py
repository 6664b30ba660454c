"""A file that refers to others is not served under any name; one with missing references is an error, not a hole."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.check import check_archive
from chronotile.archive.discovery.vrt_targets import place_outside
from chronotile.readers.netcdf import hdf5
from tests.archive.series import series_at
from tests.rasters import write_raster

NUMBERS = np.arange(600.0, dtype="float32").reshape(20, 30)
WEST, NORTH, CELL = 500_000, 5_000_000, 10
WMS = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${z}/${x}/${y}.png</ServerUrl></Service><DataWindow>'
    "<UpperLeftX>0</UpperLeftX><UpperLeftY>9</UpperLeftY><LowerRightX>9</LowerRightX><LowerRightY>0</LowerRightY>"
    "<SizeX>9</SizeX><SizeY>9</SizeY></DataWindow><Projection>EPSG:3857</Projection></GDAL_WMS>"
)


def write(path, numbers=NUMBERS, *, west=WEST, nodata=-1, cell=CELL):
    write_raster(path, numbers, transform=Affine(cell, 0, west, 0, -cell, NORTH), nodata=nodata)
    return path


def write_vrt_of(source, path):
    """A VRT of one file, under any name."""
    made = path.with_name("made.vrt")
    rasterio.shutil.copy(source, made, driver="VRT")
    made.rename(path)


def overview_of(_outside, path):
    write(path)
    write_vrt_of(write(path.parent.parent / "half.tif", NUMBERS[::2, ::2], cell=20), path.with_name("odd.tif.ovr"))


def mask_of(outside, path):
    write(path)
    write_vrt_of(outside, path.with_name("odd.tif.msk"))


def named_overview(outside, path):
    with rasterio.open(write(path), "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(outside))


ODD = {
    "a VRT": (write_vrt_of, "as its name says"),
    "a web service": (lambda _outside, path: path.write_text(WMS), "as its name says"),
    "an empty file": (lambda _outside, path: path.write_bytes(b""), "it is empty"),
    "a VRT as overview": (overview_of, "odd.tif.ovr next to it is not a TIFF"),
    "a VRT as mask": (mask_of, "odd.tif.msk next to it is not a TIFF"),
    "metadata": (named_overview, "its metadata name another file for its overviews"),
}


@pytest.mark.parametrize("case", ODD)
def test_raster_that_leads_out_of_its_folder_is_skipped(case, open_at, tmp_path):
    make, reason = ODD[case]
    data = tmp_path / "data"
    data.mkdir()
    write(data / "good.tif")
    make(write(tmp_path / "outside.tif", NUMBERS + 1000), data / "odd.tif")

    archive = open_at(data)

    assert [each.id for each in archive.services.catalogue.layers] == ["good.band1"]
    assert [each.place for each in archive.findings if reason in each.message] == ["odd.tif"]


def test_a_vrt_by_another_name_among_dates_is_unreadable(open_at, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for day in (1, 2, 3):
        write(data / f"a_2020010{day}.tif")
    archive = open_at(data)
    (data / "a_20200102.tif").unlink()
    write_vrt_of(write(tmp_path / "outside.tif", NUMBERS + 1000), data / "a_20200102.tif")

    answer = series(archive, "a.band1", column=4)

    assert answer["values"] == [34, None, 34]
    assert answer["reasons"] == [None, "unreadable", None]
    assert str(tmp_path) not in str(answer)


@pytest.mark.parametrize(
    "make", [write_vrt_of, lambda _outside, path: path.write_text(WMS)], ids=["VRT", "web service"]
)
def test_a_name_of_no_raster_in_a_configuration_leads_nowhere_either(make, open_at, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    rasterio.shutil.copy(write(tmp_path / "made.tif"), data / "a_20200101.img", driver="HFA")
    write(data / "a_20200103.img")
    make(write(tmp_path / "outside.tif", NUMBERS + 1000), data / "a_20200102.img")
    place = tmp_path / "chronotile.yaml"
    place.write_text(
        "collections: {a: {source: {kind: cog, href: 'data/a_*.img', time_pattern: '_(?P<time>\\d{8})'}, "
        "variables: {v: {band: 1}}}}"
    )

    archive = open_at(place)

    assert series(archive, "a.v", column=4)["values"] == [34, 34]
    assert [each.place for each in archive.findings if "which is not served: convert it" in each.message] == [
        "a: a_20200102.img"
    ]


def series(archive, layer, *, column):
    """Return the series of row 1 at a column."""
    place = {"x": WEST + CELL * (column + 0.5), "y": NORTH - CELL * 1.5, "crs": "EPSG:32633"}
    return series_at(archive, layer, **place)


def write_mosaic(path, sources, nodata):
    """A VRT of files side by side."""
    height, width = NUMBERS.shape
    parts = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{source}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SourceProperties RasterXSize="{width}" RasterYSize="{height}" DataType="Float32" BlockXSize="{width}" '
        f'BlockYSize="{height}"/><SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
        f'<DstRect xOff="{number * width}" yOff="0" xSize="{width}" ySize="{height}"/></SimpleSource>'
        for number, source in enumerate(sources)
    )
    fill = "" if nodata is None else f"<NoDataValue>{nodata}</NoDataValue>"
    path.write_text(
        f'<VRTDataset rasterXSize="{len(sources) * width}" rasterYSize="{height}"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>{WEST},{CELL},0,{NORTH},0,-{CELL}</GeoTransform>"
        f'<VRTRasterBand dataType="Float32" band="1">{fill}{parts}</VRTRasterBand></VRTDataset>'
    )


@pytest.fixture(params=[-1, None], ids=["nodata", "no nodata"])
def mosaics(request, tmp_path, open_at):
    """Return an archive of three dates, each a VRT of two files, and the path of the right file of the second date."""
    data = tmp_path / "data"
    (data / "src").mkdir(parents=True)
    for day in (1, 2, 3):
        names = [f"src/{side}{day}.tif" for side in ("left", "right")]
        for number, name in enumerate(names):
            write(data / name, NUMBERS + 1000 * number + day, west=WEST + 300 * number, nodata=request.param)
        write_mosaic(data / f"ndvi_2020010{day}.vrt", names, request.param)
    return open_at(data), data / "src" / "right2.tif"


def test_a_file_that_a_vrt_lacks_is_unreadable_and_no_hole(mosaics):
    archive, missing = mosaics
    assert series(archive, "ndvi.ndvi", column=4)["values"] == [35, 36, 37]
    kept = missing.read_bytes()
    missing.unlink()

    for _ in range(3):
        answer = series(archive, "ndvi.ndvi", column=34)
        assert answer["values"] == [1035, None, 1037]
        assert answer["reasons"] == [None, "unreadable", None]
        assert series(archive, "ndvi.ndvi", column=4)["values"] == [35, 36, 37]
    with TestClient(application(archive.services)) as client:
        for _ in range(2):
            answers = [
                client.get("/ogcapi/collections/ndvi/coverage", params={"datetime": f"2020-01-0{day}", "f": "covjson"})
                for day in (1, 2)
            ]
            assert [each.status_code for each in answers] == [200, 503]

    missing.write_bytes(kept)
    answers = [series(archive, "ndvi.ndvi", column=34) for _ in range(3)]
    assert [1035, 1036, 1037] in [each["values"] for each in answers]
    assert {each["reasons"][1] for each in answers} <= {None, "unreadable"}


def test_check_names_a_vrt_that_lacks_a_file(mosaics):
    archive, missing = mosaics
    missing.unlink()

    for _ in range(2):
        found = {each.place: each.message for each in check_archive(archive)}
        assert "the file is damaged: " in found["ndvi: ndvi_20200102.vrt"]


@pytest.mark.slow
def test_messages_of_gdal_about_missing_files_do_not_reach_the_terminal(tmp_path):
    for day in (1, 2):
        rasterio.shutil.copy(write(tmp_path / "a.tif"), tmp_path / f"b_2020010{day}.vrt", driver="VRT")
    (tmp_path / "a.tif").rename(tmp_path / "good.tif")
    run = "import sys; from chronotile.cli.main import main; sys.argv = ['chronotile', 'layers', sys.argv[1]]; main()"

    ran = subprocess.run([sys.executable, "-c", run, str(tmp_path)], capture_output=True, text=True, check=True)

    assert "good.band1" in ran.stdout
    assert "ERROR 4" not in ran.stderr


def test_vrt_of_an_unsupported_hdf5_file_leads_out(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = NUMBERS
    write_mosaic(tmp_path / "a.vrt", ["a.h5"], None)

    assert place_outside(tmp_path / "a.vrt", tmp_path) == "a.h5"


def linked(file, outside):
    del file["v"]
    file["v"] = h5py.ExternalLink(str(outside), "v")


def virtual(file, outside):
    del file["v"]
    layout = h5py.VirtualLayout((3, 4), "f8")
    layout[:] = h5py.VirtualSource(str(outside), "v", shape=(3, 4))
    placed(file, file.create_virtual_dataset("v", layout, fillvalue=-5))


def stored_outside(file, outside):
    del file["v"]
    placed(file, file.create_dataset("v", (3, 4), "f8", external=[(str(outside), 0, 96)]))


def placed(file, dataset):
    for number, dim in enumerate(("lat", "lon")):
        dataset.dims[number].attach_scale(file[dim])


@pytest.mark.parametrize("make", [linked, virtual, stored_outside])
def test_netcdf_file_with_its_data_in_another_is_skipped(make, open_at, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    places = {"lat": [50.0, 49, 48], "lon": [1.0, 2, 3, 4]}
    made = xr.Dataset({"v": (("lat", "lon"), np.arange(12.0).reshape(3, 4))}, coords=places)
    for path in (tmp_path / "outside.nc", data / "good.nc", data / "odd.nc"):
        made.to_netcdf(path, engine="h5netcdf")
    with h5py.File(data / "odd.nc", "a") as file:
        make(file, tmp_path / "outside.nc")

    archive = open_at(data)

    assert [each.id for each in archive.services.catalogue.layers] == ["good.v"]
    assert [each.place for each in archive.findings if "v is in another file" in each.message] == ["odd.nc"]
