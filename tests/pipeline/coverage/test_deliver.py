"""Coverages as files: delivered ones and refused ones."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import orjson
import pytest
import rasterio
import xarray as xr
import zarr
from PIL import Image

from chronotile.catalog.limits import Limits
from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    SourceUnavailable,
    StorageFull,
    UnsupportedFormat,
)
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.style import Colour, StyleClass
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, Conditions, deliver_coverage
from chronotile.pipeline.encoders.bodies import MAX_STREAMED
from tests.protocols import served

ONE_DAY = CoverageRequest(layers=("NDVI",), time=parse_time("2020-06-01"))
ALL = CoverageRequest(layers=("NDVI",))
SHAPE = (served.BELGIUM_31N.height, served.BELGIUM_31N.width)


@pytest.fixture
def services():
    return served.make_services()


def delivered(*given, **more):
    """Return the delivery after closing its body."""
    delivery = deliver_coverage(*given, **more)
    delivery.body.close()
    return delivery


def bytes_of(delivery):
    body = b"".join(delivery.body.iter_bytes())
    delivery.body.close()
    return body


def formula(time):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return served.number_at(rows, columns, time)


def as_geotiff(body, _folder):
    with rasterio.MemoryFile(body) as file, file.open() as dataset:
        return dataset.read(1)


def as_netcdf(body, _folder):
    with xr.open_dataset(io.BytesIO(body), engine="h5netcdf", mask_and_scale=False) as dataset:
        return dataset["NDVI"].values[0]


def as_zarr(body, folder):
    (folder / "coverage.zarr.zip").write_bytes(body)
    with zarr.storage.ZipStore(folder / "coverage.zarr.zip", mode="r") as store:
        return xr.open_zarr(store, mask_and_scale=False)["NDVI"].values[0]


def as_covjson(body, _folder):
    listed = orjson.loads(body)["ranges"]["NDVI"]
    numbers = np.array(listed["values"], dtype=np.float64).reshape(listed["shape"])[0]
    return np.where(np.isnan(numbers), served.NODATA, numbers)


def as_png(body, _folder):
    return np.asarray(Image.open(io.BytesIO(body)))


OPENED = {"GTiff": as_geotiff, "NetCDF": as_netcdf, "zarr": as_zarr, "json": as_covjson, "png": as_png}


@pytest.mark.parametrize(("name", "opened"), OPENED.items(), ids=OPENED)
def test_file_holds_the_numbers_of_the_source(name, opened, services, tmp_path):
    delivery = deliver_coverage(ONE_DAY, name, services)

    np.testing.assert_array_equal(opened(bytes_of(delivery), tmp_path), formula(1))


@pytest.mark.parametrize("name", ["GTiff", "NetCDF", "zarr"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "uint64"])
def test_numbers_without_room_for_nodata_get_a_larger_type(dtype, name, tmp_path):
    layer = served.make_layer(variable=served.make_variable("NDVI", dtype=dtype, nodata=None))
    services = served.make_services(served.make_collection(layer))

    delivery = deliver_coverage(ONE_DAY, name, services)

    np.testing.assert_array_equal(OPENED[name](bytes_of(delivery), tmp_path), formula(1))


@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_same_coverage_gives_the_same_bytes(name, services):
    first, second = (deliver_coverage(ONE_DAY, name, services) for _ in range(2))

    assert first.etag == second.etag
    assert bytes_of(first) == bytes_of(second)


@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_matching_etag_reads_nothing(name, services):
    etag = delivered(ONE_DAY, name, served.make_services()).etag

    delivery = deliver_coverage(ONE_DAY, name, services, conditions=Conditions(client_etags=[etag]))

    assert (delivery.unchanged, delivery.etag, bytes_of(delivery)) == (True, etag, b"")
    assert services.readers["s2"].windows_read == []


def test_formats_have_separate_etags(services):
    etags = {delivered(ONE_DAY, name, services).etag for name in COVERAGE_FORMATS}

    assert len(etags) == len(COVERAGE_FORMATS)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"content": {"name": "LAI"}}, id="name"),
        pytest.param({"content": {"standard_name": "leaf_area_index"}}, id="standard name"),
        pytest.param({"content": {"classes": (StyleClass(1.0, Colour(0, 0, 0), "forest"),)}}, id="classes"),
        pytest.param({"title": {"": "Green"}}, id="title of the layer"),
        pytest.param({"abstract": {"": "How green plants are"}}, id="abstract"),
    ],
)
@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_metadata_of_a_field_change_the_etag(members, name):
    told = {"title": "NDVI", "is_categorical": True, "classes": (StyleClass(1.0, Colour(0, 0, 0), "water"),)}
    layer = served.make_layer(variable=replace(served.make_variable("NDVI"), **told))
    content = replace(layer.main_variable, **members.get("content", {}))
    changed = replace(layer, **{**members, "content": content})

    etags = {
        delivered(ONE_DAY, name, served.make_services(served.make_collection(each))).etag for each in (layer, changed)
    }

    assert len(etags) == 2


def test_licence_that_changes_changes_the_etag(services):
    licensed = served.make_services(served.make_collection(license="CC-BY-4.0"))

    etags = {delivered(ONE_DAY, "GTiff", each).etag for each in (services, licensed)}

    assert len(etags) == 2


NAMES = {
    "one day": ("GTiff", "2020-06-01", "s2_2020-06-01.tif"),
    "several days": ("NetCDF", "2020-06-01/2020-06-21", "s2_2020-06-01_2020-06-21.nc"),
    "zarr": ("zarr", "2020-06-01", "s2_2020-06-01.zarr.zip"),
    "json": ("json", "2020-06-01", "s2_2020-06-01.covjson"),
    "png": ("png", "2020-06-01", "s2_2020-06-01.png"),
}


@pytest.mark.parametrize(("name", "time", "expected"), NAMES.values(), ids=NAMES)
def test_file_is_named_by_collection_and_days(name, time, expected, services):
    asked = replace(ONE_DAY, time=parse_time(time))

    assert delivered(asked, name, services).file_name == expected


def test_file_name_is_plain(services):
    layer = served.make_layer(collection='Bossen "é"/..', variable=served.make_variable(times=served.NO_TIME))
    services = served.make_services(served.make_collection(layer))

    assert delivered(ALL, "png", services).file_name == "Bossen-...png"


def test_delivery_contains_place_and_time(services):
    delivery = deliver_coverage(ALL, "GTiff", services)

    assert (delivery.grid.height, delivery.grid.width) == SHAPE
    assert delivery.times.instants.tolist() == served.DEKADS.instants.tolist()
    assert delivery.body.size == len(bytes_of(delivery))


def test_size_of_a_streamed_answer_is_unknown(services):
    assert delivered(ALL, "zarr", services).body.size is None


@pytest.fixture
def held_by_slow_clients(services):
    """Return the maximum number of streamed bodies, all still unread."""
    bodies = [deliver_coverage(ALL, "zarr", services).body for _ in range(MAX_STREAMED)]
    yield bodies
    for body in bodies:
        body.close()


def test_answer_is_made_immediately_if_slow_clients_hold_the_memory(services, held_by_slow_clients):
    one_more = deliver_coverage(ALL, "zarr", services)

    assert [body.size for body in held_by_slow_clients] == [None] * MAX_STREAMED
    body = bytes_of(one_more)
    assert one_more.body.size == len(body)
    assert body == b"".join(held_by_slow_clients[0].iter_bytes())


def ended(body):
    b"".join(body.iter_bytes())


@pytest.mark.parametrize("let_go", [ended, lambda body: body.close()], ids=["sent", "broken off"])
def test_body_that_is_let_go_makes_room_for_another(let_go, services, held_by_slow_clients):
    let_go(held_by_slow_clients[0])

    assert delivered(ALL, "zarr", services).body.size is None


def test_body_that_cannot_be_begun_leaves_room_for_others(services):
    for _ in range(MAX_STREAMED):
        with pytest.raises(ClientGone):
            deliver_coverage(ALL, "zarr", services, is_active=lambda: False)

    assert delivered(ALL, "zarr", services).body.size is None


@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_parts_are_small(name):
    services = served.make_services(limits=Limits(max_series_values=10**9))

    delivery = deliver_coverage(ONE_DAY, name, services)
    sizes = [len(part) for part in delivery.body.iter_bytes()]
    delivery.body.close()

    assert max(sizes) <= 1 << 20


def test_unknown_format_is_refused_with_the_supported_ones(services):
    with pytest.raises(UnsupportedFormat, match="GTiff, NetCDF, zarr, json, png") as refused:
        deliver_coverage(ONE_DAY, "GIF", services)

    assert refused.value.locator == "f"


LIMITS = {
    "text": ("json", Limits(max_series_values=119_999), "max_series_values", 120_000),
    "picture": ("png", Limits(max_pixels=119_999), "max_pixels", 120_000),
}


@pytest.mark.parametrize(("name", "limits", "limit", "asked"), LIMITS.values(), ids=LIMITS)
def test_too_much_for_a_format_is_refused_unread(name, limits, limit, asked):
    services = served.make_services(limits=limits)

    with pytest.raises(LimitExceeded, match="GTiff, NetCDF or zarr") as refused:
        deliver_coverage(ONE_DAY, name, services)

    assert (refused.value.limit, refused.value.needed, refused.value.locator) == (limit, asked, "f")
    assert services.readers["s2"].windows_read == []


def test_png_of_several_times_names_datetime(services):
    with pytest.raises(InvalidParameter, match="these are 4") as refused:
        deliver_coverage(ALL, "png", services)

    assert refused.value.locator == "datetime"


@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_removed_source_is_reported_before_anything_is_sent(name):
    services = served.make_services(broken=["NDVI"])

    with pytest.raises(SourceUnavailable, match="NDVI"):
        deliver_coverage(ONE_DAY, name, services)


@pytest.mark.parametrize("name", COVERAGE_FORMATS)
def test_work_ends_when_the_client_leaves(name, services):
    with pytest.raises(ClientGone):
        deliver_coverage(ONE_DAY, name, services, is_active=lambda: False)

    assert services.readers["s2"].windows_read == []


FULL = """
import resource, sys
from chronotile.pipeline.encoders import scratch_files as scratch
from chronotile.core.errors import StorageFull
from chronotile.core.model.coverage import CoverageRequest
from chronotile.pipeline.coverage.deliver import Conditions, deliver_coverage
from tests.protocols import served

scratch.IN_MEMORY_BYTES = 1
services = served.make_services()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    deliver_coverage(CoverageRequest(layers=("NDVI",)), sys.argv[1], services)
except StorageFull as error:
    print(error.message)
"""
"""Limits the size of files of this process, with the errors of a full disk."""


@pytest.mark.slow
@pytest.mark.parametrize("room", [1, 20_000], ids=["at once", "half way"])
@pytest.mark.parametrize("name", ["GTiff", "NetCDF"])
def test_full_disk_is_reported_and_leaves_no_files(name, room, tmp_path):
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, name, str(room)],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == (
        "no disk space to write the file: File too large in the folder of temporary files (TMPDIR); "
        "request less, or try later\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["GTiff", "NetCDF"])
def test_missing_scratch_folder_is_reported(name, services, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr("chronotile.pipeline.encoders.scratch_files.IN_MEMORY_BYTES", 1)

    with pytest.raises(StorageFull, match="No such file or directory"):
        deliver_coverage(ALL, name, services)
