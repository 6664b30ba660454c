"""The section `places`: files of named polygons."""

from pathlib import PurePath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from chronotile.catalog.access_section import RuleSection
from chronotile.catalog.limits import Limits
from chronotile.catalog.value_types import Localised
from chronotile.core.model.places import PlacesSpec
from chronotile.core.sections import Section, Text, unique

FORMATS = (".geojson", ".json", ".gpkg", ".shp", ".zip", ".fgb")
PLACE_FIELDS = ("id", "label")
"""Fields that every place has; fields of the file cannot have these names."""


def _check_href(href: str) -> str:
    if "://" in href and urlsplit(href).scheme != "file":
        raise ValueError("places must be in a local file; accepted are a path and file:///path")
    if PurePath(href).suffix.lower() not in FORMATS:
        raise ValueError(f"{href[-40:]!r} has an unknown format; accepted are {', '.join(FORMATS)}")
    return href


def _check_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in PLACE_FIELDS:
            raise ValueError(f"every place has a field {name} already; name the file's with {name}: FIELD")
    return names


class PlacesSection(Section):
    """A place set: named polygons, such as provinces or fields, for series by name and vector tiles."""

    title: Localised | None = None
    """Title; default: the id."""
    href: Annotated[Text, AfterValidator(_check_href)]
    """Path of a GeoJSON, GeoPackage, shapefile or FlatGeobuf file; the last two need the extra `places`."""
    table: Text | None = None
    """Feature table, if a GeoPackage has several."""
    id: Text | None = None
    """Field with the unique ids of places; default: the ids of the GeoJSON features."""
    label: Text | None = None
    """Field with the names that users read; default: the ids."""
    fields: Annotated[
        tuple[Text, ...], Field(max_length=40), AfterValidator(unique), AfterValidator(_check_fields)
    ] = ()
    """Fields of the file that answers and vector tiles contain, in addition to id and label."""
    attribution: Text | None = None
    """Creator of the data; answers state it."""
    access: RuleSection | None = None
    """Rights to the places."""

    def spec(self, set_id: str, *, path: str, limits: Limits) -> PlacesSpec:
        """Return the description that readers of place sets take; `path` is absolute."""
        return PlacesSpec(
            id=set_id,
            title=self.title or {"": set_id},
            attribution=self.attribution,
            path=path,
            table=self.table,
            id_field=self.id,
            label_field=self.label,
            fields=self.fields,
            max_features=limits.max_features,
            max_vertices=limits.max_vertices,
        )
