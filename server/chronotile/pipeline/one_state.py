"""Answers of one state of their files: those that are written over while they are read are read once more.

A reader looks at each file before and after each of its reads (docs/design/reading.md). Here are the answers that take
several reads of a file: variables of a composite, operands of a formula, windows of an area.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from chronotile.errors import SourceChanged
from chronotile.model.collection import Layer
from chronotile.model.grid import Window
from chronotile.model.payload import PixelStates
from chronotile.model.time.instants import Instant
from chronotile.pipeline.revision import pixel_states
from chronotile.pipeline.services import Services

Answer = TypeVar("Answer")


def require_state(layer: Layer, instants: Sequence[Instant], states: PixelStates, services: Services) -> None:
    """Check that the files of a layer at some of its times are still in the states that they were found in.

    Windows of files have no states of their own: those of a window are compared with those of all cells.

    Raises:
        SourceChanged: They are not.
    """
    if not services.reader(layer).info.is_of_files:
        return
    if pixel_states(layer, tuple(instants), services, windows=states.windows) != states:
        raise SourceChanged(f"layer {layer.id} cannot be read now: its files are being written; try again later")


def again_if_changed(answer: Callable[[], Answer]) -> Answer:
    """Return an answer; if files changed while it was made, one that is made again.

    Raises:
        SourceChanged: They changed again.
    """
    try:
        return answer()
    except SourceChanged:
        return answer()


def read_of_one_state(
    read: Callable[[], Answer],
    layer: Layer,
    indexes: tuple[int, ...],
    services: Services,
    *,
    places: tuple[tuple[Window | None, ...], ...] = ((),),
) -> Answer:
    """Return what is read of a layer at the times of some indexes; read once more if its files changed meanwhile.

    Args:
        read: Gives it.
        layer: That is read.
        indexes: Into its times.
        services: What reads it.
        places: The cells of a mosaic's grid that count: windows by variable, of each place. All of them by default:
            where scenes come in all the time, that state is never the same twice.

    Raises:
        SourceChanged: They changed again.
        Exception: Whatever `read` raised of files that stayed as they were.
    """
    if not indexes or not services.reader(layer).info.is_of_files:
        return read()
    instants = tuple(layer.times.instants[list(indexes)]) if len(layer.times) else ()
    own = places if layer.main_variable.is_mosaic else ((),)

    def checked() -> Answer:
        states = [pixel_states(layer, instants, services, windows=each) for each in own]
        try:
            return read()
        finally:  # what went wrong with a file that changed is no matter
            for each in states:
                require_state(layer, instants, each, services)

    return again_if_changed(checked)
