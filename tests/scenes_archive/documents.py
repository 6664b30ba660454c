"""The archive as STAC: items and collection of version 1.0 or 1.1, a static catalogue of them, stac-geoparquet."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyproj
import shapely

from tests.scenes_archive import plan
from tests.scenes_archive.files import path_of
from tests.scenes_archive.plan import Plan, Scene

Version = Literal["1.0", "1.1"]
Document = dict[str, Any]
COLLECTION = "scenes"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
SCHEMA = "https://stac-extensions.github.io/{}/schema.json"
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "1.0": ("projection/v1.1.0", "raster/v1.1.0", "eo/v1.1.0", "classification/v1.1.0", "grid/v1.1.0"),
    "1.1": ("projection/v2.0.0", "raster/v2.0.0", "eo/v2.0.0", "classification/v2.0.0", "grid/v1.1.0"),
}
COMMON_NAMES = {"B04": "red", "B08": "nir"}
CLASSES = (
    *("no_data", None, None, "cloud_shadows", "vegetation", "not_vegetated", "water", None, "cloud_medium_probability"),
    "cloud_high_probability",
)
RENDERS = {
    "ndvi": {
        "title": "NDVI",
        "assets": ["B08", "B04"],
        "expression": "(B08-B04)/(B08+B04)",
        "rescale": [[-0.2, 1.0]],
        "colormap_name": "ylgn",
    },
    "red": {"title": "Red, grey", "assets": ["B04"], "rescale": [[1000.0, 4000.0]], "resampling": "nearest"},
}
UPDATED = "2022-06-01T00:00:00Z"


def item(scene: Scene, href: Callable[[str], str], *, version: Version = "1.1") -> Document:
    """Return the item of a scene; `href` makes the address of a file of the path that it gets."""
    outline = footprint(scene)
    return {
        "type": "Feature",
        "stac_version": f"{version}.0",
        "stac_extensions": [SCHEMA.format(name) for name in EXTENSIONS[version]],
        "id": scene.id,
        "collection": COLLECTION,
        "geometry": json.loads(shapely.to_geojson(outline)),
        "bbox": [round(edge, 7) for edge in outline.bounds],
        "properties": {
            "datetime": scene.datetime,
            "created": UPDATED,
            "updated": UPDATED,
            "platform": "made-2a",
            "gsd": 10,
            "grid:code": f"MGRS-{scene.frame.id}",
            "eo:cloud_cover": scene.cloud_cover,
            "s2:nodata_pixel_percentage": scene.nodata_share,
            **_code(scene, version),
        },
        "links": [],
        "assets": {name: _asset(scene, name, href, version) for name in scene.plan.assets},
    }


def collection(made: Plan, *, version: Version = "1.1") -> Document:
    """Return the collection of all scenes, with renders and the assets of its items."""
    boxes = [footprint(scene).bounds for scene in made.scenes(0)]
    box = [pick(edge) for pick, edge in zip((min, min, max, max), zip(*boxes, strict=True), strict=True)]
    first = made.scenes(0)[0]
    assets = {name: _asset(first, name, str, version) for name in made.assets}
    inherited = ("type", "roles", "bands", "eo:bands", "data_type", "nodata", "raster:scale", "classification:classes")
    return {
        "type": "Collection",
        "stac_version": f"{version}.0",
        "stac_extensions": [SCHEMA.format("render/v2.0.0"), SCHEMA.format("item-assets/v1.0.0")],
        "id": COLLECTION,
        "title": "Made scenes",
        "description": "Scenes made by a formula, as a test compares them.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [box]},
            "temporal": {"interval": [[f"{made.days[0]}T00:00:00Z", f"{made.days[-1]}T23:59:59Z"]]},
        },
        "item_assets": {name: {key: asset[key] for key in inherited if key in asset} for name, asset in assets.items()},
        "renders": RENDERS,
        "links": [],
    }


def footprint(scene: Scene) -> shapely.Polygon:
    """Return the footprint of a scene in longitude and latitude; its edges are within a decimetre of the tile's."""
    box = shapely.box(*scene.frame.box)
    seen = box if scene.strip == "all" else shapely.intersection(box, _seen_side(scene))
    seen = shapely.segmentize(seen, scene.frame.width * plan.RESOLUTION_M / 3)
    to_degrees = pyproj.Transformer.from_crs(scene.frame.crs, plan.CRS84, always_xy=True)
    outline = shapely.transform(seen, to_degrees.transform, interleaved=False)
    return shapely.orient_polygons(outline)


def write_catalogue(
    folder: Path, made: Plan, href: Callable[[str], str], *, version: Version = "1.1", scenes: Iterable[Scene] = ()
) -> Path:
    """Write `catalog-1.1.json` and below `stac-1.1/scenes` the collection and a file for each item; return the first.

    Args:
        folder: Target folder.
        made: The plan.
        href: Makes the address of a file from its path below the archive's folder.
        version: Version of STAC.
        scenes: Listed scenes; empty means every scene.
    """
    root = f"catalog-{version}.json"
    place = folder / f"stac-{version}" / COLLECTION
    listed = {f"{scene.frame.id}/{scene.id}.json": scene for scene in list(scenes) or made.all_scenes()}
    _write(
        folder / root,
        {
            "type": "Catalog",
            "stac_version": f"{version}.0",
            "id": "made",
            "description": "One collection.",
            "links": [_link("root", f"./{root}"), _link("child", f"./stac-{version}/{COLLECTION}/collection.json")],
        },
    )
    document = collection(made, version=version)
    document["links"] = [
        _link("root", f"../../{root}"),
        _link("parent", f"../../{root}"),
        *(_link("item", f"./{path}", "application/geo+json") for path in listed),
    ]
    _write(place / "collection.json", document)
    for path, scene in listed.items():
        feature = item(scene, href, version=version)
        feature["links"] = [
            _link("root", f"../../../{root}"),
            _link("parent", "../collection.json"),
            _link("collection", "../collection.json"),
        ]
        _write(place / path, feature)
    return folder / root


def write_geoparquet(path: Path, documents: Iterable[Document]) -> Path:
    """Write items as stac-geoparquet 1.0, by pyarrow alone: properties are columns, assets a structure."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = [_row(document) for document in documents]
    table = pa.Table.from_pylist(rows)
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"]}},
    }
    metadata = {"geo": json.dumps(geo), "stac-geoparquet": json.dumps({"version": "1.0.0"})}
    parquet.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    return path


def _row(document: Document) -> Document:
    """Return a row of stac-geoparquet, without members that differ in type between items."""
    kept = {key: document[key] for key in ("type", "stac_version", "stac_extensions", "id", "collection", "links")}
    west, south, east, north = document["bbox"]
    properties = dict(document["properties"])
    for name in ("datetime", "created", "updated"):
        properties[name] = datetime.fromisoformat(properties[name])
    return {
        **kept,
        "geometry": shapely.to_wkb(shapely.from_geojson(json.dumps(document["geometry"]))),
        "bbox": {"xmin": west, "ymin": south, "xmax": east, "ymax": north},
        "assets": document["assets"],
        **properties,
    }


def _seen_side(scene: Scene) -> shapely.Polygon:
    """Return all places of the scene's zone near it that its strip has seen, as a polygon of the zone."""
    made = scene.plan
    reach_m = 200_000
    overlap_m = plan.STRIP_OVERLAP_M / 2 if made.kind(scene.date) == "split" else 0
    shift = overlap_m if scene.strip == "west" else -overlap_m
    ys = np.linspace(plan.MIDDLE_Y - reach_m, plan.MIDDLE_Y + reach_m, 41)
    line = [(made.line_x(y, scene.date) + shift, y) for y in ys]
    far = reach_m * (-1 if scene.strip == "west" else 1)
    side = shapely.Polygon([*line, *((x + far, y) for x, y in reversed(line))])
    to_zone = pyproj.Transformer.from_crs("EPSG:32631", scene.frame.crs, always_xy=True)
    return shapely.transform(side, to_zone.transform, interleaved=False)


def _code(scene: Scene, version: Version) -> Document:
    return {"proj:epsg": 32600 + scene.frame.zone} if version == "1.0" else {"proj:code": scene.frame.crs}


def _asset(scene: Scene, name: str, href: Callable[[str], str], version: Version) -> Document:
    scale, offset = scene.encoding(name)
    band: Document = {"data_type": "uint8" if name == "SCL" else "uint16", "nodata": 0}
    shape = scene.frame.shape(name)
    document: Document = {
        "href": href(path_of(scene, name)),
        "type": COG,
        "roles": ["data"],
        "gsd": plan.RESOLUTION_M * plan.STEP_OF[name],
        "proj:shape": list(shape),
        "proj:transform": [*scene.frame.transform(name)[:6]],
    }
    classes = {"classification:classes": _classes()} if name == "SCL" else {}
    if version == "1.0":
        encoding = {"scale": scale, "offset": offset} if name in plan.BANDS else {}
        document["raster:bands"] = [band | encoding | classes]
        if name in plan.BANDS:
            document["eo:bands"] = [{"name": name, "common_name": COMMON_NAMES[name]}]
    else:
        encoding = {"raster:scale": scale, "raster:offset": offset} if name in plan.BANDS else {}
        document |= band | encoding | classes
        if name in plan.BANDS:
            document["bands"] = [{"name": name, "eo:common_name": COMMON_NAMES[name]}]
    return document


def _classes() -> list[Document]:
    named = [{"value": value, "name": name} for value, name in enumerate(CLASSES) if name]
    named[0]["nodata"] = True
    return named


def _link(rel: str, href: str, media_type: str = "application/json") -> Document:
    return {"rel": rel, "href": href, "type": media_type}


def _write(path: Path, document: Document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
