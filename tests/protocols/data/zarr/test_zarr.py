"""`/zarr`, over a formula: metadata, numbers, errors, ETags, and stores with changing dates."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served
from tests.zarr_stores import open_store

ROWS, COLUMNS = np.mgrid[:300, :400]
NUMBERS = np.stack([served.number_at(ROWS, COLUMNS, time) for time in range(4)])
FIELD_CHUNK = "/zarr/NDVI/NDVI/c/0/0/0"
LATER = served.days_of("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01")
LATE = served.days_of("2020-05-21", "2020-05-25", "2020-06-01", "2020-06-11", "2020-06-21")


def services_at(times, before=None, **encoding):
    """Return services of one layer with these times; they inherit the served axes of `before`."""
    variable = served.make_variable(times=times, **encoding)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))
    return services if before is None else replace(services, served_axes=before.served_axes)


def group_of(client, path="/zarr/NDVI"):
    answer = client.get(f"{path}/zarr.json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def revision_of(client):
    return group_of(client)["attributes"]["revision"]


def test_a_store_has_the_numbers_of_every_cell_and_date(client):
    dataset = open_store(client, "/zarr/NDVI", mask_and_scale=False)

    assert dataset["NDVI"].dtype == np.uint8
    assert np.array_equal(dataset["NDVI"].values, NUMBERS)


def test_cells_without_a_value_are_missing(client):
    values = open_store(client, "/zarr/NDVI")["NDVI"].values

    assert np.array_equal(np.isnan(values), NUMBERS == served.NODATA)


def test_scaled_numbers_are_values_in_float64(make_client):
    client = make_client(served.make_services(*served.tree_collections()))

    ndvi = open_store(client, "/zarr/NDVI")["NDVI"]

    assert ndvi.dtype == np.float64
    assert np.array_equal(ndvi.values[:, 1:], (NUMBERS * 0.004 + -0.08)[:, 1:])


@pytest.mark.parametrize("dtype", ["int16", "uint32", "float32", "float64"])
def test_longer_numbers_are_whole(make_client, dtype):
    client = make_client(services_at(served.DEKADS, dtype=dtype))

    stored = open_store(client, "/zarr/NDVI", mask_and_scale=False)["NDVI"]
    values = open_store(client, "/zarr/NDVI")["NDVI"].values

    assert stored.dtype == np.dtype(dtype)
    assert np.array_equal(np.isnan(values), NUMBERS == served.NODATA)
    assert np.array_equal(values[:, 1:], NUMBERS[:, 1:])


def test_flags_and_numbers_outside_the_range_are_missing(make_client):
    client = make_client(served.make_services(*served.tree_collections()))

    stored = open_store(client, "/zarr/FLAGGED", mask_and_scale=False)["FLAGGED"]

    lacking = (NUMBERS == 10) | (NUMBERS == 20) | (NUMBERS > 200)
    assert np.array_equal(stored.values, np.where(lacking, stored.attrs["_FillValue"], NUMBERS))


def test_classes_are_flags_of_cf(make_client):
    client = make_client(served.make_services(*served.tree_collections()))

    attributes = group_of(client, "/zarr/CROP")["consolidated_metadata"]["metadata"]["CROP"]["attributes"]

    assert attributes["flag_values"] == list(range(250))
    assert attributes["flag_meanings"].split()[:2] == ["crop_0", "crop_1"]


def test_coordinates_are_the_centres_of_cells(client):
    dataset = open_store(client, "/zarr/NDVI")

    assert np.array_equal(dataset["x"], 600_050 + 100.0 * np.arange(400))
    assert np.array_equal(dataset["y"], 5_649_950 - 100.0 * np.arange(300))
    assert np.array_equal(dataset["time"], served.DEKADS.starts)


def test_a_geographic_grid_has_latitudes_and_longitudes(make_client):
    client = make_client(served.make_services(*served.tree_collections()))

    assert open_store(client, "/zarr/FAPAR")["FAPAR"].dims == ("time", "lat", "lon")


def test_the_grid_mapping_comes_along_with_the_array(client):
    ndvi = open_store(client, "/zarr/NDVI")["NDVI"]

    assert crs_of(ndvi["spatial_ref"].attrs["crs_wkt"]).definition.to_epsg() == 32631
    assert ndvi["spatial_ref"].attrs["GeoTransform"] == "600000.0 100.0 0.0 5650000.0 0.0 -100.0"


def test_a_layer_without_time_has_no_axis_of_it(client):
    dataset = open_store(client, "/zarr/HEIGHT", mask_and_scale=False)

    assert dataset["HEIGHT"].dims == ("y", "x")
    assert np.array_equal(dataset["HEIGHT"].values, NUMBERS[0])


def test_instants_keep_their_time_of_day(client):
    times = open_store(client, "/zarr/TIMED")["time"].values

    assert times[2] == np.datetime64("2020-06-30T10:50:31.024", "ns")


def test_an_alias_is_the_same_store(client):
    assert group_of(client, "/zarr/S2_NDVI") == group_of(client, "/zarr/NDVI")


def test_the_address_of_a_layer_shows_its_store(client):
    assert client.get("/zarr/NDVI").json() == group_of(client)


@pytest.mark.parametrize(
    ("transform", "turned"),
    [
        (Affine(100.0, 0.0, 600_000.0, 0.0, 100.0, 5_620_000.0), (slice(None), slice(None, None, -1))),
        (Affine(-100.0, 0.0, 640_000.0, 0.0, -100.0, 5_650_000.0), (slice(None), slice(None), slice(None, None, -1))),
    ],
    ids=["rows from the south", "columns from the east"],
)
def test_a_grid_that_runs_the_other_way_is_north_up(make_client, transform, turned):
    grid = NativeGrid(crs=crs_of("EPSG:32631"), transform=transform, width=400, height=300)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer)))

    dataset = open_store(client, "/zarr/NDVI", mask_and_scale=False)

    assert np.array_equal(dataset["NDVI"].values, NUMBERS[turned])
    assert np.array_equal(dataset["y"], 5_649_950 - 100.0 * np.arange(300))


@pytest.mark.parametrize("path", ["zarr.json", "NDVI/zarr.json", "NDVI/c/0/0/0"])
def test_a_rotated_grid_is_refused(make_client, path):
    grid = replace(served.BELGIUM_31N, transform=Affine(100.0, 5.0, 600_000.0, 5.0, -100.0, 5_650_000.0))
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer)))

    answer = client.get(f"/zarr/NDVI/{path}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "layer")
    assert "rotated" in answer.json()["detail"]


def test_a_composite_is_refused(client):
    answer = client.get("/zarr/TRUE_COLOUR/zarr.json")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "layer")
    assert "has no values of its own" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            *("NOTHING/zarr.json", "NDVI/nothing/zarr.json", "NDVI/nothing/c/0", "NDVI/NDVI/.zarray"),
            "NDVI/NDVI/c/0/0/0/0",
        ),
        *("NDVI/.zgroup", "NDVI/.zmetadata", "NDVI/NDVI"),
    ],
)
def test_unknown_array_is_not_found(client, path):
    answer = client.get(f"/zarr/{path}", follow_redirects=False)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("key", ["c/9/0/0", "c/0/1/0", "c/0/0/7", "c/0/0", "c"])
def test_chunk_beyond_the_array_is_gone_and_not_empty(client, key):
    answer = client.get(f"/zarr/NDVI/NDVI/{key}")

    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")


def test_removed_source_is_no_missing_chunk(client):
    answer = client.get("/zarr/GONE/GONE/c/0/0/0")

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")


@pytest.mark.parametrize("path", ["zarr.json", "NDVI/zarr.json", "NDVI/c/0/0/0", "time/c/0", "spatial_ref/c"])
def test_matching_etag_is_confirmed(make_client, path):
    services = served.make_services()
    client, reader = make_client(services), services.readers["s2"]
    etag = client.get(f"/zarr/NDVI/{path}").headers["etag"]
    reader.windows_read.clear()

    answer = client.get(f"/zarr/NDVI/{path}", headers={"if-none-match": etag})

    assert (answer.status_code, answer.content, reader.windows_read) == (304, b"", [])


def test_reprocessed_date_has_another_etag(make_client):
    services = served.make_services()
    client = make_client(services)
    before = client.get(FIELD_CHUNK).headers["etag"]

    services.readers["s2"].replaced[1] = "r2"

    assert client.get(FIELD_CHUNK).headers["etag"] != before


def test_a_part_of_a_chunk_may_be_requested(client):
    whole = client.get(FIELD_CHUNK)

    part = client.get(FIELD_CHUNK, headers={"range": "bytes=10-19"})

    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"


def test_head_has_the_size(client):
    answer = client.head(FIELD_CHUNK)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(client.get(FIELD_CHUNK).content))


def test_chunks_are_for_pages_of_all_origins_and_never_compressed_twice(client):
    answer = client.get(FIELD_CHUNK, headers={"origin": "https://example.org", "accept-encoding": "gzip"})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "content-encoding" not in answer.headers


def test_current_store_is_cached_for_a_minute_and_a_named_state_for_longer(client):
    live, named = FIELD_CHUNK, FIELD_CHUNK.replace("/zarr/NDVI", f"/zarr/NDVI@{revision_of(client)}")

    assert client.get(live).headers["cache-control"] == "public, max-age=60, stale-while-revalidate=60"
    assert client.get(named).headers["cache-control"] == "public, max-age=300, stale-while-revalidate=86400"


def test_named_state_stays_the_same_store(make_client):
    before = services_at(served.DEKADS)
    client = make_client(before)
    path = f"/zarr/NDVI@{revision_of(client)}"
    first = open_store(client, path)

    later = open_store(make_client(services_at(LATER, before)), path)

    assert later.identical(first)


@pytest.mark.parametrize("path", ["zarr.json", "NDVI/c/0/0/0", "time/c/0"])
@pytest.mark.parametrize(
    "changed",
    [{"times": LATE}, {"times": served.DEKADS.at([0, 1, 3])}, {"times": served.DEKADS, "scale": 0.5}],
    ids=["a late date", "a date less", "another scale"],
)
def test_expired_named_state_is_gone(make_client, changed, path):
    before = services_at(served.DEKADS)
    revision = revision_of(make_client(before))

    answer = make_client(services_at(before=before, **changed)).get(f"/zarr/NDVI@{revision}/{path}")

    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert "open NDVI" in answer.json()["detail"]


@pytest.mark.parametrize("revision", ["", "x", "4", "4-0000", "99999999999-1", "٤-1"])
def test_unknown_state_is_gone(client, revision):
    assert client.get(f"/zarr/NDVI@{revision}/zarr.json").status_code == 410


def test_new_dates_leave_an_open_store_unchanged(make_client):
    before = services_at(served.DEKADS)
    body = make_client(before).get("/zarr/NDVI/NDVI/c/0/0/0").content

    client = make_client(services_at(LATER, before))

    assert group_of(client)["consolidated_metadata"]["metadata"]["NDVI"]["shape"][0] == 5
    assert client.get("/zarr/NDVI/NDVI/c/0/0/0").content == body


def test_after_a_late_date_an_open_store_gets_no_numbers_of_another_date(make_client):
    before = services_at(served.DEKADS)
    old = group_of(make_client(before))["consolidated_metadata"]["metadata"]["NDVI"]["chunk_key_encoding"]
    client = make_client(services_at(LATE, before))

    answer = client.get(FIELD_CHUNK)

    assert old == {"name": "default", "configuration": {"separator": "/"}}
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert "open it again" in answer.json()["detail"]


def test_store_opened_after_a_late_date_is_complete(make_client):
    before = services_at(served.DEKADS)
    group_of(make_client(before))

    dataset = open_store(make_client(services_at(LATE, before)), "/zarr/NDVI", mask_and_scale=False)

    assert np.array_equal(dataset["time"], LATE.starts)
    assert np.array_equal(dataset["NDVI"].values, np.stack([served.number_at(ROWS, COLUMNS, t) for t in range(5)]))


def test_earlier_chunks_are_unchanged_after_a_late_date(make_client):
    grid = replace(served.BELGIUM_31N, width=800, height=700)  # one date a chunk
    before = services_at(served.DEKADS, grid=grid)
    body = (client := make_client(before)).get("/zarr/NDVI/NDVI/c/0/0/0").content
    group_of(client)

    client = make_client(services_at(LATE, before, grid=grid))

    assert client.get("/zarr/NDVI/NDVI/c/0/0/0").content == body
    assert client.get("/zarr/NDVI/NDVI/c/1/0/0").status_code == 410


def test_after_the_newest_date_is_removed_a_store_that_is_opened_again_is_whole(make_client):
    before = services_at(served.DEKADS)
    group_of(make_client(before))
    client = make_client(services_at(served.DEKADS.at(range(3)), before))

    dataset = open_store(client, "/zarr/NDVI", mask_and_scale=False)

    assert np.array_equal(dataset["time"], served.DEKADS.starts[:3])
    assert np.array_equal(dataset["NDVI"].values, NUMBERS[:3])
    assert [client.get(f"/zarr/NDVI/NDVI/c/{number}/0/0").status_code for number in (0, 1)] == [200, 410]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_store_opened_after_dates_came_and_went_is_whole(make_client, count):
    services = None
    for times in (served.DEKADS, served.DEKADS.at(range(3)), LATER, served.DEKADS.at(range(count))):
        services = services_at(times, services)
        client = make_client(services)
        group_of(client)

    dataset = open_store(client, "/zarr/NDVI", mask_and_scale=False)

    assert np.array_equal(dataset["NDVI"].values, NUMBERS[:count] if count else NUMBERS[0])


def test_a_store_of_too_many_states_is_refused_with_the_address_of_this_one(make_client):
    services = None
    for step in range(4):
        times = served.days_of(*sorted({"2020-05-21", "2020-06-01", f"2020-05-2{2 + step}"}))
        services = services_at(times, services)
        client = make_client(services)
        answer = client.get("/zarr/NDVI/zarr.json")

    assert answer.status_code == 410
    named = answer.json()["detail"].split("open ")[1].split(",")[0]
    assert client.get(f"/zarr/{named}/zarr.json").status_code == 200
