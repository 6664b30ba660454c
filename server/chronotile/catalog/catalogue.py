"""The catalogue: all that is served, and the one place where names are looked up."""

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
from chronotile.core.model.crs import CRS84, Crs, HasCrs, epsg_crs_for_maps, is_crs_for_maps_known
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.grid import BBox, box_of_all
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.style import Style
from chronotile.core.model.tiles import TileMatrixSet
from chronotile.core.model.time.instants import DISTANT_PAST

_CRS_CODE = re.compile(
    r"(?:urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?"
    r"(?P<authority>[A-Za-z]{2,10})(?:[:/][0-9.]{0,10})?[:/](?P<code>[A-Za-z0-9]{1,12})"
)
MAX_LISTED = 12
"""Names given in place of an unknown one that resembles none."""

MAX_COMPARED = 500
"""Names that an unknown one is compared with: those that begin most like it."""

_OTHER_CODES = {
    **dict.fromkeys(("CRS:84", "CRS:CRS84", "OGC:84"), "OGC:CRS84"),
    **dict.fromkeys(("EPSG:900913", "EPSG:102100", "ESRI:102100", "EPSG:102113"), "EPSG:3857"),
}
"""Codes that clients write for others; those of Web Mercator are older than its own."""
_EPSG_CODE = re.compile(r"EPSG:(\d{4,5})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything that is served, as one value; a new configuration makes a new one."""

    service: ServiceInfo
    collections: tuple[Collection, ...]
    styles: Mapping[str, Style]
    """All styles by id, also as named ramps."""
    crs: tuple[Crs, ...]
    tile_matrix_sets: tuple[TileMatrixSet, ...]
    limits: Limits = field(default_factory=Limits)
    places: Mapping[str, PlaceSet] = field(default_factory=dict)
    """Sets of places by id."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Names that are configured for collections whose source was never open, since it is away: the collection."""
    unopened: Mapping[str, Collection] = field(default_factory=dict)
    """Those collections as they are configured, by id: without layers, and with an extent that is not known."""
    access: AccessRules | None = None
    """`None`: everyone may see everything."""
    rules_of_places: Mapping[str, Rule] = field(default_factory=dict)
    rules_of_unavailable: Mapping[str, Rule] = field(default_factory=dict)
    """By the names of `unavailable`."""
    rules_of_styles: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    """Rules of the configured variables that use a style, by its id."""
    shipped_styles: Mapping[str, Style] = field(default_factory=dict)
    """Styles that come with chronotile, by id; a style of the same id in `styles` replaces one."""
    clear: Mapping[str, Layer] = field(default_factory=dict)
    """By id of a layer: the same without pixels that are not clear, which answers under an id that is not listed."""
    partly_unavailable: frozenset[str] = frozenset()
    """Collections of `unavailable` of which some names are hidden."""

    def restrict(self, subjects: frozenset[str], right: Right) -> "Catalogue":
        """Return what a user has a right to: to them there is nothing else; itself where that is all."""
        collections = tuple(filter(None, (_restrict_collection(each, subjects, right) for each in self.collections)))
        names = {name for name, rule in self.rules_of_unavailable.items() if rule.allows(subjects, right)}
        places = {name for name in self.places if self.rules_of_places[name].allows(subjects, right)}
        of_styles = all(any(rule.allows(subjects, right) for rule in each) for each in self.rules_of_styles.values())
        is_whole = collections == self.collections and names == self.unavailable.keys() and places == self.places.keys()
        if is_whole and of_styles:
            return self
        variables = {each.id: each.variables for each in collections}
        shown = {layer.id for each in collections for layer in each.layers}
        clear = {
            name: each
            for name, each in self.clear.items()
            if name in shown and each.mask is not None and each.mask.variable in variables[each.collection]
        }
        partly_unavailable = frozenset(each for name, each in self.unavailable.items() if name not in names)
        viewer, seen = self.service.viewer, replace(self, collections=collections)
        if viewer.default_layer not in seen._layers_by_name:  # noqa: SLF001 -- its own class
            viewer = viewer.model_copy(update={"default_layer": None})
        return replace(
            seen,
            service=replace(self.service, viewer=viewer),
            styles=self._granted_styles(seen, subjects, right),
            places={name: each for name, each in self.places.items() if name in places},
            unavailable={name: each for name, each in self.unavailable.items() if name in names},
            partly_unavailable=partly_unavailable,
            clear=clear,
            unopened={
                name: each
                for name, each in self.unopened.items()
                if name not in partly_unavailable and each.access.allows(subjects, right)
            },
        )

    def _granted_styles(self, seen: "Catalogue", subjects: frozenset[str], right: Right) -> dict[str, Style]:
        """Return the styles without those that only hidden layers use, among them layers whose source is away."""
        shown, used = seen._used_styles(), self._used_styles()  # noqa: SLF001 -- its own class
        for name, rules in self.rules_of_styles.items():
            (shown if any(rule.allows(subjects, right) for rule in rules) else used).add(name)
        hidden, shipped = used - shown, self.shipped_styles
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
        """All layers, and those without pixels that are not clear, which are not listed."""
        return itertools.chain(self.layers, self.clear.values())

    @cached_property
    def _layers_by_name(self) -> dict[str, Layer]:
        named = {layer.id: layer for layer in self.layers}
        named |= {alias.name: layer for layer in self.layers for alias in layer.aliases}
        return named | {layer.id: layer for layer in self.clear.values()}

    @cached_property
    def collections_by_id(self) -> Mapping[str, Collection]:
        """The collections, each by its id."""
        return {collection.id: collection for collection in self.collections}

    @cached_property
    def whole_collections(self) -> frozenset[str]:
        """Those of which no layer is hidden from the client: they alone have items, which name all variables."""
        return frozenset(each.id for each in self.collections if not each.is_partial)

    @cached_property
    def named_subjects(self) -> frozenset[str]:
        """All that rules name: of other subjects it does not matter whether a user is one."""
        collections = (*self.collections, *self.unopened.values())
        rules = [rule for each in collections for rule in (each.access, *(layer.access for layer in each.layers))]
        rules += [*self.rules_of_places.values(), *self.rules_of_unavailable.values()]
        rules += itertools.chain.from_iterable(self.rules_of_styles.values())
        return frozenset[str]().union(*(rule.subjects for rule in rules))

    @cached_property
    def wholly_unavailable(self) -> frozenset[str]:
        """Those whose source is away and of which no name is hidden from the client."""
        return frozenset(self.unavailable.values()) - self.partly_unavailable

    def has_name(self, name: str) -> bool:
        """Return whether a layer or a collection has that name."""
        return name in self._layers_by_name or name in self.unavailable or name in self.collections_by_id

    def canonical_name(self, name: str) -> str:
        """Return the id of the layer of that id or alias, or the name of a collection or of places; else nothing."""
        layer = self._layers_by_name.get(name)
        if layer is not None:
            return layer.id
        return name if name in self.collections_by_id or name in self.places or name in self.unavailable else ""

    @cached_property
    def offered_layers(self) -> tuple[tuple[str, Layer], ...]:
        """Every name that documents list, with its layer: each layer's id, then its advertised aliases."""
        return tuple(
            (name, layer)
            for layer in self.layers
            for name in (layer.id, *(alias.name for alias in layer.aliases if alias.advertise))
        )

    def layer(self, name: str) -> Layer:
        """Return the layer of that id or alias.

        Raises:
            UnknownLayer: There is none; the message names the nearest.
            SourceUnavailable: There may be one when its source is back.
        """
        layer = self._layers_by_name.get(name)
        if layer is None:
            self.require_available(name)
            raise errors.UnknownLayer(
                f"layer {name[:80]!r} is not known{_accepted_names(name, self._layers_by_name)}", locator="layer"
            )
        return layer

    def collections_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the ids of the collections of the layers that have these ids or aliases; other names are ignored."""
        found = (self._layers_by_name.get(name) for name in names)
        return frozenset(layer.collection for layer in found if layer is not None)

    def collection(self, collection_id: str) -> Collection:
        """Return the collection of that id.

        Raises:
            UnknownLayer: There is none.
            SourceUnavailable: Its source is away.
        """
        collection = self.collections_by_id.get(collection_id)
        if collection is None:
            self.require_available(collection_id)
            known = _accepted_names(collection_id, self.collections_by_id)
            raise errors.UnknownLayer(f"collection {collection_id[:80]!r} is not known{known}", locator="collection")
        return collection

    def require_available(self, name: str) -> None:
        """Raise an error if a missing name may be served later.

        Raises:
            SourceAway: The name is that of a collection whose source is unavailable, or of a layer of it.
        """
        owner = self.unavailable.get(name)
        if owner is None:  # the layers of a collection without variables are not known: `collection.variable`
            owner = next((each for each in set(self.unavailable.values()) if name.startswith(f"{each}.")), None)
        if owner is not None:
            raise errors.SourceAway(f"the source of collection {owner} cannot be read now; try again later")

    def place_set(self, name: str) -> PlaceSet:
        """Return the set of places of that id.

        Raises:
            UnknownPlace: There is none.
        """
        found = self.places.get(name)
        if found is None:
            hint = _accepted_names(name, self.places) if self.places else "; the configuration has none"
            raise errors.UnknownPlace(f"set of places {name[:80]!r} is not known{hint}", locator="place")
        return found

    def place(self, name: str) -> Area:
        """Return the place that `set/id` names.

        Raises:
            UnknownPlace: There is no such set, or no such place in it; the message names the nearest.
        """
        set_id, _slash, place_id = name.partition("/")
        found = self.place_set(set_id)
        number = found.numbers.get(place_id)
        if number is None:
            hint = _accepted_names(place_id, found.numbers)
            raise errors.UnknownPlace(f"place {place_id[:80]!r} is not known in {set_id}{hint}", locator="place")
        return found.areas_of([number])[0]

    def ramp(self, name: str) -> Style:
        """Return the style whose colours a request wants stretched over another range.

        Raises:
            UnknownStyle: There is not one of that name, or it has classes instead of a ramp.
        """
        style = self.styles.get(name)
        if style is None or style.is_categorical:
            ramps = [style.id for style in self.ramps]
            raise errors.UnknownStyle(f"ramp {name[:80]!r} is not known{_accepted_names(name, ramps)}", locator="ramp")
        return style

    @property
    def ramps(self) -> tuple[Style, ...]:
        """The styles that `ramp` gives."""
        return tuple(style for style in self.styles.values() if not style.is_categorical)

    def tile_matrix_set(self, name: str) -> TileMatrixSet:
        """Return the tile matrix set of that id, or else alias.

        Raises:
            UnknownTileMatrixSet: It is not offered.
        """
        by_id = [each for each in self.tile_matrix_sets if each.id == name]
        by_alias = [each for each in self.tile_matrix_sets if name in each.aliases]
        if by_id or by_alias:
            return (by_id or by_alias)[0]
        offered = ", ".join(tile_matrix_set.id for tile_matrix_set in self.tile_matrix_sets)
        raise errors.UnknownTileMatrixSet(
            f"tile matrix set {name[:80]!r} is not offered; accepted are {offered}", locator="tile_matrix_set"
        )

    def offered_crs(self, name: str, owner: HasCrs | None = None) -> Crs:
        """Return the CRS of that code (`EPSG:3857`, `CRS:84`, or OGC's URN or URI of it) if maps are offered in it.

        The text never reaches PROJ, which would look a quarter of a second for a name it does not know.

        Args:
            name: The code, or the name of a CRS of the owner.
            owner: Whose own CRS, of a layer also those of its scenes, are accepted too.

        Raises:
            UnsupportedCrs: It is unknown or not offered.
        """
        code, own = _normalise_code(name), () if owner is None else owner.own_crs
        same = (each for each in own if each.name == code or each.name.upper() == name.upper())
        crs = self._crs_of_code(code) or next(same, None)
        if crs is None:
            offered = ", ".join(crs.name for crs in self.crs)
            further = [each.name[: errors.MAX_SHOWN] for each in own if each not in self.crs]
            more = " and others" if len(further) > MAX_LISTED else ""
            owned = "this layer" if isinstance(owner, Layer) else "these places"
            of_owner = f", and {', '.join(further[:MAX_LISTED])}{more} of {owned}" if further else ""
            raise errors.UnsupportedCrs(
                f"CRS {name[:80]!r} is not offered; accepted are {offered}{of_owner}", locator="crs"
            )
        return crs

    def is_crs_for_map_known(self, name: str) -> bool:
        """Return whether `crs_for_map` answers without PROJ: the code is offered, or was looked up before."""
        code = _normalise_code(name)
        found = _EPSG_CODE.fullmatch(code)
        return found is None or self._crs_of_code(code) is not None or is_crs_for_maps_known(int(found[1]))

    def crs_for_map(self, name: str) -> Crs:
        """Return the CRS of that code if a map can be drawn in it: one that is offered, CRS84 or any other of EPSG.

        One that is not known yet (`is_crs_for_map_known`) is looked up by PROJ: call it in a thread.

        Raises:
            UnsupportedCrs: It is unknown, or its axes do not point east and north.
        """
        code = _normalise_code(name)
        crs = self._crs_of_code(code) or (CRS84 if code == CRS84.name else None)
        found = _EPSG_CODE.fullmatch(code)
        if crs is None and found is not None:
            crs = epsg_crs_for_maps(int(found[1]))
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
    """Return the box in CRS84 around layers, of which there is at least one.

    Raises:
        InvalidParameter, UnsupportedCrs: A grid has no longitudes and latitudes.
    """
    return box_of_all([layer.main_variable.grid.bbox_in(CRS84) for layer in layers])


def _restrict_collection(collection: Collection, subjects: frozenset[str], right: Right) -> Collection | None:
    """The collection with the layers that a user has a right to, described as if there were no others."""
    layers = tuple(layer for layer in collection.layers if layer.access.allows(subjects, right))
    if len(layers) == len(collection.layers):
        return collection
    if not layers:
        return None
    hidden = {each.main_variable.name for each in collection.layers if each not in layers and not each.is_composite}
    # A composite of hidden variables is granted as a picture: it has no values of theirs.
    layers = tuple(
        replace(each, queryable=False) if hidden.intersection(of.name for of in each.variables) else each
        for each in layers
    )
    newest = max(layers, key=lambda layer: layer.times.starts[-1] if len(layer.times) else DISTANT_PAST)
    return replace(collection, layers=layers, bbox=extent_of(layers), attribution=newest.attribution, is_partial=True)


def _normalise_code(name: str) -> str:
    """The name that a CRS of that code goes by here; nothing where it is no code."""
    found = _CRS_CODE.fullmatch(name)
    code = f"{found['authority']}:{found['code']}".upper() if found else ""
    return _OTHER_CODES.get(code, code)


def _accepted_names(name: str, known: Names[str]) -> str:
    """What is accepted in place of an unknown name: the nearest, whatever its case, or the first few."""
    name = name[:80].lower()
    compared = heapq.nlargest(MAX_COMPARED, known, key=lambda each: _common_prefix_length(name, each.lower()))
    spelled = {each.lower(): each for each in compared}
    close = [spelled[each] for each in difflib.get_close_matches(name, spelled, n=3, cutoff=0.5)]
    if close:
        return f"; the nearest {'is' if len(close) == 1 else 'are'} {', '.join(close)}"
    first = ", ".join(itertools.islice(known, MAX_LISTED))
    return f"; accepted are {first}{' and others' if len(known) > MAX_LISTED else ''}"


def _common_prefix_length(first: str, second: str) -> int:
    # How many letters two names begin with alike.
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
