"""Signatures of events, checked with a published example and the documentation for subscribers."""

import base64
import subprocess
import time

import pytest

from chronotile.protocols.catalogue.changes.events import signed_headers
from tests.docs.blocks import BLOCKS

PAGE = "docs/reference/changes.md"
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
BODY = '{"specversion":"1.0","data":{"id":"é"}}'.encode()


def block_of(language, text):
    (found,) = (
        each for each in BLOCKS if str(each).startswith(PAGE) and each.language == language and text in each.text
    )
    return found.text


def signed(body=BODY, *, at_s=None, secret=SECRET):
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return signed_headers(body, id_="an-event-1", at_s=int(time.time()) if at_s is None else at_s, key=key)


@pytest.fixture
def is_genuine():
    names = {}
    exec(block_of("python", "def is_genuine"), names)
    return names["is_genuine"]


def test_signature_is_that_of_standard_webhooks():
    headers = signed_headers(
        b'{"test": 2432232314}',
        id_="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at_s=1614265330,
        key=base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    )

    assert headers == {  # the example of its libraries
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [SECRET, "any text of at least 24 bytes, é"])
def test_documented_check_accepts_sent_events(is_genuine, secret):
    assert is_genuine(signed(secret=secret), BODY, secret)


def test_documented_check_refuses_everything_else(is_genuine):
    assert not is_genuine(signed(), BODY + b" ", SECRET)
    assert not is_genuine(signed(), BODY, f"whsec_{base64.b64encode(bytes(32)).decode()}")
    assert not is_genuine({**signed(), "webhook-id": "another"}, BODY, SECRET)
    assert not is_genuine(signed(at_s=int(time.time()) - 600), BODY, SECRET)


@pytest.mark.client("openssl", "bash")
def test_the_documented_commands_compute_the_signature(tmp_path):
    (tmp_path / "body").write_bytes(BODY)
    headers = signed()
    environment = {
        "HOOK_SECRET": SECRET,
        "WEBHOOK_ID": headers["webhook-id"],
        "WEBHOOK_TIMESTAMP": headers["webhook-timestamp"],
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }

    done = subprocess.run(
        ["bash", "-c", block_of("sh", "openssl dgst")], cwd=tmp_path, env=environment, capture_output=True, check=True
    )

    assert f"v1,{done.stdout.decode().strip()}" == headers["webhook-signature"]
