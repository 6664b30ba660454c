"""Configuration of a collection, drafted from STAC documents for catalogues that are served without configuration."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chronotile.core.finding import Finding
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.style import Stop, Style, StyleClass
from chronotile.readers.stac.collection import CollectionMetadata, StacVariable
from chronotile.readers.stac.renders import Render

DraftSection = dict[str, object]
"""A part of a configuration."""

_GREYS = "greys"
_REVERSED = "_r"


@dataclass(frozen=True, slots=True, kw_only=True)
class StacDraft:
    """A proposed collection in the form of a configuration, with the new styles that it refers to."""

    id: str
    section: DraftSection
    """The section below `collections.<id>`."""
    styles: Mapping[str, Style]
    """New styles, by id."""
    findings: tuple[Finding, ...]
    """Renders and formulas of the documents that the draft lacks, with reasons."""


def draft_of(metadata: CollectionMetadata, href: str, styles: Mapping[str, Style]) -> StacDraft:
    """Return the draft of a collection.

    Args:
        metadata: Metadata of the collection and a sample of its items.
        href: Address of the source, as written into the configuration.
        styles: Existing styles, by id.
    """
    made = _DraftContent(metadata, styles)
    for variable in metadata.variables:
        made.add(variable)
    made.add_formulas()
    for render in metadata.renders:
        made.add_render(render)
    return StacDraft(
        id=metadata.id,
        section={**_about(metadata), "source": {"kind": "stac", "href": href}, **_mosaic(metadata), **made.sections()},
        styles=made.styles,
        findings=tuple(made.findings),
    )


def _about(metadata: CollectionMetadata) -> DraftSection:
    fields: DraftSection = {
        "title": metadata.title,
        "abstract": metadata.description,
        "attribution": metadata.attribution,
        "license": metadata.license,
        "keywords": list(metadata.keywords),
    }
    return {key: value for key, value in fields.items() if value}


def _mosaic(metadata: CollectionMetadata) -> DraftSection:
    """Return the section of a mosaic: scenes of one overpass have one time, and those with least cloud are on top."""
    is_of_scenes = bool(metadata.properties & {"eo:cloud_cover", "platform", "constellation"})
    section: DraftSection = (
        {"time": {"group": "solar_day"}} if is_of_scenes and "datetime" in metadata.properties else {}
    )
    return section | ({"mosaic": {"order_by": "eo:cloud_cover"}} if "eo:cloud_cover" in metadata.properties else {})


class _DraftContent:
    """Variables, composites, styles and findings of a draft, to which they are added one by one."""

    def __init__(self, metadata: CollectionMetadata, known: Mapping[str, Style]) -> None:
        self._metadata, self._known = metadata, known
        self._variables: dict[str, DraftSection] = {}
        self._composites: dict[str, DraftSection] = {}
        self._by_asset: dict[str, list[StacVariable]] = {}
        self.styles: dict[str, Style] = {}
        self.findings: list[Finding] = []
        for each in metadata.variables:
            self._by_asset.setdefault(each.asset, []).append(each)

    def sections(self) -> DraftSection:
        """Return the sections `variables`, which may be empty, and `composites`, if there are any."""
        section: DraftSection = {"variables": self._variables}
        return section | ({"composites": self._composites} if self._composites else {})

    def add(self, variable: StacVariable) -> None:
        """Add the variable of a band of an asset."""
        stated = variable.classification
        fields: DraftSection = {
            "asset": variable.asset if variable.asset != variable.id else None,
            "band": variable.band,
            "title": variable.title,
        }
        if len(stated.nodata) == 1 and variable.encoding.nodata is None:
            fields["nodata"] = stated.nodata[0]
        if variable.is_categorical:
            fields["styles"] = [self._class_style(variable)]
        elif stated.classes:
            fields["flags"] = {int(each.value): each.label for each in stated.classes}
        bounds = reflectance_range(variable)
        if bounds is not None and _GREYS in self._known:
            fields |= {"styles": [_GREYS], "range": _written(bounds)}
        self._variables[variable.id] = {key: value for key, value in fields.items() if value is not None}

    def add_formulas(self) -> None:
        """Add virtual assets, well-known indices and a true-colour composite."""
        for name, (expression, title) in self._metadata.formulas.items():
            self._add_formula(name, expression, {"title": title} if title else {})
        for index in indices_of(self._metadata.variables):
            if index.id not in self._variables:
                fields: DraftSection = {"title": index.title}
                if index.mask is not None:
                    fields["mask"] = index.mask
                if index.style in self._known:
                    fields["styles"] = [index.style]
                self._add_formula(index.id, index.formula, fields)
        found = true_colour_of(self._metadata.variables)
        if found is not None:
            self._composites[_distinct(TRUE_COLOUR, self._variables)] = {
                "variables": [each.id for each in found.variables],
                "range": _written(found.range),
                **_gamma(found.gamma),
            }

    def add_render(self, render: Render) -> None:
        """Add a render, a picture that the documents propose: a formula, a composite, or a style of a variable."""
        if render.expression is not None:
            index = self._index_like(render)
            if index is not None:
                self._variables[index] |= self._look(render, index, None)
                return
            name = _distinct(render.name, self._variables)
            fields: DraftSection = {"title": render.title} if render.title else {}
            self._add_formula(name, render.expression, fields | self._look(render, name, None))
            return
        bands = [self._by_asset[name] for name in render.assets if name in self._by_asset]
        found = [each[0] for each in bands]
        if len(bands) == 1 and len(bands[0]) > 2 and render.colormap_name is None:
            found = bands[0][:3]
        virtual = render.assets[0] if len(render.assets) == 1 and not found else ""
        if virtual in self._variables:
            self._variables[virtual] |= self._look(render, virtual, None)
        elif len(found) != len(render.assets) and len(bands) != 1:
            self._leave_out(render, "not all of its assets are served")
        elif len(found) == 3:
            self._add_composite(render, found)
        elif len(found) == 1:
            self._variables[found[0].id] |= self._look(render, found[0].id, found[0])
        else:
            self._leave_out(render, "it is of neither one nor three assets")

    def _index_like(self, render: Render) -> str | None:
        """Return the id of the index with the name of a render and a formula of the same bands, or `None`."""
        name = render.name.upper()
        formula = self._variables.get(name, {}).get("formula")
        if not isinstance(formula, str) or render.expression is None:
            return None
        return name if set(parse_expression(formula).names) == set(parse_expression(render.expression).names) else None

    def _leave_out(self, render: Render, reason: str) -> None:
        self.findings.append(Finding("note", f"renders.{render.name}", f"left out: {reason}"))

    def _add_formula(self, name: str, expression: str, fields: DraftSection) -> None:
        """Add a variable with a formula over ids of other variables, or a finding if one of its names is not an id."""
        names = parse_expression(expression).names
        if all(x in self._variables for x in names):
            self._variables[name] = {**fields, "formula": expression}
        else:
            missing = ", ".join(x for x in names if x not in self._variables)[:100]
            problem = f"left out: no variable has the id {missing}, in {expression[:100]}"
            self.findings.append(Finding("note", name, problem))

    def _add_composite(self, render: Render, variables: list[StacVariable]) -> None:
        # A single range applies to all three bands.
        bands = render.rescale * 3 if len(render.rescale) == 1 else render.rescale
        physical = [_physical(bounds, each) for bounds, each in zip(bands[:3], variables, strict=False)]
        ranges = [each for each in physical if each is not None]
        bounds = (min(low for low, _high in ranges), max(high for _low, high in ranges)) if ranges else None
        if bounds is None and not all(each.encoding.dtype == "uint8" for each in variables):
            self._leave_out(render, "it has no rescale")
            return
        fields: DraftSection = {"title": render.title} if render.title else {}
        name = _distinct(render.name, {**self._variables, **self._composites})
        self._composites[name] = {
            **fields,
            "variables": [each.id for each in variables],
            "range": _written(bounds or (0.0, 255.0)),
            **_gamma(render.gamma),
        }

    def _look(self, render: Render, name: str, variable: StacVariable | None) -> DraftSection:
        """Return the keys `styles` and `range` for a render.

        The range of a render is in digital numbers of `variable`; without a variable, in values of a formula.
        """
        bounds = _physical(render.rescale[0], variable) if render.rescale else None
        fields: DraftSection = {} if bounds is None else {"range": _written(bounds)}
        style = self._style(render, name, variable, bounds)
        if style is None:
            return fields
        if style.is_categorical:
            fields = {}
        return {**fields, "styles": [style.id]}

    def _style(
        self, render: Render, name: str, variable: StacVariable | None, bounds: tuple[float, float] | None
    ) -> Style | None:
        own = f"{self._metadata.id}.{name}"
        if render.classes:
            labels = {each.value: each.label for each in (variable.classification.classes if variable else ())}
            classes = tuple(each._replace(label=labels.get(each.value, each.label)) for each in render.classes)
            return self._keep(_categorical(own, render.title or name, classes))
        of_table = bounds or _physical((0.0, 1.0), variable)
        if len({stop.value for stop in render.stops}) > 1 and of_table is not None:
            low, high = of_table
            stops = tuple(Stop(low + (high - low) * stop.value, stop.colour) for stop in render.stops)
            return self._keep(_ramp(own, render.title or name, stops))
        ramp = render.colormap_name or ""
        if ramp in self._known:
            return self._known[ramp]
        plain = self._known.get(ramp.removesuffix(_REVERSED))
        if plain is not None and plain.ramp:
            low, high = plain.range
            stops = tuple(Stop(low + high - stop.value, stop.colour) for stop in reversed(plain.ramp))
            return self._keep(_ramp(own, f"{plain.title}, reversed", stops))
        if ramp:
            self.findings.append(Finding("note", f"renders.{render.name}", f"there is no style {ramp!r}"))
        return None

    def _class_style(self, variable: StacVariable) -> str:
        """Return the id of the style of a variable with classes.

        If the metadata have no colours, a shipped style with all classes is used; otherwise the draft gets a new one.
        """
        stated = variable.classification
        alike = [each for each in self._known.values() if _has_all(each, stated.classes)]
        if alike and not stated.is_coloured:
            return alike[0].id
        title = f"{variable.title or variable.id}, classes"
        return self._keep(_categorical(f"{self._metadata.id}.{variable.id}", title, stated.classes)).id

    def _keep(self, style: Style) -> Style:
        self.styles[style.id] = style
        return style


def _categorical(style_id: str, title: str, classes: tuple[StyleClass, ...]) -> Style:
    values = [each.value for each in classes]
    return Style(id=style_id, title=title, range=(min(values), max(values)), classes=classes)


def _ramp(style_id: str, title: str, stops: Iterable[Stop]) -> Style:
    ordered = tuple(sorted(stops))
    below, above = ordered[0].colour, ordered[-1].colour
    bounds = ordered[0].value, ordered[-1].value
    return Style(id=style_id, title=title, range=bounds, ramp=ordered, below=below, above=above)


def _has_all(style: Style, classes: tuple[StyleClass, ...]) -> bool:
    """Return whether a style has all classes, more than half of them with the same first four letters of the label."""
    labels = {each.value: each.label.lower() for each in style.classes}
    if not all(each.value in labels for each in classes):
        return False
    same = [each for each in classes if labels[each.value][:4] == each.label.lower()[:4]]
    return 2 * len(same) > len(classes)


def _physical(bounds: tuple[float, float], variable: StacVariable | None) -> tuple[float, float] | None:
    """Return a range of digital numbers of a variable as values; `None` if it is empty or infinite.

    Without a variable, the range is returned unchanged.
    """
    if variable is None:
        return bounds
    scale, offset = variable.encoding.scale or 1.0, variable.encoding.offset or 0.0
    low, high = sorted(float(f"{number * scale + offset:.9g}") for number in bounds)
    return (low, high) if math.isfinite(high - low) and low < high else None


def _written(bounds: tuple[float, float]) -> list[float]:
    # Whole numbers are written as integers.
    return [int(each) if each.is_integer() else each for each in map(float, bounds)]


def _gamma(gamma: float) -> DraftSection:
    return {} if gamma == 1 else {"gamma": gamma}


def _distinct(name: str, taken: Mapping[str, object]) -> str:
    """Return a name as an id that is not in `taken`, if necessary with a number at its end."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "_.-") else "_" for each in name).strip("_.-")
    own, number = plain or "render", 1
    while own in taken:
        number += 1
        own = f"{plain or 'render'}-{number}"
    return own


# Pictures from bands with a known meaning: indices of vegetation, with clouds masked, and true colours.

TRUE_COLOUR = "TRUE_COLOUR"
_COLOURS = ("red", "green", "blue")
_REFLECTANCES = frozenset(
    (
        "coastal", "blue", "green", "yellow", "pan", "red", "rededge", "rededge071", "rededge075", "rededge078", "nir",
        "nir08", "nir09", "cirrus", "swir16", "swir22",
    )
)  # fmt: skip
"""Common names of bands that are reflectances in most collections; thermal bands are temperatures."""
_BRIGHT = 0.3
"""Upper end of the drawn range of reflectances."""
_BRIGHT_NUMBER = 3000.0
"""The same for bands without a scale, whose numbers are reflectances times 10,000."""
_GAMMA = 1.6
_SCL, _SCL_CLEAR = "scl", (4, 5, 6)
"""Id of the scene classification of Sentinel-2, and its clear classes: vegetation, bare soil, water."""
_INDICES = (
    ("NDVI", "Normalised difference vegetation index", ("nir", "nir08"), ("red",), "ndvi"),
    ("NDMI", "Normalised difference moisture index", ("nir08", "nir"), ("swir16",), "ndmi"),
)
"""Id, title, common names of the two bands (preferred first), and style of each index (a - b) / (a + b)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A variable computed from two bands."""

    id: str
    title: str
    formula: str
    style: str
    mask: DraftSection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueColour:
    """Three bands as red, green and blue."""

    variables: tuple[StacVariable, StacVariable, StacVariable]
    range: tuple[float, float]
    gamma: float


def reflectance_range(variable: StacVariable) -> tuple[float, float] | None:
    """Return the range of values in which a band of reflectances is drawn; `None` for other bands."""
    stated = variable.encoding
    if variable.common_name not in _REFLECTANCES:
        return None
    if stated.dtype == "uint8" and stated.scale in (None, 1):
        return 0.0, 255.0
    is_float = (stated.dtype or "uint16").startswith("float")
    return (0.0, _BRIGHT) if is_float or stated.scale not in (None, 1) else (0.0, _BRIGHT_NUMBER)


def indices_of(variables: Sequence[StacVariable]) -> Iterator[Index]:
    """Yield the indices whose two bands exist in the same resolution."""
    for name, title, minuends, subtrahends, style in _INDICES:
        pairs = [
            (first, second)
            for first in _named(variables, minuends)
            for second in _named(variables, subtrahends)
            if first.resolution == second.resolution
        ]
        if pairs:
            first, second = pairs[0]
            formula = f"({first.id} - {second.id}) / ({first.id} + {second.id})"
            yield Index(id=name, title=title, formula=formula, style=style, mask=_mask(variables, first))


def true_colour_of(variables: Sequence[StacVariable]) -> TrueColour | None:
    """Return the bands of a picture in true colours: an asset with 3 or 4 bands of bytes, or else reflectances."""
    by_asset: dict[str, list[StacVariable]] = {}
    for each in variables:
        by_asset.setdefault(each.asset, []).append(each)
    for bands in by_asset.values():
        if len(bands) in (3, 4) and all(each.encoding.dtype == "uint8" for each in bands):
            return TrueColour(variables=(bands[0], bands[1], bands[2]), range=(0.0, 255.0), gamma=1.0)
    found = [next(iter(_named(variables, (name,))), None) for name in _COLOURS]
    red, green, blue = found
    if red is None or green is None or blue is None:
        return None
    bounds = reflectance_range(red) or (0.0, _BRIGHT)
    return TrueColour(variables=(red, green, blue), range=bounds, gamma=_GAMMA)


def _named(variables: Sequence[StacVariable], names: Sequence[str]) -> list[StacVariable]:
    # Bands with these common names, in the order of the names; bands of bytes are pictures, not reflectances.
    return [each for name in names for each in variables if each.common_name == name and each.encoding.dtype != "uint8"]


def _mask(variables: Sequence[StacVariable], of: StacVariable) -> DraftSection | None:
    """Return the mask of a quality variable whose cells are as large as those of `of`, or a whole number of times."""
    for each in variables:
        is_scl = each.id.lower().partition("_")[0] == _SCL
        clear = each.classification.clear or (_SCL_CLEAR if is_scl else ())
        times = each.resolution / of.resolution if each.resolution and of.resolution else 1.0
        if clear and times >= 1 and times == int(times):
            return {"variable": each.id, "keep": list(clear)}
    return None
