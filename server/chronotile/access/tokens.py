"""Verification of tokens of an OpenID Connect provider (RFC 7519, RFC 9068; OpenID Connect Discovery 1.0)."""

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic, time
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import orjson

from chronotile.core.errors import ChronotileError, SourceUnavailable, Unauthenticated
from chronotile.core.model.access import AccessRules, IssuerSettings
from chronotile.core.web.fetch import fetch
from chronotile.http.principal import Principal

ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Values of the header `typ` in lower case: Keycloak writes JWT, other providers at+jwt."""
NAME_CLAIMS = ("name", "preferred_username", "email")
"""Claims of ID tokens with the name of the user, best first."""
MAX_NAME_CHARS = 100
ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})
"""Claims that only ID tokens have."""
LEEWAY_S = 30.0
"""Accepted difference of clocks."""
MAX_TOKEN_BYTES = 16_384
MAX_DOCUMENT_BYTES = 1 << 20
REFRESH_S = 60.0
"""Minimum time between two fetches because of the same unknown key."""
MAX_FETCHES = 4
"""Consecutive fetches of the keys: a provider may publish a new key only when it starts to use it."""
FETCH_S = 15.0
"""Time after which one more fetch is allowed."""
KEYS_S = 3_600.0
"""Time after which the keys are fetched again."""
NOT_ACCEPTED = "the credential is not accepted: it is wrong, has expired, or is for another server"

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Issuer:
    """An identity provider and its keys for signatures; only `refresh` waits for the provider.

    Args:
        settings: Issuer, audience and claims.
        clock: Seconds since 1970.
        monotonic_clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        *,
        clock: Callable[[], float] = time,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self.settings = settings
        self._clock, self._monotonic = clock, monotonic_clock
        self._keys: Any = None
        self._document: Mapping[str, Any] = {}
        self._fetching = anyio.Lock()
        self._fetched_s, self._all_allowed_s = -KEYS_S, 0.0
        self._unknown_keys = dict[str | None, float]()

    async def refresh(self, token: str | None) -> None:
        """Fetch the keys if they are old or the key of a token is unknown; keep them if the provider fails."""
        if self._needs_refresh(token):
            async with self._fetching:
                if self._needs_refresh(token):
                    await anyio.to_thread.run_sync(self._refresh, None if token is None else _key_id(token))

    def _needs_refresh(self, token: str | None) -> bool:
        now = self._monotonic()
        if self._all_allowed_s - now > (MAX_FETCHES - 1) * FETCH_S:
            return False
        if now - self._fetched_s >= KEYS_S:
            return True
        key_id = None if token is None else _key_id(token)
        is_unknown = token is not None and key_id not in self._ids()
        return is_unknown and now - self._unknown_keys.get(key_id, -REFRESH_S) >= REFRESH_S

    def _refresh(self, key_id: str | None) -> None:
        used = 1
        try:
            self._keys = self._fetch_keys()
            self._fetched_s = self._monotonic()
        except (ChronotileError, ValueError, KeyError, TypeError, AttributeError) as error:
            used = MAX_FETCHES
            log.warning("the keys of the provider %s cannot be fetched: %s", self.settings.issuer, error)
        now = self._monotonic()
        self._all_allowed_s = min(max(self._all_allowed_s, now) + used * FETCH_S, now + MAX_FETCHES * FETCH_S)
        self._unknown_keys = {
            unknown: since for unknown, since in self._unknown_keys.items() if now - since < REFRESH_S
        }
        if used == 1 and key_id not in self._ids():
            self._unknown_keys[key_id] = now

    def verify(self, token: str) -> Principal:
        """Return the user of an access token.

        Raises:
            Unauthenticated: The token is not accepted; the message gives no reason.
            SourceUnavailable: The provider has never answered.
        """
        return self._read(token, self._principal)

    def name_of(self, id_token: str, nonce: str) -> str:
        """Return the name of the user for pages, from an ID token (OpenID Connect Core 1.0 §3.1.3.7).

        Raises:
            Unauthenticated: The token is not accepted.
            SourceUnavailable: The provider has never answered.
        """
        return self._read(id_token, partial(self._name, nonce))

    def address(self, name: str) -> str | None:
        """Return a URL in the document of the provider, such as `token_endpoint`; `None` if it is missing or unsafe."""
        url = self._document.get(name)
        return url if isinstance(url, str) and self._is_safe(url) else None

    @property
    def sends_issuer(self) -> bool:
        """Whether each answer to a browser contains the parameter `iss` (RFC 9207)."""
        return self._document.get("authorization_response_iss_parameter_supported") is True

    def _read(self, token: str, read: Callable[[Mapping[str, Any], Mapping[str, Any]], Result]) -> Result:
        from joserfc import jwt  # noqa: PLC0415 -- in the extra access
        from joserfc.errors import JoseError  # noqa: PLC0415

        if self._keys is None:
            raise SourceUnavailable("the identity provider does not answer; try again later")
        try:
            if len(token) > MAX_TOKEN_BYTES or _key_id(token) not in self._ids():
                raise Unauthenticated(NOT_ACCEPTED)
            decoded = jwt.decode(token, self._keys, algorithms=list(ALGORITHMS))
            json.dumps(
                decoded.claims, ensure_ascii=False
            ).encode()  # fails for half a surrogate pair, which no database accepts
            return read(decoded.header, decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.debug("a token is not accepted", exc_info=error)
            raise Unauthenticated(NOT_ACCEPTED) from error

    def _principal(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> Principal:
        settings = self.settings
        is_access = str(header.get("typ", "JWT")).lower() in TYPES and claims.get("typ", "Bearer") == "Bearer"
        if not is_access or not ID_TOKEN_CLAIMS.isdisjoint(claims):
            raise Unauthenticated(NOT_ACCEPTED)
        expires = self._require(claims, settings.audience)
        user, groups = claims["sub"], claims.get(settings.groups_claim, [])
        if not isinstance(user, str) or not user:
            raise Unauthenticated(NOT_ACCEPTED)
        names = (
            [group.removeprefix("/") for group in groups if isinstance(group, str)] if isinstance(groups, list) else []
        )
        return Principal(
            subjects=AccessRules.subjects_of(names, user=user),
            name=f"user:{user}",
            until=expires + LEEWAY_S,
            organisation=_first_name(claims.get(settings.organisation_claim)),
        )

    def _name(self, nonce: str, _header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        self._require(claims, self.settings.client_id)
        if claims.get("nonce") != nonce:
            raise Unauthenticated(NOT_ACCEPTED)
        return next((str(claims[name]) for name in NAME_CLAIMS if claims.get(name)), str(claims["sub"]))[
            :MAX_NAME_CHARS
        ]

    def _require(self, claims: Mapping[str, Any], audience: str | None) -> float:
        """Check the issuer, the audience and the times of a token; return when it expires, in seconds since 1970."""
        expires, begins = float(claims["exp"]), float(claims.get("nbf", 0))
        audiences = claims.get("aud")
        is_for_us = audience in (audiences if isinstance(audiences, list) else [audiences])
        is_now = begins - LEEWAY_S <= self._clock() < expires + LEEWAY_S
        if claims.get("iss") != self.settings.issuer or not is_for_us or not is_now:
            raise Unauthenticated(NOT_ACCEPTED)
        return expires

    def _is_safe(self, address: str) -> bool:
        is_http = address.startswith("http://") and self.settings.issuer.startswith("http://")
        return address.startswith("https://") or is_http

    def _ids(self) -> set[str | None]:
        return set() if self._keys is None else {key.kid for key in self._keys.keys}

    def _fetch_keys(self) -> Any:  # noqa: ANN401 -- a type of joserfc
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415

        issuer = self.settings.issuer.rstrip("/")
        document = _json_at(f"{issuer}/.well-known/openid-configuration")
        if document["issuer"] != self.settings.issuer:
            raise ValueError(f"its document names another issuer, {str(document['issuer'])[:80]!r}")
        keys_url = str(document["jwks_uri"])
        if not self._is_safe(keys_url):
            raise ValueError("its keys are not at an https:// address")
        keys = list[Any]()
        for key in _json_at(keys_url)["keys"]:
            with suppress(
                JoseError, ValueError, KeyError, TypeError, AttributeError
            ):  # unsupported keys are ignored (RFC 7517 §5)
                if key.get("use", "sig") == "sig" and key["kty"] in {"RSA", "EC", "OKP"}:
                    keys += KeySet.import_key_set({"keys": [key]}).keys
        self._document = document
        return KeySet(keys)


def _first_name(claim: object) -> str:
    # A text, or the first item of a list or first key of an object, as in the organisations of Keycloak.
    first = next(iter(claim), "") if isinstance(claim, list | dict) else claim
    return first if isinstance(first, str) else ""


def _json_at(url: str) -> Any:  # noqa: ANN401 -- JSON
    return orjson.loads(fetch(url, max_bytes=MAX_DOCUMENT_BYTES, locator="issuer").body)


def _key_id(token: str) -> str | None:
    # Id of the key in the header of a token, which is not verified yet.
    from joserfc.util import urlsafe_b64decode  # noqa: PLC0415

    try:
        header = orjson.loads(urlsafe_b64decode(token[:MAX_TOKEN_BYTES].partition(".")[0].encode()))
        key_id = header.get("kid")
        return key_id if isinstance(key_id, str) else None
    except (ValueError, AttributeError):
        return None
