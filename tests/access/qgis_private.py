"""Draw a private layer in QGIS; prints JSON: `python3 qgis_private.py make|open BASE KEY FOLDER`.

`make` draws the layer by WMS and WMTS with each way to send a key, and saves projects; `open` draws the projects.
It needs the Python of QGIS; the folder has the database of its passwords.
"""

import json
import sys
from pathlib import Path
from urllib.parse import quote

from qgis.core import (
    QgsApplication,
    QgsAuthMethodConfig,
    QgsCoordinateReferenceSystem,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

MASTER_PASSWORD = "of this test"
CONFIGURATION = "private"
BOX = (334_120, 6_621_180, 334_420, 6_621_480)
SIZE = 128


def source_of(service, base, authcfg=""):
    """Return the source of the layer in QGIS's notation."""
    address = {"wms": f"{base}/wms", "wmts": f"{base}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"}[service]
    parts = {
        "contextualWMSLegend": "0",
        "crs": "EPSG:3857",
        "dpiMode": "7",
        "featureCount": "10",
        "format": "image/png",
        "layers": "SECRET",
        "styles": "" if service == "wms" else "default",
        **({"tileMatrixSet": "WebMercatorQuad"} if service == "wmts" else {}),
        **({"authcfg": authcfg} if authcfg else {}),
        "url": quote(address, safe=""),
    }
    return "&".join(f"{name}={value}" for name, value in parts.items())


def draw(layer, file):
    """Render the layer alone; return the errors."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setExtent(QgsRectangle(*BOX))
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(file))
    return [error.message for error in job.errors()]


def make(base, key, folder):
    """Draw the layer in each way and save a project of it."""
    config = QgsAuthMethodConfig("Basic")
    config.setId(CONFIGURATION[:7])
    config.setName(CONFIGURATION)
    config.setConfigMap({"username": "ann", "password": key})
    manager = QgsApplication.authManager()
    manager.storeAuthenticationConfig(config)
    # The cache of QGIS ignores `Vary`, so a separate URL per password is best.
    ways = {"basic": (f"{base}/login", config.id()), "path": (f"{base}/k/{key}", ""), "none": (base, "")}
    told = {}
    for way, (address, authcfg) in ways.items():
        for service in ("wms", "wmts"):
            name = f"{way}_{service}"
            layer = QgsRasterLayer(source_of(service, address, authcfg), name, "wms")
            told[name] = [layer.isValid(), draw(layer, folder / f"{name}.png") if layer.isValid() else []]
            project = QgsProject()
            project.addMapLayer(layer)
            project.write(str(folder / f"{name}.qgs"))
    return told


def reopen(folder):
    """Draw the saved projects."""
    told = {}
    for file in sorted(folder.glob("*.qgs")):
        project = QgsProject()
        project.read(str(file))
        for layer in project.mapLayers().values():
            told[file.stem] = [
                layer.isValid(),
                draw(layer, folder / f"{file.stem}_again.png") if layer.isValid() else [],
            ]
    return told


if __name__ == "__main__":
    what, base, key, folder = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False, str(folder / "profile"))
    application.initQgis()
    manager = QgsApplication.authManager()
    manager.setMasterPassword(MASTER_PASSWORD, True)
    told = make(base, key, folder) if what == "make" else reopen(folder)
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    application.exitQgis()
