"""The stand-in for hosts of schemas, as a proxy of Python and Java."""

import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

pytest.importorskip("cryptography", reason="the extra dask is not installed")

from tests.cite.schema_stand_in import java_options, schema_stand_in

pytestmark = pytest.mark.slow

SCHEMA = b"<schema/>"
FETCH = """
import java.net.*;
public class Fetch {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) System.out.println(new String(new URL(url).openStream().readAllBytes()));
    }
}
"""


@pytest.fixture
def stand_in(tmp_path):
    """A stand-in for `schemas.example.org` with one file."""
    folder = tmp_path / "schemas"
    (folder / "schemas.example.org" / "a").mkdir(parents=True)
    (folder / "schemas.example.org" / "a" / "b.xsd").write_bytes(SCHEMA)
    (tmp_path / "secret.txt").write_text("not to be served")
    with schema_stand_in(folder) as found:
        yield found


@pytest.fixture
def fetch(stand_in):
    """Return a function: `fetch("https://…")` returns the status and body through the stand-in."""
    address, own = stand_in
    proxies = urllib.request.ProxyHandler({"http": address, "https": address})
    https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=own / "certificate.pem"))
    opener = urllib.request.build_opener(proxies, https)

    def ask(url):
        try:
            with opener.open(url, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return ask


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_schemas_are_fetched_from_the_folder_of_their_host(fetch, scheme):
    assert fetch(f"{scheme}://schemas.example.org/a/b.xsd") == (200, SCHEMA)


@pytest.mark.parametrize(
    "url",
    [
        "http://schemas.example.org/a/c.xsd",
        "http://schemas.example.org/a",
        "http://elsewhere.example.org/a/b.xsd",
        "http://schemas.example.org/../../secret.txt",
        "http://schemas.example.org/%2e%2e/%2e%2e/secret.txt",
        "https://schemas.example.org/a/c.xsd",
    ],
)
def test_no_other_schema_is_served(fetch, url):
    assert fetch(url) == (404, b"")


@pytest.mark.audit
@pytest.mark.client("javac")
def test_java_fetches_with_the_options(stand_in, tmp_path):
    (tmp_path / "Fetch.java").write_text(FETCH)
    urls = [f"{scheme}://schemas.example.org/a/b.xsd" for scheme in ("http", "https")]

    ran = subprocess.run(
        ["java", *java_options(*stand_in), tmp_path / "Fetch.java", *urls],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert (ran.returncode, ran.stdout.split()) == (0, [SCHEMA.decode()] * 2), ran.stderr
