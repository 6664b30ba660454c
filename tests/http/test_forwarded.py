"""Trusted proxies, and the headers accepted from them."""

import asyncio

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.http.forwarded import Forwarded
from tests.protocols import served

HEADERS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "maps.example.org", "X-Forwarded-Prefix": "/veg"}


def template(trusted, headers, peer="10.0.0.7"):
    app = application(served.make_services(), ServerOptions(trusted_proxies=trusted))
    with TestClient(app, client=(peer, 5000)) as client:
        response = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json", headers=headers)
    return response.json()["tiles"][0].partition("/tiles")[0]


@pytest.mark.parametrize("trusted", [("10.0.0.7",), ("10.0.0.0/8",), ("*",), ("127.0.0.1", "10.0.0.7")])
def test_links_use_the_host_of_a_trusted_proxy(trusted):
    assert template(trusted, HEADERS) == "https://maps.example.org/veg"


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"X-Forwarded-Port": "8443", "X-Forwarded-Proto": "https"}, "https://testserver:8443"),
        ({"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}, "https://testserver"),
        ({"X-Forwarded-Port": "8443", "X-Forwarded-Host": "a.example:9000"}, "http://a.example:9000"),
        ({"X-Forwarded-Port": "8443", "X-Forwarded-Host": "a.example"}, "http://a.example:8443"),
        ({"X-Forwarded-Port": "0x50"}, "http://testserver"),
    ],
)
def test_forwarded_port_is_part_of_links_unless_usual(headers, base):
    assert template(("*",), headers) == base


@pytest.mark.parametrize("trusted", [(), ("127.0.0.1",), ("10.0.0.8",), ("::1",)])
def test_untrusted_addresses_are_ignored(trusted):
    assert template(trusted, HEADERS) == "http://testserver"


def test_a_peer_without_address_is_not_believed():
    assert template(("127.0.0.1",), HEADERS, peer="testclient") == "http://testserver"


def test_the_nearest_proxy_has_the_word():
    headers = {"X-Forwarded-Proto": "gopher, https", "X-Forwarded-Host": "evil.example, maps.example.org"}

    assert template(("*",), headers) == "https://maps.example.org"


def test_the_nearest_proxy_has_the_word_though_it_added_lines():
    claimed = [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-Proto", "http")]

    assert template(("*",), [*claimed, *HEADERS.items()]) == "https://maps.example.org/veg"


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("unknown", "10.0.0.7"),
        ('192.0.2.7" GET /', "10.0.0.7"),
        ("", "10.0.0.7"),
    ],
)
def test_the_client_is_an_address_or_the_peer(told, seen):
    found = []

    async def app(scope, _receive, _send):
        found.append(scope["client"][0])

    scope = {"type": "http", "headers": [(b"x-forwarded-for", told.encode())], "client": ("10.0.0.7", 5000)}
    asyncio.run(Forwarded(app, trusted=["10.0.0.0/8"])(scope, None, None))

    assert found == [seen]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "javascript"},
        {"X-Forwarded-Host": 'a"b'},
        {"X-Forwarded-Host": "a b"},
        {"X-Forwarded-Prefix": "veg"},
        {"X-Forwarded-Prefix": "//evil.example"},
        {"X-Forwarded-Prefix": '/"><script>'},
    ],
    ids=str,
)
def test_invalid_forwarded_headers_are_ignored(headers):
    assert template(("*",), headers) == "http://testserver"


def test_no_other_header_states_the_address_of_the_client():
    names = ("Server", "Port", "Path", "Scheme", "Protocol", "Ssl", "Uri", "Url", "By")
    hosts = ("X-Host", "X-Original-Host", "X-HTTP-Host-Override", "X-Proxy-Host")
    paths = ("X-Script-Name", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL")
    claims = {f"X-Forwarded-{name}": "evil" for name in names}
    claims |= dict.fromkeys(hosts, "evil.example") | dict.fromkeys(paths, "/evil")
    claims |= {"Forwarded": "for=192.0.2.1;host=evil.example;proto=https", "X-Scheme": "https", "Front-End-Https": "on"}

    assert template(("*",), claims) == "http://testserver"
