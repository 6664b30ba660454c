"""Files that are overwritten during an answer: the answer is of one version, or 503."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.archive.open import open_archive
from chronotile.jobs.queue.service import JobService
from tests.agreement.test_damaged_dates import BOX, LATITUDE, LONGITUDE, STYLE, tile_of
from tests.scenes import Scene, make_dataset, save_netcdf, write_tif

SCENE = Scene(days=("2020-01-01", "2020-01-11"), gap=-1)
STEP = 10
"""The second band of each file is the first and so much more."""
EVERY_TIME = 1000
COGS = "kind: cog, href: 'MADE_*.tif', time_pattern: '_(?P<time>\\d{8})'"
NETCDF = "kind: netcdf, href: made.nc"
CONFIGURATION = """
collections:
  made:
    source: {SOURCE}
    variables:
      FIRST: {layer: FIRST, ONE, styles: [grey]}
      SECOND: {layer: SECOND, TWO, styles: [grey]}
      STEP: {layer: STEP, formula: "SECOND - FIRST", styles: [grey]}
    composites:
      RGB: {layer: RGB, variables: [FIRST, SECOND, FIRST], range: [-0.08, 0.92]}
"""


class Rewriting:
    """A reader whose files are overwritten after some of its first reads, as by another program."""

    def __init__(self, reader, rewrite: Callable[[], None], times: int) -> None:
        self._reader, self._rewrite, self._left = reader, rewrite, times

    def __getattr__(self, name: str):
        member = getattr(self._reader, name)
        return self._then_written(member) if name in {"read_window", "read_cell", "read_block"} else member

    def _then_written(self, read):
        def reading(*given, **named):
            pixels = read(*given, **named)
            if self._left > 0:
                self._left -= 1
                self._rewrite()
            return pixels

        return reading


class Made:
    """A folder whose files are written again and again, each time with other numbers."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind, self.state = folder, kind, 0
        self.write()

    def write(self) -> None:
        self.state += 1
        scene = replace(SCENE, shift=23 * self.state)
        write = self._write_cogs if self.kind == "cog" else self._write_netcdf
        for path in write(scene):
            os.utime(path, ns=(self.state * 10**9, self.state * 10**9))  # however quickly it follows the one before

    def _write_cogs(self, scene: Scene) -> list[Path]:
        paths = []
        for t, day in enumerate(scene.days):
            first = (scene.numbers(t) % 200).astype("uint8")
            path = self.folder / f"MADE_{day.replace('-', '')}.tif"
            paths.append(write_tif(path, np.stack([first, first + STEP]), scene))
        return paths

    def _write_netcdf(self, scene: Scene) -> list[Path]:
        dataset = make_dataset(scene)
        first = dataset["NDVI"] % 200
        for name, numbers in (("FIRST", first), ("SECOND", first + STEP)):
            dataset[name] = numbers.astype("uint8").assign_attrs(dataset["NDVI"].attrs)
        return [save_netcdf(dataset.drop_vars("NDVI"), self.folder / "made.nc")]


@pytest.fixture(params=["cog", "netcdf"])
def made(request, tmp_path) -> Made:
    return Made(tmp_path, request.param)


@pytest.fixture
def serve(made, tmp_path, request):
    """Return `serve(times)`: a client of a server whose files are overwritten after this number of reads."""
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "grey.yaml").write_text(STYLE)
    bands = {"ONE": "band: 1", "TWO": "band: 2"} if made.kind == "cog" else {"ONE, ": "", "TWO, ": ""}
    text = CONFIGURATION.replace("SOURCE", COGS if made.kind == "cog" else NETCDF)
    for name, what in bands.items():
        text = text.replace(name, what)
    (tmp_path / "chronotile.yaml").write_text(text)

    def start(times: int) -> TestClient:
        archive = open_archive(
            tmp_path / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns")
        )
        (formulas,) = archive.services.readers.values()
        formulas._reader = Rewriting(formulas._reader, made.write, times)  # below the formula, above the files
        client = TestClient(
            application(archive.services, ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a")))
        )
        request.addfinalizer(lambda: client.__exit__(None, None, None))
        return client.__enter__()

    return start


PATHS = {
    "tile": "/tiles/STEP/TILE.npy?datetime=2020-01-01",
    "tile of an interval": "/tiles/STEP/TILE.npy?datetime=2020-01-01/2020-01-11&reducer=max",
    "composite": "/tiles/RGB/TILE.png?datetime=2020-01-01",
    "cube": "/cubes/STEP/TILE.ctc",
    "point": f"/timeseries/STEP/point?lon={LONGITUDE}&lat={LATITUDE}",
    "area": f"/timeseries/STEP/area?bbox={BOX}",
    "coverage": "/ogcapi/collections/STEP/coverage?f=CoverageJSON",
    "animation": f"/animations/STEP.gif?bbox={BOX}&width=32&height=32",
    "layers over one another": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=FIRST,STEP&STYLES=&CRS=CRS:84"
    f"&BBOX={BOX}&WIDTH=32&HEIGHT=32&FORMAT=image/png&TIME=2020-01-01",
    **{
        f"feature info of {name}": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&STYLES=&CRS=CRS:84&WIDTH=32"
        f"&HEIGHT=32&BBOX={BOX}&I=16&J=16&INFO_FORMAT=application/json&LAYERS={layer}&QUERY_LAYERS={layer}"
        for name, layer in (("a formula", "STEP"), ("a composite", "RGB"))
    },
}


def ask(client: TestClient, path: str):
    return client.get(path.replace("TILE", tile_of(Client(client), "FIRST")))


class Client:
    """Requests for `tile_of`."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str):
        return self.client.get(path)


@pytest.mark.quick_cases("cog-", "netcdf-point", "netcdf-tile")
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_answer_is_that_of_the_current_file(serve, path):
    answer = ask(serve(1), path)
    truth = ask(serve(0), path)

    assert answer.status_code == truth.status_code == 200
    assert b"<ServiceExceptionReport" not in truth.content
    assert answer.content == truth.content


def test_numbers_of_two_states_are_never_subtracted(serve):
    values = np.load(io.BytesIO(ask(serve(1), PATHS["tile"]).content))

    np.testing.assert_allclose(values[np.isfinite(values)], STEP * SCENE.scale, atol=1e-6)


def test_composite_has_no_bands_of_two_states(serve):
    picture = np.asarray(Image.open(io.BytesIO(ask(serve(1), PATHS["composite"]).content)).convert("RGBA"))

    shown = picture[picture[..., 3] > 0].astype(int)
    step = STEP * SCENE.scale * 255
    assert np.abs(shown[:, 1] - shown[:, 0] - step).max() <= 1
    np.testing.assert_array_equal(shown[:, 0], shown[:, 2])


@pytest.mark.quick_cases("/point", "/coverage", "cog-/cubes")
@pytest.mark.parametrize("path", [path for name, path in PATHS.items() if "wms" not in path])
def test_file_that_is_written_all_the_time_is_503(serve, path):
    answer = ask(serve(EVERY_TIME), path)

    assert answer.status_code == 503, answer.text[:200]
    assert answer.headers["cache-control"] == "no-store"
    assert "unreadable" not in answer.text
