"""GDAL, OWSLib and curl with a key: as the password of Basic, in the path, and after a challenge of the server."""

import os
import subprocess
from pathlib import Path

import pytest
from owslib.wms import WebMapService
from owslib.wmts import WebMapTileService

pytestmark = [pytest.mark.slow, pytest.mark.client("gdalinfo")]

BOX = (500_000, 5_649_700, 500_400, 5_650_000)


@pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")  # OWSLib's
def test_owslib_finds_the_layer_with_a_password_and_a_path(site: tuple[str, str, Path]) -> None:
    address, key, _log = site
    open_ = WebMapService(f"{address}/wms", version="1.3.0")
    assert "SECRET" not in open_.contents
    for client in (
        WebMapService(f"{address}/wms", version="1.3.0", username="ann", password=key),
        WebMapService(f"{address}/login/wms", version="1.3.0", username="ann", password=key),
        WebMapService(f"{address}/k/{key}/wms", version="1.3.0"),
    ):
        picture = client.getmap(
            layers=["SECRET"], styles=[""], srs="EPSG:32631", bbox=BOX, size=(40, 30), format="image/png"
        )
        assert picture.read().startswith(b"\x89PNG")
    tiles = WebMapTileService(f"{address}/k/{key}/wmts")
    assert (
        tiles.gettile(
            layer="SECRET", tilematrixset="WebMercatorQuad", tilematrix="14", row=5485, column=8328, format="image/png"
        )
        .read()
        .startswith(b"\x89PNG")
    )


def test_gdal_opens_the_layer(site: tuple[str, str, Path], tmp_path: Path) -> None:
    address, key, _log = site
    with_key = f"WMS:{address}/k/{key}/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetCapabilities"
    listed = subprocess.run(["gdalinfo", with_key], check=True, capture_output=True, text=True).stdout
    assert "LAYERS=SECRET" in listed
    description = tmp_path / "wms.xml"
    description.write_text(
        f"""<GDAL_WMS><Service name="WMS"><Version>1.1.1</Version><ServerUrl>{address}/wms?</ServerUrl>
        <SRS>EPSG:32631</SRS><ImageFormat>image/png</ImageFormat><Layers>SECRET</Layers><Styles></Styles></Service>
        <DataWindow><UpperLeftX>{BOX[0]}</UpperLeftX><UpperLeftY>{BOX[3]}</UpperLeftY><LowerRightX>{BOX[2]}</LowerRightX>
        <LowerRightY>{BOX[1]}</LowerRightY><SizeX>40</SizeX><SizeY>30</SizeY></DataWindow>
        <Projection>EPSG:32631</Projection><BandsCount>3</BandsCount><UserPwd>ann:{key}</UserPwd></GDAL_WMS>"""
    )
    done = subprocess.run(
        ["gdal_translate", "-q", description, tmp_path / "a.tif"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    description.write_text(description.read_text().replace(key, "wrong"))
    assert (
        subprocess.run(
            ["gdal_translate", "-q", description, tmp_path / "b.tif"], check=False, capture_output=True
        ).returncode
        != 0
    )


def test_no_key_stands_in_the_log(site: tuple[str, str, Path]) -> None:
    address, key, log = site
    url = f"{address}/k/{key}/layers/SECRET"
    shown = subprocess.run(["curl", "-s", url], check=True, capture_output=True, text=True).stdout
    assert "SECRET" in shown
    subprocess.run(["curl", "-s", f"{address}/k/{key}/nothing-is-here"], check=True, capture_output=True)
    subprocess.run(["curl", "-s", "-u", f"ann:{key}", f"{address}/layers"], check=True, capture_output=True)
    text = log.read_text()
    assert "GET /layers/{layer}" in text
    assert key not in text


def test_gdal_reads_a_coverage_with_a_password(site: tuple[str, str, Path]) -> None:
    address, key, _log = site
    coverage = f"/vsicurl/{address}/ogcapi/collections/SECRET/coverage?f=GTiff&datetime=2020-01-11"
    statuses = [
        subprocess.run(
            ["gdalinfo", coverage], env=os.environ | {"GDAL_HTTP_USERPWD": password}, check=False, capture_output=True
        ).returncode
        for password in (f"any:{key}", "any:ctk_wrong", "")
    ]
    assert statuses == [0, 1, 1]
