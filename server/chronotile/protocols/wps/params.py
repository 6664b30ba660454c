"""Requests of WPS in key-value pairs and XML (OGC 14-065 §9, OGC 05-007r7 §8 to §10), of both versions as one value."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from chronotile.core.errors import InvalidParameter, MissingParameter, OperationNotSupported, VersionNegotiationFailed
from chronotile.core.model.types import Json
from chronotile.core.xml_text import local_name, parse_xml
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import keyword
from chronotile.protocols.common.query.values import choice
from chronotile.protocols.wps.data import PLAIN, WpsInput

VERSIONS = ("2.0.0", "1.0.0")
"""The default version first."""
OF_NAMESPACES = {"http://www.opengis.net/wps/2.0": "2.0.0", "http://www.opengis.net/wps/1.0.0": "1.0.0"}
OF_PROCESSES = ("DescribeProcess", "Execute")
OPERATIONS = ("GetCapabilities", *OF_PROCESSES, "GetStatus", "GetResult", "Dismiss")
REQUEST = keyword("request", "The operation", {name: name for name in OPERATIONS}, error=OperationNotSupported)
OPTIONS = ("storeexecuteresponse", "status", "lineage")
MAX_XML_BYTES = 8 << 20
"""Size of a request in XML; larger inputs have to be sent by reference or to OGC API - Processes."""
_OF_1_0 = re.compile(r"opengis\.net/wps/1\.0\.0|(^|&)(accept)?versions?=1", re.ASCII | re.IGNORECASE)
_ATTRIBUTE = re.compile("@(?:xlink:)?(mimeType|encoding|schema|uom|dataType|href|method|asReference)=", re.IGNORECASE)
_CORNERS = ("LowerCorner", "UpperCorner")
_BOXES = ("BoundingBoxData", "BoundingBox", "WGS84BoundingBox")
_HOLDERS = frozenset({"LiteralData", "LiteralValue", "ComplexData", *_BOXES})
"""Elements that contain values."""


@dataclass(frozen=True, slots=True)
class WpsRequest:
    """A request of either version."""

    version: str
    operation: str
    names: Sequence[str] = ()
    """Identifiers of processes, or the identifier of a job."""
    inputs: Sequence[WpsInput] = ()
    outputs: Mapping[str, Json] | None = None
    """Output definitions by name, as OGC API - Processes has them; `None` requests all outputs by value."""
    is_raw: bool = False
    mode: str = "sync"
    is_stored: bool = False
    """Whether the response is stored, even if the client waits for it (1.0.0)."""
    has_lineage: bool = False


def spoken_version(text: str) -> str:
    """Return the version in which a client reads errors, from the first characters of its request."""
    return "1.0.0" if _OF_1_0.search(text) else "2.0.0"


def request_in_query(query: Kvp) -> WpsRequest:
    """Return the request of key-value pairs.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    choice(query.require("service", accepted="WPS"), ["WPS"], locator="service")
    operation = REQUEST.value(query)
    if operation == "GetCapabilities":
        accepted = query.optional("acceptversions") or query.optional("version") or VERSIONS[0]
        return WpsRequest(_negotiate_version(accepted.split(",")), operation)
    version = _negotiate_version([query.require("version", accepted=" or ".join(VERSIONS))])
    if (version, operation) == ("2.0.0", "Execute"):
        raise OperationNotSupported("Execute of WPS 2.0 is offered by POST of XML alone", locator="Execute")
    names = query.require("identifier" if operation in OF_PROCESSES else "jobid").split(",")
    raw = query.optional("rawdataoutput")
    options = dict(query.select(OPTIONS)) | ({"response": "raw"} if raw else {})
    outputs = _members(raw or query.optional("responsedocument"))
    return _complete_request(
        WpsRequest(version, operation, names), _members(query.optional("datainputs")), outputs, options
    )


def request_in_xml(body: bytes) -> WpsRequest:
    """Return the request of an XML document.

    Raises:
        ChronotileError: The body is not a WPS request, or a part of it is not accepted.
    """
    root = parse_xml(body, what="the request", max_bytes=MAX_XML_BYTES)
    operation = REQUEST.parse(local_name(root))
    space = etree.QName(root).namespace or ""
    version = _negotiate_version([root.get("version", OF_NAMESPACES.get(space, ""))])
    choice(space, [name for name, spoken in OF_NAMESPACES.items() if spoken == version], locator="version")
    choice(root.get("service", "WPS"), ["WPS"], locator="service")
    if operation == "GetCapabilities":
        accepted = [element.text or "" for element in root.iter("{*}Version")]
        return WpsRequest(_negotiate_version(accepted or [version]), operation)
    identifier = "Identifier" if operation in OF_PROCESSES else "JobID"
    names = [element.text or "" for element in root.iterchildren(f"{{*}}{identifier}")]
    if not names:
        raise MissingParameter(f"{operation} needs the element {identifier}", locator=identifier)
    form = next(root.iterfind("{*}ResponseForm/*"), root)  # WPS 2.0 has no ResponseForm
    is_raw = local_name(form) == "RawDataOutput"
    inputs = [
        _parse_input(element) for path in ("{*}DataInputs/{*}Input", "{*}Input") for element in root.iterfind(path)
    ]
    outputs = [
        WpsInput(_name(element), _attributes(element)) for element in ([form] if is_raw else form.iterfind("{*}Output"))
    ]
    options = _attributes(form) | ({"response": "raw"} if is_raw else {})
    return _complete_request(WpsRequest(version, operation, names), inputs, outputs, options)


def _complete_request(
    head: WpsRequest, inputs: list[WpsInput], outputs: list[WpsInput], options: Mapping[str, str]
) -> WpsRequest:
    """Add the members of an Execute. Options are attributes of the root in 2.0, of the ResponseForm in 1.0.0."""
    is_raw = choice(options.get("response", "document"), ("raw", "document"), locator="response") == "raw"
    is_stored, has_status, has_lineage = (_is_true(options.get(name), name) for name in OPTIONS)
    default = "async" if is_stored and has_status else "sync"
    mode = choice(options.get("mode", default), ("sync", "async", "auto"), locator="mode")
    names, forms = list(dict.fromkeys(map(str.strip, head.names))), dict(map(_output, outputs)) or None
    return WpsRequest(head.version, head.operation, names, inputs, forms, is_raw, mode, is_stored, has_lineage)


def _negotiate_version(accepted: Iterable[str]) -> str:
    for name in accepted:
        if name.strip() in VERSIONS:
            return name.strip()
    raise VersionNegotiationFailed(f"the versions spoken here are {', '.join(VERSIONS)}", locator="version")


def _members(text: str | None) -> list[WpsInput]:
    """Return the members of a list in one parameter, with their attributes (OGC 05-007r7 Table 53)."""
    members = []
    for member in (text or "").split(";"):
        value, *attributes = _ATTRIBUTE.split(member)
        name, _equals, content = value.partition("=")
        attribute_pairs = zip(map(str.lower, attributes[::2]), map(unquote, attributes[1::2]), strict=True)
        members.append(WpsInput(name.strip(), dict(attribute_pairs), unquote(content)))
    return [entry for entry in members if entry.name]


def _output(output: WpsInput) -> tuple[str, Json]:
    attributes, format_ = output.attributes, {}
    if "mimetype" in attributes:
        format_["mediaType"] = attributes["mimetype"]
    if attributes.get("encoding", "").lower() not in PLAIN:
        format_["encoding"] = attributes["encoding"]
    default = "reference" if _is_true(attributes.get("asreference"), "asReference") else "value"
    return output.name, {"format": format_, "transmissionMode": attributes.get("transmission", default)}


def _parse_input(element: etree._Element) -> WpsInput:
    """Return the input that an Input element of either version describes."""
    name, data = _name(element), element.find("{*}Data")
    if data is None:
        reference = element.find("{*}Reference")
        if reference is None:
            raise MissingParameter(f"input {name} needs Data or Reference", locator=f"inputs.{name}")
        if "href" not in _attributes(reference) or len(reference):
            raise InvalidParameter(f"Reference of {name} takes href alone", locator=f"inputs.{name}.href")
        return WpsInput(name, _attributes(reference))
    holder = next((element_part for element_part in data if local_name(element_part) in _HOLDERS), data)
    corners = [element_part.text or "" for corner in _CORNERS for element_part in holder.iterchildren(f"{{*}}{corner}")]
    xml = (
        [etree.tostring(element_part, with_tail=False, encoding="unicode") for element_part in holder]
        if not corners
        else []
    )
    text = ",".join(" ".join(corners).split()) or "".join(xml) or "".join(holder.itertext())
    return WpsInput(name, _attributes(data) | _attributes(holder), text, is_xml=bool(xml))


def _name(element: etree._Element) -> str:
    return element.get("id") or (element.findtext("{*}Identifier") or "").strip()


def _attributes(element: etree._Element) -> dict[str, str]:
    return {etree.QName(key).localname.lower(): str(value) for key, value in element.items()}


def _is_true(text: str | None, locator: str) -> bool:
    return choice((text or "false").lower(), ("true", "false", "1", "0"), locator=locator) in {"true", "1"}
