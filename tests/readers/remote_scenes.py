"""A scene of many blocks, as a file and as a store that a server can give in parts."""

import warnings
from pathlib import Path

import zarr

from chronotile.core.model.space.grid import Window
from tests.scenes import Scene, write_tif, write_zarr

SCENE = Scene(width=640, height=480, days=("2020-01-01",))
OTHER = Scene(width=640, height=480, days=("2020-01-01",), shift=5)
WHOLE = Window(0, 480, 0, 640)


def write_here(kind, folder, scene, **encoding):
    """Return the name of the file or store in the folder that holds the scene."""
    if kind == "cog":
        return write_tif(folder / "a.tif", scene.numbers(0), scene, overviews=(2,), compress="none").name
    store = Path(write_zarr(folder, scene, version=int(kind[-1]), **{"chunks": (1, 160, 160)} | encoding).href)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr-python warns that version 3 has no consolidated metadata yet
        zarr.consolidate_metadata(store)
    return store.name


def numbers_of(reader, window=WHOLE):
    """(y, x) of the only time."""
    return reader.read_window("NDVI", index=0, level=0, window=window).numbers
