"""Payloads as HTTP answers: validators, caching, the instant used."""

import gzip
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.http.run import DOCUMENTS, run
from chronotile.http.server_state import services_of
from chronotile.model.collection import Layer
from chronotile.model.items import Unanswered
from chronotile.model.payload import Document, Payload, PixelStates, TimeUsed
from chronotile.model.time.instants import DAY, Instant, format_instant
from chronotile.pipeline.revision import fingerprint, pixel_states
from chronotile.pipeline.search.served_index import live_names
from chronotile.pipeline.services import Services

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


def unanswered_members(unanswered: Sequence[Unanswered]) -> list[dict[str, Any]]:
    """Return the collections of which an answer lacks items, each with the reason, and whether it has some of them."""
    return [{"collection": each.collection, "reason": each.reason, "partial": each.is_partial} for each in unanswered]


def unanswered_warning(unanswered: Sequence[Unanswered]) -> str:
    """Return the warnings (RFC 7234 §5.5) that name the collections that are left out, and the incomplete ones."""
    left_out = [quote(each.collection) for each in unanswered if not each.is_partial]
    incomplete = [quote(each.collection) for each in unanswered if each.is_partial]
    named = {"left out": left_out, "incomplete": incomplete}
    return ", ".join(f'199 - "{what}: {", ".join(names)}"' for what, names in named.items() if names)


def warned(response: Response, unanswered: Sequence[Unanswered]) -> Response:
    """Return an answer that names the collections of which it lacks items, and is cached no longer than such ones."""
    if unanswered:
        response.headers.update({"Warning": unanswered_warning(unanswered), "Cache-Control": INCOMPLETE})
    return response


def warned_of_live(response: Response, layers: Iterable[Layer], services: Services) -> Response:
    """Return series that name the live collections among theirs: these have what searches found, not all that exists.

    They are cached no longer than other incomplete answers, as each search may add to them.
    """
    mosaics = {layer.collection for layer in layers if layer.main_variable.is_mosaic}
    live = mosaics.intersection(live_names(services) if mosaics else ())
    if live:
        names = ", ".join(map(quote, sorted(live)))
        found = f'199 - "incomplete: {names}; items that were searched for are here, not all"'
        headers = response.headers
        headers["Warning"] = ", ".join(filter(None, [headers.get("Warning"), found]))
        headers["Cache-Control"] = INCOMPLETE
    return response


# Documents of the catalogue: made once, in a thread, and cached until a reload.

GZIP_LEVEL = 5


async def respond_with_document(
    request: Request,
    services: Services,
    make: Callable[[], bytes],
    *,
    key: Hashable,
    media_type: str,
    cache_control: str = CURRENT,
) -> Response:
    """Return what `make` gives, cached until the day ends, another time is the newest of a layer, or a reload.

    Args:
        request: The request.
        services: What it describes.
        make: Makes it.
        key: All that it depends on but the catalogue and the time of day.
        media_type: Under which it leaves.
        cache_control: How long clients may keep it: `CURRENT` unless it depends neither on layers nor on times.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    whole_key = (key, media_type)
    document = await run(
        request, DOCUMENTS, partial(_cached, services, whole_key, lambda: _document(make(), media_type))
    )
    return _response(document, request, cache_control)


def _cached(services: Services, key: Hashable, make: Callable[[], Document]) -> Document:
    today = services.clock().astype("datetime64[D]").item()  # by which documents say which data are still updated
    return services.documents.get_or_make((key, today, _newest_of_moving(services)), make)


def _newest_of_moving(services: Services) -> tuple[int | None, ...]:
    """The newest times of layers with times to come, by index: what moves with the clock within a day."""
    latest = services.clock() + DAY
    domains = (layer.times for layer in services.catalogue.layers)
    return tuple(domain.at_or_before(latest) for domain in domains if len(domain) and domain.instants[-1] > latest)


def _document(body: bytes, media_type: str) -> Document:
    # Without the time at which it was compressed, so that equal documents are equal bytes.
    gzipped = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Document(body=body, gzipped=gzipped, media_type=media_type, etag=fingerprint(body))


def _response(document: Document, request: Request, cache_control: str) -> Response:
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if document.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, media_type=document.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(document.gzipped, media_type=document.media_type, headers=headers)


# What an answer was made of, so that the response cache may give it again.

MAX_INSTANTS = 16


MAX_LOOKS = 64
"""At files and folders, some µs each: what takes more is left to the ordinary way too."""


REMEMBERED = "chronotile.remembered"
"""Where a request records what its answer was made of."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """What an answer was made of, and in which state."""

    layer: str
    instants: tuple[Instant, ...]
    states: PixelStates

    def are_unchanged(self, services: Services) -> bool:
        """Look at the files; what is gone has changed, and what takes longer to find may have."""
        try:
            layer = services.catalogue.layer(self.layer)
            return self.states == pixel_states(layer, self.instants, services, windows=self.states.windows)
        except ChronotileError:
            return False


def remember(request: Request, payload: Payload, *, layer: str) -> None:
    """Let the answer that carries a payload, and hangs on nothing of the request but its text, be given again.

    Args:
        request: Of a layer as it is configured, not of an expression.
        payload: With the states of its pixels.
        layer: Whose pixels they are.
    """
    services = services_of(request)
    found = services.catalogue.layer(layer)
    times = found.times
    instants = payload.time.instants + payload.time.base
    if payload.unreadable or payload.left_out or payload.note:
        return
    is_small = len(instants) <= MAX_INSTANTS and payload.states.looks <= MAX_LOOKS
    if not is_small or found.collection not in services.is_local:
        return
    # Where there are times to come, which of them is the newest or the default changes with the clock.
    is_settled = len(times) == 0 or bool(times.instants[-1] <= services.clock() + DAY)
    if is_settled:
        pixels = Pixels(layer, instants, payload.states)
        request.scope[REMEMBERED] = (services, pixels, payload.etag)
