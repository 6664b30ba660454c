"""The application, its settings and its worker processes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from chronotile.protocols.site.ops.siblings import Siblings


def create_app_from_environment(*, siblings: "Siblings | None" = None, memory: int | None = None) -> "Starlette":
    """Return the application that `CHRONOTILE_*` variables describe, for a worker process."""
    # Settings are read without the application, which takes a second to import.
    from chronotile.app.application import create_app  # noqa: PLC0415 -- see above
    from chronotile.app.settings import load_settings  # noqa: PLC0415 -- the same
    from chronotile.core.logs import configure_logging  # noqa: PLC0415 -- the same

    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    return create_app(settings, siblings=siblings, memory=memory)
