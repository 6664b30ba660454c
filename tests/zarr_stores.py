"""Stores that the application serves, fetched chunk by chunk and opened by xarray, without a socket."""

from itertools import product

import xarray
from starlette.testclient import TestClient
from zarr.core.buffer.cpu import Buffer
from zarr.storage import MemoryStore


def chunk_keys(document: dict) -> list[str]:
    """Return the names of all chunks of an array."""
    lengths, sizes = document["shape"], document["chunk_grid"]["configuration"]["chunk_shape"]
    encoding = document["chunk_key_encoding"]
    start, separator = ["c"] if encoding["name"] == "default" else [], encoding["configuration"]["separator"]
    counts = [range(max(1, -(-length // size))) for length, size in zip(lengths, sizes, strict=True)]
    return [separator.join([*start, *map(str, numbers)]) or "0" for numbers in product(*counts)]


def fetch_store(client: TestClient, path: str) -> MemoryStore:
    """Return a whole store, like a client with a copy."""
    group = client.get(f"{path}/zarr.json")
    assert group.status_code == 200, group.text
    files = {"zarr.json": group.content}
    for name, document in group.json()["consolidated_metadata"]["metadata"].items():
        alone = client.get(f"{path}/{name}/zarr.json")
        assert alone.json() == document
        files[f"{name}/zarr.json"] = alone.content
        for key in chunk_keys(document):
            chunk = client.get(f"{path}/{name}/{key}")
            assert chunk.status_code == 200, chunk.text
            files[f"{name}/{key}"] = chunk.content
    return MemoryStore({name: Buffer.from_bytes(body) for name, body in files.items()})


def open_store(client: TestClient, path: str, **options) -> xarray.Dataset:
    """Return a store as xarray opens it, with its values in memory."""
    with xarray.open_zarr(fetch_store(client, path), chunks=None, **options) as dataset:
        return dataset.load()
