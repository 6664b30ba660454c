"""Films that are made as jobs: the same bytes as of a request, and more than one may ask for."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from chronotile.catalog.catalogue import Limits
from chronotile.errors import InvalidParameter, LimitExceeded, UnknownStyle
from chronotile.jobs.execute import execute
from chronotile.jobs.job import Execution
from chronotile.model.animation import AnimationRequest
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, Grid
from chronotile.model.request import MapRequest
from chronotile.pipeline.render_animation import render_animation
from tests.jobs.processes.doing import blocks_of, do_oddly
from tests.protocols import served

BOX = BBox(4.5, 50.75, 4.9, 50.95)
INPUTS = {"layer": "NDVI", "bbox": {"bbox": list(BOX)}, "width": 80, "height": 60, "format": "image/gif"}


@pytest.fixture
def services():
    return served.make_services(limits=Limits(max_animation_pixels=1000))


def filmed(services, folder, **inputs):
    """The file of a film that is made at once."""
    results = execute(Execution(process="animation", inputs=INPUTS | inputs), services, folder)
    return folder / results["animation"].file


def frames_of(path):
    """(frame, y, x, 4)."""
    with Image.open(path) as film:
        return np.stack([np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(film)])


def test_a_film_is_that_of_a_request_beyond_its_limit(services, tmp_path):
    grid = Grid(crs=CRS84, bbox=BOX, width=80, height=60)
    request = AnimationRequest(shown=MapRequest(layer="NDVI", grid=grid), format="image/gif")
    with pytest.raises(LimitExceeded):
        render_animation(request, services)

    path = filmed(services, tmp_path)

    delivery = render_animation(request, served.make_services())
    assert path.name == delivery.file_name
    assert path.read_bytes() == b"".join(delivery.body.pieces())


def test_frames_are_pictures_of_their_times(services, tmp_path):
    path = filmed(services, tmp_path, labels=[], step=2.0, format="image/webp")

    grid = Grid(crs=CRS84, bbox=BOX, width=80, height=60)
    expected = np.stack([served.expected_rgba(served.BELGIUM_31N, grid, time) for time in (0, 2)])
    np.testing.assert_array_equal(frames_of(path), expected)


def test_a_frame_may_be_a_month(services, tmp_path):
    path = filmed(services, tmp_path, labels=[], step="P1M", reducer="max")

    assert len(frames_of(path)) == 2


def test_pixels_are_square_on_the_ground(services, tmp_path):
    whole = {name: value for name, value in INPUTS.items() if name in {"layer", "format"}}
    results = execute(Execution(process="animation", inputs=whole | {"width": 100}), services, tmp_path)

    with Image.open(io.BytesIO((tmp_path / results["animation"].file).read_bytes())) as film:
        assert film.size == (100, 76)


def test_what_is_done_twice_is_there_once(services, tmp_path):
    results = do_oddly("animation", INPUTS, services, tmp_path)

    assert [path.name for path in tmp_path.rglob("*.*")] == [results["animation"].file]


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"width": 8}, InvalidParameter),
        ({"step": "P1W1M"}, InvalidParameter),
        ({"style": "nonsense"}, UnknownStyle),
        ({"bbox": {"bbox": [4.5, 50.75, 4.5, 50.95]}}, InvalidParameter),
        ({"labels": ["title"]}, InvalidParameter),
        ({"fps": 50}, InvalidParameter),
    ],
    ids=str,
)
def test_what_makes_no_film_is_refused_before_anything_is_drawn(services, inputs, error):
    with pytest.raises(error):
        blocks_of("animation", INPUTS | inputs, services)
