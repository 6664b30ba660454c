"""Credentials of requests: their places in a request, and their users."""

import base64
import binascii
import re
from collections import OrderedDict
from time import time

from starlette.requests import Request
from starlette.types import Scope

from chronotile.access.keys import KEY_PREFIX, KeyCache, digest_of
from chronotile.access.tokens import MAX_TOKEN_BYTES, NOT_ACCEPTED, Issuer
from chronotile.archive.index.write import FailedTokens
from chronotile.core.errors import Unauthenticated, raised_instead
from chronotile.core.model.access import AccessRules
from chronotile.http.asgi_headers import header_value
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.client_addresses import client_of
from chronotile.http.principal import KEY_NAME, JobLink, Principal

MAX_TOKENS = 4096
"""Verified tokens in the cache."""
KEY_IN_PATH = re.compile(r"(/k/(?P<key>[A-Za-z0-9_-]{1,200}))(?=/|$)(/k/(?P=key)(?=/|$))*")
"""Some clients resolve addresses in a way that repeats the key; no key may remain in the path for the log."""
_OPENEO_PREFIX = re.compile(r"oidc/\w{1,20}/|basic//")
"""The provider, which clients of openEO write before a token (API 1.2, "Authentication")."""


def credential_of(scope: Scope) -> str | None:
    """Return the credential in the path, which is removed there, or in the header; `None` if both are missing.

    Raises:
        Unauthenticated: The header has an unknown scheme or an invalid value.
    """
    in_path = move_to_prefix(scope, KEY_IN_PATH) if "/k/" in scope["path"] else None
    if in_path is not None:
        return in_path["key"]
    header = header_value(scope["headers"], b"authorization")
    if not header:
        return None
    scheme, _, rest = header.decode("latin-1").partition(" ")
    rest = rest.strip()
    if not rest or len(rest) > MAX_TOKEN_BYTES:
        raise Unauthenticated(NOT_ACCEPTED)
    if scheme.lower() == "bearer":
        match = _OPENEO_PREFIX.match(rest)
        return rest[match.end() :] if match else rest
    if scheme.lower() == "basic":
        with raised_instead((binascii.Error, ValueError), Unauthenticated(NOT_ACCEPTED)):
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    raise Unauthenticated("the scheme of Authorization is not accepted; accepted are Bearer and Basic")


def path_of(scope: Scope) -> str:
    """Return the path without the prefix of this server, which some ASGI servers put before it."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def move_to_prefix(scope: Scope, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Move the beginning of the path to the prefix that links repeat; `None` if it does not match the pattern."""
    root, path = scope.get("root_path", ""), path_of(scope)
    match = pattern.match(path)
    if match is None:
        return None
    rest = path[match.end() :] or "/"
    scope.pop("raw_path", None)  # it contains the access key
    scope.update({"path": rest, "root_path": root + match[0], KEY_PATH: scope.get(KEY_PATH, "") + match[0]})
    return match


class Credentials:
    """Finds the user of a credential. Tokens are verified once, and cached by their digest until they expire."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys
        self._issuer: Issuer | None = None
        self._token_users = OrderedDict[bytes, Principal]()
        self._failed = FailedTokens()

    async def job_link(self, secret: str) -> JobLink:
        """Return a link to a job, after reading the keys again: one of them may be that of the job's owner.

        Raises:
            SourceUnavailable: The keys cannot be read.
        """
        digest = digest_of(secret)
        await self._keys.find(digest)
        return JobLink(digest=digest, is_valid=self._keys.is_valid)

    async def identify(self, credential: str, rules: AccessRules, scope: Scope) -> Principal:
        """Return the user of a credential; the name of a key is stored in the scope, also if the key is not accepted.

        Raises:
            Unauthenticated: The credential is not accepted.
            TooManyTries: Too many wrong credentials came from the address.
            SourceUnavailable: The credential cannot be verified now.
        """
        digest = digest_of(credential)
        try:
            if not credential.startswith(KEY_PREFIX):
                return await self._identify_token(credential, digest, rules)
            principal = await self._keys.find(digest)
            if principal is not None:
                scope[KEY_NAME] = principal.name.removeprefix("key:")
            if principal is None or principal.until <= time():
                raise Unauthenticated(NOT_ACCEPTED)
        except Unauthenticated:
            client = client_of(Request(scope)) or ""
            self._failed.require_few(client)
            self._failed.add(client)
            raise
        return principal

    async def _identify_token(self, token: str, digest: bytes, rules: AccessRules) -> Principal:
        if self._issuer is None or self._issuer.settings != rules.issuer:
            self._token_users.clear()
            self._issuer = None if rules.issuer is None else Issuer(rules.issuer)
        principal = self._token_users.get(digest)
        if principal is not None and principal.until > time():
            return principal
        issuer = self._issuer
        if issuer is None:
            raise Unauthenticated(NOT_ACCEPTED)
        await issuer.refresh(token)
        principal = issuer.verify(token)
        if issuer is self._issuer:  # the rules did not change meanwhile
            self._token_users[digest] = principal
            if len(self._token_users) > MAX_TOKENS:
                self._token_users.popitem(last=False)
        return principal
