"""Actions of a user in QGIS's window, with a picture of the window after each.

Run by QGIS itself: `CHRONOTILE_BASE=http://127.0.0.1:8000 CHRONOTILE_FOLDER=/tmp/seen qgis --code qgis_window.py`.
Observations are written to `seen.json` in the folder; an error to `failed.txt`.
"""

import json
import os
import traceback
import urllib.request
from pathlib import Path
from urllib.parse import quote

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDateTimeRange,
    QgsInterval,
    QgsLayerDefinition,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterDataProviderTemporalCapabilities,
    QgsRasterLayer,
    QgsTemporalNavigationObject,
    QgsUnitTypes,
)
from qgis.PyQt.QtCore import QCoreApplication, QDateTime, QEventLoop, QSize, QTimer
from qgis.PyQt.QtWidgets import QDockWidget, QTabWidget
from qgis.utils import iface

BASE = os.environ["CHRONOTILE_BASE"]
FOLDER = Path(os.environ["CHRONOTILE_FOLDER"])
PROJECT_CRS = "EPSG:32631"
"""A CRS other than the layers', with the same datum: another datum would open a dialogue about transformations."""


def main() -> dict[str, object]:
    """Return the observations; pictures are in the folder."""
    iface.mainWindow().resize(QSize(1200, 800))
    QgsProject.instance().setCrs(QgsCoordinateReferenceSystem(PROJECT_CRS))
    iface.layerTreeCanvasBridge().setAutoSetupOnFirstLayer(False)  # it would replace the project's CRS by the layer's
    return {
        "dekads": played(defined("DEKADS"), "dekads", days=10),
        "irregular": played(defined("IRREGULAR"), "irregular", days=30),
        "starts": played(of_wms("IRREGULAR"), "starts", days=30),
        "whole": played(
            of_wms("DEKADS", match=QgsRasterDataProviderTemporalCapabilities.MatchUsingWholeRange), "whole", days=10
        ),
        "wmts": [shown(of_wmts("DEKADS", time), f"wmts-{time}") for time in ("2020-01-01", "2020-03-01")],
        "error": refused("DEKADS", "1999-01-01"),
        "group": shown(of_wms_at("s2", "2020-01"), "group"),
        "coverage": by_address("DEKADS", "2020-01-01"),
    }


def defined(name: str) -> QgsRasterLayer:
    """Open the layer's definition."""
    file = FOLDER / f"{name}.qlr"
    with urllib.request.urlopen(f"{BASE}/layers/{name}.qlr") as answer:
        file.write_bytes(answer.read())
    project = emptied_project()
    QgsLayerDefinition.loadLayerDefinition(str(file), project, project.layerTreeRoot())
    (layer,) = project.mapLayers().values()
    return layer


def of_wms(name: str, *, match=None) -> QgsRasterLayer:
    """Add a layer as the dialogue does; it requests the start of each frame unless the user chooses otherwise."""
    with urllib.request.urlopen(f"{BASE}/layers/{name}/times") as answer:
        times = ",".join(json.load(answer)["times"])
    source = (
        "type=wmst&allowTemporalUpdates=true&temporalSource=provider&contextualWMSLegend=0&crs=EPSG:3857&dpiMode=7"
        f"&format=image/png&layers={name}&styles&timeDimensionExtent={times}&url={BASE}/wms"
    )
    layer = emptied_project().addMapLayer(QgsRasterLayer(source, name, "wms"))
    layer.temporalProperties().setIsActive(True)
    if match is not None:
        layer.temporalProperties().setIntervalHandlingMethod(match)
    return layer


def of_wmts(name: str, time: str) -> QgsRasterLayer:
    """Add a layer by the URL of the service alone."""
    source = (
        f"contextualWMSLegend=0&crs=EPSG:3857&dpiMode=7&format=image/png&layers={name}&styles=steps"
        f"&tileDimensions=Time%3D{time}&tileMatrixSet=WebMercatorQuad&url={BASE}/wmts"
    )
    return emptied_project().addMapLayer(QgsRasterLayer(source, name, "wms"))


def of_wms_at(name: str, time: str) -> QgsRasterLayer:
    """Add a WMS layer with a fixed time."""
    url = quote(f"{BASE}/wms?TIME={time}", safe="")
    source = (
        f"contextualWMSLegend=0&crs=EPSG:3857&dpiMode=7&featureCount=10&format=image/png&layers={name}&styles&url={url}"
    )
    return emptied_project().addMapLayer(QgsRasterLayer(source, name, "wms"))


def refused(name: str, time: str) -> dict[str, object]:
    """Show a map that the server refuses; return the observation with the text of the message panel."""
    iface.openMessageLog()
    told = shown(of_wms_at(name, time), "error")
    panel = iface.mainWindow().findChild(QDockWidget, "MessageLog")
    tabs = panel.findChild(QTabWidget)
    (of_service,) = (number for number in range(tabs.count()) if tabs.tabText(number) == "WMS")
    tabs.setCurrentIndex(of_service)
    QCoreApplication.processEvents()
    iface.mainWindow().grab().save(str(FOLDER / "error-window.png"))
    text = tabs.currentWidget().toPlainText()
    panel.close()
    return {**told, "message": text}


def by_address(name: str, time: str) -> dict[str, object]:
    """Add a coverage by a web URL, like the dialogue of rasters."""
    address = f"/vsicurl/{BASE}/ogcapi/collections/{name}/coverage?f=GTiff&datetime={time}"
    emptied_project()
    layer = iface.addRasterLayer(address, name)
    extent, width, height = layer.extent(), layer.width(), layer.height()
    block = layer.dataProvider().block(1, extent, width, height)
    cells = [
        [None if block.isNoData(row, column) else block.value(row, column) for column in range(width)]
        for row in range(height)
    ]
    return {
        **shown(layer, "coverage"),
        "provider": layer.providerType(),
        "crs": layer.crs().authid(),
        "west_north": [extent.xMinimum(), extent.yMaximum()],
        "cells": cells,
    }


def emptied_project() -> QgsProject:
    """Return the project without layers, and without a time."""
    project = QgsProject.instance()
    project.removeAllMapLayers()
    iface.mapCanvas().temporalController().setNavigationMode(QgsTemporalNavigationObject.NavigationOff)
    return project


def played(layer: QgsRasterLayer, name: str, *, days: int) -> dict[str, object]:
    """Step through the layer with the temporal controller."""
    zoom_to(layer)
    ranges = layer.dataProvider().temporalCapabilities().allAvailableTemporalRanges()
    first, last = (QDateTime(each.begin().toUTC()) for each in (ranges[0], ranges[-1]))
    controller = iface.mapCanvas().temporalController()
    controller.setNavigationMode(QgsTemporalNavigationObject.Animated)
    controller.setTemporalExtents(QgsDateTimeRange(first, last))
    controller.setFrameDuration(QgsInterval(days, QgsUnitTypes.TemporalDays))
    frames = []
    for frame in range(controller.totalFrameCount()):
        controller.setCurrentFrameNumber(frame)
        begin = controller.dateTimeRangeForFrameNumber(frame).begin().toUTC().toString("yyyy-MM-ddThh:mm:ss.zzz")
        frames.append({"begin": begin, "picture": seen(f"{name}-{frame}")})
    return {"valid": layer.isValid() and layer.crs().isValid(), "frames": frames, "identified": identified(layer)}


def shown(layer: QgsRasterLayer, name: str) -> dict[str, object]:
    """Zoom to the layer; return its validity and picture."""
    zoom_to(layer)
    return {"valid": layer.isValid() and layer.crs().isValid(), "picture": seen(name)}


def zoom_to(layer) -> None:
    """Zoom to the extent of the layer, in the project's CRS."""
    project = QgsProject.instance()
    iface.layerTreeCanvasBridge().setCanvasLayers()
    transform = QgsCoordinateTransform(layer.crs(), project.crs(), project)
    iface.mapCanvas().setExtent(transform.transformBoundingBox(layer.extent()))


def identified(layer) -> list[str]:
    """Return the texts of the identify tool at the layer's centre, at the canvas's time."""
    centre = QgsPointXY(layer.extent().center())
    found = layer.dataProvider().identify(centre, QgsRaster.IdentifyFormatText, layer.extent(), 101, 101)
    return [str(text) for text in found.results().values()]


def seen(name: str) -> str:
    """Wait until the canvas is drawn; save it and the whole window; return the file of the canvas."""
    canvas = iface.mapCanvas()
    loop = QEventLoop()
    canvas.mapCanvasRefreshed.connect(loop.quit)
    canvas.refreshAllLayers()
    loop.exec_()
    canvas.mapCanvasRefreshed.disconnect(loop.quit)
    file = FOLDER / f"{name}.png"
    canvas.saveAsImage(str(file))
    iface.mainWindow().grab().save(str(FOLDER / f"{name}-window.png"))
    return str(file)


def run() -> None:
    """Write the observations and exit."""
    try:
        (FOLDER / "seen.json").write_text(json.dumps(main()))
    except BaseException:  # noqa: BLE001 -- the test reports any error
        (FOLDER / "failed.txt").write_text(traceback.format_exc())
    os._exit(0)  # immediately: the window would open a dialogue to save the project


QTimer.singleShot(0, run)
