"""Zarr stores in ZIP files, opened by xarray as the documentation shows."""

import io
import zipfile
from functools import cache
from pathlib import Path

import xarray
import zarr


def open_zipped(file: Path, group: str = "", **options: object) -> xarray.Dataset:
    """Open a store in a ZIP file by its address, or through zarr's store if Python reads these files wrongly."""
    if not members_share_a_position():
        return xarray.open_zarr(f"zip://{group}::{file}" if group else f"zip::{file}", **options)
    of_group = {"group": group, "consolidated": False} if group else {}
    return xarray.open_zarr(zarr.storage.ZipStore(file, mode="r"), **of_group, **options)


@cache
def members_share_a_position() -> bool:
    """Return whether a seek in a stored member starts at the position of another: python/cpython issue 127847."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        written.writestr("first", b"0123456789")
        written.writestr("second", b"abcdefghij")
    with zipfile.ZipFile(buffer) as archive, archive.open("first") as first, archive.open("second") as second:
        first.read(1)
        second.seek(5)
        return second.read(1) != b"f"
