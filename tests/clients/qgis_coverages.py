"""Describe coverages of WCS 1.x in QGIS, as JSON; run by the Python of QGIS.

/usr/bin/python3 tests/clients/qgis_coverages.py http://127.0.0.1:8000/wcs project.qgz identifier=NDVI time=2020-06-01
"""

import json
import sys

from qgis.core import QgsApplication, QgsDataSourceUri, QgsPointXY, QgsProject, QgsRaster, QgsRasterLayer


def main(url: str, project: str, *pairs: str) -> list[dict[str, object]]:
    """Return the properties of the layer: as added, and after the project was saved and opened again."""
    uri = QgsDataSourceUri()
    for name, text in (("url", url), *(pair.split("=", 1) for pair in pairs)):
        uri.setParam(name, text)
    layer = QgsRasterLayer(bytes(uri.encodedUri()).decode(), "coverage", "wcs")
    added = described(layer)
    QgsProject.instance().addMapLayer(layer)
    QgsProject.instance().write(project)
    QgsProject.instance().clear()
    QgsProject.instance().read(project)
    return [added, *(described(each) for each in QgsProject.instance().mapLayers().values())]


def described(layer) -> dict[str, object]:
    """Return the properties of a layer, and its cells."""
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    provider, extent = layer.dataProvider(), layer.extent()
    width, height = layer.width(), layer.height()
    block = provider.block(1, extent, width, height)
    across, down = extent.width() / width, extent.height() / height
    point = QgsPointXY(extent.xMinimum() + 5.5 * across, extent.yMaximum() - 2.5 * down)
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "size": [width, height],
        "bands": provider.bandCount(),
        "nodata": provider.sourceNoDataValue(1),
        "cells": [[block.value(row, column) for column in range(width)] for row in range(height)],
        "identified": provider.identify(point, QgsRaster.IdentifyFormatValue).results()[1],
    }


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    messages = []
    QgsApplication.messageLog().messageReceived.connect(lambda text, tag, _level: messages.append(f"{tag}: {text}"))
    told = main(*sys.argv[1:])
    print(json.dumps({"layers": told, "messages": messages}))  # noqa: T201 -- the answer
    application.exitQgis()
