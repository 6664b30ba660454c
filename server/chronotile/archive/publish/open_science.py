"""Product and variables as documents of the Open Science Catalogue (ESA EarthCODE), for a pull request there.

Its validation requires STAC 1.0.0, folder names as ids, links of exact form, a project and a theme.
"""

import re
from collections.abc import Iterator

from chronotile.archive.publish.documents import extent_of, license_links, link
from chronotile.archive.publish.publication import CatalogueOptions, Publication, PublishedExtent, PublishedVariable
from chronotile.core.licence import append_licence, licence_of
from chronotile.core.model.types import Json

VERSION = "1.0.0"
THEMES = ("atmosphere", "cryosphere", "land", "magnetosphere-ionosphere", "oceans", "solid-earth")
"""Ids of all themes of the Open Science Catalogue."""
USUAL_THEME = "land"
SCHEME = "https://github.com/stac-extensions/osc#theme"
_CF = "https://stac-extensions.github.io/cf/v0.2.0/schema.json"
_OSC = "https://stac-extensions.github.io/osc/v1.0.0/schema.json"
_THEMES = "https://stac-extensions.github.io/themes/v1.0.0/schema.json"


def documents_of(
    publication: Publication, extent: PublishedExtent, options: CatalogueOptions
) -> Iterator[tuple[str, Json]]:
    """Yield paths and documents for the Open Science Catalogue."""
    yield f"products/{slug(publication.id)}/collection.json", product_of(publication, extent, options)
    for variable in _distinct(publication):
        yield f"variables/{slug(variable.id)}/catalog.json", variable_of(variable, options)


def product_of(publication: Publication, extent: PublishedExtent, options: CatalogueOptions) -> Json:
    """Return the product."""
    variables, licence = _distinct(publication), licence_of(publication.license)
    project = slug(options.project or publication.id)
    units = {variable.id: {} if variable.units == "1" else {"unit": variable.units} for variable in variables}
    parameters = [{"name": v.standard_name or v.id, **units[v.id]} for v in variables]
    parameter: Json = {"cf:parameter": parameters} if parameters else {}
    return {
        "type": "Collection",
        "id": slug(publication.id),
        "stac_version": VERSION,
        "stac_extensions": [_OSC, _THEMES, *([_CF] if parameters else [])],
        "title": publication.title,
        "description": append_licence(publication.description, licence),
        "keywords": [keyword.replace(":", " ") for keyword in publication.keywords],
        "license": licence.spdx or "proprietary",
        "extent": extent_of(extent),
        "osc:type": "product",
        "osc:status": "completed",
        "osc:project": project,
        "osc:variables": [slug(v.id) for v in variables],
        "osc:missions": [],
        **parameter,
        "themes": _themes(options),
        "links": [
            *_upward("Products"),
            link("via", _collection_address(options), "Access"),
            link("related", f"../../projects/{project}/collection.json", None),
            *(link("related", f"../../variables/{slug(v.id)}/catalog.json", f"Variable: {v.title}") for v in variables),
            *license_links(licence.page),
        ],
    }


def variable_of(variable: PublishedVariable, options: CatalogueOptions) -> Json:
    """Return a variable."""
    units = "" if variable.units == "1" else f", in {variable.units}"
    return {
        "type": "Catalog",
        "id": slug(variable.id),
        "stac_version": VERSION,
        "stac_extensions": [_THEMES],
        "title": variable.title,
        "description": f"{variable.title}{units}",
        "themes": _themes(options),
        "links": [*_upward("Variables"), link("via", _collection_address(options), "Description")],
    }


def slug(text: str) -> str:
    """Return a name in the form of the Open Science Catalogue."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def _distinct(publication: Publication) -> list[PublishedVariable]:
    return list({slug(variable.id): variable for variable in reversed(publication.variables)}.values())[::-1]


def _upward(title: str) -> list[Json]:
    return [link("root", "../../catalog.json", "Open Science Catalog"), link("parent", "../catalog.json", title)]


def _themes(options: CatalogueOptions) -> list[Json]:
    return [{"scheme": SCHEME, "concepts": [{"id": x} for x in options.themes or (USUAL_THEME,)]}]


def _collection_address(options: CatalogueOptions) -> str:
    # Without a public URL: a relative path, which is valid as long as these documents are inside the catalogue.
    return f"{'../../..' if options.url is None else options.url.rstrip('/')}/collection.json"
