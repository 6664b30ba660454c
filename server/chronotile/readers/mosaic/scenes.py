"""Items opened as readers of one instant: their files side by side, with the masks and formulas of the collection."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import Protocol

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import Asset, AssetBand, BandLayout, ItemRef
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import NO_TIME
from chronotile.core.model.types import Int64Array
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.derived.derive import derive_variables
from chronotile.readers.hrefs import local_path
from chronotile.readers.mosaic.local_files import LocalFiles, assets_of, tag_of
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.remote.requests import Replaced
from chronotile.readers.skipped_items import SkippedItems
from chronotile.readers.stac.fields import is_zarr

SCENE_BYTES = 32 << 10
"""Of an open scene, about: the layouts and block tables of its files."""
SCENES_BYTES = 32 << 20
"""Of all open scenes of a source."""
MOST_REPLACED = 4096
"""Items of which it is known that a file was replaced."""


class OpenAsset(Protocol):
    """Opens the file of a variable of an item."""

    def __call__(self, ref: ItemRef, asset: Asset, *, variable: VariableSpec) -> Reader:
        """Return a reader of it.

        Raises:
            UnsupportedSource: It cannot be served.
        """


OpenAhead = Callable[[Sequence[Asset]], None]
"""Begins to open files."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An open item."""

    ref: ItemRef
    reader: Reader
    """With one time for each variable, at index 0; variables whose asset the item lacks are missing."""
    attempt: int = 0
    """How often its files had been replaced when it was opened."""
    files: str = ""
    """The state of those on this machine before they were opened."""


class Scenes:
    """The open items of a collection.

    Args:
        spec: The collection's source.
        index: Where the files of its items are found.
        open_asset: Opens a file.
        open_ahead: Begins to open files of several items; `None`: each is opened by itself.
        skipped_items: Remembers unreadable items; `None`: only for this collection.
    """

    def __init__(
        self,
        spec: SourceSpec,
        index: PieceIndex,
        open_asset: OpenAsset,
        open_ahead: OpenAhead | None = None,
        *,
        skipped_items: SkippedItems | None = None,
    ) -> None:
        self._spec, self._index, self._open_asset, self._open_ahead = spec, index, open_asset, open_ahead
        self._specs: dict[str | None, SourceSpec] = {}
        self.skipped_items = skipped_items or SkippedItems()
        self._meaning = ""
        self._noted: set[tuple[str, Encoding]] = set()
        self.reopen_reason = ""
        """What was first found whose encoding was not known when the mosaic was opened; empty: nothing."""
        self._open: ByteCache[Scene] = ByteCache(SCENES_BYTES, lambda _scene: SCENE_BYTES)
        self._attempts: dict[int, int] = {}
        self._files = LocalFiles(spec, index)
        self._names: dict[str | None, frozenset[str]] = {}

    def with_spec(self, spec: SourceSpec, meaning: str) -> "Scenes":
        """Return the same items with further variables; those that are open are shared.

        Args:
            spec: The collection's source with them.
            meaning: In what further variables of the same name may differ.
        """
        scenes = Scenes(spec, self._index, self._open_asset, self._open_ahead, skipped_items=self.skipped_items)
        scenes._open, scenes._meaning, scenes._attempts = self._open, meaning, self._attempts
        scenes._files = self._files
        return scenes

    @property
    def are_here(self) -> bool:
        """Whether files of this machine may be among theirs."""
        return self._files.are_here

    def failure(self, ref: ItemRef, variable: str) -> Exception | None:
        """Return why an item cannot be read, if its files elsewhere are not to be requested again yet."""
        return self.skipped_items.failure(self._key_of_failure(ref, variable))

    def note_failure(self, scene: Scene, variable: str, error: Exception) -> None:
        """Read the headers of an item again for the next answer, if one of its files was replaced."""
        if _is_of_replaced(error):
            self._note_replaced(scene)
        else:
            self._note_lasting(scene.ref, variable, scene.files, error)

    def note_unopened(self, ref: ItemRef, variable: str, error: Exception) -> None:
        """Let the files of an item that cannot be opened be: for a while, if they are elsewhere."""
        try:
            files = self._files.state(ref, self._names_of(variable))
        except ChronotileError:
            return  # the index does not answer
        self._note_lasting(ref, variable, files, error)

    def _note_lasting(self, ref: ItemRef, variable: str, files: str, error: Exception) -> None:
        if not files:  # else on this machine, where they are looked at for each answer
            self.skipped_items.note(self._key_of_failure(ref, variable), error)

    def _key_of_failure(self, ref: ItemRef, variable: str) -> tuple[object, ...]:
        return (self._spec.collection, ref.number, ref.changed, variable, self._meaning)

    def _note_replaced(self, scene: Scene) -> None:
        number = scene.ref.number
        if self._attempts.get(number, 0) == scene.attempt:
            if len(self._attempts) >= MOST_REPLACED:
                self._attempts.pop(next(iter(self._attempts)), None)
            self._attempts[number] = scene.attempt + 1

    def state(self, refs: Sequence[ItemRef], variable: str) -> bytes:
        """Return what changes when an item does, or a file of this machine that a variable is read from.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        digest = blake2b(self._files.digest(refs, self._names_of(variable)), digest_size=8)
        for ref in refs:
            digest.update(b"%d %d " % (ref.number, ref.changed))
        return digest.digest()

    def are_seen(self, refs: Sequence[ItemRef], variable: str) -> bool:
        """Return whether the index knows the files on this machine that a variable is read from as they are now.

        Those of Zarr are the index's: nothing else tells that they changed.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        names = self._names_of(variable)
        found = chain.from_iterable(self._index.assets([ref.number for ref in refs]).values())
        files = ((asset, local_path(asset.href)) for asset in found if asset.name in names and not is_zarr(asset))
        return all(path is None or asset.etag == tag_of(str(path)) for asset, path in files)

    def _key(self, ref: ItemRef, variable: str | None) -> tuple[object, ...]:
        return (ref.number, ref.changed, variable, self._meaning, self._attempts.get(ref.number, 0))

    def open(self, ref: ItemRef, variable: str | None, assets: Sequence[Asset] | None = None) -> Scene | None:
        """Return an item with the files that a variable is read from; `None` of one that has gone meanwhile.

        Args:
            ref: The item.
            variable: Which; `None`: all.
            assets: Of the item, where they are known.

        Raises:
            SourceUnavailable: The index does not answer, or a file cannot be read.
            UnsupportedSource: A file cannot be served.
        """
        files = self._files.state(ref, self._names_of(variable), assets)
        known = self._open.get(self._key(ref, variable))
        if known is not None and known.files == files:
            return known
        if known is not None:
            self._note_replaced(known)
            assets = None
        found = self._index.assets([ref.number]).get(ref.number) if assets is None else assets
        if found is None:
            return None
        spec = self._spec_of(variable)
        attempt = self._attempts.get(ref.number, 0)
        # What the index knows may be of the file before.
        found = [
            replace(asset, header=None, etag="", size=None) if attempt or _is_replaced(asset) else asset
            for asset in found
        ]
        key = self._key(ref, variable)
        return self._open.get_or_make(key, lambda: Scene(ref, self._reader(spec, ref, found), attempt, files))

    def assets(self, refs: Sequence[ItemRef], variable: str) -> Mapping[int, Sequence[Asset]]:
        """Return the assets of those items that are not open yet, by number; opening several files begins.

        Raises:
            SourceChanged: An item was replaced or removed after it was found.
        """
        names = self._names_of(variable)
        known = self._files.look_up(refs, names)
        lacking = [
            ref
            for ref in refs
            if self._open.get(self._key(ref, variable)) is None and self.failure(ref, variable) is None
        ]
        found = {ref.number: known[ref.number] for ref in lacking if ref.number in known}
        unknown = [ref for ref in lacking if ref.number not in known]
        found |= assets_of(self._index, self._spec.collection, unknown)
        needed = [asset for assets in found.values() for asset in assets if asset.name in names]
        if len(needed) > 1 and self._open_ahead is not None:
            self._open_ahead(needed)
        return found

    def has_several_files(self, variable: str) -> bool:
        """Return whether a variable of an item is made of more than one of its files."""
        return len(self._names_of(variable)) > 1

    def _names_of(self, variable: str | None) -> frozenset[str]:
        """Of the assets that a variable is read from."""
        names = self._names.get(variable)
        if names is None:
            stored = self._spec_of(variable).stored.variables.values()
            names = self._names[variable] = frozenset(each.asset or each.id for each in stored)
        return names

    def _spec_of(self, variable: str | None) -> SourceSpec:
        """The source with that variable and what it is made of; all of it for `None`."""
        spec = self._specs.get(variable)
        if spec is None:
            spec = self._specs[variable] = self._spec if variable is None else with_only(self._spec, variable)
        return spec

    def unstated(self, refs: Sequence[ItemRef], variable: str) -> list[ItemRef]:
        """Return the items that do not state how the files of a variable are encoded."""
        names, found = self._names_of(variable), self._index.assets([ref.number for ref in refs])
        lacking = {
            number
            for number, assets in found.items()
            if any(asset.name in names and not asset.layouts for asset in assets)
        }
        return [ref for ref in refs if ref.number in lacking]

    def note_encoding(self, ref: ItemRef, info: VariableInfo, *, is_alike: bool) -> None:
        """Let the index know how a file is encoded, which no item has stated: the mosaic is opened again with it.

        Args:
            ref: Its item.
            info: Of its variable.
            is_alike: Whether it is in the units of the others: a mosaic that is opened with it shows it.

        Raises:
            SourceUnavailable: The index does not answer; or `StorageFull`.
        """
        variable = self._spec.variables.get(info.name)
        if variable is None or variable.formula is not None or (info.name, info.encoding) in self._noted:
            return
        name = variable.asset or variable.id
        asset = next((each for each in self._index.assets([ref.number]).get(ref.number, ()) if each.name == name), None)
        if asset is None:
            return  # it was removed meanwhile: the state of the answer tells
        own = BandLayout(levels=info.levels, encoding=info.encoding, band=_band_of(variable, asset))
        others = (each for each in asset.layouts if each.band != own.band)
        reason = f"{info.name} of item {ref.id} is encoded in a way that was not known when its collection was opened"
        try:
            self._index.note_layouts(ref, name, (*others, own))
            self._noted.add((info.name, info.encoding))
        except ChronotileError as error:  # it is noted when it is met again: the index may have room by then
            reason = f"{reason}, and cannot be noted: {error.message}"
            raise
        finally:
            if is_alike or own not in asset.layouts:
                self.reopen_reason = self.reopen_reason or reason

    def _reader(self, spec: SourceSpec, ref: ItemRef, assets: Sequence[Asset]) -> Reader:
        by_name = {asset.name: asset for asset in assets}
        opened = SceneReader(spec.stored.variables, by_name, partial(self._open_asset, ref))
        return derive_variables(opened, spec)


def _is_replaced(asset: Asset) -> bool:
    # Whether a file of this machine is another than the index knows.
    path = local_path(asset.href)
    return path is not None and bool(asset.etag) and tag_of(str(path)) != asset.etag


def _is_of_replaced(error: BaseException) -> bool:
    return isinstance(error, Replaced) or (error.__cause__ is not None and _is_of_replaced(error.__cause__))


def with_only(spec: SourceSpec, variable: str) -> SourceSpec:
    """Return the source with one variable, and with those that it is made of."""
    needed, waiting = set[str](), [variable]
    while waiting:
        name = waiting.pop()
        own = spec.variables.get(name)
        if own is not None and name not in needed:
            needed.add(name)
            waiting += () if own.formula is None else own.formula.names
            waiting += () if own.mask is None else (own.mask.variable,)
    return replace(spec, variables={name: each for name, each in spec.variables.items() if name in needed})


class SceneReader(Reader):
    """Reads the files of one item, each of which is opened when its variable is first needed.

    Args:
        variables: By id, those that are stored.
        assets: By name.
        open_asset: Opens a file.
    """

    def __init__(
        self, variables: Mapping[str, VariableSpec], assets: Mapping[str, Asset], open_asset: Callable[..., Reader]
    ) -> None:
        self._readers: dict[str, Reader] = {}
        for name, variable in variables.items():
            asset = assets.get(variable.asset or variable.id)
            if asset is not None:
                self._readers[name] = open_asset(asset, variable=stated(variable, asset))
        self._info = SourceInfo(
            variables={
                name: replace(reader.info.variables[name], times=NO_TIME) for name, reader in self._readers.items()
            },
            is_of_files=True,
        )

    def revision(self, variable: str, index: int) -> str:
        """Return the state of the variable's file."""
        return self._readers[variable].revision(variable, index)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level."""
        return self._readers[variable].read_window(variable, index=index, level=level, window=window, step=step)

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of a window of the variable's file."""
        self._readers[variable].fetch_ahead(variable, index=index, level=level, window=window, step=step)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        return self._readers[variable].read_cell(variable, indexes=indexes, row=row, column=column)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the file's blocks."""
        return self._readers[variable].block_shape(variable, along)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""
        return self._readers[variable].read_block(variable, indexes=indexes, window=window, along=along)

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of scattered native cells."""
        return self._readers[variable].read_cells(variable, indexes=indexes, rows=rows, columns=columns)

    def close(self) -> None:
        """Let go of open files."""
        for reader in self._readers.values():
            reader.close()


def stated(variable: VariableSpec, asset: Asset) -> VariableSpec:
    """Return what is known of a variable: what the configuration says, else what the item states of its band.

    Raises:
        UnsupportedSource: The asset has no such band.
    """
    number = _band_of(variable, asset)
    band = asset.bands[min(number, len(asset.bands)) - 1] if asset.bands else AssetBand()
    has_arrays = is_zarr(asset)
    return replace(
        variable,
        name=variable.name if has_arrays else None,
        band=None if has_arrays else number,
        scale=band.scale if variable.scale is None else variable.scale,
        offset=band.offset if variable.offset is None else variable.offset,
        nodata=band.nodata if variable.nodata is None else variable.nodata,
        units=band.unit if variable.units is None else variable.units,
    )


def _band_of(variable: VariableSpec, asset: Asset) -> int:
    """The number of a variable's band: as configured, else of its name, else the first."""
    is_of_all_bands = len(asset.bands) == 1 and asset.bands[0].name is None
    if variable.band is not None and asset.bands and variable.band > len(asset.bands) and not is_of_all_bands:
        raise UnsupportedSource(f"asset {asset.name} has {len(asset.bands)} bands, not {variable.band}")
    named = (n for n, band in enumerate(asset.bands, start=1) if band.name == (variable.name or variable.id))
    return variable.band or next(named, 1)
