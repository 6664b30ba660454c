"""Items: scenes and tiles that the item index lists, from a STAC catalogue or from files."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from chronotile.core.errors import AddressRefused, SourceUnavailable, StorageFull, UnsupportedSource
from chronotile.core.model.items import Asset, ItemRef
from chronotile.core.model.source import KindOptions, SourceSpec, VariableSpec
from chronotile.core.web.item_places import item_places
from chronotile.readers.kind import SourceKind
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.fields import is_zarr, zarr_place


class ItemsKind(SourceKind):
    """Overlapping items, each with files of its own, which become one raster an instant."""

    options = KindOptions(name="stac", has_bands=True, has_items=True)

    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of the items that the index has."""
        from chronotile.readers.mosaic.parts import FarAway
        from chronotile.readers.mosaic.source import open_mosaic

        if caches.items is None:
            raise UnsupportedSource("there is no item index here; run chronotile index")
        settings = caches.items.settings(spec.collection)
        if settings is not None and settings.is_of_dates:
            raise UnsupportedSource("the item index has no item of it, but dates of before; run chronotile index")
        far = None if caches.overviews is None else FarAway(caches.overviews, caches.files)
        return open_mosaic(
            spec,
            caches.items,
            partial(open_asset, spec, caches),
            open_ahead=partial(open_ahead, spec, caches),
            far=far,
            skipped_items=caches.skipped_items,
        )

    def files(self, spec: SourceSpec) -> list[str]:
        """Return no files: changes are found in the index."""
        return []


def open_ahead(spec: SourceSpec, caches: ReaderCaches, assets: Iterable[Asset]) -> None:
    """Begin to read the headers of files elsewhere that the index does not have; waits for nothing, raises nothing."""
    from chronotile.readers.cog.files import open_ahead as open_files_ahead

    places, hrefs = item_places(spec.href, caches.places), []
    for asset in assets:
        if asset.header is None and spec.crs is None and not is_zarr(asset):
            with suppress(AddressRefused):  # which opening it reports
                hrefs.append(places.require_allowed(asset.href))
    open_files_ahead(hrefs)


def open_asset(spec: SourceSpec, caches: ReaderCaches, ref: ItemRef, asset: Asset, *, variable: VariableSpec) -> Reader:
    """Return a reader of one variable of an item's file: our own of the COGs that it decodes, else GDAL's.

    Raises:
        UnsupportedSource: The file cannot be served.
    """
    from chronotile.readers.cog.open_asset import open_cog_asset
    from chronotile.readers.mosaic.local_files import require_image
    from chronotile.readers.raster.open_stack import open_raster_stack
    from chronotile.readers.tiff import UnsupportedCog

    # Again: what is allowed may have changed since it was indexed.
    asset = replace(asset, href=item_places(spec.href, caches.places).require_allowed(asset.href))
    if is_zarr(asset):
        return _open_store(spec, caches, asset, variable)
    try:
        reader = open_cog_asset(spec, asset, variable, caches)
    except UnsupportedCog:
        require_image(asset.href)
        own = SourceSpec(
            collection=spec.collection,
            kind="cog",
            href=asset.href,
            crs=spec.crs,
            variables={variable.id: variable},
            files=(asset.href,),
        )
        return open_raster_stack(own, caches)
    if asset.header is None and caches.items is not None:
        file = reader.file
        header = file.header.to_bytes()
        with suppress(SourceUnavailable, StorageFull):  # logged; without room in the index, headers are read again
            caches.items.note_header(ref, asset.name, header=header, etag=file.tag, size=file.size)
    return reader


def _open_store(spec: SourceSpec, caches: ReaderCaches, asset: Asset, variable: VariableSpec) -> Reader:
    """A reader of an array of a store; an asset may be a store, or a group or array in one."""
    from chronotile.readers.zarr.source import open_zarr

    store, inner = zarr_place(asset.href) or (asset.href, "")
    name = variable.name or ("" if inner else variable.id)
    own = SourceSpec(
        collection=spec.collection,
        kind="zarr",
        href=store,
        crs=spec.crs,
        variables={variable.id: replace(variable, name="/".join(filter(None, (inner, name))))},
    )
    return open_zarr(own, caches)
