"""The whole made archive, 30 tiles of two zones on 24 dates, equals the formula and the uncut raster in each form.

It runs only on request: `pytest -m audit tests/agreement/mosaics` (`-s` shows the figures). It takes ten minutes of
processor time; the slow tests in this folder compare a small archive in the same ways.
"""

import numpy as np
import pytest

from tests.agreement.mosaics.shown import NATIVE_ZOOM, compare, places_of, series_at, tile_values, tiles_of
from tests.agreement.mosaics.test_coverages import coverage
from tests.scenes_archive.forms import FILES, SIGNED_S3, STAC_API, STATIC
from tests.scenes_archive.plan import FULL
from tests.scenes_archive.serving import uncut_collections

pytestmark = [pytest.mark.audit, pytest.mark.slow]

EACH_FORM = [FILES, STATIC, STAC_API, SIGNED_S3]


@pytest.fixture(scope="module")
def tiles():
    """Return some tiles, each compared at one date."""
    every = tiles_of(FULL, NATIVE_ZOOM)
    return [every[n] for n in np.random.default_rng(11).permutation(len(every))[:60]]


@pytest.mark.parametrize("form", EACH_FORM)
def test_pictures_are_the_formula(serve, form, tiles):
    served, shown, expected = serve(form, FULL), [], []
    for number, tile in enumerate(tiles):
        date = number % len(FULL.days)
        shown.append(tile_values(served, "CELL", tile, FULL.days[date]))
        x, y = tile.centres()
        expected.append(FULL.mosaic("CELL", x, y, date=date, crs="EPSG:3857").values)

    found = compare(np.stack(shown), np.stack(expected))

    print(form, found)  # noqa: T201 -- the figures are reported
    assert found.same >= 0.999
    assert (found.seams, found.beyond) == (0, 0)


@pytest.mark.parametrize("form", EACH_FORM)
def test_points_are_the_formula(serve, form):
    longitude, latitude = places_of(FULL, 100)

    found = {asset: series_at(serve(form, FULL), asset, longitude, latitude) for asset in ("CELL", "B04", "SCL")}

    for asset, series in found.items():
        by_date = [FULL.mosaic(asset, longitude, latitude, date=date).texts() for date in range(24)]
        assert series == [list(values) for values in zip(*by_date, strict=True)]


def test_pictures_equal_those_of_the_uncut_raster(serve, tiles):
    served = serve(STATIC, FULL, uncut=uncut_collections(FULL, 31, assets=("B04",)))
    days = [FULL.days[number % len(FULL.days)] for number in range(len(tiles))]
    pairs = list(zip(tiles, days, strict=True))

    shown, whole = (
        np.stack([tile_values(served, layer, tile, day) for tile, day in pairs]) for layer in ("B04", "B04-31")
    )

    is_covered = ~np.isnan(shown)  # the uncut raster is a box around all tiles
    found = compare(shown, np.where(is_covered, whole, np.nan))
    print("uncut", found, float(is_covered.mean()))  # noqa: T201 -- the figures are reported
    assert found.same >= 0.999


@pytest.mark.parametrize("form", EACH_FORM)
@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:3035"])
def test_coverages_are_the_formula(serve, form, crs):
    query = {"bbox": "5.95,50.45,6.05,50.52", "crs": f"[{crs}]", "datetime": FULL.days[1]}

    values, transform, _crs = coverage(serve(form, FULL).client, "CELL", **query)

    columns, rows = np.meshgrid(np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5)
    x, y = transform @ (columns, rows)
    found = compare(values, FULL.mosaic("CELL", x, y, date=1, crs=crs).values)
    print(form, crs, values.shape, found)  # noqa: T201 -- the figures are reported
    assert found.same >= 0.999
