"""Sign-in and sign-out in a browser (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207); tokens stay at the server."""

import hmac
import logging
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from html import escape
from secrets import token_urlsafe
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.access import cookies
from chronotile.access.cookies import SESSION, SIGN_IN, Site, site_of
from chronotile.access.sessions import IDENTITY, REFRESH, Session, SessionCache, Sessions, stored_tokens
from chronotile.access.tokens import Issuer
from chronotile.core import errors
from chronotile.core.web.fetch import fetch
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.endpoint import endpoint
from chronotile.http.principal import Principal
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import FETCHES

VIEWER = "/viewer/"
MAX_ANSWER_BYTES = 1 << 17
NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}
RENEWAL_CHECKS, RENEWAL_CHECK_S = 80, 0.25
"""Number of checks, and seconds between them, whether another request has renewed a session."""
NOT_ALLOWED = "the identity provider does not let this user in, or not any more"
NOT_STARTED = "signing in was not begun in this browser, or more than ten minutes ago"
_RETURN = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2500}")
"""Path and query on this server, without another host, backslashes and spaces."""
_CODE = re.compile(r"[a-z_]{1,40}")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signing in failed</title>
<h1>Signing in failed</h1>
<p>{why}.</p>
<p><a href="{again}">Try again</a>, or <a href="{viewer}">continue without signing in</a>.</p>
"""

log = logging.getLogger(__name__)


class PendingSignIn(NamedTuple):
    """Cookie of a browser whose user is at the provider; answers to other browsers are refused."""

    state: str
    nonce: str
    verifier: str
    return_to: str


class SignIn:
    """The routes for sign-in and sign-out.

    Args:
        sessions: Sessions of signed-in users.
        secret: Secret of this client at the provider; `None` for a public client.
    """

    def __init__(self, sessions: SessionCache, *, secret: str | None) -> None:
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
        """Redirect the browser to the provider."""
        issuer, site = await self._provider(request), site_of(request.scope)
        return_to = request.query_params.get("return", VIEWER)
        _require_path(return_to)
        pending = PendingSignIn(token_urlsafe(32), token_urlsafe(32), token_urlsafe(32), return_to)
        parameters = {
            "response_type": "code",
            "client_id": issuer.settings.client_id,
            "redirect_uri": f"{site.base}/signin/callback",
            "scope": issuer.settings.scope,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": _base64(sha256(pending.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        address = _add_query(_require_address(issuer, "authorization_endpoint"), parameters)
        response = RedirectResponse(address, 303, headers=NO_STORE)
        site.set(response, SIGN_IN, _base64(orjson.dumps(tuple(pending))), max_age=cookies.SIGN_IN_S)
        return response

    async def finish(self, request: Request) -> Response:
        """Exchange the code of the provider for tokens, and start a session."""
        issuer, site = await self._provider(request), site_of(request.scope)
        pending, query = _pending_sign_in(request, site), request.query_params
        if not hmac.compare_digest(query.get("state", "").encode(), pending.state.encode()):
            raise errors.InvalidParameter(NOT_STARTED, locator="state")
        if query.get("iss", "" if issuer.sends_issuer else issuer.settings.issuer) != issuer.settings.issuer:
            raise errors.InvalidParameter("the answer is from another identity provider", locator="iss")
        if "code" not in query:
            code = query.get("error", "")
            raise errors.AccessRefused(f"{NOT_ALLOWED}{f' ({code})' if _CODE.fullmatch(code) else ''}")
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": f"{site.base}/signin/callback",
            "code_verifier": pending.verifier,
        }
        tokens, principal, title = await self._request_tokens(request, issuer, form, pending.nonce)
        await self._end(request)
        id_ = token_urlsafe(32)
        digest = cookies.session_digest(id_, issuer.settings)
        await self._sessions.use(lambda table: table.create(id_, digest, principal, title=title, tokens=tokens))
        response = RedirectResponse(f"{site.base}{pending.return_to}", 303, headers=NO_STORE)
        site.set(response, SESSION, id_)
        site.set(response, SIGN_IN, "")
        return response

    async def get_session(self, request: Request) -> Response:
        """Return the name of the signed-in user and the rest of the session."""
        _digest, session = await self._session(request, cookies.session_cookie(request.scope))
        return _describe_session(request, session)

    async def renew(self, request: Request) -> Response:
        """Renew the session, once for all concurrent requests, and return it; end it if the provider refuses."""
        _require_own_page(request)
        id_ = cookies.session_cookie(request.scope)
        digest, session = await self._session(request, id_)
        for _ in range(RENEWAL_CHECKS):
            if id_ is None or session is None or session.is_fresh or not session.is_renewable:
                return _describe_session(request, session)
            if await self._sessions.use(partial(Sessions.claim, digest=digest, renewed=session.renewed)):
                await self._renew(request, id_, digest, session)
                return _describe_session(request, await self._sessions.use(lambda table: table.find(digest)))
            await anyio.sleep(RENEWAL_CHECK_S)
            session = await self._sessions.use(lambda table: table.find(digest))
        raise errors.SourceUnavailable("the session is being renewed; try again later")

    async def sign_out(self, request: Request) -> Response:
        """End the session, and return the URL that ends the session at the provider, or null."""
        _require_own_page(request)
        issuer, site = await self._provider(request), site_of(request.scope)
        tokens = await self._end(request)
        address = issuer.address("end_session_endpoint")
        parameters = {
            "client_id": issuer.settings.client_id,
            "post_logout_redirect_uri": f"{site.base}{VIEWER}",
            **({"id_token_hint": tokens[IDENTITY]} if IDENTITY in tokens else {}),
        }
        response = _json({"end_session": None if address is None else _add_query(address, parameters)})
        site.set(response, SESSION, "")
        return response

    async def _provider(self, request: Request) -> Issuer:
        """Return the provider.

        Raises:
            UnknownPath: Sign-in is not configured, or the path contains a key.
        """
        access = services_of(request).catalogue.access
        client = None if access is None or KEY_PATH in request.scope else access.client
        if client is None:
            raise errors.UnknownPath(f"there is nothing at {request.scope['path'][:200]!r}")
        if self._issuer is None or self._issuer.settings != client:
            self._issuer = Issuer(client)
        issuer = self._issuer
        await issuer.refresh(None)
        return issuer

    async def _session(self, request: Request, id_: str | None) -> tuple[bytes, Session | None]:
        """Return the digest of a cookie, and its session from the database, not from the cache."""
        issuer = await self._provider(request)
        digest = cookies.session_digest(id_ or "", issuer.settings)
        return digest, None if id_ is None else await self._sessions.use(lambda table: table.find(digest))

    async def _end(self, request: Request) -> dict[str, str]:
        """End the session of a browser and return its tokens; empty without a session."""
        id_ = cookies.cookie_of(request.scope, site_of(request.scope), SESSION)
        digest, session = await self._session(request, id_)
        if id_ is None or session is None:
            return {}
        await self._sessions.use(lambda table: table.end(digest))
        self._sessions.forget(digest)
        return stored_tokens(session, id_)

    async def _renew(self, request: Request, id_: str, digest: bytes, session: Session) -> None:
        """Store new tokens of the provider, or end the session if the provider refuses the user."""
        issuer, use = await self._provider(request), self._sessions.use
        old_tokens = stored_tokens(session, id_)
        try:
            form = {"grant_type": REFRESH, REFRESH: old_tokens[REFRESH]}
            new_tokens, principal, _title = await self._request_tokens(request, issuer, form)
            if principal.name != session.principal.name:
                raise errors.AccessRefused(NOT_ALLOWED)
            await use(lambda table: table.renew(id_, digest, principal, old_tokens | new_tokens))
        except errors.AccessRefused:
            await use(lambda table: table.end(digest))
        except errors.ChronotileError:
            await use(lambda table: table.release(digest))
            raise
        finally:
            self._sessions.forget(digest)

    async def _request_tokens(
        self, request: Request, issuer: Issuer, form: Mapping[str, str], nonce: str | None = None
    ) -> tuple[dict[str, str], Principal, str]:
        """Return the tokens to store, their user, and the user's name for pages (empty without a nonce).

        Raises:
            AccessRefused: The provider refuses, or its tokens are not accepted.
            SourceUnavailable: The provider does not answer.
        """
        client, address = issuer.settings.client_id or "", _require_address(issuer, "token_endpoint")
        headers = {"Accept": "application/json"}
        if self._secret is not None:
            pair = f"{quote_plus(client)}:{quote_plus(self._secret)}"  # RFC 6749 §2.3.1
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        body = urlencode({**form, "client_id": client}).encode()
        fetch_tokens = partial(
            fetch, address, max_bytes=MAX_ANSWER_BYTES, locator="the provider", body=body, headers=headers
        )
        try:
            response = await run(request, FETCHES, fetch_tokens, hosts=(urlsplit(address).hostname or "",))
            answer: Any = orjson.loads(response.body)
            token = answer["access_token"]
            await issuer.refresh(token)
            principal = issuer.verify(token)
            title = "" if nonce is None else issuer.name_of(answer[IDENTITY], nonce)
        except errors.InvalidParameter as error:
            log.warning("the identity provider gives no token: %s", error)
            raise errors.AccessRefused(NOT_ALLOWED) from error
        except errors.Unauthenticated as error:
            log.warning("a token of the identity provider is not accepted; is its audience that of `access`?")
            raise errors.AccessRefused("the token of the identity provider is not accepted here") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise errors.SourceUnavailable("the answer of the identity provider is not understood") from error
        tokens = {name: answer[name] for name in (REFRESH, IDENTITY) if isinstance(answer.get(name), str)}
        return tokens, principal, title


def _require_path(text: str) -> None:
    if not _RETURN.fullmatch(text):
        raise errors.InvalidParameter("`return` is not a path of this server, such as /viewer/", locator="return")


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _pending_sign_in(request: Request, site: Site) -> PendingSignIn:
    text = cookies.cookie_of(request.scope, site, SIGN_IN) or ""
    with errors.raised_instead((ValueError, TypeError), errors.InvalidParameter(NOT_STARTED)):
        pending = PendingSignIn(*map(str, orjson.loads(urlsafe_b64decode(f"{text}=="))))
    _require_path(pending.return_to)
    return pending


def _require_address(issuer: Issuer, name: str) -> str:
    url = issuer.address(name)
    if url is None:
        raise errors.SourceUnavailable("the identity provider does not answer; try again in a minute")
    return url


def _add_query(address: str, parameters: Mapping[str, str | None]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters, quote_via=quote)}"


def _require_own_page(request: Request) -> None:
    if not cookies.is_from_own_page(request.scope, site_of(request.scope)):
        raise errors.AccessRefused("only pages of this server may do this")


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=NO_STORE)


def _describe_session(request: Request, session: Session | None) -> Response:
    """Return the document of a session for the viewer; remove the cookie if its session does not exist."""
    site = site_of(request.scope)
    left_s = 0.0 if session is None else max(0.0, session.left_s)
    document = {
        "signed_in": left_s > 0,
        "name": session.title if session is not None and left_s > 0 else None,
        "expires_in": int(left_s),
        "renewable": session is not None and session.is_renewable,
        "signin": f"{site.base}/signin",
    }
    response = _json(document)
    if session is None and cookies.is_from_own_page(request.scope, site):
        site.set(response, SESSION, "")
    return response


def _page(error: errors.ChronotileError, request: Request) -> Response:
    """Return the page of an error, with links to try again or to continue."""
    if isinstance(error, errors.UnknownPath):
        return problem_response(error, request)
    site = site_of(request.scope)
    return_to = VIEWER
    with suppress(errors.InvalidParameter):
        return_to = _pending_sign_in(request, site).return_to
    again = f"{site.base}/signin?{urlencode({'return': return_to})}"
    page = _PAGE.format(why=escape(error.message), again=escape(again), viewer=escape(f"{site.base}{VIEWER}"))
    response = Response(page, status_code=error.status, media_type="text/html", headers=NO_STORE)
    site.set(response, SIGN_IN, "")
    return response
