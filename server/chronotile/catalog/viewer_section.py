"""The section `service.viewer` of the configuration: what the viewer shows beside the layers."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from chronotile.catalog.catalogue import BaseMap, ViewerInfo
from chronotile.catalog.kinds import Localised
from chronotile.sections import Id, Section, Text

OWN_MAPS = ("None", "NaturalEarth", "NaturalEarth_Dark")
"""Ids of the viewer's own."""
MOST_ZOOM = 24
_OF_WMTS = {"{tilematrix}": "{z}", "{tilerow}": "{y}", "{tilecol}": "{x}"}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")


def _template(href: str) -> str:
    template = _PLACEHOLDER.sub(lambda found: _OF_WMTS.get(found[0].lower(), found[0]), href)
    parts = urlsplit(template)
    is_here = template.startswith("/") and not template.startswith("//")
    is_elsewhere = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.netloc) is not None
    if not (is_here or is_elsewhere) or not template.isprintable() or " " in template:
        raise ValueError(
            f"{href[:80]!r} is not a URL of tiles; accepted are URLs such as https://host/{{z}}/{{x}}/{{y}}.png"
        )
    found = sorted(_PLACEHOLDER.findall(template))
    if found != ["{x}", "{y}", "{z}"]:
        raise ValueError(
            f"{href[:80]!r} must have each of {{z}}, {{x}} and {{y}} once, or of {{TileMatrix}}, {{TileCol}} and "
            "{TileRow} (WMTS), and no other"
        )
    return template


class BaseMapSection(Section):
    """A map of another provider, as background of the layers."""

    id: Id
    """Id in links of the viewer (`bgLayer`)."""
    title: Localised
    """Title in the list of backgrounds."""
    href: Annotated[Text, AfterValidator(_template)]
    """Tiles in Web Mercator, with `{z}`, `{x}`, `{y}`, or WMTS's `{TileMatrix}`, `{TileCol}`, `{TileRow}`."""
    attribution: Text
    """Text that is always shown with it."""
    max_zoom: Annotated[int, Field(ge=0, le=MOST_ZOOM)] = 19
    """Its finest zoom; at finer ones its tiles are enlarged."""

    def base_map(self) -> BaseMap:
        """Return the value."""
        return BaseMap(
            id=self.id, title=self.title, href=self.href, attribution=self.attribution, max_zoom=self.max_zoom
        )


class ViewerSection(Section):
    """Settings of the viewer."""

    default_layer: Text | None = None
    """Id or alias of the layer shown first; default: the first of the configuration."""
    base_maps: tuple[BaseMapSection, ...] = ()
    """Additional backgrounds; browsers load their tiles from those hosts."""

    @model_validator(mode="after")
    def _differ(self) -> "ViewerSection":
        known = list(OWN_MAPS)
        for each in self.base_maps:
            if each.id in known:
                raise ValueError(f"base map {each.id} is there already; others are {', '.join(known)}")
            known.append(each.id)
        return self

    def info(self) -> ViewerInfo:
        """Return the value."""
        return ViewerInfo(default_layer=self.default_layer, base_maps=tuple(each.base_map() for each in self.base_maps))
