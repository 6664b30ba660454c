"""Keycloak with the shipped realm: sign-in of users, with PKCE, and changes by an administrator."""

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.access.provider import encoded_bytes

PLACE = "CHRONOTILE_TEST_KEYCLOAK"
"""The folder of the distribution."""
REALM = Path(__file__).parents[2] / "deploy" / "keycloak" / "realm.json"
REDIRECT = "http://127.0.0.1:8000/signin/callback"
LISTENING = re.compile(r"Listening on: (http://127\.0\.0\.1:\d+)")
FORM = re.compile(r'<form[^>]* action="([^"]+)"')


@dataclass(frozen=True)
class Tokens:
    """Tokens of a sign-in."""

    access: str
    id: str
    refresh: str


class Keycloak:
    """A running one, whose administrator we are."""

    def __init__(self, url: str, password: str) -> None:
        self.url, self.issuer = url, f"{url}/realms/maps"
        self._password = password

    def admin(self, method: str, path: str, content: object = None) -> httpx2.Response:
        """Request the realm from the admin API."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self._password}
        signed = httpx2.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form, timeout=60)
        bearer = {"Authorization": f"Bearer {signed.raise_for_status().json()['access_token']}"}
        url = f"{self.url}/admin/realms/maps{path}"
        return httpx2.request(method, url, json=content, headers=bearer, timeout=60).raise_for_status()

    def id_of(self, path: str, name: str) -> str:
        """Return the id of a thing that a search finds first, such as `/users?username=`."""
        return self.admin("GET", path + name).json()[0]["id"]

    def token_endpoint(self, **form: str) -> dict[str, str]:
        return (
            httpx2.post(f"{self.issuer}/protocol/openid-connect/token", data=form, timeout=60).raise_for_status().json()
        )

    def sign_in(self, user: str) -> Tokens:
        """Sign in with a temporary password, which the administrator sets first."""
        id_, temporary = self.id_of("/users?username=", user), secrets.token_urlsafe()
        self.admin("PUT", f"/users/{id_}/reset-password", {"type": "password", "value": temporary, "temporary": True})
        return self.first_sign_in(user, temporary, client="chronotile", redirect=REDIRECT)

    def first_sign_in(self, user: str, temporary: str, *, client: str, redirect: str) -> Tokens:
        """Sign in as a user who then has to change a temporary password."""
        verifier, own = secrets.token_urlsafe(48), secrets.token_urlsafe()
        with httpx2.Client(timeout=60, follow_redirects=False) as browser:
            page = browser.get(
                f"{self.issuer}/protocol/openid-connect/auth",
                params={
                    "response_type": "code",
                    "client_id": client,
                    "redirect_uri": redirect,
                    "scope": "openid",
                    "state": "of-the-page",
                    "nonce": "once",
                    "code_challenge_method": "S256",
                    "code_challenge": encoded_bytes(sha256(verifier.encode()).digest()),
                },
            )
            # Browsers send cookies that are `Secure` to http://localhost too.
            given = (each.partition(";")[0] for each in page.headers.get_list("set-cookie"))
            browser.headers["Cookie"] = "; ".join(given)
            signed = browser.post(_form_of(page), data={"username": user, "password": temporary})
            page = browser.get(signed.headers["location"])
            changed = browser.post(_form_of(page), data={"password-new": own, "password-confirm": own})
        back = urlsplit(changed.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == redirect
        return self._tokens(
            self.token_endpoint(
                grant_type="authorization_code",
                client_id=client,
                code=parse_qs(back.query)["code"][0],
                redirect_uri=redirect,
                code_verifier=verifier,
            )
        )

    def renew(self, tokens: Tokens) -> Tokens:
        """Return the next tokens of a session."""
        form = {"grant_type": "refresh_token", "client_id": "chronotile", "refresh_token": tokens.refresh}
        return self._tokens(self.token_endpoint(**form))

    def _tokens(self, found: dict[str, str]) -> Tokens:
        return Tokens(found["access_token"], found["id_token"], found["refresh_token"])

    def add_key(self, priority: int) -> None:
        """Sign by a new key from now on, if no key has a higher priority."""
        config = {"priority": [str(priority)], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
        self.admin(
            "POST",
            "/components",
            {
                "name": f"rsa-{priority}",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": self.admin("GET", "").json()["id"],
                "config": config,
            },
        )


def _form_of(page: httpx2.Response) -> str:
    return unescape(FORM.search(page.text)[1])


@contextmanager
def serving_keycloak(folder: Path) -> Iterator[Keycloak]:
    """Start it with the realm, its database in memory."""
    home = folder / "keycloak"
    shutil.copytree(os.environ[PLACE], home)
    (home / "data" / "import").mkdir(parents=True, exist_ok=True)
    shutil.copy(REALM, home / "data" / "import")
    password = secrets.token_urlsafe()
    own = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": password}
    command = [home / "bin" / "kc.sh", "start-dev", "--import-realm", "--db=dev-mem", "--cache=local"]
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(
            [*command, "--http-host=127.0.0.1", "--http-port=0"],
            env=os.environ | own | {"JAVA_OPTS_KC_HEAP": "-Xmx512m"},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield Keycloak(_address_in(folder / "log", process), password)
        finally:
            process.terminate()  # kc.sh has become Java


def _address_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    """Wait until the log names the address."""
    while process.poll() is None:
        if found := LISTENING.search(log.read_text()):
            return found[1]
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-4000:])
