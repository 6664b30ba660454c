"""Whether there is anything to answer with."""

from dataclasses import dataclass

from chronotile.errors import SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.pipeline.revision import pixel_revision
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True)
class Readiness:
    """What can be read now."""

    is_ready: bool
    """Whether at least one layer can be drawn."""
    failing: tuple[str, ...]
    """Ids of collections of which a layer cannot."""


def check_readiness(services: Services) -> Readiness:
    """Return whether the newest pixels of each layer are there; reads none."""
    readable = {layer: _is_readable(layer, services) for layer in services.catalogue.layers}
    failing = dict.fromkeys(layer.collection for layer, is_readable in readable.items() if not is_readable)
    return Readiness(is_ready=any(readable.values()), failing=tuple(failing))


def _is_readable(layer: Layer, services: Services) -> bool:
    newest = tuple(layer.times.instants[-1:])
    try:
        pixel_revision(layer, newest, services)
    except SourceUnavailable:
        return False
    return True
