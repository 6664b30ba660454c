"""What came of a process, as the client wants it: raw, in several parts, as a document, or where it lies."""

import base64
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import SourceUnavailable, require_at_most
from chronotile.core.model.job import Execution, Job, Result
from chronotile.http.bodies import BodyResponse
from chronotile.http.etags import client_etags
from chronotile.jobs.processes.registry import output_schema, process_of
from chronotile.jobs.queue.bucket import RESULT_GONE
from chronotile.jobs.queue.job_folder import ResultFiles, StoredFile
from chronotile.pipeline.encoders.bodies import READ_BYTES
from chronotile.protocols.common.processes.media_types import BASE64, JSON, TEXT, is_base64, is_of_file, media_type_of

REL_RESULTS = "http://www.opengis.net/def/rel/ogc/1.0/results"
MOST_INLINE_BYTES = 32 << 20
"""Of a file that is part of a JSON document."""
NO_HEADERS: Mapping[str, str] = {}
OF_UNCHANGED = ("etag", "last-modified", "cache-control")
"""Headers that an answer without its body has too (RFC 9110 §15.4.5)."""
_RANGE = re.compile(r"[ \t]*(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-\d{1,18})[ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What came of an execution."""

    execution: Execution
    values: Mapping[str, Result]
    files: ResultFiles
    address_of: Callable[[str], str] | None
    """Where an output lies, by its name; `None` where it lies nowhere but here."""
    job: Job | None = None
    """As whose they are stored."""


def results_of(job: Job, execution: Execution, files: ResultFiles, base: str) -> Results:
    """Return what came of a job, whose results are given as an execution wants them."""
    address_of = partial(result_address, job, base=base)
    return Results(execution=execution, values=job.results, files=files, address_of=address_of, job=job)


def job_address(job: Job, base: str) -> str:
    """Return the URL of a job; `base` is that of the tree of OGC API."""
    return f"{base}/jobs/{job.id}"


def result_address(job: Job, output: str, base: str) -> str:
    """Return where one of its results is."""
    return f"{job_address(job, base)}/results/{quote(output)}"


@dataclass(frozen=True, slots=True)
class Part:
    """One result by value."""

    content: bytes | Path | StoredFile
    media_type: str


class Parts:
    """A body of bytes and files, one after another.

    Args:
        parts: In their order.
        folder: Removed in the end, if there is one.
    """

    def __init__(self, parts: Sequence[bytes | Path | StoredFile], folder: Path | None) -> None:
        self._folder = folder
        with ExitStack() as files:  # open from now on, so that they are sent to their ends though they are removed
            self._parts = [files.enter_context(part.open("rb")) if isinstance(part, Path) else part for part in parts]
            self._files = files.pop_all()

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(_size, self._parts))

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time of a file."""
        for part in self._parts:
            match part:
                case bytes():
                    yield part
                case StoredFile():
                    yield from part.iter_bytes()
                case file:
                    yield from iter(partial(file.read, READ_BYTES), b"")

    def close(self) -> None:
        """Remove the folder."""
        self._files.close()
        _remove(self._folder)


def _size(part: bytes | Path | BufferedReader | StoredFile) -> int:
    match part:
        case bytes():
            return len(part)
        case StoredFile():
            return part.size
        case Path():
            return part.stat().st_size
        case file:
            return os.fstat(file.fileno()).st_size


class OpenFile(FileResponse):
    """A file, whole or in part, that is sent to its end though it is removed meanwhile.

    Args:
        path: Of the file.
        media_type: Its own.
        headers: More of them.

    Raises:
        FileNotFoundError: It is gone already.
    """

    def __init__(self, path: Path, *, media_type: str, headers: Mapping[str, str]) -> None:
        self._file = path.open("rb")
        number = self._file.fileno()
        super().__init__(f"/dev/fd/{number}", stat_result=os.fstat(number), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or say that the client holds it already."""
        with self._file:
            if self.headers["etag"].strip('"') in client_etags(Request(scope)):
                unchanged = {name: self.headers[name] for name in OF_UNCHANGED if name in self.headers}
                await Response(status_code=304, headers=unchanged)(scope, receive, send)
                return
            accepted = [each for each in scope["headers"] if each[0] != b"range" or _asks_for_bytes(each[1])]
            await super().__call__({**scope, "headers": accepted}, receive, send)


def _asks_for_bytes(header: bytes) -> bool:
    """Whether a header Range has ranges of bytes; others are as if they were not there (RFC 9110 §14.2)."""
    unit, _equals, ranges = header.decode("latin-1").partition("=")
    found = [_RANGE.fullmatch(each) for each in ranges.split(",")]
    return unit.strip().lower() == "bytes" and all(
        each is not None and not (each["first"] and each["last"] and int(each["first"]) > int(each["last"]))
        for each in found
    )


@contextmanager
def _missing_result_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceUnavailable(RESULT_GONE) from error


def will_want_references(execution: Execution) -> bool:
    """Return whether some result of an execution that is not done yet will have to lie somewhere, as far as is known.

    It is where that is requested, or a result that is a file is part of a document. One that has a name is not a file.
    """
    outputs = process_of(execution.process).outputs
    return any(
        (mode := (execution.outputs or {}).get(name, {}).get("transmissionMode")) == "reference"
        or (
            mode is None
            and execution.response == "document"
            and is_of_file(outputs[name].schema)
            and "name" not in execution.inputs
        )
        for name in (execution.outputs or outputs)
    )


@_missing_result_errors()
def results_response(results: Results, removed: Path | None = None) -> Response:
    """Return results as their execution wants them.

    Args:
        results: What came of it.
        removed: A folder that is removed when they were sent, if there is one.

    Raises:
        LimitExceeded: A file that shall be part of a document is too large for that.
        SourceUnavailable: A file is gone.
    """
    if results.execution.response == "document":
        return _sent([results_document(results)], JSON, removed)
    referenced = {name for name, each in results.values.items() if is_referenced(results.execution, name, each)}
    if referenced == set(results.values):
        return _nothing_but_links(results, removed)
    if len(results.values) == 1:
        (name,) = results.values
        part = part_of(results, name)
        return _sent([part.content], part.media_type, removed, _disposition(results.values[name]))
    return _several(results, referenced, removed)


def results_document(results: Results) -> bytes:
    """Return results as JSON, with links to those that lie somewhere.

    Raises:
        LimitExceeded: A file that shall be part of it is too large for that.
        SourceUnavailable: A file is gone.
    """
    return orjson.dumps({name: _member(results, name, result) for name, result in results.values.items()})


def part_of(results: Results, name: str) -> Part:
    """Return one result by value.

    Raises:
        SourceUnavailable: Its file is gone.
    """
    result, schema = results.values[name], output_schema(results.execution.process, name)
    media_type = media_type_of(result, schema)
    if result.file is not None:
        return Part(results.files.file(result.file), media_type)
    if not isinstance(result.value, str):
        return Part(orjson.dumps(result.value), media_type)
    return Part(base64.b64decode(result.value) if is_base64(schema) else result.value.encode(), media_type)


@_missing_result_errors()
def file_response(results: Results, name: str, *, is_head: bool = False) -> Response:
    """Return one result; of a file also a part of it (RFC 9110 §14), or where it is to be had for a while.

    Args:
        results: Among which it is.
        name: Of its output.
        is_head: Whether only its headers are requested: what leads elsewhere is good for that alone.

    Raises:
        SourceUnavailable: Its file is gone.
    """
    part = part_of(results, name)
    headers = _disposition(results.values[name])
    match part.content:
        case bytes() as content:
            return Response(content, media_type=part.media_type, headers=headers)
        case Path() as file:
            return OpenFile(file, media_type=part.media_type, headers=headers)
        case stored:
            return RedirectResponse(stored.sign_url("HEAD" if is_head else "GET"), status_code=307)


def inline_bytes(part: Part, name: str) -> bytes:
    """Return what a document has of a result by value; `name` is that of its output.

    Raises:
        LimitExceeded: It is a file that is too large for that.
    """
    if isinstance(part.content, bytes):
        return part.content
    size = _size(part.content)
    fewer = "request it by reference, or raw"
    where = f"outputs.{name}.transmissionMode"
    require_at_most("bytes of a file in a document", size, MOST_INLINE_BYTES, alternative=fewer, locator=where)
    return part.content.read_bytes()


def is_referenced(execution: Execution, name: str, result: Result) -> bool:
    """Return whether a result has to lie somewhere: a file has no place in a document, unless that is requested."""
    mode = (execution.outputs or {}).get(name, {}).get("transmissionMode")
    default = "reference" if execution.response == "document" and result.file is not None else "value"
    return (mode or default) == "reference"


def _member(results: Results, name: str, result: Result) -> object:
    if is_referenced(results.execution, name, result):
        return {"href": _address(results, name), "type": part_of(results, name).media_type, "title": name}
    part = part_of(results, name)
    plain = part.media_type.partition(";")[0]
    if not isinstance(part.content, bytes):
        content = base64.b64encode(inline_bytes(part, name)).decode()
        return {"value": content, "mediaType": plain, "encoding": BASE64}
    schema = output_schema(results.execution.process, name)
    if isinstance(result.value, str) and is_base64(schema):
        return {"value": result.value, "mediaType": plain, "encoding": BASE64}
    is_bare = not isinstance(result.value, dict) or schema.get("format") == "ogc-bbox"
    return result.value if is_bare and plain in {JSON, TEXT} else {"value": result.value, "mediaType": plain}


def _nothing_but_links(results: Results, removed: Path | None) -> Response:
    response = Response(status_code=204)
    for name in results.values:
        media_type = part_of(results, name).media_type
        link = f'<{_address(results, name)}>; rel="{REL_RESULTS}"; type="{media_type}"; title="{name}"'
        response.headers.append("Link", link)
    _remove(removed)
    return response


def _several(results: Results, referenced: set[str], removed: Path | None) -> Response:
    """Parts that belong together (RFC 2387); OGC 18-062r2 wants their ids to be the bare names of outputs."""
    boundary = secrets.token_hex(16)
    parts: list[bytes | Path | StoredFile] = []
    for name in results.values:
        part = part_of(results, name)
        head = f"--{boundary}\r\nContent-ID: {name}\r\nContent-Type: {part.media_type}\r\n"
        if name in referenced:
            parts.append(f"{head}Content-Location: {_address(results, name)}\r\n\r\n\r\n".encode())
        else:
            parts += [f"{head}Content-Length: {_size(part.content)}\r\n\r\n".encode(), part.content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return _sent(parts, f"multipart/related; boundary={boundary}", removed)


def _sent(
    parts: Sequence[bytes | Path | StoredFile],
    media_type: str,
    removed: Path | None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    content = [part for part in parts if isinstance(part, bytes)]
    if len(content) == len(parts):
        _remove(removed)
        return Response(b"".join(content), media_type=media_type)
    body = Parts(parts, removed)
    return BodyResponse(body, media_type=media_type, headers={"Content-Length": str(body.size), **headers})


def _disposition(result: Result) -> Mapping[str, str]:
    return NO_HEADERS if result.file is None else {"Content-Disposition": f'attachment; filename="{result.file}"'}


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _address(results: Results, name: str) -> str:
    if results.address_of is None:
        raise SourceUnavailable("no results can be stored now")
    return results.address_of(name)
