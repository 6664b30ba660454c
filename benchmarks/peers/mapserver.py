"""MapServer by FastCGI behind nginx, with its PNG formats: default, RGBA at level 1, 8 bits at level 1."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rio_tiler.colormap import cmap

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.pictures import RAMP
from benchmarks.places import Map, Tile

PROGRAM = "mapserv"
STOPS = 17
"""Points of the ramp, with straight lines between them."""
FORMATS = {
    "defaults": ("AGG/PNG", ()),
    "PNG level 1": ("AGG/PNG", ("COMPRESSION=1",)),
    "8-bit PNG level 1": ("AGG/PNG8", ("COMPRESSION=1", "QUANTIZE_FORCE=ON", "QUANTIZE_COLORS=256")),
}
RUNTIME = 'CONFIG\n ENV\n  MS_MAP_PATTERN "."\n  MS_MAP_NO_PATH "0"\n END\nEND\n'

Found = list["Contender[Any] | Absent"]


def cog_tiles(ground: Ground, file: Path, *, workers: int) -> Found:
    """Return tiles of a COG as WMS maps of their boxes, in each format."""
    layer = f'DATA "{file}"'

    def ask(tile: Tile) -> Ask:
        return Ask(path=Map(tile.bbox, "EPSG:3857", 256, "").wms("/?", "ndvi"))

    return _contenders(ground, layer, ask, workers=workers)


def maps(ground: Ground, *, workers: int) -> Found:
    """Return maps of the stack by TIME, over a tile index."""
    if shutil.which("ogr2ogr") is None:
        return [Absent("MapServer", "ogr2ogr is not installed: sh benchmarks/peers/setup.sh")]
    days = ground.archive.stack_days
    layer = f"""TILEINDEX "{_tile_index(ground)}"
  TILEITEM "location"
  METADATA "wms_timeextent" "{days[0]}/{days[-1]}/P10D" "wms_timeitem" "day" "wms_timedefault" "{days[0]}" END
  PROCESSING "CLOSE_CONNECTION=DEFER" """

    def ask(each: Map) -> Ask:
        return Ask(path=each.wms("/?", "ndvi", more=f"&TIME={each.day}"))

    return _contenders(ground, layer, ask, workers=workers)


def _contenders(ground: Ground, layer: str, ask: Callable[[Any], Ask], *, workers: int) -> Found:
    program, nginx = shutil.which(PROGRAM), shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None or nginx is None:
        return [Absent("MapServer", "mapserv or nginx is not installed: sh benchmarks/peers/setup.sh")]
    runtime = ground.write("mapserver.conf", RUNTIME)
    found: Found = []
    for name, (driver, options) in FORMATS.items():
        slug = f"mapserver-{re.sub('[^a-z0-9]+', '-', name.lower())}-{abs(hash(layer)) % 10_000}"
        map_file = ground.write(f"{slug}.map", _map_file(layer, driver, options))

        def commands(port: int, slug: str = slug, map_file: Path = map_file) -> list[list[str]]:
            socket = ground.scratch / f"{slug}.sock"
            conf = ground.write(f"{slug}.nginx", _nginx(ground.scratch, port, socket, map_file))
            start = [sys.executable, "-m", "benchmarks.peers.fastcgi", str(socket), str(workers), program]
            return [start, [nginx, "-c", str(conf)]]

        found.append(
            Contender(
                name=f"MapServer, {name}",
                software=_version(program),
                settings=f"{driver} {' '.join(options) or 'defaults'}; FastCGI, {workers} processes behind nginx",
                server=Server(
                    commands=commands,
                    probe="/?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetCapabilities",
                    environment={
                        "MAPSERVER_CONFIG_FILE": str(runtime),
                        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
                        "GDAL_CACHEMAX": "200",
                        "PYTHONPATH": ":".join(filter(None, sys.path)),
                    },
                ),
                ask=ask,
            )
        )
    return found


def _map_file(layer: str, driver: str, options: tuple[str, ...]) -> str:
    formats = " ".join(f'FORMATOPTION "{option}"' for option in options)
    return f"""MAP
 NAME bench
 SIZE 256 256
 EXTENT -180 -90 180 90
 PROJECTION "init=epsg:3857" END
 IMAGETYPE png
 OUTPUTFORMAT NAME png DRIVER "{driver}" MIMETYPE "image/png" IMAGEMODE RGBA EXTENSION png TRANSPARENT ON {formats} END
 WEB METADATA
  "ows_title" "bench" "ows_enable_request" "*" "wms_srs" "EPSG:4326 EPSG:3857 EPSG:32631"
  "ows_onlineresource" "http://127.0.0.1/"
 END END
 LAYER
  NAME ndvi
  TYPE RASTER
  STATUS ON
  {layer}
  PROJECTION "init=epsg:32631" END
  PROCESSING "RESAMPLE=NEAREST"
  OFFSITE 255 255 255
{_classes()}
 END
END
"""


def _classes() -> str:
    ramp = cmap.get(RAMP)
    stops = [round(number * 250 / (STOPS - 1)) for number in range(STOPS)]
    colours = ["#" + np.array(ramp[round(stop * 255 / 250)][:3], dtype=np.uint8).tobytes().hex() for stop in stops]
    return "\n".join(
        f"  CLASS EXPRESSION ([pixel] >= {low} AND [pixel] < {high + (high == 250)}) "
        f'STYLE COLORRANGE "{first}" "{second}" DATARANGE {low} {high} END END'
        for (low, first), (high, second) in pairwise(zip(stops, colours, strict=True))
    )


def _nginx(scratch: Path, port: int, socket: Path, map_file: Path) -> str:
    temporary = " ".join(f"{kind}_temp_path {scratch}/nginx-{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    # Without kept connections to mapserv, which serves a single one: kept ones would block the others.
    # If root starts it, its workers are nobody and do not own the scratch folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""{user}
worker_processes 1; daemon off; pid {scratch}/nginx-{port}.pid; error_log {scratch}/nginx-{port}.log;
events {{ worker_connections 256; }}
http {{
 access_log off; keepalive_requests 1000000; client_body_temp_path {scratch}/nginx-body; {temporary}
 server {{
  listen 127.0.0.1:{port};
  location / {{
   fastcgi_pass unix:{socket};
   fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
   fastcgi_param SERVER_NAME 127.0.0.1; fastcgi_param SERVER_PORT {port}; fastcgi_param SCRIPT_NAME /;
   fastcgi_param MS_MAPFILE {map_file};
  }}
 }}
}}
"""


def _tile_index(ground: Ground) -> Path:
    """A shapefile of the stack's files with their days, indexed."""
    archive = ground.archive
    west, north, across = 499_980, 5_700_000, archive.size.stack_side * 10
    corners = [(west, north), (west + across, north), (west + across, north - across), (west, north - across)]
    features = [
        {
            "type": "Feature",
            "properties": {"location": str(file), "day": day},
            "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
        }
        for file, day in zip(archive.stack, archive.stack_days, strict=True)
    ]
    source = ground.write("index.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    target = ground.scratch / "index.shp"
    subprocess.run(
        ["ogr2ogr", "-overwrite", "-f", "ESRI Shapefile", target, source, "-a_srs", "EPSG:32631", "-oo",
         "DATE_AS_STRING=YES"],
        check=True, capture_output=True,
    )  # fmt: skip
    return target


def _version(program: str) -> str:
    said = subprocess.run([program, "-v"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"MapServer version (\S+)", said)
    return f"MapServer {found[1] if found else '?'}"
