"""Products of ESA's EOPF: Zarr stores with a tree of groups, of which each resolution of a sensor is one.

Arrays of one name that lie in groups named by resolution (`r10m`, `r20m`, `r60m`), by level (`0`, `1`), or that
`multiscales` lists, are one variable with overviews. Variables keep grids of their own. So do GeoZarr stores made of
such products.
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
"""The group of what the sensor has measured, by which such stores are known."""
_LEVEL = re.compile(r"r?\d+m?", re.IGNORECASE)
_UTM = re.compile(r"UTM zone (\d{1,2})([NS])", re.IGNORECASE)
_COUNTS = "digital_counts"
_MOST_NAMED = 20

Fields = Callable[[GroupNode], FieldSet]


@dataclass(frozen=True, slots=True)
class _Place:
    """An array of a group."""

    family: str
    """Path of the group above all resolutions."""
    group: GroupNode
    array: str

    @property
    def path(self) -> str:
        """From the root of the store."""
        return f"{self.group.path}/{self.array}"

    @property
    def size(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.group.arrays[self.array].shape[-2:]


Found = tuple[GroupNode, CfVariables]


def is_product(root: GroupNode) -> bool:
    """Return whether a store is a tree of groups as EOPF's products are."""
    return MEASUREMENTS in root.groups and not root.arrays


def understand_product(root: GroupNode, spec: SourceSpec, fields: Fields) -> tuple[list[Found], list[Finding]]:
    """Return what each group holds of the variables, of which all levels of one have one name, and what was found.

    Variables are those that the configuration names, by array or by path; or else all measurements, and all other
    arrays whose names nothing else has.

    Args:
        root: The store.
        spec: What the configuration says.
        fields: Gives the arrays of a group.

    Raises:
        UnsupportedSource: A named variable, or every one there is, cannot be served.
    """
    served = replace(spec, times=spec.times or _times(root.attrs))
    groups = {place.group.path: place.group for place in _places(root)}
    known = {path: _adapted(fields(group), root.attrs) for path, group in groups.items()}
    understood, findings = list[Found](), list[Finding]()
    for variable, places in _variables(root, spec):
        try:
            for place in places:
                own = replace(served, variables={variable.id: replace(variable, name=place.array)})
                understood.append((place.group, understand(known[place.group.path], own)))
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


def _variables(root: GroupNode, spec: SourceSpec) -> list[tuple[VariableSpec, list[_Place]]]:
    places = list(_places(root))
    if not spec.variables:
        return [(VariableSpec(id=name), n) for name, n in _named(places).items()]
    variables = []
    for variable in spec.variables.values():
        found = _places_of(variable.name or variable.id, places)
        if not found:
            there = list_names((place.path for place in places), most=_MOST_NAMED)
            raise UnsupportedSource(f"there is no array {variable.name or variable.id} in it; there are {there}")
        variables.append((variable, found))
    return variables


def _places(root: GroupNode) -> Iterator[_Place]:
    """Yield all arrays over rows and columns."""
    waiting = [root]
    while waiting:
        group = waiting.pop(0)
        waiting += group.groups.values()
        for name, array in group.arrays.items():
            if len(array.shape) > 1:
                yield _Place(_family(group.path), group, name)


def _family(path: str) -> str:
    """`measurements/reflectance` of `measurements/reflectance/r10m/0`."""
    parts = path.split("/")
    while len(parts) > 1 and _LEVEL.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts)


def _named(places: Sequence[_Place]) -> dict[str, list[_Place]]:
    """Measurements by the names of their arrays, then others whose name is of one family; each with its levels."""
    families: dict[str, dict[str, list[_Place]]] = {}
    for place in places:
        families.setdefault(place.array, {}).setdefault(place.family, []).append(place)
    named = {}
    for name, found in families.items():
        measured = [family for family in found if family.partition("/")[0] == MEASUREMENTS]
        if len(measured) == 1 or (not measured and len(found) == 1):
            named[name] = _levels(found[measured[0] if measured else next(iter(found))])
    return named


def _places_of(name: str, places: Sequence[_Place]) -> list[_Place]:
    """The array of a name or path with its overviews: a path of a resolution leaves out finer ones."""
    path = name.strip("/")
    if "/" not in path:
        return _named(places).get(path, [])
    exact = [place for place in places if place.path == path]
    family = [place for place in places if f"{place.family}/{place.array}" == path]
    if not exact:
        return _levels(family)
    own = exact[0]
    like = [place for place in places if (place.family, place.array) == (own.family, own.array)]
    return _levels([own, *(place for place in like if place.size < own.size)])


def _levels(places: Sequence[_Place]) -> list[_Place]:
    """One array of each size, from fine to coarse."""
    by_size: dict[tuple[int, ...], _Place] = {}
    for place in places:
        by_size.setdefault(place.size, place)
    return [by_size[size] for size in sorted(by_size, reverse=True)]


def _adapted(fields: FieldSet, attrs: Mapping[str, Any]) -> FieldSet:
    """The arrays of a group with attributes as CF has them, and the system that the product names."""
    crs = _crs(attrs)
    levels = fields.levels if crs is None else (*fields.levels, {"proj:code": crs})
    adapted = {name: _adapted_field(field) for name, field in fields.fields.items()}
    return replace(fields, fields=adapted, levels=levels)


def _adapted_field(field: Field) -> Field:
    own = field.attrs.get("_eopf_attrs")
    attrs: Json = {**(own if isinstance(own, dict) else {}), **field.attrs}
    if "fill_value" in attrs and "_FillValue" not in attrs:
        attrs["_FillValue"] = attrs["fill_value"]
    if isinstance(attrs.get("flag_meanings"), list):
        attrs["flag_meanings"] = " ".join(str(a).replace(" ", "_") for a in attrs["flag_meanings"])
    if attrs.get("units") == _COUNTS and "scale_factor" in attrs:
        attrs["units"] = "1"  # of the values
    if isinstance(attrs.get("proj:epsg"), int):
        attrs.setdefault("proj:code", f"EPSG:{attrs['proj:epsg']}")
    if tuple(attrs.get("proj:shape") or ()) == field.shape[-2:] and "proj:transform" in attrs:
        attrs.setdefault("spatial:transform", attrs["proj:transform"])  # not that of another resolution
    return replace(field, attrs=attrs, load=lru_cache(maxsize=1)(field.load))


def _crs(attrs: Mapping[str, Any]) -> str | None:
    """The system that the metadata of a product name, as its versions spell it."""
    other, properties = _object(attrs, "other_metadata"), _properties(attrs)
    for value in (properties.get("proj:code"), other.get("horizontal_CRS_code"), other.get("horizontal_crs_code")):
        if isinstance(value, str) and value:
            return value
    if isinstance(properties.get("proj:epsg"), int):
        return f"EPSG:{properties['proj:epsg']}"
    zone = _UTM.search(str(other.get("utm_zone_identification", "")))
    return None if zone is None else f"EPSG:{326 if zone[2].upper() == 'N' else 327}{int(zone[1]):02}"


def _times(attrs: Mapping[str, Any]) -> TimeDomain | None:
    """When the product was observed."""
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
