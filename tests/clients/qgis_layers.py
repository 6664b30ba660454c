"""Describe a layer definition in QGIS, as JSON; run by the Python of QGIS.

/usr/bin/python3 tests/clients/qgis_layers.py http://127.0.0.1:8000 NDVI FOLDER [DAYS]

With DAYS it also plays the layer as the temporal controller does, in frames of that length.
"""

import json
import sys
import urllib.request
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDateTimeRange,
    QgsLayerDefinition,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor

OTHER_CRS = "EPSG:3035"
"""CRS of a project, other than the layer's."""


def main(base: str, name: str, folder: Path, days: int | None = None) -> dict[str, object]:
    """Return the properties of the layer in QGIS, and save a map per time in the folder."""
    file = folder / f"{name}.qlr"
    with urllib.request.urlopen(f"{base}/layers/{name}.qlr") as answer:
        file.write_bytes(answer.read())
    project = QgsProject.instance()
    loaded, message = QgsLayerDefinition.loadLayerDefinition(str(file), project, project.layerTreeRoot())
    (layer,) = project.mapLayers().values()
    provider = layer.dataProvider()
    times = provider.temporalCapabilities().allAvailableTemporalRanges()
    centre = QgsPointXY(layer.extent().center())
    found = provider.identify(centre, QgsRaster.IdentifyFormatFeature, layer.extent(), 101, 101).results()
    features = [feature for stores in found.values() for store in stores for feature in store.features()]
    return {
        "loaded": loaded,
        "message": message,
        "valid": layer.isValid(),
        "title": layer.name(),
        "crs": layer.crs().authid(),
        "crs_valid": layer.crs().isValid(),
        "projected": projected(layer, folder / "projected.png"),
        "temporal": layer.temporalProperties().isActive(),
        "times": [each.begin().toUTC().toString(Qt.ISODate) for each in times],
        "identified": [dict(zip(each.fields().names(), each.attributes(), strict=False)) for each in features],
        "pictures": [draw(layer, each.begin(), folder / f"{number}.png") for number, each in enumerate(times)],
        "frames": [
            draw(layer, begin, folder / f"frame-{number}.png", days=days)
            for number, begin in enumerate(begins(times, days))
        ],
    }


def begins(times, days):
    """Yield the start of each frame from the first time to the last."""
    if days is not None:
        begin = times[0].begin().toUTC()
        while begin <= times[-1].begin():
            yield begin
            begin = begin.addDays(days)


def draw(layer, begin: QDateTime, file: Path, *, days: int = 1) -> str:
    """Save the map at a time, like the temporal controller."""
    settings = map_settings(layer)
    settings.setIsTemporal(True)
    settings.setTemporalRange(QgsDateTimeRange(begin, QDateTime(begin).addDays(days), True, False))
    return save(settings, file)


def projected(layer, file: Path) -> str:
    """Save the map in a project with another CRS."""
    settings = map_settings(layer)
    other = QgsCoordinateReferenceSystem(OTHER_CRS)
    settings.setDestinationCrs(other)
    box = QgsCoordinateTransform(QgsCoordinateReferenceSystem("EPSG:3857"), other, QgsProject.instance())
    settings.setExtent(box.transformBoundingBox(layer.extent()))
    return save(settings, file)


def map_settings(layer) -> QgsMapSettings:
    """Return map settings of the layer alone, in its own CRS."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(64, 48))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    return settings


def save(settings: QgsMapSettings, file: Path) -> str:
    """Save the map; return its path."""
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(file))
    return str(file)


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    told = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:]))
    print(json.dumps(told))  # noqa: T201 -- the answer
    application.exitQgis()
