"""What a client would rather have: the header Prefer (RFC 7240)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

RESPOND_ASYNC = "respond-async"
WAIT = "wait"
MAX_MEMBERS = 50
MAX_CHARACTERS = 1000
"""Of all headers Prefer of a request; what lies beyond is left aside. Quotes without an end take the square of that."""
_MEMBERS = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PARTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*")+')
_ESCAPED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The preferences of a request that are known here."""

    is_async: bool
    """Whether a job is preferred to waiting."""
    wait_s: int | None
    """How long the client would wait for the results, in seconds."""

    def wants_job(self, seconds: float, *, most_s: float) -> bool:
        """Whether work that is expected to take so long shall be a job, where no request waits longer than `most_s`."""
        return self.is_async and (self.wait_s is None or seconds > min(self.wait_s, most_s))


def preferences_of(headers: Iterable[str]) -> Preferences:
    """Return what the headers Prefer of a request say; unknown preferences and values that are none are ignored.

    Of a preference that is given twice the first one counts (RFC 7240 §2).
    """
    found: dict[str, str] = {}
    for member in _MEMBERS.findall(",".join(headers)[:MAX_CHARACTERS])[:MAX_MEMBERS]:
        name, _equals, value = next(iter(_PARTS.findall(member)), "").partition("=")
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    wait = found.get(WAIT, "")
    return Preferences(is_async=RESPOND_ASYNC in found, wait_s=int(wait) if _SECONDS.fullmatch(wait) else None)


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if len(value) > 1 and value[0] == value[-1] == '"' else value
