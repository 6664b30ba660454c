"""How much of a layer has values at a time, and the newest time at which that is enough."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.model.grid import Window
from chronotile.model.raster import BoolArray
from chronotile.model.source import Finding, VariableInfo
from chronotile.model.time import DAY, ONE_NS, Instant, TimeSpan, format_instant
from chronotile.pipeline.revision import time_index
from chronotile.readers.reader import Reader

MAX_TIMES = 50
"""Times looked at, newest first."""

MAX_SIDE_PX = 1024
"""Where the coarsest level is larger, only some of its rows and columns are looked at."""


def with_valid_defaults(
    catalogue: Catalogue, readers: Mapping[str, Reader], now: Instant
) -> tuple[Catalogue, tuple[Finding, ...]]:
    """Return the catalogue with the instant of each default that asks for a share of valid pixels."""
    findings: list[Finding] = []
    collections = tuple(
        replace(
            collection,
            layers=tuple(_settled(layer, readers[collection.id], now, findings) for layer in collection.layers),
        )
        for collection in catalogue.collections
    )
    return replace(catalogue, collections=collections), tuple(findings)


def valid_share(reader: Reader, layer: Layer, instant: Instant) -> float:
    """Return the share of a layer's pixels that have values at one of its times, 0 to 1, at the coarsest stored level.

    Raises:
        SourceUnavailable: They cannot be read.
    """
    valids = [_valid(reader, variable, instant) for variable in layer.variables]
    if len({valid.shape for valid in valids}) > 1:
        return min(float(valid.mean()) for valid in valids)
    return float(reduce(np.logical_and, valids).mean())


def _settled(layer: Layer, reader: Reader, now: Instant, findings: list[Finding]) -> Layer:
    least = layer.time_rules.min_valid
    newest = layer.times.at_or_before(now + DAY)
    if least is None or newest is None:
        return layer
    best, best_share = layer.times.instants[newest], -1.0
    for index in range(newest, max(-1, newest - MAX_TIMES), -1):
        instant = layer.times.instants[index]
        try:
            share = valid_share(reader, layer, instant)
        except SourceUnavailable as error:
            findings.append(Finding("error", layer.id, f"{format_instant(instant)}: {error.message}"))
            continue
        if share > best_share:
            best, best_share = instant, share
        if share >= least:
            break
    else:
        message = f"none of its newest {MAX_TIMES} times has {least:.0%} valid pixels; the fullest is the default"
        findings.append(Finding("warning", layer.id, message))
    return replace(layer, time_rules=replace(layer.time_rules, default=TimeSpan(best, best + ONE_NS)))


def _valid(reader: Reader, variable: VariableInfo, instant: Instant) -> BoolArray:
    level = max(variable.stored_levels)
    grid = variable.levels[level]
    step = max(1, -(-max(grid.width, grid.height) // MAX_SIDE_PX))
    index = time_index(variable.times.instants, instant)
    window = Window(0, grid.height, 0, grid.width)
    pixels = reader.read_window(variable.name, index=index, level=level, window=window, step=step)
    valid = variable.encoding.valid(pixels.numbers)
    return valid if pixels.valid is None else valid & pixels.valid
