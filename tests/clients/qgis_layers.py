"""What QGIS makes of a layer definition, as JSON; run by the Python that QGIS comes with.

/usr/bin/python3 tests/clients/qgis_layers.py http://127.0.0.1:8000 NDVI FOLDER
"""

import json
import sys
import urllib.request
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsDateTimeRange,
    QgsLayerDefinition,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt


def main(base: str, name: str, folder: Path) -> dict[str, object]:
    """Return what the layer of that name is in QGIS, and save the map of each of its times in the folder."""
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
        "temporal": layer.temporalProperties().isActive(),
        "times": [each.begin().toUTC().toString(Qt.ISODate) for each in times],
        "identified": [dict(zip(each.fields().names(), each.attributes(), strict=False)) for each in features],
        "pictures": [draw(layer, each, folder / f"{number}.png") for number, each in enumerate(times)],
    }


def draw(layer, span: QgsDateTimeRange, file: Path) -> str:
    """Save the map at a time, as the temporal controller draws it."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(64, 48))
    settings.setIsTemporal(True)
    settings.setTemporalRange(QgsDateTimeRange(span.begin(), QDateTime(span.begin()).addDays(1), True, False))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(file))
    return str(file)


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))  # noqa: T201 -- the answer
    application.exitQgis()
