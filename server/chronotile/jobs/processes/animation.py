"""The process *animation*: more or larger frames than a request may have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.core.cancellation import require_active
from chronotile.core.errors import require_at_most
from chronotile.core.model.animation import ANIMATION_LABELS, DEFAULT_FPS, MAX_FPS, MIN_FPS, AnimationRequest
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.job import Result
from chronotile.core.model.picture import IndexPicture, Picture, RgbaPicture
from chronotile.core.model.request import PICTURE_REDUCERS, MapRequest
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.picture_grid import MIN_SIDE_PX, grid_of_picture
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.period_parser import requested_period
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Json
from chronotile.jobs.processes.inputs import instants_to_json, lift_limits, locate_errors, times_from_json, trims_of
from chronotile.jobs.processes.process import Input, Inputs, JobPlan, Output, Process, Work, binary, choice, optional
from chronotile.jobs.processes.shared_inputs import BBOX, DATETIME, LAYER
from chronotile.jobs.processes.sources import source_of
from chronotile.jobs.processes.work.partial_results import (
    PartialResult,
    read_partial_result,
    scratch_of,
    write_body,
    write_partial_result,
)
from chronotile.pipeline.encoders.deflated import deflate
from chronotile.pipeline.maps.animation import (
    MAX_SIDE_PX,
    draw_frames,
    estimate_animation,
    find_animation,
    render_animation,
    usual_format,
)
from chronotile.pipeline.services import Services

TASK_S = 10.0
"""Duration of a task, unless a single frame takes longer."""
MAX_PIXELS = 1 << 32
"""Limit of the pixels of all frames together."""
MAX_BYTES = (1 << 32) - 1
"""Limit of the file: a WebP file cannot be larger."""
DEFAULT_FORMAT = usual_format()
FORMATS = {str(format_): format_ for format_ in AnimationFormat}
PACKING = 1
"""Deflate level of stored frames."""


UNREADABLE = PartialResult(arrays={}, metadata={})
"""Stored instead of a frame that cannot be read."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    with locate_errors({"time": "datetime"}):
        request = _request(inputs, services, parse_time(inputs.get("datetime")))
        animation = find_animation(request, lift_limits(services), with_body=False)
    assert animation is not None  # noqa: S101 -- without a body there is nothing to make
    grid, count = request.map_request.grid, animation.frames
    pixels, alternative = grid.width * grid.height * count, "request a smaller picture or fewer frames"
    require_at_most("pixels of a film", pixels, MAX_PIXELS, alternative=alternative, locator="inputs.width")
    seconds = max(estimate_animation(request, lift_limits(services)), 1e-6)
    layer = services.catalogue.layer(request.map_request.layer)
    indexes = resolve_series_times(layer, request.map_request.time, now=services.clock()).indexes
    step = max(1, int(count * TASK_S / seconds))
    instants = layer.times.instants[list(indexes)]
    return JobPlan(
        tasks=[{"first": first, "last": min(first + step, count)} for first in range(0, count, step)],
        seconds=seconds,
        held_bytes=0,
        shared={"times": instants_to_json(instants)},
        sources=[source_of(layer, instants)],
        pixels=len(animation.time.instants) * grid.width * grid.height,
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    numbers = range(task["first"], task["last"])
    pictures = draw_frames(
        _planned_request(inputs, work), lift_limits(work.services), numbers, is_active=work.is_active
    )
    for number, picture in zip(numbers, pictures, strict=True):
        write_partial_result(work, _name_of(number), UNREADABLE if picture is None else _pack(picture))
    return task


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    delivery = render_animation(
        _planned_request(inputs, work),
        lift_limits(work.services),
        pictures=_pictures(done[-1]["last"], work),
        scratch=scratch_of(work),
        most_bytes=MAX_BYTES,
        is_active=work.is_active,
    )
    write_body(delivery.body, work.results / delivery.file_name, work)
    return {"animation": Result(file=delivery.file_name, media_type=delivery.media_type)}


def _pictures(count: int, work: Work) -> Iterator[Picture | None]:
    """Yield the frames that tasks stored, in order; `None` for frames that could not be read."""
    for number in range(count):
        require_active(work.is_active)
        partial = read_partial_result(work, _name_of(number))
        yield _unpack(partial) if partial.arrays else None


def _name_of(number: int) -> str:
    return f"frame-{number}"


def _pack(picture: Picture) -> PartialResult:
    pixels = picture.index if isinstance(picture, IndexPicture) else picture.pixels
    packed = np.frombuffer(deflate.compress(np.ascontiguousarray(pixels), PACKING), np.uint8)
    palette = {"palette": picture.palette} if isinstance(picture, IndexPicture) else {}
    return PartialResult(arrays={"pixels": packed, **palette}, metadata={"shape": pixels.shape})


def _unpack(partial: PartialResult) -> Picture:
    unpacked = deflate.decompress(partial.arrays["pixels"])
    pixels = np.frombuffer(unpacked, np.uint8).reshape(partial.metadata["shape"])
    return IndexPicture(pixels, partial.arrays["palette"]) if "palette" in partial.arrays else RgbaPicture(pixels)


def _planned_request(inputs: Inputs, work: Work) -> AnimationRequest:
    # The times were fixed when the job was planned: later dates of the layer are not in the animation.
    times = times_from_json(inputs["layer"], work.shared["times"], work.services)
    return _request(inputs, work.services, times.selection)


def _request(inputs: Inputs, services: Services, time: TimeSelection) -> AnimationRequest:
    layer = services.catalogue.layer(inputs["layer"])
    trims = trims_of(inputs, services)
    step = inputs.get("step", 1)
    crs, box = (trims[0].crs, trims[0].box) if trims else (CRS84, layer.main_variable.grid.bbox_in(CRS84))
    return AnimationRequest(
        map_request=MapRequest(
            layer=layer.id,
            grid=grid_of_picture(crs, box, width=_pixels(inputs, "width"), height=_pixels(inputs, "height")),
            time=time,
            style=inputs.get("style", ""),
            reducer=inputs.get("reducer", "latest"),
        ),
        format=FORMATS[inputs.get("format", DEFAULT_FORMAT)],
        step=requested_period(step, also="one frame every N times, ") if isinstance(step, str) else int(step),
        fps=inputs.get("fps", DEFAULT_FPS),
        labels=frozenset(inputs.get("labels", ANIMATION_LABELS)),
    )


def _pixels(inputs: Inputs, name: str) -> int | None:
    return int(inputs[name]) if name in inputs else None  # 640.0 is an integer in JSON Schema


def _side(title: str) -> Input:
    return optional(
        title,
        "In pixels; default: 640 wide, with square pixels on the ground.",
        {"type": "integer", "minimum": MIN_SIDE_PX, "maximum": MAX_SIDE_PX},
    )


process = Process(
    id="animation",
    title="Animation",
    description="A film of a layer: one frame per time or period, with date, legend and attribution.",
    keywords=("picture", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "bbox": replace(
            BBOX,
            description="Area of the frames; default: the whole layer. Coordinates are in the axis order of its "
            "CRS (default: CRS84); the west is less than the east.",
        ),
        "width": _side("Width"),
        "height": _side("Height"),
        "format": optional(
            "Format", "Media type of the film.", {"type": "string", "enum": list(FORMATS), "default": DEFAULT_FORMAT}
        ),
        "step": optional(
            "Step",
            "One frame every N times; or one per period (P1M, dekad), with all of its times.",
            {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "maxLength": 40}], "default": 1},
        ),
        "fps": optional(
            "Frames a second",
            "Frames per second.",
            {"type": "number", "minimum": MIN_FPS, "maximum": MAX_FPS, "default": DEFAULT_FPS},
        ),
        "labels": optional(
            "Labels",
            "Labels on the frames; default: all.",
            {"type": "array", "items": {"type": "string", "enum": list(ANIMATION_LABELS)}},
        ),
        "style": optional(
            "Style", "Id of a style of the layer; default: its first.", {"type": "string", "maxLength": 200}
        ),
        "reducer": optional("Reducer", "Reducer of several times to one pixel.", choice(PICTURE_REDUCERS)),
    },
    outputs={
        "animation": Output(
            title="Animation",
            description="The film.",
            schema={"oneOf": list(map(binary, FORMATS))},
            formats={media_type: media_type for media_type in FORMATS},
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
