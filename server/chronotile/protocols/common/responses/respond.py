"""Payloads as HTTP answers: validators, caching, the instant used."""

from collections.abc import Sequence
from hashlib import blake2b
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chronotile.model.payload import Payload, TimeUsed
from chronotile.model.time.instants import Instant, format_instant
from chronotile.pipeline.revision import fingerprint

SHORT = "public, max-age=300, stale-while-revalidate=86400"
CURRENT = "public, max-age=60, stale-while-revalidate=60"
"""Of answers that depend on the newest time or the list of layers: caches serve these at most two minutes too long."""
INCOMPLETE = "public, max-age=60"
"""Of an answer that lacks dates."""
IMMUTABLE = "public, max-age=31536000, immutable"
MAX_INSTANTS_TOLD = 16
GZIPPED = "-gzip"
"""End of the ETag of an answer that left compressed."""


class _AnyEtag(frozenset[str]):
    """Contains every ETag: what `If-None-Match: *` lists."""

    def __contains__(self, _etag: object) -> bool:
        return True


def known_etags(request: Request) -> frozenset[str]:
    """Return the ETags of answers that the client holds (RFC 9110 §13.1.2), without quotes, weakness or encoding."""
    parts = [part.strip() for line in request.headers.getlist("if-none-match") for part in line.split(",")]
    if "*" in parts:
        return _AnyEtag()
    return frozenset(part.removeprefix("W/").strip('"').removesuffix(GZIPPED) for part in parts if part)


def respond(payload: Payload, *, is_immutable: bool = False) -> Response:
    """Return the answer that carries a payload; 304 where the client holds it already."""
    cache_headers = caching(
        payload.unreadable,
        is_immutable=is_immutable,
        is_open=payload.time.is_open,
        left_out=payload.left_out,
        note=payload.note,
    )
    headers = {"ETag": f'"{payload.etag}"', **cache_headers}
    if payload.time.instants:
        headers["Chronotile-Time"] = instants_text(payload.time)
    if payload.timing:
        headers["Server-Timing"] = ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in payload.timing)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    return Response(payload.body, media_type=payload.media_type, headers=headers)


def caching(
    unreadable: Sequence[Instant],
    *,
    is_immutable: bool = False,
    is_open: bool,
    left_out: Sequence[str] = (),
    note: str = "",
) -> dict[str, str]:
    """Return how long an answer may be cached; of one that lacks dates or items also which: they may be repaired soon.

    Args:
        unreadable: The dates that it lacks.
        is_immutable: Whether its address names the revision that it is of.
        is_open: Whether its times were resolved from an open selection (`TimeSelection.is_open`).
        left_out: Ids of the items that it lacks.
        note: What it has in place of what was requested.
    """
    if unreadable or left_out or note:
        warnings = [unreadable_warning(unreadable)] if unreadable else []
        warnings += [left_out_warning(left_out)] if left_out else []
        warnings += [f'199 - "{note}"'] if note else []
        return {"Cache-Control": INCOMPLETE, "Warning": ", ".join(warnings)}
    if is_immutable:
        return {"Cache-Control": IMMUTABLE}
    return {"Cache-Control": CURRENT if is_open else SHORT}


def unreadable_warning(unreadable: Sequence[Instant]) -> str:
    """Return the warning (RFC 7234 §5.5) that names the dates that could not be read, oldest first."""
    named = ", ".join(format_instant(instant) for instant in unreadable[:MAX_INSTANTS_TOLD])
    more = len(unreadable) - MAX_INSTANTS_TOLD
    return f'199 - "unreadable: {named}{f", and {more} more" if more > 0 else ""}"'


def left_out_warning(left_out: Sequence[str]) -> str:
    """Return the warning that names the items that could not be read."""
    named = ", ".join(quote(item, safe=" :()+,;=@!*") for item in left_out[:MAX_INSTANTS_TOLD])
    more = len(left_out) - MAX_INSTANTS_TOLD
    return f'199 - "left out: {named}{f", and {more} more" if more > 0 else ""}"'


def respond_with_content(body: bytes, media_type: str, request: Request, *, cache_control: str = CURRENT) -> Response:
    """Return a document that is cheap to make, validated by its content; 304 where the client holds it already.

    Args:
        body: Of the document.
        media_type: Under which it leaves.
        request: The request.
        cache_control: How long it may be cached: `CURRENT` unless it depends neither on layers nor on times.
    """
    etag = fingerprint(blake2b(body, digest_size=16).hexdigest())  # which lets other threads run
    payload = Payload(body=body, media_type=media_type, etag=etag, unchanged=etag in known_etags(request))
    response = respond(payload)
    response.headers["Cache-Control"] = cache_control
    return response


def instants_text(time: TimeUsed) -> str:
    """Return the instants used, newest first; of many, the interval they lie in; and those a difference is from."""
    shown = _listed(time.instants)
    return f"{shown};difference={_listed(time.base)}" if time.base else shown


def _listed(instants: tuple[Instant, ...]) -> str:
    if len(instants) > MAX_INSTANTS_TOLD:
        return f"{format_instant(instants[-1])}/{format_instant(instants[0])}"
    return ",".join(format_instant(instant) for instant in instants)
