"""Credentials of requests: where they are written, and whose they are."""

import base64
import binascii
import re
from collections import OrderedDict
from time import time

from starlette.requests import Request
from starlette.types import Scope

from chronotile.access.keys import PREFIX, HeldKeys, digest_of
from chronotile.access.tokens import MOST_TOKEN_BYTES, NOT_ACCEPTED, Issuer
from chronotile.archive.index.write import FailedTokens
from chronotile.core.errors import Unauthenticated, raised_instead
from chronotile.core.model.access import AccessRules
from chronotile.http.asgi_headers import header_value
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.client_addresses import client_of
from chronotile.http.principal import JobLink, Principal

MOST_TOKENS = 4096
"""Verified tokens that are known by their digest."""
KEY_IN_PATH = re.compile(r"(/k/(?P<key>[A-Za-z0-9_-]{1,200}))(?=/|$)(/k/(?P=key)(?=/|$))*")
"""Twice where a client resolves an address below its base against that base: none of it may be left for the log."""
_OPENEO_PREFIX = re.compile(r"oidc/\w{1,20}/|basic//")
"""What clients of openEO write before tokens (API 1.2, "Authentication"): which provider a token is of."""


def credential_of(scope: Scope) -> str | None:
    """Return the credential of a request: of its path, which loses it, or of its header; `None` if it has none.

    Raises:
        Unauthenticated: It is none that is known.
    """
    in_path = take(scope, KEY_IN_PATH) if "/k/" in scope["path"] else None
    if in_path is not None:
        return in_path["key"]
    header = header_value(scope["headers"], b"authorization")
    if not header:
        return None
    scheme, _, rest = header.decode("latin-1").partition(" ")
    rest = rest.strip()
    if not rest or len(rest) > MOST_TOKEN_BYTES:
        raise Unauthenticated(NOT_ACCEPTED)
    if scheme.lower() == "bearer":
        found = _OPENEO_PREFIX.match(rest)
        return rest[found.end() :] if found else rest
    if scheme.lower() == "basic":
        with raised_instead((binascii.Error, ValueError), Unauthenticated(NOT_ACCEPTED)):
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    raise Unauthenticated("the scheme of Authorization is not accepted; accepted are Bearer and Basic")


def path_of(scope: Scope) -> str:
    """Return the path of the server's own: some servers write the prefix under which it is served before it."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def take(scope: Scope, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Move the beginning of the path, where it matches, to the prefix that links of answers have."""
    root, path = scope.get("root_path", ""), path_of(scope)
    found = pattern.match(path)
    if found is None:
        return None
    rest = path[found.end() :] or "/"
    scope.pop("raw_path", None)  # as it was sent, with the key
    scope.update({"path": rest, "root_path": root + found[0], KEY_PATH: scope.get(KEY_PATH, "") + found[0]})
    return found


class Credentials:
    """The users of credentials. Tokens are verified once, and known by their digest until they expire."""

    def __init__(self, keys: HeldKeys) -> None:
        self._keys = keys
        self._issuer: Issuer | None = None
        self._of_tokens = OrderedDict[bytes, Principal]()
        self._failed = FailedTokens()

    async def share(self, secret: str) -> JobLink:
        """Return what a link to a job shows; the keys are read again, of which one may be that of the job's owner.

        Raises:
            SourceUnavailable: They cannot be.
        """
        digest = digest_of(secret)
        await self._keys.find(digest)
        return JobLink(digest=digest, is_valid=self._keys.is_valid)

    async def identify(self, credential: str, rules: AccessRules, scope: Scope) -> Principal:
        """Return the user of a credential; errors are those of `Gate`."""
        digest = digest_of(credential)
        try:
            if not credential.startswith(PREFIX):
                return await self._of_token(credential, digest, rules)
            found = await self._keys.find(digest)
            if found is None:
                raise Unauthenticated(NOT_ACCEPTED)
        except Unauthenticated:
            client = client_of(Request(scope)) or ""
            self._failed.require_few(client)
            self._failed.add(client)
            raise
        return found

    async def _of_token(self, token: str, digest: bytes, rules: AccessRules) -> Principal:
        if self._issuer is None or self._issuer.settings != rules.issuer:
            self._of_tokens.clear()
            self._issuer = None if rules.issuer is None else Issuer(rules.issuer)
        found = self._of_tokens.get(digest)
        if found is not None and found.until > time():
            return found
        issuer = self._issuer
        if issuer is None:
            raise Unauthenticated(NOT_ACCEPTED)
        await issuer.refresh(token)
        found = issuer.verify(token)
        if issuer is self._issuer:  # the rules are still those
            self._of_tokens[digest] = found
            if len(self._of_tokens) > MOST_TOKENS:
                self._of_tokens.popitem(last=False)
        return found
