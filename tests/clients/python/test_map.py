"""Traits of the map of notebooks in Python; tests/clients/js tests its drawing."""

import importlib
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from traitlets import TraitError

from chronotile_client import Archive
from chronotile_client import map as map_module

SERVER = "http://127.0.0.1:8000"


@pytest.fixture
def make_map(tmp_path, monkeypatch):
    (tmp_path / "map.js").write_text("export default {};")
    (tmp_path / "map.css").write_text(".chronotile-map {}")
    monkeypatch.setattr(map_module, "BUNDLE", tmp_path)
    return map_module.Map


def test_map_sends_the_data_of_the_browser(make_map):
    shown = make_map(SERVER, "NDVI", "2024-06", center=(4.4, 51.0), zoom=9, height=300)

    state = shown.get_state()

    assert {name: state[name] for name in ("server", "layer", "date", "center", "zoom", "height")} == {
        "server": SERVER, "layer": "NDVI", "date": "2024-06", "center": [4.4, 51.0], "zoom": 9.0, "height": 300,
    }  # fmt: skip
    assert state["_esm"] == "export default {};"
    assert state["_css"] == ".chronotile-map {}"


def test_map_takes_an_archive_and_a_layer(make_map, archive):
    layer = archive.layers["NDVI"]

    shown = make_map(archive, layer)

    assert (shown.server, shown.layer, shown.date) == (archive.url, "NDVI", "")


def test_address_of_an_archive_has_no_slash_at_its_end(make_map):
    assert make_map(Archive(f"{SERVER}/"), "NDVI").server == SERVER


@pytest.mark.parametrize(
    ("date", "text"),
    [
        pytest.param(np.datetime64("2024-06-01"), "2024-06-01", id="datetime64"),
        pytest.param(datetime(2024, 6, 1, 10, tzinfo=UTC), "2024-06-01T10:00:00Z", id="datetime"),
        pytest.param(datetime(2024, 6, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2024-06-01T10:00:00Z", id="zone"),
    ],
)
def test_date_of_any_type_becomes_text_in_utc(make_map, date, text):
    shown = make_map(SERVER, "NDVI")

    shown.date = date

    assert shown.date == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("center", [51.0], id="one coordinate"),
        pytest.param("center", [4.4, 151.0], id="beyond the pole"),
        pytest.param("bounds", [3.0, 52.0, 4.0, 51.0], id="south above north"),
        pytest.param("date", 2024, id="number as date"),
        pytest.param("height", 3, id="too low"),
    ],
)
def test_wrong_values_are_refused_with_the_trait_in_the_message(make_map, name, value):
    shown = make_map(SERVER, "NDVI")

    with pytest.raises(TraitError, match=name):
        setattr(shown, name, value)


def test_names_of_no_trait_are_refused(make_map):
    with pytest.raises(TypeError, match="no trait 'colour'"):
        make_map(SERVER, "NDVI", colour="red")


def test_missing_bundle_is_reported_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(map_module, "BUNDLE", tmp_path / "nowhere")

    with pytest.raises(RuntimeError, match=r"map\.js of the map was not built: run `make client-widget`"):
        map_module.Map(SERVER, "NDVI")


def test_without_anywidget_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "chronotile_client.map")

    with pytest.raises(ModuleNotFoundError, match=r"Map needs anywidget, .* its extra jupyter"):
        importlib.import_module("chronotile_client.map")


def test_package_has_the_map_without_importing_it(make_map):
    package = importlib.import_module("chronotile_client")

    assert package.Map is make_map
    with pytest.raises(AttributeError, match="no attribute 'Maps'"):
        _ = package.Maps
