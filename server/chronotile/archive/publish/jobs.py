"""Results of a job as a publication with provenance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

from chronotile import __version__
from chronotile.archive.index.dates import CUBE
from chronotile.archive.publish.collections import about, add_renders, extent_of
from chronotile.archive.publish.dates import asset_at, band_extensions, cube_of, media_type_of
from chronotile.archive.publish.documents import join_extents
from chronotile.archive.publish.publication import Provenance, Publication, PublishedAsset, PublishedExtent
from chronotile.archive.publish.sources import GeneratedFile, LocalSourceFile
from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.collection import Collection
from chronotile.core.model.job import Job, Result
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json

MAX_TEXT = 2_000
"""Longest published input in characters of JSON."""
LEFT_OUT = "(left out)"
_PLACE = re.compile(r"/|[A-Za-z]:\\|\.\.?/|~")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """The local file of a result."""

    output: str
    path: Path
    media_type: str
    collections: tuple[Collection, ...] = ()
    """The collections in the file; empty for tables and documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job with its results."""

    job: Job
    inputs: Mapping[str, Any]
    title: str
    """Title of its process."""
    version: str
    """Version of its process."""
    files: Sequence[ResultFile]

    @property
    def sources(self) -> tuple[Json, ...]:
        """The inputs that its results list."""
        of_results = (result.metadata for result in self.job.results.values())
        return tuple(next((r for r in of_results if r is not None), {}).get("sources", ()))


def publication_of_job(finished: FinishedJob, catalogue: Catalogue) -> Publication:
    """Return the results of a job as a collection.

    Args:
        finished: The job.
        catalogue: The catalogue of the archive, which has the licences of the inputs.

    Raises:
        UnsupportedSource: The job has no results.
    """
    job = finished.job
    documents = tuple(_document(name, result) for name, result in job.results.items() if result.file is None)
    assets = (*(_asset(file) for file in finished.files), *documents)
    if not assets:
        raise UnsupportedSource(f"the job {job.id} has no results")
    read = _sources(finished, catalogue)
    collections = [collection for f in finished.files for collection in f.collections]
    layers = {name: variable for collection in collections for name, variable in collection.variables.items()}
    ended = np.datetime64(round((job.finished or job.updated) * 1000), "ms").astype("datetime64[ns]")
    licenses = {r.license for r in read}
    publication = Publication(
        id=f"{job.process}-{job.id[:12]}",
        title=f"{finished.title}, {str(ended)[:10]}",
        description=_description(finished, read),
        license=licenses.pop() if len(licenses) == 1 else None,
        attribution="; ".join(dict.fromkeys(r.attribution for r in read if r.attribution)) or None,
        keywords=tuple(dict.fromkeys([job.process, *(word for r in read for word in r.keywords)])),
        variables=tuple(v for collection in collections for v in about(collection).variables),
        extent=join_extents([*map(extent_of, collections)] or _extents_read(finished, read)),
        assets=assets,
        fields=cube_of(collections[0], layers) if collections else {},
        extensions=(*((CUBE,) if collections else ()), *band_extensions(assets)),
        provenance=Provenance(
            process=job.process,
            process_version=finished.version,
            inputs=public_inputs(finished.inputs),
            finished=ended,
            software=__version__,
            sources=finished.sources,
        ),
    )
    if len(collections) != 1:
        return publication
    (key,) = (f.output for f in finished.files if f.collections)
    return add_renders(publication, collections[0], dict.fromkeys(layers, key), {})


def public_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a job for publication: without paths, signatures and long values."""
    return {name: _public(value) for name, value in inputs.items()}


def _public(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if len(orjson.dumps(value)) > MAX_TEXT:
        return LEFT_OUT
    if isinstance(value, dict):
        return {name: _public(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_public(v) for v in value]
    return _public_text(value) if isinstance(value, str) else value


def _public_text(text: str) -> str:
    if "://" not in text:
        return LEFT_OUT if _PLACE.match(text) else text
    try:
        parts = urlsplit(text)
    except ValueError:
        return LEFT_OUT
    if parts.scheme not in {"http", "https"}:
        return LEFT_OUT
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _asset(file: ResultFile) -> PublishedAsset:
    variables = {name: variable for collection in file.collections for name, variable in collection.variables.items()}
    if not variables:
        fields = {"title": file.output, "type": file.media_type or media_type_of(file.path.name), "roles": ["data"]}
        return PublishedAsset(key=file.output, source=LocalSourceFile(file.path), fields=fields)
    asset = asset_at(file.output, str(file.path), variables)
    is_file = asset.source is not None
    return replace(asset, fields={**asset.fields, "type": file.media_type}) if is_file else asset


def _document(name: str, result: Result) -> PublishedAsset:
    fields = {"title": name, "type": "application/json", "roles": ["data"]}
    data = orjson.dumps(result.value, option=orjson.OPT_INDENT_2)
    return PublishedAsset(key=name, source=GeneratedFile(f"{name}.json", data), fields=fields)


def _sources(finished: FinishedJob, catalogue: Catalogue) -> list[Collection]:
    """Return the collections that were read and are still served."""
    collections = list[Collection]()
    for name in dict.fromkeys(str(source["collection"]) for source in finished.sources):
        try:
            collections.append(catalogue.collection(name))
        except ChronotileError:
            continue
    return collections


def _description(finished: FinishedJob, read: Sequence[Collection]) -> str:
    names = ", ".join(dict.fromkeys(about(r).title for r in read))
    return f"Result of the process {finished.job.process}{f', made of {names}' if names else ''}."


def _extents_read(finished: FinishedJob, read: Sequence[Collection]) -> list[PublishedExtent]:
    """Return the extents of the inputs, for results without an extent."""
    texts = [source[key] for source in finished.sources for key in ("first", "last") if key in source]
    instants = [parse_instant(text).start for text in texts]
    return [
        *(PublishedExtent(bbox=r.bbox) for r in read),
        *(PublishedExtent(start=instant, last=instant) for instant in instants),
    ]
