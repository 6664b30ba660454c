"""Write docs/reference/configuration.md from the sections that read configuration and style files.

Run `python docs/generate.py`; a test checks that the page is up to date.
"""

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chronotile.catalog.configuration import RootSection
from chronotile.core.sections import Section
from chronotile.pipeline.styling.load import StyleSection
from chronotile.readers.kinds import KINDS

PAGE = Path(__file__).parent / "reference" / "configuration.md"
Schema = dict[str, Any]

INTRODUCTION = """\
# Configuration

<!-- Written by docs/generate.py out of server/chronotile/catalog/ and pipeline/styling/load.py: change it there. -->

```yaml
collections:
  ndvi:
    source: {kind: cog, href: "data/NDVI_*.tif"}
    variables:
      NDVI: {title: Vegetation, range: [0, 1]}
```

Save this file as `config/chronotile.yaml`: `chronotile serve` then serves the layer `ndvi.NDVI`. `chronotile check`
reports all mistakes together, with file, line and key. The repository has a longer `config/chronotile.yaml`.

- Relative paths start at the folder of the file that contains them.
- Values follow YAML 1.2: `2001-01-01`, `NO` and `on` are text, `1e-4` is a number. Quote a text that looks like a
  number. `${NAME}` becomes the value of the environment variable `NAME`.
- A *text by language* is a text, or a text for each language of `service.languages`:
  `{en: Vegetation, nl: Vegetatie}`.
- Ids consist of letters, digits, `_`, `.` and `-`, and start with a letter or digit. Each id of a
  collection, layer or alias is unique; so is each id of a style.
- Unknown keys are errors.
"""

STYLES = """\
# Styles

A style is a file `styles/<id>.yaml` next to the configuration. It replaces the built-in style of the same id.
`default` is another name for a layer's first style. Colours are `"#rgb"`, `"#rrggbb"`, `"#rrggbbaa"`
(in quotes), `transparent` or a basic name such as `white`. A file `styles/<id>.sld` is a style too: the server uses
the default style of its first layer.
"""


HEADINGS = {
    "RootSection": "Top level",
    "ServiceSection": "service",
    "Contact": "service.contact",
    "PostalAddress": "service.contact.address",
    "PathsSection": "service.paths",
    "Limits": "service.limits",
    "WmsSection": "service.wms",
    "WmtsSection": "service.wmts",
    "InspireSection": "service.inspire",
    "ViewerInfo": "service.viewer",
    "BaseMap": "service.viewer.base_maps, each",
    "Geocoder": "service.viewer.geocoder",
    "WebhookSection": "service.webhooks, each",
    "AccessSection": "access",
    "QuotaSection": "access.quotas.(subject)",
    "AmountsSection": "access.quotas.(subject).(class)",
    "CollectionSection": "collections.(id)",
    "MetadataSection": "collections.(id).metadata, each",
    "SourceSection": "collections.(id).source",
    "RegularTimes": "collections.(id).source.times, as steps",
    "TimeSection": "collections.(id).time",
    "MosaicSection": "collections.(id).mosaic",
    "SearchSection": "collections.(id).search",
    "TargetGridSection": "collections.(id).grid",
    "VariableSection": "collections.(id).variables.(id)",
    "MaskSection": "collections.(id).variables.(id).mask",
    "AliasSection": "collections.(id).variables.(id).aliases, each",
    "RuleSection": "collections.(id).access",
    "CompositeSection": "collections.(id).composites.(id)",
    "PlacesSection": "places.(id)",
    "StyleSection": "Style file",
    "ClassSection": "classes, each",
}
"""Key of each section in the file, in the order of the page."""

INLINE = {"LatestValid": "`{latest: {min_valid: …}}`", "MinValid": "", "StepSection": "`{index: …}`"}
"""Sections of one key, which have no chapter: how they are written."""

LOCALISED = "text by language"

PLAIN = {
    *("RootSection", "ServiceSection", "Contact", "PostalAddress", "WmsSection", "WmtsSection", "ViewerInfo"),
    *("CollectionSection", "MetadataSection", "SourceSection", "SearchSection", "AliasSection", "ClassSection"),
    *("QuotaSection", "RegularTimes", "Limits", "InspireSection", "BaseMap", "Geocoder", "TimeSection"),
    *("WebhookSection", "PathsSection"),
}
"""Sections that their heading describes completely: the chapter has only the table."""


def page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, *_chapters(RootSection), STYLES, *_chapters(StyleSection)])


def _chapters(root: type[Section]) -> Iterator[str]:
    """Yield a chapter for the root and for every section that its schema refers to."""
    schema = root.model_json_schema()
    definitions = {root.__name__: schema, **schema.get("$defs", {})}
    if "SourceSection" in definitions:
        definitions["SourceSection"]["properties"]["kind"]["enum"] = [*KINDS]
    sections = {each.__name__: each for each in Section.__subclasses__()}
    for name in sorted(definitions.keys() - INLINE.keys(), key=list(HEADINGS).index):
        about = "" if name in PLAIN else f"{inspect.cleandoc(sections[name].__doc__ or '')}\n\n"
        yield f"## {HEADINGS[name]}\n\n{about}{_table(sections[name], definitions[name])}\n"


def _table(section: type[Section], definition: Schema) -> str:
    meanings = _meanings(section)
    rows = [
        f"| `{key}` | {LOCALISED if _is_localised(key, schema) else _value(schema)} "
        f"| {meanings.get(key, '')}{_default(key, schema, definition)} |"
        for key, schema in definition["properties"].items()
    ]
    return "\n".join(["| key | value | meaning |", "| --- | --- | --- |", *rows])


def _is_localised(key: str, schema: Schema) -> bool:
    """Return whether a key takes a text, or a text for each language."""
    return key in {"title", "abstract"} and any(each.get("type") == "object" for each in schema.get("anyOf", []))


def _meanings(section: type[Section]) -> dict[str, str]:
    """Return the docstring under each field."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: _cell(note.value.value)
        for field, note in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant) and isinstance(note.value.value, str)
    }


def _value(schema: Schema) -> str:
    """Return the accepted values of a key, in words."""
    if "$ref" in schema:
        return _link(schema["$ref"])
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_value(each) for each in alternatives if each.get("type") != "null"))
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{value}`" for value in values)
    if "prefixItems" in schema:
        return f"{len(schema['prefixItems'])} x {_value(schema['prefixItems'][0])}"
    if member := schema.get("items") or schema.get("additionalProperties"):
        return f"{'list of' if 'items' in schema else 'mapping to'} {_value(member)}"
    return _WORDS[schema["type"]] if "type" in schema else "nothing yet"


_WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true`, `false`"}


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    if name in INLINE:
        return INLINE[name]
    heading = HEADINGS[name]
    anchor = re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
    return f"[{heading}](#{anchor})"


def _default(key: str, schema: Schema, definition: Schema) -> str:
    if key in definition.get("required", []):
        return " **Required.**"
    default = schema.get("default")
    is_said_in_words = "$ref" in schema or key == "nodata" or default in (None, [], {})
    return "" if is_said_in_words else f" Default: `{json.dumps(default)}`."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
