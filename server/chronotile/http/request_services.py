"""The services of a request: the part of the catalogue that its client may use."""

from starlette.requests import HTTPConnection

from chronotile.core.model.access import Right
from chronotile.http.principal import GRANTS, Grants
from chronotile.http.server_state import state_of
from chronotile.pipeline.granted import EVERYBODY, restrict
from chronotile.pipeline.services import Services

SERVICES = "chronotile.services"
"""Where a request keeps its services."""


def services_of(connection: HTTPConnection) -> Services:
    """Return the services for one request: the same until it is answered, though a reload replaces them.

    They are all that there is to the client.
    """
    services: Services | None = connection.scope.get(SERVICES)
    if services is None:
        grants: Grants | None = connection.scope.get(GRANTS)
        services = state_of(connection).services
        if grants is not None:
            services = grants.of(services)
        elif services.catalogue.access is not None:  # rules that came with a reload while the request was under way
            services = restrict(services, EVERYBODY)
        connection.scope[SERVICES] = services
    return services


def services_with(connection: HTTPConnection, right: Right) -> Services:
    """Return the services of a request as far as its client has a right.

    Handlers use it for rights that the gate cannot read from the path, such as that of a negotiated format.
    """
    grants: Grants | None = connection.scope.get(GRANTS)
    services = services_of(connection)
    return restrict(services, EVERYBODY, right) if grants is None else grants.of(services, right)
