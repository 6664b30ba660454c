"""What the configuration has for the viewer, as JSON."""

from typing import Any

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import SourceUnavailable, UnknownLayer
from chronotile.protocols.common.localised_text import text_in


def viewer_document(catalogue: Catalogue, language: str) -> dict[str, Any]:
    """Return title, languages, the layer to begin with, and base maps, in one language."""
    service = catalogue.service
    return {
        "title": text_in(service.title, language),
        "languages": list(service.languages),
        "default_layer": _default_layer(catalogue),
        "base_maps": [
            {
                "id": each.id,
                "title": text_in(each.title, language),
                "href": each.href,
                "attribution": each.attribution,
                "max_zoom": each.max_zoom,
            }
            for each in service.viewer.base_maps
        ],
    }


def _default_layer(catalogue: Catalogue) -> str | None:
    """The one that is configured, under that name; `None` where none is, or it is not served now."""
    name = catalogue.service.viewer.default_layer
    if name is None:
        return None
    try:
        catalogue.layer(name)
    except (UnknownLayer, SourceUnavailable):
        return None
    return name
