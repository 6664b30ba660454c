"""A time-lapse, of more or larger frames than a request may ask for."""

from collections.abc import Mapping, Sequence

from chronotile.jobs.asked import located, without_limits
from chronotile.jobs.job import Json, Result
from chronotile.jobs.maps import BBOX, DATETIME, LAYER, keep, kept_result, trims_of
from chronotile.jobs.process import Input, Inputs, Output, Plan, Process, Work
from chronotile.model.animation import ANIMATION_LABELS, DEFAULT_FPS, LEAST_FPS, MOST_FPS, AnimationRequest
from chronotile.model.asked_step import asked_period
from chronotile.model.crs import CRS84
from chronotile.model.request import PICTURE_REDUCERS, MapRequest
from chronotile.model.square_pixels import LEAST_SIDE_PX, grid_of_picture
from chronotile.model.time import Period, parse_time
from chronotile.pipeline.render_animation import EXTENSIONS, MAX_SIDE_PX, find_animation, render_animation
from chronotile.pipeline.services import Services

PIXEL_S = 60e-9
"""What it takes to draw and pack a pixel of a frame."""


def _plan(inputs: Inputs, services: Services) -> Plan:
    with located({"time": "datetime"}):
        request = _request(inputs, services)
        found = find_animation(request, without_limits(services), with_body=False)
    assert found is not None  # noqa: S101 -- without a body there is nothing to make
    grid = request.shown.grid
    return Plan(blocks=[{}], seconds=len(found.time.instants) * grid.width * grid.height * PIXEL_S)


def _run(inputs: Inputs, _block: Json, work: Work) -> Json:
    services = without_limits(work.services)
    delivery = render_animation(_request(inputs, services), services, is_wanted=work.is_wanted)
    keep(delivery.body, work.folder / delivery.file_name, work)
    return {"file": delivery.file_name, "media_type": delivery.media_type}


def _finish(_inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    return {"animation": kept_result(done[0], work)}


def _request(inputs: Inputs, services: Services) -> AnimationRequest:
    layer = services.catalogue.layer(inputs["layer"])
    trims = trims_of(inputs, services)
    crs, box = (trims[0].crs, trims[0].box) if trims else (CRS84, layer.main_variable.grid.bbox_in(CRS84))
    return AnimationRequest(
        shown=MapRequest(
            layer=layer.id,
            grid=grid_of_picture(crs, box, width=_pixels(inputs, "width"), height=_pixels(inputs, "height")),
            time=parse_time(inputs.get("datetime")),
            style=inputs.get("style", ""),
            reducer=inputs.get("reducer", "latest"),
        ),
        format=inputs.get("format", "video/mp4"),
        step=_step(inputs.get("step", 1)),
        fps=inputs.get("fps", DEFAULT_FPS),
        labels=frozenset(inputs.get("labels", ANIMATION_LABELS)),
    )


def _pixels(inputs: Inputs, name: str) -> int | None:
    return int(inputs[name]) if name in inputs else None  # 640.0 is an integer in JSON Schema


def _step(given: float | str) -> int | Period:
    if isinstance(given, str):
        return asked_period(given, also="every how many times one is a frame, ")
    return int(given)


def _side(title: str) -> Input:
    return Input(
        title=title,
        description="In pixels. They are square on the ground where one side is not given; 640 wide where none is.",
        schema={"type": "integer", "minimum": LEAST_SIDE_PX, "maximum": MAX_SIDE_PX},
        is_required=False,
    )


process = Process(
    id="animation",
    title="Animation",
    description="A film of a layer: a frame a time, or a period, with the date, the legend and the attribution on it.",
    keywords=("picture", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "bbox": BBOX,
        "width": _side("Width"),
        "height": _side("Height"),
        "format": Input(
            title="Format",
            description="Media type of the film.",
            schema={"type": "string", "enum": list(EXTENSIONS), "default": "video/mp4"},
            is_required=False,
        ),
        "step": Input(
            title="Step",
            description="Every how many times one is a frame; or a period (P1M, dekad), all times of which are one.",
            schema={"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "maxLength": 40}], "default": 1},
            is_required=False,
        ),
        "fps": Input(
            title="Frames a second",
            description="How fast it runs.",
            schema={"type": "number", "minimum": LEAST_FPS, "maximum": MOST_FPS, "default": DEFAULT_FPS},
            is_required=False,
        ),
        "labels": Input(
            title="Labels",
            description="What is written on the frames; all of it where none are named.",
            schema={"type": "array", "items": {"type": "string", "enum": list(ANIMATION_LABELS)}},
            is_required=False,
        ),
        "style": Input(
            title="Style",
            description="Id of a style of the layer; its first where none is named.",
            schema={"type": "string", "maxLength": 200},
            is_required=False,
        ),
        "reducer": Input(
            title="Reducer",
            description="What a pixel shows of several times.",
            schema={"type": "string", "enum": list(PICTURE_REDUCERS), "default": "latest"},
            is_required=False,
        ),
    },
    outputs={
        "animation": Output(
            title="Animation",
            description="The film.",
            schema={
                "oneOf": [
                    {"type": "string", "contentEncoding": "binary", "contentMediaType": media_type}
                    for media_type in EXTENSIONS
                ]
            },
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
