"""Tokens of a provider: accepted ones, and refusals that reveal nothing."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace

import anyio
import pytest
from joserfc import jws, jwt
from starlette.testclient import TestClient

from chronotile.access.tokens import Issuer
from chronotile.app.application import ServerOptions, application
from chronotile.core.errors import SourceUnavailable, Unauthenticated
from chronotile.core.model.access import IssuerSettings
from chronotile.pipeline.services import FixedServices
from tests.access.provider import AUDIENCE, Provider, encoded, serving_provider
from tests.access.test_leaks import with_private
from tests.protocols.fuzzing.site import made_services

pytestmark = pytest.mark.slow
PRIVATE = "/timeseries/HIDDEN/point?lon=4.6&lat=50.85"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving_provider() as found:
        yield found


class Clocks:
    """Seconds since 1970 and of a monotonic clock; tests move them."""

    def __init__(self) -> None:
        self.now, self.monotonic = time.time(), 1e6


def issuer_of(provider: Provider, clocks: Clocks | None = None) -> Issuer:
    clocks = clocks or Clocks()
    settings = IssuerSettings(issuer=provider.url, audience=AUDIENCE)
    found = Issuer(settings, clock=lambda: clocks.now, monotonic_clock=lambda: clocks.monotonic)
    anyio.run(found.refresh, provider.token())
    return found


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt"])
def test_token_identifies_the_principal(provider: Provider, algorithm: str, typ: str) -> None:
    provider.rotate(algorithm)

    found = issuer_of(provider).verify(provider.token(typ=typ, groups=["/ministry", 7, "field"]))

    assert found.name == "user:ann"
    assert found.subjects == {"public", "user:ann", "group:ministry", "group:field"}


NOW = int(time.time())
WRONG = {
    "another audience": {"aud": "another"},
    "audiences without ours": {"aud": ["another", "third"]},
    "another issuer": {"iss": "https://example.org"},
    "expired": {"exp": NOW - 31},
    "not yet": {"nbf": NOW + 86_400},
    "ID token by its claim": {"typ": "ID"},
    "ID token by its nonce": {"nonce": "a"},
    "no user": {"without": ("sub",)},
    "no end": {"without": ("exp",)},
    "a user that is no text": {"sub": 7},
    "a user with half a character": {"sub": "\ud800"},
    "an end that is no number": {"exp": "never"},
}


@pytest.mark.every_case
@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_for_us_is_refused(provider: Provider, claims: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        issuer_of(provider).verify(provider.token(**claims))


@pytest.mark.parametrize("claim", ["sub", "organization", "name"])
def test_a_token_whose_text_cannot_be_stored_is_refused(provider: Provider, claim: str) -> None:
    key = provider.keys[-1]
    said = encoded(jwt.decode(provider.token(**{claim: "half-a-pair"}), key).claims)
    payload = urlsafe_b64decode(said + "==").replace(b"half-a-pair", rb"\ud800")
    token = jws.serialize_compact({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, payload, key)
    with pytest.raises(Unauthenticated):
        issuer_of(provider).verify(token)


def test_unsigned_or_modified_token_is_refused(provider: Provider) -> None:
    issuer = issuer_of(provider)
    head, body, signature = provider.token().split(".")
    other = Provider()
    other.url = provider.url
    for token in (
        provider.unsigned(),
        f"{head}.{body[:-2]}AA.{signature}",
        f"{head}.{body}.",
        other.token(),
        "a",
        "a.b.c",
        "." * 20_000,
        "é.b.c",
    ):
        with pytest.raises(Unauthenticated):
            issuer.verify(token)


def test_clocks_may_differ_by_half_a_minute(provider: Provider) -> None:
    clocks = Clocks()
    issuer = issuer_of(provider, clocks)
    token = provider.token(exp=int(clocks.now))
    clocks.now += 29
    assert issuer.verify(token).name == "user:ann"
    clocks.now += 2
    with pytest.raises(Unauthenticated):
        issuer.verify(token)


def test_tokens_of_new_and_old_keys_are_accepted(provider: Provider) -> None:
    """A provider may change its keys a few times within a minute, like Keycloak after another one is added."""
    issuer = issuer_of(provider)
    tokens = [provider.token()]
    for algorithm in ("ES256", "EdDSA", "RS256"):
        provider.rotate(algorithm)
        tokens.append(provider.token())
        anyio.run(issuer.refresh, tokens[-1])

    assert [issuer.verify(each).name for each in tokens] == ["user:ann"] * 4
    assert provider.fetches == 4


def test_keys_that_the_provider_lacks_are_looked_for_once_a_minute_and_few_at_a_time(provider: Provider) -> None:
    clocks = Clocks()
    issuer = issuer_of(provider, clocks)

    def fetched_for(*key_ids: str) -> int:
        before = provider.fetches
        for each in key_ids:
            anyio.run(issuer.refresh, f"{encoded({'alg': 'RS256', 'kid': each})}.e30.")
        return provider.fetches - before

    assert fetched_for("a", "a", "a") == 1
    assert fetched_for(*map(str, range(1000))) == 2
    provider.rotate("ES256")
    assert fetched_for("key-1") == 0
    with pytest.raises(Unauthenticated):
        issuer.verify(provider.token())
    clocks.monotonic += 15
    assert fetched_for("key-1") == 1
    assert issuer.verify(provider.token()).name == "user:ann"
    clocks.monotonic += 30
    assert fetched_for("a") == 0
    clocks.monotonic += 15
    assert fetched_for("a") == 1


def test_unavailable_provider_gets_four_requests_in_a_minute(provider: Provider) -> None:
    clocks = Clocks()
    issuer = issuer_of(provider, clocks)
    before, provider.is_away = provider.token(), True
    provider.rotate("ES256")
    for _ in range(60):
        anyio.run(issuer.refresh, provider.token())
        clocks.monotonic += 1
    assert provider.fetches == 1 + 4
    assert issuer.verify(before).name == "user:ann"
    provider.is_away = False
    anyio.run(issuer.refresh, provider.token())
    assert issuer.verify(provider.token()).name == "user:ann"


def test_provider_that_never_answered_is_unavailable(provider: Provider) -> None:
    issuer = Issuer(IssuerSettings(issuer=provider.url, audience=AUDIENCE))
    with pytest.raises(SourceUnavailable):
        issuer.verify(provider.token())


def test_invalid_key_does_not_spoil_the_others(provider: Provider) -> None:
    provider.further = [{"kty": "OKP", "crv": "weird", "x": "a"}, "no key", {"kty": "oct", "k": "c2VjcmV0"}]
    assert issuer_of(provider).verify(provider.token()).name == "user:ann"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(provider: Provider) -> None:
    issuer, key = issuer_of(provider), provider.keys[-1]
    claims = {"iss": provider.url, "aud": AUDIENCE, "sub": "eve", "exp": int(time.time()) + 300}
    signed = ".".join(map(encoded, ({"alg": "HS256", "typ": "JWT", "kid": key.kid}, claims)))
    signature = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    forged = f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"
    with pytest.raises(Unauthenticated):
        issuer.verify(forged)


def test_a_token_ends_with_the_rules_that_accepted_it(provider: Provider) -> None:
    services = with_private(made_services())
    catalogue = services.catalogue
    known = replace(catalogue.access, issuer=IssuerSettings(issuer=provider.url, audience=AUDIENCE))
    bearer = {"Authorization": f"Bearer {provider.token()}"}
    app = application(replace(services, catalogue=replace(catalogue, access=known)), ServerOptions())
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get(PRIVATE, headers=bearer).status_code == 200
        app.state.chronotile.live = FixedServices(services)
        assert client.get(PRIVATE, headers=bearer).status_code == 401


def test_removed_group_is_missing_from_the_next_token(provider: Provider) -> None:
    services = with_private(made_services())
    access = replace(services.catalogue.access, issuer=IssuerSettings(issuer=provider.url, audience=AUDIENCE))
    services = replace(services, catalogue=replace(services.catalogue, access=access))
    with TestClient(application(services, ServerOptions()), base_url="http://localhost") as client:
        statuses = [
            client.get(PRIVATE, headers={"Authorization": f"Bearer {token}"}).status_code
            for token in (
                provider.token(),
                provider.token(groups=[]),
                f"oidc/egi/{provider.token()}",  # form of openEO clients
                provider.token(aud="b"),
            )
        ]
        assert statuses == [200, 404, 200, 401]
        refusal = client.get(PRIVATE, headers={"Authorization": "Bearer a.b.c"})
        assert refusal.headers.get_list("www-authenticate") == [
            'Bearer realm="chronotile"',
            'Basic realm="chronotile", charset="UTF-8"',
        ]
        tried = [client.get(PRIVATE, headers={"Authorization": f"Bearer a.b.{n}"}).status_code for n in range(20)]
        assert tried[-1] == 429
        assert client.get(PRIVATE, headers={"Authorization": f"Bearer {provider.token()}"}).status_code == 200
