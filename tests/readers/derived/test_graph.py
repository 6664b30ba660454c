"""Results of process graphs as sources: windows equal the whole, and only needed times and cells are read."""

import numpy as np
import pytest
import xarray as xr

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.parse import parse_graph
from chronotile.core.graph.table import PROCESSES
from chronotile.core.model.space.grid import Window
from chronotile.readers.derived import graph as graph_module
from chronotile.readers.derived.graph import GraphReader, LoadedBands
from tests.core.graph.cubes import callback, daily, reducer
from tests.readers.memory import NODATA, MemoryReader

DAYS = 70
SIZE = 30


def load_collection(id, spatial_extent=None, temporal_extent=None, bands=None, properties=None):
    return {"id": id, "bands": bands}


def scenes(size=SIZE, cell=10.0, seed=1):
    """Return a source with red, near infrared and classes on 70 days; some numbers are missing."""
    dice = np.random.default_rng(seed)
    reader = MemoryReader()
    for name in ("B04", "B08"):
        reader.add(
            name,
            dice.integers(1, NODATA + 1, (DAYS, size, size)).astype("uint8"),
            times=[d[:10] for d in daily(DAYS)],
            cell=cell,
        )
    classes = dice.choice([4, 4, 4, 5, 8, 9], (DAYS, size, size)).astype("uint8")
    return reader.add("SCL", classes, times=[d[:10] for d in daily(DAYS)], cell=cell)


def open_graph(nodes, **sources):
    """Return the reader of a graph over sources by id."""

    def load(name, arguments):
        assert name == "load_collection"
        reader = sources[arguments["id"]]
        grid = next(iter(reader.info.variables.values())).grid
        names = arguments["bands"] or list(reader.info.variables)
        return LoadedBands(
            reader=reader,
            variables={band: band for band in names},
            times={label: index for index, label in enumerate(daily(DAYS))},
            window=Window(0, grid.height, 0, grid.width),
        )

    return GraphReader(parse_graph(nodes), PROCESSES, load=load, loaders={"load_collection": load_collection})


def node(process_id, /, *, result=False, **arguments):
    return {"process_id": process_id, "arguments": arguments, "result": result}


def ref(name):
    return {"from_node": name}


def masked_ndvi(**last):
    """Return a graph: NDVI without clouds, and a last node over it."""
    return {
        "load": node("load_collection", id="S2", spatial_extent=None, temporal_extent=None),
        "ndvi": node("ndvi", data=ref("load"), red="B04", nir="B08"),
        "classes": node("filter_bands", data=ref("load"), bands=["SCL"]),
        "flat": node("drop_dimension", data=ref("classes"), name="bands"),
        "clouds": node("apply", data=ref("flat"), process=callback("gte", x="$x", y=8)),
        "masked": node("mask", data=ref("ndvi"), mask=ref("clouds")),
        "last": node(last.pop("process_id"), data=ref("masked"), result=True, **last),
    }


def numbers(reader, name):
    return np.where(reader.levels[name][0] == NODATA, np.nan, reader.levels[name][0].astype(float))


def ndvi_of(reader):
    red, nir, classes = (numbers(reader, name) for name in ("B04", "B08", "SCL"))
    index = np.where(classes >= 8, np.nan, (nir - red) / (nir + red))
    return xr.DataArray(index, {"t": np.array([d[:10] for d in daily(DAYS)], "datetime64[ns]")}, ("t", "y", "x"))


MONTHLY = {"process_id": "aggregate_temporal_period", "period": "month", "reducer": reducer("median")}


def test_monthly_medians_equal_xarray():
    source = scenes()
    reader = open_graph(masked_ndvi(**MONTHLY), S2=source)

    info = reader.info.variables["var"]
    pixels = reader.read_block("var", indexes=[0, 1, 2], window=Window(0, SIZE, 0, SIZE), along="space")

    assert [str(start)[:7] for start in info.times.starts] == ["2020-01", "2020-02", "2020-03"]
    assert info.grid == source.info.variables["B04"].grid
    expected = ndvi_of(source).resample(t="MS").median()
    np.testing.assert_allclose(pixels.numbers, expected.values, rtol=1e-6, atol=1e-6)


def test_a_month_reads_only_its_days_and_its_window():
    source = scenes()
    reader = open_graph(masked_ndvi(**MONTHLY), S2=source)
    source.windows.clear()

    pixels = reader.read_window("var", index=1, level=0, window=Window(3, 8, 10, 20))

    expected = ndvi_of(source).resample(t="MS").median().values[1, 3:8, 10:20]
    np.testing.assert_allclose(pixels.numbers, expected, rtol=1e-6, atol=1e-6)
    assert len(source.windows) == 3 * 29  # bands and days of February
    assert all(window.height <= 15 and window.width <= 20 for _variable, _level, window, _step in source.windows)


def test_nothing_is_read_at_construction():
    source = scenes()
    open_graph(masked_ndvi(**MONTHLY), S2=source)

    assert source.windows == []


def test_a_strip_of_rows_is_as_the_whole(monkeypatch):
    source = scenes()
    reader = open_graph(masked_ndvi(**MONTHLY), S2=source)
    window = Window(0, SIZE, 0, SIZE)
    whole = reader.read_block("var", indexes=[0, 2], window=window, along="space").numbers

    monkeypatch.setattr(graph_module, "STRIP_BYTES", 20_000)
    source.windows.clear()
    strips = reader.read_block("var", indexes=[0, 2], window=window, along="space").numbers

    np.testing.assert_array_equal(strips, whole)
    assert max(part.height for _variable, _level, part, _step in source.windows) < SIZE


WINDOWS = [Window(0, 30, 0, 30), Window(0, 5, 0, 4), Window(11, 13, 7, 22), Window(29, 30, 29, 30)]
SPATIAL = {
    "kernel": {"process_id": "apply_kernel", "kernel": [[1, 2, 1], [2, 4, 2], [1, 2, 1]], "factor": 0.0625},
    "coarser": {"process_id": "resample_spatial", "resolution": 20, "method": "average"},
    "coarser by a kernel": {"process_id": "resample_spatial", "resolution": 60, "method": "bilinear"},
    "coarser by a large kernel": {"process_id": "resample_spatial", "resolution": 50, "method": "lanczos"},
    "finer": {"process_id": "resample_spatial", "resolution": 4, "method": "bilinear"},
    "degrees": {"process_id": "resample_spatial", "projection": 4326, "method": "near"},
    "box": {
        "process_id": "filter_bbox",
        "extent": {"west": 500_055, "south": 5_649_800, "east": 500_245, "north": 5_649_960, "crs": 32631},
    },
}


@pytest.mark.parametrize("name", SPATIAL)
def test_windows_equal_the_result_of_whole_cubes(name):
    source = scenes()
    nodes = masked_ndvi(**SPATIAL[name])
    reader = open_graph(nodes, S2=source)
    grid = reader.info.variables["var"].grid
    whole = reader.read_block(
        "var", indexes=[0, 40], window=Window(0, grid.height, 0, grid.width), along="space"
    ).numbers

    for window in WINDOWS:
        rows = slice(window.row_start * grid.height // SIZE, max(window.row_stop * grid.height // SIZE, 1))
        columns = slice(window.column_start * grid.width // SIZE, max(window.column_stop * grid.width // SIZE, 1))
        part = Window(rows.start, max(rows.stop, rows.start + 1), columns.start, max(columns.stop, columns.start + 1))
        pixels = reader.read_block("var", indexes=[0, 40], window=part, along="space")
        expected = whole[:, part.row_start : part.row_stop, part.column_start : part.column_stop]
        np.testing.assert_allclose(pixels.numbers, expected, rtol=1e-5, atol=1e-6)


def test_bands_are_variables_and_cells_equal_windows():
    source = scenes()
    nodes = {
        "load": node("load_collection", id="S2", spatial_extent=None, temporal_extent=None, bands=["B08", "B04"]),
        "scaled": node("apply", data=ref("load"), process=callback("multiply", x="$x", y=0.5), result=True),
    }
    reader = open_graph(nodes, S2=source)

    assert list(reader.info.variables) == ["B08", "B04"]
    cell = reader.read_cell("B04", indexes=[5, 60, 2], row=4, column=9)
    np.testing.assert_allclose(cell.numbers, numbers(source, "B04")[[5, 60, 2], 4, 9] / 2)


def test_values_without_times_of_a_reduction():
    source = scenes()
    reader = open_graph(masked_ndvi(process_id="reduce_dimension", dimension="t", reducer=reducer("max")), S2=source)

    pixels = reader.read_window("var", index=0, level=0, window=Window(0, SIZE, 0, SIZE))

    assert len(reader.info.variables["var"].times) == 0
    np.testing.assert_allclose(pixels.numbers, ndvi_of(source).max("t").values, rtol=1e-6)


def test_labels_that_are_no_times_are_variables():
    source = scenes()
    last = {
        "process_id": "aggregate_temporal",
        "intervals": [[None, "2020-02-01"], ["2020-02-01", None]],
        "labels": ["before", "after"],
        "reducer": reducer("mean"),
    }
    reader = open_graph(masked_ndvi(**last), S2=source)

    assert list(reader.info.variables) == ["before", "after"]
    pixels = reader.read_window("after", index=0, level=0, window=Window(0, SIZE, 0, SIZE))
    expected = ndvi_of(source).sel(t=slice("2020-02-01", None)).mean("t").values
    np.testing.assert_allclose(pixels.numbers, expected, rtol=1e-5, atol=1e-6)


def test_cells_of_another_source_are_the_nearest():
    fine, coarse = scenes(), scenes(size=15, cell=20.0, seed=3)
    nodes = {
        "first": node("load_collection", id="fine", spatial_extent=None, temporal_extent=None, bands=["B04"]),
        "second": node("load_collection", id="coarse", spatial_extent=None, temporal_extent=None, bands=["B08"]),
        "both": node("merge_cubes", cube1=ref("first"), cube2=ref("second"), result=True),
    }
    reader = open_graph(nodes, fine=fine, coarse=coarse)

    pixels = reader.read_window("B08", index=7, level=0, window=Window(5, 14, 0, 30))

    expected = numbers(coarse, "B08")[7].repeat(2, axis=0).repeat(2, axis=1)[5:14]
    np.testing.assert_array_equal(pixels.numbers, expected)


def test_revisions_differ_by_graph_and_time():
    source = scenes()
    monthly = open_graph(masked_ndvi(**MONTHLY), S2=source)
    yearly = open_graph(masked_ndvi(**{**MONTHLY, "period": "year"}), S2=source)

    revisions = {monthly.revision("var", 0), monthly.revision("var", 1), yearly.revision("var", 0)}
    assert len(revisions) == 3
    assert monthly.revision("var", 1) == open_graph(masked_ndvi(**MONTHLY), S2=source).revision("var", 1)


def test_the_cost_grows_with_the_times_that_are_read():
    source = scenes()
    reader = open_graph(masked_ndvi(**MONTHLY), S2=source)
    window = Window(0, 10, 0, 10)

    month = reader.read_cost("var", indexes=[0], window=window, along="space").seconds(blocks=1, values=100)
    plain = source.read_cost("B04", indexes=[0], window=window, along="space").seconds(blocks=1, values=100)

    assert month > 3 * 31 * plain


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            {"process_id": "add_dimension", "name": "level", "label": 1},
            "the result has the dimensions level, t, y, x; accepted are x, y, t and bands",
        ),
        ({"process_id": "count"}, "data:"),
        ({"process_id": "dimension_labels", "dimension": "t"}, "the result is not a data cube"),
    ],
)
def test_results_that_cannot_be_served_are_refused(last, words):
    with pytest.raises(ProcessFault) as refused:
        open_graph(masked_ndvi(**last), S2=scenes())

    assert words in refused.value.message
