"""Items that are broken, on request: as documents, or through the server of their files."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from tests.faulty_source import Fault, FaultySource
from tests.scenes_archive import documents
from tests.scenes_archive.documents import Document
from tests.scenes_archive.files import path_of, write_asset
from tests.scenes_archive.plan import Frame, Plan, Scene


def no_geometry(document: Document) -> Document:
    """Without a place."""
    return {**document, "geometry": None, "bbox": None}


def wrong_proj(document: Document) -> Document:
    """Put it into the neighbouring zone, which contradicts its geometry."""
    return _with_properties(document, **{"proj:code": "EPSG:32633", "proj:epsg": 32633})


def wrong_transform(document: Document) -> Document:
    """Give it cells six times as large as those of the files."""
    changed = deepcopy(document)
    for asset in changed["assets"].values():
        a, b, c, d, e, f = asset["proj:transform"]
        asset["proj:transform"] = [6 * a, b, c, d, 6 * e, f]
    return changed


def missing_asset(document: Document) -> Document:
    """Without `CELL`."""
    assets = {name: asset for name, asset in document["assets"].items() if name != "CELL"}
    return {**document, "assets": assets}


def elsewhere(document: Document) -> Document:
    """With files on a machine that nobody has allowed."""
    changed = deepcopy(document)
    for name, asset in changed["assets"].items():
        asset["href"] = f"https://elsewhere.invalid/{document['id']}/{name}.tif"
    return changed


def no_datetime(document: Document) -> Document:
    """Without a time."""
    return _with_properties(document, datetime=None)


def period(document: Document) -> Document:
    """Give it a period and no `datetime`, which is valid."""
    day = document["properties"]["datetime"][:10]
    times = {"start_datetime": f"{day}T10:46:00Z", "end_datetime": f"{day}T10:47:00Z"}
    return _with_properties(document, datetime=None, **times)


BROKEN: dict[str, Callable[[Document], Document]] = {
    "no geometry": no_geometry,
    "missing asset": missing_asset,
    "elsewhere": elsewhere,
    "no datetime": no_datetime,
}
"""Documents without any pixel that can be shown, or only without those of the missing asset."""
MISPLACED: dict[str, Callable[[Document], Document]] = {"proj": wrong_proj, "transform": wrong_transform}
"""Documents that place their files elsewhere than these do."""
FAULTS = {
    "403": Fault.FORBIDDEN,
    "404": Fault.MISSING,
    "500": Fault.SERVER_ERROR,
    "503": Fault.UNAVAILABLE,
    "cut": Fault.CUT,
    "cut in the middle of a chunk": Fault.CUT_CHUNKED,
    "short": Fault.SHORT,
    "another range": Fault.OTHER_RANGE,
}
"""Faults of the file server for one of the files."""


def truncate(server: FaultySource, scene: Scene, asset: str) -> None:
    """Put the first half of a file in its place."""
    path = path_of(scene, asset)
    content = (server.folder / path).read_bytes()
    server.replace(path, content[: len(content) // 2])


def reprocess(folder: Path, scene: Scene, asset: str, *, rank: int = 1) -> Scene:
    """Replace a file of a band by another processing, atomically; return its scene."""
    newer = Scene(scene.frame, scene.date, scene.day, scene.strip, scene.plan, rank)
    write_asset(folder / path_of(newer, asset), newer, asset)
    return newer


def equal_ids(document: Document) -> tuple[Document, Document]:
    """Two items of one id, the second changed later."""
    return document, _with_properties(document, updated="2022-07-01T00:00:00Z")


def empty_collection(made: Plan) -> Document:
    """Return a collection without items."""
    return {
        **documents.collection(made),
        "id": "empty",
        "extent": {"spatial": {"bbox": [[0, 0, 0, 0]]}, "temporal": {"interval": [[None, None]]}},
    }


@dataclass(frozen=True)
class Antimeridian:
    """A scene that longitude 180 cuts, with its document; `CELL` is its one asset."""

    scene: Scene
    document: Document


def antimeridian(made: Plan, href: Callable[[str], str]) -> Antimeridian:
    """Return a tile of zone 1 that reaches into zone 60, at the Aleutians, on the first date."""
    frame = Frame("01UAA", 1, 294_000 - made.tile_px * 10, 5_766_000, made.tile_px * 2, made.tile_px)
    scene = Scene(frame, 0, made.days[0], "all", made)
    document = documents.item(scene, href)
    west, east = _halves(documents.footprint(scene).exterior.coords)
    document["geometry"] = {"type": "MultiPolygon", "coordinates": [[west], [east]]}
    longitudes = [longitude for longitude, _latitude in west], [longitude for longitude, _latitude in east]
    latitudes = [latitude for _longitude, latitude in west + east]
    document["bbox"] = [min(longitudes[0]), min(latitudes), max(longitudes[1]), max(latitudes)]
    document["assets"] = {"CELL": document["assets"]["CELL"]}
    return Antimeridian(scene, document)


def _halves(ring: object) -> tuple[list[list[float]], list[list[float]]]:
    """Return the rings west and east of longitude 180, each closed."""
    import shapely

    wound = shapely.Polygon([(longitude % 360, latitude) for longitude, latitude in ring])
    west = shapely.intersection(wound, shapely.box(0, -90, 180, 90)).exterior.coords
    east = shapely.intersection(wound, shapely.box(180, -90, 360, 90)).exterior.coords
    return [[x, y] for x, y in west], [[x - 360, y] for x, y in east]


def _with_properties(document: Document, **properties: object) -> Document:
    return {**document, "properties": {**document["properties"], **properties}}
