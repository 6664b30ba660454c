"""Layers as lazy arrays of xarray, from the virtual Zarr store of the server."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chronotile_client.credential import Credential
from chronotile_client.exchange import Exchange, Request, fetch
from chronotile_client.layers import LayerInfo

if TYPE_CHECKING:
    import xarray as xr


def fetch_store_path(layer: LayerInfo) -> Exchange[str]:
    """Return the path of the store's current version, whose dates do not change when others are added."""
    path = f"zarr/{quote(layer.id, safe='')}"
    answer = yield from fetch(Request(path=path))
    return f"{path}@{answer.document()['attributes']['revision']}"


def open_store(
    url: str,
    layer: LayerInfo,
    *,
    headers: Mapping[str, str],
    credential: Credential | None,
    options: Mapping[str, Any],
) -> "xr.DataArray":
    """Open the store at an address; numbers are read when they are needed."""
    import xarray as xr

    storage: dict[str, Any] = {"headers": dict(headers)} if headers else {}
    if credential:  # a copy, as numbers are read in another event loop
        storage["client_kwargs"] = {"middlewares": (copy(credential).aiohttp_middleware,)}
    dataset = xr.open_zarr(url, decode_coords="all", storage_options=storage or None, **options)
    array: xr.DataArray = next(array for array in dataset.data_vars.values() if array.ndim >= 2)
    return array.assign_attrs(layer=layer.id, attribution=layer.attribution)
