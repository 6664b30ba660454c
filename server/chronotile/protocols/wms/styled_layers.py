"""GetStyles and DescribeLayer: what the SLD profiles ask of layers (OGC 02-070 §6.7 and 6.8, OGC 05-078r4 §7)."""

from collections.abc import Iterator

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp
from chronotile.protocols.common.sld import SldVersion, sld_document
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wms.params import map_version

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
    template = DESCRIPTIONS[map_version(query)]
    return render_xml(template, names=[name for name, _layer in _layers(query, catalogue)])


def _layers(query: Kvp, catalogue: Catalogue) -> Iterator[tuple[str, Layer]]:
    names = dict.fromkeys(name.strip() for name in query.required("LAYERS").split(","))
    return ((name, catalogue.layer(name)) for name in names)


def _sld_version(query: Kvp) -> SldVersion:
    match query.optional("SLDVER") or query.optional("SLD_VERSION"):
        case None:
            return "1.0.0" if map_version(query) == "1.1.1" else "1.1.0"
        case "1.0.0":
            return "1.0.0"
        case "1.1.0":
            return "1.1.0"
        case other:
            raise InvalidParameter(f"SLDVER must be 1.0.0 or 1.1.0, got {other[:MAX_SHOWN]!r}", locator="SLDVER")
