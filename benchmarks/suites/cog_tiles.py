"""256 px tiles of one large COG: two workers each, 8 connections."""

from benchmarks.findings import Findings
from benchmarks.peers import chronotile, mapserver, terracotta, titiler
from benchmarks.peers.ground import Ground, utm_inside
from benchmarks.places import tiles
from benchmarks.suites.closed_loop import first_touch, measure_pictures
from benchmarks.suites.options import Options

WORKERS = 2
FIRST_TOUCHES = 40
ZOOMS = {"z14 native": 14, "z12": 12, "z10": 10, "z8": 8}


def run(ground: Ground, options: Options) -> Findings:
    """Measure on the synthetic COG."""
    findings = Findings(
        suite="cog-tiles",
        title="Tiles of a 10980² UTM COG",
        about="256 px PNG, WebMercator, viridis; noisy synthetic NDVI; 2 workers or processes each; req/s over 8 fresh "
        "connections, ms over one kept connection; files warm except in the row of first touches.",
        ours="chronotile",
    )
    return _run(ground, options, findings, "BIG")


def run_real(ground: Ground, options: Options) -> Findings:
    """Measure on the COG of real NDVI."""
    findings = Findings(
        suite="cog-tiles-real",
        title="Tiles of a 10980² UTM COG of real NDVI",
        about="The same settings; the pixels are many dates of a Sentinel-2 scene, side by side.",
        ours="chronotile",
    )
    if not ground.archive.real.exists():
        findings.absent.append("all: the real data of ../shared/data are not there")
        return findings
    return _run(ground, options, findings, "REAL")


def _run(ground: Ground, options: Options, findings: Findings, layer: str) -> Findings:
    file = ground.archive.real if layer == "REAL" else ground.archive.big
    found = [
        chronotile.cog_tiles(ground, layer, workers=WORKERS),
        chronotile.cog_tiles_with_peers_cache(ground, layer, workers=WORKERS),
        *mapserver.cog_tiles(ground, file, workers=WORKERS),
        *titiler.cog_tiles(ground, file, workers=WORKERS),
        *terracotta.cog_tiles(ground, file, workers=WORKERS),
    ]
    inside = utm_inside(ground.archive.size.big_side)
    cases = {name: tiles(inside, zoom) for name, zoom in ZOOMS.items()}
    measure_pictures(found, cases, findings, ground=ground, options=options)
    first = {"z14 first touch": cases["z14 native"][:FIRST_TOUCHES]}
    first_touch(found, first, [file], findings=findings, ground=ground)
    findings.absent += [
        "xpublish-tiles, xcube: cannot: they serve arrays, not files of rasters with overviews",
        "pygeoapi: cannot: tiles are drawn by another server that it passes requests on to",
    ]
    findings.notes.append("likeness: share of pixels that both show or both omit / correlation of ranks")
    return findings
