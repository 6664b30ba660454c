"""A layer as a Zarr 3 store: its arrays, the shape of their chunks, and the name of this state of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import orjson
from numpy.typing import NDArray

from chronotile.encoders.coverage.cf import TIME, CfDataset, CfField, CfVariable, cf_dataset
from chronotile.encoders.coverage.strips import ChunkShape
from chronotile.encoders.coverage.zarr3 import KEY_ENCODINGS, JsonObject, array_documents
from chronotile.model.collection import Collection, Layer
from chronotile.model.coverage import CoverageField
from chronotile.model.grid import Grid
from chronotile.model.time.instants import TimeDomain

DIGEST_BYTES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreShape:
    """What a store of one layer has but the numbers of its field: a coverage of all cells at some times."""

    layer: Layer
    collection: Collection
    fields: tuple[CoverageField, ...]
    """The one."""
    grid: Grid
    times: TimeDomain
    chunks: ChunkShape
    """Of the field."""

    @cached_property
    def dataset(self) -> CfDataset:
        """Its arrays and attributes."""
        return cf_dataset(self, self.chunks)

    @cached_property
    def arrays(self) -> Mapping[str, CfVariable | CfField]:
        """By name."""
        variables: dict[str, CfVariable | CfField] = {each.name: each for each in self.dataset.variables}
        return variables | {each.name: each for each in self.dataset.fields}

    @property
    def starts(self) -> NDArray[np.int64]:
        """(time,): its instants, in nanoseconds; which date an index of the time axis means."""
        return self.times.starts.astype("datetime64[ns]").astype(np.int64)

    @cached_property
    def layout(self) -> str:
        """A short text that differs where the metadata of an array do by more than the number of times."""
        documents = array_documents(self.dataset, KEY_ENCODINGS[0])
        return _digest(orjson.dumps([(name, _without_times(each)) for name, each in documents.items()]))

    @cached_property
    def revision(self) -> str:
        """The number of times, and a short text that differs where the layout or one of the times does."""
        times = self.times
        bounds = b"" if times.bounds is None else times.bounds.tobytes()
        digest = _digest(self.layout.encode(), times.starts.tobytes(), times.ends.tobytes(), bounds)
        return f"{len(times)}-{digest}"

    @property
    def nbytes(self) -> int:
        """What it takes in a cache, about."""
        return 8 * (self.grid.width + self.grid.height + 8 * len(self.times)) + 16_384


def _without_times(document: JsonObject) -> JsonObject:
    sides = zip(document["shape"], document["dimension_names"], strict=True)
    return {**document, "shape": [length for length, dimension in sides if dimension != TIME]}


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
