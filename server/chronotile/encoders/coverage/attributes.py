"""What files of coverages tell of themselves, whatever their format."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pyproj import CRS

from chronotile import __version__
from chronotile.encoders.covjson_parts import categories_of
from chronotile.encoders.credits import Credits
from chronotile.model.collection import Layer, LocalisedText
from chronotile.model.coverage import CoverageField, CoverageShape
from chronotile.model.crs import CRS84, Crs, crs_of
from chronotile.model.time.instants import format_instant

SOFTWARE = f"chronotile {__version__}"
PLANE_DEGREES = "EPSG:4326"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a file says of the whole of it."""

    title: str
    collection: str
    """Its id."""
    credits: Credits
    first: str | None
    """RFC 3339, as `last`; `None` without time."""
    last: str | None
    links: tuple[str, ...]
    """Of metadata."""


def about(coverage: CoverageShape) -> About:
    """Return what a file of a coverage says of the whole of it."""
    collection, instants = coverage.collection, coverage.times.instants
    name = plain_text(collection.title) or collection.id
    return About(
        title=f"{name}: {_titles(coverage.fields)}",
        collection=collection.id,
        credits=Credits.of([each.layer for each in coverage.fields], collection),
        first=format_instant(instants[0]) if len(instants) else None,
        last=format_instant(instants[-1]) if len(instants) else None,
        links=tuple(link.url for link in collection.metadata),
    )


def field_attributes(field: CoverageField) -> Hashable:
    """Return all that files may say of a field beside its encoding, which is part of the state of its numbers."""
    return field.name, field.title, layer_attributes(field.layer)


def layer_attributes(layer: Layer) -> Hashable:
    """Return all that answers may say of a layer beside its encoding and what they name once for all layers."""
    variable = layer.main_variable
    texts = tuple(tuple(each.items()) for each in (layer.title, layer.abstract))
    return texts, variable.standard_name, variable.is_categorical, categories_of(layer)


def plain_text(texts: LocalisedText) -> str:
    """Return the text for any language, else the first one, else an empty text: a file has only one."""
    return texts.get("") or next(iter(texts.values()), "")


def definition_of(crs: Crs) -> CRS:
    """Return the definition that is written: EPSG's for WGS 84, which more programs know; files have x before y."""
    return crs_of(PLANE_DEGREES).definition if crs == CRS84 else crs.definition


def is_scaled(field: CoverageField) -> bool:
    """Whether values are other than the numbers."""
    return (field.encoding.scale, field.encoding.offset) != (1.0, 0.0)


def _titles(fields: Sequence[CoverageField]) -> str:
    """The title of each field; what those have in common that were all made of one layer, which may be hundreds."""
    titles = [field.title for field in fields]
    if len({field.layer.id for field in fields}) == 1:
        parts = zip(*(title.split(", ") for title in titles), strict=False)
        return ", ".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, parts))
    return ", ".join(titles)
