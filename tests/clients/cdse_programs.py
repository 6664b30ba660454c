"""Programs of users of CDSE's and Terrascope's clients, run in a separate environment.

`python cdse_programs.py CLIENT SERVER FOLDER` writes JSON. The clients of CDSE contain its address; here another
server's replaces it. The client of Terrascope reads the address from a file.
"""

import json
import sys
from pathlib import Path
from typing import Any

CDSE = ("https://catalogue.dataspace.copernicus.eu", "https://download.dataspace.copernicus.eu")
POLYGON = "POLYGON((4.1 50.1,4.9 50.1,4.9 50.9,4.1 50.9,4.1 50.1))"


def ask_server(server: str) -> None:
    """Redirect the requests for CDSE to another server."""
    import requests

    ask = requests.Session.request

    def request(session: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        for host in CDSE:
            url = url.replace(host, server)
        return ask(session, method, url, *args, **options)

    requests.Session.request = request


def cdsetool(server: str, folder: str) -> dict[str, Any]:
    """Search by time, place and attributes in pages; describe a collection; download a product."""
    ask_server(server)
    from cdsetool.credentials import Credentials
    from cdsetool.download import download_feature
    from cdsetool.query import describe_collection, get_product_attribute, query_features

    terms = {"contentDateStartGe": "2022-05-02", "contentDateEndLt": "2022-05-30", "geometry": POLYGON}
    terms |= {"cloudCover": "[0,50]", "tileIdEq": "31UFS", "top": 2}
    found = query_features("SENTINEL-2", terms, options={"expand_attributes": True, "max_attempts": 1})
    credentials = Credentials.__new__(Credentials)  # the server requires none
    credentials.get_session = lambda: Credentials.make_session(None, False, 0, None)
    options = {"credentials": credentials, "download_attempts": 1}
    return {
        "count": len(found),
        "names": [each["Name"] for each in found],
        "clouds": [get_product_attribute(each, "cloudCover") for each in found],
        "attributes": sorted(describe_collection("SENTINEL-2")),
        "file": (Path(folder) / download_feature(found[0], folder, options)).read_text(),
    }


def eodag(server: str, _folder: str) -> dict[str, Any]:
    """Search in pages with the provider `cop_dataspace` and other URLs."""
    from eodag import EODataAccessGateway

    search = {
        "api_endpoint": f"{server}/odata/v1/Products",
        "metadata_mapping": {"eodag:download_link": f"{server}/odata/v1/Products({{uid}})/$value"},
    }
    any_header = {"type": "HTTPHeaderAuth", "headers": {"X-Any": "none"}, "matching_url": server}
    auth = {**any_header, "credentials": {"none": "none"}}
    dag = EODataAccessGateway()
    dag.update_providers_config(json.dumps({"cop_dataspace": {"search": search, "auth": auth}}))
    terms = {"collection": "S2_MSI_L2A", "start": "2022-05-02", "end": "2022-05-30", "geom": POLYGON}
    terms |= {"eo:cloud_cover": 50, "provider": "cop_dataspace", "raise_errors": True}
    found = dag.search(limit=2, **terms)
    for _page in found.next_page():
        pass  # `found` has its products too
    (first,) = dag.search(limit=1, count=True, **terms)
    return {
        "names": [each.properties["title"] for each in found],
        "clouds": first.properties["eo:cloud_cover"],
        "tile": first.properties["grid:code"],
        "link": first.properties["eodag:download_link"],
    }


def terracatalogueclient(server: str, folder: str) -> dict[str, Any]:
    """Find collections and products by all filters, count them, read them in pages, download one."""
    import datetime as dt

    from shapely import box
    from terracatalogueclient import Catalogue
    from terracatalogueclient.client import ProductFileType
    from terracatalogueclient.config import CatalogueConfig
    from terracatalogueclient.exceptions import SearchException

    settings = Path(folder) / "catalogue.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[Catalogue]\nURL = {server}/opensearch\n")
    catalogue = Catalogue(CatalogueConfig.from_file(str(settings)))
    days = {"start": dt.date(2022, 5, 2), "end": dt.datetime(2022, 5, 4, 12)}
    place = {"west": 4, "south": 50, "east": 5, "north": 51}
    filters: dict[str, dict[str, Any]] = {
        "all": {},
        "days": days,
        "box": {"bbox": [13, 49, 14, 50]},
        "geometry": {"geometry": box(4.1, 50.1, 4.9, 50.9), "bbox": place},
        "title": {"title": "S2B_MSIL2A_20220503T105031_N0400_R051_T31UFS.SAFE"},
        "type": {"productType": "S2MSI2A", "relativeOrbitNumber": 51, "orbitDirection": "DESCENDING"},
        "cloud": {"cloudCover": 30},
        "clouds": {"cloudCover": (20, 40)},
        "tile": {"tileId": "31UFS"},
        "group": {"productGroupId": "none"},
        "published": {"publicationDate": (dt.date(2022, 5, 3), None)},
        "modified": {"modificationDate": (None, dt.date(2022, 6, 2)), "accessedFrom": "tests"},
        "first": {"limit": 3},
        "pages": {"count": 3},
    }
    names = {
        name: [each.title for each in catalogue.get_products("SENTINEL-2", **terms)] for name, terms in filters.items()
    }
    (product,) = catalogue.get_products("SENTINEL-2", **filters["title"])
    catalogue.download_products([product], folder, ProductFileType.DATA, force=True)
    try:
        list(catalogue.get_products("SENTINEL-2", cloudCover="much"))
    except SearchException as error:
        refused = str(error)
    return {
        "collections": [each.id for each in catalogue.get_collections(bbox=place, platform="sentinel-2", **days)],
        "names": names,
        "count": catalogue.get_product_count("SENTINEL-2", cloudCover=(20, None)),
        "begin": product.beginningDateTime.isoformat(),
        "box": product.geometry.bounds,
        "length": product.data[0].length,
        "files": {str(each.relative_to(folder)): each.read_text() for each in Path(folder).glob("*/*")},
        "refused": refused,
    }


if __name__ == "__main__":
    programs = {"cdsetool": cdsetool, "eodag": eodag, "terracatalogueclient": terracatalogueclient}
    sys.stdout.write(json.dumps(programs[sys.argv[1]](*sys.argv[2:])))
