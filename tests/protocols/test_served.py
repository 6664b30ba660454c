"""The fixtures themselves: the pixels of a tile follow the formula."""

import io

import numpy as np
from PIL import Image

from tests.protocols import served


def test_tile_shows_the_formula(make_client, make_services):
    services = make_services()
    tile_matrix_set = services.catalogue.tile_matrix_set("WebMercatorQuad")
    grid = tile_matrix_set.tile_grid(tile_matrix_set.matrix("11"), row=687, column=1052)

    answer = make_client(services).get("/tiles/NDVI/WebMercatorQuad/11/1052/687.png?style=steps&datetime=2020-06-11")

    pixels = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    expected = served.expected_rgba(served.BELGIUM_31N, grid, 2)
    assert (pixels != expected).any(axis=2).mean() <= 0.001
    assert expected[..., 3].any()


def test_missing_source_does_not_stop_other_layers(client):
    gone = client.get("/tiles/GONE/WebMercatorQuad/11/1052/687.png")
    other = client.get("/tiles/HEIGHT/WebMercatorQuad/11/1052/687.png")

    assert gone.status_code == 503
    assert other.status_code == 200
