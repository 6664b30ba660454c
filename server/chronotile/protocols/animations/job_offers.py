"""The job that makes a time-lapse which is too large for a request."""

import math
from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.animation import ANIMATION_LABELS, AnimationRequest
from chronotile.model.request import MapRequest
from chronotile.pipeline.caches.answer_memory import LIMIT as MEMORY
from chronotile.processes.animation import MOST_PIXELS
from chronotile.protocols.common.job_offer import JobOffer, bbox_input, datetime_input
from chronotile.protocols.common.query.kvp import Kvp

LIMITS: Mapping[str, float] = {"max_animation_pixels": MOST_PIXELS, MEMORY: math.inf}


def animation_offer(animation: AnimationRequest, query: Kvp, catalogue: Catalogue) -> JobOffer | None:
    """Return the job; `None` if the request has colours that belong to no style, or numbers that belong to no layer.

    Raises:
        UnsupportedCrs: No process takes the CRS.
    """
    shown, grid = animation.shown, animation.shown.grid
    plain = MapRequest(
        layer=shown.layer, grid=grid, time=shown.time, style=shown.style, reducer=shown.reducer, format=shown.format
    )
    if shown != plain:
        return None
    labels = [label for label in ANIMATION_LABELS if label in animation.labels]
    inputs = {
        "layer": shown.layer,
        **datetime_input(shown.time),
        **bbox_input(grid.bbox, grid.crs, catalogue.layer(shown.layer), catalogue),
        "width": grid.width,
        "height": grid.height,
        "format": animation.format,
        "step": animation.step if isinstance(animation.step, int) else query.required("step"),
        "fps": animation.fps,
        "reducer": shown.reducer,
        **({"style": shown.style} if shown.style else {}),
        **({"labels": labels} if len(labels) < len(ANIMATION_LABELS) else {}),
    }
    return JobOffer(process="animation", inputs=inputs, limits=LIMITS)
