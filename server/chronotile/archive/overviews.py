"""Overviews of mosaics made in advance: of the times that maps show when none is named, and of the newest."""

from collections.abc import Iterator
from contextlib import suppress

from chronotile.catalog.resolve_times import resolve_picture_times
from chronotile.errors import ChronotileError
from chronotile.model.collection import Layer
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import DEFAULT, LATEST
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services


def prepare_overviews(services: Services) -> None:
    """Let overviews of the newest and of the default time of each mosaic be made in the background."""
    for layer in services.catalogue.layers:
        reader = services.readers.get(layer.collection)
        if reader is None or not layer.main_variable.is_mosaic:
            continue
        for variable in layer.variables:
            with suppress(ChronotileError):  # an index that is away is prepared at the next reload
                for index in _indexes(layer, variable, services):
                    reader.prepare(variable.name, index)


def _indexes(layer: Layer, variable: VariableInfo, services: Services) -> Iterator[int]:
    for selection in (LATEST, DEFAULT):
        with suppress(ChronotileError):  # it has no such time
            for index in resolve_picture_times(layer, selection, now=services.clock()).indexes:
                yield time_index(variable.times.instants, layer.times.instants[index])
