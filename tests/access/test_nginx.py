"""The shipped nginx with a server of private things: a stranger gets no cached answer of the owner."""

import json
from pathlib import Path

import httpx2
import pytest

from chronotile.access.keys import open_keys
from chronotile.access.sessions import open_sessions
from chronotile.app.application import ServerOptions, application
from tests.access.provider import serving_provider
from tests.access.test_leaks import requests_of_strangers, with_private
from tests.access.test_signin import signing_in
from tests.clients.test_nginx_cache import Cached, nginx_before
from tests.protocols.fuzzing.site import made_services
from tests.protocols.listening import listening

pytestmark = [pytest.mark.client("nginx"), pytest.mark.slow]

URLS = (
    "/tiles/HIDDEN/WebMercatorQuad/11/1052/687.png",
    "/tiles/NDVI/WebMercatorQuad/11/1052/687.png",
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities",
    "/layers",
    "/layers/HIDDEN",
    "/places",
    "/stac/collections",
    "/ogcapi/collections?f=json",
)

HIDDEN = [
    url.replace("NDVI", "HIDDEN").replace("squares", "fields")
    for url in requests_of_strangers()
    if "NDVI" in url or "squares" in url
]


def test_stranger_gets_nothing_of_the_owner_and_owner_not_the_list_of_the_stranger(tmp_path: Path) -> None:
    keys = open_keys(None, tmp_path / "keys", archive="a")
    key = keys.create("owner", groups=["ministry"], days=1)
    keys.close()
    options = ServerOptions(keys=lambda: open_keys(None, tmp_path / "keys", archive="a"))
    app = application(with_private(made_services()), options)
    with listening(app) as ours, nginx_before(ours, tmp_path) as address:
        cached = Cached(address, app, tmp_path / "answers")
        first = {url: cached.ask(url) for url in URLS}  # nginx may cache it
        for _ in range(2):
            for url in URLS:
                owner = cached.ask(url, Authorization=f"Bearer {key}")
                in_path = cached.ask(f"/k/{key}{url}")
                assert owner.status == 200
                assert owner.cache != "HIT"
                assert in_path.status == 200
                assert b"HIDDEN" in owner.body or "NDVI/" in url or "places" in url or "/tiles/" in url
                stranger = cached.ask(url)
                assert (stranger.status, stranger.body) == (first[url].status, first[url].body)
                if url == "/layers":
                    names = {each["id"] for each in json.loads(stranger.body)["layers"]}
                    assert not names & {"HIDDEN", "HIDDEN2"}
        first |= {url: cached.ask(url) for url in HIDDEN}
        for url in HIDDEN:
            assert cached.ask(url, Authorization=f"Bearer {key}").cache != "HIT"
            cached.ask(f"/k/{key}{url}")
        for url in HIDDEN:
            stranger = cached.ask(url)
            assert (stranger.status, stranger.body) == (first[url].status, first[url].body)
        assert cached.ask("/layers").cache == "HIT"
        log = "".join(file.read_text(errors="replace") for file in tmp_path.rglob("*.log"))
        assert "/k/-/layers" in log
        assert key not in log
        assert key.encode() not in b"".join(
            file.read_bytes() for file in (tmp_path / "answers").rglob("*") if file.is_file()
        )


def test_a_user_who_signed_in_passes_by_the_cache_and_other_cookies_do_not(tmp_path: Path) -> None:
    with serving_provider() as provider:
        app = application(
            signing_in(provider), ServerOptions(sessions=lambda: open_sessions(None, tmp_path / "access", archive="a"))
        )
        with listening(app) as ours, nginx_before(ours, tmp_path) as address:
            cached = Cached(address, app, tmp_path / "answers")
            first = {url: cached.ask(url) for url in URLS}
            with httpx2.Client(follow_redirects=True) as browser:
                assert browser.get(f"{address}/signin?return=/layers").url == f"{address}/layers"
                (session,) = browser.cookies.values()
            for url in URLS:
                own = cached.ask(url, Cookie=f"theme=dark; chronotile_session={session}; a=b")
                assert own.status == 200
                assert own.cache != "HIT"
                assert own.body != first[url].body or "NDVI/" in url
                assert cached.ask(url).body == first[url].body
            for _ in range(2):
                other = cached.ask("/layers", Cookie="theme=dark")
            assert (other.cache, other.body) == ("HIT", first["/layers"].body)
