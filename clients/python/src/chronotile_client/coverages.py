"""The values of a layer in a box as xarray, and pictures of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from chronotile_client.exchange import Exchange, Notice, Request, fetch
from chronotile_client.layers import LayerInfo
from chronotile_client.opening import ZARR, open_content

if TYPE_CHECKING:
    import xarray as xr
    from PIL.Image import Image

INSTANT = re.compile(r"(\d{4}(?:-\d\d(?:-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?)?)?)Z?")
"""One instant, year, month or day; the server resolves intervals, lists and names of times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A map of a layer; notebooks show it."""

    content: bytes = field(repr=False)
    media_type: str
    times: tuple[str, ...]
    """The instants in the picture, newest first."""
    crs: str | None
    bbox: tuple[float, ...]
    """Its edges, in the axis order of `crs`."""

    def image(self) -> "Image":
        """Return it as an image of Pillow."""
        from PIL import Image

        return Image.open(BytesIO(self.content))

    def save(self, to: str | Path) -> Path:
        """Write it to a file and return the path."""
        path = Path(to)
        path.write_bytes(self.content)
        return path

    def _repr_mimebundle_(self, **_options: object) -> dict[str, bytes]:
        return {self.media_type: self.content}


def fetch_cube(layer: LayerInfo, params: Mapping[str, str]) -> "Exchange[xr.DataArray]":
    """Return the values of a layer as an array, see `Layer.cube`."""
    # Zarr: servers write it without an extra, which NetCDF needs.
    request = Request(path=f"ogcapi/collections/{_quoted(layer.id)}/coverage", params={**params, "f": "zarr"})
    answer = yield from fetch(request)
    return _array_of(open_content(answer.body, ZARR), layer)


def fetch_map(layer: LayerInfo, params: Mapping[str, str], style: str | None) -> Exchange[Picture]:
    """Return a picture of a layer, see `Layer.map`."""
    styled = f"styles/{_quoted(style)}/" if style else ""
    answer = yield from fetch(Request(path=f"ogcapi/collections/{_quoted(layer.id)}/{styled}map", params=params))
    stated = answer.headers
    times = tuple(stated["chronotile-time"].split(",")) if "chronotile-time" in stated else ()
    requested = params.get("datetime", "")
    if len(times) == 1 and not _is_within(times[0], requested):
        yield Notice(f"the picture shows {times[0]}, which layer {layer.id} has for {requested}")
    edges = stated.get("content-bbox", "")
    return Picture(
        content=answer.body,
        media_type=answer.media_type,
        times=times,
        crs=stated.get("content-crs"),
        bbox=tuple(map(float, edges.split(","))) if edges else (),
    )


def _is_within(time: str, requested: str) -> bool:
    """Whether an instant is in the requested instant, year, month or day; True for other forms of times."""
    shown, wanted = INSTANT.fullmatch(time), INSTANT.fullmatch(requested)
    if shown is None or wanted is None:
        return True
    period = np.datetime64(wanted[1])
    return bool(np.datetime64(shown[1]).astype(period.dtype) == period)


def _array_of(dataset: "xr.Dataset", layer: LayerInfo) -> "xr.DataArray":
    """Load the only variable with rows and columns, with its coordinates and CRS."""
    array = next(array for array in dataset.data_vars.values() if array.ndim >= 2)
    attributes: dict[str, Any] = {"layer": layer.id, "attribution": layer.attribution}
    return array.load().assign_attrs(attributes)


def _quoted(name: str) -> str:
    return quote(name, safe="")
