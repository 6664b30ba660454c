"""OGC API - Processes - Part 1: Core (OGC 18-062r2)."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.processes.documents import landing_links
from chronotile.protocols.ogcapi.processes.openapi import SCHEMAS, process_paths
from chronotile.protocols.ogcapi.processes.routes import routes

ROOT = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
CLASSES = ("core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss")

block = BuildingBlock(
    routes=routes,
    conformance=tuple(f"{ROOT}/{name}" for name in CLASSES),
    allowed_conformance=lambda state: [f"{ROOT}/callback"] if state.subscriber_places else [],
    paths=process_paths,
    schemas=SCHEMAS,
    landing_links=landing_links,
)
