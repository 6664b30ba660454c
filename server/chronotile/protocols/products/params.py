"""The queries of `/products`."""

from dataclasses import dataclass

from starlette.requests import Request

from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import choice, names_of, truth

FORMAT = choice("f", "`json`: the list of files, instead of the files", ("json", "file"), default="file")
CHECKSUM = truth("checksum", "With `f=json`: compute the SHA-256 of the file if it is not known")
OF_PRODUCT = (FORMAT,)
OF_NODE = (FORMAT, CHECKSUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductQuery:
    """In which form a product or one of its files is requested."""

    is_document: bool
    has_checksum: bool = False


def product_query(request: Request) -> ProductQuery:
    """Return the query of a product.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_PRODUCT))
    return ProductQuery(is_document=FORMAT.of(query) == "json")


def node_query(request: Request) -> ProductQuery:
    """Return the query of a file; a checksum is part of its document alone.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_NODE))
    has_checksum = CHECKSUM.of(query)
    return ProductQuery(is_document=has_checksum or FORMAT.of(query) == "json", has_checksum=has_checksum)
