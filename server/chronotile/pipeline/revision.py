"""Short names for the state of what is served, for ETags and `rev=`."""

import hashlib

import numpy as np

from chronotile.encoders.picture import ENCODER_VERSION
from chronotile.errors import SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.model.time import Instant
from chronotile.pipeline.services import Services


def fingerprint(*parts: object) -> str:
    """Return a short text that differs where any part's text does."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (ENCODER_VERSION, *parts):
        digest.update(repr(part).encode())
    return digest.hexdigest()


def time_index(instants: np.ndarray[tuple[int], np.dtype[np.datetime64]], instant: Instant) -> int:
    """Return where in ascending `instants` one of them stands."""
    return int(np.searchsorted(instants, instant))


def pixel_revision(layer: Layer, instants: tuple[Instant, ...], services: Services) -> str:
    """Return the state of a layer's pixels, and of what they mean, at some of its times; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    reader = services.reader(layer)
    try:
        states = [
            reader.revision(variable.name, time_index(variable.times.instants, instant) if instant is not None else 0)
            for variable in layer.variables
            for instant in (instants or (None,))
        ]
    except SourceUnavailable as error:
        raise SourceUnavailable(f"layer {layer.id} cannot be read now: {error.message}") from error
    meaning = [(variable.encoding, variable.grid) for variable in layer.variables]
    return fingerprint(layer.id, meaning, *states)


def layer_revision(layer: Layer, services: Services) -> str:
    """Return the state of a layer as a whole: its newest pixels, its times, its styles."""
    times = layer.times
    newest = (times.instants[-1],) if len(times) else ()
    try:
        pixels = pixel_revision(layer, newest, services)
    except SourceUnavailable:
        pixels = "unavailable"
    return fingerprint(pixels, len(times), newest, layer.styles)[:12]
