"""Answers: the steps that every operation repeats, from its resolved request to a payload.

An operation resolves its request to a target: what is read, and an ETag made of it and of the fingerprints of its
files. The payload of the target without a body then goes through these steps:

1. The client has the ETag, or a cache has the body: `find_answer` returns the answer, and no pixels are read.
2. Otherwise `make_answer` makes the body and stores it in the cache.
3. If files changed meanwhile, `PixelTarget.require_unchanged_files` raises `SourceChanged`: nothing is stored, and
   `changed_files.retry_if_files_change` starts the operation again.
4. If dates or items could not be read, `mark_missing` gives the answer another ETag, and nothing is stored.

Series are not cached: `read_answer` replaces steps 1 and 2.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import AnswerHead, Missing, Payload, PixelStates, TimeUsed
from chronotile.core.model.types import Instant
from chronotile.pipeline.changed_files import require_unchanged_files
from chronotile.pipeline.encoders.bodies import Body
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services, Stopwatch

Head = TypeVar("Head", bound=AnswerHead)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePayload(AnswerHead):
    """An encoded answer whose body is a file or is made while it is sent."""

    body: Body
    """Must be closed, even if it was sent in part only."""
    file_name: str = ""


class MaybeIncomplete(Protocol):
    """Values that may lack dates or items."""

    @property
    def missing(self) -> Missing:
        """The dates and items that could not be read."""


Values = TypeVar("Values", bound=MaybeIncomplete)


class BodyCache(Protocol):
    """Bodies of answers by ETag."""

    def get_or_make(self, key: str, make: Callable[[], bytes], /, *, is_active: IsActive) -> bytes:
        """Return a body, made at most once at a time; nothing is cached if `make` raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelTarget:
    """A request resolved to pixels of one layer."""

    layer: Layer
    time_used: TimeUsed
    states: PixelStates
    """Fingerprints of the files before they are read, for `time_used.instants` and then `time_used.base`."""
    services: Services
    """The services that read the layer. Those of an expression have a reader for it."""
    etag: str
    watch: Stopwatch = field(default_factory=Stopwatch)
    """Measures the steps of this request."""

    def payload(self, media_type: str) -> Payload:
        """Return an answer with an empty body, which is filled when it is made."""
        return Payload(
            body=b"",
            media_type=media_type,
            etag=self.etag,
            time=self.time_used,
            timing=self.watch.steps,
            states=self.states,
        )

    def require_unchanged_files(self) -> None:
        """Check that no file changed since the request was resolved.

        Raises:
            SourceChanged: A file changed.
        """
        instants = self.time_used.instants + self.time_used.base
        require_unchanged_files(self.layer, instants, self.states, self.services)


def find_answer(
    payload: Payload, client_etags: Collection[str], cached_body: Callable[[str], bytes | None]
) -> Payload | None:
    """Return the answer if the client or a cache has it, else `None`.

    Args:
        payload: The answer without its body.
        client_etags: ETags of answers that the client has.
        cached_body: Returns the body that is cached under an ETag.
    """
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    body = cached_body(payload.etag)
    return None if body is None else replace(payload, body=body)


def make_answer(
    payload: Payload,
    targets: Sequence[PixelTarget],
    make: Callable[[], tuple[bytes, Missing]],
    cache: BodyCache,
    *,
    is_active: IsActive = always_active,
) -> Payload:
    """Return the answer with a new body. The body is cached if nothing is missing.

    Args:
        payload: The answer without its body.
        targets: The targets that `make` reads.
        make: Takes memory, reads the targets and encodes them.
        cache: Stores the body.
        is_active: Whether the client still waits.

    Raises:
        SourceChanged: A file changed after its target was resolved; nothing is cached.
    """

    def make_complete_body() -> bytes:
        try:
            body, missing = make()
        finally:  # if a file changed, `SourceChanged` replaces any other error
            for target in targets:
                target.require_unchanged_files()
        if missing:
            raise _IncompleteBody(body, missing)
        return body

    try:
        return replace(payload, body=cache.get_or_make(payload.etag, make_complete_body, is_active=is_active))
    except _IncompleteBody as incomplete:
        time = times_without(payload.time, incomplete.missing.unreadable_times)
        return mark_missing(replace(payload, body=incomplete.body, time=time), incomplete.missing)


def read_answer(
    payload: Payload, client_etags: Collection[str], read: Callable[[], Values], encode: Callable[[Values], bytes]
) -> Payload:
    """Return an answer that no cache stores: unchanged if the client has it, else read and encoded.

    Args:
        payload: The answer without its body.
        client_etags: ETags of answers that the client has.
        read: Returns the values.
        encode: Returns the body.
    """
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    values = read()
    return mark_missing(replace(payload, body=encode(values)), values.missing)


def mark_missing(payload: Head, missing: Missing, *, note: str = "") -> Head:
    """Return an answer that lists its missing dates and items; its ETag differs from that of the complete answer.

    Args:
        payload: The answer.
        missing: The dates and items that could not be read.
        note: Sentence for the client that follows from the request, so it is not part of the ETag; empty for that of
            `missing`.
    """
    etag = etag_without(payload.etag, missing)
    return replace(payload, etag=etag, missing=replace(missing, note=note or missing.note))


def etag_without(etag: str, missing: Missing) -> str:
    """Return the ETag of an answer that lacks something; `etag` is that of the complete answer."""
    skipped = (*missing.skipped_items, *((missing.note,) if missing.note else ()))
    if missing.unreadable_times:
        etag = fingerprint(etag, "unreadable", missing.unreadable_times)
    return fingerprint(etag, "left out", skipped) if skipped else etag


def times_without(time: TimeUsed, unreadable_times: Sequence[Instant]) -> TimeUsed:
    """Return the times that an answer shows, without the unreadable ones."""
    instants, base = (
        tuple(instant for instant in instants if instant not in unreadable_times)
        for instants in (time.instants, time.base)
    )
    return replace(time, instants=instants, base=base)


class _IncompleteBody(Exception):
    """Carries an incomplete body past the caches, which store nothing if an exception is raised."""

    def __init__(self, body: bytes, missing: Missing) -> None:
        super().__init__("dates or items could not be read")
        self.body = body
        self.missing = missing
