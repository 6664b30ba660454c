"""Which collection a finding is about, and which line of the configuration requests it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from chronotile.catalog.cross_checks import default_id
from chronotile.catalog.load import Configuration
from chronotile.model.source import Finding
from chronotile.yaml_source import Place


class _Subject(NamedTuple):
    collection: str
    """Nothing where it is none."""
    place: Place


def with_places(findings: Iterable[Finding], configuration: Configuration) -> tuple[Finding, ...]:
    """Return the findings with the collections they are about, and the file and line that request those."""
    subjects = dict(_subjects(configuration))
    return tuple(_placed(finding, subjects.get(finding.place.partition(": ")[0])) for finding in findings)


def _placed(finding: Finding, subject: _Subject | None) -> Finding:
    if subject is None:
        return finding
    # What was found in a folder is written in no line.
    written = str(subject.place) if subject.place.line else ""
    return replace(finding, collection=subject.collection, written=written)


def _subjects(configuration: Configuration) -> Iterator[tuple[str, _Subject]]:
    """Collections, layers and all else that findings are about, by how they name it."""
    root = configuration.root
    for name in configuration.places:
        yield f"places.{name}", _Subject("", root.child("places", name, "href").place)
    yield "service.viewer.default_layer", _Subject("", root.child("service", "viewer", "default_layer").place)
    for collection, section in configuration.collections.items():
        own = root.child("collections", collection)
        ids = {("variables", name): each.layer for name, each in section.variables.items()}
        ids |= {("composites", name): each.layer for name, each in section.composites.items()}
        for (kind, name), layer in ids.items():
            yield layer or default_id(collection, name), _Subject(collection, own.child(kind, name).place)
        yield collection, _Subject(collection, own.child("source", "href").place)
