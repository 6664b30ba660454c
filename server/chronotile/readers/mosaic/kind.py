"""The kind of source whose items (scenes and tiles of a STAC catalogue, or files) are listed in the item index."""

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
from chronotile.readers.stac.fields import has_arrays, has_netcdf, is_zarr, zarr_place


class ItemsKind(SourceKind):
    """Overlapping items with separate files, composed into one raster per instant."""

    options = KindOptions(name="stac", has_bands=True, has_items=True)

    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of the items in the index."""
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
        """Return no files: changes are detected by the item index."""
        return []


def open_ahead(spec: SourceSpec, caches: ReaderCaches, assets: Iterable[Asset]) -> None:
    """Start to read headers of remote files that the index does not store; does not wait and does not raise."""
    from chronotile.readers.cog.files import open_ahead as open_files_ahead

    places, hrefs = item_places(spec.href, caches.places), []
    for asset in assets:
        if asset.header is None and spec.crs is None and not has_arrays(asset):
            with suppress(AddressRefused):  # opening the file reports the refused address
                hrefs.append(places.require_allowed(asset.href))
    open_files_ahead(hrefs)


def open_asset(spec: SourceSpec, caches: ReaderCaches, ref: ItemRef, asset: Asset, *, variable: VariableSpec) -> Reader:
    """Return a reader of one variable of a file: our COG reader if it supports the file, else GDAL.

    Raises:
        UnsupportedSource: The file cannot be served.
    """
    from chronotile.readers.cog.open_asset import open_cog_asset
    from chronotile.readers.mosaic.local_files import require_image
    from chronotile.readers.raster.open_stack import open_raster_stack
    from chronotile.readers.tiff import UnsupportedCog

    # The allowed locations may have changed since the file was indexed.
    asset = replace(asset, href=item_places(spec.href, caches.places).require_allowed(asset.href))
    if is_zarr(asset):
        return _open_store(spec, caches, asset, variable)
    if has_netcdf(asset.media_type, asset.href):
        from chronotile.readers.mosaic.granules import open_indexed_granule

        return open_indexed_granule(spec, asset, variable)
    try:
        reader = open_cog_asset(spec, asset, variable, caches)
    except UnsupportedCog:
        require_image(asset.href)
        file_spec = SourceSpec(
            collection=spec.collection,
            kind="cog",
            href=asset.href,
            crs=spec.crs,
            variables={variable.id: variable},
            files=(asset.href,),
        )
        return open_raster_stack(file_spec, caches)
    if asset.header is None and caches.items is not None:
        file = reader.file
        header = file.header.to_bytes()
        with suppress(SourceUnavailable, StorageFull):  # logged already; the next opening reads the header again
            caches.items.note_header(ref, asset.name, header=header, etag=file.tag, size=file.size)
    return reader


def _open_store(spec: SourceSpec, caches: ReaderCaches, asset: Asset, variable: VariableSpec) -> Reader:
    """A reader of an array; the asset is a Zarr store, or a group or array in it."""
    from chronotile.readers.zarr.source import open_zarr

    store, inner = zarr_place(asset.href) or (asset.href, "")
    name = variable.name or ("" if inner else variable.id)
    store_spec = SourceSpec(
        collection=spec.collection,
        kind="zarr",
        href=store,
        crs=spec.crs,
        variables={variable.id: replace(variable, name="/".join(filter(None, (inner, name))))},
    )
    return open_zarr(store_spec, caches)
