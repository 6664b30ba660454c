"""Films that are made as jobs: the same bytes as of a request, and more than one may request."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from chronotile.catalog.limits import Limits
from chronotile.core.errors import ClientGone, InvalidParameter, LimitExceeded, UnknownStyle
from chronotile.core.model.animation import AnimationRequest
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.job import Execution
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.period_parser import requested_period
from chronotile.jobs.processes import animation
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.pipeline.maps.animation import render_animation
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, with_times, work_in
from tests.protocols import served

BOX = BBox(4.5, 50.75, 4.9, 50.95)
INPUTS = {"layer": "NDVI", "bbox": {"bbox": list(BOX)}, "width": 80, "height": 60, "format": "image/gif"}


@pytest.fixture
def services():
    return served.make_services(limits=Limits(max_animation_pixels=1000))


def filmed(services, folder, **inputs):
    """Return the file of a film that is computed synchronously."""
    results = execute(Execution(process="animation", inputs=INPUTS | inputs), services, folder)
    return folder / results["animation"].file


def frames_of(path):
    """(frame, y, x, 4)."""
    with Image.open(path) as film:
        return np.stack([np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(film)])


def test_film_equals_that_of_a_request_beyond_its_limit(services, tmp_path):
    grid = Grid(crs=CRS84, bbox=BOX, width=80, height=60)
    request = AnimationRequest(map_request=MapRequest(layer="NDVI", grid=grid), format=AnimationFormat.GIF)
    with pytest.raises(LimitExceeded):
        render_animation(request, services)

    path = filmed(services, tmp_path)

    delivery = render_animation(request, served.make_services())
    assert path.name == delivery.file_name
    assert path.read_bytes() == b"".join(delivery.body.iter_bytes())


def test_file_may_be_larger_than_in_a_synchronous_answer(services, tmp_path, monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.encoders.animation.animation.MAX_BYTES", 1000)
    assert filmed(services, tmp_path).stat().st_size > 1000

    monkeypatch.setattr(animation, "MAX_BYTES", 1000)
    with pytest.raises(LimitExceeded, match="bytes of an animation"):
        filmed(services, tmp_path, fps=3)


def test_a_film_of_too_many_pixels_is_refused_before_anything_is_drawn(services, monkeypatch):
    monkeypatch.setattr(animation, "MAX_PIXELS", 80 * 60 * 4)
    assert tasks_of("animation", INPUTS, services)

    monkeypatch.setattr(animation, "MAX_PIXELS", 80 * 60 * 4 - 1)
    with pytest.raises(LimitExceeded, match="pixels of a film"):
        tasks_of("animation", INPUTS, services)


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


@pytest.fixture
def small_tasks(monkeypatch):
    """Tasks of one frame."""
    monkeypatch.setattr(animation, "TASK_S", 1e-9)


@pytest.mark.parametrize("step", [1, 2, "P1M"])
@pytest.mark.parametrize("format_", AnimationFormat)
@pytest.mark.usefixtures("small_tasks")
def test_frames_of_many_tasks_make_the_film_of_one_request(services, tmp_path, format_, step):
    results = do_oddly("animation", INPUTS | {"format": str(format_), "step": step}, services, tmp_path)

    assert len(tasks_of("animation", INPUTS | {"step": step}, services)) == {1: 4, 2: 2, "P1M": 2}[step]
    period = requested_period(step, also="") if isinstance(step, str) else step
    shown = MapRequest(layer="NDVI", grid=Grid(crs=CRS84, bbox=BOX, width=80, height=60))
    delivery = render_animation(
        AnimationRequest(map_request=shown, format=format_, step=period), served.make_services()
    )
    assert (tmp_path / "results" / results["animation"].file).read_bytes() == b"".join(delivery.body.iter_bytes())


@pytest.mark.usefixtures("small_tasks")
def test_composites_are_filmed_in_all_their_colours(tmp_path):
    layers = [*map(served.make_layer, ("RED", "GREEN", "BLUE")), served.make_composite()]
    job, asked = (served.make_services(served.make_collection(*layers)) for _ in range(2))
    inputs = INPUTS | {"layer": "TRUE_COLOUR", "labels": [], "format": "image/webp"}

    results = do_oddly("animation", inputs, job, tmp_path)

    shown = MapRequest(layer="TRUE_COLOUR", grid=Grid(crs=CRS84, bbox=BOX, width=80, height=60))
    request = AnimationRequest(map_request=shown, format=AnimationFormat.WEBP, labels=frozenset())
    expected = b"".join(render_animation(request, asked).body.iter_bytes())
    assert (tmp_path / "results" / results["animation"].file).read_bytes() == expected


def test_a_film_has_the_times_that_were_planned_though_others_have_come(tmp_path):
    process, inputs = process_of("animation"), INPUTS | {"datetime": "2020-05-25/..", "step": 2}
    plan = plan_of("animation", inputs, with_times("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"))

    more = with_times("2020-05-21", "2020-05-29", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01")
    work = work_in(tmp_path, more, shared=plan.shared)
    results = process.finish(inputs, [process.run(inputs, task, work) for task in plan.tasks], work)

    assert results["animation"].file == "NDVI_2020-06-01_2020-06-21.gif"


def test_repeated_task_leaves_one_result(services, tmp_path):
    results = do_oddly("animation", INPUTS, services, tmp_path)
    again = do_oddly("animation", INPUTS, services, tmp_path)

    assert again == results
    assert [path.name for path in (tmp_path / "results").iterdir()] == [results["animation"].file]
    assert not list(tmp_path.rglob("*.part"))


def test_a_job_that_was_dismissed_leaves_nothing(services, tmp_path):
    process, plan = process_of("animation"), plan_of("animation", INPUTS, services)
    (task,), work = plan.tasks, work_in(tmp_path, services, shared=plan.shared)
    done = process.run(INPUTS, task, work)

    for unwanted in (replace(work, is_active=lambda: False), replace(work, folder=tmp_path / "gone")):
        with pytest.raises(ClientGone):
            process.run(INPUTS, task, unwanted)
        with pytest.raises(ClientGone):
            process.finish(INPUTS, [done], unwanted)
    assert not list(work.results.iterdir())


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
def test_impossible_film_is_refused_before_anything_is_drawn(services, inputs, error):
    with pytest.raises(error):
        tasks_of("animation", INPUTS | inputs, services)
