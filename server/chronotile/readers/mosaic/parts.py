"""Index, scenes and caches that the readers of a mosaic share, and the lookup of the items of a request."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from time import monotonic
from typing import TypeVar

from chronotile.core.errors import SourceChanged
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.source import ItemsSpec, Mask, SourceSpec, VariableSpec
from chronotile.core.model.space.boxes import WORLD, BBox
from chronotile.core.model.types import InstantArray
from chronotile.core.warp.plan import OVERHEAD_BYTES
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.mosaic.boxes import shared_box_around
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.mosaic.overview_files import OverviewFiles
from chronotile.readers.mosaic.piece_index import NearItems, PieceIndex
from chronotile.readers.mosaic.pieces import Plans
from chronotile.readers.mosaic.scenes import Scenes, select_variable
from chronotile.readers.raster.pool import HandlePool

PLAN_BYTES = 32 << 20
"""Limit for the warp plans of a source."""
REF_BYTES = 400
RECENT_BYTES = 4 << 20
"""Approximate limit for the most recent items."""
STATES_BYTES = 1 << 20
MAX_CHECKED_ITEMS = 8
"""Maximum number of items whose files are checked for each answer. Files of more items are checked once a second."""
MAX_CHECKED_IMMUTABLE = 256
"""Items per time above which local files are checked once a second, instead of for each immutable answer."""
MAX_IMMUTABLE = 64
"""Items of an answer above which it is never immutable, because their files are not compared with the index."""
MAX_ATTEMPTS = 16
"""Maximum number of searches until the index does not change during one."""


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class FarAway:
    """Overview files of mosaics, and the pool that reads them."""

    files: OverviewFiles
    pool: HandlePool


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicParts:
    """Everything that the readers of a mosaic share."""

    spec: SourceSpec
    index: PieceIndex
    scenes: Scenes
    plans: Plans
    """Warp plans of layouts."""
    far: FarAway | None
    """`None` if overviews are not stored."""
    meaning: str
    """Text that differs between mosaics with different overviews."""
    recent: "ByteCache[tuple[ItemRef, ...]]"
    """Items by version of the index, box and instants; a request needs the same items several times."""
    near: "ByteCache[NearItems]"
    """Items around a box, by the keys of `recent`; the next requests often need a box nearby."""
    states: "ByteCache[bytes]"
    """Revisions of many items, by the same keys and the second."""
    made: dict[str, str] = field(default_factory=dict)
    """Digest of the configuration and rule of each variable."""

    @property
    def items(self) -> ItemsSpec:
        """The configuration of the items."""
        return items_of(self.spec)

    def add_formula(self, name: str, expression: Expression) -> "MosaicParts":
        """Return parts for the same items with an additional variable."""
        spec = replace(self.spec, variables={**self.spec.variables, name: VariableSpec(id=name, formula=expression)})
        scenes = self.scenes.replace_spec(spec, expression.text)
        return replace(self, spec=spec, scenes=scenes, meaning=_meaning(spec), made={})

    def add_mask(self, name: str, mask: Mask, variables: Collection[str]) -> "MosaicParts":
        """Return parts for the same items with a masked variable; `variables` are all variables of the source."""
        specs = self.spec.variables or {id_: VariableSpec(id=id_) for id_ in variables}
        spec = replace(self.spec, variables={**specs, name: replace(specs[name], mask=mask)})
        scenes = self.scenes.replace_spec(spec, f"{name} {mask}")
        return replace(self, spec=spec, scenes=scenes, meaning=_meaning(spec), made={})

    def replace_rule(self, rule: MosaicRule) -> "MosaicParts":
        """Return parts for the same items, combined by another rule."""
        spec = replace(self.spec, items=replace(self.items, mosaic=replace(self.items.mosaic, rule=rule)))
        return replace(self, spec=spec, meaning=_meaning(spec), made={})

    def files_of(self, variable: str) -> int:
        """Return the number of files per item that a variable is read from."""
        variables = select_variable(self.spec, variable).variables.values()
        return max(1, sum(x.formula is None for x in variables))

    def refs(self, instants: InstantArray, box: BBox) -> tuple[ItemRef, ...]:
        """Return the items of some times that intersect a box, from an index state that is at most a second old.

        Results with the same counter are of one state of the index: an answer that needs several results compares the
        first counter with the last.

        Raises:
            SourceChanged: The index changes too fast.
            SourceUnavailable: The item index is unreachable.
        """
        collection = self.spec.collection
        around = shared_box_around(box) if len(instants) == 1 else None
        if around is not None:
            find = partial(self.index.find_near, collection, around, instants)
            near = self._find_at_counter(self.near, around, instants, find)
            if near.are_all:
                return near.meeting(box)
        find_all = partial(self.index.covering, collection, box, instants=instants)
        return self._find_at_counter(self.recent, box, instants, find_all)

    def _find_at_counter(
        self, cache: "ByteCache[Found]", box: BBox, instants: InstantArray, find: Callable[[], Found]
    ) -> Found:
        """Result of a query that certainly belongs to one counter of the index; cached by it."""
        collection, result = self.spec.collection, None
        counter = self.index.state(collection).counter
        for _attempt in range(MAX_ATTEMPTS):
            key = counter, box, instants.tobytes()
            cached = cache.get(key)
            if cached is not None:
                return cached
            previous, result = result, find()
            now = self.index.state(collection, is_fresh=True).counter
            # A result that is the same before and after `counter` was read is the result of that counter.
            if now == counter or result == previous:
                return cache.get_or_make(key, partial(_same, result))
            counter = now
        raise SourceChanged(f"items of {collection} change too fast to be read now; try again later")

    def state(self, variable: str, instants: InstantArray, box: BBox) -> bytes | None:
        """Return bytes that change with the items of some times in a box, and with their local files.

        With more than `MAX_CHECKED_ITEMS` items, the result may be a second old, as each file is checked.

        Args:
            variable: Variable to read.
            instants: The times.
            box: CRS84 box.

        Returns:
            `None` if there are no items.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """
        refs, scenes = self.refs(instants, box), self.scenes
        if not refs:
            return None
        if len(refs) <= MAX_CHECKED_ITEMS:
            return scenes.state(refs, variable)
        request = variable, refs[0], refs[-1], box, instants.tobytes()
        key = *request, self.index.state(self.spec.collection), int(monotonic())
        return self.states.get_or_make(key, lambda: scenes.state(refs, variable))

    def revision_of_times(self, variable: str, instants: InstantArray) -> str:
        """Return a text that changes with the items of some times and their local files; values never recur.

        The text belongs to the current counter of the index or to a newer one, which `index.state` returns afterwards.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """
        collection, key = self.spec.collection, instants.tobytes()
        state = self.states.get((self.index.state(collection).counter, key))
        if state is None:
            counter, changes = self.index.changes_of(collection, instants)
            if counter != self.index.state(collection).counter:
                self.index.state(collection, is_fresh=True)
            state = self.states.get_or_make((counter, key), lambda: blake2b(repr(changes).encode()).digest()[:8])
        if not self.scenes.are_here:
            return state.hex()
        refs = self.refs(instants, WORLD)
        is_few = len(refs) <= MAX_CHECKED_IMMUTABLE
        files = self.scenes.state(refs, variable) if is_few else self.state(variable, instants, WORLD)
        return f"{state.hex()} {(files or b'').hex()}"

    def are_counted(self, variable: str, instants: InstantArray, box: BBox) -> bool:
        """Return whether the index has the current local files of the items in a box; then reads its counter again.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """
        if not self.scenes.are_here:
            return True
        refs = self.refs(instants, box)
        if len(refs) > MAX_IMMUTABLE or not self.scenes.are_seen(refs, variable):
            return False
        self.index.state(self.spec.collection, is_fresh=True)
        return True

    def made_of(self, variable: str, rule: MosaicRule) -> str:
        """Return a digest of the configuration and rule of a variable, which may change while the items stay."""
        digest = self.made.get(variable)
        if digest is None:
            settings = rule, select_variable(self.spec, variable).variables
            digest = self.made[variable] = blake2b(repr(settings).encode(), digest_size=8).hexdigest()
        return digest


def parts_of(spec: SourceSpec, index: PieceIndex, scenes: Scenes, far: FarAway | None) -> MosaicParts:
    """Return the parts of a mosaic, with new caches."""
    return MosaicParts(
        spec=spec,
        index=index,
        scenes=scenes,
        plans=ByteCache(PLAN_BYTES, lambda plan: OVERHEAD_BYTES if plan is None else plan.nbytes),
        far=far,
        meaning=_meaning(spec),
        recent=ByteCache(RECENT_BYTES, lambda refs: REF_BYTES * (1 + len(refs))),
        near=ByteCache(RECENT_BYTES, lambda near: near.nbytes),
        states=ByteCache(STATES_BYTES, lambda _state: REF_BYTES),
    )


def _same(result: Found) -> Found:
    return result


def _meaning(spec: SourceSpec) -> str:
    return repr((spec.collection, spec.variables, spec.items))
