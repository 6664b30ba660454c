"""What leaves compressed, and how it is validated."""

import pytest

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}
LAYERS = "/layers"
TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343"


def test_text_leaves_compressed_for_who_takes_that(client):
    answer = client.get(LAYERS, headers=GZIP)

    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.json() == client.get(LAYERS, headers=PLAIN).json()


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "tif", "npy"])
def test_pixels_leave_as_they_are(client, ending):
    answer = client.get(f"{TILE}.{ending}", headers=GZIP)

    assert (answer.status_code, answer.headers.get("content-encoding")) == (200, None)


def test_compressed_and_plain_bytes_have_strong_etags_of_their_own(client):
    compressed, plain = (client.get(LAYERS, headers=each).headers["etag"] for each in (GZIP, PLAIN))

    assert compressed != plain
    assert not {compressed[:2], plain[:2]} & {"W/"}


@pytest.mark.parametrize("encoding", [GZIP, PLAIN], ids=["gzip", "plain"])
def test_what_the_client_holds_is_confirmed_under_the_etag_it_has(client, encoding):
    etag = client.get(LAYERS, headers=encoding).headers["etag"]

    answer = client.get(LAYERS, headers={"If-None-Match": etag, **encoding})

    assert (answer.status_code, answer.headers["etag"]) == (304, etag)
