"""`openLayer` of the npm package in Node, against a server on a socket: pages of dates, lookup of dates, errors."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.viewer.browser.served import Store, every, ramp_of

REPOSITORY = Path(__file__).parents[3]
DEKADS = np.array(["2023-06-01", "2023-06-11", "2023-06-21"], "datetime64[D]")
TIMES = every(3, "2010-01-01", 2003)
"""Times that fill more than two pages."""
CONFIGURATION = """
collections:
  many_data:
    source: {kind: zarr, href: many.zarr}
    attribution: A & B <i>
    variables: {value: {layer: many, styles: [ndvi]}}
  dekads_data:
    source: {kind: zarr, href: dekads.zarr}
    variables: {value: {layer: dekads, styles: [ndvi]}}
  rgb_data:
    source: {kind: zarr, href: rgb.zarr}
    variables: {red: {styles: [greys]}, green: {styles: [greys]}, blue: {styles: [greys]}}
    composites: {colours: {layer: rgb, variables: [red, green, blue], range: [0, 250]}}
"""
WITHIN = {
    "2023-06-20": 1, "2023-06-30": 2, "2023-06-30T23:59:59Z": 2, "2023-06-21": 2, "2023-06": 0, "2023": 0,
    "2023-05-31": 0, "1990": 0, "2023-07-01": 2, "2030-01-01": 2, "nonsense": -1, "2023-06-31": -1, "": -1,
}  # fmt: skip
"""Indexes of dekads, by text."""
DATES = ("2010-01-04", "2010-01", "2010-01-05T13:00:00", "2010-01-05T13:00:00+02:00", "no date")
SCRIPT = """
    const [entry, server, dates, within] = process.argv.slice(1);
    const { openLayer } = await import(entry);
    const many = await openLayer(server, "many");
    const [west, south, east, north] = many.bbox;
    const middle = { lon: (west + east) / 2, lat: (south + north) / 2 };
    const series = await many.series(middle, { datetime: "2010-01-01/2010-01-07" });
    const faultOf = (promise) =>
        promise.then(() => null, ({ name, status, message }) => ({ name, status, message }));
    const dekads = await openLayer(server, "dekads");
    const rgb = await openLayer(server + "/", "rgb");
    let refused = "";
    try { rgb.cubes; } catch (error) { refused = error.message; }
    console.log(JSON.stringify({
        times: many.times,
        ends: [many.ends[0], dekads.ends.at(-1)],
        within: JSON.parse(within).map((date) => dekads.indexOf(date)),
        first: many.defaultIndex,
        attribution: many.attribution,
        hasCubes: [many.hasCubes, rgb.hasCubes],
        found: JSON.parse(dates).map((date) => many.indexOf(date)),
        series: series.times,
        refused,
        unknown: await faultOf(openLayer(server, "nothing")),
        style: await faultOf(openLayer(server, "many", { style: "red" })),
        away: await faultOf(openLayer("http://127.0.0.1:1", "many")),
    }));
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    subprocess.run(["node", REPOSITORY / "clients/js/build.mjs", folder / "js"], check=True, timeout=600)
    Store(name="many", formulas={"value": ramp_of}, times=TIMES, size=16).write(folder)
    ends = np.append(DEKADS[1:], np.datetime64("2023-07-01"))
    Store(name="dekads", formulas={"value": ramp_of}, times=DEKADS, ends=ends, size=16).write(folder)
    Store(name="rgb", formulas=dict.fromkeys(("red", "green", "blue"), ramp_of), scale=None, size=16).write(folder)
    (folder / "chronotile.yaml").write_text(CONFIGURATION)
    with listening(create_app(Settings(config=folder / "chronotile.yaml"))) as url:
        ran = subprocess.run(
            ["node", "--input-type=module", "--eval", SCRIPT, folder / "js/dist/index.js", url,
             json.dumps(DATES), json.dumps(list(WITHIN))],
            env=os.environ | {"TZ": "Asia/Tokyo"},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


pytestmark = [pytest.mark.slow, pytest.mark.client("node")]


def test_all_pages_of_dates_are_read(opened):
    assert opened["times"] == [f"{np.datetime_as_string(time)}T00:00:00Z" for time in TIMES]
    assert opened["first"] == len(TIMES) - 1


def test_dates_are_found_by_day_month_and_instant_in_utc(opened):
    # From noon of the 5th on, the 7th is nearer than the 4th.
    assert opened["found"] == [1, 0, 2, 1, -1]


def test_dates_within_periods_are_those_periods(opened):
    assert dict(zip(WITHIN, opened["within"], strict=True)) == WITHIN
    assert opened["ends"] == ["2010-01-02T00:00:00Z", "2023-07-01T00:00:00Z"]


def test_series_has_the_instants_of_its_interval(opened):
    assert opened["series"] == ["2010-01-01T00:00:00Z", "2010-01-04T00:00:00Z", "2010-01-07T00:00:00Z"]


def test_attribution_is_html(opened):
    assert opened["attribution"] == "A &amp; B &lt;i&gt;"


def test_composites_report_that_they_have_no_cubes(opened):
    assert opened["hasCubes"] == [True, False]
    assert opened["refused"] == "layer rgb has no cube tiles: show its pictures, /tiles/rgb"


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [("unknown", 404, "layer 'nothing' is not known"), ("style", 400, "red"), ("away", 0, "does not answer")],
)
def test_errors_have_a_reason(opened, what, status, words):
    assert opened[what]["name"] == "RequestError"
    assert opened[what]["status"] == status
    assert words in opened[what]["message"]
