"""A local OpenID Connect provider: discovery, keys, custom tokens, and users who sign in without interaction."""

import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

AUDIENCE = "chronotile"
CLIENT = "viewer"


def encoded(part: object) -> str:
    """Return a part of a token."""
    return encoded_bytes(orjson.dumps(part))


def encoded_bytes(text: bytes) -> str:
    """Return bytes in base64url, as tokens have them."""
    return urlsafe_b64encode(text).decode().rstrip("=")


class Provider:
    """Provider that signs tokens; `rotate` gives it a new key."""

    def __init__(self) -> None:
        self.url = ""
        self.fetches = 0
        self.is_away = False
        self.keys: list[Any] = []
        self.further: list[object] = []
        """Additional entries in its list of keys."""
        self.status, self.location = 200, ""
        self.held: threading.Event | None = None
        """Answers wait for this event, if it exists."""
        self.has_come = threading.Event()
        """Set while a request waits for `held`."""
        self.rotate("RS256")
        self.secret: str | None = None
        """Secret of the client; `None` makes it a public client."""
        self.groups = ["ministry"]
        self.lifetime_s = 300
        """Lifetime of access tokens; clocks may differ by 30 s, so a negative one is accepted, too."""
        self.denies: str | None = None
        """Error that users bring back instead of a code."""
        self.fails: int | None = None
        """Status of the token endpoint, if it fails."""
        self.codes: dict[str, dict[str, str]] = {}
        """Authorization requests by code; a code is valid for one exchange."""
        self.refresh_tokens: set[str] = set()
        """Valid refresh tokens; a token is valid once."""
        self.exchanges: list[str] = []
        """Kinds of exchanged grants."""
        self.sign_outs: list[dict[str, str]] = []

    def rotate(self, algorithm: str) -> None:
        """Sign with a new key from now on; older keys stay published."""
        kid = f"key-{len(self.keys)}"
        parameters = {"kid": kid, "use": "sig", "alg": algorithm}
        makers = {
            "RS256": lambda: RSAKey.generate_key(2048, parameters),
            "ES256": lambda: ECKey.generate_key("P-256", parameters),
            "EdDSA": lambda: OKPKey.generate_key("Ed25519", parameters),
        }
        self.algorithm = algorithm
        self.keys.append(makers[algorithm]())

    def token(self, *, typ: str = "at+jwt", without: tuple[str, ...] = (), **claims: object) -> str:
        """Return a token of a user of the group `ministry`; `claims` replace its default claims."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, "groups": ["ministry"]}
        said = {name: value for name, value in (usual | claims).items() if name not in without}
        header = {"alg": self.algorithm, "typ": typ, "kid": self.keys[-1].kid}
        return jws.serialize_compact(header, json.dumps(said).encode(), self.keys[-1], algorithms=[self.algorithm])

    def unsigned(self) -> str:
        """Return a token of `alg: none`."""
        parts = ({"alg": "none", "typ": "JWT", "kid": self.keys[-1].kid}, {"iss": self.url, "sub": "ann"})
        return ".".join(map(encoded, parts)) + "."

    def document(self, path: str) -> object:
        if path.endswith("/openid-configuration"):
            return {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "end_session_endpoint": f"{self.url}/end",
                "authorization_response_iss_parameter_supported": True,
            }
        self.fetches += 1
        if self.is_away:
            return None
        shown = KeySet(self.keys).as_dict(private=False)
        return {"keys": [*self.further, *shown["keys"]]}

    def authorized(self, asked: dict[str, str]) -> str:
        """Return the redirect URL for a browser whose user signs in without interaction."""
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        answer = {"state": asked["state"], "iss": self.url}
        if self.denies is None:
            code = secrets.token_urlsafe(8)
            self.codes[code] = asked
            return f"{asked['redirect_uri']}?{urlencode({**answer, 'code': code})}"
        return f"{asked['redirect_uri']}?{urlencode({**answer, 'error': self.denies})}"

    def exchanged(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, object]]:
        """Return status and body of the token endpoint (RFC 6749 §5, RFC 7636 §4.6)."""
        self.exchanges.append(form["grant_type"])
        if self.fails is not None:
            return self.fails, {"error": "temporarily_unavailable"}
        if self.secret is not None:
            pair = b64decode(authorization.removeprefix("Basic ")).decode().split(":") if authorization else []
            if [unquote_plus(each) for each in pair] != [CLIENT, self.secret]:
                return 401, {"error": "invalid_client"}
        nonce = None
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            verifier = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            if asked is None or (asked["code_challenge"], asked["redirect_uri"]) != (verifier, form["redirect_uri"]):
                return 400, {"error": "invalid_grant"}
            nonce = asked["nonce"]
        elif form["refresh_token"] not in self.refresh_tokens:
            return 400, {"error": "invalid_grant"}
        self.refresh_tokens.discard(form.get("refresh_token", ""))
        refresh = f"refresh-{secrets.token_urlsafe(16)}"
        self.refresh_tokens.add(refresh)
        exp = int(time.time()) + self.lifetime_s
        named = {"nonce": nonce} if nonce else {}
        return 200, {
            "access_token": self.token(exp=exp, groups=self.groups),
            "token_type": "Bearer",
            "expires_in": self.lifetime_s,
            "refresh_token": refresh,
            "id_token": self.token(typ="JWT", aud=CLIENT, name="Ann <Surveyor>", **named),
        }


@contextmanager
def serving_provider() -> Iterator[Provider]:
    """Serve a provider."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if provider.held is not None:
                provider.has_come.set()
                provider.held.wait()
            parts = urlsplit(self.path)
            asked = dict(parse_qsl(parts.query))
            if parts.path.endswith("/authorize"):
                self.redirect(provider.authorized(asked))
            elif parts.path.endswith("/end"):
                provider.sign_outs.append(asked)
                self.redirect(asked["post_logout_redirect_uri"])
            else:
                self.answer(provider.status, provider.document(parts.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*provider.exchanged(dict(parse_qsl(body)), self.headers.get("Authorization", "")))

        def redirect(self, location: str) -> None:
            self.send_response(302)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def answer(self, status: int, document: object) -> None:
            body = orjson.dumps(document)
            self.send_response(status)
            if provider.location:
                self.send_header("Location", provider.location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/realms/x"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
