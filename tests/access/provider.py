"""An OpenID Connect provider of this machine: discovery, keys, and tokens made to order."""

import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

AUDIENCE = "chronotile"


def encoded(part: object) -> str:
    """Return a part of a token."""
    return encoded_bytes(orjson.dumps(part))


def encoded_bytes(text: bytes) -> str:
    """Return bytes in base64url, as tokens have them."""
    return urlsafe_b64encode(text).decode().rstrip("=")


class Provider:
    """Signs tokens; `rotate` gives it another key."""

    def __init__(self) -> None:
        self.url = ""
        self.fetches = 0
        self.is_away = False
        self.keys: list[Any] = []
        self.further: list[object] = []
        """What it shows among its keys besides."""
        self.rotate("RS256")

    def rotate(self, algorithm: str) -> None:
        """Sign by a new key from now on; older ones are still shown."""
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
        """Return a token of a user of the group `ministry`, with other claims in place of its own."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, "groups": ["ministry"]}
        said = {name: value for name, value in (usual | claims).items() if name not in without}
        header = {"alg": self.algorithm, "typ": typ, "kid": self.keys[-1].kid}
        return jwt.encode(header, said, self.keys[-1], algorithms=[self.algorithm])

    def unsigned(self) -> str:
        """Return a token of `alg: none`."""
        parts = ({"alg": "none", "typ": "JWT", "kid": self.keys[-1].kid}, {"iss": self.url, "sub": "ann"})
        return ".".join(map(encoded, parts)) + "."

    def document(self, path: str) -> object:
        if path.endswith("/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.fetches += 1
        if self.is_away:
            return None
        shown = KeySet(self.keys).as_dict(private=False)
        return {"keys": [*self.further, *shown["keys"]]}


@contextmanager
def serving_provider() -> Iterator[Provider]:
    """Serve one."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = orjson.dumps(provider.document(self.path))
            self.send_response(200)
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
