"""The product and its variables as the Open Science Catalogue (ESA EarthCODE) has them, for a pull request there.

Its validation requires STAC 1.0.0, ids that are names of folders, links of exact form, a project and a theme.
"""

import re
from collections.abc import Iterator

from chronotile.model.licence import Licence, licence_of, with_licence
from chronotile.publish.documents.collection import extent_of, license_links
from chronotile.publish.documents.parts import Json, link
from chronotile.publish.publication import CatalogueOptions, Extent, Publication, Variable

VERSION = "1.0.0"
THEMES = ("atmosphere", "cryosphere", "land", "magnetosphere-ionosphere", "oceans", "solid-earth")
"""Ids of the themes that there are."""
USUAL_THEME = "land"
SCHEME = "https://github.com/stac-extensions/osc#theme"
_CF = "https://stac-extensions.github.io/cf/v0.2.0/schema.json"
_OSC = "https://stac-extensions.github.io/osc/v1.0.0/schema.json"
_THEMES = "https://stac-extensions.github.io/themes/v1.0.0/schema.json"


def documents_of(publication: Publication, extent: Extent, options: CatalogueOptions) -> Iterator[tuple[str, Json]]:
    """Yield the documents with their paths in that catalogue."""
    yield f"products/{slug(publication.id)}/collection.json", product_of(publication, extent, options)
    for variable in _distinct(publication):
        yield f"variables/{slug(variable.id)}/catalog.json", variable_of(variable, options)


def product_of(publication: Publication, extent: Extent, options: CatalogueOptions) -> Json:
    """Return the product."""
    variables, licence = _distinct(publication), licence_of(publication.license)
    project = slug(options.project or publication.id)
    parameters = [
        {"name": each.standard_name or each.id, **({} if each.units == "1" else {"unit": each.units})}
        for each in variables
    ]
    parameter: Json = {"cf:parameter": parameters} if parameters else {}
    return {
        "type": "Collection",
        "id": slug(publication.id),
        "stac_version": VERSION,
        "stac_extensions": [_OSC, _THEMES, *([_CF] if parameters else [])],
        "title": publication.title,
        "description": with_licence(publication.description, licence),
        "keywords": [each.replace(":", " ") for each in publication.keywords],
        "license": _license_of_1_0(licence),
        "extent": extent_of(extent),
        "osc:type": "product",
        "osc:status": "completed",
        "osc:project": project,
        "osc:variables": [slug(each.id) for each in variables],
        "osc:missions": [],
        **parameter,
        "themes": _themes(options),
        "links": [
            *_upward("Products"),
            link("via", _address(options, "collection.json"), "Access"),
            link("related", f"../../projects/{project}/collection.json", None),
            *(
                link("related", f"../../variables/{slug(each.id)}/catalog.json", f"Variable: {each.title}")
                for each in variables
            ),
            *license_links(licence),
        ],
    }


def variable_of(variable: Variable, options: CatalogueOptions) -> Json:
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
        "links": [*_upward("Variables"), link("via", _address(options, "collection.json"), "Description")],
    }


def slug(text: str) -> str:
    """Return a name as that catalogue writes it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def _distinct(publication: Publication) -> list[Variable]:
    return list({slug(each.id): each for each in reversed(publication.variables)}.values())[::-1]


def _upward(title: str) -> list[Json]:
    return [
        link("root", "../../catalog.json", "Open Science Catalog"),
        link("parent", "../catalog.json", title),
    ]


def _themes(options: CatalogueOptions) -> list[Json]:
    return [{"scheme": SCHEME, "concepts": [{"id": each} for each in options.themes or (USUAL_THEME,)]}]


def _address(options: CatalogueOptions, name: str) -> str:
    """Without the public URL a path from these documents to the catalogue, as long as they lie in it."""
    return f"../../../{name}" if options.url is None else f"{options.url.rstrip('/')}/{name}"


def _license_of_1_0(licence: Licence) -> str:
    return licence.spdx or "proprietary"
