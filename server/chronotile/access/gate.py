"""The gate before the replay of answers: it turns the credential of a request into grants.

Protocols do not check rights: `services_of` returns only the part of the catalogue that the client may use.
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
from chronotile.access.credentials import KEY_IN_PATH, Credentials, credential_of, move_to_prefix, path_of
from chronotile.access.keys import KeyCache
from chronotile.access.quotas import LEASE
from chronotile.access.sessions import SessionCache
from chronotile.core.errors import ChronotileError, SourceUnavailable, Unauthenticated, UnknownPath
from chronotile.core.model.access import AccessRules, IssuerSettings, Right
from chronotile.core.turns import CLIENT
from chronotile.http.asgi_headers import RawHeader, header_value, join_values, replace_headers
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.error_headers import SIGN_IN_RETRY_S, add_error_headers, add_limit_headers
from chronotile.http.guard import Guard
from chronotile.http.meter import COUNTER
from chronotile.http.principal import GRANTS, JOB_LINK, PRINCIPAL, SESSION_EXPIRED, Principal
from chronotile.http.problems import problem_response
from chronotile.http.request_services import SERVICES
from chronotile.http.server_state import ServerState
from chronotile.jobs.queue.shares import SHARE_PREFIX
from chronotile.pipeline.restricted_services import EVERYBODY, restrict
from chronotile.pipeline.services import Services

CHALLENGES = ('Bearer realm="chronotile"', 'Basic realm="chronotile", charset="UTF-8"')
MAX_RESTRICTED = 64
"""Cached restricted services: one per group of users with the same rights."""
_LOGIN = re.compile(r"/login(?=/(wmt?s|wcs|wps)(/|$))")
_PROCESS_PREFIXES = ("/ogcapi/processes", "/ogcapi/jobs", "/wps")
_SHARED = re.compile(r"/ogcapi/jobs/[0-9a-f]{32}(/results(/[^/]+)?)?")
"""Paths of a job that clients with a link to it may read."""
_DOWNLOAD_PREFIXES = ("/wcs", "/zarr/", "/products/")
_DOWNLOADS = re.compile(
    r"/odata/v1/Products\([^)]*\)/(\$value|Nodes|Assets)|/ogcapi/collections/[^/]+/(coverage|cube|area|radius)(/|$)"
)
_METRICS_PATH = "/metrics"
_OPERATOR_PATHS = (_METRICS_PATH, "/usage")
_READINESS_PATH = "/health/ready"
_COG_PATHS = re.compile(r"/cog(/|$)")


class AccessGate:
    """Middleware that restricts the services of each request to the rights of its credential.

    Args:
        app: The application.
        keys: The valid keys.
        sessions: Sessions of signed-in users.
        accounts: Counts requests and charges quotas.
    """

    def __init__(self, app: ASGIApp, *, keys: KeyCache, sessions: SessionCache, accounts: Accounts) -> None:
        self._app = app
        self._accounts = accounts
        self._credentials = Credentials(keys)
        self._sessions = sessions
        self._restricted = _RestrictedServices()

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
        quota_headers = self._accounts.rate_limit(scope[LEASE]) if LEASE in scope else ()
        await app(scope, receive, _add_privacy_headers(send, scope, varies, quota_headers, is_private=is_private))

    async def _admit(self, scope: Scope, state: ServerState, rules: AccessRules) -> bool:
        """Set the principal and grants of a request; return whether it has more rights than anonymous clients.

        Raises:
            Unauthenticated: The credential is not accepted, or a required credential is missing.
            TooManyTries: Too many wrong credentials came from the address.
            SourceUnavailable: The credential cannot be verified now.
            UnknownPath: The path is reserved for operators.
            QuotaExceeded: A quota of the user is used up.
        """
        principal = None
        if scope["method"] == "OPTIONS":  # CORS preflights have no Authorization; a key in their path is not checked
            move_to_prefix(scope, KEY_IN_PATH)
        else:
            principal = await self._principal(scope, state, rules)
        path = path_of(scope)
        if JOB_LINK in scope and not (scope["method"] in {"GET", "HEAD"} and _SHARED.fullmatch(path)):
            raise UnknownPath(f"there is nothing at {path[:200]!r}")
        if principal is not None:
            scope[PRINCIPAL] = principal
            CLIENT.set(f"user:{principal.name}")
        grants = scope[GRANTS] = _GrantSet(self._restricted, principal, _right_for(path))
        subjects = grants.subjects
        page = path.removesuffix("/")
        grants.is_unrestricted = page == _READINESS_PATH and not rules.operate.isdisjoint(subjects)
        needed = rules.operate if page in _OPERATOR_PATHS else rules.cog if _COG_PATHS.match(path) else None
        if needed is not None and needed.isdisjoint(subjects):
            raise _operator_refusal(path, principal)
        if rules.quotas:
            await self._accounts.charge(scope, path, rules, state.services.catalogue.service)
        if self._accounts.are_written:
            scope[COUNTER] = self._accounts
        if KEY_PATH in scope:  # caches must not store an address with a key
            return True
        if subjects is not EVERYBODY:
            scope[SERVICES] = grants.restrict(state.services)
        return grants.is_private

    async def _principal(self, scope: Scope, state: ServerState, rules: AccessRules) -> Principal | None:
        credential = credential_of(scope)
        needs_one = "/login/" in scope["path"] and move_to_prefix(scope, _LOGIN) is not None
        if credential is None and needs_one:
            raise Unauthenticated("this address needs a credential: an API key as the password, or a token")
        if credential is None and rules.client is not None:
            return await self._find_session_user(scope, rules.client)
        if credential is None or (state.items is not None and state.items.is_token(credential)):
            return None  # the operator's token permits only to change items, and these endpoints check the token
        if KEY_PATH in scope and credential.startswith(SHARE_PREFIX):
            scope[JOB_LINK] = await self._credentials.job_link(credential)
            return None
        return await self._credentials.identify(credential, rules, scope)

    async def _find_session_user(self, scope: Scope, client: IssuerSettings) -> Principal | None:
        """Return the signed-in user; `None` if the cookie is missing, wrong or expired."""
        cookie = session_cookie(scope)
        session = None if cookie is None else await self._sessions.find(session_digest(cookie, client))
        if session is not None and session.left_s <= 0:
            scope[SESSION_EXPIRED] = True
            return None
        return None if session is None else session.principal


def _operator_refusal(path: str, principal: Principal | None) -> Unauthenticated | UnknownPath:
    """Return the error for a path of operators: 404, but 401 for metrics, so that monitoring knows it needs a key."""
    if principal is None and path.startswith(_METRICS_PATH):
        return Unauthenticated(f"{_METRICS_PATH} requires the credential of an operator")
    return UnknownPath(f"there is nothing at {path[:200]!r}")


def _right_for(path: str) -> Right:
    if path.startswith(_PROCESS_PREFIXES):
        return "process"
    return "download" if path.startswith(_DOWNLOAD_PREFIXES) or _DOWNLOADS.match(path) else "see"


def _subjects_of(principal: Principal | None, right: Right) -> frozenset[str]:
    has_right = principal is not None and (principal.rights is None or right in principal.rights)
    return principal.subjects if principal is not None and has_right else EVERYBODY


@dataclass(slots=True)
class _GrantSet:
    """The grants of a client (`http.principal.Grants`)."""

    restricted: "_RestrictedServices"
    principal: Principal | None
    right: Right
    """Right that the path needs."""
    is_private: bool = False
    """Whether a part of the answer was not available to anonymous clients."""
    is_unrestricted: bool = False
    """Whether the client is an operator that requests faults of the whole archive."""

    @property
    def subjects(self) -> frozenset[str]:
        return _subjects_of(self.principal, self.right)

    def restrict(self, services: Services, right: Right | None = None) -> Services:
        right, find, origin = right or self.right, self.restricted.find_or_restrict, services.origin
        if self.is_unrestricted:
            self.is_private = True
            return origin
        subjects = _subjects_of(self.principal, right)
        restricted = find(origin, subjects, right)
        if subjects is not EVERYBODY and restricted.grant != find(origin, EVERYBODY, right).grant:
            self.is_private = True
        return restricted


class _RestrictedServices:
    """Cache of the current services, restricted: one object for all clients with the same rights."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._origin: Services | None = None
        self._cache = OrderedDict[tuple[frozenset[str], Right], Services]()

    def find_or_restrict(self, origin: Services, subjects: frozenset[str], right: Right) -> Services:
        key = subjects & origin.catalogue.named_subjects, right
        with self._lock:
            if origin is not self._origin:
                self._origin = origin
                self._cache.clear()
            restricted = self._cache.get(key)
            if restricted is None:
                restricted = self._cache[key] = restrict(origin, subjects, right)
                if len(self._cache) > MAX_RESTRICTED:
                    self._cache.popitem(last=False)
            else:
                self._cache.move_to_end(key)
            return restricted


def _refusal(error: ChronotileError, scope: Scope) -> ASGIApp:
    response = problem_response(error, Request(scope))
    if isinstance(error, UnknownPath):
        return add_error_headers(response)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, Unauthenticated):
        for challenge in CHALLENGES:
            response.headers.append("WWW-Authenticate", challenge)
    if isinstance(error, SourceUnavailable):
        response.headers["Retry-After"] = str(SIGN_IN_RETRY_S)
    return add_limit_headers(response, error)


def _is_private(scope: Scope) -> bool:
    # Whether the endpoint used a right that anonymous clients do not have.
    grants = scope.get(GRANTS)
    return grants is not None and grants.is_private


def _add_privacy_headers(
    send: Send, scope: Scope, varies: bytes, quota_headers: Collection[RawHeader], *, is_private: bool
) -> Send:
    """Return a send function that adds headers: shared caches separate answers by credential and store no private ones.

    Browsers do not send an address with a key to other sites (`Referrer-Policy`). Answers to job links are not cached.
    """

    async def send_private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            vary = b", ".join(filter(None, (join_values(headers, b"vary"), varies)))
            additions = [(b"vary", vary), *quota_headers]
            if KEY_PATH in scope:
                additions.append((b"referrer-policy", b"no-referrer"))
            if JOB_LINK in scope:
                additions.append((b"cache-control", b"private, no-store"))
            elif (is_private or _is_private(scope)) and b"no-store" not in header_value(headers, b"cache-control"):
                additions.append((b"cache-control", b"private, no-cache"))
            replace_headers(message, additions)
        await send(message)

    return send_private
