"""Requests to remote servers for parts of files and for states of files (ETag, size, time), with time limits."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from itertools import islice
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.web.inner_hosts import InnerAddress, host_of
from chronotile.core.web.places import BUCKETS, quoted_path
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.remote.buckets import CONNECT_S, REQUEST_S, open_bucket
from chronotile.readers.remote.gates import (
    Gate,
    GateClosed,
    HttpAnswer,
    HttpClient,
    NoAnswer,
    NoConnectionFree,
    TooLate,
    Undecided,
    gates,
)
from chronotile.readers.remote.s3_environment import S3Access

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore


Answer = TypeVar("Answer")

READ_S = 20.0
"""Time limit of all requests of one read together; no request starts that could exceed it."""
ATTEMPTS = 2
"""Maximum number of attempts; a request is repeated after an incomplete answer or an error, unless it was slow."""
AGAIN_S, AGAIN_WITHIN_S = 0.2, 2.0
"""Wait before the second attempt, and maximum duration of a first attempt that is repeated."""

IGNORES_RANGE = (
    "its server sends whole files where parts are requested (it ignores the header Range); serve it by one that "
    "answers 206, or copy it here"
)

TOO_LATE = "its server did not respond in time"
NO_ANSWER = "its server cannot be reached, or breaks off its answer, or its host name is wrong"
BUSY = "too many requests wait for its server; try again later"
NO_LENGTH = "its server responds without content or without its length"

ACCEPTED = ("https://", *(f"{scheme}://" for scheme in BUCKETS))

_PAST_END_STATUS = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_REFUSALS = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED, _PAST_END_STATUS}
_REDIRECTS = {301, 302, 303, 307, 308}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_PAST_END = re.compile(r"status code: 416")
_STATUS = re.compile(r"status code: (\d{3}[ A-Za-z-]*)")


class Away(OSError):
    """A remote file cannot be read now; the message has the reason, without the URL of the file."""


class WithoutParts(Away):
    """The server sends the whole file instead of the requested range."""


class GivenUp(Away, Undecided):
    """The request was cancelled or never sent; the server may be fine."""


class Refused(Away):
    """The server refuses the request: probably the URL of the file or the permissions are wrong.

    Args:
        status: HTTP status of the answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(refusal(status))
        self.status = status


def refusal(status: int) -> str:
    """Return the message for an HTTP status that refuses a file, with the probable cause."""
    if status == HTTPStatus.NOT_FOUND:
        return "its server answers 404 Not Found: is its address correct?"
    if status == _PAST_END_STATUS:
        return "its server answers 416: the file ends before the requested part"
    answers = f"its server answers {_with_phrase(status)}"
    if 300 <= status < 400:
        return f"{answers}: redirects are not followed; use the address to which it leads"
    return f"{answers}: are credentials missing, or is its address wrong?"


def _with_phrase(status: int) -> str:
    with suppress(ValueError):
        return f"{status} {HTTPStatus(status).phrase}"
    return str(status)


class Replaced(BeingWritten):
    """A remote file was replaced after it was opened."""


class ObjectState(NamedTuple):
    """Validators of a remote file, which change when the file is replaced."""

    modified_ns: int
    """Nanoseconds since 1970; 0 if unknown."""
    size: int
    tag: str
    """ETag of the file; empty if the server sends none."""


class SourceLocation(NamedTuple):
    """Location of a remote file, with access to its bucket."""

    store: "ObjectStore | None"
    """The bucket; `None`: the file is read over HTTP."""
    key: str
    """Key in the bucket; for HTTP the URL."""
    bucket: str = ""
    """URL of the bucket, such as `s3://name`; empty for HTTP."""


_time = threading.local()


@contextmanager
def one_read() -> Iterator[None]:
    """Limit the duration of all requests that this thread sends in the block to `READ_S` in total."""
    if read_deadline() is not None:
        yield
        return
    _time.deadline = monotonic() + READ_S
    try:
        yield
    finally:
        _time.deadline = None


def read_deadline() -> float | None:
    """Return the end of the read of this thread, by the clock `monotonic`; `None` outside of a read."""
    found: float | None = getattr(_time, "deadline", None)
    return found


def retry(ask: Callable[[], Answer], deadline: float | None) -> Answer:
    """Return the result of `ask`, which is called again after a broken connection or an early error.

    Args:
        ask: Sends the request.
        deadline: End of the read, by the clock `monotonic`; `None`: no limit.

    Raises:
        Away: The last attempt failed, or a request might last beyond the deadline.
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
    """A failure that may not repeat, so `retry` makes a second attempt; the last failure becomes `Away`."""


class _Late(_Broken, TooLate):
    """There was no answer in time."""


def ask_part(place: SourceLocation, start: int, stop: int, expected: ObjectState | None) -> tuple[bytes, ObjectState]:
    """Return the bytes of a file from `start` to before `stop`, fewer at its end, and its state.

    Raises:
        Replaced: The file has another ETag than `expected`.
        Away: The file cannot be read.
    """
    # A weak ETag does not guarantee equal bytes.
    tag = expected.tag if expected is not None and expected.tag.startswith('"') else None
    if place.store is None:
        headers = {"Range": f"bytes={start}-{stop - 1}"} | ({} if tag is None else {"If-Match": tag})
        return _part_of(_http("GET", place.key, headers, max_bytes=stop - start), start, stop)
    import obstore

    options: dict[str, Any] = {"range": (start, stop)} | ({} if tag is None else {"if_match": tag})
    with of_bucket(place.bucket):
        answer = obstore.get(place.store, place.key, options=options)  # type: ignore[arg-type]  # a dict of options
        return bytes(answer.bytes()), _state_of(answer.meta)


def ask_document(place: SourceLocation, max_bytes: int) -> bytes:
    """Return a whole file; its server need not support ranges.

    Raises:
        UnsupportedSource: The file is larger than `max_bytes`.
        Away: The file cannot be read.
    """
    if place.store is None:
        sent = _http("GET", place.key, {}, max_bytes=max_bytes)
        size = max(_state_of_answer(sent).size, len(sent.body))
        _require_size(size, max_bytes)
        return sent.body
    import obstore

    with of_bucket(place.bucket) as gate:
        answer = obstore.get(place.store, place.key)
        gate.hear()
        _require_size(answer.meta["size"], max_bytes)
        return bytes(answer.bytes())


def _require_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise UnsupportedSource(f"it has {size} bytes; at most {max_bytes} are read")


def ask_state(place: SourceLocation) -> ObjectState:
    """Return the state of a file; its server need not support ranges.

    Raises:
        Away: The state cannot be read.
    """
    if place.store is None:
        return _state_of_answer(_http("HEAD", place.key, {}, max_bytes=0))
    import obstore

    with of_bucket(place.bucket):
        return _state_of(obstore.head(place.store, place.key))


def ask_whether(place: SourceLocation, *, in_parts: bool) -> ObjectState | None:
    """Return the state of a file; `None` if its server answers 404.

    Args:
        place: The file.
        in_parts: Whether the file is read in parts, so that its server must support ranges.

    Raises:
        Away: The existence of the file is unknown.
    """
    try:
        return ask_part(place, 0, 1, None)[1] if in_parts else _state_of_whole(place)
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    except Replaced:
        raise Away("its server answers 412 Precondition Failed, though no condition was sent") from None


def _state_of_whole(place: SourceLocation) -> ObjectState:
    """Return the state in the headers of the whole file, whose body is not read."""
    if place.store is None:
        return _state_of_answer(_http("GET", place.key, {}, max_bytes=0))
    import obstore

    with of_bucket(place.bucket):
        return _state_of(obstore.get(place.store, place.key).meta)


def _http(method: str, url: str, headers: Mapping[str, str], *, max_bytes: int) -> HttpAnswer:
    client, gate = http_client(), gates.of(host_of(url))
    try:
        with gate.passing():
            try:
                return client.run(client.send(method, url, headers, max_bytes=max_bytes, hear=gate.hear))
            except TimeoutError:
                raise _Late(TOO_LATE) from None
            except NoConnectionFree:
                raise GivenUp(BUSY) from None
    except (InnerAddress, GateClosed) as error:
        raise Away(str(error)) from None
    except NoAnswer:
        raise _Broken(NO_ANSWER) from None


def _part_of(answer: HttpAnswer, start: int, stop: int) -> tuple[bytes, ObjectState]:
    """Return the requested bytes, fewer at the end of the file, and the size, time and `ETag` of the file."""
    _require_success(answer)
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        raise WithoutParts(IGNORES_RANGE)
    sent = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if sent is None:
        raise _Broken(NO_LENGTH)
    first, last, size = map(int, sent.groups())
    if (first, last) != (start, min(stop, size) - 1) or len(answer.body) != last - first + 1:
        raise _Broken("its server sends other bytes than were requested")
    return answer.body, _state_with(answer.headers, size)


def _state_of_answer(answer: HttpAnswer) -> ObjectState:
    _require_success(answer)
    length = answer.headers.get("Content-Length", "")
    if answer.status != HTTPStatus.OK or not length.isdecimal():
        raise _Broken(NO_LENGTH)
    return _state_with(answer.headers, int(length))


def _require_success(answer: HttpAnswer) -> None:
    """Check the status of an answer.

    Raises:
        Replaced: The file has another ETag than the request required.
        Refused: The server refuses the request or redirects it.
        _Broken: The server reports any other error.
    """
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        raise Replaced("it was replaced")
    if answer.status in _REFUSALS or answer.status in _REDIRECTS:
        raise Refused(answer.status)
    if not 200 <= answer.status < 300:
        raise _Broken(f"its server answers {_with_phrase(answer.status)}")


def _state_with(headers: Mapping[str, str], size: int) -> ObjectState:
    modified_ns = 0
    with suppress(ValueError, OverflowError):
        modified_ns = round(parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp()) * 10**9
    return ObjectState(modified_ns, size, headers.get("ETag", ""))


@cache
def http_client() -> HttpClient:
    """Return the client of this process."""
    return HttpClient(connect_s=CONNECT_S, request_s=REQUEST_S)


def _state_of(meta: "ObjectMeta") -> ObjectState:
    return ObjectState(round(meta["last_modified"].timestamp() * 1e9), meta["size"], meta["e_tag"] or "")


@contextmanager
def of_bucket(bucket: str) -> Iterator[Gate]:
    """Let the requests of the block through the gate of a bucket; yield the gate, to report received data to it.

    Args:
        bucket: Its URL, such as `s3://name`.

    Errors of obstore in the block become `Away` or a subclass, or an error that makes `retry` send the request again:
    use this only in a function that `retry` calls.
    """
    gate = gates.of(bucket)
    try:
        with gate.passing(), _convert_errors():
            yield gate
    except GateClosed as error:
        raise Away(str(error)) from None


@contextmanager
def _convert_errors() -> Iterator[None]:
    from obstore import exceptions

    begun = monotonic()
    try:
        yield
    except exceptions.PreconditionError:
        raise Replaced("it was replaced") from None
    except (exceptions.NotFoundError, FileNotFoundError):
        raise Refused(HTTPStatus.NOT_FOUND) from None
    except exceptions.NotSupportedError:
        raise WithoutParts(IGNORES_RANGE) from None
    except exceptions.PermissionDeniedError:
        raise Refused(HTTPStatus.FORBIDDEN) from None
    except exceptions.UnauthenticatedError:
        raise Refused(HTTPStatus.UNAUTHORIZED) from None
    except exceptions.BaseError as error:
        if _PAST_END.search(str(error)):
            raise Refused(_PAST_END_STATUS) from None
        reason = _reason(error, monotonic() - begun)
        raise (_Late if reason == TOO_LATE else _Broken)(reason) from None


def _reason(error: Exception, took_s: float) -> str:
    """Return why there was no answer, without the URL, which may contain a signature."""
    said = str(error)
    status = _STATUS.search(said)
    if status is not None:
        return f"its server answers {status[1].strip()}"
    if "MissingContentLength" in said:
        return NO_LENGTH
    is_late = "kind: Timeout" in said or "TimedOut" in said or took_s >= REQUEST_S
    return TOO_LATE if is_late else NO_ANSWER


def place_of(href: str, access: S3Access | None = None) -> SourceLocation:
    """Return the location of a file.

    Args:
        href: URL of the file.
        access: Access to S3, if the caller determined it for many files.

    Raises:
        UnsupportedSource: The scheme of the URL is not supported.
    """
    parts = urlsplit(href)
    if parts.scheme in {*BUCKETS, "http", "https"}:
        require_extra("s3", f"a source at {parts.scheme}://", error=UnsupportedSource)
    if parts.scheme in BUCKETS:
        store = open_bucket(parts.scheme, parts.netloc, access)
        return SourceLocation(store, unquote(parts.path).lstrip("/"), host_of(href))
    if parts.scheme in {"http", "https"}:
        return SourceLocation(None, parts._replace(path=quoted_path(parts.path), fragment="").geturl())
    raise UnsupportedSource(f"files at {parts.scheme}:// cannot be read; accepted are {', '.join(ACCEPTED)}")


MAX_FOLDERS = 1000
"""Maximum number of folders that `list_folders` returns; it omits the others."""
MAX_FILES = 1_000_000
"""Maximum number of files below a folder for `list_files`."""


def list_folders(href: str) -> list[str] | None:
    """Return the names of the folders in a folder of a bucket; `None` for a server that cannot list them.

    Raises:
        Away: The folder cannot be listed: there is no permission, or no answer.
    """
    place = place_of(f"{href.rstrip('/')}/")
    if place.store is None:
        return None
    store, key, bucket = place.store, place.key, place.bucket

    def list_them() -> list[str]:
        import obstore

        with of_bucket(bucket):
            found = obstore.list_with_delimiter(store, key)
        return [each.rstrip("/").rpartition("/")[2] for each in islice(sorted(found["common_prefixes"]), MAX_FOLDERS)]

    return retry(list_them, read_deadline())


def list_files(href: str) -> list[str] | None:
    """Return the paths of all files below a folder of a bucket, relative to it; `None` if its server cannot list them.

    Raises:
        Away: The folder cannot be listed: there is no permission, no answer, or there are too many files.
    """
    place = place_of(f"{href.rstrip('/')}/")
    if place.store is None:
        return None
    store, key, bucket = place.store, place.key, place.bucket

    def list_them() -> list[str]:
        import obstore

        found = list[str]()
        with of_bucket(bucket):
            for some in obstore.list(store, key):
                found += (each["path"].removeprefix(key) for each in some)
                if len(found) > MAX_FILES:
                    raise Away(f"it has more than {MAX_FILES} files")
        return found

    return retry(list_them, None)
