"""Icechunk repositories, each read at one snapshot of its main branch, through zarr-python."""

import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import orjson

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.finding import Finding
from chronotile.core.model.types import NumberArray
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.cf.array_source import Selection
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH
from chronotile.readers.hrefs import local_path
from chronotile.readers.library_errors import Damaged
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import LOOK_S, looks
from chronotile.readers.remote.requests import AGAIN_S, ATTEMPTS, Away, Refused, Replaced, one_read
from chronotile.readers.zarr.damage import guard_blosc
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode, ZarrArray, group_of_documents
from chronotile.readers.zarr.references.files import places_of
from chronotile.readers.zarr.store_files import HEADS, SNAPSHOTS
from chronotile.readers.zarr.virtual_chunks import VirtualAccess, s3_keys, s3_options
from chronotile.readers.zarr.waits import result_of

BRANCH = "main"

MAX_CHUNK_REFERENCES = 1_000_000
"""Cached references per repository."""

_MISSING = ("not found", "NotFound", "No such file", "NoSuchKey")
Answer = TypeVar("Answer")


def is_repository(href: str) -> bool:
    """Return whether a repository exists in a local folder or on S3.

    Raises:
        Away: Its server does not answer.
    """
    path = local_path(href)
    if path is not None:
        return (path / SNAPSHOTS).is_dir() and any((path / name).is_file() for name in HEADS)
    return urlsplit(href).scheme == "s3" and any(_is_there(f"{href.rstrip('/')}/{name}") for name in HEADS)


def _is_there(href: str) -> bool:
    try:
        looks.state(href)
    except Refused:
        return False
    return True


class Repository:
    """An open repository: one snapshot is read, and the newest is looked up to notice changes.

    Args:
        href: Address of the repository.
        allowed: Allowed locations of virtual chunks outside of its folder or bucket.

    Raises:
        UnsupportedSource: The library is missing, does not read this format, or virtual chunks are forbidden files.
        Away: It cannot be read now.
    """

    def __init__(self, href: str, allowed: AllowedPlaces | None = None) -> None:
        require_extra("icechunk", "an Icechunk repository", error=UnsupportedSource)
        import icechunk

        self._is_here = local_path(href) is not None
        self._lock = threading.Lock()
        self._looked_s = monotonic()
        icechunk.set_logs_filter("error")  # no warnings about commits; nothing is committed here
        with one_read():
            self._repository: Any = run_within_limit(icechunk.Repository.open_async(_storage(href), config=_limits()))
            virtual = VirtualAccess(self._repository.config.virtual_chunk_containers or (), places_of(href, allowed))
            if virtual.containers:
                self._authorise(virtual)
            self.snapshot = self._newest = self._look_up()
            session = run_within_limit(self._repository.readonly_session_async(snapshot_id=self.snapshot))
        if virtual.local:
            virtual.require_inside(run_within_limit(session.all_virtual_chunk_locations_async()))
        self.store: Any = session.store
        self.findings = virtual.findings

    def _authorise(self, virtual: VirtualAccess) -> None:
        import icechunk

        config = _limits()
        for container in virtual.containers.values():
            config.set_virtual_chunk_container(container)
        credentials = icechunk.containers_credentials(virtual.credentials)
        self._repository = run_within_limit(
            self._repository.reopen_async(config=config, authorize_virtual_chunk_access=credentials)
        )

    def state(self) -> str:
        """Return the snapshot that is read.

        Raises:
            Replaced: The repository is remote and has a newer snapshot. Local ones are reopened by the server.
            Away: It cannot be looked up.
        """
        if not self._is_here and self._newest_known() != self.snapshot:
            raise Replaced("the repository has a newer snapshot")
        return self.snapshot

    def is_gone(self) -> bool:
        """Return whether the repository is local and cannot be read at all."""
        try:
            return self._is_here and not self._look_up()
        except OSError:
            return True

    def _newest_known(self) -> str:
        """Return the newest snapshot, at most some seconds old."""
        with self._lock:
            is_due = monotonic() - self._looked_s >= LOOK_S
            if is_due:
                self._looked_s = monotonic()
        if is_due:
            self._newest = self._look_up()
        return self._newest

    def _look_up(self) -> str:
        return str(run_within_limit(self._repository.lookup_branch_async(BRANCH)))


def run_within_limit(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the result of a coroutine of icechunk; arguments and errors as in `result_of`."""
    from icechunk import IcechunkError

    try:
        return result_of(work)
    except IcechunkError as error:
        raise _failure(str(error)) from None


def _limits() -> Any:  # noqa: ANN401 -- icechunk's own
    import icechunk

    again_ms = round(AGAIN_S * 1000)
    return icechunk.RepositoryConfig(
        caching=icechunk.CachingConfig(num_chunk_refs=MAX_CHUNK_REFERENCES, num_bytes_chunks=0),
        storage=icechunk.StorageSettings(
            retries=icechunk.StorageRetriesSettings(
                max_tries=ATTEMPTS, initial_backoff_ms=again_ms, max_backoff_ms=again_ms
            )
        ),
    )


def _failure(message: str) -> Exception:
    """Return our error for a message of icechunk; the message is not repeated, as it may contain an address."""
    if "please upgrade" in message:
        return UnsupportedSource(
            "it is of Icechunk's format 2, which needs icechunk 2 and Python 3.12; the installed one reads format 1"
        )
    if "virtual " in message.partition("\n")[0]:
        return _virtual_failure(message)
    is_missing = any(x in message for x in _MISSING)
    if is_missing and "branch" not in message:
        return Damaged("objects of the repository are missing")
    if is_missing:
        return Refused(HTTPStatus.NOT_FOUND)
    return Away("its server does not answer, or answers with an error")


def _virtual_failure(message: str) -> Exception:
    if "has changed" in message:
        return Damaged("a file of its virtual chunks was replaced since they were written: write them again")
    if "authorize the virtual" in message or "no virtual chunk container" in message:
        return Damaged("its virtual chunks are not in an allowed container; see the findings")
    if any(x in message for x in (*_MISSING, "AccessDenied")):
        return Damaged("a file of its virtual chunks is missing, or may not be read")
    if any(x in message for x in ("range", "not enough data")):
        return Damaged("a file of its virtual chunks ends before them")
    return Away("the server of its virtual chunks does not answer, or answers with an error")


def _storage(href: str) -> Any:  # noqa: ANN401 -- icechunk's own
    import icechunk

    path = local_path(href)
    if path is not None:
        return icechunk.local_filesystem_storage(str(path))
    parts = urlsplit(href)
    if parts.scheme != "s3":
        raise UnsupportedSource("an Icechunk repository is read from a folder or from s3://")
    return icechunk.s3_storage(bucket=parts.netloc, prefix=parts.path.strip("/"), **s3_options(), **s3_keys())


@dataclass(frozen=True, slots=True)
class IcechunkStore:
    """A repository at one snapshot."""

    repository: Repository

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings about its virtual chunks."""
        return self.repository.findings

    def read_group(self) -> GroupNode:
        """Return the root group."""
        with one_read():
            return group_of_documents(run_within_limit(_documents(self.repository.store)))

    def open_array(
        self,
        node: ArrayNode,
        *,
        growing: str | None = None,  # noqa: ARG002 -- of `Store`
        caches: ReaderCaches | None = None,  # noqa: ARG002 -- of `Store`
    ) -> "IcechunkArray":
        """Return an array: a snapshot does not grow, and chunks are not cached."""
        return IcechunkArray(self.repository, node)


def open_repository(href: str, allowed: AllowedPlaces | None = None) -> IcechunkStore:
    """Return a repository at the newest snapshot of its main branch; arguments as of `Repository`."""
    return IcechunkStore(Repository(href, allowed))


async def _documents(store: Any) -> list[tuple[str, bytes]]:  # noqa: ANN401 -- icechunk's own
    """Return the metadata of groups and arrays by key."""
    from zarr.api.asynchronous import open_group

    root = await open_group(store=store, mode="r", zarr_format=3)
    nodes = [("", root), *[m async for m in root.members(max_depth=MAX_GROUP_DEPTH + 2)]]
    return [
        (
            f"{path}/zarr.json".lstrip("/"),
            orjson.dumps(node.metadata.to_dict(), default=_json, option=orjson.OPT_SERIALIZE_NUMPY),
        )
        for path, node in nodes
    ]


def _json(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


class IcechunkArray(ZarrArray):
    """One array of a snapshot."""

    def __init__(self, repository: Repository, node: ArrayNode) -> None:
        from zarr.api.asynchronous import open_array

        guard_blosc()
        self._repository, self._node = repository, node
        with one_read():
            self._array: Any = run_within_limit(open_array(store=repository.store, path=node.path, mode="r"))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a decoded unit: a chunk, or an inner chunk of a shard."""
        return tuple(self._array.chunks)

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order.

        Raises:
            Damaged: Chunks of the snapshot are missing or cannot be decoded.
            Away: They cannot be read.
        """
        with one_read():
            try:
                return np.asarray(run_within_limit(self._array.oindex.getitem(selection)))
            except Damaged:
                if self._repository.is_gone():
                    raise Away("the repository is gone") from None
                raise

    def revision(self, selection: Selection) -> str:  # noqa: ARG002 -- a snapshot is of one state
        """Return the snapshot."""
        return self._repository.state()
