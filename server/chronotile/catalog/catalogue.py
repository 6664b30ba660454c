"""The catalogue: everything that the server offers, and all lookups of names."""

import difflib
import heapq
import itertools
import re
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core import errors
from chronotile.core.model.access import AccessRules, Right, Rule
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.boxes import BBox, box_of_all
from chronotile.core.model.space.crs import CRS84, Crs, HasCrs, epsg_crs_for_maps, is_crs_for_maps_known
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.model.style import Style
from chronotile.core.model.time.instants import DISTANT_PAST

_CRS_CODE = re.compile(
    r"(?:urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?"
    r"(?P<authority>[A-Za-z]{2,10})(?:[:/][0-9.]{0,10})?[:/](?P<code>[A-Za-z0-9]{1,12})"
)
MAX_LISTED = 12
"""Accepted names that an error lists if the unknown name resembles none of them."""

MAX_COMPARED = 500
"""Names that an unknown name is compared with: the ones with the longest common prefix."""

_OTHER_CODES = {
    **dict.fromkeys(("CRS:84", "CRS:CRS84", "OGC:84"), "OGC:CRS84"),
    **dict.fromkeys(("EPSG:900913", "EPSG:102100", "ESRI:102100", "EPSG:102113"), "EPSG:3857"),
}
"""Synonyms of CRS codes that clients use; the ones of Web Mercator are older than EPSG:3857."""
_EPSG_CODE = re.compile(r"EPSG:(\d{4,5})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The collections, layers, styles and places of an archive; a new configuration makes a new catalogue."""

    service: ServiceInfo
    collections: tuple[Collection, ...]
    styles: Mapping[str, Style]
    """Styles by id."""
    crs: tuple[Crs, ...]
    tile_matrix_sets: tuple[TileMatrixSet, ...]
    limits: Limits = field(default_factory=Limits)
    places: Mapping[str, PlaceSet] = field(default_factory=dict)
    """Place sets by id."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Configured names (collections, layers, aliases) whose source could not be opened yet, with their collection."""
    unopened: Mapping[str, Collection] = field(default_factory=dict)
    """Collections of `unavailable` by id, as configured: without layers, with the whole earth as extent."""
    access: AccessRules | None = None
    """`None`: everything is public."""
    rules_of_places: Mapping[str, Rule] = field(default_factory=dict)
    rules_of_unavailable: Mapping[str, Rule] = field(default_factory=dict)
    """Rules by name in `unavailable`."""
    rules_of_configured: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    """Rules of each configured collection and of its layers, even if these did not open, by id of the collection."""
    rules_of_styles: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    """Rules of the configured variables that use a style, by id of the style."""
    shipped_styles: Mapping[str, Style] = field(default_factory=dict)
    """Styles that come with chronotile, by id; `styles` may override them."""
    clear: Mapping[str, Layer] = field(default_factory=dict)
    """Layers that show only clear pixels, by id of the full layer; their own ids are not listed in documents."""
    partly_unavailable: frozenset[str] = frozenset()
    """Ids of collections in `unavailable` with a layer or alias that access rules hide from the client."""

    def restrict(self, subjects: frozenset[str], right: Right) -> "Catalogue":
        """Return the catalogue as the subjects may see it; the same object if nothing is hidden from them."""
        collections = tuple(
            filter(None, (_restrict_collection(collection, subjects, right) for collection in self.collections))
        )
        names = {name for name, rule in self.rules_of_unavailable.items() if rule.allows(subjects, right)}
        places = {name for name in self.places if self.rules_of_places[name].allows(subjects, right)}
        configured = {
            name: rules
            for name, rules in self.rules_of_configured.items()
            if all(rule.allows(subjects, right) for rule in rules)
        }
        of_styles = all(any(rule.allows(subjects, right) for rule in rules) for rules in self.rules_of_styles.values())
        is_whole = collections == self.collections and names == self.unavailable.keys() and places == self.places.keys()
        if is_whole and of_styles and configured.keys() == self.rules_of_configured.keys():
            return self
        variables = {collection.id: collection.variables for collection in collections}
        visible_layers = {layer.id for collection in collections for layer in collection.layers}
        clear = {
            name: layer
            for name, layer in self.clear.items()
            if name in visible_layers and layer.mask is not None and layer.mask.variable in variables[layer.collection]
        }
        partly_unavailable = frozenset(
            collection_id for name, collection_id in self.unavailable.items() if name not in names
        )
        viewer, visible = self.service.viewer, replace(self, collections=collections)
        if viewer.default_layer not in visible._layers_by_name:  # noqa: SLF001 -- its own class
            viewer = viewer.model_copy(update={"default_layer": None})
        return replace(
            visible,
            service=replace(self.service, viewer=viewer),
            styles=self._granted_styles(visible, subjects, right),
            places={name: place_set for name, place_set in self.places.items() if name in places},
            unavailable={name: collection_id for name, collection_id in self.unavailable.items() if name in names},
            partly_unavailable=partly_unavailable,
            rules_of_configured=configured,
            clear=clear,
            unopened={
                name: collection
                for name, collection in self.unopened.items()
                if name not in partly_unavailable and collection.access.allows(subjects, right)
            },
        )

    def _granted_styles(self, visible: "Catalogue", subjects: frozenset[str], right: Right) -> dict[str, Style]:
        """Return the styles without those that only hidden layers use, including layers whose source is unavailable."""
        visible_styles, hidden_or_used = visible._used_styles(), self._used_styles()  # noqa: SLF001 -- its own class
        for name, rules in self.rules_of_styles.items():
            (visible_styles if any(rule.allows(subjects, right) for rule in rules) else hidden_or_used).add(name)
        hidden, shipped = hidden_or_used - visible_styles, self.shipped_styles
        return {
            name: shipped[name] if name in hidden else style
            for name, style in self.styles.items()
            if name not in hidden or name in shipped
        }

    def _used_styles(self) -> set[str]:
        return {style.id for layer in self.layers for style in layer.styles}

    @property
    def layers(self) -> Iterator[Layer]:
        """All layers, collection by collection."""
        return (layer for collection in self.collections for layer in collection.layers)

    @property
    def answering_layers(self) -> Iterator[Layer]:
        """All layers that clients may request, including the unlisted layers of `clear`."""
        return itertools.chain(self.layers, self.clear.values())

    @cached_property
    def _layers_by_name(self) -> dict[str, Layer]:
        layers = {layer.id: layer for layer in self.layers}
        layers |= {alias.name: layer for layer in self.layers for alias in layer.aliases}
        return layers | {layer.id: layer for layer in self.clear.values()}

    @cached_property
    def collections_by_id(self) -> Mapping[str, Collection]:
        """The collections by id."""
        return {collection.id: collection for collection in self.collections}

    @cached_property
    def whole_collections(self) -> frozenset[str]:
        """Collections without hidden layers. Only they offer items, because items list all variables."""
        return frozenset(collection.id for collection in self.collections if not collection.is_partial)

    @cached_property
    def named_subjects(self) -> frozenset[str]:
        """All subjects that appear in rules; other subjects of a user do not change the catalogue."""
        collections = (*self.collections, *self.unopened.values())
        rules = [rule for c in collections for rule in (c.access, *(layer.access for layer in c.layers))]
        rules += [*self.rules_of_places.values(), *self.rules_of_unavailable.values()]
        rules += itertools.chain(*self.rules_of_configured.values(), *self.rules_of_styles.values())
        return frozenset[str]().union(*(rule.subjects for rule in rules))

    @cached_property
    def wholly_unavailable(self) -> frozenset[str]:
        """Ids of collections in `unavailable` without a layer or alias that is hidden from the client."""
        return frozenset(self.unavailable.values()) - self.partly_unavailable

    def has_name(self, name: str) -> bool:
        """Return whether a layer or collection has that name, even if its source is unavailable."""
        return name in self._layers_by_name or name in self.unavailable or name in self.collections_by_id

    def canonical_name(self, name: str) -> str:
        """Return the id of the layer with that id or alias, or the name if it is a collection or place set, else ""."""
        layer = self._layers_by_name.get(name)
        if layer is not None:
            return layer.id
        return name if name in self.collections_by_id or name in self.places or name in self.unavailable else ""

    @cached_property
    def offered_layers(self) -> tuple[tuple[str, Layer], ...]:
        """Names that documents list, with their layers: the id of each layer, then its advertised aliases."""
        return tuple(
            (name, layer)
            for layer in self.layers
            for name in (layer.id, *(alias.name for alias in layer.aliases if alias.advertise))
        )

    def layer(self, name: str) -> Layer:
        """Return the layer with that id or alias.

        Raises:
            UnknownLayer: No layer has the name; the message lists similar names.
            SourceUnavailable: It may exist, but the source of its collection is unavailable.
        """
        layer = self._layers_by_name.get(name)
        if layer is None:
            self.require_available(name)
            raise errors.UnknownLayer(
                f"layer {name[:80]!r} is not known{_accepted_names(name, self._layers_by_name)}", locator="layer"
            )
        return layer

    def collections_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the collections of the layers with these ids or aliases; other names are ignored."""
        layers = (self._layers_by_name.get(name) for name in names)
        return frozenset(layer.collection for layer in layers if layer is not None)

    def collection(self, collection_id: str) -> Collection:
        """Return the collection with that id.

        Raises:
            UnknownLayer: No collection has the id.
            SourceUnavailable: Its source is unavailable.
        """
        collection = self.collections_by_id.get(collection_id)
        if collection is None:
            self.require_available(collection_id)
            hint = _accepted_names(collection_id, self.collections_by_id)
            raise errors.UnknownLayer(f"collection {collection_id[:80]!r} is not known{hint}", locator="collection")
        return collection

    def require_available(self, name: str) -> None:
        """Raise an error if a missing name may be served later.

        Raises:
            CollectionUnopened: The name is that of a collection whose source is unavailable, or of a layer of it.
        """
        owner = self.unavailable.get(name)
        if owner is None:  # the layers of a collection without variables are not known: `collection.variable`
            owner = next((c for c in set(self.unavailable.values()) if name.startswith(f"{c}.")), None)
        if owner is not None:
            message = f"the source of collection {owner} cannot be read now; try again later"
            raise errors.CollectionUnopened(message, collection=owner)

    def place_set(self, name: str) -> PlaceSet:
        """Return the place set with that id.

        Raises:
            UnknownPlace: No place set has the id.
        """
        place_set = self.places.get(name)
        if place_set is None:
            hint = _accepted_names(name, self.places) if self.places else "; the configuration has none"
            raise errors.UnknownPlace(f"set of places {name[:80]!r} is not known{hint}", locator="place")
        return place_set

    def place(self, name: str) -> Area:
        """Return the polygon of the place `set/id`.

        Raises:
            UnknownPlace: The set or the place in it is unknown; the message lists similar names.
        """
        set_id, _slash, place_id = name.partition("/")
        place_set = self.place_set(set_id)
        number = place_set.numbers.get(place_id)
        if number is None:
            hint = _accepted_names(place_id, place_set.numbers)
            raise errors.UnknownPlace(f"place {place_id[:80]!r} is not known in {set_id}{hint}", locator="place")
        return place_set.areas_of([number])[0]

    def ramp(self, name: str) -> Style:
        """Return the style with that id, to be stretched over the range of a request.

        Raises:
            UnknownStyle: No style has the id, or it has classes instead of a ramp.
        """
        style = self.styles.get(name)
        if style is None or style.is_categorical:
            ramps = [style.id for style in self.ramps]
            raise errors.UnknownStyle(f"ramp {name[:80]!r} is not known{_accepted_names(name, ramps)}", locator="ramp")
        return style

    @property
    def ramps(self) -> tuple[Style, ...]:
        """The styles that `ramp` accepts."""
        return tuple(style for style in self.styles.values() if not style.is_categorical)

    def tile_matrix_set(self, name: str) -> TileMatrixSet:
        """Return the tile matrix set with that id or, if there is none, that alias.

        Raises:
            UnknownTileMatrixSet: It is not offered.
        """
        by_id = [s for s in self.tile_matrix_sets if s.id == name]
        by_alias = [s for s in self.tile_matrix_sets if name in s.aliases]
        if by_id or by_alias:
            return (by_id or by_alias)[0]
        offered = ", ".join(tile_matrix_set.id for tile_matrix_set in self.tile_matrix_sets)
        raise errors.UnknownTileMatrixSet(
            f"tile matrix set {name[:80]!r} is not offered; accepted are {offered}", locator="tile_matrix_set"
        )

    def offered_crs(self, name: str, owner: HasCrs | None = None) -> Crs:
        """Return the CRS with that code (`EPSG:3857`, `CRS:84`, or its OGC URN or URI) if maps are offered in it.

        The text never reaches PROJ, which searches a quarter of a second for an unknown name.

        Args:
            name: The code, or the name of a CRS of the owner.
            owner: Layer or place set; the CRSs of its data (including items) are accepted too.

        Raises:
            UnsupportedCrs: It is unknown or not offered.
        """
        code, owner_crs = _normalise_code(name), () if owner is None else owner.all_native_crs
        same = (c for c in owner_crs if c.name == code or c.name.upper() == name.upper())
        crs = self._crs_of_code(code) or next(same, None)
        if crs is None:
            offered = ", ".join(crs.name for crs in self.crs)
            further = [c.name[: errors.MAX_SHOWN] for c in owner_crs if c not in self.crs]
            more = " and others" if len(further) > MAX_LISTED else ""
            owned = "this layer" if isinstance(owner, Layer) else "these places"
            of_owner = f", and {', '.join(further[:MAX_LISTED])}{more} of {owned}" if further else ""
            raise errors.UnsupportedCrs(
                f"CRS {name[:80]!r} is not offered; accepted are {offered}{of_owner}", locator="crs"
            )
        return crs

    def is_crs_for_map_known(self, name: str) -> bool:
        """Return whether `crs_for_map` needs no call of PROJ: the code is offered, or was looked up before."""
        code = _normalise_code(name)
        match = _EPSG_CODE.fullmatch(code)
        return match is None or self._crs_of_code(code) is not None or is_crs_for_maps_known(int(match[1]))

    def crs_for_map(self, name: str) -> Crs:
        """Return the CRS with that code if maps can be drawn in it: an offered CRS, CRS84 or any EPSG code.

        Call this in a thread unless `is_crs_for_map_known`: PROJ looks up other codes.

        Raises:
            UnsupportedCrs: It is unknown, or its axes do not point east and north.
        """
        code = _normalise_code(name)
        crs = self._crs_of_code(code) or (CRS84 if code == CRS84.name else None)
        match = _EPSG_CODE.fullmatch(code)
        if crs is None and match is not None:
            crs = epsg_crs_for_maps(int(match[1]))
        if crs is None:
            offered = ", ".join(crs.name for crs in self.crs)
            problem = f"CRS {name[:80]!r} is not known, or maps cannot be drawn in it"
            raise errors.UnsupportedCrs(
                f"{problem}; use {offered}, or any other code of EPSG with two axes", locator="crs"
            )
        return crs

    def _crs_of_code(self, code: str) -> Crs | None:
        return next((crs for crs in self.crs if crs.name == code), None)


def extent_of(layers: Iterable[Layer]) -> BBox:
    """Return the bbox in CRS84 around at least one layer.

    Raises:
        InvalidParameter, UnsupportedCrs: A grid has no longitudes and latitudes.
    """
    return box_of_all([layer.main_variable.grid.bbox_in(CRS84) for layer in layers])


def _restrict_collection(collection: Collection, subjects: frozenset[str], right: Right) -> Collection | None:
    """Return the collection with the visible layers only, described accordingly; `None` if all are hidden."""
    layers = tuple(layer for layer in collection.layers if layer.access.allows(subjects, right))
    if len(layers) == len(collection.layers):
        return collection
    if not layers:
        return None
    hidden = {f.main_variable.name for f in collection.layers if f not in layers and not f.is_composite}
    # A composite of hidden variables is offered as a picture, but its values cannot be queried.
    layers = tuple(
        replace(f, queryable=False) if hidden.intersection(of.name for of in f.variables) else f for f in layers
    )
    newest = max(layers, key=lambda layer: layer.times.starts[-1] if len(layer.times) else DISTANT_PAST)
    return replace(collection, layers=layers, bbox=extent_of(layers), attribution=newest.attribution, is_partial=True)


def _normalise_code(name: str) -> str:
    """Return `AUTHORITY:CODE` with synonyms replaced; empty if the name is not a code."""
    match = _CRS_CODE.fullmatch(name)
    code = f"{match['authority']}:{match['code']}".upper() if match else ""
    return _OTHER_CODES.get(code, code)


def _accepted_names(name: str, names: Names[str]) -> str:
    """Return the end of a message: the most similar accepted names, ignoring case, or else the first ones.

    A client without a right to any name gets a message that does not reveal whether the name exists.
    """
    if not names:
        return ", or you may not use it in this request"
    name = name[:80].lower()
    compared = heapq.nlargest(MAX_COMPARED, names, key=lambda accepted: _common_prefix_length(name, accepted.lower()))
    spelled = {accepted.lower(): accepted for accepted in compared}
    close = [spelled[accepted] for accepted in difflib.get_close_matches(name, spelled, n=3, cutoff=0.5)]
    if close:
        return f"; the nearest {'is' if len(close) == 1 else 'are'} {', '.join(close)}"
    first = ", ".join(itertools.islice(names, MAX_LISTED))
    return f"; accepted are {first}{' and others' if len(names) > MAX_LISTED else ''}"


def _common_prefix_length(first: str, second: str) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
