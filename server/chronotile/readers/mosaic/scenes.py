"""Open items as readers of one instant, with the masks and formulas of the collection."""

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
from chronotile.readers.stac.fields import has_arrays, is_zarr

SCENE_BYTES = 32 << 10
"""Approximate size of an open scene: the layouts and block tables of its files."""
SCENES_BYTES = 32 << 20
"""Limit for all open scenes of a source."""
MAX_REPLACED = 4096
"""Maximum number of items whose attempts are counted after their files were replaced."""


class OpenAsset(Protocol):
    """Function that opens the file of a variable of an item."""

    def __call__(self, ref: ItemRef, asset: Asset, *, variable: VariableSpec) -> Reader:
        """Return a reader of the file.

        Raises:
            UnsupportedSource: The file cannot be served.
        """


OpenAhead = Callable[[Sequence[Asset]], None]
"""Starts to open files."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An open item."""

    ref: ItemRef
    reader: Reader
    """Reader with one time for each variable, at index 0; variables whose asset the item lacks are missing."""
    attempt: int = 0
    """Number of times that its files had been replaced before it was opened."""
    files: str = ""
    """Fingerprints (`tag_of`) of its local files, taken before they were opened; empty without local files."""


class Scenes:
    """The open items of a collection.

    Args:
        spec: The collection's source.
        index: Index of its items.
        open_asset: Opens a file.
        open_ahead: Starts to open files of several items; `None` if files are only opened one by one.
        skipped_items: Record of unreadable items; `None`: a separate one for this collection.
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
        """Message about the first file whose encoding was unknown when the mosaic was opened; empty without one."""
        self._open: ByteCache[Scene] = ByteCache(SCENES_BYTES, lambda _scene: SCENE_BYTES)
        self._attempts: dict[int, int] = {}
        self._files = LocalFiles(spec, index)
        self._names: dict[str | None, frozenset[str]] = {}

    def replace_spec(self, spec: SourceSpec, meaning: str) -> "Scenes":
        """Return scenes of the same items with additional variables. Open items are shared.

        Args:
            spec: The collection's source with these variables.
            meaning: Text that distinguishes additional variables of the same name.
        """
        scenes = Scenes(spec, self._index, self._open_asset, self._open_ahead, skipped_items=self.skipped_items)
        scenes._open, scenes._meaning, scenes._attempts = self._open, meaning, self._attempts
        scenes._files = self._files
        return scenes

    @property
    def are_here(self) -> bool:
        """Whether items can have local files."""
        return self._files.are_here

    def failure(self, ref: ItemRef, variable: str) -> Exception | None:
        """Return why an item cannot be read, if its remote files must not be requested again yet."""
        return self.skipped_items.failure(self._key_of_failure(ref, variable))

    def note_failure(self, scene: Scene, variable: str, error: Exception) -> None:
        """Record a failure. If a file was replaced, the next answer reads the item's headers again."""
        if _is_of_replaced(error):
            self._note_replaced(scene)
        else:
            self._note_lasting(scene.ref, variable, scene.files, error)

    def note_unopened(self, ref: ItemRef, variable: str, error: Exception) -> None:
        """Record an item that cannot be opened. Remote files are not requested again for a while."""
        try:
            files = self._files.state(ref, self._names_of(variable))
        except ChronotileError:
            return  # the index is unreachable, so the version of the files is unknown
        self._note_lasting(ref, variable, files, error)

    def _note_lasting(self, ref: ItemRef, variable: str, files: str, error: Exception) -> None:
        if not files:  # remote files only: local files are checked for each answer
            self.skipped_items.note(self._key_of_failure(ref, variable), error)

    def _key_of_failure(self, ref: ItemRef, variable: str) -> tuple[object, ...]:
        return (self._spec.collection, ref.number, ref.changed, variable, self._meaning)

    def _note_replaced(self, scene: Scene) -> None:
        number = scene.ref.number
        if self._attempts.get(number, 0) == scene.attempt:
            if len(self._attempts) >= MAX_REPLACED:
                self._attempts.pop(next(iter(self._attempts)), None)
            self._attempts[number] = scene.attempt + 1

    def state(self, refs: Sequence[ItemRef], variable: str) -> bytes:
        """Return a digest that changes with the items and with the local files of a variable.

        Raises:
            SourceUnavailable: The index is unreachable.
        """
        digest = blake2b(self._files.digest(refs, self._names_of(variable)), digest_size=8)
        for ref in refs:
            digest.update(b"%d %d " % (ref.number, ref.changed))
        return digest.digest()

    def are_seen(self, refs: Sequence[ItemRef], variable: str) -> bool:
        """Return whether the index has the current versions of the local files of a variable.

        Zarr stores are not checked, because only the index records their changes.

        Raises:
            SourceUnavailable: The index is unreachable.
        """
        names = self._names_of(variable)
        assets = chain.from_iterable(self._index.assets([ref.number for ref in refs]).values())
        files = ((asset, local_path(asset.href)) for asset in assets if asset.name in names and not is_zarr(asset))
        return all(path is None or asset.etag == tag_of(str(path)) for asset, path in files)

    def _key(self, ref: ItemRef, variable: str | None) -> tuple[object, ...]:
        return (ref.number, ref.changed, variable, self._meaning, self._attempts.get(ref.number, 0))

    def open(self, ref: ItemRef, variable: str | None, assets: Sequence[Asset] | None = None) -> Scene | None:
        """Return an item with the files of a variable; `None` if it was removed since the search.

        Args:
            ref: The item.
            variable: Id of the variable; `None`: all.
            assets: Assets of the item; `None`: read them from the index.

        Raises:
            SourceUnavailable: The index is unreachable, or a file cannot be read.
            UnsupportedSource: A file cannot be served.
        """
        files = self._files.state(ref, self._names_of(variable), assets)
        scene = self._open.get(self._key(ref, variable))
        if scene is not None and scene.files == files:
            return scene
        if scene is not None:
            self._note_replaced(scene)
            assets = None
        item_assets = self._index.assets([ref.number]).get(ref.number) if assets is None else assets
        if item_assets is None:
            return None
        spec = self._spec_of(variable)
        attempt = self._attempts.get(ref.number, 0)
        # The header, ETag and size in the index may belong to the previous file.
        item_assets = [
            replace(asset, header=None, etag="", size=None) if attempt or _is_replaced(asset) else asset
            for asset in item_assets
        ]
        key = self._key(ref, variable)
        return self._open.get_or_make(key, lambda: Scene(ref, self._reader(spec, ref, item_assets), attempt, files))

    def assets(self, refs: Sequence[ItemRef], variable: str) -> Mapping[int, Sequence[Asset]]:
        """Return the assets of items that are not open yet, by number, and start to open them if there are several.

        Raises:
            SourceChanged: An item was replaced or removed since the search.
        """
        names = self._names_of(variable)
        cached_assets = self._files.look_up(refs, names)
        lacking = [
            ref
            for ref in refs
            if self._open.get(self._key(ref, variable)) is None and self.failure(ref, variable) is None
        ]
        new_assets = {ref.number: cached_assets[ref.number] for ref in lacking if ref.number in cached_assets}
        uncached = [ref for ref in lacking if ref.number not in cached_assets]
        new_assets |= assets_of(self._index, self._spec.collection, uncached)
        needed = [asset for assets in new_assets.values() for asset in assets if asset.name in names]
        if len(needed) > 1 and self._open_ahead is not None:
            self._open_ahead(needed)
        return new_assets

    def has_several_files(self, variable: str) -> bool:
        """Return whether a variable is read from several files of an item."""
        return len(self._names_of(variable)) > 1

    def _names_of(self, variable: str | None) -> frozenset[str]:
        """Return the names of the assets that a variable is read from."""
        names = self._names.get(variable)
        if names is None:
            stored = self._spec_of(variable).stored.variables.values()
            names = self._names[variable] = frozenset(x.asset or x.id for x in stored)
        return names

    def _spec_of(self, variable: str | None) -> SourceSpec:
        """Return the source with a variable and its operands; the whole source for `None`."""
        spec = self._specs.get(variable)
        if spec is None:
            spec = self._specs[variable] = self._spec if variable is None else select_variable(self._spec, variable)
        return spec

    def list_unstated(self, refs: Sequence[ItemRef], variable: str) -> list[ItemRef]:
        """Return the items that do not state the encoding of the files of a variable."""
        names, assets_by_number = self._names_of(variable), self._index.assets([ref.number for ref in refs])
        lacking = {
            number
            for number, assets in assets_by_number.items()
            if any(asset.name in names and not asset.layouts for asset in assets)
        }
        return [ref for ref in refs if ref.number in lacking]

    def note_encoding(self, ref: ItemRef, info: VariableInfo, *, is_alike: bool) -> None:
        """Store the encoding of a file in the index, if no item states it. The mosaic is then opened again with it.

        Args:
            ref: Item of the file.
            info: Variable of the file.
            is_alike: Whether its units equal those of the mosaic, so that the reopened mosaic can show it.

        Raises:
            SourceUnavailable: The index is unreachable, or full (`StorageFull`).
        """
        variable = self._spec.variables.get(info.name)
        if variable is None or variable.formula is not None or (info.name, info.encoding) in self._noted:
            return
        name = variable.asset or variable.id
        asset = next((x for x in self._index.assets([ref.number]).get(ref.number, ()) if x.name == name), None)
        if asset is None:
            return  # the asset was removed; the removal changes the ETag of the answer
        layout = BandLayout(
            levels=info.levels,
            encoding=info.encoding,
            band=1 if has_arrays(asset) else _band_of(variable, asset),
            array=(variable.name or variable.id) if has_arrays(asset) else None,
        )
        other_layouts = (x for x in asset.layouts if (x.band, x.array) != (layout.band, layout.array))
        reason = f"{info.name} of item {ref.id} is encoded in a way that was not known when its collection was opened"
        try:
            self._index.note_layouts(ref, name, (*other_layouts, layout))
            self._noted.add((info.name, info.encoding))
        except ChronotileError as error:  # the next read tries again, as the index may have space by then
            reason = f"{reason}, and cannot be noted: {error.message}"
            raise
        finally:
            if is_alike or layout not in asset.layouts:
                self.reopen_reason = self.reopen_reason or reason

    def _reader(self, spec: SourceSpec, ref: ItemRef, assets: Sequence[Asset]) -> Reader:
        by_name = {asset.name: asset for asset in assets}
        opened = SceneReader(spec.stored.variables, by_name, partial(self._open_asset, ref))
        return derive_variables(opened, spec)


def _is_replaced(asset: Asset) -> bool:
    # Whether a local file differs from the version in the index.
    path = local_path(asset.href)
    return path is not None and bool(asset.etag) and tag_of(str(path)) != asset.etag


def _is_of_replaced(error: BaseException) -> bool:
    return isinstance(error, Replaced) or (error.__cause__ is not None and _is_of_replaced(error.__cause__))


def select_variable(spec: SourceSpec, variable: str) -> SourceSpec:
    """Return the source with one variable and its operands and masks."""
    needed, waiting = set[str](), [variable]
    while waiting:
        name = waiting.pop()
        spec_of_name = spec.variables.get(name)
        if spec_of_name is not None and name not in needed:
            needed.add(name)
            waiting += () if spec_of_name.formula is None else spec_of_name.formula.names
            waiting += () if spec_of_name.mask is None else (spec_of_name.mask.variable,)
    return replace(spec, variables={name: x for name, x in spec.variables.items() if name in needed})


class SceneReader(Reader):
    """Reader of the files of one item; a file is opened when its variable is first read.

    Args:
        variables: Stored variables by id.
        assets: Assets by name.
        open_asset: Opens a file.
    """

    def __init__(
        self, variables: Mapping[str, VariableSpec], assets: Mapping[str, Asset], open_asset: Callable[..., Reader]
    ) -> None:
        self._readers: dict[str, Reader] = {}
        for name, variable in variables.items():
            asset = assets.get(variable.asset or variable.id)
            if asset is not None:
                self._readers[name] = open_asset(asset, variable=complete_variable(variable, asset))
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
        """Close open files."""
        for reader in self._readers.values():
            reader.close()


def complete_variable(variable: VariableSpec, asset: Asset) -> VariableSpec:
    """Return the specification of a variable: its configuration, completed by the item's band.

    Raises:
        UnsupportedSource: The asset does not have the band.
    """
    number = _band_of(variable, asset)
    band = asset.bands[min(number, len(asset.bands)) - 1] if asset.bands else AssetBand()
    is_array = has_arrays(asset)
    return replace(
        variable,
        name=variable.name if is_array else None,
        band=None if is_array else number,
        scale=band.scale if variable.scale is None else variable.scale,
        offset=band.offset if variable.offset is None else variable.offset,
        nodata=band.nodata if variable.nodata is None else variable.nodata,
        units=band.unit if variable.units is None else variable.units,
    )


def _band_of(variable: VariableSpec, asset: Asset) -> int:
    """Return the number of a variable's band: the configured one, else by name, else the first."""
    is_of_all_bands = len(asset.bands) == 1 and asset.bands[0].name is None
    if variable.band is not None and asset.bands and variable.band > len(asset.bands) and not is_of_all_bands:
        raise UnsupportedSource(f"asset {asset.name} has {len(asset.bands)} bands, not {variable.band}")
    numbers = (n for n, band in enumerate(asset.bands, start=1) if band.name == (variable.name or variable.id))
    return variable.band or next(numbers, 1)
