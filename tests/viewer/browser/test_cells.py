"""Colour, hover and click beyond the native zoom use the same cell as the series: `cells.mjs`, over its own archive."""

from pathlib import Path

import pytest
from affine import Affine

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.viewer.browser.checks import run_checks
from tests.viewer.browser.served import NUMBERS_STYLE, YEARS, Store, ramp_of

SCENARIOS = Path(__file__).with_name("cells.mjs")
UTM_31 = Affine(30.0, 0, 539_900.0, 0, -30.0, 5_665_400.0)
YEARS_UTM_31 = Affine(30.0, 0, 548_100.0, 0, -30.0, 5_657_200.0)
LAEA = Affine(40.0, 0, 3_870_400.0, 0, -40.0, 3_132_900.0)
DEGREES = Affine(0.0004, 0, 3.54, 0, -0.0004, 51.23)
"""Grid around Ghent, with cells of about 1.5 pixels at zoom 12."""
STORES = (
    Store(name="utm", formulas={"value": ramp_of}, crs="EPSG:32631", transform=UTM_31, size=800),
    Store(name="laea", formulas={"value": ramp_of}, crs="EPSG:3035", transform=LAEA, size=600),
    Store(name="degrees", formulas={"value": ramp_of}, crs="EPSG:4326", transform=DEGREES, size=1000),
    Store(name="years", formulas={"value": ramp_of}, crs="EPSG:32631", transform=YEARS_UTM_31, times=YEARS),
)
COLLECTION = """
  {name}_data:
    source: {{kind: zarr, href: {name}.zarr}}
    variables: {{value: {{layer: {name}, title: {name}, range: [-0.08, 0.92], styles: [numbers]}}}}
"""


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    for store in STORES:
        store.write(folder)
    (folder / "styles").mkdir()
    (folder / "styles" / "numbers.yaml").write_text(NUMBERS_STYLE)
    configuration = folder / "chronotile.yaml"
    configuration.write_text("collections:" + "".join(COLLECTION.format(name=store.name) for store in STORES))
    with listening(create_app(Settings(config=configuration))) as url:
        yield f"{url}/"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_colour_hover_and_click_are_the_cell_of_the_series_at_every_zoom(base_url, tmp_path):
    run_checks(SCENARIOS, base_url, tmp_path / "pictures")
