"""Results of an execution in the requested form: raw, multipart, as a document, or as links."""

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
from chronotile.http.if_none_match import client_etags
from chronotile.jobs.processes.registry import output_schema, process_of
from chronotile.jobs.queue.job_folder import ResultFiles, StoredFile
from chronotile.jobs.queue.result_bucket import RESULT_GONE
from chronotile.pipeline.encoders.bodies import READ_BYTES
from chronotile.protocols.common.processes.media_types import BASE64, JSON, TEXT, is_base64, is_of_file, media_type_of

REL_RESULTS = "http://www.opengis.net/def/rel/ogc/1.0/results"
MAX_INLINE_BYTES = 32 << 20
"""Maximum size of a file inside a JSON document."""
NO_HEADERS: Mapping[str, str] = {}
OF_UNCHANGED = ("etag", "last-modified", "cache-control")
"""Headers that a 304 answer repeats (RFC 9110 §15.4.5)."""
_RANGE = re.compile(r"[ \t]*(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-\d{1,18})[ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results of an execution, with their files."""

    execution: Execution
    values: Mapping[str, Result]
    files: ResultFiles
    address_of: Callable[[str], str] | None
    """Returns the URL of an output; `None` if the results are not stored."""
    job: Job | None = None
    """The job that stores the results."""


def results_of(job: Job, execution: Execution, files: ResultFiles, base: str) -> Results:
    """Return the results of a job, in the form that its execution requested."""
    address_of = partial(result_address, job, base=base)
    return Results(execution=execution, values=job.results, files=files, address_of=address_of, job=job)


def job_address(job: Job, base: str) -> str:
    """Return the URL of a job; `base` is the URL of OGC API."""
    return f"{base}/jobs/{job.id}"


def result_address(job: Job, output: str, base: str) -> str:
    """Return the URL of a result."""
    return f"{job_address(job, base)}/results/{quote(output)}"


@dataclass(frozen=True, slots=True)
class ResultPart:
    """One result by value."""

    content: bytes | Path | StoredFile
    media_type: str


class ResultBody:
    """A body of consecutive bytes and files.

    Args:
        parts: The bytes and files, in order.
        folder: Folder that is removed at the end, if not `None`.
    """

    def __init__(self, parts: Sequence[bytes | Path | StoredFile], folder: Path | None) -> None:
        self._folder = folder
        with ExitStack() as files:  # opened now, so that files removed while they are sent are sent completely
            self._parts = [files.enter_context(part.open("rb")) if isinstance(part, Path) else part for part in parts]
            self._files = files.pop_all()

    @property
    def size(self) -> int:
        """Size in bytes."""
        return sum(map(_size, self._parts))

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield all bytes; files in blocks of at most a MiB."""
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


class OpenResultFile(FileResponse):
    """A file, whole or in part, that is sent completely even if it is removed during that time.

    Args:
        path: Path of the file.
        media_type: Its media type.
        headers: Additional headers.

    Raises:
        FileNotFoundError: The file was removed.
    """

    def __init__(self, path: Path, *, media_type: str, headers: Mapping[str, str]) -> None:
        self._file = path.open("rb")
        number = self._file.fileno()
        super().__init__(f"/dev/fd/{number}", stat_result=os.fstat(number), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or 304 if the client has it already."""
        with self._file:
            if self.headers["etag"].strip('"') in client_etags(Request(scope)):
                unchanged = {name: self.headers[name] for name in OF_UNCHANGED if name in self.headers}
                await Response(status_code=304, headers=unchanged)(scope, receive, send)
                return
            accepted = [h for h in scope["headers"] if h[0] != b"range" or _asks_for_bytes(h[1])]
            await super().__call__({**scope, "headers": accepted}, receive, send)


def _asks_for_bytes(header: bytes) -> bool:
    """Return whether a header Range requests bytes; other ranges are ignored (RFC 9110 §14.2)."""
    unit, _equals, ranges = header.decode("latin-1").partition("=")
    matches = [_RANGE.fullmatch(text) for text in ranges.split(",")]
    return unit.strip().lower() == "bytes" and all(
        match is not None and not (match["first"] and match["last"] and int(match["first"]) > int(match["last"]))
        for match in matches
    )


@contextmanager
def _missing_result_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceUnavailable(RESULT_GONE) from error


def will_want_references(execution: Execution) -> bool:
    """Return whether a result of a future execution will need a URL, as far as the execution shows.

    A requested reference needs one, and so does a file in a document. Executions with an input `name` have no file.
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
    """Return results in the form that their execution requested.

    Args:
        results: The results.
        removed: Folder that is removed after sending, if not `None`.

    Raises:
        LimitExceeded: A file inside a document is too large.
        SourceUnavailable: A file is missing.
    """
    if results.execution.response == "document":
        return _respond_with([results_document(results)], JSON, removed)
    referenced = {name for name, result in results.values.items() if is_referenced(results.execution, name, result)}
    if referenced == set(results.values):
        return _nothing_but_links(results, removed)
    if len(results.values) == 1:
        (name,) = results.values
        part = part_of(results, name)
        return _respond_with([part.content], part.media_type, removed, _disposition(results.values[name]))
    return _several(results, referenced, removed)


def results_document(results: Results) -> bytes:
    """Return results as JSON, with links to results that have a URL.

    Raises:
        LimitExceeded: A file inside the document is too large.
        SourceUnavailable: A file is missing.
    """
    return orjson.dumps({name: _member(results, name, result) for name, result in results.values.items()})


def part_of(results: Results, name: str) -> ResultPart:
    """Return one result by value.

    Raises:
        SourceUnavailable: Its file is missing.
    """
    result, schema = results.values[name], output_schema(results.execution.process, name)
    media_type = media_type_of(result, schema)
    if result.file is not None:
        return ResultPart(results.files.file(result.file), media_type)
    if not isinstance(result.value, str):
        return ResultPart(orjson.dumps(result.value), media_type)
    return ResultPart(base64.b64decode(result.value) if is_base64(schema) else result.value.encode(), media_type)


@_missing_result_errors()
def file_response(results: Results, name: str, *, is_head: bool = False) -> Response:
    """Return one result: a value, a file or a range of it (RFC 9110 §14), or a redirect to a signed URL.

    Args:
        results: All results.
        name: Name of the output.
        is_head: Whether the method is HEAD: a signed URL is valid for one method.

    Raises:
        SourceUnavailable: Its file is missing.
    """
    part = part_of(results, name)
    headers = _disposition(results.values[name])
    match part.content:
        case bytes() as content:
            return Response(content, media_type=part.media_type, headers=headers)
        case Path() as file:
            return OpenResultFile(file, media_type=part.media_type, headers=headers)
        case stored:
            return RedirectResponse(stored.sign_url("HEAD" if is_head else "GET"), status_code=307)


def inline_bytes(part: ResultPart, name: str) -> bytes:
    """Return the bytes of a result for a document; `name` is the name of the output.

    Raises:
        LimitExceeded: The result is a file that is too large for a document.
    """
    if isinstance(part.content, bytes):
        return part.content
    size = _size(part.content)
    fewer = "request it by reference, or raw"
    where = f"outputs.{name}.transmissionMode"
    require_at_most("bytes of a file in a document", size, MAX_INLINE_BYTES, alternative=fewer, locator=where)
    return part.content.read_bytes()


def is_referenced(execution: Execution, name: str, result: Result) -> bool:
    """Return whether a result is answered as a URL: by default only a file in a document is."""
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
    """Return a multipart answer (RFC 2387); OGC 18-062r2 requires the bare names of outputs as part ids."""
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
    return _respond_with(parts, f"multipart/related; boundary={boundary}", removed)


def _respond_with(
    parts: Sequence[bytes | Path | StoredFile],
    media_type: str,
    removed: Path | None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    content = [part for part in parts if isinstance(part, bytes)]
    if len(content) == len(parts):
        _remove(removed)
        return Response(b"".join(content), media_type=media_type)
    body = ResultBody(parts, removed)
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
