"""SLD_BODY: styles that a request brings along (OGC 02-070 §6.5, OGC 05-078r4 §9)."""

from collections.abc import Sequence
from dataclasses import dataclass

from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.style import Style
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.styling.read_sld import SheetLayer, SheetStyle, read_sld


@dataclass(frozen=True, slots=True)
class Styled:
    """How a layer is drawn: by the name of one of its styles, or by a style of the request's own."""

    style: str
    own_style: Style | None = None


def sheets_of(query: Kvp) -> tuple[SheetLayer, ...]:
    """Return the layers that SLD_BODY styles; none without it.

    Raises:
        InvalidParameter: It cannot be used.
    """
    text = query.optional("SLD_BODY")
    return () if text is None else read_sld(text.encode("utf-8", "replace"))


def with_layers(query: Kvp, sheets: Sequence[SheetLayer]) -> Kvp:
    """Return the parameters with the document's layers for LAYERS, where the request names none."""
    if not sheets or query.optional("LAYERS") is not None:
        return query
    return query.replacing("LAYERS", ",".join(sheet.name for sheet in sheets))


def resolve_styles(layers: Sequence[tuple[Layer, str]], sheets: Sequence[SheetLayer]) -> list[Styled]:
    """Return how layers are drawn, each with the name that STYLES gives it, which may be empty.

    A name that the document defines for the layer means that style; an empty one the document's default, else its
    first; another one is that of the layer itself, as is all of a layer which the document does not name.

    Raises:
        InvalidParameter: The document names none of the layers.
    """
    found = [_sheet(layer, sheets) for layer, _name in layers]
    if sheets and not any(found):
        names = ", ".join(layer.id for layer, _name in layers)
        raise InvalidParameter(f"the SLD has no NamedLayer for {names}", locator="sld")
    return [_styled(name, sheet) for (_layer, name), sheet in zip(layers, found, strict=True)]


def _sheet(layer: Layer, sheets: Sequence[SheetLayer]) -> SheetLayer | None:
    names = {layer.id, *(alias.name for alias in layer.aliases)}
    return next((sheet for sheet in sheets if sheet.name in names and sheet.styles), None)


def _styled(name: str, sheet: SheetLayer | None) -> Styled:
    if sheet is None:
        return Styled(name)
    chosen = _chosen(name, sheet.styles)
    if chosen is None:
        return Styled(name)
    return Styled(chosen.name if chosen.style is None else "", chosen.style)


def _chosen(name: str, styles: Sequence[SheetStyle]) -> SheetStyle | None:
    if name in {"", "default"}:
        return next((style for style in styles if style.is_default), styles[0])
    return next((style for style in styles if style.name == name), None)
