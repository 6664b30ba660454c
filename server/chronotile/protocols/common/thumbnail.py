"""A small picture of a layer, as a map request relative to the page."""

import math
from urllib.parse import urlencode

from chronotile.catalog.resolve_times import default_index
from chronotile.errors import MissingTime
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox
from chronotile.model.time.instants import format_instant
from chronotile.pipeline.services import Services
from chronotile.protocols.common.extent import longitude_latitude_box

WIDTH, HEIGHT = 240, 160
LEAST_PX = 8


def thumbnail(name: str, layer: Layer, services: Services) -> str | None:
    """Return the URL of the whole layer at its default time, or its last; `None` where no map of it is offered."""
    paths = services.catalogue.service.wms_paths
    if not paths or CRS84 not in services.catalogue.crs:
        return None
    box = longitude_latitude_box(layer)
    width, height = _size(box)
    query = {
        "SERVICE": "WMS",
        "VERSION": "1.3.0",
        "REQUEST": "GetMap",
        "LAYERS": name,
        "STYLES": "",
        "CRS": "CRS:84",
        "BBOX": ",".join(f"{edge:.6f}" for edge in box),
        "WIDTH": str(width),
        "HEIGHT": str(height),
        "FORMAT": "image/png",
        "TRANSPARENT": "TRUE",
        **_time(layer, services),
    }
    return f"{paths[0].lstrip('/')}?{urlencode(query)}"


def _time(layer: Layer, services: Services) -> dict[str, str]:
    instants = layer.times.instants
    if len(instants) == 0:
        return {}
    try:
        return {"TIME": format_instant(instants[default_index(layer, services.clock())])}
    except MissingTime:
        return {"TIME": format_instant(instants[-1])}


def _size(box: BBox) -> tuple[int, int]:
    """Width and height within `WIDTH` by `HEIGHT` at which the middle of the box is not distorted."""
    middle = math.radians((box.ymin + box.ymax) / 2)
    ratio = (box.xmax - box.xmin) * max(math.cos(middle), 0.1) / (box.ymax - box.ymin)
    if ratio > WIDTH / HEIGHT:
        return WIDTH, max(LEAST_PX, round(WIDTH / ratio))
    return max(LEAST_PX, round(HEIGHT * ratio)), HEIGHT
