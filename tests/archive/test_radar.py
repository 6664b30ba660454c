"""Bursts of Sentinel-1 (OPERA RTC): times, decibels, composite and mosaic, compared with rasterio."""

import io
import re
import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer

from chronotile.core.model.time.instants import format_instant
from tests.strict import SHARED
from tests.walk.serving import served

BURSTS = SHARED / "data" / "instruments" / "s1_rtc"
pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(not BURSTS.is_dir(), reason="the folder of bursts does not exist"),
]
COLLECTION = "opera-l2-rtc-s1-t137-292319-iw1-s1a-30-v1-0"
TILES = """
collections:
  s1:
    source: {kind: cog, href: "HREF", tiles: true}
    time: {group: solar_day}
    variables:
      VV_DB: {formula: "10 * log10(VV)", units: dB, range: [-25, 0]}
VARIABLES
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radar") / "bursts"
    shutil.copytree(BURSTS, folder)
    return folder


def read_burst(burst: str, variable: str) -> list[tuple[str, np.ndarray, rasterio.Affine]]:
    """Return acquisition, numbers and transform of each file of a burst, read by rasterio."""
    files = []
    for path in sorted(BURSTS.glob(f"*_{burst}_*_{variable}.tif")):
        with rasterio.open(path) as dataset:
            files.append((re.search(r"_(\d{8}T\d{6}Z)_", path.name)[1], dataset.read(1), dataset.transform))
    return files


def place_of(transform, row: int, column: int) -> tuple[float, float]:
    x, y = transform @ (column + 0.5, row + 0.5)
    return Transformer.from_crs(32611, "OGC:CRS84", always_xy=True).transform(x, y)


@pytest.fixture(scope="module")
def client(folder, tmp_path_factory):
    with served(folder, tmp_path_factory.mktemp("state")) as client:
        yield client


def test_acquisitions_are_the_times_and_polarisations_the_layers(open_at):
    archive = open_at(BURSTS)
    layers = {layer.id: layer for layer in archive.services.catalogue.layers}

    assert len(archive.services.catalogue.collections) == 3
    names = [id_.removeprefix(f"{COLLECTION}.") for id_ in layers if id_.startswith(f"{COLLECTION}.")]
    assert names == ["VH_DB", "VV_DB", "VH_VV_DB", "VH", "VV", "VV_VH_RATIO"]
    acquired = [time for time, _numbers, _transform in read_burst("T137-292319-IW1", "VV")]
    times = [re.sub(r"[-:]", "", format_instant(time)) for time in layers[f"{COLLECTION}.VV"].times.instants]
    assert times == acquired


def test_check_proposes_one_map_of_the_bursts_and_states_the_guess(open_at):
    warning, *notes = open_at(BURSTS).findings

    assert warning.severity == "warning"
    assert "variables: {VH: {}, VV: {}}" in warning.message
    assert "tiles: true" in warning.message
    assert "time: {group: solar_day}" in warning.message
    stated = "values are taken for linear power; the other layers have the values of the files"
    assert [(note.severity, note.message) for note in notes] == [("note", stated)] * 3


@pytest.mark.parametrize(("layer", "variables"), [("VV", "VV"), ("VH_DB", "VH"), ("VH_VV_DB", "VH VV")])
def test_series_are_power_or_decibels_of_the_files(client, layer, variables):
    first, *second = [read_burst("T137-292319-IW1", variable) for variable in variables.split()]
    lon, lat = place_of(first[0][2], 40, 60)

    answer = client.get(f"/timeseries/{COLLECTION}.{layer}/point?lon={lon}&lat={lat}").json()

    numbers = np.array([numbers[40, 60] for _time, numbers, _transform in first], dtype="float64")
    if second:
        numbers /= [numbers[40, 60] for _time, numbers, _transform in second[0]]
    expected = 10 * np.log10(numbers) if layer.endswith("DB") else numbers
    np.testing.assert_allclose(answer["values"], expected, rtol=1e-4)


def test_composite_has_vv_vh_and_their_ratio(client):
    bands = [read_burst("T137-292319-IW1", variable)[-1] for variable in ("VV", "VH")]
    (time, vv, transform), vh = bands[0], bands[1][1]
    west, north = transform @ (0, 0)
    east, south = transform @ (100, 100)
    answer = client.get(
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={COLLECTION}.VV_VH_RATIO&STYLES=&CRS=EPSG:32611"
        f"&BBOX={west},{south},{east},{north}&WIDTH=100&HEIGHT=100&FORMAT=image/png"
        f"&TIME={time[:4]}-{time[4:6]}-{time[6:11]}:{time[11:13]}:{time[13:]}"
    )
    picture = np.array(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)

    valid = (vv > 0) & (vh > 0)  # a power of zero has no decibels
    vv, vh = vv[valid], vh[valid]
    decibels = 10 * np.log10(np.stack([vv, vh, vh / vv], axis=-1))
    assert valid.mean() > 0.5
    assert np.abs(picture[valid] - np.clip((decibels + 25) / 25, 0, 1) * 255).max() <= 1


def test_proposed_configuration_draws_the_bursts_of_a_day_as_one(folder, open_at, tmp_path):
    message = next(f.message for f in open_at(folder).findings if "tiles of one" in f.message)
    href = re.search(r"href: (\S+?),", message)[1]
    variables = re.search(r"variables: \{(.*?\{\})\},", message)[1].replace(", ", "\n      ")
    written = folder.parent / "s1.yaml"
    written.write_text(TILES.replace("HREF", f"bursts/{href}").replace("VARIABLES", f"      {variables}"))

    with served(written, tmp_path) as client:
        for burst in ("T137-292318-IW1", "T137-292319-IW1", "T137-292319-IW2"):
            files = read_burst(burst, "VV")
            lon, lat = place_of(files[0][2], 50, 50)
            answer = client.get(f"/timeseries/s1.VV_DB/point?lon={lon}&lat={lat}").json()

            assert [time[:10] for time in answer["times"]] == [
                *("2022-11-13", "2022-11-25", "2023-10-27", "2023-11-08", "2023-12-14", "2024-12-20")
            ]
            expected = [10 * np.log10(numbers[50, 50]) for _time, numbers, _transform in files]
            np.testing.assert_allclose(answer["values"], expected, rtol=1e-4)
