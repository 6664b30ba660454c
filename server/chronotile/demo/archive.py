"""The demo archive as a folder with cube, pictures, places and configuration, made once and completely."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import shapely
from rasterio.features import shapes as outlines

from chronotile.core.errors import InvalidParameter
from chronotile.core.machine import this_machine
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import ObjectArray, UInt16Array
from chronotile.demo.cube import create_cube
from chronotile.demo.plan import DemoPlan, affine_of
from chronotile.demo.scene import FULL_SCALE, DemoScene, open_scene
from chronotile.demo.variables import ATTRIBUTION, LICENSE

FORMAT: Final = "chronotile-demo"
FORMAT_VERSION: Final = 6
"""Incremented with every change of the written files; archives of another version are made again."""

CUBE: Final = "biopar.zarr"
PICTURES: Final = "toc"
PLACES: Final = "places"
CONFIGURATION: Final = "demo.yaml"
PARTS: Final = (CUBE, PICTURES, PLACES, CONFIGURATION)
MARKER: Final = "chronotile-demo.json"
"""Marks the folder as a demo archive. It is written last and describes the complete archive, which is then kept."""

DemoProgress = Callable[[str, float], None]
"""Called with the current part and the finished fraction, 0 to 1."""

FIRST_STEP: Final = "landscape"
CUBE_SHARE: Final = 0.8
"""Fraction of the time that the cube takes."""


def make_demo(folder: Path, *, progress: DemoProgress | None = None, plan: DemoPlan | None = None) -> Path:
    """Return the configuration file of the demo archive in `folder`, after making the archive if it is missing.

    Everything is written into a temporary folder and moved when complete. Other files in `folder` are not touched.
    Parts of an outdated or partly moved demo archive are replaced.

    Args:
        folder: Created if it is missing.
        progress: Called with the current part and the finished fraction.
        plan: Size of the archive; tests use less than the default.

    Raises:
        InvalidParameter: The folder has other files under names of the archive.
    """
    plan = plan or DemoPlan()
    if not _is_complete(folder, plan):
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            _write_archive(Path(partial), plan, progress or (lambda _what, _share: None))
            _move_in(Path(partial), folder)
    return folder / CONFIGURATION


def demo_at(folder: Path, *, plan: DemoPlan | None = None) -> Path | None:
    """Return the configuration file of the demo archive in `folder`; `None` if the archive is incomplete."""
    return folder / CONFIGURATION if _is_complete(folder, plan or DemoPlan()) else None


def _marker_text(plan: DemoPlan | None) -> str:
    # Text of the marker of a complete archive; `None` while its parts are moved.
    holds = None if plan is None else plan.describe()
    return json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "plan": holds}, indent=2)


def _is_complete(folder: Path, plan: DemoPlan) -> bool:
    marker, configuration = folder / MARKER, folder / CONFIGURATION
    return marker.is_file() and configuration.is_file() and marker.read_text("utf-8") == _marker_text(plan)


def _refuse_foreign(folder: Path) -> None:
    """Raise if replacing an archive would delete files of another origin."""
    foreign = [name for name in PARTS if (folder / name).exists()]
    if foreign and not (folder / MARKER).is_file():
        raise InvalidParameter(
            f"the folder {folder.name!r} has a {foreign[0]} that is not a demo archive; name another folder",
            locator="dir",
        )


def _write_archive(folder: Path, plan: DemoPlan, progress: DemoProgress) -> None:
    progress(FIRST_STEP, 0.0)
    scene = open_scene(plan.grid)
    for share in create_cube(folder / CUBE, plan).write_years(scene):
        progress("cube", share * CUBE_SHARE)
    (folder / PICTURES).mkdir()
    write = partial(write_pictures, folder / PICTURES, scene, overviews=plan.levels - 1)
    with ThreadPoolExecutor(this_machine().cores, thread_name_prefix="demo") as pool:
        for number, _ in enumerate(pool.map(write, plan.picture_days), start=1):
            progress("pictures", CUBE_SHARE + (1 - CUBE_SHARE) * number / len(plan.picture_days))
    (folder / PLACES).mkdir()
    write_places(folder / PLACES, scene)
    (folder / CONFIGURATION).write_text(CONFIGURATION_TEXT, "utf-8")
    (folder / MARKER).write_text(_marker_text(plan), "utf-8")


def _move_in(partial: Path, folder: Path) -> None:
    """Move a complete archive into its folder, where it replaces the remains of an older one."""
    (folder / MARKER).write_text(_marker_text(None), "utf-8")
    for name in PARTS:
        _remove(folder / name)
        (partial / name).rename(folder / name)
    (partial / MARKER).replace(folder / MARKER)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# True-colour pictures: one cloud-optimised GeoTIFF per day and band

BANDS: Final = ("RED", "GREEN", "BLUE")
BLOCK_PX: Final = 512


def write_pictures(folder: Path, scene: DemoScene, day: str, *, overviews: int) -> None:
    """Write `RED_YYYYMMDD.tif` and the two other bands of a day into `folder`."""
    stamp = day.replace("-", "")
    for band, numbers in zip(BANDS, scene.true_colour(day), strict=True):
        _write_cog(folder / f"{band}_{stamp}.tif", numbers, scene.grid, overviews=overviews)


def _write_cog(path: Path, numbers: UInt16Array, grid: Grid, *, overviews: int) -> None:
    """Write digital numbers (height, width), nodata 0."""
    with rasterio.open(
        path,
        "w",
        driver="COG",
        width=grid.width,
        height=grid.height,
        count=1,
        dtype="uint16",
        crs=grid.crs.name,
        transform=affine_of(grid),
        nodata=0,
        blocksize=BLOCK_PX,
        compress="DEFLATE",
        predictor="YES",
        overview_count=overviews,
        overview_resampling="AVERAGE",
    ) as file:
        file.write(numbers, 1)
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"Synthetic surface reflectance x {FULL_SCALE}. {ATTRIBUTION}",
            TIFFTAG_COPYRIGHT=LICENSE,
        )


REGIONS: Final = "regions.geojson"
FIELDS: Final = "fields.geojson"

CENTRES: Final = (
    ("aalst", "Aalst", 4.040, 50.938),
    ("antwerp", "Antwerp", 4.410, 51.205),
    ("brussels", "Brussels", 4.352, 50.847),
    ("dendermonde", "Dendermonde", 4.100, 51.030),
    ("leuven", "Leuven", 4.700, 50.879),
    ("lier", "Lier", 4.570, 51.131),
    ("mechelen", "Mechelen", 4.480, 51.026),
    ("sint-niklaas", "Sint-Niklaas", 4.140, 51.165),
    ("vilvoorde", "Vilvoorde", 4.430, 50.928),
    ("wavre", "Wavre", 4.610, 50.717),
)
"""Id, name, longitude and latitude of towns: an invented region contains all points nearest to its town."""

MOST_FIELDS: Final = 1000
SMALLEST_FIELD_PX: Final = 4
SMOOTHED_M: Final = 120.0
"""Tolerance in metres of smoothing the pixel edges along borders; shared borders stay identical."""

DECIMALS: Final = 6
"""Decimals of degrees: a decimetre."""


def write_places(folder: Path, scene: DemoScene) -> None:
    """Write regions and fields as GeoJSON."""
    _write(folder / REGIONS, *_regions(scene.grid), grid=scene.grid)
    _write(folder / FIELDS, *_fields(scene), grid=scene.grid)


def _regions(grid: Grid) -> tuple[ObjectArray, list[Mapping[str, Any]]]:
    """Return the part of the grid that is nearest to each town; towns without a part are skipped."""
    ids, names, longitudes, latitudes = zip(*CENTRES, strict=True)
    towns = shapely.points(*transformer(CRS84, grid.crs).transform(longitudes, latitudes))
    box = shapely.box(*grid.bbox)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(towns), extend_to=box))
    order = [int(np.flatnonzero(shapely.contains(cells, town))[0]) for town in towns]
    regions = shapely.intersection(cells[order], box)
    inside = np.flatnonzero(~shapely.is_empty(regions))
    return regions[inside], [{"id": ids[number], "name": names[number]} for number in inside.tolist()]


def _fields(scene: DemoScene) -> tuple[ObjectArray, list[Mapping[str, Any]]]:
    """Return the largest arable fields, from north to south."""
    parcel = scene.parts[0].astype(np.int32)
    is_arable = scene.arrays["is_arable"][parcel]
    polygons = list(outlines(parcel, mask=is_arable, transform=affine_of(scene.grid)))
    shapes = shapely.coverage_simplify(
        np.array([shapely.geometry.shape(polygon) for polygon, _ in polygons]), SMOOTHED_M
    )
    owners = np.array([int(number) for _, number in polygons])
    pixel_m2 = scene.grid.resolution[0] ** 2
    usable = np.flatnonzero(shapely.is_valid(shapes) & (shapely.area(shapes) >= SMALLEST_FIELD_PX * pixel_m2))
    largest = usable[np.argsort(-shapely.area(shapes[usable]), kind="stable")[:MOST_FIELDS]]
    bounds = shapely.bounds(shapes[largest])
    ordered = largest[np.lexsort((bounds[:, 0], -bounds[:, 3]))]
    sand = scene.arrays["sand"][owners[ordered]] / 255
    hectares = shapely.area(shapes[ordered]) / 10_000
    properties: list[Mapping[str, Any]] = [
        {"id": f"F{number:04}", "soil": "sand" if part > 0.5 else "loam", "area_ha": round(float(size), 1)}
        for number, (part, size) in enumerate(zip(sand, hectares, strict=True), start=1)
    ]
    return shapes[ordered], properties


def _write(path: Path, shapes: ObjectArray, properties: Sequence[Mapping[str, Any]], *, grid: Grid) -> None:
    """Write a FeatureCollection in longitude and latitude (RFC 7946)."""
    turn = transformer(grid.crs, CRS84).transform
    degrees = shapely.transform(shapes, lambda metres: np.column_stack(turn(*metres.T)).round(DECIMALS))
    features = [
        {"type": "Feature", "properties": members, "geometry": json.loads(geometry)}
        for members, geometry in zip(properties, shapely.to_geojson(shapely.orient_polygons(degrees)), strict=True)
    ]
    lines = ",\n".join(json.dumps(feature) for feature in features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n', "utf-8")


# The configuration file of the demo archive, which is also an example

CONFIGURATION_TEXT: Final = r"""# Written by `chronotile demo`; an example of a configuration to start from.
# The data are synthetic, in the form of 10-daily Sentinel-2 products of central Belgium.
service:
  title: Synthetic vegetation of central Belgium (demo)
  abstract: >-
    Five years of 10-daily vegetation and a dozen true-colour pictures, computed from formulas to show what chronotile
    does. Synthetic data; not observations.

collections:
  biopar:
    title: Synthetic biophysical parameters, 10-daily, 100 m
    abstract: >-
      NDVI, FAPAR, FCOVER and LAI between Brussels and Antwerp, 2020 to 2024: invented fields with the seasons of their
      crops, under invented clouds and snow.
    attribution: Synthetic data made by chronotile; not observations
    license: CC0-1.0
    keywords: [synthetic, vegetation, NDVI, FAPAR, FCOVER, LAI, Belgium]
    source: {kind: zarr, href: biopar.zarr}
    time: {default: latest, match: exact}
    variables:
      NDVI:
        layer: NDVI
        title: NDVI (synthetic)
        range: [-0.08, 0.92]
        styles: [ndvi, greys, viridis]
        aliases: [CGS_S2_NDVI, TERRASCOPE_S2_NDVI_V2]
      FAPAR:
        layer: FAPAR
        title: FAPAR (synthetic)
        styles: [fapar, greys, viridis]
        aliases: [CGS_S2_FAPAR, TERRASCOPE_S2_FAPAR_V2]
      FCOVER:
        layer: FCOVER
        title: FCOVER (synthetic)
        styles: [fcover, greys, viridis]
        aliases: [CGS_S2_FCOVER, TERRASCOPE_S2_FCOVER_V2]
      LAI:
        layer: LAI
        title: Leaf area index (synthetic)
        range: [0, 7]
        styles: [lai, greys, viridis]
        aliases: [CGS_S2_LAI, TERRASCOPE_S2_LAI_V2]

  toc:
    title: Synthetic true-colour pictures, 100 m
    abstract: Red, green and blue reflectance times 10000 of the same invented landscape on a dozen days of 2024.
    attribution: Synthetic data made by chronotile; not observations
    license: CC0-1.0
    keywords: [synthetic, reflectance, true colour, Belgium]
    source: {kind: cog, href: "toc/{variable}_*.tif", time_pattern: '_(?P<time>\d{8})'}
    time: {default: latest, match: exact}
    variables:
      RED: {title: Red reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
      GREEN: {title: Green reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
      BLUE: {title: Blue reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
    composites:
      TRUE_COLOUR:
        layer: TRUE_COLOUR
        title: True colour (synthetic)
        variables: [RED, GREEN, BLUE]
        range: [0, 3000]
        gamma: 1.6
        aliases: [CGS_S2_RADIOMETRY]

places:
  regions:
    title: Regions around towns (synthetic)
    href: places/regions.geojson
    id: id
    label: name
    attribution: Synthetic data made by chronotile
  fields:
    title: The thousand largest fields (synthetic)
    href: places/fields.geojson
    id: id
    fields: [soil, area_ha]
    attribution: Synthetic data made by chronotile
"""
