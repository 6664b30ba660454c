"""A server with the users of Keycloak itself: the realm that is shipped, groups, keys, tokens for others."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from time import time

import anyio
import httpx2
import pytest

from chronotile.access.tokens import Issuer
from chronotile.core.errors import Unauthenticated
from chronotile.core.model.access import IssuerSettings
from tests.access.provider import encoded
from tests.access.test_archive import TILE, write
from tests.keycloak.keycloak import PLACE, Keycloak, Tokens, serving_keycloak
from tests.running import serving

pytestmark = [
    pytest.mark.audit,
    pytest.mark.skipif(PLACE not in os.environ, reason="`make test-keycloak` fetches Keycloak and runs them"),
]
AUDIENCE = "maps-server"
PRIVATE = f"/tiles/SECRET/{TILE}.png"
THREADS = 8


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with serving_keycloak(tmp_path_factory.mktemp("keycloak")) as found:
        yield found


@pytest.fixture(scope="module")
def server(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("archive")
    write(folder)
    configuration = folder / "chronotile.yaml"
    text = configuration.read_text()
    assert text.startswith("\naccess:\n")
    own = f"  issuer: {keycloak.issuer}\n  audience: {AUDIENCE}\n"
    configuration.write_text(text.replace("\naccess:\n", f"\naccess:\n{own}"))
    with serving("serve", configuration, CHRONOTILE_JOBS_DIR=str(folder / "jobs"), CHRONOTILE_WORKERS="1") as found:
        yield found[1]


@pytest.fixture(scope="module")
def tokens(keycloak: Keycloak) -> Tokens:
    return keycloak.sign_in("ann")


def status_of(server: str, token: str) -> int:
    return httpx2.get(server + PRIVATE, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code


def test_no_valid_token_is_refused_while_keys_change(keycloak: Keycloak, server: str, tokens: Tokens) -> None:
    """Three new keys within a minute, under load, with tokens of every key.

    It runs first, since wrong tokens use up fetches.
    """
    held, answers, is_over = [keycloak.renew(tokens)], Counter[int](), threading.Event()

    def load() -> None:
        with httpx2.Client(base_url=server, timeout=60) as client:
            for number in cycle(range(1_000)):
                if is_over.is_set():
                    return
                token = held[-1 - number % len(held)].access
                answers[client.get(PRIVATE, headers={"Authorization": f"Bearer {token}"}).status_code] += 1

    threads = [threading.Thread(target=load) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for priority in (200, 300, 400):
            keycloak.add_key(priority)
            held += [keycloak.renew(held[-1]) for _ in range(5)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert answers.keys() == {200}
    assert len({each.access.partition(".")[0] for each in held}) == 4
    assert {status_of(server, each.access) for each in held} == {200}


def test_removed_group_is_missing_from_the_next_token(keycloak: Keycloak, server: str, tokens: Tokens) -> None:
    assert httpx2.get(server + PRIVATE).status_code == 404
    assert status_of(server, tokens.access) == 200
    user, group = keycloak.id_of("/users?username=", "ann"), keycloak.id_of("/groups?search=", "ministry")

    keycloak.admin("DELETE", f"/users/{user}/groups/{group}")
    without = keycloak.renew(tokens)
    keycloak.admin("PUT", f"/users/{user}/groups/{group}")

    assert status_of(server, without.access) == 404
    assert status_of(server, keycloak.renew(without).access) == 200


def test_tokens_for_other_audiences_are_refused(keycloak: Keycloak, server: str, tokens: Tokens) -> None:
    keycloak.admin(
        "POST", "/clients", {"clientId": "other", "serviceAccountsEnabled": True, "secret": "of-tests-alone"}
    )
    of_other = keycloak.token_endpoint(
        grant_type="client_credentials", client_id="other", client_secret="of-tests-alone"
    )
    head, body, signature = tokens.access.split(".")
    refused = {
        "ID token": tokens.id,
        "refresh token": tokens.refresh,
        "another audience": of_other["access_token"],
        "alg: none": f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "no signature": f"{head}.{body}.",
        "another's signature": f"{head}.{body}.{of_other['access_token'].rpartition('.')[2]}",
        "changed": f"{head}.{body[:-4]}AAAA.{signature}",
    }

    assert {name: status_of(server, token) for name, token in refused.items()} == dict.fromkeys(refused, 401)


def test_clocks_may_differ_by_half_a_minute(keycloak: Keycloak, tokens: Tokens) -> None:
    token = keycloak.renew(tokens).access
    ends = 300 + 30  # by the realm, and the leeway

    def verified(after_s: float) -> str:
        now = time() + after_s
        issuer = Issuer(IssuerSettings(issuer=keycloak.issuer, audience=AUDIENCE), clock=lambda: now)
        anyio.run(issuer.refresh, token)
        return issuer.verify(token).name

    user = keycloak.id_of("/users?username=", "ann")
    assert verified(-3600) == verified(0) == f"user:{user}"
    with pytest.raises(Unauthenticated):
        verified(ends + 1)
