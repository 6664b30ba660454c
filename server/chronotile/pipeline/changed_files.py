"""Files that change while an answer is read from them: the answer is discarded and read again.

A reader checks each file before and after each of its reads (docs/design/reading.md). This module covers answers that
take several reads: variables of a composite, operands of a formula, windows of an area. It compares the fingerprints of
the files before and after all reads.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from chronotile.core.errors import SourceChanged
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import PixelStates
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import Instant
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.revision import pixel_states
from chronotile.pipeline.services import Services

Answer = TypeVar("Answer")


def retry_if_files_change(operation: Callable[[], Answer]) -> Answer:
    """Return the result of an operation, repeated if it raises `SourceChanged`.

    Args:
        operation: Resolves its request again, so that its ETag is that of the new files.

    Raises:
        SourceChanged: The files changed in each attempt.
    """
    return retry_overtaken(operation, SourceChanged)


def require_unchanged_files(layer: Layer, instants: Sequence[Instant], states: PixelStates, services: Services) -> None:
    """Check that the files of a layer at some of its times still have these fingerprints.

    Windows of plain files have no fingerprints, so the files are compared as a whole.

    Raises:
        SourceChanged: A file changed.
    """
    if not services.reader(layer).info.is_of_files:
        return
    if pixel_states(layer, tuple(instants), services, windows=states.windows) != states:
        raise SourceChanged(f"layer {layer.id} cannot be read now: its files are being written; try again later")


def read_unchanged_files(
    read: Callable[[], Answer],
    layer: Layer,
    indexes: tuple[int, ...],
    services: Services,
    *,
    places: tuple[tuple[Window | None, ...], ...] = ((),),
) -> Answer:
    """Return the result of `read`, repeated if files of the layer change meanwhile.

    Args:
        read: Reads the layer.
        layer: The layer.
        indexes: Indexes of the times that are read.
        services: The services that read it.
        places: The cells of a mosaic that are compared: for each place, one window per variable. An empty tuple means
            all cells. Give the windows if scenes arrive often: the fingerprint of all cells would never be the same
            twice.

    Raises:
        SourceChanged: The files changed in each attempt.
        Exception: `read` raised it, and the files are unchanged.
    """
    if not indexes or not services.reader(layer).info.is_of_files:
        return read()
    instants = tuple(layer.times.instants[list(indexes)]) if len(layer.times) else ()
    compared = places if layer.main_variable.is_mosaic else ((),)

    def read_and_check() -> Answer:
        states = [pixel_states(layer, instants, services, windows=windows) for windows in compared]
        try:
            return read()
        finally:  # if a file changed, `SourceChanged` replaces any other error
            for place_states in states:
                require_unchanged_files(layer, instants, place_states, services)

    return retry_if_files_change(read_and_check)
