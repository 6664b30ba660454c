"""Path and query of styles and legends turned into what the core understands."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.core.model.request import LegendRequest
from chronotile.pipeline.maps.legend import LEGEND_TYPES, LegendFormat
from chronotile.pipeline.styling.legend_picture import LegendShape
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, names_of, whole
from chronotile.protocols.common.query.picture import DIFFERENCE, IS_HORIZONTAL, MAX_SIDE_PX, RAMP, REDUCER
from chronotile.protocols.ogcapi.block import OF_DOCUMENTS
from chronotile.protocols.ogcapi.maps.drawing import RANGE_OF_TWO
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.styles.documents import style_of

WIDTH = whole("width", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
HEIGHT = whole("height", "Size of the picture, in pixels", least=1, most=MAX_SIDE_PX)
ORIENTATION = code("orientation", "Orientation of the colours", IS_HORIZONTAL, default="vertical")
OF_LEGEND: tuple[Parameter[object], ...] = (RANGE_OF_TWO, RAMP, DIFFERENCE, REDUCER, WIDTH, HEIGHT, ORIENTATION)
"""Beside `f`, and `lang` and `datetime`, which change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendQuery:
    """A legend as it is requested."""

    request: LegendRequest
    format: LegendFormat
    shape: LegendShape


def parse_legend(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> LegendQuery:
    """Return the legend of a collection, or of a style of the dataset on the first layer that has it.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names((*names_of((*OF_LEGEND, *OF_DOCUMENTS)), "datetime"))
    if "styleId" in path:
        known = style_of(path, catalogue)
        layer, style = known.layer, known.style.id
    else:
        layer, style = offered_collection(catalogue, path["collectionId"]).drawn, ""
    name = negotiate_format(query, accept, {str(each): media_type for each, media_type in LEGEND_TYPES.items()})
    return LegendQuery(
        request=LegendRequest(
            layer=layer.id,
            style=style,
            is_difference=DIFFERENCE.given(query) is not None,
            reducer=REDUCER.of(query),
            range=RANGE_OF_TWO.given(query),
            ramp=RAMP.given(query),
        ),
        format=next(each for each in LEGEND_TYPES if each == name),
        shape=LegendShape(is_horizontal=ORIENTATION.of(query), width=WIDTH.given(query), height=HEIGHT.given(query)),
    )
