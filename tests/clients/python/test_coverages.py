"""Cubes and pictures, compared with the formula, the files and the server's answers."""

import sys
import warnings
from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
import xarray
from PIL import Image

from chronotile_client import ArchiveWarning, InvalidRequest, LimitExceeded, NotFound
from tests.protocols.served import BELGIUM_31N, DEKADS, number_at

BOX = (4.6, 50.8, 4.7, 50.85)


def expected_of(array):
    """Return the formula's numbers at the coordinates of an array."""
    inverse = ~BELGIUM_31N.transform
    columns = np.floor(inverse.a * array.x.values + inverse.c).astype(int)
    rows = np.floor(inverse.e * array.y.values + inverse.f).astype(int)
    times = [list(DEKADS.instants).index(time) for time in array.time.values]
    return np.stack([number_at(rows[:, np.newaxis], columns[np.newaxis, :], time) for time in times])


def test_cube_has_the_numbers_of_its_cells(archive):
    layer = archive.layers["NDVI"]

    cube = layer.cube(BOX, "2020-06")

    assert cube.dims == ("time", "y", "x")
    assert cube.shape[0] == 3
    np.testing.assert_array_equal(cube.values, expected_of(cube))
    assert 'EPSG",32631' in cube.spatial_ref.attrs["crs_wkt"].replace("ID[", "").replace("]", "")
    assert cube.attrs["layer"] == "NDVI"


def test_cube_can_be_coarser(recorded):
    cube = recorded.archive.layers["NDVI"].cube(BOX, "2020-06-11", scale_factor=4)

    assert dict(recorded.requests[-1].url.params)["scale-factor"] == "4"
    assert float(cube.x[1] - cube.x[0]) == pytest.approx(400)


def test_cube_beyond_a_limit_is_an_error_with_its_job(make_recorded):
    layer = make_recorded(max_coverage_bytes=1000).archive.layers["NDVI"]

    with pytest.raises(LimitExceeded) as caught:
        layer.cube(BOX)

    assert caught.value.limit == "max_coverage_bytes"
    assert caught.value.job["href"].endswith("/ogcapi/processes/export/execution")


def test_cube_of_a_time_that_is_not_there_names_the_nearest(archive):
    with pytest.raises(NotFound) as caught:
        archive.layers["NDVI"].cube(BOX, "2020-06-15")

    assert caught.value.nearest == ["2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]


def test_map_is_the_picture_of_the_server(recorded):
    picture = recorded.archive.layers["NDVI"].map(BOX, "2020-06-11", width=64)

    answer = recorded.client.get("/ogcapi/collections/NDVI/map?bbox=4.6,50.8,4.7,50.85&datetime=2020-06-11&width=64")
    assert picture.content == answer.content
    assert picture.times == ("2020-06-11T00:00:00Z",)
    assert picture.crs.endswith("/32631")
    assert picture.bbox == tuple(map(float, answer.headers["content-bbox"].split(",")))
    assert picture.image().size[0] == 64
    assert picture._repr_mimebundle_() == {"image/png": answer.content}


def test_map_in_a_style_and_a_format(archive, tmp_path):
    picture = archive.layers["NDVI"].map(BOX, "2020-06-11", style="reds", width=64, format="webp")

    saved = picture.save(tmp_path / "reds.webp")

    pixels = np.asarray(Image.open(saved).convert("RGB"))
    assert picture.media_type == "image/webp"
    assert pixels[..., 0].max() > 100
    assert pixels[..., 1:].max() < 60


def test_map_of_another_time_than_requested_is_warned_of(substituting):
    with pytest.warns(
        ArchiveWarning, match="shows 2020-06-11T00:00:00Z, which layer NDVI has for 2020-06-12"
    ) as warned:
        substituting.map(BOX, "2020-06-12", width=16)

    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "time",
    [
        np.datetime64("2020-06-01T00:00:00", "ns"), np.datetime64("2020-06-01T00", "h"), datetime(2020, 6, 1, 0, 0),
        "2020-06-01T00:00", "2020-06-01", np.datetime64("2020-05"),
    ],
    ids=str,
)  # fmt: skip
def test_map_of_the_requested_time_is_not_warned_of(archive, time):
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        picture = archive.layers["NDVI"].map(BOX, time, width=16)

    assert len(picture.times) == 1


@pytest.mark.parametrize("time", [np.datetime64("2020-06-12T00:00", "ns"), np.datetime64("2020-06-11T00:00:01", "s")])
def test_map_of_another_instant_is_warned_of(substituting, time):
    with pytest.warns(ArchiveWarning, match="shows 2020-06-11T00:00:00Z, which layer NDVI has for 2020-06-1"):
        substituting.map(BOX, time, width=16)


def test_slice_without_ends_is_all_times(archive):
    layer, every = archive.layers["NDVI"], slice(None, None)

    assert list(layer.times(every)) == list(layer.times()) == list(DEKADS.instants)
    assert list(layer.series((4.6, 50.8), time=every).index) == list(DEKADS.instants)
    assert list(layer.cube(BOX, every).time.values) == list(DEKADS.instants)
    assert len(layer.map(BOX, every, width=16).times) == len(DEKADS.instants)


def test_time_and_datetime_together_are_refused(archive):
    layer = archive.layers["NDVI"]

    with pytest.raises(ValueError, match="time and datetime are the same parameter"):
        layer.cube(BOX, "2020-05", datetime="2020-06")
    with pytest.raises(ValueError, match="time and datetime are the same input"):
        archive.process("histogram", layer=layer, time="2020-05", datetime="2020-06")
    assert layer.series((4.6, 50.8), datetime="2020-06").shape[0] == 3


def test_unknown_style_is_refused(archive):
    with pytest.raises(NotFound, match="accepted are steps, reds"):
        archive.layers["NDVI"].map(style="blues")


def test_box_outside_is_refused(archive):
    with pytest.raises((InvalidRequest, NotFound)) as caught:
        archive.layers["NDVI"].cube((10, 10, 11, 11))

    assert caught.value.parameter == "bbox"


@pytest.mark.slow
def test_cube_of_the_demo_equals_its_files(demo, ndvi_of_files):
    cube = demo.archive.layers["NDVI"].cube((4.4, 50.97, 4.43, 51.0), "2023-03/2023-09")

    expected = ndvi_of_files.sel(time=cube.time, y=cube.y, x=cube.x)
    assert cube.shape[0] == 21
    np.testing.assert_allclose(cube.values, expected.values, atol=1e-6)
    assert cube.attrs["units"] == expected.attrs["units"]


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["LAI", "NDVI"])
def test_cube_equals_the_netcdf_of_the_server(demo, layer):
    path = f"/ogcapi/collections/{layer}/coverage?bbox=4.4,50.97,4.43,51.0&datetime=2023-06&f=NetCDF"
    answer = demo.client.get(path)

    cube = demo.archive.layers[layer].cube((4.4, 50.97, 4.43, 51.0), "2023-06")

    expected = xarray.load_dataset(BytesIO(answer.content), engine="h5netcdf", decode_coords="all")[layer]
    attributes = {name: cube.attrs[name] for name in ("layer", "attribution")}
    xarray.testing.assert_identical(cube, expected.assign_attrs(attributes))
    assert cube.chunks is None


def test_cube_needs_no_extra_of_the_server(archive, monkeypatch):
    for library in ("h5netcdf", "h5py", "scipy"):
        monkeypatch.setitem(sys.modules, library, None)

    cube = archive.layers["NDVI"].cube(BOX, "2020-06-11")

    np.testing.assert_array_equal(cube.values, expected_of(cube))
