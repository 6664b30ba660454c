"""The gate before the cache of answers: credentials become the part of the services that there is for the user.

No protocol knows of it: what `services_of` returns for a request is all that there is.
"""

import re
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.access.accounts import Accounts
from chronotile.access.cookies import session_cookie, session_digest
from chronotile.access.credentials import KEY_IN_PATH, Credentials, credential_of, path_of, take
from chronotile.access.keys import HeldKeys
from chronotile.access.quotas import LEASE
from chronotile.access.sessions import HeldSessions
from chronotile.archive.index.write import TRIES_S
from chronotile.core.errors import (
    ChronotileError,
    SourceUnavailable,
    Unauthenticated,
    UnknownPath,
)
from chronotile.core.model.access import AccessRules, IssuerSettings, Right
from chronotile.core.turns import CLIENT
from chronotile.http.asgi_headers import RawHeader, header_value, join_values, replace_headers
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.guard import Guard
from chronotile.http.meter import COUNTER
from chronotile.http.principal import GRANTS, JOB_LINK, PRINCIPAL, SESSION_EXPIRED, Principal
from chronotile.http.problems import problem_response
from chronotile.http.request_services import SERVICES
from chronotile.http.retry_after import add_error_caching, add_retry_after
from chronotile.http.server_state import ServerState
from chronotile.jobs.queue.shares import PREFIX as SHARE_PREFIX
from chronotile.pipeline.granted import EVERYBODY, restrict
from chronotile.pipeline.services import Services

CHALLENGES = ('Bearer realm="chronotile"', 'Basic realm="chronotile", charset="UTF-8"')
MOST_NARROWED = 64
"""Narrowed services that are kept: one for each group of users with the same rights."""
_LOGIN = re.compile(r"/login(?=/(wmt?s|wcs|wps)(/|$))")
_PROCESS_PREFIXES = ("/ogcapi/processes", "/ogcapi/jobs", "/wps")
_SHARED = re.compile(r"/ogcapi/jobs/[0-9a-f]{32}(/results(/[^/]+)?)?")
"""Paths of one job that those may read who have a link to it."""
_DOWNLOAD_PREFIXES = ("/wcs", "/zarr/", "/products/")
_DOWNLOADS = re.compile(
    r"/odata/v1/Products\([^)]*\)/(\$value|Nodes|Assets)|/ogcapi/collections/[^/]+/(coverage|cube|area|radius)(/|$)"
)
_METRICS_PATH = "/metrics"
_OPERATOR_PATHS = (_METRICS_PATH, f"{_METRICS_PATH}/", "/usage", "/usage/")
_COG_PATHS = re.compile(r"/cog(/|$)")


class Gate:
    """Narrows the services of each request to those that its credential grants, where there are rules.

    Args:
        app: The application that answers.
        keys: The valid keys.
        sessions: Of users who signed in.
        accounts: Count requests, and charge quotas.
    """

    def __init__(self, app: ASGIApp, *, keys: HeldKeys, sessions: HeldSessions, accounts: Accounts) -> None:
        self._app = app
        self._accounts = accounts
        self._credentials = Credentials(keys)
        self._sessions = sessions
        self._narrowed = _NarrowedServices()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        state: ServerState = scope["app"].state.chronotile
        rules = state.services.catalogue.access or AccessRules()
        varies = b"Authorization" if rules.client is None else b"Authorization, Cookie"
        app, is_private = self._app, True
        try:
            is_private = await self._admit(scope, state, rules)
        except ChronotileError as error:
            app = Guard(_refusal(error, scope))
        fields = self._accounts.rate_limit(scope[LEASE]) if LEASE in scope else ()
        await app(scope, receive, _with_privacy(send, scope, varies, fields, is_private=is_private))

    async def _admit(self, scope: Scope, state: ServerState, rules: AccessRules) -> bool:
        """Give the request its principal and grants; return whether these are more than those of everyone.

        Raises:
            Unauthenticated: Its credential is not accepted, or it has none where one is needed.
            TooManyTries: Its address has shown too many wrong ones.
            SourceUnavailable: What verifies credentials is away.
            UnknownPath: It is for operators.
            QuotaExceeded: The user has used up a quota.
        """
        principal = None
        if scope["method"] == "OPTIONS":  # browsers send preflights without a header, and whatever the key
            take(scope, KEY_IN_PATH)
        else:
            principal = await self._principal(scope, state, rules)
        path = path_of(scope)
        if JOB_LINK in scope and not (scope["method"] in {"GET", "HEAD"} and _SHARED.fullmatch(path)):
            raise UnknownPath(f"there is nothing at {path[:200]!r}")
        if principal is not None:
            scope[PRINCIPAL] = principal
            CLIENT.set(f"user:{principal.name}")
        grants = scope[GRANTS] = _GrantSet(self._narrowed, principal, _right_for(path))
        subjects = grants.subjects
        needed = rules.operate if path in _OPERATOR_PATHS else rules.cog if _COG_PATHS.match(path) else None
        if needed is not None and needed.isdisjoint(subjects):
            raise _operator_refusal(path, principal)
        if rules.quotas:
            await self._accounts.charge(scope, path, rules, state.services.catalogue.service)
        if self._accounts.are_kept:
            scope[COUNTER] = self._accounts
        if KEY_PATH in scope:  # a cache would keep the address, and so the key
            return True
        if subjects is not EVERYBODY:
            scope[SERVICES] = grants.restrict(state.services)
        return grants.is_private

    async def _principal(self, scope: Scope, state: ServerState, rules: AccessRules) -> Principal | None:
        credential = credential_of(scope)
        needs_one = "/login/" in scope["path"] and take(scope, _LOGIN) is not None
        if credential is None and needs_one:
            raise Unauthenticated("this address needs a credential: an API key as the password, or a token")
        if credential is None and rules.client is not None:
            return await self._of_cookie(scope, rules.client)
        if credential is None or (state.items is not None and state.items.is_token(credential)):
            return None  # what writes items verifies the operator's token; to read it grants nothing
        if KEY_PATH in scope and credential.startswith(SHARE_PREFIX):
            scope[JOB_LINK] = await self._credentials.share(credential)
            return None
        return await self._credentials.identify(credential, rules, scope)

    async def _of_cookie(self, scope: Scope, client: IssuerSettings) -> Principal | None:
        """The user who signed in; a cookie that is wrong or has expired is none."""
        cookie = session_cookie(scope)
        session = None if cookie is None else await self._sessions.find(session_digest(cookie, client))
        if session is not None and session.left_s <= 0:
            scope[SESSION_EXPIRED] = True
            return None
        return None if session is None else session.principal


def _operator_refusal(path: str, principal: Principal | None) -> Unauthenticated | UnknownPath:
    """Return the error of a path for operators; monitoring without a key has to learn that it needs one."""
    if principal is None and path.startswith(_METRICS_PATH):
        return Unauthenticated(f"{_METRICS_PATH} requires the credential of an operator")
    return UnknownPath(f"there is nothing at {path[:200]!r}")


def _right_for(path: str) -> Right:
    if path.startswith(_PROCESS_PREFIXES):
        return "process"
    return "download" if path.startswith(_DOWNLOAD_PREFIXES) or _DOWNLOADS.match(path) else "see"


def _subjects_of(principal: Principal | None, right: Right) -> frozenset[str]:
    # A key may have few rights.
    has_right = principal is not None and (principal.rights is None or right in principal.rights)
    return principal.subjects if principal is not None and has_right else EVERYBODY


@dataclass(slots=True)
class _GrantSet:
    """What a client may do, of whatever services a request comes to have."""

    narrowed: "_NarrowedServices"
    principal: Principal | None
    right: Right
    """Which the path needs."""
    is_private: bool = False
    """Whether a part of the answer was not for everyone."""

    @property
    def subjects(self) -> frozenset[str]:
        return _subjects_of(self.principal, self.right)

    def restrict(self, services: Services, right: Right | None = None) -> Services:
        right, of, origin = right or self.right, self.narrowed.of, services.origin
        subjects = _subjects_of(self.principal, right)
        found = of(origin, subjects, right)
        if subjects is not EVERYBODY and found.grant != of(origin, EVERYBODY, right).grant:
            self.is_private = True
        return found


class _NarrowedServices:
    """The services of now, narrowed: one object for all who are the same to the rules."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._origin: Services | None = None
        self._kept = OrderedDict[tuple[frozenset[str], Right], Services]()

    def of(self, origin: Services, subjects: frozenset[str], right: Right) -> Services:
        key = subjects & origin.catalogue.named_subjects, right
        with self._lock:
            if origin is not self._origin:
                self._origin = origin
                self._kept.clear()
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = restrict(origin, subjects, right)
                if len(self._kept) > MOST_NARROWED:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
            return found


def _refusal(error: ChronotileError, scope: Scope) -> ASGIApp:
    response = problem_response(error, Request(scope))
    if isinstance(error, UnknownPath):
        return add_error_caching(response)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, Unauthenticated):
        for each in CHALLENGES:
            response.headers.append("WWW-Authenticate", each)
    if isinstance(error, SourceUnavailable):
        response.headers["Retry-After"] = f"{TRIES_S:.0f}"
    return add_retry_after(response, error)


def _is_private(scope: Scope) -> bool:
    # Whether the handler has used a right that not everyone has.
    grants = scope.get(GRANTS)
    return grants is not None and grants.is_private


def _with_privacy(send: Send, scope: Scope, varies: bytes, fields: Collection[RawHeader], *, is_private: bool) -> Send:
    """Return what sends answers with more fields, that shared caches keep apart, and private ones not at all.

    Requests to other sites do not name an address with a key; what a link to a job shows stays in no cache.
    """

    async def send_private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            vary = b", ".join(filter(None, (join_values(headers, b"vary"), varies)))
            added = [(b"vary", vary), *fields]
            if KEY_PATH in scope:
                added.append((b"referrer-policy", b"no-referrer"))
            if JOB_LINK in scope:
                added.append((b"cache-control", b"private, no-store"))
            elif (is_private or _is_private(scope)) and b"no-store" not in header_value(headers, b"cache-control"):
                added.append((b"cache-control", b"private, no-cache"))
            replace_headers(message, added)
        await send(message)

    return send_private
