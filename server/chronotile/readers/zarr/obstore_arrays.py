"""Zarr stores that zarr-python reads through obstore: on Google, on Azure, and on S3 if the requester pays.

tensorstore 0.1.86 does not read Azure, and its driver for Google is not limited like `remote.requests`. For S3,
tensorstore 0.1.86 sends `x-amz-requester-payer` where S3 reads `x-amz-request-payer`, so S3 refuses its requests.
"""

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.model.types import NumberArray
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.cf.array_source import Selection
from chronotile.readers.library_errors import Damaged
from chronotile.readers.remote.gates import gates
from chronotile.readers.remote.requests import Refused, of_bucket, one_read, place_of, read_deadline, retry
from chronotile.readers.zarr.damage import guard_blosc
from chronotile.readers.zarr.metadata import ArrayNode, ZarrArray
from chronotile.readers.zarr.remote import REFUSED_CHUNK, RemoteMetadata
from chronotile.readers.zarr.waits import result_of


class ObstoreArray(ZarrArray):
    """One array, without a cache of chunks.

    Args:
        href: The store.
        node: The array when the store is opened.
    """

    def __init__(self, href: str, node: ArrayNode) -> None:
        require_extra("zarr", "a Zarr store on Google or Azure, or whose requester pays", error=UnsupportedSource)
        self._href, self._node = href, node
        self._metadata = RemoteMetadata(href, node)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a decoded unit: a chunk, or an inner chunk of a shard."""
        return tuple(self._array.chunks)

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order; a chunk has the fill value only if S3 answers 404.

        Raises:
            Away: They cannot be read.
            Damaged: The store can be read, but these numbers cannot be decoded, or access to them is refused.
            Replaced: The store was written since it was opened.
        """
        with one_read():
            self._metadata.metadata_states()
            try:
                numbers = self._ask(lambda: self._array.oindex.getitem(selection))
            except Refused as error:
                self.__dict__.pop("_array", None)  # the next read opens the array again, maybe with renewed credentials
                self._metadata.look()
                raise Damaged(f"{error} {REFUSED_CHUNK}") from None
        self._metadata.look()
        return np.asarray(numbers)

    def revision(self, selection: Selection) -> str:
        """Return a text that changes with the metadata."""
        return self._metadata.digest(selection)

    @cached_property
    def _array(self) -> Any:  # noqa: ANN401 -- zarr-python's arrays differ by version
        from zarr.api.asynchronous import open_array

        guard_blosc()
        store = _heard_store(place_of(self._href).store, self._bucket)
        path = f"{urlsplit(self._href).path.strip('/')}/{self._node.path}"
        return self._ask(lambda: open_array(store=store, path=path, mode="r"))

    @property
    def _bucket(self) -> str:
        return host_of(self._href)

    def _ask(self, work: Any) -> Any:  # noqa: ANN401 -- zarr-python's
        def ask() -> Any:  # noqa: ANN401 -- as above
            with of_bucket(self._bucket):
                return result_of(work())

        return retry(ask, read_deadline())


def _heard_store(store: Any, bucket: str) -> Any:  # noqa: ANN401 -- zarr-python's
    """Return a store of zarr-python that reports each chunk to its gate, because a read may have hundreds of chunks."""
    from zarr.storage import ObjectStore

    class HeardStore(ObjectStore[Any]):
        async def get(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- zarr-python's
            found = await super().get(*args, **options)
            gates.of(bucket).hear()
            return found

    return HeardStore(store, read_only=True)
