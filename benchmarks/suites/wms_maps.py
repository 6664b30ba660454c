"""WMS GetMap with TIME over a stack of dated COGs."""

from benchmarks.findings import Findings
from benchmarks.peers import chronotile, mapserver, titiler, xpublish
from benchmarks.peers.ground import Ground, cube_inside, utm_inside
from benchmarks.places import maps
from benchmarks.suites.closed_loop import measure_pictures
from benchmarks.suites.options import Options

ZOOM, CUBE_ZOOM = 13, 9
WORKERS = 2


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    archive = ground.archive
    findings = Findings(
        suite="wms",
        title=f"WMS GetMap with TIME over {archive.size.stack_dates} dates",
        about=f"PNG, viridis, of {archive.size.stack_dates} COGs of {archive.size.stack_side}² in UTM; ground of zoom "
        f"{ZOOM}; {WORKERS} workers or processes each; req/s over 8 fresh connections, ms over one kept connection.",
        ours="chronotile",
    )
    files = dict(zip(archive.stack_days, archive.stack, strict=True))
    found = [
        chronotile.maps(ground, workers=WORKERS),
        chronotile.maps_with_peers_cache(ground, workers=WORKERS),
        *mapserver.maps(ground, workers=WORKERS),
        *titiler.maps(ground, files),
    ]
    inside = utm_inside(archive.size.stack_side)
    cases = {
        f"{crs[5:]} {side} px": maps(inside, ZOOM, archive.stack_days, crs=crs, side_px=side)
        for crs in ("EPSG:3857", "EPSG:4326")
        for side in (256, 512)
    }
    measure_pictures(found, cases, findings, ground=ground, options=options)
    findings.absent += [
        "xpublish-tiles: cannot read a stack of files; its WMS over the cube is in the suite wms-cube",
        "xcube, terracotta, pygeoapi: cannot: no WMS GetMap over dated files",
    ]
    return findings


def run_cube(ground: Ground, options: Options) -> Findings:
    """Measure over the cube, together with xpublish-tiles."""
    archive = ground.archive
    findings = Findings(
        suite="wms-cube",
        title="WMS GetMap with TIME over the cube",
        about="PNG, viridis, EPSG:3857; one worker each; req/s over 8 fresh connections, ms over one kept connection.",
        ours=chronotile.SERVING,
    )
    found = [
        chronotile.cube_maps(ground, "SERVING"),
        chronotile.cube_maps(ground, "PLAIN"),
        *xpublish.maps(ground, archive.map_cube),
    ]
    inside = cube_inside(archive.size.cube_side)
    days = archive.days[::30]
    cases = {f"3857 {side} px": maps(inside, CUBE_ZOOM, days, crs="EPSG:3857", side_px=side) for side in (256, 512)}
    measure_pictures(found, cases, findings, ground=ground, options=options)
    return findings
