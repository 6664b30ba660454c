"""The application schema of our feature info, which GML's own schemas need to validate it."""

from pathlib import Path

from lxml import etree

NAMESPACES = {"3.1.1": "http://www.opengis.net/gml", "3.2.1": "http://www.opengis.net/gml/3.2"}
ENTRIES = {"3.1.1": "gml/3.1.1/base/gml.xsd", "3.2.1": "gml/3.2.1/gml.xsd"}
FEATURES = {"3.1.1": "_Feature", "3.2.1": "AbstractFeature"}
SCHEMA = """
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:gml="{namespace}" xmlns:ct="urn:x-chronotile:feature-info"
    targetNamespace="urn:x-chronotile:feature-info" elementFormDefault="qualified">
  <import namespace="{namespace}" schemaLocation="http://schemas.opengis.net/{entry}"/>
  <element name="PlaceInfo" substitutionGroup="gml:{feature}">
    <complexType>
      <complexContent>
        <extension base="gml:AbstractFeatureType">
          <sequence>
            <element name="place" type="gml:PointPropertyType"/>
            <any namespace="##targetNamespace" processContents="skip" maxOccurs="unbounded"/>
          </sequence>
        </extension>
      </complexContent>
    </complexType>
  </element>
</schema>
"""


class _Mirror(etree.Resolver):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resolve(self, url, public_id, context):
        path = self.folder / url.split("://", 1)[-1]
        return self.resolve_string(path.read_bytes(), context, base_url=url)


def schema_of(text: str, folder: Path) -> etree.XMLSchema:
    """Return a schema of ours that imports OGC's schemas; `folder` has mirrors named by host."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Mirror(folder))
    return etree.XMLSchema(etree.fromstring(text, parser, base_url="http://schemas.opengis.net/ours.xsd"))


def place_info_schema(folder: Path, version: str) -> etree.XMLSchema:
    """Return GML of a version with our feature in it; `folder` as in `schema_of`."""
    text = SCHEMA.format(namespace=NAMESPACES[version], entry=ENTRIES[version], feature=FEATURES[version])
    return schema_of(text, folder)
