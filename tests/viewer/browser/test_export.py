"""Exports of the viewer (scenarios 23 to 26 and 28), in Chromium, and as other programs read them."""

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import av
import numpy as np
import pytest
import rasterio
import shapely
import xarray
from PIL import Image, ImageSequence
from pyproj import Transformer

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.viewer.browser.served import CELL_M, GHENT, NDVI_TIMES, TILE_COLUMN, TILE_ROW, cloudy, write_archive

SCENARIOS = Path(__file__).with_name("export.mjs")
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.client("node")]

SIZE = 512
"""Cells per side of the layer; a cell is a pixel of the map at zoom 12."""


@dataclass(frozen=True)
class Exported:
    """Files and output of the scenarios."""

    base: str
    folder: Path
    output: str
    about: SimpleNamespace

    def path(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    app = create_app(Settings(config=write_archive(tmp_path_factory.mktemp("viewer"))))
    folder = tmp_path_factory.mktemp("exported")
    with listening(app) as url:
        ran = subprocess.run(
            ["node", SCENARIOS, f"{url}/", folder], capture_output=True, text=True, timeout=1800, check=False
        )
        told = (folder / "about.json").read_text() if (folder / "about.json").exists() else "{}"
        about = json.loads(told, object_hook=lambda members: SimpleNamespace(**members))
        yield Exported(base=f"{url}/", folder=folder, output=ran.stdout + ran.stderr, about=about)


def numbers_at(t: int) -> np.ndarray:
    """Return the numbers (y, x) of the layer; 255 stands for no value."""
    return cloudy(*np.ogrid[t : t + 1, :SIZE, :SIZE])[0].astype(np.uint8)


def colours_of(base: str) -> np.ndarray:
    """Return (256, 3): the colour of each number, from the server's tile of the first date, which has every number."""
    url = f"{base}tiles/ndvi/WebMercatorQuad/12/{TILE_COLUMN}/{TILE_ROW}.png?datetime=2019-01-01"
    with urlopen(url) as answer:
        tile = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))
    table = np.full((256, 3), 255, dtype=np.uint8)
    table[numbers_at(0)[:256, :256].ravel()] = tile.reshape(-1, 3)
    return table


def data_part(frame: np.ndarray, corner: SimpleNamespace) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return the pixels of a frame that show the layer without labels, and the rows and columns of their cells."""
    top, left = round(corner.y), round(corner.x)
    rows, columns = slice(80, min(frame.shape[0], top + SIZE) - 140), slice(270, min(frame.shape[1], left + SIZE) - 280)
    cells = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    return frame[rows, columns], cells


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def frames_of(path: Path) -> list[np.ndarray]:
    return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened(path))]


def video_of(path: Path) -> tuple[list[np.ndarray], float]:
    """Return the frames and their duration in seconds."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames, container.duration / av.time_base


def test_exports_of_the_viewer_match_the_scenarios_in_a_browser(exported):
    assert "FAIL" not in exported.output, exported.output
    assert exported.output.count("ok  ") == 18, exported.output


def test_a_picture_has_labels_in_its_corners_and_the_size_of_the_map(exported):
    plain, labelled, double = (
        np.asarray(opened(exported.path(name)).convert("RGB")) for name in ("plain.png", "picture.png", "double.png")
    )
    size = exported.about.picture

    assert labelled.shape == plain.shape == (size.height, size.width, 3)
    assert double.shape == (2 * size.height, 2 * size.width, 3)
    for name, corner in {
        "title and date": np.s_[10:60, 10:150],
        "north": np.s_[10:52, -44:-10],
        "legend": np.s_[-60:-12, 12:240],
        "scale": np.s_[-70:-45, -90:-12],
    }.items():
        inked = labelled[corner].min(axis=2) < 90
        assert inked.any(), name
        assert (plain[corner] != labelled[corner]).any(), name
    attribution = np.s_[-30:-12, -200:-12]
    assert (plain[attribution].min(axis=2) < 90).any()


def test_a_geotiff_of_the_view_has_the_numbers_of_the_formula_in_their_place(exported):
    with rasterio.open(exported.path("view.tif")) as file:
        numbers, transform, tags = file.read(1), file.transform, (file.crs.to_epsg(), file.count, file.nodata)
        scaling = file.scales[0], file.offsets[0]

    column, row = round((transform.c - GHENT.c) / CELL_M), round((GHENT.f - transform.f) / CELL_M)
    expected = numbers_at(exported.about.data.index)
    height, width = numbers.shape
    assert tags == (3857, 1, 255)
    assert scaling == pytest.approx((0.004, -0.08))
    assert transform.a == pytest.approx(CELL_M)
    assert np.array_equal(numbers, expected[row : row + height, column : column + width])


def test_a_netcdf_of_an_interval_has_its_dates(exported):
    with xarray.open_dataset(exported.path("interval.nc"), engine="h5netcdf") as file:
        (values,) = [file[name] for name in file.data_vars if file[name].ndim == 3]
        days = [str(day)[:10] for day in file["time"].values]
        cell = values.sel(x=GHENT.c + 300.5 * CELL_M, y=GHENT.f - 200.5 * CELL_M, method="nearest").values

    indexes = [list(NDVI_TIMES.astype(str)).index(day) for day in days]
    expected = [numbers_at(index)[200, 300] for index in indexes]
    assert days == ["2019-06-05", "2019-06-10", "2019-06-15"]
    assert np.where(np.isnan(cell), 255, np.rint((cell + 0.08) / 0.004)).tolist() == expected


def test_a_geotiff_of_an_area_holds_the_numbers_of_its_cells_alone(exported):
    area = shapely.transform(
        shapely.Polygon(exported.about.area),
        Transformer.from_crs(4326, 3857, always_xy=True).transform,
        interleaved=False,
    )
    with rasterio.open(exported.path("area.tif")) as file:
        found, to_map = file.read(1), file.transform
    rows, columns = np.indices(found.shape)
    eastings, northings = to_map @ (columns + 0.5, rows + 0.5)
    first_column, first_row = np.rint(~GHENT @ (to_map.c, to_map.f)).astype(int)
    numbers = numbers_at(list(NDVI_TIMES.astype(str)).index("2019-06-05"))
    expected = numbers[first_row : first_row + found.shape[0], first_column : first_column + found.shape[1]]
    centres = shapely.points(eastings, northings)
    is_clear_of_edge = shapely.distance(area.boundary, centres) > CELL_M
    is_within = shapely.contains(area, centres)

    assert to_map.a == pytest.approx(CELL_M)
    assert (found[is_within & is_clear_of_edge] == expected[is_within & is_clear_of_edge]).all()
    assert (found[~is_within & is_clear_of_edge] == 255).all()
    assert np.count_nonzero(found[~is_within & is_clear_of_edge]) > 3500


@pytest.mark.parametrize("name", ["film.gif", "server.gif"])
def test_gif_has_a_frame_per_date_and_the_requested_length(exported, name):
    film = opened(exported.path(name))
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]

    assert (len(durations), sum(durations), film.info["loop"]) == (9, 2250, 0)


def test_frames_of_a_gif_have_the_colours_of_the_servers_tiles(exported):
    frames, about = frames_of(exported.path("film.gif")), exported.about.film
    colours = colours_of(exported.base)

    for frame, date in ((frames[0], about.dates[0]), (frames[-1], about.dates[-1])):
        shown, cells = data_part(frame, about.corner)
        numbers = numbers_at(list(NDVI_TIMES.astype(str)).index(date))[cells]
        has_value = numbers != 255
        assert has_value.mean() > 0.2
        assert np.array_equal(shown[has_value], colours[numbers][has_value])


def test_dates_are_burnt_in(exported):
    stamps = [frame[10:70, 10:200].tobytes() for frame in frames_of(exported.path("film.gif"))]

    assert len(set(stamps)) == 9


@pytest.mark.parametrize("name", ["film.mp4", "film.webm"])
def test_a_video_has_the_dates_nearly_in_the_colours_of_the_tiles(exported, name):
    frames, seconds = video_of(exported.path(name))
    about, colours = exported.about.film, colours_of(exported.base)
    shown, cells = data_part(frames[-1], about.corner)
    numbers = numbers_at(72)[cells]
    has_value = numbers != 255

    assert len(frames) == 9
    assert seconds == pytest.approx(2.25, abs=0.05)
    assert all(side % 2 == 0 for side in frames[0].shape[:2])
    assert np.abs(shown[has_value].astype(int) - colours[numbers][has_value]).mean() < 12


def test_the_index_of_an_mp4_stands_before_its_frames(exported):
    body = exported.path("film.mp4").read_bytes()

    assert body.index(b"moov") < body.index(b"mdat")


def test_filled_frames_have_the_last_value_of_each_cell(exported):
    about, frames = exported.about.filled, frames_of(exported.path("filled.gif"))
    shown, cells = data_part(frames[-1], about.corner)
    last = numbers_at(0)
    for t in range(1, about.indexes[-1] + 1):
        last = np.where(numbers_at(t) == 255, last, numbers_at(t))

    assert (numbers_at(about.indexes[-1])[cells] == 255).any()
    assert (shown == colours_of(exported.base)[last[cells]]).all(axis=2).mean() > 0.999


def test_a_layer_of_pictures_has_a_film_of_all_its_dates(exported):
    assert len(frames_of(exported.path("pictures.gif"))) == 12


def test_lines_of_python_print_the_mean_of_the_shown_map(exported):
    ran = subprocess.run(
        [sys.executable, "-c", exported.about.copied.python], capture_output=True, text=True, timeout=600, check=True
    )

    numbers = numbers_at(list(NDVI_TIMES.astype(str)).index("2019-06-05"))
    mean = float(ran.stdout.split()[-1])
    assert ran.stdout.startswith("EPSG:3857 BoundingBox")
    assert abs(mean - (numbers[numbers != 255] * 0.004 - 0.08).mean()) < 0.05
