"""Metadata of a STAC collection and a sample of its items: variables with titles, encodings and classes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chronotile.core.model.items import AssetBand
from chronotile.core.model.types import JsonMapping
from chronotile.readers.stac.bands import Classification, bands_of, classification_of, eo_bands
from chronotile.readers.stac.fields import (
    is_raster,
    list_of,
    number_of,
    numbers_of,
    object_of,
    objects_of,
    text_of,
    texts_of,
)
from chronotile.readers.stac.renders import Render, expression_of, renders_of

MAX_VARIABLES = 200
_LEFT_OUT = frozenset(("overview", "preview", "browse", "archive"))
"""Roles and keys of assets that are not data."""
_METADATA_ROLES = frozenset(("metadata",))
"""A raster with only these roles is not served as a variable; with another role in addition, it is."""
_RESAMPLED = ("sampling:downsampled", "sampling:upsampled")
_RESOLUTION_IN_NAME = re.compile(r"[-_.]?R?(\d{1,4})m$", re.IGNORECASE)
_COPY = re.compile(r"[-_](jp2|jpeg2000)$", re.IGNORECASE)
"""End of the keys of assets that exist in a faster format, too."""
_ID = re.compile(r"[^A-Za-z0-9_]+")
_IN_BRACKETS = re.compile(r"\(([a-z0-9]+)\)")
_COMMON_NAMES = frozenset(("coastal", "blue", "green", "red", "nir", "nir08", "swir16", "swir22"))
"""Common names of the eo extension that are guessed."""
_NOT_ID = re.compile(r"[^A-Za-z0-9_.-]+")
_NOTHING, _NO_CLASSES = AssetBand(), Classification()


@dataclass(frozen=True, slots=True, kw_only=True)
class StacVariable:
    """A band of an asset that all items have."""

    id: str
    asset: str
    band: int | None = None
    """Counted from 1; `None`: the asset has one."""
    title: str | None = None
    common_name: str | None = None
    """Name in the eo extension: red, nir …"""
    resolution: float | None = None
    """Metres, as stated."""
    encoding: AssetBand = _NOTHING
    """As stated by the collection; each item overrides it."""
    classification: Classification = _NO_CLASSES

    @property
    def is_categorical(self) -> bool:
        """Whether its numbers are classes: classes are stated, and numbers are integers without scale and offset."""
        stated = self.encoding
        is_plain = stated.scale in (None, 1) and not stated.offset and (stated.dtype or "uint8")[0] != "f"
        return bool(self.classification.classes) and is_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionMetadata:
    """Metadata from STAC documents."""

    id: str
    title: str | None
    description: str | None
    license: str | None
    """SPDX id, or the URL of the licence."""
    attribution: str | None
    keywords: tuple[str, ...]
    variables: tuple[StacVariable, ...]
    renders: tuple[Render, ...]
    formulas: Mapping[str, tuple[str, str | None]]
    """Virtual assets: expression and title, by key."""
    properties: frozenset[str]
    """Names of the properties of the sampled items."""


def metadata_of(collection: JsonMapping, items: Sequence[JsonMapping]) -> CollectionMetadata:
    """Return the metadata of a collection, completed by its items.

    Args:
        collection: STAC collection, or an empty mapping.
        items: A sample of its items.
    """
    assets = _assets(collection, items)
    properties = [object_of(item.get("properties")) for item in items]
    rasters = {name: each for name, each in assets.items() if name.lower() not in _LEFT_OUT and _is_of_data(each)}
    variables = _with_guessed_names(_distinct(_variables(rasters, properties)))
    return CollectionMetadata(
        id=_NOT_ID.sub("-", text_of(collection.get("id")) or _collection_of(items) or "")[:100].strip("_.-") or "stac",
        title=text_of(collection.get("title"), most=500),
        description=_first_paragraph(text_of(collection.get("description"), most=100_000)),
        license=_license(collection),
        attribution=_attribution(collection, properties),
        keywords=tuple(text[:100] for text in texts_of(collection.get("keywords")))[:100],
        variables=variables[:MAX_VARIABLES],
        renders=renders_of(collection, object_of(collection.get("summaries")), *properties),
        formulas=dict(_formulas(assets)),
        properties=frozenset(name for each in properties for name, value in each.items() if value is not None),
    )


def _assets(collection: JsonMapping, items: Sequence[JsonMapping]) -> dict[str, JsonMapping]:
    """Return the metadata of each asset: the first item with the asset overrides the collection."""
    found = {name: object_of(each) for name, each in object_of(collection.get("item_assets")).items()}
    of_items: dict[str, JsonMapping] = {}
    for item in items:
        for name, each in object_of(item.get("assets")).items():
            of_items.setdefault(name, object_of(each))
    common = found if found and not of_items else of_items
    return {name: {**found.get(name, {}), **of_items.get(name, {})} for name in common}


def _is_of_data(asset: JsonMapping) -> bool:
    roles = set(texts_of(asset.get("roles")))
    return is_raster(asset) and not _LEFT_OUT & roles and (not roles or bool(roles - _METADATA_ROLES))


def _variables(assets: Mapping[str, JsonMapping], properties: Sequence[JsonMapping]) -> Iterator[StacVariable]:
    first = properties[0] if properties else {}
    for name, asset in _best(assets).items():
        encodings = bands_of(asset, {}) or bands_of(asset, first) or (_NOTHING,)
        names = list(eo_bands(asset, first))
        bands = [object_of(each) for each in list_of(asset.get("bands"))]
        rasters = list(objects_of(asset.get("raster:bands")))
        for index, encoding in enumerate(encodings):
            levels = [each[index] for each in (bands, rasters, names) if index < len(each)]
            number = index + 1 if len(encodings) > 1 else None
            common = [text_of(each.get(key), most=50) for each in levels for key in ("eo:common_name", "common_name")]
            yield StacVariable(
                id=_identifier(name if number is None else f"{name}_{encoding.name or number}"),
                asset=name,
                band=number,
                title=_title(asset, levels, number, next(filter(None, common), None)),
                common_name=next(filter(None, common), None),
                resolution=_resolution(asset, levels),
                encoding=encoding,
                classification=_classification(levels, asset),
            )


def _best(assets: Mapping[str, JsonMapping]) -> dict[str, JsonMapping]:
    """Drop assets that are copies in another format or resolution; of several the finest remains."""
    chosen: dict[str, tuple[float, str]] = {}
    for name, asset in assets.items():
        if _COPY.search(name) and _COPY.sub("", name) in assets:
            continue
        found = _RESOLUTION_IN_NAME.search(name)
        base = name if found is None else name[: found.start()]
        resampled = any(role in _RESAMPLED for role in texts_of(asset.get("roles")))
        rank = (float(found[1]) if found else 0.0) + (1e6 if resampled else 0.0)
        chosen[base] = min(chosen.get(base, (float("inf"), name)), (rank, name))
    return {name: assets[name] for _rank, name in chosen.values()}


def _classification(levels: Sequence[JsonMapping], asset: JsonMapping) -> Classification:
    for each in (*levels, asset):
        found = classification_of(each)
        if found != _NO_CLASSES:
            return found
    return _NO_CLASSES


def _title(
    asset: JsonMapping, levels: Sequence[JsonMapping], number: int | None, common_name: str | None
) -> str | None:
    title = text_of(asset.get("title"), most=200)
    described = [text_of(each.get(key), most=200) for each in levels for key in ("title", "description", "name")]
    of_band = next(filter(None, described), None)
    if number is None:
        return title or of_band or (common_name or "").capitalize() or None
    return f"{title}: {of_band or number}" if title else of_band


def _resolution(asset: JsonMapping, levels: Sequence[JsonMapping]) -> float | None:
    stated = [asset.get("raster:spatial_resolution"), *(each.get("spatial_resolution") for each in levels)]
    stated += [asset.get("gsd"), *(each.get("gsd") for each in levels), *(each.get("eo:gsd") for each in levels)]
    transform = numbers_of(asset.get("proj:transform"), 6, 9)
    stated.append(abs(transform[0]) if transform else None)
    return next((number for number in map(number_of, stated) if number), None)


def _distinct(variables: Iterator[StacVariable]) -> tuple[StacVariable, ...]:
    taken = dict[str, StacVariable]()
    for each in variables:
        number, own = 1, each.id or "band"
        while own in taken:
            number += 1
            own = f"{each.id or 'band'}_{number}"
        taken[own] = replace(each, id=own)
    return tuple(taken.values())


def _with_guessed_names(variables: tuple[StacVariable, ...]) -> tuple[StacVariable, ...]:
    """Return the variables; if none has a common name, with names guessed from words of ids and titles."""
    if any(each.common_name for each in variables):
        return variables
    return tuple(each if each.band else replace(each, common_name=_guessed_name(each)) for each in variables)


def _guessed_name(variable: StacVariable) -> str | None:
    # `nbart_red` is red, and so is `Band 4 (red)`.
    words = [*variable.id.lower().split("_")[-1:], *_IN_BRACKETS.findall((variable.title or "").lower())]
    return next((word for word in words if word in _COMMON_NAMES), None)


def _identifier(text: str) -> str:
    # The text as the id of a variable, which formulas can name.
    plain = _ID.sub("_", text)[:100].strip("_")
    return f"b{plain}" if plain[:1].isdigit() else plain


def _formulas(assets: Mapping[str, JsonMapping]) -> Iterator[tuple[str, tuple[str, str | None]]]:
    for name, asset in assets.items():
        if asset.get("vrt:algorithm") == "band_arithmetic":
            expression = expression_of(object_of(asset.get("vrt:algorithm_opts")).get("expression"))
            if expression is not None:
                yield _identifier(name), (expression, text_of(asset.get("title"), most=200))


def _collection_of(items: Sequence[JsonMapping]) -> str | None:
    return next(filter(None, (text_of(item.get("collection")) for item in items)), None)


def _first_paragraph(text: str | None) -> str | None:
    return text.strip().partition("\n\n")[0][:2000] or None if text else None


def _license(collection: JsonMapping) -> str | None:
    stated = text_of(collection.get("license"), most=200)
    if stated is not None and stated not in {"proprietary", "various", "other"}:
        return stated
    links = [each for each in objects_of(collection.get("links")) if each.get("rel") == "license"]
    href = next((text_of(each.get("href"), most=1000) for each in links), None)
    return href if href is not None and href.startswith(("https://", "http://")) else None


def _attribution(collection: JsonMapping, properties: Sequence[JsonMapping]) -> str | None:
    """The licensors, or else the producers, or else all providers, by name."""
    written = [each for level in (collection, *properties[:1]) for each in objects_of(level.get("providers"))]
    for role in ("licensor", "producer", None):
        found = [
            text_of(each.get("name"), most=200) for each in written if role in (None, *texts_of(each.get("roles")))
        ]
        names = list(dict.fromkeys(name for name in found if name is not None))[:5]
        if names:
            return ", ".join(names).replace("{", "(").replace("}", ")")
    return None
