"""Path and query of styles and legends turned into what the core understands."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.errors import InvalidParameter
from chronotile.model.request import LegendRequest
from chronotile.pipeline.maps.legend import LEGEND_TYPES
from chronotile.protocols.common.query.kvp import Kvp, difference_of, value_range
from chronotile.protocols.common.query.legend import IS_HORIZONTAL, AskedLegend, legend_side
from chronotile.protocols.ogcapi.asked_format import asked_format
from chronotile.protocols.ogcapi.styles.known_styles import style_of
from chronotile.styling.legend_picture import LegendShape

PARAMETERS = ("f", "lang")
PARAMETERS_OF_LEGENDS = ("range", "ramp", "difference", "width", "height", "orientation", "datetime", "f", "lang")


def asked_legend(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> AskedLegend:
    """Return the legend of a collection, or of a style of the dataset on the first layer that has it.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_LEGENDS)
    if "styleId" in path:
        known = style_of(path, catalogue)
        layer, style = known.layer, known.style.id
    else:
        layer, style = offered_collection(catalogue, path["collectionId"]).drawn, ""
    name = asked_format(query, accept, {str(each): media_type for each, media_type in LEGEND_TYPES.items()})
    value_range_text = query.optional("range")
    return AskedLegend(
        request=LegendRequest(
            layer=layer.id,
            style=style,
            is_difference=difference_of(query.optional("difference"), locator="difference") is not None,
            range=None if value_range_text is None else value_range(value_range_text, locator="range"),
            ramp=query.optional("ramp"),
        ),
        format=next(each for each in LEGEND_TYPES if each == name),
        shape=LegendShape(
            is_horizontal=_is_horizontal(query), width=legend_side(query, "width"), height=legend_side(query, "height")
        ),
    )


def _is_horizontal(query: Kvp) -> bool:
    text = query.optional("orientation") or "vertical"
    if text.lower() not in IS_HORIZONTAL:
        raise InvalidParameter(f"orientation must be vertical or horizontal, got {text[:60]!r}", locator="orientation")
    return IS_HORIZONTAL[text.lower()]
