"""GetStyles and DescribeLayer: what the SLD profiles ask of layers (OGC 02-070 §6.7 and 6.8, OGC 05-078r4 §7)."""

from collections.abc import Iterator

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.collection import Layer
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.xml import render_xml
from chronotile.protocols.common.sld import SldVersion, sld_document
from chronotile.protocols.wms.groups import LAYERS, names_of
from chronotile.protocols.wms.params import VERSION

DESCRIPTIONS = {"1.3.0": "wms/templates/describe_layer_1_1_0.xml", "1.1.1": "wms/templates/describe_layer_1_1_1.xml"}


def get_styles(query: Kvp, catalogue: Catalogue) -> bytes:
    """Return the styles of LAYERS as SLD of SLDVER, else of the version that belongs to VERSION.

    Raises:
        ChronotileError: A layer or version is missing or not known.
    """
    version = _sld_version(query)
    return sld_document(list(_layers(query, catalogue)), version)


def describe_layer(query: Kvp, catalogue: Catalogue) -> bytes:
    """Return what LAYERS are: coverages, which no service of this server gives by their names yet.

    Raises:
        ChronotileError: A layer or version is missing or not known.
    """
    template = DESCRIPTIONS[VERSION.of(query)]
    return render_xml(template, names=[name for name, _layer in _layers(query, catalogue)])


def _layers(query: Kvp, catalogue: Catalogue) -> Iterator[tuple[str, Layer]]:
    """Layers by their names, each once; a group is its layers."""
    names = dict.fromkeys(each for name in dict.fromkeys(LAYERS.of(query)) for each in names_of(name, "", catalogue))
    return ((name, catalogue.layer(name)) for name in names)


def _sld_version(query: Kvp) -> SldVersion:
    match query.optional("SLDVER") or query.optional("SLD_VERSION"):
        case None:
            return "1.0.0" if VERSION.of(query) == "1.1.1" else "1.1.0"
        case "1.0.0":
            return "1.0.0"
        case "1.1.0":
            return "1.1.0"
        case other:
            raise InvalidParameter(f"SLDVER must be 1.0.0 or 1.1.0, got {other[:MAX_SHOWN]!r}", locator="SLDVER")
