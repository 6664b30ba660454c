"""Fields as one vector tile in-process: shapes in the CRS of the tile to bytes, compared with mapbox-vector-tile."""

import time
from collections.abc import Callable
from importlib.metadata import version

import mapbox_vector_tile
import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.findings import Findings, Row, Told
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground
from benchmarks.suites.options import Options
from chronotile.core.model.space.boxes import BBox
from chronotile.pipeline.encoders.vector.mvt import EXTENT, cut_to_tile, encode_mvt

OURS, THEIRS = "chronotile", "mapbox-vector-tile"
TILE = BBox(500_000.0, 6_600_000.0, 509_000.0, 6_609_000.0)
"""In EPSG:3857."""
ACROSS, FIELDS, CORNERS = 45, 2000, 24
NAME = "fields"

Way = Callable[[], bytes]


def run(ground: Ground, options: Options) -> Findings:  # noqa: ARG001 -- as all suites; the fields are made here
    """Measure."""
    shapes = fields()
    vertices = int(shapely.get_num_coordinates(shapes).sum())
    findings = Findings(
        suite="vector-tiles",
        title="Fields as one vector tile in-process",
        about=f"{FIELDS} polygons of {CORNERS} corners, {vertices} vertices, with three properties each; transformed "
        "already, nothing kept.",
        ours=OURS,
    )
    columns = {
        "id": tuple(f"F{number:04}" for number in range(FIELDS)),
        "label": tuple(f"Field {number}" for number in range(FIELDS)),
        "crop": ("maize", "wheat") * (FIELDS // 2),
    }
    ways: dict[str, Way] = {OURS: lambda: _ours(shapes, columns), THEIRS: lambda: _theirs(shapes, columns)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    tiles = {name: way() for name, way in ways.items()}
    for _ in range(options.rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            times[name].append((time.process_time() - started) * 1000)
    findings.rows += [Row(case="one tile", contender=name, unit="ms", rounds=taken) for name, taken in times.items()]
    findings.told += [
        Told(OURS, chronotile.SOFTWARE, "cut, rounded, simplified, valid", _told(tiles[OURS], shapes)),
        Told(THEIRS, f"{THEIRS} {version(THEIRS)}", "as it comes", _told(tiles[THEIRS], shapes)),
    ]
    findings.notes += [f"{name}: {len(tile)} bytes" for name, tile in tiles.items()]
    findings.notes.append("processor time; likeness: features, and the largest difference of an area")
    return findings


def fields() -> NDArray[np.object_]:
    """Return adjacent uneven polygons that fill the tile."""
    rng = np.random.default_rng(1)
    pitch = (TILE.xmax - TILE.xmin) / ACROSS
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    directions = np.column_stack((np.cos(angles), np.sin(angles)))
    numbers = np.arange(FIELDS)
    middles = np.column_stack((numbers // ACROSS, numbers % ACROSS)) * pitch + pitch / 2 + (TILE.xmin, TILE.ymin)
    radii = pitch * rng.uniform(0.3, 0.48, (FIELDS, CORNERS, 1))
    shapes: NDArray[np.object_] = shapely.polygons(middles[:, None, :] + directions * radii)
    return shapes


def _ours(shapes: NDArray[np.object_], columns: dict[str, tuple[str, ...]]) -> bytes:
    return encode_mvt(NAME, cut_to_tile(shapes, shapely.bounds(shapes), TILE), columns)


def _theirs(shapes: NDArray[np.object_], columns: dict[str, tuple[str, ...]]) -> bytes:
    features = [
        {"geometry": shape, "properties": {name: column[number] for name, column in columns.items()}, "id": number}
        for number, shape in enumerate(shapes)
    ]
    options = {"quantize_bounds": tuple(TILE), "extents": EXTENT}
    body: bytes = mapbox_vector_tile.encode([{"name": NAME, "features": features}], default_options=options)
    return body


def _told(tile: bytes, shapes: NDArray[np.object_]) -> str:
    """How many features the tile has with the properties given, and how far their areas are off."""
    found = mapbox_vector_tile.decode(tile)[NAME]["features"]
    unit = (TILE.xmax - TILE.xmin) / EXTENT
    areas = np.array([shapely.geometry.shape(feature["geometry"]).area for feature in found]) * unit**2
    numbers = [int(feature["properties"]["id"][1:]) for feature in found]
    apart = float(np.abs(areas / shapely.area(shapes[numbers]) - 1).max())
    return f"{len(found)}, {apart:.1%}"
