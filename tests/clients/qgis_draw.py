"""Pictures and values of QGIS, as JSON; run by the Python of QGIS: `python3 qgis_draw.py BASE FOLDER`.

Pictures show a single tile of WebMercatorQuad, so pixels are not resampled.
"""

import json
import sys
from pathlib import Path
from urllib.parse import quote

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsDateTimeRange,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor

BOX = (547900.6187481433, 6574807.42497772, 567468.4979891479, 6594375.304218726)
SIZE = 256
CLICKED = (20, 100)


def draw(layer, file, *, crs="EPSG:3857", box=BOX, times=None):
    """Render the layer alone."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem(crs))
    settings.setExtent(QgsRectangle(*box))
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    if times is not None:
        settings.setIsTemporal(True)
        settings.setTemporalRange(QgsDateTimeRange(*(QDateTime.fromString(each, Qt.ISODate) for each in times)))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(file))
    return [error.message for error in job.errors()]


def wms(base, version, **more):
    source = {
        "contextualWMSLegend": "0",
        "crs": "EPSG:3857",
        "dpiMode": "7",
        "featureCount": "10",
        "format": "image/png",
        "layers": "NDVI",
        "styles": "",
        **more,
        "url": quote(f"{base}/wms?VERSION={version}", safe=""),
    }
    return QgsRasterLayer("&".join(f"{name}={value}" for name, value in source.items()), "NDVI", "wms")


def messages_of_a_missing_style(base, folder):
    """Return QGIS's messages to its user about a map that the server refuses."""
    layer = wms(base, "1.3.0", styles="nope")
    told = []
    log = QgsApplication.messageLog()
    log.messageReceived.connect(lambda message, _tag, _level: told.append(message))
    draw(layer, folder / "missing.png")
    QgsApplication.processEvents()  # messages of the thread that drew
    return told


def wmts(base, matrix_set, crs, time, *, address="/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"):
    url = quote(f"{base}{address}", safe="")
    source = (
        f"contextualWMSLegend=0&crs={crs}&dpiMode=7&format=image/png&layers=NDVI&styles=steps"
        f"&tileDimensions=Time%3D{time}&tileMatrixSet={matrix_set}&url={url}"
    )
    return QgsRasterLayer(source, "NDVI", "wms")


def main(base, folder):
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    told = {}
    for version in ("1.1.1", "1.3.0"):
        layer = wms(base, version)
        told[f"wms_{version}"] = [layer.isValid(), draw(layer, folder / f"wms_{version}.png")]
        degrees = wms(base, version, crs="EPSG:4326")
        box = (4.5, 50.8, 4.7, 51.0)
        told[f"degrees_{version}"] = [
            degrees.isValid(),
            draw(degrees, folder / f"degrees_{version}.png", crs="EPSG:4326", box=box),
        ]
    tiles = wmts(base, "WebMercatorQuad", "EPSG:3857", "2020-06-11")
    told["wmts"] = [tiles.isValid(), draw(tiles, folder / "wmts.png")]
    bare = wmts(base, "WebMercatorQuad", "EPSG:3857", "2020-06-11", address="/wmts")
    told["wmts_bare"] = [bare.isValid(), draw(bare, folder / "wmts_bare.png")]
    timed = wms(
        base,
        "1.3.0",
        type="wmst",
        allowTemporalUpdates="true",
        temporalSource="provider",
        timeDimensionExtent="2020-05-21,2020-06-01,2020-06-11,2020-06-21",
        timeDimensionExtentDefault="",
    )
    timed.temporalProperties().setIsActive(True)
    QgsProject.instance().addMapLayer(timed)
    frame = ("2020-06-01T00:00:00Z", "2020-06-10T23:59:59Z")
    told["temporal"] = [timed.isValid(), draw(timed, folder / "temporal.png", times=frame)]
    pixel = (BOX[2] - BOX[0]) / SIZE
    column, row = CLICKED
    place = QgsPointXY(BOX[0] + (column + 0.5) * pixel, BOX[3] - (row + 0.5) * pixel)
    layer = wms(base, "1.3.0")
    found = layer.dataProvider().identify(place, QgsRaster.IdentifyFormatText, QgsRectangle(*BOX), SIZE, SIZE)
    told["identify"] = list(found.results().values())
    told["exception"] = messages_of_a_missing_style(base, folder)
    told["legend"] = save_legend(layer, folder / "legend.png")
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    application.exitQgis()


def save_legend(layer, file):
    """Save the picture that QGIS shows as legend; return its size, or an error."""
    fetcher = layer.dataProvider().getLegendGraphicFetcher(None)
    pictures = []
    fetcher.finish.connect(pictures.append)
    fetcher.error.connect(pictures.append)
    fetcher.start()
    while not pictures:
        QgsApplication.processEvents()
    if isinstance(pictures[0], str):
        return pictures[0]
    pictures[0].save(str(file))
    return [pictures[0].width(), pictures[0].height()]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
