"""A stand-in for the hosts of OGC's and W3C's schemas, which OGC's suites fetch while they run.

    python -m tests.cite.schema_stand_in        prints options for Java; ends with Ctrl-C

It is a proxy on 127.0.0.1 that answers from a folder with a subfolder for each host, over http and, with a certificate
made for the run, over https; a missing file is 404, and no request is forwarded.
"""

import signal
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from tests.strict import SHARED

SCHEMAS = SHARED / "ogc" / "schemas"
TYPES = {
    ".xsd": "application/xml",
    ".dtd": "application/xml-dtd",
    ".yaml": "application/yaml",
    ".json": "application/json",
}
PASSWORD = "changeit"
"""Password of a trust store without secrets; Java requires one."""


class Schemas(BaseHTTPRequestHandler):
    """Serves files of `folder`; the first part of a path is a host."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, *arguments: object, folder: Path, context: ssl.SSLContext) -> None:
        self._folder = folder
        self._context = context
        self._host: str | None = None
        super().__init__(*arguments)

    def do_CONNECT(self) -> None:
        """Act as the host of the CONNECT request."""
        self._host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.rfile.close()
        self.connection = self._context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer with a file."""
        asked = urlsplit(self.path)
        host = self._host or asked.hostname or ""
        file = (self._folder / host / unquote(asked.path).lstrip("/")).resolve()
        is_there = host and file.is_relative_to(self._folder.resolve()) and file.is_file()
        body = file.read_bytes() if is_there else b""
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        """Close the TLS connection, too."""
        super().finish()
        if self._host is not None:
            self.connection.close()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextmanager
def schema_stand_in(folder: Path = SCHEMAS) -> Iterator[tuple[str, Path]]:
    """Yield the URL of a stand-in, and the folder with its `certificate.pem` and, for Java, `certificates.p12`."""
    hosts = sorted(each.name for each in folder.iterdir() if each.is_dir() and "." in each.name)
    with tempfile.TemporaryDirectory() as made:
        own = Path(made)
        certify(hosts, own)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own / "certificate.pem", own / "key.pem")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Schemas, folder=folder, context=context))
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", own
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def java_options(address: str, own: Path) -> list[str]:
    """Return Java options to fetch schemas through a stand-in; connections to loopback stay direct."""
    proxy = urlsplit(address)
    return [
        *(f"-D{scheme}.proxyHost={proxy.hostname}" for scheme in ("http", "https")),
        *(f"-D{scheme}.proxyPort={proxy.port}" for scheme in ("http", "https")),
        f"-Djavax.net.ssl.trustStore={own / 'certificates.p12'}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
    ]


def certify(hosts: Sequence[str], own: Path) -> None:
    """Write a certificate of all hosts that signs itself, good for two days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in of schemas")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, of_keys = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (own / "key.pem").write_bytes(key.private_bytes(pem, of_keys, plain))
    (own / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    known = pkcs12.PKCS12Certificate(certificate, b"stand-in")
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    (own / "certificates.p12").write_bytes(pkcs12.serialize_java_truststore([known], encryption))


def main() -> None:
    """Run a stand-in until it is stopped."""
    with schema_stand_in() as (address, own):
        sys.stdout.write(f"{' '.join(java_options(address, own))}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
