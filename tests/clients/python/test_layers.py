"""Layers and their times in the client."""

import pandas as pd
import pytest

from chronotile_client import NotFound
from chronotile_client.layers import Layers


def test_layers_are_those_of_the_server(recorded):
    documents = recorded.document("/layers")["layers"]

    layers = recorded.archive.layers

    assert list(layers) == [document["id"] for document in documents]
    assert [layer.title for layer in layers.values()] == [document["title"] for document in documents]
    assert [list(layer.bbox) for layer in layers.values()] == [document["bbox"] for document in documents]
    assert [layer.units for layer in layers.values()] == [document.get("units") for document in documents]
    assert [layer.span.count for layer in layers.values()] == [document["times"]["count"] for document in documents]


def test_layers_are_requested_once_and_again_after_reload(recorded):
    first = recorded.archive.layers
    again = recorded.archive.layers
    recorded.archive.reload()
    reloaded = recorded.archive.layers

    assert first is again
    assert reloaded is not first
    assert recorded.paths() == ["/layers", "/layers"]


@pytest.mark.parametrize("error", [NotFound, KeyError])
@pytest.mark.parametrize("name", ["NDVJ", "ndvi"])
def test_unknown_layer_names_the_nearest(archive, error, name):
    with pytest.raises(error, match=f"^there is no layer '{name}'; the nearest are NDVI"):
        archive.layers[name]


def test_layer_that_is_like_none_does_not_list_all(archive):
    with pytest.raises(NotFound, match=f"no layer 'xyz'; archive.layers has {len(archive.layers)}$"):
        archive.layers["xyz"]
    assert "xyz" not in archive.layers
    assert archive.layers.get("xyz") is None


def test_few_layers_are_all_listed():
    with pytest.raises(NotFound, match=r"no layer 'xyz'; archive\.layers has FAPAR, LAI$"):
        Layers({"FAPAR": None, "LAI": None})["xyz"]


def test_layer_is_found_by_its_id_or_refused(archive):
    assert archive.layer("NDVI") == archive.layers["NDVI"]
    with pytest.raises(NotFound, match="parameter: layer"):
        archive.layer("NDVJ")


def test_table_of_layers_has_a_row_for_each(archive):
    table = archive.layers.to_frame()

    assert list(table.index) == list(archive.layers)
    assert table.loc["NDVI", "times"] == archive.layers["NDVI"].span.count
    assert "<table" in archive.layers._repr_html_()


def test_times_are_those_of_the_server(recorded):
    texts = recorded.document("/layers/NDVI/times")["times"]

    times = recorded.archive.layers["NDVI"].times()

    assert list(times) == [pd.Timestamp(text).tz_localize(None) for text in texts]
    assert times.name == "time"


def test_times_of_a_part_overlap_it(archive):
    times = archive.layers["NDVI"].times("2020-06")

    assert [str(time.date()) for time in times] == ["2020-06-01", "2020-06-11", "2020-06-21"]


def test_all_pages_of_times_are_read(recorded, monkeypatch):
    monkeypatch.setattr("chronotile_client.layers.PAGE", 3)
    layer = recorded.archive.layers["NDVI"]

    assert len(layer.times()) == layer.span.count
    assert recorded.paths().count("/layers/NDVI/times") == -(-layer.span.count // 3)
