"""What a job reads: of which collections, at which times and in which state, so that a result can state it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from chronotile.errors import PlanOutdated, PlanStale, SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.model.coverage import Coverage
from chronotile.model.job import Json
from chronotile.model.time.instants import InstantArray, format_instant
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.services import Services

MOST_TIMES = 1000
"""Of a source that metadata list one by one: they are sent with each answer about the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A layer at some of its times, as a job reads it."""

    collection: str
    layer: str
    times: Sequence[int]
    """Nanoseconds since 1970, ascending; none of a layer without time."""
    revision: str = ""
    """Of its pixels at these times, and of what they mean; empty until `with_revisions` has found it."""
    meaning: str = ""
    """Of its numbers, in short: partial results of two meanings do not fit together."""


def source_of(layer: Layer, instants: InstantArray) -> Source:
    """Return a layer at some of its times."""
    times = np.unique(instants).astype("datetime64[ns]").astype(np.int64).tolist()
    return Source(collection=layer.collection, layer=layer.id, times=times)


def sources_of(*coverages: Coverage) -> list[Source]:
    """Return the layers of coverages, each at all times that it has of any of them."""
    instants = np.concatenate([coverage.times.instants for coverage in coverages])
    layers = {field.layer.id: field.layer for coverage in coverages for field in coverage.fields}
    return [source_of(layer, np.intersect1d(instants, layer.times.instants)) for layer in layers.values()]


def with_revisions(sources: Sequence[Source], services: Services) -> list[Source]:
    """Return sources with the revisions that they have now; reads no pixels.

    Raises:
        UnknownLayer: A layer is gone.
        SourceUnavailable: A time of one is gone, or its store is away.
    """
    return [
        replace(each, revision=_revision_now(each, services), meaning=_meaning_now(each, services)) for each in sources
    ]


def require_meaning(sources: Sequence[Source], services: Services) -> None:
    """Check, before any of them is read, that numbers of sources mean what they did when that was planned.

    Raises:
        UnknownLayer: A layer is gone.
        PlanStale: They do not: files of other encodings were found meanwhile.
    """
    for each in sources:
        if _meaning_now(each, services) != each.meaning:
            raise PlanStale(f"how files of layer {each.layer} are encoded is known better by now")


def require_unchanged(sources: Sequence[Source], services: Services) -> None:
    """Check, when all is read, that sources are as they were when that began.

    Raises:
        UnknownLayer: A layer is gone.
        PlanOutdated: One has other pixels now, or they mean something else.
        SourceUnavailable: A time of one is gone.
    """
    for planned, now in zip(sources, with_revisions(sources, services), strict=True):
        if now.revision != planned.revision:
            raise PlanOutdated(
                f"collection {planned.collection} has changed since the job began, so its result would mix two "
                f"states of layer {planned.layer}; submit it again"
            )


def revision_of(sources: Sequence[Source]) -> str | None:
    """Return one short name for the revisions of all; `None` where nothing is read."""
    if len(sources) <= 1:
        return sources[0].revision if sources else None
    text = "\n".join(f"{each.layer} {each.revision}" for each in sources)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def metadata_of(sources: Sequence[Source]) -> Json | None:
    """Return what a result says of what it was made of; `None` where nothing was read.

    Its member `sources` has the collection, the layers, the revision and the times of each, with all layers together
    that have the same collection and times.
    """
    if not sources:
        return None
    alike: dict[tuple[str, tuple[int, ...]], list[Source]] = {}
    for each in sources:
        alike.setdefault((each.collection, tuple(each.times)), []).append(each)
    return {"sources": [_describe(collection, times, members) for (collection, times), members in alike.items()]}


def sources_to_json(sources: Sequence[Source]) -> list[Json]:
    """Return sources as JSON."""
    return [{each.name: getattr(source, each.name) for each in fields(Source)} for source in sources]


def sources_from_json(written: Sequence[Mapping[str, Any]]) -> list[Source]:
    """Return the sources that `sources_to_json` has written."""
    return [Source(**each) for each in written]


def _revision_now(source: Source, services: Services) -> str:
    layer = services.catalogue.layer(source.layer)
    instants = np.array(source.times, dtype=np.int64).view("datetime64[ns]")
    if instants.size and not np.isin(instants, layer.times.instants).all():
        raise SourceUnavailable(f"a time of layer {layer.id} is gone since the job began; submit it again")
    return pixel_revision(layer, instants, services)


def _meaning_now(source: Source, services: Services) -> str:
    variables = services.catalogue.layer(source.layer).variables
    return fingerprint(*((each.encoding, each.grid) for each in variables))


def _describe(collection: str, times: Sequence[int], members: Sequence[Source]) -> Json:
    instants = [format_instant(instant) for instant in np.array(times, dtype=np.int64).view("datetime64[ns]")]
    span = {"first": instants[0], "last": instants[-1]} if instants else {}
    return {
        "collection": collection,
        "layers": [each.layer for each in members],
        "revision": revision_of(members),
        "count": len(instants),
        **span,
        **({"times": instants} if len(instants) <= MOST_TIMES else {}),
    }
