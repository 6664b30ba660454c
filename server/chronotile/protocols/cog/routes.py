"""`/cog`: TiTiler behind the list of allowed places."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Mount

PATH = "/cog"


def cog_routes(prefixes: Sequence[str], *, max_pixels: int) -> list[BaseRoute]:
    """Return the route of TiTiler's endpoints for files below `prefixes`; none where there are none.

    Raises:
        ConfigurationError: A prefix is none, or TiTiler is not installed.
    """
    if not prefixes:
        return []
    # FastAPI and TiTiler take 60 MB, which a server without /cog should not.
    from chronotile.protocols.cog.application import cog_application  # noqa: PLC0415 -- see above

    return [Mount(PATH, cog_application(prefixes, path=PATH, max_pixels=max_pixels))]
