"""GetTile requests with changeable parameters."""

from collections.abc import Callable

import pytest

HELD = {"TileMatrix": "11", "TileRow": "687", "TileCol": "1052"}
"""A tile of WebMercatorQuad inside the data."""


@pytest.fixture
def get_tile() -> Callable:
    """Return a function that gets a tile by KVP: `get_tile(client, style=None, Time="2020-06-11")`; `None` omits."""

    def ask(client, *, path="/wmts", headers=None, **changes):
        valid = {
            "service": "WMTS",
            "request": "GetTile",
            "version": "1.0.0",
            "layer": "NDVI",
            "style": "steps",
            "format": "image/png",
            "TileMatrixSet": "WebMercatorQuad",
            **HELD,
        }
        params = {name: value for name, value in {**valid, **changes}.items() if value is not None}
        return client.get(path, params=params, headers=headers)

    return ask
