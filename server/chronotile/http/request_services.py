"""The services of a request: the part of the catalogue that its client may use."""

from starlette.requests import HTTPConnection

from chronotile.core.model.access import Right
from chronotile.http.principal import GRANTS, Grants
from chronotile.http.server_state import state_of
from chronotile.pipeline.restricted_services import EVERYBODY, restrict
from chronotile.pipeline.services import Services

SERVICES = "chronotile.services"
"""ASGI scope key of the services."""


def services_of(request: HTTPConnection) -> Services:
    """Return the services of a request, restricted to the grants of its client.

    A request keeps its services until it is answered or repeated, even if a reload replaces them.
    """
    services: Services | None = request.scope.get(SERVICES)
    if services is None:
        grants: Grants | None = request.scope.get(GRANTS)
        services = state_of(request).services
        if grants is not None:
            services = grants.restrict(services)
        elif services.catalogue.access is not None:  # a reload has added rules since the request arrived
            services = restrict(services, EVERYBODY)
        request.scope[SERVICES] = services
    return services


def services_with(request: HTTPConnection, right: Right) -> Services:
    """Return the services of a request, restricted to collections for which its client has a right.

    For rights that do not follow from the path, such as the right of a negotiated format.
    """
    grants: Grants | None = request.scope.get(GRANTS)
    services = services_of(request)
    return restrict(services, EVERYBODY, right) if grants is None else grants.restrict(services, right)
