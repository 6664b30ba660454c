"""Describe places with values in QGIS, as JSON; run by its Python: `qgis_features.py ADDRESS FOLDER`.

The output describes the layer as added and styled by rules, and again after the project was saved and opened.
"""

import json
import statistics
import sys
from pathlib import Path

from qgis.core import (
    NULL,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRuleBasedRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

COLOURS = {"red": "#ff0000", "green": "#00ff00", "grey": "#808080"}
SIZE = 600


def style(layer, middle):
    """Colour places by rules."""
    root = QgsRuleBasedRenderer.Rule(None)
    rules = {"red": f'"NDVI" < {middle!r}', "green": f'"NDVI" >= {middle!r}', "grey": '"NDVI" IS NULL'}
    for name, expression in rules.items():
        symbol = QgsFillSymbol.createSimple({"color": COLOURS[name], "outline_style": "no"})
        root.appendChild(QgsRuleBasedRenderer.Rule(symbol, filterExp=expression))
    layer.setRenderer(QgsRuleBasedRenderer(root))


def told(layer, messages):
    """Return the properties of the layer, and the colour at the centre of each place."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image, to_pixels = job.renderedImage(), settings.mapToPixel()
    values, colours, names = {}, {}, {colour: name for name, colour in COLOURS.items()}
    for feature in layer.getFeatures():
        value = feature["NDVI"]
        values[feature["id"]] = None if value == NULL else value
        pixel = to_pixels.transform(feature.geometry().centroid().asPoint())
        colours[feature["id"]] = names.get(image.pixelColor(int(pixel.x()), int(pixel.y())).name())
    return {
        "valid": layer.isValid(),
        "count": layer.featureCount(),
        "fields": {field.name(): field.typeName() for field in layer.fields()},
        "values": values,
        "colours": colours,
        "messages": list(messages),
    }


def main(address, folder):
    """Return both."""
    messages = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda text, tag, _level: messages.append(text) if tag in {"OAPIF", "WFS"} else None)
    layer = QgsVectorLayer(f"typename='squares' url='{address}'", "squares", "OAPIF")
    middle = statistics.median(each["NDVI"] for each in layer.getFeatures() if each["NDVI"] != NULL)
    style(layer, middle)
    project = QgsProject.instance()
    project.addMapLayer(layer)
    first = told(layer, messages)
    file = str(folder / "places.qgz")
    project.write(file)
    project.clear()
    project.read(file)
    (again,) = project.mapLayers().values()
    return [first, told(again, messages)]


if __name__ == "__main__":
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
    application.exitQgis()
