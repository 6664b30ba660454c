"""Requests to servers elsewhere: of parts of files and of their states, each within a bound of time."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from chronotile.errors import UnsupportedSource
from chronotile.extras import require_extra
from chronotile.readers.foreign import BeingWritten
from chronotile.readers.remote.s3_environment import S3Access, s3_access

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

Answer = TypeVar("Answer")

CONNECT_S = 3.0
"""How long a server may take to accept a connection."""
REQUEST_S = 8.0
"""How long one request may take, its whole answer included."""
READ_S = 20.0
"""How long all requests of one read may take; none is begun that could last longer."""
ATTEMPTS = 2
"""How often a part is requested whose answer was cut off or an error; what took long is not requested again."""
AGAIN_S, AGAIN_WITHIN_S = 0.2, 2.0
"""How long to wait before the second attempt, and how long the first may have taken."""
MOST_STORES = 64

IGNORES_RANGE = (
    "its server sends whole files where parts are requested (it ignores the header Range); serve it by one that "
    "answers 206, or copy it here"
)

_STATUS = re.compile(r"status code: (\d{3}[ A-Za-z-]*)")


class Away(OSError):
    """A file elsewhere cannot be read now; the message has the reason, without the file's address."""


class Refused(Away):
    """Its server answers and does not give it: its address or permissions are wrong, more likely than that it is away.

    Args:
        status: Of the answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(refusal(status))
        self.status = status


def refusal(status: int) -> str:
    """Return what a response with this status means for a source."""
    if status == HTTPStatus.NOT_FOUND:
        return "its server answers 404 Not Found: is its address correct?"
    return f"its server answers {status} {HTTPStatus(status).phrase}: are credentials missing, or is its address wrong?"


class Replaced(BeingWritten):
    """A file elsewhere was replaced since it was opened."""


class ObjectState(NamedTuple):
    """What changes when a file elsewhere is replaced."""

    modified_ns: int
    size: int
    tag: str
    """Its ETag, if there is one."""


class Place(NamedTuple):
    """Where a file is: the store of its server or bucket, and its key in it."""

    store: "ObjectStore"
    key: str


_time = threading.local()


@contextmanager
def one_read() -> Iterator[None]:
    """Limit all requests of this thread in the block to `READ_S` together."""
    if read_deadline() is not None:
        yield
        return
    _time.deadline = monotonic() + READ_S
    try:
        yield
    finally:
        _time.deadline = None


def read_deadline() -> float | None:
    """Return when the read of this thread must be over, by the clock `monotonic`; `None` outside of one."""
    found: float | None = getattr(_time, "deadline", None)
    return found


def retry(ask: Callable[[], Answer], deadline: float | None) -> Answer:
    """Return the result of `ask`, which is called again after a broken connection or an early error.

    Raises:
        Away: There was no answer, or there is no time left for one.
    """
    for attempt in range(1, ATTEMPTS + 1):
        begun = monotonic()
        if deadline is not None and begun + REQUEST_S > deadline:
            raise Away(f"reading it takes longer than {READ_S:g} s")
        try:
            return ask()
        except _Broken as error:
            if attempt == ATTEMPTS or monotonic() - begun > AGAIN_WITHIN_S:
                raise Away(str(error)) from None
            sleep(AGAIN_S)
    raise AssertionError


class _Broken(Exception):
    """A failure that may not repeat."""


def ask_part(place: Place, start: int, stop: int, expected: ObjectState | None) -> tuple[bytes, ObjectState]:
    """Return bytes of a file, and its state.

    Raises:
        Replaced: It is not in the expected state.
        Away: It cannot be read.
    """
    import obstore

    options: dict[str, Any] = {"range": (start, stop)}
    if expected is not None and expected.tag.startswith('"'):  # a weak ETag does not guarantee equal bytes
        options["if_match"] = expected.tag
    with _in_our_words():
        answer = obstore.get(place.store, place.key, options=options)  # type: ignore[arg-type]  # a dict of options
        return bytes(answer.bytes()), _state_of(answer.meta)


def ask_state(place: Place) -> ObjectState:
    """Return the state of a file, whose server need not give parts of it.

    Raises:
        Away: It cannot be read.
    """
    import obstore

    with _in_our_words():
        return _state_of(obstore.head(place.store, place.key))


def ask_whether(place: Place, *, in_parts: bool) -> ObjectState | None:
    """Return the state of a file, or `None` if its server answers that there is none (404).

    Args:
        place: Where it is.
        in_parts: Whether parts of it are read.

    Raises:
        Away: Neither is known.
    """
    import obstore

    try:
        if in_parts:
            return ask_part(place, 0, 1, None)[1]
        with _in_our_words():
            return _state_of(obstore.get(place.store, place.key).meta)
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    except Replaced:
        raise Away("its server answers 412 Precondition Failed, though no condition was sent") from None


def _state_of(meta: "ObjectMeta") -> ObjectState:
    return ObjectState(round(meta["last_modified"].timestamp() * 1e9), meta["size"], meta["e_tag"] or "")


@contextmanager
def _in_our_words() -> Iterator[None]:
    from obstore import exceptions

    begun = monotonic()
    try:
        yield
    except exceptions.PreconditionError:
        raise Replaced("it was replaced") from None
    except (exceptions.NotFoundError, FileNotFoundError):
        raise Refused(HTTPStatus.NOT_FOUND) from None
    except exceptions.NotSupportedError:
        raise Away(IGNORES_RANGE) from None
    except exceptions.PermissionDeniedError:
        raise Refused(HTTPStatus.FORBIDDEN) from None
    except exceptions.UnauthenticatedError:
        raise Refused(HTTPStatus.UNAUTHORIZED) from None
    except exceptions.BaseError as error:
        raise _Broken(_reason(error, monotonic() - begun)) from None


def _reason(error: Exception, took_s: float) -> str:
    """Why there was no answer, without the place, which may hold a signature."""
    said = str(error)
    status = _STATUS.search(said)
    if status is not None:
        return f"its server answers {status[1].strip()}"
    if "MissingContentLength" in said:
        return "its server responds without content or without its length"
    if "kind: Timeout" in said or "TimedOut" in said or took_s >= REQUEST_S:
        return "its server did not respond in time"
    return "its server cannot be reached, or breaks off its answer, or its host name is wrong"


def place_of(href: str) -> Place:
    """Return where a file is.

    Raises:
        UnsupportedSource: Nothing is read from such places.
    """
    parts = urlsplit(href)
    key = unquote(parts.path).lstrip("/")
    if parts.scheme in {"s3", "http", "https"}:
        require_extra("s3", f"a source at {parts.scheme}://", error=UnsupportedSource)
    if parts.scheme == "s3":
        return Place(_s3_store(parts.netloc, s3_access()), key)
    if parts.scheme in {"http", "https"}:
        return Place(_http_store(parts._replace(path="/", fragment="").geturl()), key)
    raise UnsupportedSource(f"files at {parts.scheme}:// cannot be read; those at https:// and s3:// can")


@lru_cache(maxsize=MOST_STORES)
def _http_store(root: str) -> "ObjectStore":
    """The files of a server; with the query that a signed URL has."""
    from obstore.store import HTTPStore

    return HTTPStore.from_url(root, **_limits())


@lru_cache(maxsize=MOST_STORES)
def _s3_store(bucket: str, access: S3Access) -> "ObjectStore":
    from obstore.store import S3Store

    return S3Store(bucket, **access.obstore_config(), **_limits())


def _limits() -> dict[str, Any]:
    return {
        "client_options": {
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "timeout": timedelta(seconds=REQUEST_S),
            "user_agent": "chronotile",
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=REQUEST_S)},
    }
