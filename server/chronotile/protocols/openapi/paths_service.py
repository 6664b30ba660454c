"""The service itself in OpenAPI."""

from chronotile.protocols.common.openapi import FILE, TEXT, Json, operation, ref
from chronotile.protocols.common.query.parameter import format_of

TAG = "Service"


def service_paths() -> dict[str, Json]:
    """Return the paths that tell of the service itself."""
    return {
        "/": {
            "get": operation(
                "getLanding",
                "Overview of the service, as JSON or as a page",
                tag=TAG,
                parameters=[format_of(("json", "html"))],
                answers={"application/json": ref("Landing"), "text/html": TEXT},
                refusals=("BadRequest", "Unavailable"),
            )
        },
        "/openapi.json": {
            "get": operation(
                "getOpenApi",
                "This document",
                tag=TAG,
                answers={"application/vnd.oai.openapi+json;version=3.1": FILE},
                refusals=("Unavailable",),
            )
        },
        "/docs": {
            "get": operation(
                "getDocs", "The same as a page", tag=TAG, answers={"text/html": TEXT}, refusals=("Unavailable",)
            )
        },
        "/health/live": {"get": _health("getLive", "Whether the server process responds")},
        "/health/ready": {"get": _health("getReady", "Whether at least one layer can be read")},
        "/metrics": {
            "get": operation("getMetrics", "Metrics for Prometheus", tag=TAG, answers={"text/plain": TEXT}, refusals=())
        },
    }


def _health(name: str, summary: str) -> Json:
    return operation(name, summary, tag=TAG, answers={"application/json": ref("Health")}, refusals=())
