"""256 px tiles of a Zarr cube of a year of days: one worker or process each."""

from benchmarks.findings import Findings
from benchmarks.peers import chronotile, titiler, xcube, xpublish
from benchmarks.peers.ground import Ground, cube_inside
from benchmarks.places import tiles
from benchmarks.suites.closed_loop import first_touch, measure_pictures
from benchmarks.suites.options import Options

ZOOMS = {"z9 native": 9, "z7": 7, "z5": 5}
EVERY_DAYS = 30
FIRST_TOUCHES = 30


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    archive = ground.archive
    findings = Findings(
        suite="cube-tiles",
        title=f"Tiles of a cube of 365 x {archive.size.cube_side}²",
        about="256 px PNG, WebMercator, viridis, 13 different days; one worker or process each; req/s over 8 fresh "
        "connections, ms over one kept connection. The peers are given plain Zarr in chunks of one day (512²).",
        ours=chronotile.SERVING,
    )
    found = [
        chronotile.cube_tiles(ground, "SERVING"),
        chronotile.cube_tiles(ground, "PLAIN"),
        *titiler.cube_tiles(ground, archive.map_cube),
        *xpublish.cube_tiles(ground, archive.map_cube),
        *xcube.cube_tiles(ground, archive.map_cube),
    ]
    inside = cube_inside(archive.size.cube_side)
    cases = {name: tiles(inside, zoom, archive.days[::EVERY_DAYS]) for name, zoom in ZOOMS.items()}
    measure_pictures(found, cases, findings, ground=ground, options=options)
    first = {"z9 first touch": cases["z9 native"][:FIRST_TOUCHES]}
    first_touch(found, first, [archive.serving_cube, archive.map_cube], findings=findings, ground=ground)
    findings.absent += [
        "MapServer: cannot: a Zarr cube of 365 days is 365 bands to GDAL, without a time for requests",
        "terracotta: cannot: reads rasters of one band only",
        "pygeoapi: cannot: tiles are drawn by another server that it passes requests on to",
    ]
    findings.notes += [
        "peers have no overviews of a plain cube, which `optimise` adds; our row of the same store without "
        "optimisation shows our speed without them",
        "likeness: share of pixels that both show or both omit / correlation of ranks; coarse pictures are means "
        "in ours and nearest cells or means elsewhere",
    ]
    return findings
