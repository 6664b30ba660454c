"""Items as data providers write them."""

from tests.archive.index.catalogues import item_document

DAYS = ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01")
"""Days of the cube: NDVI has the first four, LAI the last two and the second."""
SECRET = "s3://secret-bucket/scene.tif"


def scene(id_, *, day, cloud, west=4.0):
    """Return a scene with remote files, some in a secret bucket."""
    document = item_document(id_, day=f"2020-06-{day:02}", west=west, href="https://scenes.test/RED.tif")
    document["properties"] |= {"eo:cloud_cover": cloud, "platform": "sentinel-2a", "title": "<script>alert(1)</script>"}
    document["stac_extensions"] = ["https://stac-extensions.github.io/eo/v2.0.0/schema.json"]
    document["links"] = [{"rel": "via", "href": SECRET}, {"rel": "license", "href": "javascript:alert(1)"}]
    document["assets"]["RED"] |= {"roles": ["data"], "alternate": {"s3": {"href": SECRET}}}
    document["assets"]["a b/c"] = {"href": SECRET, "type": "application/xml", "roles": ["metadata"]}
    return document


def dated(day):
    """Return a date of a cube, without files."""
    document = item_document(day, day=day)
    document["properties"] = {"datetime": f"{day}T00:00:00Z", "proj:code": "EPSG:32631", "proj:epsg": 32631}
    document["stac_extensions"] = ["https://stac-extensions.github.io/projection/v1.2.0/schema.json"]
    document["assets"] = {}
    return document
