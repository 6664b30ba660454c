"""Find faults in the answer to any request."""

import gzip
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import orjson
from lxml import etree

import chronotile
from tests.protocols.fuzzing.request import Request

SIGNATURES = {
    "image/tiff": b"II*\x00",
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/webp": b"RIFF",
    "image/gif": b"GIF89a",
    "application/x-netcdf": b"\x89HDF",
    "application/zip": b"PK\x03\x04",
    "application/vnd.chronotile.cube": b"CTC1",
}
PROBLEM = "application/problem+json"
OF_ALL = {404, 405, 413, 414, 416, 431}
"""Statuses of requests that are refused before or after a protocol handles them."""
OF_THIS_MACHINE = tuple({str(path).encode() for path in (Path(chronotile.__file__).parents[1], Path(sys.prefix))})
"""Folders that no answer may name."""
NOT_OFFERED = re.compile(rb"(OperationNotSupported|OptionNotSupported|Crs-NotSupported)")
"""Codes of OGC with status 501."""
SCRIPT = b"<script>alert(1)"
MARKUP = ("text/html", "image/svg+xml", "application/xhtml+xml")
ODD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that no header value may have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request of the fuzzer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    pairs: Sequence[tuple[str, str]] = ()
    """All headers in order, including repeated ones."""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def content(self) -> bytes:
        """The uncompressed body."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


def faults_of(request: Request, answer: Answer, *, secrets: Sequence[str] = ()) -> list[str]:
    """Return the faults of an answer.

    Args:
        request: The request that was sent.
        answer: The answer to it.
        secrets: Texts that an answer may contain only if the request does, such as paths of the data.
    """
    if answer.status == 599:
        return [f"no answer: {answer.body[:300]!r}"]
    found = [*_of_status(request, answer), *_of_headers(request, answer)]
    if answer.body and request.method != "HEAD" and answer.status != 206:
        found += [*_leaks(request, answer, secrets), *_misformed(answer), *_misworded(request, answer)]
    return found


def faults_of_head(answer: Answer, head: Answer) -> Iterator[str]:
    """Yield how the answer to HEAD differs from that to GET (RFC 9110 §9.3.2).

    HEAD does not read the data, so it may lack the `Warning` or the status 503 of damaged data.
    """
    if "warning" in answer.headers or answer.status == 503:
        return
    if head.status != answer.status:
        yield f"HEAD has status {head.status}, GET {answer.status}"
    for name in ("content-type", "etag", "cache-control", "content-length", "location"):
        told, expected = head.headers.get(name), answer.headers.get(name)
        if told is not None and told != expected and not (name == "content-length" and told == "0"):
            yield f"HEAD has {name} {told}, GET {expected}"


def _of_status(request: Request, answer: Answer) -> Iterator[str]:
    if answer.status == 503:
        if not answer.headers.get("retry-after", "").isdigit():
            yield "503 without Retry-After"
        if answer.headers.get("cache-control") != "no-store":
            yield "503 that may be kept"
    elif answer.status == 501:
        if request.protocol not in WORDS_OF or NOT_OFFERED.search(answer.content) is None:
            yield "501 where no standard asks for it"
    elif answer.status >= 500:
        yield f"{answer.status}: {answer.content[:300]!r}"
    if request.method == "OPTIONS" and (answer.status != 204 or "allow" not in answer.headers):
        yield f"OPTIONS has status {answer.status}"


def _of_headers(request: Request, answer: Answer) -> Iterator[str]:
    if not _is_of_jobs(request) and answer.headers.get("access-control-allow-origin") != "*":
        yield "no Access-Control-Allow-Origin"
    if answer.headers.get("x-content-type-options") != "nosniff" and request.method != "OPTIONS":
        yield "no X-Content-Type-Options"
    for name, value in answer.headers.items():
        if ODD.search(value):
            yield f"control characters in {name}: {value[:100]!r}"
    length = answer.headers.get("content-length")
    if length is not None and request.method != "HEAD" and int(length) != len(answer.body):
        yield f"content-length {length} of {len(answer.body)} bytes"


def _is_of_jobs(request: Request) -> bool:
    """Return whether a request may create, list or read jobs.

    An execution may if it requests a result by reference. Some processes always create jobs and refuse pages of other
    origins.
    """
    if request.segments[:2] == ("ogcapi", "jobs") or any(name == "prefer" for name, _ in request.headers):
        return True
    if request.segments[:1] == ("wps",):
        return True
    is_sent_by_page = any(name == "origin" for name, _ in request.headers)
    return request.segments[:2] == ("ogcapi", "processes") and (is_sent_by_page or b'"reference"' in request.body)


def _leaks(request: Request, answer: Answer, secrets: Sequence[str]) -> Iterator[str]:
    if b"Traceback (most recent call last)" in answer.content:
        yield "a traceback"
    sent = unquote(str(request)).encode(errors="replace")
    for secret in (*OF_THIS_MACHINE, *(each.encode() for each in secrets)):
        if secret in answer.content and secret not in sent:
            yield f"an answer that names {secret.decode()}"
    if answer.media_type in MARKUP and SCRIPT in answer.content:
        yield "markup of the request"


def _misformed(answer: Answer) -> Iterator[str]:
    """Yield contradictions between the body and its media type."""
    media_type = answer.media_type
    if not answer.content.startswith(SIGNATURES.get(media_type, b"")):
        yield f"no {media_type}"
    try:
        if media_type.endswith("xml"):
            etree.fromstring(answer.content, etree.XMLParser(huge_tree=True))
        elif media_type.endswith("json"):
            orjson.loads(answer.content)
        elif media_type.startswith("text/"):
            answer.content.decode()
    except (etree.XMLSyntaxError, orjson.JSONDecodeError, UnicodeDecodeError) as error:
        yield f"no {media_type}: {error}"


def _misworded(request: Request, answer: Answer) -> Iterator[str]:
    """Yield differences from the error format of the protocol."""
    if answer.status < 400:
        if request.protocol == "wms" and is_exception(answer):
            yield from _misworded_exception(answer)
        return
    words = WORDS_OF.get(request.protocol, _problem)
    if answer.media_type == PROBLEM and answer.status in OF_ALL:
        words = _problem
    if request.protocol == "viewer" and answer.media_type == "text/html":  # it is not built
        return
    fault = words(answer)
    if fault is not None:
        yield f"{answer.status} worded otherwise than its protocol has it: {fault}, {answer.content[:200]!r}"


def _misworded_exception(answer: Answer) -> Iterator[str]:
    """Yield the faults of a WMS exception with status 200."""
    fault = _service_exception(answer)
    if fault is not None:
        yield f"an exception worded otherwise than WMS has it: {fault}, {answer.content[:200]!r}"
    if answer.headers.get("cache-control") != "no-store":
        yield "an exception that may be kept"


def _problem(answer: Answer) -> str | None:
    """Return the fault of a problem document (RFC 9457), or None."""
    if answer.media_type != PROBLEM:
        return f"no {PROBLEM} but {answer.media_type!r}"
    members = orjson.loads(answer.content)
    if members.get("status") != answer.status:
        return f"status {members.get('status')}"
    return None if members.get("title") and members.get("detail") and members.get("type") else "a member is missing"


def _service_exception(answer: Answer) -> str | None:
    """Return the fault of a service exception (WMS 1.3.0 §6.11, 1.1.1 §6.7), or None."""
    if answer.media_type == "application/json":
        return None if orjson.loads(answer.content)["exceptions"][0]["text"] else "no text"
    return _report(answer, "ServiceExceptionReport", "ServiceException")


def _exception_report(answer: Answer) -> str | None:
    """Return the fault of an exception report (OWS Common 1.1 §8, 2.0 §8), or None."""
    return _report(answer, "ExceptionReport", "ExceptionText")


def is_exception(answer: Answer) -> bool:
    """Return whether an answer of WMS is an exception in XML, which may have status 200."""
    return answer.media_type.endswith("xml") and b"<ServiceExceptionReport" in answer.content


def _report(answer: Answer, root: str, text: str) -> str | None:
    if not answer.media_type.endswith("xml"):
        return f"no XML but {answer.media_type!r}"
    tree = etree.fromstring(answer.content)
    if etree.QName(tree).localname != root:
        return f"root {tree.tag}"
    found = [each for each in tree.iter() if isinstance(each.tag, str) and etree.QName(each).localname == text]
    return None if found and (found[0].text or "").strip() else f"no text in {text}"


def _exception_of_wcs(answer: Answer) -> str | None:
    """Return the fault of an exception by WCS 1.0.0 §6.5 or OWS Common, or None."""
    fault = _exception_report(answer)
    return None if fault is None else _service_exception(answer)


WORDS_OF: Mapping[str, Callable[[Answer], str | None]] = {
    "wms": _service_exception,
    "wmts": _exception_report,
    "wcs": _exception_of_wcs,
    "wps": _exception_report,
}
"""Checks of error documents by protocol; all other protocols send problem documents."""
