"""What a mosaic is read with, and which items of its index a request finds."""

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
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import InstantArray
from chronotile.core.warp.plan import OVERHEAD_BYTES
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.mosaic.boxes import shared_box_around
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.mosaic.overview_files import OverviewFiles
from chronotile.readers.mosaic.piece_index import NearItems, PieceIndex
from chronotile.readers.mosaic.pieces import Plans
from chronotile.readers.mosaic.scenes import Scenes, with_only
from chronotile.readers.raster.pool import HandlePool

PLAN_BYTES = 32 << 20
"""Of the warp plans of a source."""
REF_BYTES = 400
RECENT_BYTES = 4 << 20
"""Of items that were found last, about."""
STATES_BYTES = 1 << 20
MOST_LOOKED_AT = 8
"""Items whose files are looked at for each answer; of more, once a second."""
MOST_NAMED = 256
"""Items of a time whose files here are looked at for each answer that may be kept for ever; of more, once a second."""
MOST_COUNTED = 64
"""Items of an answer of which it is looked up whether the index has seen their files here; of more, it has not."""
WHOLE = BBox(-180.0, -90.0, 180.0, 90.0)
MOST_ATTEMPTS = 16
"""To find items while none is added, replaced or removed."""


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class FarAway:
    """Where overviews of mosaics are, and what reads their files."""

    files: OverviewFiles
    pool: HandlePool


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicParts:
    """What a mosaic is read with."""

    spec: SourceSpec
    index: PieceIndex
    scenes: Scenes
    plans: Plans
    """How layouts are warped."""
    far: FarAway | None
    """`None`: there are no overviews."""
    meaning: str
    """In what two mosaics differ, of which overviews are stored."""
    recent: "ByteCache[tuple[ItemRef, ...]]"
    """Items by the counter of the index, box and instants: a request looks for the same ones several times."""
    near: "ByteCache[NearItems]"
    """Those about boxes, by the same: another request often looks for a box nearby."""
    states: "ByteCache[bytes]"
    """Of many items, by the same and the second."""
    made: dict[str, str] = field(default_factory=dict)
    """By variable: what it is made of, and by which rule, in short."""

    @property
    def items(self) -> ItemsSpec:
        """How the items are configured."""
        return items_of(self.spec)

    def add_formula(self, name: str, expression: Expression) -> "MosaicParts":
        """Return those of the same items with a further variable."""
        spec = replace(self.spec, variables={**self.spec.variables, name: VariableSpec(id=name, formula=expression)})
        scenes = self.scenes.with_spec(spec, expression.text)
        return replace(self, spec=spec, scenes=scenes, meaning=_meaning(spec), made={})

    def add_mask(self, name: str, mask: Mask, others: Collection[str]) -> "MosaicParts":
        """Return those of the same items, of which each masks a variable; `others` are all variables."""
        known = self.spec.variables or {each: VariableSpec(id=each) for each in others}
        spec = replace(self.spec, variables={**known, name: replace(known[name], mask=mask)})
        scenes = self.scenes.with_spec(spec, f"{name} {mask}")
        return replace(self, spec=spec, scenes=scenes, meaning=_meaning(spec), made={})

    def replace_rule(self, rule: MosaicRule) -> "MosaicParts":
        """Return those of the same items, combined by another rule."""
        spec = replace(self.spec, items=replace(self.items, mosaic=replace(self.items.mosaic, rule=rule)))
        return replace(self, spec=spec, meaning=_meaning(spec), made={})

    def files_of(self, variable: str) -> int:
        """Return how many files of an item a variable is made of."""
        made = with_only(self.spec, variable).variables.values()
        return max(1, sum(each.formula is None for each in made))

    def refs(self, instants: InstantArray, box: BBox) -> tuple[ItemRef, ...]:
        """Return the items of some times that a box touches: as they were a second ago at most, by the counter.

        Boxes of one counter are of one state of the index: an answer that takes several compares the first with the
        last.

        Raises:
            SourceChanged: Items change faster than they are found.
            SourceUnavailable: The index does not answer.
        """
        collection = self.spec.collection
        around = shared_box_around(box) if len(instants) == 1 else None
        if around is not None:
            find = partial(self.index.near, collection, around, instants)
            near = self._at_a_counter(self.near, around, instants, find)
            if near.are_all:
                return near.meeting(box)
        find_all = partial(self.index.covering, collection, box, instants=instants)
        return self._at_a_counter(self.recent, box, instants, find_all)

    def _at_a_counter(
        self, known: "ByteCache[Found]", box: BBox, instants: InstantArray, find: Callable[[], Found]
    ) -> Found:
        """What is found in the index at one of its counters."""
        collection, found = self.spec.collection, None
        counter = self.index.state(collection).counter
        for _attempt in range(MOST_ATTEMPTS):
            key = counter, box, instants.tobytes()
            cached = known.get(key)
            if cached is not None:
                return cached
            before, found = found, find()
            now = self.index.state(collection, is_fresh=True).counter
            if now == counter or found == before:  # as before the counter was looked up, so at that counter
                return known.get_or_make(key, partial(_same, found))
            counter = now
        raise SourceChanged(f"items of {collection} change too fast to be read now; try again later")

    def state(self, variable: str, instants: InstantArray, box: BBox) -> bytes | None:
        """Return what changes when an item of some times that a box touches does, or one of its files here.

        Of more than a few items, as it was a second ago at most: the files of each are looked at.

        Args:
            variable: That is read.
            instants: The times.
            box: In degrees.

        Returns:
            `None` if there are no items.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        refs, scenes = self.refs(instants, box), self.scenes
        if not refs:
            return None
        if len(refs) <= MOST_LOOKED_AT:
            return scenes.state(refs, variable)
        found_by = variable, refs[0], refs[-1], box, instants.tobytes()
        key = *found_by, self.index.state(self.spec.collection), int(monotonic())
        return self.states.get_or_make(key, lambda: scenes.state(refs, variable))

    def dated(self, variable: str, instants: InstantArray) -> str:
        """Return what changes when any item of some times does, or one of its files here, and never comes again.

        It is that of the counter of the index as it is looked up, or of a later one, which is known from then on.

        Raises:
            SourceUnavailable: The index does not answer.
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
        refs = self.refs(instants, WHOLE)
        is_few = len(refs) <= MOST_NAMED
        files = self.scenes.state(refs, variable) if is_few else self.state(variable, instants, WHOLE)
        return f"{state.hex()} {(files or b'').hex()}"

    def are_counted(self, variable: str, instants: InstantArray, box: BBox) -> bool:
        """Return whether the index has seen each file here of the items of a box, and look its counter up after that.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        if not self.scenes.are_here:
            return True
        refs = self.refs(instants, box)
        if len(refs) > MOST_COUNTED or not self.scenes.are_seen(refs, variable):
            return False
        self.index.state(self.spec.collection, is_fresh=True)
        return True

    def made_of(self, variable: str, rule: MosaicRule) -> str:
        """Return what a variable is made of, in short: the configuration may change while the items stay."""
        found = self.made.get(variable)
        if found is None:
            how = rule, with_only(self.spec, variable).variables
            found = self.made[variable] = blake2b(repr(how).encode(), digest_size=8).hexdigest()
        return found


def parts_of(spec: SourceSpec, index: PieceIndex, scenes: Scenes, far: FarAway | None) -> MosaicParts:
    """Return what a mosaic is read with, with caches of its own."""
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


def _same(found: Found) -> Found:
    return found


def _meaning(spec: SourceSpec) -> str:
    return repr((spec.collection, spec.variables, spec.items))
