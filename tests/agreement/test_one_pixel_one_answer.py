"""One pixel has the same value in XYZ, WMTS, WMS and point series (docs/design/architecture.md).

Sources are written in different CRS and orientations and served unchanged. At the layer's native zoom, with nearest
resampling, a pixel's colour must be the style's colour of the series' value at the pixel's centre.
"""

import numpy as np
import pytest

from tests.agreement.scenes_served import (
    DAY,
    DAY_INDEX,
    EACH_SCENE_AND_KIND,
    SAMPLES,
    SCENES,
    TILE_PX,
    Tile,
    cell_of,
    colour,
    native_tile,
    pixels,
    sampled,
    told,
    values_at,
)
from tests.decimals import cell_value


def ask_xyz(client, tile: Tile) -> np.ndarray:
    return pixels(client.get(f"/tiles/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png?datetime=2020-01-21"))


def ask_wmts(client, tile: Tile) -> np.ndarray:
    place = f"TILEMATRIXSET=WebMercatorQuad&TILEMATRIX={tile.z}&TILEROW={tile.y}&TILECOL={tile.x}"
    query = f"SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=NDVI&STYLE=default&FORMAT=image/png&{place}"
    return pixels(client.get(f"/wmts?{query}&TIME=2020-01-21"))


def ask_wmts_rest(client, tile: Tile) -> np.ndarray:
    return pixels(client.get(f"/wmts/1.0.0/NDVI/default/2020-01-21/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}.png"))


def ask_wms(client, tile: Tile) -> np.ndarray:
    box = ",".join(repr(edge) for edge in tile.bbox)
    return pixels(client.get(f"{WMS}&CRS=EPSG:3857&BBOX={box}&WIDTH={TILE_PX}&HEIGHT={TILE_PX}"))


WMS = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE"
    "&TIME=2020-01-21"
)
INFO = f"{WMS.replace('GetMap', 'GetFeatureInfo')}&QUERY_LAYERS=NDVI&INFO_FORMAT=application/json"
ASKED = {"XYZ": ask_xyz, "WMTS": ask_wmts, "WMTS REST": ask_wmts_rest, "WMS": ask_wms}


@pytest.mark.quick_cases("UTM-cog", "UTM, south up")
@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_colour_of_a_pixel_is_that_of_the_value_of_its_place(serve, scene, kind):
    served = serve(scene, kind)
    tile = native_tile(served)
    places = sampled(served, tile)

    shown = {name: ask(served.client, tile) for name, ask in ASKED.items()}

    values = values_at(served.client, places)
    expected = [colour(value) for value in values]
    assert len(places) == SAMPLES
    assert {
        name: [tuple(picture[row, column].tolist()) for row, column, _lon, _lat in places]
        for name, picture in shown.items()
    } == dict.fromkeys(ASKED, expected)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_pictures_of_one_place_are_the_same_in_every_pixel(serve, scene):
    served = serve(scene)
    tile = native_tile(served)

    first, *others = (ask(served.client, tile) for ask in ASKED.values())

    assert first[..., 3].any()
    assert [np.array_equal(first, other) for other in others] == [True] * len(others)


@pytest.mark.quick_cases("LAEA", "ascending latitude")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_series_has_the_exact_decimal_of_the_formula(serve, scene):
    served = serve(scene)
    places = sampled(served, native_tile(served))

    values = values_at(served.client, places)

    cells = [cell_of(scene, longitude, latitude) for _row, _column, longitude, latitude in places]
    numbers = [int(scene.number(DAY_INDEX, row, column)) for row, column in cells]
    assert values == [None if number == 255 else cell_value(number, scene.scale, scene.offset) for number in numbers]


@pytest.mark.quick_cases("LAEA")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_terrascopes_point_has_the_same_values(serve, scene):
    served = serve(scene)
    places = sampled(served, native_tile(served))[:10]

    results = [
        served.client.get("/timeseries/v1.0/ts/NDVI/point", params={"lon": longitude, "lat": latitude} | DAY).json()
        for _row, _column, longitude, latitude in places
    ]

    assert [answer["results"][0]["result"]["average"] for answer in results] == values_at(served.client, places)


@pytest.mark.quick_cases("UTM-cog", "UTM, south up")
@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_feature_info_equals_the_value_of_the_series(serve, scene, kind):
    served = serve(scene, kind)
    tile = native_tile(served)
    places = sampled(served, tile)
    box = ",".join(repr(edge) for edge in tile.bbox)
    grid = f"CRS=EPSG:3857&BBOX={box}&WIDTH={TILE_PX}&HEIGHT={TILE_PX}"
    path = f"/wmts/1.0.0/NDVI/default/2020-01-21/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"

    wms = [told(served.client.get(f"{INFO}&{grid}&I={column}&J={row}")) for row, column, _lon, _lat in places]
    wmts = [told(served.client.get(f"{path}/{row}/{column}.json")) for row, column, _lon, _lat in places]

    assert wms == wmts == values_at(served.client, places)


@pytest.mark.parametrize(
    ("scene", "crs"),
    [(SCENES["UTM"], "EPSG:32631"), (SCENES["UTM, south up"], "EPSG:32631"), (SCENES["LAEA"], "EPSG:3035")],
    ids=["UTM", "UTM, south up", "LAEA"],
)
def test_map_on_the_native_grid_shows_every_cell(serve, scene, crs):
    served = serve(scene)
    (left, one), (right, other) = (scene.transform @ corner for corner in ((0, 0), (scene.width, scene.height)))
    bottom, top = sorted((one, other))
    is_north_first = crs == "EPSG:3035"
    box = (bottom, left, top, right) if is_north_first else (left, bottom, right, top)
    size = f"WIDTH={scene.width}&HEIGHT={scene.height}"

    shown = pixels(served.client.get(f"{WMS}&CRS={crs}&BBOX={','.join(map(repr, box))}&{size}"))

    numbers = scene.numbers(DAY_INDEX)
    numbers = numbers[::-1] if scene.transform.e > 0 else numbers
    assert np.array_equal(shown[..., 3], np.where(numbers == 255, 0, 255))
    assert np.array_equal(shown[..., 0], np.where(numbers == 255, 0, numbers))
