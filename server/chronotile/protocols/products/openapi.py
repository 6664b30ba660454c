"""Products in OpenAPI."""

from functools import partial

from chronotile.protocols.common.openapi import FILE, OBJECT, TEXT, Json, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents
from chronotile.protocols.products.params import OF_NODE, OF_PRODUCT

TAG = "Products"
REFUSALS = ("BadRequest", "NotFound", "TooMany", "Unavailable")
JSON = "application/json"


def product_paths() -> dict[str, Json]:
    """Return the paths of products."""
    product = in_path("product", "Id of the product: a UUID made of the ids of collection and item")
    of_product, of_node = documents(OF_PRODUCT), documents(OF_NODE)
    path = in_path("path", "Name of an asset, and the path of a file in it where it is a folder")
    collection = in_path("collection", "Id of a collection")
    item = in_path("item", "Id of an item")
    describe = partial(operation, tag=TAG, refusals=REFUSALS)
    files = {"application/octet-stream": FILE, "application/zip": FILE, JSON: ref("Product")}
    whole = "The file of a product, or a ZIP of all its files; any range of bytes"
    return {
        "/products": {"get": describe("getProducts", "How products are addressed", answers={JSON: OBJECT})},
        "/products/{product}": {
            "get": _with_parts(describe("getProduct", whole, parameters=[product, *of_product], answers=files))
        },
        "/products/{product}/nodes": {
            "get": describe(
                "getProductNodes",
                "The files of a product",
                parameters=[product, *of_product],
                answers={JSON: ref("Product")},
            )
        },
        "/products/{product}/nodes/{path}": {
            "get": _with_parts(
                describe(
                    "getProductNode",
                    "A file of a product, or a ZIP of one of its folders; any range of bytes",
                    parameters=[product, path, *of_node],
                    answers={**files, JSON: ref("ProductNode")},
                )
            )
        },
        "/products/{collection}/{item}": {
            "get": _with_parts(
                describe("getProductOfItem", whole, parameters=[collection, item, *of_product], answers=files)
            )
        },
    }


def _with_parts(described: Json) -> Json:
    """The operation with the answers of a part, of a file in a bucket, and of a range that is not there."""
    described["responses"] |= {
        "206": {"description": "The requested range", "content": {"application/octet-stream": {"schema": FILE}}},
        "302": {"description": "The file is in a bucket: a signed address, for five minutes", "headers": _LOCATION},
        "416": {"description": "The file has no such range"},
    }
    return described


_LOCATION: Json = {"Location": {"schema": TEXT}}
