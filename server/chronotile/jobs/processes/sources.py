"""Sources of a job, so that its results can state collections, times and revisions."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from chronotile.core.errors import PlanOutdated, PlanStale, SourceUnavailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.services import Services

MAX_TIMES = 1000
"""Times of a source that metadata list individually: they are in each answer about the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """A layer at the times that a job reads."""

    collection: str
    layer: str
    times: Sequence[int]
    """Nanoseconds since 1970, ascending; empty for a layer without time."""
    revision: str = ""
    """Revision of pixels and encodings at these times; empty until `find_revisions` adds it."""
    meaning: str = ""
    """Fingerprint of the encoding and grid; partial results with different meanings cannot be combined."""


def source_of(layer: Layer, instants: InstantArray) -> JobSource:
    """Return a layer at some of its times."""
    times = np.unique(instants).astype("datetime64[ns]").astype(np.int64).tolist()
    return JobSource(collection=layer.collection, layer=layer.id, times=times)


def sources_of(*coverages: Coverage) -> list[JobSource]:
    """Return the layers of coverages, each at its times in any of the coverages."""
    instants = np.concatenate([coverage.times.instants for coverage in coverages])
    layers = {field.layer.id: field.layer for coverage in coverages for field in coverage.fields}
    return [source_of(layer, np.intersect1d(instants, layer.times.instants)) for layer in layers.values()]


def find_revisions(sources: Sequence[JobSource], services: Services) -> list[JobSource]:
    """Return sources with their current revisions; reads no pixels.

    Raises:
        UnknownLayer: A layer was removed.
        SourceUnavailable: A time was removed, or a store is unreachable.
    """
    return [
        replace(source, revision=_revision_now(source, services), meaning=_meaning_now(source, services))
        for source in sources
    ]


def require_meaning(sources: Sequence[JobSource], services: Services) -> None:
    """Check before reading that the numbers of sources have the meaning for which tasks were planned.

    Raises:
        UnknownLayer: A layer was removed.
        PlanStale: Files with other encodings have been found since.
    """
    for source in sources:
        if _meaning_now(source, services) != source.meaning:
            raise PlanStale(f"how files of layer {source.layer} are encoded is known better by now")


def require_unchanged(sources: Sequence[JobSource], services: Services) -> None:
    """Check after reading that sources have not changed since the plan.

    Raises:
        UnknownLayer: A layer was removed.
        PlanOutdated: A layer has other pixels or another meaning now.
        SourceUnavailable: A time was removed.
    """
    for planned, now in zip(sources, find_revisions(sources, services), strict=True):
        if now.revision != planned.revision:
            raise PlanOutdated(
                f"collection {planned.collection} has changed since the job began, so its result would mix two "
                f"states of layer {planned.layer}; submit it again"
            )


def revision_of(sources: Sequence[JobSource]) -> str | None:
    """Return one short revision of all sources; `None` without sources."""
    if len(sources) <= 1:
        return sources[0].revision if sources else None
    text = "\n".join(f"{source.layer} {source.revision}" for source in sources)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def metadata_of(sources: Sequence[JobSource]) -> Json | None:
    """Return the metadata of a result about its sources; `None` without sources.

    The member `sources` has the collection, layers, revision and times of each source. Layers with the same collection
    and times share an entry.
    """
    if not sources:
        return None
    alike: dict[tuple[str, tuple[int, ...]], list[JobSource]] = {}
    for source in sources:
        alike.setdefault((source.collection, tuple(source.times)), []).append(source)
    return {"sources": [_describe(collection, times, members) for (collection, times), members in alike.items()]}


def sources_to_json(sources: Sequence[JobSource]) -> list[Json]:
    """Return sources as JSON."""
    return [{member.name: getattr(source, member.name) for member in fields(JobSource)} for source in sources]


def sources_from_json(written: Sequence[Mapping[str, Any]]) -> list[JobSource]:
    """Return the sources that `sources_to_json` has written."""
    return [JobSource(**values) for values in written]


def _revision_now(source: JobSource, services: Services) -> str:
    layer = services.catalogue.layer(source.layer)
    instants = np.array(source.times, dtype=np.int64).view("datetime64[ns]")
    if instants.size and not np.isin(instants, layer.times.instants).all():
        raise SourceUnavailable(f"a time of layer {layer.id} is gone since the job began; submit it again")
    return pixel_revision(layer, instants, services)


def _meaning_now(source: JobSource, services: Services) -> str:
    variables = services.catalogue.layer(source.layer).variables
    return fingerprint(*((variable.encoding, variable.grid) for variable in variables))


def _describe(collection: str, times: Sequence[int], members: Sequence[JobSource]) -> Json:
    instants = [format_instant(instant) for instant in np.array(times, dtype=np.int64).view("datetime64[ns]")]
    span = {"first": instants[0], "last": instants[-1]} if instants else {}
    return {
        "collection": collection,
        "layers": [member.layer for member in members],
        "revision": revision_of(members),
        "count": len(instants),
        **span,
        **({"times": instants} if len(instants) <= MAX_TIMES else {}),
    }
