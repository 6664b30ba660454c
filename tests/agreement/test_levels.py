"""Steps of additional dimensions, chosen in a configuration or on the command line, and the findings without a choice.

The value of a cell is `1000 depth + 100 t + 10 row + column`, with depth as its position.
"""

import io
from collections.abc import Callable

import numpy as np
import pytest
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.check import check_archive
from chronotile.archive.open import Archive, open_archive
from chronotile.core.errors import ConfigurationError, InvalidParameter, UnsupportedSource
from chronotile.optimise.options import Options, parse_step
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube

DEPTHS = np.array([0.494, 10.3, 130.666, 1000.0], dtype="float32")
ROWS, COLUMNS = 4, 5
PLACE = {"lon": 3.0, "lat": 51.0}
ROW, COLUMN = 1, 2
TIMES = ["2020-01-01T00:00:00Z", "2020-01-11T00:00:00Z", "2020-01-21T00:00:00Z"]


def ocean(order=("time", "depth", "lat", "lon")) -> xarray.Dataset:
    depth, t, row, column = np.meshgrid(*map(np.arange, (len(DEPTHS), len(TIMES), ROWS, COLUMNS)), indexing="ij")
    numbers = xarray.DataArray(1000 * depth + 100 * t + 10 * row + column, dims=("depth", "time", "lat", "lon"))
    return xarray.Dataset(
        {
            "temperature": numbers.astype("int16").transpose(*order),
            "seafloor": (("lat", "lon"), np.ones((ROWS, COLUMNS))),
        },
        {
            "depth": ("depth", DEPTHS, {"units": "m", "positive": "down"}),
            "time": ("time", np.array([each.rstrip("Z") for each in TIMES], dtype="datetime64[ns]")),
            "lat": ("lat", 52.0 - np.arange(ROWS), {"units": "degrees_north"}),
            "lon": ("lon", 1.0 + np.arange(COLUMNS), {"units": "degrees_east"}),
        },
    )


def value_at(depth: int, t: int) -> int:
    return 1000 * depth + 100 * t + 10 * ROW + COLUMN


def save(dataset: xarray.Dataset, kind: str, folder) -> str:
    """Write it; the name of the file or store."""
    if kind == "netcdf":
        dataset.to_netcdf(folder / "ocean.nc", engine="h5netcdf")
        return "ocean.nc"
    dataset.to_zarr(folder / "ocean.zarr", zarr_format=3, consolidated=False)
    return "ocean.zarr"


@pytest.fixture
def opened(tmp_path, closed_at_end) -> Callable[..., Archive]:
    """Return `opened(place)`, or `opened(text=…)` with a configuration, which opens an archive."""

    def make(place=None, *, text=None) -> Archive:
        if text is not None:
            place = tmp_path / "chronotile.yaml"
            place.write_text(text)
        return closed_at_end(open_archive(place, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns")))

    return make


VARIABLES = """
    variables:
      surface: {layer: SURFACE, name: temperature, select: {depth: 0.494}}
      deep: {layer: DEEP, name: temperature, select: {depth: {index: 3}}}
      difference: {layer: DIFFERENCE, formula: deep - surface}
"""


def configuration(kind: str, href: str, variables: str = VARIABLES) -> str:
    return f"collections:\n  made:\n    source: {{kind: {kind}, href: {href}}}{variables}"


@pytest.mark.quick_cases("time-depth-lat-lon-zarr", "lat-time-lon-depth-netcdf")
@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
@pytest.mark.parametrize(
    "order",
    [("time", "depth", "lat", "lon"), ("depth", "lat", "lon", "time"), ("lat", "time", "lon", "depth")],
    ids="-".join,
)
def test_two_layers_have_two_depths_of_one_array(opened, tmp_path, kind, order):
    archive = opened(text=configuration(kind, save(ocean(order), kind, tmp_path)))

    with TestClient(application(archive.services)) as client:
        series = {name: series_of(client, name) for name in ("SURFACE", "DEEP", "DIFFERENCE")}
        cells = {name: cells_of(client, name, TIMES[1]) for name in ("SURFACE", "DEEP")}

    assert series == {
        "SURFACE": [value_at(0, t) for t in range(3)],
        "DEEP": [value_at(3, t) for t in range(3)],
        "DIFFERENCE": [3000] * 3,
    }
    truth = ocean().temperature.transpose("time", "depth", "lat", "lon").values
    np.testing.assert_array_equal(cells["SURFACE"], truth[1, 0])
    np.testing.assert_array_equal(cells["DEEP"], truth[1, 3])


def series_of(client, layer):
    return client.get(f"/timeseries/{layer}/point", params=PLACE).json()["values"]


def cells_of(client, layer, time):
    answer = client.get(f"/ogcapi/collections/{layer}/coverage", params={"datetime": time, "f": "netcdf"})
    with xarray.open_dataset(io.BytesIO(answer.content), engine="h5netcdf") as dataset:
        return next(each for each in dataset.data_vars.values() if each.ndim == 3).squeeze().values


@pytest.mark.parametrize(("select", "depth"), [("depth=130.666", 2), ("depth=index:1", 1)])
@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_optimise_takes_the_selected_depth(opened, tmp_path, kind, select, depth):
    source = tmp_path / save(ocean(), kind, tmp_path)
    options = Options(layout="both", block=2, threads=1, variable="temperature", select=(parse_step(select),))
    optimise([str(source)], tmp_path / "cube.zarr", options)
    verify_cube([str(source)], tmp_path / "cube.zarr", options)

    archive = opened(text=configuration("zarr", "cube.zarr", "\n    variables: {temperature: {layer: T}}"))

    with TestClient(application(archive.services)) as client:
        assert series_of(client, "T") == [value_at(depth, t) for t in range(3)]


def test_optimise_lists_the_existing_depths(tmp_path):
    source = tmp_path / save(ocean(), "netcdf", tmp_path)
    options = Options(threads=1, variable="temperature")

    with pytest.raises(UnsupportedSource, match=r"accepted are 0\.494, 10\.3, 130\.666, 1000"):
        optimise([str(source)], tmp_path / "cube.zarr", options)


def test_missing_value_is_refused_with_the_existing_ones(opened, tmp_path):
    text = configuration("netcdf", save(ocean(), "netcdf", tmp_path)).replace("0.494", "5")

    with pytest.raises(ConfigurationError, match=r"has no value 5; accepted are 0\.494, 10\.3, 130\.666, 1000"):
        opened(text=text)


def told(archive: Archive) -> list[str]:
    """Return the findings at the start and of `check`, except notes."""
    found = [*archive.findings, *check_archive(archive)]
    return [f"{each.place}: {each.message}" for each in found if each.severity != "note"]


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_array_of_levels_with_an_auxiliary_one_is_reported_with_the_remedy(opened, tmp_path, kind):
    archive = opened(text=configuration(kind, save(ocean(), kind, tmp_path), ""))

    (layer,) = archive.services.catalogue.layers
    assert layer.main_variable.name == "seafloor"
    (line,) = [line for line in told(archive) if "temperature" in line]
    assert "has 4 steps of the dimension depth" in line
    assert "select: {depth: 0.494}: accepted are 0.494, 10.3, 130.666, 1000" in line


@pytest.mark.parametrize(("kind", "parts"), [("netcdf", 1), ("zarr", 1), ("netcdf", 2)])
def test_each_of_few_levels_is_a_layer_in_a_folder(opened, tmp_path, kind, parts):
    folder = tmp_path / "data"
    folder.mkdir()
    for part in np.array_split(np.arange(len(TIMES)), parts):
        name = save(ocean().drop_vars("seafloor").isel(time=part), kind, folder)
        (folder / name).rename(folder / name.replace("ocean", f"ocean_202{part[0]}-01-01"))

    archive = opened(folder)

    layers = {layer.id.partition(".")[2]: layer for layer in archive.services.catalogue.layers}
    assert list(layers) == [f"temperature_depth{each}" for each in ("0.494", "10.3", "130.666", "1000")]
    deepest = layers["temperature_depth1000"]
    assert next(iter(deepest.title.values())).endswith("depth 1000 m")
    with TestClient(application(archive.services)) as client:
        for depth, each in enumerate(("0.494", "10.3", "130.666", "1000")):
            series = series_of(client, layers[f"temperature_depth{each}"].id)
            assert series == [value_at(depth, t) for t in range(3)]
        truth = ocean().temperature.transpose("time", "depth", "lat", "lon").values
        np.testing.assert_array_equal(cells_of(client, deepest.id, TIMES[1]), truth[1, 3])
    assert told(archive) == []


def test_levels_of_a_variable_with_a_long_name_are_separate_layers(opened, tmp_path):
    dataset = ocean().rename(temperature=f"temperature_{'x' * 44}")

    archive = opened(tmp_path / save(dataset, "netcdf", tmp_path))

    assert len(list(archive.services.catalogue.layers)) == len(DEPTHS) + 1


def test_members_without_numbers_are_layers_by_their_position(opened, tmp_path):
    dataset = ocean().drop_vars(["depth", "seafloor"]).rename(depth="member").expand_dims(run=["first run", "last"])
    place = tmp_path / save(dataset, "netcdf", tmp_path)

    archive = opened(place)

    layers = {layer.id.partition(".")[2]: layer.id for layer in archive.services.catalogue.layers}
    runs = ("first_run", "last")
    assert set(layers) == {f"temperature_run{run}_member{member}" for run in runs for member in range(4)}
    with TestClient(application(archive.services)) as client:
        assert series_of(client, layers["temperature_runlast_member2"]) == [value_at(2, t) for t in range(3)]


def test_name_with_spaces_is_quoted_in_the_remedy(opened, tmp_path):
    dataset = xarray.concat([ocean()] * 4, "depth", data_vars="minimal").assign_coords(depth=np.arange(16.0))
    place = tmp_path / save(dataset.rename(depth="depth of water"), "netcdf", tmp_path)

    (line,) = [line for line in told(opened(place)) if "temperature" in line]

    assert 'select: {"depth of water": 0}: accepted are 0, 1, 2, 3, 4, 5, ... 15 (16 values)' in line


def test_many_levels_must_be_configured(opened, tmp_path):
    dataset = xarray.concat([ocean()] * 4, "depth", data_vars="minimal").assign_coords(depth=np.arange(16.0))
    place = tmp_path / save(dataset, "netcdf", tmp_path)

    archive = opened(place)

    assert [layer.main_variable.name for layer in archive.services.catalogue.layers] == ["seafloor"]
    (line,) = [line for line in told(archive) if "temperature" in line]
    assert "select: {depth: 0}: accepted are 0, 1, 2, 3, 4, 5, ... 15 (16 values)" in line


def add_group(kind, path):
    inner = ocean().isel(depth=0, drop=True)[["temperature"]]
    if kind == "netcdf":
        inner.to_netcdf(path, engine="h5netcdf", mode="a", group="bottom/layer")
    else:
        inner.to_zarr(path, mode="a", group="bottom/layer", zarr_format=3, consolidated=False)


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_unserved_groups_are_reported_with_the_remedy(opened, tmp_path, kind):
    name = save(ocean().drop_vars("temperature"), kind, tmp_path)
    add_group(kind, tmp_path / name)

    archive = opened(text=configuration(kind, name, ""))

    (line,) = [line for line in told(archive) if "bottom/layer" in line]
    assert "group bottom/layer is not served, with its variables temperature" in line
    assert line.endswith("with group: bottom/layer")


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_group_next_to_rasters_of_the_root_is_a_collection_of_a_folder(opened, tmp_path, kind):
    folder = tmp_path / "data"
    folder.mkdir()
    add_group(kind, folder / save(ocean().drop_vars("temperature"), kind, folder))

    archive = opened(folder)

    with TestClient(application(archive.services)) as client:
        layers = client.get("/layers").json()["layers"]
        (layer,) = [entry["id"] for entry in layers if "bottom-layer" in entry["id"]]
        assert series_of(client, layer) == [value_at(0, t) for t in range(3)]


def test_file_of_one_group_is_served(opened, tmp_path):
    ocean().isel(depth=0)[["temperature"]].to_netcdf(tmp_path / "IN.nc", engine="h5netcdf", group="bottom/layer")

    archive = opened(tmp_path / "IN.nc")

    with TestClient(application(archive.services)) as client:
        (layer,) = client.get("/layers").json()["layers"]
        assert series_of(client, layer["id"]) == [value_at(0, t) for t in range(3)]


def test_group_that_cannot_be_served_alone_has_no_remedy(opened, tmp_path):
    radar = xarray.Dataset({"data": (("y", "x"), np.zeros((4, 5), "uint8"))})
    radar.to_netcdf(tmp_path / "IN.h5", engine="h5netcdf", group="dataset1/data1")

    with pytest.raises(
        ConfigurationError, match="dataset1/data1 is not served, with its variables data: data: it has no"
    ):
        opened(tmp_path / "IN.h5")


def test_remedy_for_a_group_of_a_store_works(opened, tmp_path):
    inner = ocean().isel(depth=0)[["temperature"]]
    inner.to_zarr(tmp_path / "ocean.zarr", group="bottom/layer", zarr_format=3, consolidated=False)

    archive = opened(
        text=configuration("zarr", "ocean.zarr/bottom/layer", "\n    variables: {temperature: {layer: T}}")
    )

    with TestClient(application(archive.services)) as client:
        assert series_of(client, "T") == [value_at(0, t) for t in range(3)]


def test_groups_of_one_size_are_no_overviews(opened, tmp_path):
    for group, depth in (("0", 0), ("1", 1)):
        inner = ocean().isel(depth=depth)[["temperature"]]
        inner.to_zarr(tmp_path / "ocean.zarr", group=group, zarr_format=3, consolidated=False)

    archive = opened(text=configuration("zarr", "ocean.zarr", "\n    variables: {temperature: {layer: T}}"))

    with TestClient(application(archive.services)) as client:
        assert series_of(client, "T") == [value_at(0, t) for t in range(3)]
    assert [line for line in told(archive) if "not a coarser copy of the native level" in line]
    assert len(archive.services.catalogue.layer("T").main_variable.stored_levels) == 1


@pytest.mark.parametrize("text", ["depth", "=5", "depth=", "depth=index:x"])
def test_invalid_step_of_the_command_line_is_refused(text):
    with pytest.raises(InvalidParameter, match="accepted are depth=10 and depth=index:0"):
        parse_step(text)
