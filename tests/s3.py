"""A separate S3 server (moto) in a process that can be ended and started again, without its content."""

import json
import os
import secrets
import socket
import subprocess
import urllib.parse
import urllib.request
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from xml.etree import ElementTree as ET

from tests.running import reserved_port, until
from tests.strict import find_program

if TYPE_CHECKING:
    from obstore.store import S3Store

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
REGION = "eu-west-1"
ACCESS_KEY, SECRET = "AKIATESTTESTTEST", "a secret of tests"


AnyServer = TypeVar("AnyServer", bound="Server")


class Server:
    """A server that can be started and stopped; it reserves its port during the life of this object."""

    unsigned: int | None = None
    """Number of requests after the start that need no valid signature; `None`: all requests."""
    bucket = "scenes"
    """Bucket of the uploads."""

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
        environment = dict(os.environ)
        if self.unsigned is not None:
            environment["INITIAL_NO_AUTH_ACTION_COUNT"] = str(self.unsigned)
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    @property
    def pid(self) -> int:
        """Id of its process."""
        assert self._process is not None
        return self._process.pid

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

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return the content of all objects of a bucket by their keys."""
        store = self.store_of(bucket)
        return {key: bytes(store.get(key).bytes()) for key in self.keys(bucket)}

    def put_back(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Make a bucket with objects, as if the server had kept them."""
        self.make_bucket(bucket)
        store = self.store_of(bucket)
        for key, content in objects.items():
            store.put(key, content)

    def store_of(self, bucket: str) -> "S3Store":
        """Return a bucket as obstore has it."""
        from obstore.store import S3Store

        return S3Store(
            bucket,
            endpoint=self.address,
            region=REGION,
            access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )

    def upload(self, folder: Path) -> None:
        """Put all files of a folder into the bucket, under their paths below it."""
        store = self.store_of(self.bucket)
        for path in filter(Path.is_file, folder.rglob("*")):
            store.put(str(path.relative_to(folder)), path.read_bytes())

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the S3 server did not start"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True


class SignedServer(Server):
    """A server with one bucket, which answers requests alone that are signed with the key of its one user."""

    unsigned = 4

    def start(self) -> None:
        """Start it, and make the bucket, the user and the key with the requests that need no signature."""
        super().start()
        self.make_bucket(self.bucket)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        self._manage("CreateUser", UserName="reader")
        self._manage("PutUserPolicy", UserName="reader", PolicyName="all", PolicyDocument=json.dumps(policy))
        answer = self._manage("CreateAccessKey", UserName="reader")
        self.environment |= {
            "AWS_ACCESS_KEY_ID": _text_of(answer, "AccessKeyId"),
            "AWS_SECRET_ACCESS_KEY": _text_of(answer, "SecretAccessKey"),
        }

    def _manage(self, action: str, **parameters: str) -> ET.Element:
        """Call an action of IAM, which the server identifies by the scope of a signature."""
        body = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08"} | parameters)
        scope = "AWS4-HMAC-SHA256 Credential=none/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.address, body.encode(), {"Authorization": scope})
        with urllib.request.urlopen(request) as answer:
            return ET.parse(answer).getroot()


def _text_of(answer: ET.Element, name: str) -> str:
    """Return the text of the element with a name, in any namespace."""
    return next(element.text or "" for element in answer.iter() if element.tag.rpartition("}")[2] == name)


@contextmanager
def serving_s3(make: type[AnyServer] = Server) -> Iterator[AnyServer]:
    """A running server."""
    server = make()
    try:
        server.start()
        yield server
    finally:
        server.stop()
