"""Signing in and out in a browser (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207): tokens stay at the server."""

import hmac
import logging
import re
import secrets
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.access.cookies import (
    SESSION,
    STARTED,
    STARTED_S,
    Site,
    cookie_of,
    is_of_own_page,
    session_cookie,
    session_digest,
    site_of,
)
from chronotile.access.sessions import (
    IDENTITY,
    MAY,
    REFRESH,
    HeldSessions,
    Session,
    Sessions,
    new_id,
    stored_tokens,
)
from chronotile.access.tokens import Issuer
from chronotile.core.errors import (
    AccessRefused,
    ChronotileError,
    InvalidParameter,
    SourceUnavailable,
    Unauthenticated,
    UnknownPath,
)
from chronotile.core.web.fetch import fetch
from chronotile.http.endpoint import endpoint, problem_response
from chronotile.http.run import FETCHES, KEY_PATH, Principal, run, services_of

VIEWER = "/viewer/"
MOST_ANSWER_BYTES = 1 << 17
NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}
LOOKS, LOOK_S = 80, 0.25
"""How often, and after which time, it is looked whether another request has renewed a session."""
NOT_ALLOWED = "the identity provider does not let this user in, or not any more"
NOT_BEGUN = "signing in was not begun in this browser, or more than ten minutes ago"
_RETURN = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2500}")
"""A path of this server, with its query: no other host, no backslash, no space."""
_CODE = re.compile(r"[a-z_]{1,40}")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signing in failed</title>
<h1>Signing in failed</h1>
<p>{why}.</p>
<p><a href="{again}">Try again</a>, or <a href="{viewer}">continue without signing in</a>.</p>
</html>
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a browser keeps while its user is at the provider; another browser cannot use it."""

    state: str
    nonce: str
    verifier: str
    return_to: str

    def cookie(self) -> str:
        """Return it as the value of a cookie."""
        parts = (self.state, self.nonce, self.verifier, self.return_to)
        return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


class SignIn:
    """The routes by which users sign in and out.

    Args:
        sessions: Of those who have.
        secret: Of the client at the provider; `None`: it is a public one.
    """

    def __init__(self, sessions: HeldSessions, *, secret: str | None) -> None:
        self._sessions = sessions
        self._secret = secret
        self._issuer: Issuer | None = None
        self.routes = (
            Route("/signin", endpoint(self.start, _page)),
            Route("/signin/callback", endpoint(self.finish, _page)),
            Route("/signin/session", endpoint(self.get_session, problem_response)),
            Route("/signin/renew", endpoint(self.renew, problem_response), methods=["POST"]),
            Route("/signout", endpoint(self.sign_out, problem_response), methods=["POST"]),
        )

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider."""
        issuer, site = await self._provider(request), site_of(request.scope)
        return_to = _return_path(request.query_params.get("return", VIEWER))
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        started = Started(state=state, nonce=nonce, verifier=verifier, return_to=return_to)
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        parameters = {
            "response_type": "code",
            "client_id": issuer.settings.client_id,
            "redirect_uri": f"{site.base}/signin/callback",
            "scope": issuer.settings.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = _with_query(_address(issuer, "authorization_endpoint"), parameters)
        response = RedirectResponse(address, 303, headers=NO_STORE)
        site.set(response, STARTED, started.cookie(), max_age=STARTED_S)
        return response

    async def finish(self, request: Request) -> Response:
        """Exchange the code that the provider gave to the browser for tokens, and begin a session."""
        issuer, site = await self._provider(request), site_of(request.scope)
        started, query = _started(request, site), request.query_params
        if not hmac.compare_digest(query.get("state", "").encode(), started.state.encode()):
            raise InvalidParameter(NOT_BEGUN, locator="state")
        if query.get("iss", "" if issuer.names_itself else issuer.settings.issuer) != issuer.settings.issuer:
            raise InvalidParameter("the answer is from another identity provider", locator="iss")
        if "code" not in query:
            code = query.get("error", "")
            raise AccessRefused(f"{NOT_ALLOWED}{f' ({code})' if _CODE.fullmatch(code) else ''}")
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": f"{site.base}/signin/callback",
            "code_verifier": started.verifier,
        }
        tokens, principal = await self._tokens(request, issuer, form)
        title = _named(issuer, tokens.get(IDENTITY, ""), started.nonce)
        await self._end(request)
        id_ = new_id()
        digest = session_digest(id_, issuer.settings)
        await self._sessions.use(lambda table: table.begin(id_, digest, principal, title=title, tokens=tokens))
        response = RedirectResponse(f"{site.base}{started.return_to}", 303, headers=NO_STORE)
        site.set(response, SESSION, id_)
        site.set(response, STARTED, "")
        return response

    async def get_session(self, request: Request) -> Response:
        """Return who is signed in, and for how long."""
        _id, _digest, session = await self._session(request)
        return _described(request, session)

    async def renew(self, request: Request) -> Response:
        """Renew the session, once for all who want it to be, and return it; one that cannot be renewed ends."""
        _require_own_page(request)
        id_, digest, session = await self._session(request)
        for _ in range(LOOKS):
            if session is None or session.is_fresh or not session.is_renewable:
                return _described(request, session)
            if await self._sessions.use(partial(Sessions.claim, digest=digest, renewed=session.renewed)):
                return _described(request, await self._renewed(request, id_, digest, session))
            await anyio.sleep(LOOK_S)
            session = await self._sessions.use(partial(Sessions.find, digest=digest))
        raise SourceUnavailable("the session is being renewed; try again later")

    async def sign_out(self, request: Request) -> Response:
        """End the session, and return where the browser ends that at the provider, if it can."""
        _require_own_page(request)
        issuer, site = await self._provider(request), site_of(request.scope)
        tokens = await self._end(request)
        address = issuer.address("end_session_endpoint")
        parameters = {
            "client_id": issuer.settings.client_id,
            "post_logout_redirect_uri": f"{site.base}{VIEWER}",
            **({"id_token_hint": tokens[IDENTITY]} if IDENTITY in tokens else {}),
        }
        response = _json({"end_session": None if address is None else _with_query(address, parameters)})
        site.set(response, SESSION, "")
        return response

    async def _provider(self, request: Request) -> Issuer:
        """Return the provider; errors are those of a server without one.

        Raises:
            UnknownPath: Users cannot sign in here.
        """
        access = services_of(request).catalogue.access
        client = None if access is None or KEY_PATH in request.scope else access.client
        if client is None:
            raise UnknownPath(f"there is nothing at {request.scope['path'][:200]!r}")
        if self._issuer is None or self._issuer.settings != client:
            self._issuer = Issuer(client)
        issuer = self._issuer
        await issuer.refresh(None)
        return issuer

    async def _session(self, request: Request) -> tuple[str, bytes, Session | None]:
        """Return the cookie of a request, its digest, and the session as the database has it now."""
        issuer = await self._provider(request)
        id_ = session_cookie(request.scope) or ""
        digest = session_digest(id_, issuer.settings)
        return id_, digest, await self._sessions.use(partial(Sessions.find, digest=digest)) if id_ else None

    async def _end(self, request: Request) -> dict[str, str]:
        """End the session of a browser, if it has one, and return its tokens."""
        issuer = await self._provider(request)
        id_ = cookie_of(request.scope, site_of(request.scope), SESSION)
        if id_ is None:
            return {}
        digest = session_digest(id_, issuer.settings)
        session = await self._sessions.use(partial(Sessions.find, digest=digest))
        await self._sessions.use(partial(Sessions.end, digest=digest))
        self._sessions.forget(digest)
        return {} if session is None else stored_tokens(session, id_)

    async def _renewed(self, request: Request, id_: str, digest: bytes, session: Session) -> Session | None:
        """Return a session with what the provider says of its user now; `None` if it does not let the user in."""
        issuer, use = await self._provider(request), self._sessions.use
        before = stored_tokens(session, id_)
        try:
            form = {"grant_type": REFRESH, REFRESH: before[REFRESH]}
            after, principal = await self._tokens(request, issuer, form)
            if principal.name != session.principal.name:
                raise AccessRefused(NOT_ALLOWED)
        except AccessRefused:
            await use(partial(Sessions.end, digest=digest))
            return None
        except ChronotileError:
            await use(partial(Sessions.release, digest=digest))
            raise
        finally:
            self._sessions.forget(digest)
        await use(lambda table: table.renew(id_, digest, principal, before | after))
        return replace(session, principal=replace(principal, rights=MAY))

    async def _tokens(
        self, request: Request, issuer: Issuer, form: Mapping[str, str]
    ) -> tuple[dict[str, str], Principal]:
        """Return the tokens to store that the provider gives, and whose they are.

        Raises:
            AccessRefused: It gives none, or its access token is not accepted.
            SourceUnavailable: It does not answer.
        """
        client, address = issuer.settings.client_id or "", _address(issuer, "token_endpoint")
        headers = {"Accept": "application/json"}
        if self._secret is not None:
            pair = f"{quote_plus(client)}:{quote_plus(self._secret)}"  # RFC 6749 §2.3.1
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        body = urlencode({**form, "client_id": client}).encode()
        ask = partial(fetch, address, max_bytes=MOST_ANSWER_BYTES, locator="the provider", body=body, headers=headers)
        try:
            fetched = await run(request, FETCHES, ask, hosts=(urlsplit(address).hostname or "",))
            answer: Any = orjson.loads(fetched.body)
            token = answer["access_token"]
            await issuer.refresh(token)
            principal = issuer.verify(token)
        except InvalidParameter as error:
            log.warning("the identity provider gives no token: %s", error)
            raise AccessRefused(NOT_ALLOWED) from error
        except Unauthenticated as error:
            log.warning("the access token of the identity provider is not accepted; is its audience that of `access`?")
            raise AccessRefused("the token of the identity provider is not accepted here") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SourceUnavailable("the answer of the identity provider is not understood") from error
        return {name: answer[name] for name in (REFRESH, IDENTITY) if isinstance(answer.get(name), str)}, principal


def _named(issuer: Issuer, id_token: str, nonce: str) -> str:
    try:
        return issuer.name_of(id_token, nonce)
    except Unauthenticated as error:
        log.warning("the ID token of the identity provider is not accepted")
        raise AccessRefused("the token of the identity provider is not accepted here") from error


def _return_path(text: str) -> str:
    if not _RETURN.fullmatch(text):
        raise InvalidParameter("`return` is not a path of this server, such as /viewer/", locator="return")
    return text


def _started(request: Request, site: Site) -> Started:
    text = cookie_of(request.scope, site, STARTED) or ""
    try:
        state, nonce, verifier, return_to = map(str, orjson.loads(urlsafe_b64decode(f"{text}==")))
    except (ValueError, TypeError) as error:
        raise InvalidParameter(NOT_BEGUN) from error
    return Started(state=state, nonce=nonce, verifier=verifier, return_to=_return_path(return_to))


def _address(issuer: Issuer, name: str) -> str:
    found = issuer.address(name)
    if found is None:
        raise SourceUnavailable("the identity provider does not answer; try again in a minute")
    return found


def _with_query(address: str, parameters: Mapping[str, str | None]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters, quote_via=quote)}"


def _require_own_page(request: Request) -> None:
    if not is_of_own_page(request.scope, site_of(request.scope)):
        raise AccessRefused("only pages of this server may do this")


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=NO_STORE)


def _described(request: Request, session: Session | None) -> Response:
    """Return a session as the viewer reads it; a cookie that is good for nothing is taken away."""
    site = site_of(request.scope)
    is_in = session is not None and session.left_s > 0
    response = _json(
        {
            "signed_in": is_in,
            "name": session.title if session is not None and is_in else None,
            "expires_in": int(session.left_s) if session is not None and is_in else 0,
            "renewable": session is not None and session.is_renewable,
            "signin": f"{site.base}/signin",
        }
    )
    if session is None and cookie_of(request.scope, site, SESSION) and is_of_own_page(request.scope, site):
        site.set(response, SESSION, "")
    return response


def _page(error: ChronotileError, request: Request) -> Response:
    """Return the page of an error, with what to do."""
    if isinstance(error, UnknownPath):
        return problem_response(error, request)
    site = site_of(request.scope)
    return_to = VIEWER
    with suppress(InvalidParameter):
        return_to = _started(request, site).return_to
    again = f"{site.base}/signin?{urlencode({'return': return_to})}"
    shown = _PAGE.format(why=escape(error.message), again=escape(again), viewer=escape(f"{site.base}{VIEWER}"))
    response = Response(shown, status_code=error.status, media_type="text/html", headers=NO_STORE)
    site.set(response, STARTED, "")
    return response
