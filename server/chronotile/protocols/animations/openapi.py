"""Time-lapses in OpenAPI."""

from chronotile.protocols.animations.params import FORMATS, OF_ANIMATION
from chronotile.protocols.common.examples import Examples, extension_in_path
from chronotile.protocols.common.openapi import FILE, Json, in_path, operation
from chronotile.protocols.common.query.parameter import documents


def animation_paths(examples: Examples) -> dict[str, Json]:
    """Return the path of time-lapses."""
    small = {"width": 64, "height": 48, "datetime": examples.times or None}
    found = operation(
        "getAnimation",
        "A time-lapse",
        tag="Time-lapses",
        parameters=[
            in_path("layer", "Id or alias", example=examples.layer if examples.times else None),
            extension_in_path(FORMATS),
            *documents(OF_ANIMATION, small),
        ],
        answers=dict.fromkeys(FORMATS.values(), FILE),
    )
    return {"/animations/{layer}.{extension}": {"get": found}}
