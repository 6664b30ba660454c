"""Requests of WMS, WMTS, WCS and WPS, made only from capabilities."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

from lxml import etree

from tests.walk.address import Address

SIZE_PX = 32
WMS = "{http://www.opengis.net/wms}"
SLD = "{http://www.opengis.net/sld}"
WMTS = "{http://www.opengis.net/wmts/1.0}"
OWS = "{http://www.opengis.net/ows/1.1}"
OWS_2 = "{http://www.opengis.net/ows/2.0}"
WCS = "{http://www.opengis.net/wcs/2.0}"
WPS = "{http://www.opengis.net/wps/2.0}"
GML = "{http://www.opengis.net/gml/3.2}"
XLINK = "{http://www.w3.org/1999/xlink}href"

Tile = Mapping[str, str]
"""`TileMatrix`, `TileRow` and `TileCol`."""


def wms_requests(root: etree._Element, url: str) -> Iterator[Address]:
    """Yield requests of each layer: each style, system and time; each format of the first layer."""
    layers = [each for each in root.iter(f"{WMS}Layer") if each.find(f"{WMS}Name") is not None]
    for number, layer in enumerate(layers):
        yield from _of_wms_layer(root, layer, url, is_first=number == 0)


def _of_wms_layer(root: etree._Element, layer: etree._Element, url: str, *, is_first: bool) -> Iterator[Address]:
    name = layer.findtext(f"{WMS}Name")
    boxes = {each.get("CRS"): _corners(each) for each in layer.findall(f"{WMS}BoundingBox")}
    styles = [each.findtext(f"{WMS}Name") for each in layer.findall(f"{WMS}Style")] or [""]
    time = layer.find(f"{WMS}Dimension[@name='time']")
    times = {} if time is None else {"TIME": time.get("default")}
    (crs, box), *_others = boxes.items()
    common = {"SERVICE": "WMS", "VERSION": "1.3.0"}
    place = {"CRS": crs, "BBOX": box, "WIDTH": SIZE_PX, "HEIGHT": SIZE_PX, "TRANSPARENT": "TRUE"}
    base, formats = _wms_operation(root, f"{WMS}GetMap")
    drawn = {**common, "REQUEST": "GetMap", "LAYERS": name, "STYLES": styles[0], "FORMAT": formats[0], **place, **times}
    changes = [
        {},
        *({"STYLES": each} for each in styles[1:]),
        *({"CRS": each, "BBOX": corners} for each, corners in boxes.items()),
        *({"FORMAT": each} for each in (formats[1:] if is_first else ())),
    ]
    for change in changes:
        asked = {**drawn, **change}
        yield _asked(base, asked, url, asked["FORMAT"])
    if layer.get("queryable") == "1":
        base, formats = _wms_operation(root, f"{WMS}GetFeatureInfo")
        for each in formats if is_first else formats[:1]:
            at = {"QUERY_LAYERS": name, "I": SIZE_PX // 2, "J": SIZE_PX // 2, "INFO_FORMAT": each}
            yield _asked(base, {**drawn, "REQUEST": "GetFeatureInfo", **at}, url, each)
    base, formats = _wms_operation(root, f"{SLD}GetLegendGraphic")
    for each in formats if is_first else formats[:1]:
        legend = {**common, "REQUEST": "GetLegendGraphic", "LAYER": name, "FORMAT": each, "STYLE": styles[-1]}
        yield _asked(base, legend, url, each)
    base, formats = _wms_operation(root, f"{SLD}DescribeLayer")
    yield _asked(base, {**common, "REQUEST": "DescribeLayer", "LAYERS": name, "SLD_VERSION": "1.1.0"}, url, formats[0])


def _wms_operation(root: etree._Element, tag: str) -> tuple[str, list[str]]:
    operation = root.find(f"{WMS}Capability/{WMS}Request/{tag}")
    href = operation.find(f"{WMS}DCPType/{WMS}HTTP/{WMS}Get/{WMS}OnlineResource").get(XLINK)
    return href, [each.text for each in operation.findall(f"{WMS}Format")]


def _corners(box: etree._Element) -> str:
    return ",".join(box.get(name) for name in ("minx", "miny", "maxx", "maxy"))


def _asked(base: str, query: Mapping[str, object], url: str, media_type: str | None) -> Address:
    return Address(url=base + urlencode(query), media_type=media_type, origin=url, how=str(query["REQUEST"]))


def limits_of(root: etree._Element) -> dict[tuple[str, str], list[Tile]]:
    """Return tiles by layer and tile matrix set, the coarsest first: the middle tile of each matrix's limits."""
    return {
        (_identifier(layer), link.findtext(f"{WMTS}TileMatrixSet")): [
            _middle(each) for each in link.iter(f"{WMTS}TileMatrixLimits")
        ]
        for layer in root.findall(f"{WMTS}Contents/{WMTS}Layer")
        for link in layer.findall(f"{WMTS}TileMatrixSetLink")
    }


def descriptions(root: etree._Element, url: str) -> Iterator[Address]:
    """Yield the descriptions of all coverages of WCS 2.0.1, or of all processes of WPS 2.0."""
    base, _query, _rest = url.partition("?")
    for each in root.iter(f"{WCS}CoverageId"):
        asked = {"SERVICE": "WCS", "VERSION": "2.0.1", "REQUEST": "DescribeCoverage", "COVERAGEID": each.text}
        yield _asked(f"{base}?", asked, url, "application/xml")
    for each in root.iterfind(f".//{WPS}ProcessSummary/{OWS_2}Identifier"):
        asked = {"SERVICE": "WPS", "VERSION": "2.0.0", "REQUEST": "DescribeProcess", "IDENTIFIER": each.text}
        yield _asked(f"{base}?", asked, url, "application/xml")


def coverage_requests(root: etree._Element, url: str) -> Iterator[Address]:
    """Yield few cells of each described coverage, at its first time."""
    base, _query, _rest = url.partition("?")
    for each in root.iter(f"{WCS}CoverageDescription"):
        envelope = each.find(f"{GML}boundedBy/*")
        first, second, *time = envelope.get("axisLabels").split()
        seconds = envelope.findtext(f"{GML}lowerCorner").split()[2:]
        subset = {"SUBSET": f"{time[0]}({seconds[0]})"} if time else {}
        asked = {"SERVICE": "WCS", "VERSION": "2.0.1", "REQUEST": "GetCoverage", "FORMAT": "image/tiff", **subset}
        size = {"COVERAGEID": each.findtext(f"{WCS}CoverageId"), "SCALESIZE": f"{first}(4),{second}(4)"}
        yield _asked(f"{base}?", {**asked, **size}, url, None)


def _middle(limits: etree._Element) -> Tile:
    def between(axis: str) -> str:
        least, most = (int(limits.findtext(f"{WMTS}{each}Tile{axis}")) for each in ("Min", "Max"))
        return str((least + most) // 2)

    return {"TileMatrix": limits.findtext(f"{WMTS}TileMatrix"), "TileRow": between("Row"), "TileCol": between("Col")}


def wmts_requests(root: etree._Element, url: str) -> Iterator[Address]:
    """Yield tiles of each layer in each set, by address and by parameters: each style, each format of the first."""
    limits = limits_of(root)
    base = next(each.get(XLINK) for each in root.iter(f"{OWS}Get") if each.get(XLINK).endswith("?"))
    for number, layer in enumerate(root.findall(f"{WMTS}Contents/{WMTS}Layer")):
        name = _identifier(layer)
        tiles = {matrix_set: found for (of, matrix_set), found in limits.items() if of == name and found}
        for place, (matrix_set, (*_others, tile)) in enumerate(tiles.items()):
            at = {"TileMatrixSet": matrix_set, **tile, **_dimensions(layer)}
            yield from _of_wmts_layer(layer, at, base, url, is_first=number == place == 0)
        yield from _domains(layer, name, base, url, tiles)


def _of_wmts_layer(
    layer: etree._Element, at: Mapping[str, str], base: str, url: str, *, is_first: bool
) -> Iterator[Address]:
    styles = [_identifier(each) for each in layer.findall(f"{WMTS}Style")] or [""]
    pixel = {"I": "3", "J": "5"}
    for resource in layer.findall(f"{WMTS}ResourceURL"):
        template, told = resource.get("template"), resource.get("format")
        for style in styles if resource.get("resourceType") == "tile" else styles[:1]:
            filled = template
            for key, value in {**at, **pixel, "Style": style, "style": style}.items():
                filled = filled.replace(f"{{{key}}}", quote(value, safe=""))
            yield Address(url=filled, media_type=told, origin=url, how="ResourceURL", is_template="{" in filled)
    common = {"SERVICE": "WMTS", "VERSION": "1.0.0", "LAYER": _identifier(layer), "STYLE": styles[0], **at}
    formats = [each.text for each in layer.findall(f"{WMTS}Format")]
    for told in formats if is_first else formats[:1]:
        yield _asked(base, {**common, "REQUEST": "GetTile", "FORMAT": told}, url, told)
    infos = [each.text for each in layer.findall(f"{WMTS}InfoFormat")]
    for told in infos if is_first else infos[:1]:
        asked = {**common, **pixel, "REQUEST": "GetFeatureInfo", "FORMAT": formats[0], "INFOFORMAT": told}
        yield _asked(base, asked, url, told)


def _domains(layer: etree._Element, name: str, base: str, url: str, tiles: Mapping[str, object]) -> Iterator[Address]:
    common = {"SERVICE": "WMTS", "VERSION": "1.0.0", "LAYER": name}
    for matrix_set in list(tiles)[:1]:
        yield _asked(base, {**common, "REQUEST": "DescribeDomains", "TileMatrixSet": matrix_set}, url, None)
    for dimension in layer.findall(f"{WMTS}Dimension"):
        asked = {**common, "REQUEST": "GetDomainValues", "Domain": _identifier(dimension)}
        yield _asked(base, asked, url, None)


def _dimensions(layer: etree._Element) -> dict[str, str]:
    return {_identifier(each): each.findtext(f"{WMTS}Default") for each in layer.findall(f"{WMTS}Dimension")}


def _identifier(element: etree._Element) -> str:
    return element.findtext(f"{OWS}Identifier")
