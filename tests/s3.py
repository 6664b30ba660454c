"""An S3 server of our own (moto), in a process that can be ended and started again, with nothing in it then."""

import os
import secrets
import socket
import subprocess
import urllib.request
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

from tests.running import reserved_port, until
from tests.strict import find_program

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
REGION = "eu-west-1"
ACCESS_KEY, SECRET = "AKIATESTTESTTEST", "a secret of tests"


class Server:
    """A server that can be started and stopped; its port is nobody else's as long as this object is there."""

    def __init__(self) -> None:
        held = reserved_port()
        self.port = held.getsockname()[1]
        weakref.finalize(self, os.close, held.detach())
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [find_program("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_bucket(self, name: str | None = None) -> str:
        """Return the name of a new bucket."""
        name = name or f"bucket-{secrets.token_hex(4)}"
        place = (
            f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        )
        urllib.request.urlopen(urllib.request.Request(f"{self.address}/{name}", place.encode(), method="PUT")).close()
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return the keys of all objects of a bucket."""
        with urllib.request.urlopen(f"{self.address}/{bucket}?list-type=2") as answer:
            return [each.text for each in ET.parse(answer).iter(f"{{{NAMESPACE}}}Key")]

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the S3 server did not start"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True


@contextmanager
def serving_s3() -> Iterator[Server]:
    """A running server."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()
