"""Access tokens of an OpenID Connect provider (RFC 7519, RFC 9068; OpenID Connect Discovery 1.0), verified here."""

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
"""Of the header `typ`, in small letters: Keycloak writes JWT, others at+jwt."""
NAMES = ("name", "preferred_username", "email")
"""Claims of ID tokens by which users know themselves, the best first."""
MOST_NAME = 100
OF_ID_TOKENS = frozenset({"nonce", "at_hash", "c_hash"})
"""Claims that only ID tokens have."""
LEEWAY_S = 30.0
"""By which clocks may differ."""
MOST_TOKEN_BYTES = 16_384
MOST_DOCUMENT_BYTES = 1 << 20
REFRESH_S = 60.0
"""Least time between two fetches of the keys for one that the provider did not have."""
MOST_FETCHES = 4
"""Of the keys at once: a provider that begins to sign by a new key names it when it is used, not before."""
FETCH_S = 15.0
"""After which there may be one fetch more."""
KEPT_S = 3_600.0
"""After which its keys are fetched again."""
NOT_ACCEPTED = "the credential is not accepted: it is wrong, has expired, or is for another server"

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Issuer:
    """A provider, with the keys by which it signs; waits for it only in `refresh`.

    Args:
        settings: Which.
        clock: Seconds since 1970.
        monotonic_clock: In seconds.
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
        self._fetched_s, self._all_allowed_s = -KEPT_S, 0.0
        self._absent = dict[str | None, float]()

    async def refresh(self, token: str | None) -> None:
        """Fetch the keys if they are old or lack that of a token, a few times a minute; old ones stay if it fails."""
        if self._needs_refresh(token):
            async with self._fetching:
                if self._needs_refresh(token):
                    await anyio.to_thread.run_sync(self._refresh, None if token is None else _key_id(token))

    def _needs_refresh(self, token: str | None) -> bool:
        now = self._monotonic()
        if self._all_allowed_s - now > (MOST_FETCHES - 1) * FETCH_S:
            return False
        if now - self._fetched_s >= KEPT_S:
            return True
        key_id = None if token is None else _key_id(token)
        is_absent = token is not None and key_id not in self._ids()
        return is_absent and now - self._absent.get(key_id, -REFRESH_S) >= REFRESH_S

    def _refresh(self, key_id: str | None) -> None:
        used = 1
        try:
            self._keys = self._fetched()
            self._fetched_s = self._monotonic()
        except (ChronotileError, ValueError, KeyError, TypeError, AttributeError) as error:
            used = MOST_FETCHES
            log.warning("the keys of the provider %s cannot be fetched: %s", self.settings.issuer, error)
        now = self._monotonic()
        self._all_allowed_s = min(max(self._all_allowed_s, now) + used * FETCH_S, now + MOST_FETCHES * FETCH_S)
        self._absent = {each: since for each, since in self._absent.items() if now - since < REFRESH_S}
        if used == 1 and key_id not in self._ids():
            self._absent[key_id] = now

    def verify(self, token: str) -> Principal:
        """Return whose access token it is.

        Raises:
            Unauthenticated: It is not accepted; the message gives no reason.
            SourceUnavailable: The provider has never answered.
        """
        return self._read(token, self._principal)

    def name_of(self, id_token: str, nonce: str) -> str:
        """Return the name of a user as people know it, from an ID token (OpenID Connect Core 1.0 §3.1.3.7).

        Raises:
            As `verify`.
        """
        return self._read(id_token, partial(self._name, nonce))

    def address(self, name: str) -> str | None:
        """Return an address of the provider's document, such as `token_endpoint`; `None` if none is known."""
        found = self._document.get(name)
        return found if isinstance(found, str) and self._is_safe(found) else None

    @property
    def names_itself(self) -> bool:
        """Whether each answer to a browser has the parameter `iss` (RFC 9207)."""
        return self._document.get("authorization_response_iss_parameter_supported") is True

    def _read(self, token: str, read: Callable[[Mapping[str, Any], Mapping[str, Any]], Result]) -> Result:
        from joserfc import jwt  # noqa: PLC0415 -- of the extra access
        from joserfc.errors import JoseError  # noqa: PLC0415

        if self._keys is None:
            raise SourceUnavailable("the identity provider does not answer; try again later")
        try:
            if len(token) > MOST_TOKEN_BYTES or _key_id(token) not in self._ids():
                raise Unauthenticated(NOT_ACCEPTED)
            found = jwt.decode(token, self._keys, algorithms=list(ALGORITHMS))
            json.dumps(found.claims, ensure_ascii=False).encode()  # fails at half a character, which no database takes
            return read(found.header, found.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.debug("a token is not accepted", exc_info=error)
            raise Unauthenticated(NOT_ACCEPTED) from error

    def _principal(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> Principal:
        settings = self.settings
        is_access = str(header.get("typ", "JWT")).lower() in TYPES and claims.get("typ", "Bearer") == "Bearer"
        if not is_access or not OF_ID_TOKENS.isdisjoint(claims):
            raise Unauthenticated(NOT_ACCEPTED)
        expires = self._require(claims, settings.audience)
        user, groups = claims["sub"], claims.get(settings.groups_claim, [])
        if not isinstance(user, str) or not user:
            raise Unauthenticated(NOT_ACCEPTED)
        names = [each.removeprefix("/") for each in groups if isinstance(each, str)] if isinstance(groups, list) else []
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
        return next((str(claims[each]) for each in NAMES if claims.get(each)), str(claims["sub"]))[:MOST_NAME]

    def _require(self, claims: Mapping[str, Any], audience: str | None) -> float:
        """Return when a token expires that this provider made for an audience, and that holds now."""
        expires, begins = float(claims["exp"]), float(claims.get("nbf", 0))
        found = claims.get("aud")
        is_for_us = audience in (found if isinstance(found, list) else [found])
        is_now = begins - LEEWAY_S <= self._clock() < expires + LEEWAY_S
        if claims.get("iss") != self.settings.issuer or not is_for_us or not is_now:
            raise Unauthenticated(NOT_ACCEPTED)
        return expires

    def _is_safe(self, address: str) -> bool:
        is_http = address.startswith("http://") and self.settings.issuer.startswith("http://")
        return address.startswith("https://") or is_http

    def _ids(self) -> set[str | None]:
        return set() if self._keys is None else {key.kid for key in self._keys.keys}

    def _fetched(self) -> Any:  # noqa: ANN401 -- joserfc's
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415

        issuer = self.settings.issuer.rstrip("/")
        document = _json_at(f"{issuer}/.well-known/openid-configuration")
        if document["issuer"] != self.settings.issuer:
            raise ValueError(f"its document names another issuer, {str(document['issuer'])[:80]!r}")
        place = str(document["jwks_uri"])
        if not self._is_safe(place):
            raise ValueError("its keys are not at an https:// address")
        signing = list[Any]()
        for each in _json_at(place)["keys"]:
            with suppress(JoseError, ValueError, KeyError, TypeError, AttributeError):  # of no use to us (RFC 7517 §5)
                if each.get("use", "sig") == "sig" and each["kty"] in {"RSA", "EC", "OKP"}:
                    signing += KeySet.import_key_set({"keys": [each]}).keys
        self._document = document
        return KeySet(signing)


def _first_name(claim: object) -> str:
    # A text, or the first of a list or of the keys of an object: Keycloak writes organisations as these.
    first = next(iter(claim), "") if isinstance(claim, list | dict) else claim
    return first if isinstance(first, str) else ""


def _json_at(url: str) -> Any:  # noqa: ANN401 -- JSON
    return orjson.loads(fetch(url, max_bytes=MOST_DOCUMENT_BYTES, locator="issuer").body)


def _key_id(token: str) -> str | None:
    # The id of the key by which a token says that it is signed; nothing of it is to be believed.
    from joserfc.util import urlsafe_b64decode  # noqa: PLC0415

    try:
        header = orjson.loads(urlsafe_b64decode(token[:MOST_TOKEN_BYTES].partition(".")[0].encode()))
        found = header.get("kid")
        return found if isinstance(found, str) else None
    except (ValueError, AttributeError):
        return None
