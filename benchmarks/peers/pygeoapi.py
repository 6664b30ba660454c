"""pygeoapi: point series by EDR position, under gunicorn."""

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.places import Point

NOTHING = "http://example.org"

Found = list["Contender[Any] | Absent"]


def points(ground: Ground, cube: Path, name: str) -> Found:
    """Return series of points of a cube."""
    gunicorn, program = ground.program("pyga", "gunicorn"), ground.program("pyga", "pygeoapi")
    if gunicorn is None or program is None:
        return [Absent(f"pygeoapi EDR, {name}", "not installed: sh benchmarks/peers/setup.sh")]
    config = ground.write(f"pygeoapi-{cube.stem}.yaml", json.dumps(_configuration(cube)))
    openapi = ground.scratch / f"pygeoapi-{cube.stem}-openapi.yaml"
    subprocess.run([program, "openapi", "generate", config, "--output-file", openapi], check=True, capture_output=True)

    def commands(port: int) -> list[list[str]]:
        return [
            [gunicorn, "-w", "1", "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "4", "--keep-alive", "60",
             "pygeoapi.flask_app:APP"]
        ]  # fmt: skip

    def ask(point: Point) -> Ask:
        return Ask(path=f"/collections/cube/position?coords=POINT({point.longitude}%20{point.latitude})&f=json")

    return [
        Contender(
            name=f"pygeoapi EDR, {name}",
            software=ground.version("pyga", "pygeoapi"),
            settings="xarray-edr provider; gunicorn, 1 worker of 4 threads",
            server=Server(
                commands=commands,
                probe="/collections?f=json",
                environment={"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)},
            ),
            ask=ask,
        )
    ]


def values_of(body: bytes) -> list[float | None]:
    """Return the values of a point's answer (CoverageJSON)."""
    found: list[float | None] = json.loads(body)["ranges"]["NDVI"]["values"]
    return found


def _configuration(cube: Path) -> dict[str, object]:
    place = {"name": "none", "url": NOTHING}
    contact = dict.fromkeys(
        ("position", "address", "city", "stateorprovince", "postalcode", "country", "phone", "fax", "hours",
         "instructions"), "none",
    ) | place | {"email": "none@example.org", "role": "pointOfContact"}  # fmt: skip
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": 5000},
            "url": "http://127.0.0.1",
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "gzip": False,
            "languages": ["en-US"],
            "pretty_print": False,
            "limits": {"default_items": 10, "max_items": 50},
            "map": {"url": NOTHING, "attribution": "none"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                "title": "bench", "description": "bench", "keywords": ["ndvi"], "keywords_type": "theme",
                "terms_of_service": "none", "url": NOTHING,
            },
            "license": place,
            "provider": place,
            "contact": contact,
        },
        "resources": {
            "cube": {
                "type": "collection",
                "title": "cube",
                "description": "cube",
                "keywords": ["ndvi"],
                "links": [],
                "extents": {
                    "spatial": {"bbox": [2, 47, 9, 54], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
                    "temporal": {"begin": "2023-01-01T00:00:00Z", "end": "2023-12-31T00:00:00Z"},
                },
                "providers": [
                    {
                        "type": "edr", "name": "xarray-edr", "data": str(cube), "x_field": "lon", "y_field": "lat",
                        "time_field": "time", "format": {"name": "Zarr", "mimetype": "application/zip"},
                    }
                ],
            }
        },
    }  # fmt: skip
