"""A server behind a proxy with TLS and a path, configured by deploy/ and docs/how-to/behind-a-proxy.md."""

import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from chronotile.app.application import ServerOptions, application
from chronotile.jobs.queue.service import JobService
from tests.clients.test_nginx import listens
from tests.clients.test_nginx_cache import CAPABILITIES, PAGE, TILE, nginx_before, services_at
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, PROGRAM, reserved_port, until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CADDYFILE = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
FORGED = {
    "Forwarded": "for=192.0.2.1;host=evil.example;proto=http",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "http",
    "X-Request-Id": "evil",
}
GLOBAL_OF_TEST = """{
	admin off
	auto_https disable_redirects
	skip_install_trust
	storage file_system FOLDER
"""
SITE_OF_TEST = """https://localhost:PORT {
	tls internal
"""


def server_of(tmp_path):
    options = ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a"), trusted_proxies=["127.0.0.1"])
    return listening(application(services_at(), options))


@contextmanager
def caddy_before(ours, folder):
    """Run Caddy with the shipped file, but local addresses and a local certificate."""
    with reserved_port() as held:
        port = held.getsockname()[1]
        assert CADDYFILE.count("maps.example.org {") == CADDYFILE.count("127.0.0.1:8000") == 1
        text = CADDYFILE.replace("maps.example.org {", SITE_OF_TEST).replace("{\n", GLOBAL_OF_TEST, 1)
        text = text.replace("log {\n", "log {\n\t\toutput file FOLDER/caddy.log\n", 1)
        text = text.replace("127.0.0.1:8000", ours.removeprefix("http://"))
        (folder / "Caddyfile").write_text(text.replace("PORT", str(port)).replace("FOLDER", str(folder)))
        process = subprocess.Popen(
            ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"],
            env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: listens(port, process) and has_certificate(port))
            yield f"https://localhost:{port}"
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def has_certificate(port):
    """Return whether Caddy has its certificate; it listens earlier."""
    try:
        ssl.get_server_certificate(("localhost", port), timeout=PATIENCE_S)
    except ssl.SSLError:
        return False
    return True


@contextmanager
def nginx_with_tls_before(ours, folder):
    """Run nginx with the shipped file and the additions of the page for TLS and for a path."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject)
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls, path = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    *rewrites, prefix = path.splitlines()
    with reserved_port() as held:
        port = held.getsockname()[1]
        ours_of_tls = tls.replace("listen 443", f"listen 127.0.0.1:{port}").replace("listen [::]:443 ssl;", "")
        for there, here in (("fullchain.pem", certificate), ("privkey.pem", key)):
            ours_of_tls = re.sub(rf"/etc/\S*/{there}", str(here), ours_of_tls)
        further = [
            ("server_name _;", f"server_name _; {' '.join(rewrites)} {ours_of_tls}"),
            ('proxy_set_header X-Forwarded-Prefix "";', prefix),
        ]
        with nginx_before(ours, folder, further=further, further_port=port):
            yield f"https://localhost:{port}"


@pytest.mark.client("caddy")
def test_caddy_logs_no_key_in_any_spelling(tmp_path):
    key = "ctk_0123456789abcdefghijklmnopqrstuvwxyz"
    targets = [f"/maps/k/{key}/wms", f"/maps/%6B%2f{key}/wms", f"/maps/k/{key}/k/{key}?return=%2Fk%2F{key}%2Fwms"]
    trusting = ssl._create_unverified_context()  # the certificate of the test
    with reserved_port() as held, caddy_before(f"127.0.0.1:{held.getsockname()[1]}", tmp_path) as address:
        statuses = [status_at(f"{address}{target}", trusting) for target in targets]

    log = (tmp_path / "caddy.log").read_text()
    assert statuses == [502] * 3
    assert log.count('"uri":"/maps/k/-/wms"') == 1
    assert key[4:] not in log


def status_at(url, trusting):
    """Return the status of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=PATIENCE_S, context=trusting)
    refused.value.close()
    return refused.value.code


PROXIES = [
    pytest.param(caddy_before, marks=pytest.mark.client("caddy"), id="caddy"),
    pytest.param(nginx_with_tls_before, marks=pytest.mark.client("nginx", "openssl"), id="nginx"),
]


@pytest.fixture(params=PROXIES)
def ask(request, tmp_path):
    """Return a function: `ask(path, **headers)` returns status, headers in lower case and body through the proxy."""
    trusting = ssl._create_unverified_context()  # the certificate of the test

    def ask_at(address, path, **headers):
        headers = {name.replace("_", "-"): value.replace("HERE", address) for name, value in headers.items()}
        try:
            answer = urllib.request.urlopen(
                urllib.request.Request(f"{address}{path}", headers=headers), timeout=PATIENCE_S, context=trusting
            )
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, told, answer.read().decode("utf-8", "replace").replace(address, "HERE")

    with server_of(tmp_path) as ours, request.param(ours, tmp_path) as address:
        yield lambda path, **headers: ask_at(address, path, **headers)


def test_documents_have_the_address_of_the_proxy_with_any_headers_of_clients(ask):
    status, _headers, body = ask(f"/maps{CAPABILITIES}", **FORGED)

    assert status == 200
    assert "HERE/maps/wms" in body
    assert "evil" not in body
    assert "http://" not in "".join(re.findall(r'OnlineResource[^>]*xlink:href="([^"]*)"', body))


def test_tiles_come_through_with_an_id_of_the_proxy(ask):
    status, headers, _body = ask(f"/maps{TILE}?datetime=2020-06-11", X_Request_Id="evil")

    assert (status, headers["content-type"]) == (200, "image/png")
    assert re.fullmatch(r"[0-9a-f-]{32,36}", headers["x-request-id"])


@pytest.mark.parametrize("path", ["/maps/metrics", "/metrics"])
def test_metrics_are_closed(ask, path):
    assert ask(path)[0] == 404


def test_jobs_are_for_pages_of_the_proxy_alone(ask):
    assert ask("/maps/ogcapi/jobs", Origin="HERE")[0] == 200
    assert ask("/maps/ogcapi/jobs", Origin="https://evil.example", X_Forwarded_Host="evil.example")[0] == 403


@pytest.mark.client("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_accepted_by_systemd(unit, tmp_path):
    text = unit.read_text(encoding="utf-8")
    assert "\nExecStart=/opt/chronotile/bin/chronotile " in text
    (tmp_path / unit.name).write_text(text.replace("/opt/chronotile/bin/chronotile", str(PROGRAM)), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
