"""Discovery, keys and tokens of oidc-provider, a certified provider of Node.js that is independent of this project."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.model.access import IssuerSettings
from tests.access.provider import AUDIENCE
from tests.access.test_leaks import with_private
from tests.protocols.fuzzing.site import made_services

pytestmark = [pytest.mark.slow, pytest.mark.client("node")]
PROGRAM = Path(__file__).with_name("oidc_provider.mjs")
PRIVATE = "/timeseries/HIDDEN/point?lon=4.6&lat=50.85"


class Provider:
    """oidc-provider in a separate process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._keys: list[Any] = []
        self.url = self.rotate()

    def rotate(self) -> str:
        """Sign with new keys from now on, while older keys stay published; return the URL."""
        number = len(self._keys)
        new = [
            RSAKey.generate_key(2048, {"kid": f"rsa-{number}", "use": "sig", "alg": "RS256"}),
            ECKey.generate_key("P-256", {"kid": f"ec-{number}", "use": "sig", "alg": "ES256"}),
        ]
        self._keys = [*new, *self._keys]
        self._process.stdin.write(orjson.dumps(KeySet(self._keys).as_dict(private=True)).decode() + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def token(self, algorithm: str, *, group: str = "ministry", audience: str = AUDIENCE) -> str:
        """Return an access token, by the grant for clients that are no users."""
        answer = httpx2.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", "resource": f"urn:{audience}"},
            auth=(f"{algorithm}-{group}", "of-tests-alone"),
        )
        return answer.raise_for_status().json()["access_token"]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    command = ["node", "--no-warnings", str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Provider(process)
        finally:
            process.terminate()


@contextmanager
def serving(provider: Provider) -> Iterator[TestClient]:
    """Run a server with private things that accepts the provider's tokens."""
    services = with_private(made_services())
    issuer = IssuerSettings(issuer=provider.url, audience=AUDIENCE)
    access = replace(services.catalogue.access, issuer=issuer)
    services = replace(services, catalogue=replace(services.catalogue, access=access))
    with TestClient(application(services, ServerOptions()), base_url="http://localhost") as client:
        yield client


def status_of(client: TestClient, token: str) -> int:
    return client.get(PRIVATE, headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.every_case
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_groups_and_audience_of_a_token_decide(provider: Provider, algorithm: str) -> None:
    with serving(provider) as client:
        assert status_of(client, provider.token(algorithm)) == 200
        assert status_of(client, provider.token(algorithm, group="strangers")) == 404
        assert status_of(client, provider.token(algorithm, audience="another")) == 401


def test_new_keys_are_accepted_immediately(provider: Provider) -> None:
    with serving(provider) as client:
        before, older = provider.token("RS256"), provider.token("ES256")
        assert status_of(client, before) == 200
        provider.rotate()
        tokens = [provider.token(algorithm) for algorithm in ("RS256", "ES256")]
        assert [status_of(client, each) for each in (*tokens, before, older)] == [200] * 4
