"""The Python client with a token, a key or a function, and targets that must not get its tokens."""

import asyncio
import base64
import json
import logging
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import traitlets

from chronotile_client import Archive, ArchiveError, AsyncArchive, NotFound
from chronotile_client import map as map_module
from chronotile_client.credential import Credential
from tests.listener import Answer, Listener, listener

pytestmark = pytest.mark.slow

POINT = (3.003, 51.0)
JSON = {"Content-Type": "application/json"}
LAYERS = Answer(body=b'{"layers": []}', headers=JSON)


def json_web_token(expires: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"e30.{claims}.signature"


@pytest.fixture
def server() -> Iterator[Listener]:
    with listener() as server:
        server.answers["/layers"] = LAYERS
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    with listener() as elsewhere:
        elsewhere.answers["/layers"] = LAYERS
        yield elsewhere


def sent_to(server: Listener) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.asked]


def test_a_key_opens_the_private_layer(site: tuple[str, str, Path]) -> None:
    address, key, _log = site
    with pytest.raises(NotFound), Archive(address) as stranger:
        stranger.layer("SECRET")
    with Archive(address, token=f"{key}\n") as archive:
        layer = archive.layers["SECRET"]
        series = layer.series(POINT)
        lazy = layer.open().sel(x=500_030, y=5_649_800, method="nearest")
        assert layer.map(width=40).content.startswith(b"\x89PNG")
        assert len(series) == 3
        assert lazy.load().size == 3


def test_a_function_is_called_again_when_its_token_is_refused(site: tuple[str, str, Path]) -> None:
    address, key, _log = site
    tokens = iter(["ctk_old", key])
    with Archive(address, token=lambda: next(tokens)) as archive:
        assert archive.layer("SECRET").id == "SECRET"
        assert "SECRET" in archive.layers


@pytest.mark.parametrize("is_async", [True, False], ids=["async function", "function"])
def test_many_requests_with_await_call_a_function_once(site: tuple[str, str, Path], *, is_async: bool) -> None:
    address, key, _log = site
    calls = list[str]()

    async def token() -> str:
        calls.append(key)
        await asyncio.sleep(0)
        return key

    def plain_token() -> str:
        calls.append(key)
        return key

    async def read() -> list[str]:
        async with AsyncArchive(address, token=token if is_async else plain_token) as archive:
            layers = await asyncio.gather(*(archive.layer("SECRET") for _ in range(8)))
            assert len(calls) == 1
            assert (await layers[0].open()).shape[0] == 3
            return [layer.id for layer in layers]

    assert asyncio.run(read()) == ["SECRET"] * 8


def test_a_function_is_called_when_its_token_has_expired_and_not_before(server: Listener) -> None:
    tokens = [json_web_token(time.time() + 3600), json_web_token(time.time() - 1)]
    with Archive(server.url, token=tokens.pop) as archive:
        for _ in range(3):
            archive.reload()
            assert len(archive.layers) == 0
    first, *later = sent_to(server)
    assert len(set(later)) == 1
    assert first not in later


@pytest.mark.parametrize("token", ["ctk_a", lambda: "ctk_a", iter(["ctk_a", "ctk_b"]).__next__])
def test_refused_request_is_sent_once_more_with_another_token(server: Listener, token: str | Callable[[], str]) -> None:
    server.answers["/layers"] = Answer(401, b'{"detail": "not accepted"}', JSON)
    with Archive(server.url, token=token) as archive, pytest.raises(ArchiveError, match="not accepted") as raised:
        len(archive.layers)
    assert raised.value.status == 401
    assert sent_to(server) in (["Bearer ctk_a"], ["Bearer ctk_a", "Bearer ctk_b"])


def test_no_other_host_gets_a_token(server: Listener, elsewhere: Listener) -> None:
    """Not even after a redirect, such as to a signed URL of a bucket, with any HTTP library."""
    server.answers["/layers"] = Answer(307, headers={"Location": f"{elsewhere.url}/layers"})
    credential = Credential(server.url, "ctk_a")

    async def read() -> None:
        async with AsyncArchive(server.url, token="ctk_a") as archive:
            await archive.layers()
        async with (
            aiohttp.ClientSession(middlewares=(credential.aiohttp_middleware,)) as session,
            session.get(f"{server.url}/layers") as answer,
        ):
            assert answer.status == 200
        async with (
            aiohttp.ClientSession(middlewares=(credential.aiohttp_middleware,)) as session,
            session.get(f"{elsewhere.url}/layers") as answer,
        ):
            assert answer.status == 200

    with Archive(server.url, token="ctk_a") as archive:
        assert len(archive.layers) == 0
    asyncio.run(read())
    assert sent_to(server) == ["Bearer ctk_a"] * 3
    assert sent_to(elsewhere) == [None] * 4


def test_token_appears_nowhere(server: Listener, caplog: pytest.LogCaptureFixture) -> None:
    secret = "ctk_a-secret"
    server.answers["/layers"] = Answer(500, b"broken")
    with caplog.at_level(logging.DEBUG), Archive(server.url, token=secret) as archive:
        with pytest.raises(ArchiveError) as raised:
            len(archive.layers)
        shown = [caplog.text, repr(archive), str(vars(archive)), repr(archive.credential), repr(raised.value)]
    shown += [repr(Archive(f"{server.url}/k/{secret}")), repr(AsyncArchive(f"{server.url}/k/{secret}/"))]
    for wrong in (f"{secret}\nX-Other: 1", f"{secret}ü", ""):
        with pytest.raises(ValueError, match="token") as refused:
            Archive(server.url, token=wrong)
        shown.append(repr(refused.value))
    assert secret not in "".join(shown)
    assert sent_to(server) == [f"Bearer {secret}"]


def test_token_function_of_a_wrong_type_is_an_explained_error(server: Listener) -> None:
    async def token() -> str:
        return "ctk_a"

    for wrong, match in ((token, "AsyncArchive"), (lambda: None, "returned NoneType")):
        with Archive(server.url, token=wrong) as archive, pytest.raises(TypeError, match=match):
            len(archive.layers)
    assert server.asked == []


def test_workers_of_dask_get_a_credential_that_works() -> None:
    copy = pickle.loads(pickle.dumps(Credential("http://localhost", "ctk_a")))
    assert copy.token() == "ctk_a"


def test_map_saved_by_a_notebook_contains_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("map.js", "map.css"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(map_module, "BUNDLE", tmp_path)
    tokens = ["ctk_b", "ctk_a"]
    sent = list[object]()

    async def ask() -> str:
        shown = map_module.Map(AsyncArchive("http://localhost", token=tokens.pop), "SECRET")
        monkeypatch.setattr(shown, "send", sent.append)
        for refused in ("", "ctk_a", ""):
            shown._handle_custom_msg({"refused": refused}, [])
            await asyncio.gather(*shown._answers)
        assert not map_module.Map(Archive("http://localhost"), "NDVI").has_token
        assert isinstance(shown.traits()["has_token"], traitlets.Bool)
        return json.dumps(shown.get_state(), default=repr) + repr(shown)

    saved = asyncio.run(ask())
    assert '"has_token": true' in saved
    assert "ctk_" not in saved
    assert sent == [{"token": "ctk_a"}, {"token": "ctk_b"}, {"token": "ctk_b"}]
