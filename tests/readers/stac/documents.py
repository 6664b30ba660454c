"""STAC documents of made items, as catalogues write them."""

from copy import deepcopy

TILE = {"proj:code": "EPSG:32631", "proj:shape": [10980, 10980], "proj:transform": [10, 0, 600000, 0, -10, 5700000]}
"""Fields of a tile of Sentinel-2 over Belgium."""
TILE_CORNERS = [[4.438877, 51.442352], [6.017025, 51.412343], [5.95387, 50.426294], [4.408715, 50.455272]]
"""In longitude and latitude, by PROJ."""


def polygon(*corners):
    """Return a GeoJSON polygon through corners."""
    return {"type": "Polygon", "coordinates": [[*(list(corner) for corner in corners), list(corners[0])]]}


def box(west, south, east, north):
    """Return a GeoJSON polygon around a box."""
    return polygon((west, south), (east, south), (east, north), (west, north))


def item(*, assets=None, geometry=None, properties=None, **fields):
    """Return an item of one red band of 10 m; `properties` and `fields` replace the default ones."""
    own = {"datetime": "2022-06-01T10:50:31.024Z", "eo:cloud_cover": 12.5, **TILE}
    return deepcopy(
        {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": "S2A_31UFS_20220601_0_L2A",
            "geometry": polygon(*TILE_CORNERS) if geometry is None else geometry,
            "properties": {**own, **(properties or {})},
            "assets": {"red": asset()} if assets is None else assets,
            "links": [],
            **fields,
        }
    )


def asset(href="./red.tif", **fields):
    """Return an asset of COG."""
    return {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", **fields}
