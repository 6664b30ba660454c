"""Requests that a document describes without their addresses: queries, entities, chunks, examples."""

import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from lxml import etree

from chronotile.protocols.common.operations_page import example_address
from tests.walk.address import Address
from tests.walk.templates import expand

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
LENS_CELLS = 6
"""Half the side of the area of a query, in cells."""
NEEDS_COORDS = ("position", "area", "cube", "radius")
Json = Mapping[str, Any]


def edr_queries(collection: Json, url: str) -> Iterator[Address]:
    """Yield each query of a collection in all its formats, in the middle of its extent, at its last time."""
    told = collection.get("data_queries", {})
    place = _Place(collection["extent"])
    for name in NEEDS_COORDS:
        if name in told:
            link = told[name]["link"]
            for template in _templates(collection, name):
                values = {**place.query(name, link["variables"]), **place.time}
                yield Address(url=expand(template, values), origin=url, how=f"template of {name}")
            for number, form in enumerate(link["variables"]["output_formats"]):
                query = {**place.query(name, link["variables"]), **place.time, "f": form}
                media_type = link["type"] if form == link["variables"]["default_output_format"] else None
                address = f"{link['href']}?{urlencode(query, safe='(),:')}"
                yield Address(url=address, media_type=media_type, origin=url, how=f"data_queries.{name} {number}")


def _templates(collection: Json, name: str) -> list[str]:
    """Return the templates of a query, among the links of its collection."""
    hrefs = [each["href"] for each in collection["links"]]
    return [each for each in hrefs if is_template_of_query(each) and each.partition("{")[0].endswith(f"/{name}")]


def is_template_of_query(url: str) -> bool:
    """Return whether an address is the template of a query of EDR."""
    return "{?" in url and url.partition("{")[0].endswith(tuple(f"/{name}" for name in NEEDS_COORDS))


class _Place:
    """The middle of an extent, and a little around it."""

    def __init__(self, extent: Json) -> None:
        west, south, *_heights, east, north = _flat(extent["spatial"]["bbox"][0])
        width = east - west if east >= west else east - west + 360
        columns, rows = (each["cellsCount"] for each in extent["spatial"].get("grid", ({"cellsCount": 1},) * 2)[:2])
        self.x, self.y = west + width / 2, (south + north) / 2
        if self.x > 180:
            self.x -= 360
        self.half_x = width / columns * min(columns / 4, LENS_CELLS)
        self.half_y = (north - south) / rows * min(rows / 4, LENS_CELLS)
        self.time = {}
        if "temporal" in extent:
            last = extent["temporal"]["interval"][0][1]
            self.time = {} if last is None else {"datetime": last}

    def query(self, name: str, variables: Json) -> dict[str, str]:
        x, y = self.x, self.y
        left, bottom, right, top = x - self.half_x, y - self.half_y, x + self.half_x, y + self.half_y
        corners = (left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)
        ring = ",".join(f"{along} {up}" for along, up in corners)
        if name == "area":
            return {"coords": f"POLYGON(({ring}))"}
        if name == "cube":
            return {"bbox": f"{left},{bottom},{right},{top}"}
        if name == "radius":
            within = min(10_000, 2 * math.hypot(self.half_x, self.half_y) * 111)  # the middle may be a corner of cells
            return {"coords": f"POINT({x} {y})", "within": f"{within:.6f}", "within-units": "km"}
        return {"coords": f"POINT({x} {y})"}


def _flat(bbox: list[float]) -> list[float]:
    return bbox if len(bbox) == 4 else [bbox[0], bbox[1], bbox[3], bbox[4]]


def parts_of_store(group: Json, url: str) -> Iterator[Address]:
    """Yield the document and the first chunk of each array of a Zarr store."""
    root = url.removesuffix("/zarr.json")
    for name, array in group["consolidated_metadata"]["metadata"].items():
        place = f"{root}/{quote(name)}"
        yield Address(url=f"{place}/zarr.json", media_type="application/json", origin=url, how=name)
        first = "/".join(["c", *("0" for _length in array["shape"])])
        yield Address(url=f"{place}/{first}", origin=url, how=f"{name} chunk")


def entities(metadata: etree._Element) -> dict[str, list[str]]:
    """Return the navigation properties of each entity set of an OData service, with `$value` if it has a stream."""
    types = {each.get("Name"): each for each in metadata.iter(f"{EDM}EntityType")}
    found = dict[str, list[str]]()
    for each in metadata.iter(f"{EDM}EntitySet"):
        of = types[each.get("EntityType").rpartition(".")[2]]
        streams = ["$value"] if of.get("HasStream") == "true" else []
        found[each.get("Name")] = [*(one.get("Name") for one in of.iter(f"{EDM}NavigationProperty")), *streams]
    return found


def examples(document: Json, url: str) -> Iterator[Address]:
    """Yield the example of each operation of an OpenAPI document that needs no token."""
    base = document["servers"][0]["url"]
    for path, entry in document["paths"].items():
        for method in ("get", "post"):
            if method not in entry or "security" in entry[method]:
                continue
            operation = _resolved(entry[method], entry, document)
            answers = operation["responses"].get("200", {}).get("content", {})
            if "{" in example_address(path, operation):
                continue  # no example has an answer
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield Address(
                url=base + example_address(path, operation),
                media_type=next(iter(answers)) if len(answers) == 1 else None,
                method=method.upper(),
                body=content.get("example", {}) if method == "post" else None,
                origin=url,
                how=f"example of {operation['operationId']}",
            )


def words_of(document: Json) -> dict[tuple[str, str], list[str]]:
    """Return the words that a last variable of a path accepts, by the path up to its first variable."""
    found = dict[tuple[str, str], list[str]]()
    for path, entry in document["paths"].items():
        for parameter in entry.get("get", {}).get("parameters", ()):
            words = parameter.get("schema", {}).get("enum")
            if parameter.get("in") == "path" and words and parameter["name"] == "extension" and path.count("{") == 2:
                found[path.partition("{")[0], parameter["name"]] = words
    return found


def _resolved(operation: Json, entry: Json, document: Json) -> dict[str, Any]:
    listed = [*entry.get("parameters", ()), *operation.get("parameters", ())]
    responses = {status: _found(each, document) for status, each in operation["responses"].items()}
    return {**operation, "parameters": [_found(each, document) for each in listed], "responses": responses}


def _found(member: Json, document: Json) -> Any:
    found: Any = document
    if "$ref" not in member:
        return member
    for name in member["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found
