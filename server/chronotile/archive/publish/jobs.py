"""Results of a job as a publication, with what made them."""

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
from chronotile.archive.publish.collections import about, extent_of, with_renders
from chronotile.archive.publish.dates import asset_at, band_extensions, cube_of, media_type_of
from chronotile.archive.publish.documents import joined_extent
from chronotile.archive.publish.publication import Asset, Extent, Provenance, Publication
from chronotile.archive.publish.sources import Document, LocalFile
from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.collection import Collection
from chronotile.core.model.job import Job, Result
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json

MOST_TEXT = 2_000
"""Characters of an input that is shown."""
LEFT_OUT = "(left out)"
_PLACE = re.compile(r"/|[A-Za-z]:\\|\.\.?/|~")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """The file of a result, on this machine."""

    output: str
    path: Path
    media_type: str
    collections: tuple[Collection, ...] = ()
    """What is served of it; none of a table or document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job with its results."""

    job: Job
    inputs: Mapping[str, Any]
    title: str
    """Of its process."""
    version: str
    """Of its process."""
    files: Sequence[ResultFile]

    @property
    def sources(self) -> tuple[Json, ...]:
        """What it was made of."""
        of_results = (each.metadata for each in self.job.results.values())
        return tuple(next((each for each in of_results if each is not None), {}).get("sources", ()))


def publication_of_job(finished: FinishedJob, catalogue: Catalogue) -> Publication:
    """Return the results of a job as a collection.

    Args:
        finished: It.
        catalogue: Of the archive, which has the licences of what it was made of.

    Raises:
        UnsupportedSource: It has no results.
    """
    job = finished.job
    documents = tuple(_document(name, each) for name, each in job.results.items() if each.file is None)
    assets = (*(_asset(each) for each in finished.files), *documents)
    if not assets:
        raise UnsupportedSource(f"the job {job.id} has no results")
    read = _sources(finished, catalogue)
    found = [collection for each in finished.files for collection in each.collections]
    layers = {name: each for collection in found for name, each in collection.variables.items()}
    ended = np.datetime64(round((job.finished or job.updated) * 1000), "ms").astype("datetime64[ns]")
    licenses = {each.license for each in read}
    publication = Publication(
        id=f"{job.process}-{job.id[:12]}",
        title=f"{finished.title}, {str(ended)[:10]}",
        description=_description(finished, read),
        license=licenses.pop() if len(licenses) == 1 else None,
        attribution="; ".join(dict.fromkeys(each.attribution for each in read if each.attribution)) or None,
        keywords=tuple(dict.fromkeys([job.process, *(word for each in read for word in each.keywords)])),
        variables=tuple(each for collection in found for each in about(collection).variables),
        extent=joined_extent([*map(extent_of, found)] or _extents_read(finished, read)),
        assets=assets,
        fields=cube_of(found[0], layers) if found else {},
        extensions=(*((CUBE,) if found else ()), *band_extensions(assets)),
        provenance=Provenance(
            process=job.process,
            process_version=finished.version,
            inputs=public_inputs(finished.inputs),
            finished=ended,
            software=__version__,
            sources=finished.sources,
        ),
    )
    if len(found) != 1:
        return publication
    (key,) = (each.output for each in finished.files if each.collections)
    return with_renders(publication, found[0], dict.fromkeys(layers, key), {})


def public_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a job as strangers may see them: without paths, signatures, and what is long."""
    return {name: _public(value) for name, value in inputs.items()}


def _public(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if len(orjson.dumps(value)) > MOST_TEXT:
        return LEFT_OUT
    if isinstance(value, dict):
        return {name: _public(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_public(each) for each in value]
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


def _asset(file: ResultFile) -> Asset:
    variables = {name: each for collection in file.collections for name, each in collection.variables.items()}
    if not variables:
        fields = {"title": file.output, "type": file.media_type or media_type_of(file.path.name), "roles": ["data"]}
        return Asset(key=file.output, source=LocalFile(file.path), fields=fields)
    asset = asset_at(file.output, str(file.path), variables)
    is_file = asset.source is not None
    return replace(asset, fields={**asset.fields, "type": file.media_type}) if is_file else asset


def _document(name: str, result: Result) -> Asset:
    fields = {"title": name, "type": "application/json", "roles": ["data"]}
    data = orjson.dumps(result.value, option=orjson.OPT_INDENT_2)
    return Asset(key=name, source=Document(f"{name}.json", data), fields=fields)


def _sources(finished: FinishedJob, catalogue: Catalogue) -> list[Collection]:
    """The collections that were read, those that are served still."""
    found = list[Collection]()
    for name in dict.fromkeys(str(each["collection"]) for each in finished.sources):
        try:
            found.append(catalogue.collection(name))
        except ChronotileError:
            continue
    return found


def _description(finished: FinishedJob, read: Sequence[Collection]) -> str:
    names = ", ".join(dict.fromkeys(about(each).title for each in read))
    return f"Result of the process {finished.job.process}{f', made of {names}' if names else ''}."


def _extents_read(finished: FinishedJob, read: Sequence[Collection]) -> list[Extent]:
    """Of results without a place of their own: those of what they were made of, from the first time to the last."""
    texts = [each[key] for each in finished.sources for key in ("first", "last") if key in each]
    instants = [parse_instant(text).start for text in texts]
    return [*(Extent(bbox=each.bbox) for each in read), *(Extent(start=each, last=each) for each in instants)]
