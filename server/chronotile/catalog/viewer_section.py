"""The section `service.viewer`: base maps, overlays and address search of the viewer."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from chronotile.catalog.value_types import Localised
from chronotile.core.sections import Id, Section, Text

BUILT_IN_MAPS = ("None", "NaturalEarth", "NaturalEarth_Dark")
"""Ids of maps that come with the viewer."""
MAX_ZOOM = 24
_WMTS_PLACEHOLDERS = {"{tilematrix}": "{z}", "{tilerow}": "{y}", "{tilecol}": "{x}"}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_VIEWER_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")


def _check_template(href: str) -> str:
    template = _PLACEHOLDER.sub(lambda match: _WMTS_PLACEHOLDERS.get(match[0].lower(), match[0]), href)
    try:
        _check_browser_url(template)
    except ValueError as error:
        raise ValueError(
            f"{href[:80]!r} is not a URL of tiles; accepted are URLs such as https://host/{{z}}/{{x}}/{{y}}.png"
        ) from error
    placeholders = sorted(_PLACEHOLDER.findall(template))
    if placeholders != ["{x}", "{y}", "{z}"]:
        raise ValueError(
            f"{href[:80]!r} must have each of {{z}}, {{x}} and {{y}} once, or of {{TileMatrix}}, {{TileCol}} and "
            "{TileRow} (WMTS), and no other"
        )
    return template


def _check_pmtiles(path: str) -> str:
    if not path.endswith(".pmtiles") or "://" in path:
        raise ValueError(f"{path[:80]!r} is not the path of a .pmtiles file")
    return path


def _check_browser_url(href: str) -> str:
    parts = urlsplit(href)
    is_here = href.startswith("/") and not href.startswith("//")
    is_elsewhere = parts.scheme in {"http", "https"} and _VIEWER_HOST.fullmatch(parts.netloc) is not None
    if not (is_here or is_elsewhere) or not href.isprintable() or " " in href:
        raise ValueError(f"{href[:80]!r} is not a URL that browsers request; accepted is https://host/path")
    return href


class BaseMap(Section):
    """A map of another provider, or of a file, below or above the layers."""

    id: Id
    """Id, which appears in links of the viewer (`bgLayer`, `overlays`)."""
    title: Localised
    """Title in the list of backgrounds or overlays."""
    kind: Literal["tiles", "wms", "pmtiles"] = "tiles"
    """`tiles` (XYZ or WMTS), `wms`, or `pmtiles` (a file of vector tiles of Protomaps)."""
    href: Text
    """For `tiles`: URL of tiles in Web Mercator, with `{z}`, `{x}`, `{y}`, or for WMTS `{TileMatrix}`, `{TileCol}`,
    `{TileRow}`. For `wms`: URL of the WMS. For `pmtiles`: path of the `.pmtiles` file, which the server sends to
    browsers."""
    layers: Text | None = None
    """Layers of the WMS, separated by commas."""
    attribution: Text
    """Text always shown with the map."""
    max_zoom: Annotated[int, Field(ge=0, le=MAX_ZOOM)] = 19
    """Finest zoom of the tiles; at finer zooms they are enlarged."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Opacity, from 0 to 1."""

    @field_validator("href")
    @classmethod
    def _address(cls, href: str, info: ValidationInfo) -> str:
        check = {"tiles": _check_template, "wms": _check_browser_url, "pmtiles": _check_pmtiles}.get(
            info.data.get("kind", "")
        )
        return check(href) if check else href

    @model_validator(mode="after")
    def _layers_of_wms(self) -> "BaseMap":
        if (self.kind == "wms") != (self.layers is not None):
            raise ValueError("layers are needed with kind wms, and with no other")
        return self

    def resolve_href(self, folder: Path) -> "BaseMap":
        """Return the map with the absolute path of its file; relative paths start at `folder`."""
        return self.model_copy(update={"href": str(folder / self.href)}) if self.kind == "pmtiles" else self


def _check_geocoder(href: str) -> str:
    if _PLACEHOLDER.findall(href) != ["{query}"]:
        raise ValueError(f"{href[:80]!r} must have {{query}} once")
    return _check_browser_url(href)


class Geocoder(Section):
    """Address search of the viewer: Nominatim, Photon, Pelias or a compatible service."""

    href: Annotated[Text, AfterValidator(_check_geocoder)]
    """URL with `{query}`: `https://host/search?format=jsonv2&q={query}`. Browsers request it while users type."""
    attribution: Text
    """Text shown with the results."""


class ViewerInfo(Section):
    """Settings of the viewer."""

    default_layer: Text | None = None
    """Id or alias of the layer that is shown first; default: the first layer of the configuration."""
    base_maps: tuple[BaseMap, ...] = ()
    """Additional backgrounds; browsers load tiles directly from their hosts."""
    default_base_map: Id | None = None
    """Id of the background that is shown first; `None`: no background; default: Natural Earth in the colours of the
    page."""
    overlays: tuple[BaseMap, ...] = ()
    """Maps above the layers, such as labels or borders."""
    geocoder: Geocoder | None = None
    """Address search: Nominatim, Photon, Pelias or a compatible service."""

    @model_validator(mode="after")
    def _differ(self) -> "ViewerInfo":
        ids = list(BUILT_IN_MAPS)
        for base_map in (*self.base_maps, *self.overlays):
            if base_map.id in ids:
                raise ValueError(f"base map {base_map.id} is there already; others are {', '.join(ids)}")
            ids.append(base_map.id)
        first = [*BUILT_IN_MAPS, *(base_map.id for base_map in self.base_maps)]
        if self.default_base_map is not None and self.default_base_map not in first:
            raise ValueError(f"default_base_map: there is no {self.default_base_map}; there are {', '.join(first)}")
        return self

    @property
    def maps(self) -> tuple[BaseMap, ...]:
        """Base maps and overlays."""
        return (*self.base_maps, *self.overlays)

    def resolve_hrefs(self, folder: Path) -> "ViewerInfo":
        """Return the settings with absolute paths of files; relative paths start at `folder`."""
        maps = {name: tuple(m.resolve_href(folder) for m in getattr(self, name)) for name in ("base_maps", "overlays")}
        return self.model_copy(update=maps)
