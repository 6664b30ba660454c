"""Products of ESA's EOPF: Zarr stores with a tree of groups, one group per resolution of a sensor.

Arrays with one name are one variable with overviews if their groups are named by resolution (`r10m`, `r20m`, `r60m`)
or by level (`0`, `1`), or are listed by `multiscales`. Each variable has a separate grid. GeoZarr stores made from EOPF
products are read in the same way.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from chronotile.core.errors import InvalidItem, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.time.domain import TimeDomain, domain_of_bounds
from chronotile.core.model.types import Json
from chronotile.core.yaml_source import list_names
from chronotile.readers.cf.dataset import CfVariables, understand
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.stac.items import span_of
from chronotile.readers.zarr.metadata import GroupNode

MEASUREMENTS = "measurements"
"""The group of the measurements; its existence identifies a product."""
_LEVEL = re.compile(r"r?\d+m?", re.IGNORECASE)
_UTM = re.compile(r"UTM zone (\d{1,2})([NS])", re.IGNORECASE)
_COUNTS = "digital_counts"
_MOST_NAMED = 20

Fields = Callable[[GroupNode], FieldSet]


@dataclass(frozen=True, slots=True)
class _ProductArray:
    """An array of a group."""

    family: str
    """Path of the group that contains all resolutions."""
    group: GroupNode
    array: str

    @property
    def path(self) -> str:
        """Path from the root of the store."""
        return f"{self.group.path}/{self.array}"

    @property
    def size(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.group.arrays[self.array].shape[-2:]


GroupContent = tuple[GroupNode, CfVariables]


def is_product(root: GroupNode) -> bool:
    """Return whether a store is a tree of groups like EOPF's products."""
    return MEASUREMENTS in root.groups and not root.arrays


def understand_product(root: GroupNode, spec: SourceSpec, fields: Fields) -> tuple[list[GroupContent], list[Finding]]:
    """Return the variables of each group, all levels of a variable under one name, and the findings.

    The configuration names the variables by array or path; without names, they are all measurements, and
    all other arrays with a unique name.

    Args:
        root: The store.
        spec: The configuration of the source.
        fields: Returns the arrays of a group.

    Raises:
        UnsupportedSource: A configured variable cannot be served, or none can.
    """
    served = replace(spec, times=spec.times or _times(root.attrs))
    part = root.at(spec.group or "")
    groups = {place.group.path: place.group for place in _places(part)}
    fields_by_path = {path: _adapt_fields(fields(group), root.attrs) for path, group in groups.items()}
    understood, findings = list[GroupContent](), list[Finding]()
    for variable, places in _variables(part, spec):
        try:
            for place in places:
                variable_spec = replace(served, variables={variable.id: replace(variable, name=place.array)})
                understood.append((place.group, understand(fields_by_path[place.group.path], variable_spec)))
        except UnsupportedSource as error:
            if spec.variables:
                raise
            findings.append(Finding("note", places[0].path, f"left out: {error.message}"))
    if not understood:
        raise UnsupportedSource(
            f"none of its arrays can be served: {findings[0].message if findings else 'it has none'}"
        )
    findings += [finding for _group, u in understood for finding in u.findings]
    return understood, list(dict.fromkeys(findings))


def _variables(root: GroupNode, spec: SourceSpec) -> list[tuple[VariableSpec, list[_ProductArray]]]:
    places = list(_places(root))
    if not spec.variables:
        return [(VariableSpec(id=name), n) for name, n in _group_by_name(places).items()]
    variables = []
    for variable in spec.variables.values():
        arrays = _places_of(variable.name or variable.id, places)
        if not arrays:
            there = list_names((place.path for place in places), most=_MOST_NAMED)
            raise UnsupportedSource(f"there is no array {variable.name or variable.id} in it; there are {there}")
        variables.append((variable, arrays))
    return variables


def _places(root: GroupNode) -> Iterator[_ProductArray]:
    """Yield all arrays with rows and columns."""
    waiting = [root]
    while waiting:
        group = waiting.pop(0)
        waiting += group.groups.values()
        for name, array in group.arrays.items():
            if len(array.shape) > 1:
                yield _ProductArray(_family(group.path), group, name)


def _family(path: str) -> str:
    """Return a path without levels: `measurements/reflectance` for `measurements/reflectance/r10m/0`."""
    parts = path.split("/")
    while len(parts) > 1 and _LEVEL.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts)


def _group_by_name(places: Sequence[_ProductArray]) -> dict[str, list[_ProductArray]]:
    """Return measurements by array name, then other arrays with a name in a single family, with all their levels."""
    families: dict[str, dict[str, list[_ProductArray]]] = {}
    for place in places:
        families.setdefault(place.array, {}).setdefault(place.family, []).append(place)
    places_by_name = {}
    for name, by_family in families.items():
        measured = [family for family in by_family if family.partition("/")[0] == MEASUREMENTS]
        if len(measured) == 1 or (not measured and len(by_family) == 1):
            places_by_name[name] = _levels(by_family[measured[0] if measured else next(iter(by_family))])
    return places_by_name


def _places_of(name: str, places: Sequence[_ProductArray]) -> list[_ProductArray]:
    """Return the array of a name or path, with its overviews; a path with a resolution excludes finer ones."""
    path = name.strip("/")
    if "/" not in path:
        return _group_by_name(places).get(path, [])
    exact = [place for place in places if place.path == path]
    family = [place for place in places if f"{place.family}/{place.array}" == path]
    if not exact:
        return _levels(family)
    place_of_path = exact[0]
    like = [place for place in places if (place.family, place.array) == (place_of_path.family, place_of_path.array)]
    return _levels([place_of_path, *(place for place in like if place.size < place_of_path.size)])


def _levels(places: Sequence[_ProductArray]) -> list[_ProductArray]:
    """Return one array per size, from fine to coarse."""
    by_size: dict[tuple[int, ...], _ProductArray] = {}
    for place in places:
        by_size.setdefault(place.size, place)
    return [by_size[size] for size in sorted(by_size, reverse=True)]


def _adapt_fields(fields: FieldSet, attrs: Mapping[str, Any]) -> FieldSet:
    """Return the arrays of a group with CF attributes, and the CRS of the product."""
    crs = _crs(attrs)
    levels = fields.levels if crs is None else (*fields.levels, {"proj:code": crs})
    adapted = {name: _adapted_field(field) for name, field in fields.fields.items()}
    return replace(fields, fields=adapted, levels=levels)


def _adapted_field(field: Field) -> Field:
    eopf_attrs = field.attrs.get("_eopf_attrs")
    attrs: Json = {**(eopf_attrs if isinstance(eopf_attrs, dict) else {}), **field.attrs}
    if "fill_value" in attrs and "_FillValue" not in attrs:
        attrs["_FillValue"] = attrs["fill_value"]
    if attrs.get("units") == _COUNTS and "scale_factor" in attrs:
        attrs["units"] = "1"  # units of values; the product states the units of digital numbers
    if isinstance(attrs.get("proj:epsg"), int):
        attrs.setdefault("proj:code", f"EPSG:{attrs['proj:epsg']}")
    if tuple(attrs.get("proj:shape") or ()) == field.shape[-2:] and "proj:transform" in attrs:
        attrs.setdefault("spatial:transform", attrs["proj:transform"])  # the transform of this resolution
    return replace(field, attrs=attrs, load=lru_cache(maxsize=1)(field.load))


def _crs(attrs: Mapping[str, Any]) -> str | None:
    """Return the CRS of a product's metadata; its key differs by version."""
    other, properties = _object(attrs, "other_metadata"), _properties(attrs)
    for value in (properties.get("proj:code"), other.get("horizontal_CRS_code"), other.get("horizontal_crs_code")):
        if isinstance(value, str) and value:
            return value
    if isinstance(properties.get("proj:epsg"), int):
        return f"EPSG:{properties['proj:epsg']}"
    zone = _UTM.search(str(other.get("utm_zone_identification", "")))
    return None if zone is None else f"EPSG:{326 if zone[2].upper() == 'N' else 327}{int(zone[1]):02}"


def _times(attrs: Mapping[str, Any]) -> TimeDomain | None:
    """Return the observation time of the product; `None` if it is missing or invalid."""
    try:
        span = span_of(_properties(attrs))
    except InvalidItem:
        return None
    return domain_of_bounds(np.array([span.start]), np.array([span.end]))


def _properties(attrs: Mapping[str, Any]) -> Json:
    return _object(_object(attrs, "stac_discovery"), "properties")


def _object(attrs: Mapping[str, Any], key: str) -> Json:
    value = attrs.get(key)
    return value if isinstance(value, dict) else {}
