"""Revisions: short texts for the version of a layer or its pixels, for ETags and `rev=`."""

import hashlib
from collections.abc import Hashable
from functools import lru_cache
from time import monotonic

import numpy as np

from chronotile.catalog.resolve_times import newest_index
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.payload import PixelStates
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import Instant, InstantArray
from chronotile.pipeline.encoders.cube_tile.ctc1 import ENCODER_VERSION as CUBE_VERSION
from chronotile.pipeline.encoders.picture.picture import ENCODER_VERSION
from chronotile.pipeline.services import CachedRevision, Services, reading
from chronotile.readers.file_states import one_look
from chronotile.readers.mosaic_reader import MosaicReader
from chronotile.readers.reader import GONE, Reader

KEPT_S = 60.0
"""Seconds for which a layer revision is cached: a layer may have one file per date, and many tiles per second."""


def fingerprint(*parts: object) -> str:
    """Return a hash of the texts of all parts, for ETags."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (ENCODER_VERSION, *parts):
        digest.update(repr(part).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def describe_part(part: Hashable) -> str:
    """Return the text of a part that many requests share, such as a style; cached."""
    return repr(part)


def time_index(instants: np.ndarray[tuple[int], np.dtype[np.datetime64]], instant: Instant) -> int:
    """Return the index of an instant in ascending `instants`."""
    return int(instants.searchsorted(instant))


def pixel_revision(
    layer: Layer, instants: tuple[Instant, ...] | InstantArray, services: Services, window: Window | None = None
) -> str:
    """Return the revision of the pixels of a layer and of their meaning at some of its times; reads no pixels.

    Args:
        layer: The layer.
        instants: The times. Use an array for many times: it is twenty times faster than a tuple.
        services: The services that read it.
        window: Cells of the native grid of each variable; `None` means all cells.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    return revision_of_states(layer, pixel_states(layer, instants, services, window))


def pixel_states(
    layer: Layer,
    instants: tuple[Instant, ...] | InstantArray,
    services: Services,
    window: Window | None = None,
    *,
    windows: tuple[Window | None, ...] = (),
) -> PixelStates:
    """Return the fingerprints of the pixels of each variable of a layer at some times; reads no pixels.

    Args:
        layer: The layer.
        instants: The times.
        services: The services that read it.
        window: Cells of the native grid of each variable; `None` means all cells.
        windows: One window per variable instead of `window`.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader = services.reader(layer)
    windows = windows or (window,) * len(layer.variables)
    with reading(layer), one_look() as look:
        texts = tuple(
            reader.revision_of_times(variable.name, _time_indexes(variable, instants), cells)
            for variable, cells in zip(layer.variables, windows, strict=True)
        )
    return PixelStates(texts, look.count, windows if any(windows) else ())


def are_counted(
    layer: Layer, instants: tuple[Instant, ...], services: Services, windows: tuple[Window | None, ...]
) -> bool:
    """Return whether the counter of a mosaic, read again, covers the present files at some times.

    Args:
        layer: The layer.
        instants: The times.
        services: The services that read it.
        windows: One window of the native grid per variable; empty means all cells.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader = services.reader(layer)
    return not isinstance(reader, MosaicReader) or all(
        reader.are_files_indexed(variable.name, _time_indexes(variable, instants), window)
        for variable, window in zip(layer.variables, windows or (None,) * len(layer.variables), strict=True)
    )


def revision_of_states(layer: Layer, states: PixelStates) -> str:
    """Return the revision made of fingerprints of pixels, with the selection of the source, encodings and grids."""
    meaning = (layer.selection, *(describe_part((variable.encoding, variable.grid)) for variable in layer.variables))
    return _name_states(layer.id, meaning, states.texts)


@lru_cache(maxsize=1024)
def _name_states(layer: str, meaning: tuple[str, ...], states: tuple[str, ...]) -> str:
    return fingerprint(layer, meaning, states)


def _time_indexes(variable: VariableInfo, instants: tuple[Instant, ...] | InstantArray) -> list[int]:
    """Indexes into the times of the variable; `[0]` for a layer without time."""
    if len(instants) == 0:
        return [0]
    if len(instants) == 1:
        return [time_index(variable.times.instants, instants[0])]
    indexes: list[int] = np.searchsorted(variable.times.instants, np.asarray(instants)).tolist()
    return indexes


def dated_revision(layer: Layer, instants: tuple[Instant, ...], services: Services) -> str:
    """Return the revision of a layer at some times, for `rev=` in addresses that name these times.

    Changes at other times do not change it.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    content, instants = layer.content, tuple(dict.fromkeys(instants))
    composite = (content.range, content.gamma) if isinstance(content, Composite) else None
    state = revision_of_states(layer, pixel_states(layer, instants, services))
    return fingerprint("dated", CUBE_VERSION, state, instants, layer.styles, layer.resampling, composite)[:12]


def layer_revision(layer: Layer, services: Services) -> str:
    """Return the revision of a whole layer: pixels of all times, styles, and its newest time.

    Every time counts, as old dates may be processed again. For a mosaic, the counter of its items is used, which is at
    most a second old. Files are checked again after `KEPT_S`. If a source hangs, its last revision is returned.
    """
    return find_revision(layer, services).revision


def find_revision(layer: Layer, services: Services) -> CachedRevision:
    """Return `layer_revision` with the fingerprints that it was made from."""
    cached, now_s, counter = services.layer_revisions.get(layer.id), monotonic(), _counter(layer, services)
    if cached is not None:
        is_away = counter is None and cached.counter != ""
        if is_away or (cached.counter == (counter or "") and now_s - cached.found_s < KEPT_S):
            return cached

    def find() -> CachedRevision:
        with one_look():
            states = {} if counter else _states(layer, services)
        text = _layer_revision(layer, [counter, *states.values()], services)
        hashes = frozenset(map(hash, states.items()))
        revision = services.layer_revisions[layer.id] = CachedRevision(text, now_s, counter or "", hashes)
        return revision

    if counter:  # no file is checked
        return find()
    return services.bounded_checks.run(
        layer.id, find, last_value=cached or CachedRevision(_name_unknown(layer, services), now_s)
    )


def last_layer_revision(layer: Layer, services: Services) -> str:
    """Return the last result of `layer_revision`, without checks; without one, a revision without fingerprints."""
    cached = services.layer_revisions.get(layer.id)
    return _name_unknown(layer, services) if cached is None else cached.revision


def refresh_revisions(services: Services) -> None:
    """Update the revisions of all layers, as far as time allows if sources hang."""

    def update() -> None:
        for layer in services.catalogue.answering_layers:
            layer_revision(layer, services)

    services.bounded_checks.run("all layers", update, last_value=None)


def states_at(layer: Layer, instants: tuple[Instant, ...], services: Services) -> frozenset[int]:
    """Return the fingerprints of the files of some times, as hashes like those of `CachedRevision.states`.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader, hashes = services.reader(layer), set[int]()
    for variable in layer.variables:
        for index in _time_indexes(variable, instants):
            key = variable.name, reader.revision_key(variable.name, index)
            hashes.add(hash((key, _state(reader, variable, index))))
    return frozenset(hashes)


def _name_unknown(layer: Layer, services: Services) -> str:
    return _layer_revision(layer, [], services)


def items_revision(layer: Layer, services: Services) -> str:
    """Return a text that changes with every change to the items of a mosaic; empty for other layers.

    Raises:
        SourceUnavailable: The source or its item index is unreachable.
    """
    reader = services.reader(layer)
    return reader.items_revision() if isinstance(reader, MosaicReader) else ""


def _counter(layer: Layer, services: Services) -> str | None:
    try:
        return items_revision(layer, services)
    except SourceUnavailable:
        return None


def _layer_revision(layer: Layer, states: list[str | None], services: Services) -> str:
    """Return the revision made from fingerprints.

    The newest time counts, as it is shown by default and changes with the day. The version of cube tiles counts, as
    clients cache an address with this revision for a year.
    """
    times = layer.times
    newest = newest_index(times, services.clock()) if len(times) else None
    meaning = [layer.selection, *((variable.encoding, variable.grid) for variable in layer.variables)]
    return fingerprint(layer.id, CUBE_VERSION, meaning, times.instants.tobytes(), newest, layer.styles, states)[:12]


def _states(layer: Layer, services: Services) -> dict[Hashable, str]:
    """Return the fingerprint of each file of each variable.

    An unavailable file has the fingerprint `GONE`. The result is empty if the reader is unavailable.
    """
    states = dict[Hashable, str]()
    try:
        reader = services.reader(layer)
    except SourceUnavailable:
        return states
    for variable in layer.variables:
        for index in range(len(variable.times) or 1):
            key = variable.name, reader.revision_key(variable.name, index)
            if key not in states:
                states[key] = _state(reader, variable, index)
    return states


def _state(reader: Reader, variable: VariableInfo, index: int) -> str:
    try:
        return reader.revision(variable.name, index)
    except SourceUnavailable:
        return GONE
