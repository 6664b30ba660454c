"""TiTiler's endpoints over HTTP, restricted to allowed locations."""

import io
import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import numpy as np
import pytest
import rasterio
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.settings import load_settings
from chronotile.core.errors import ConfigurationError
from chronotile.core.web.inner_hosts import InnerHosts
from chronotile.readers.remote import requests as remote_requests
from chronotile.readers.remote.files import looks
from chronotile.readers.remote.gates import HttpClient
from tests.faulty_source import Fault, faulty_source
from tests.protocols import served
from tests.redirecting_server import redirecting_server
from tests.running import PATIENCE_S, until
from tests.scenes import Scene, write_tif

# TiTiler asks pyproj for PROJ texts, and multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings(
    "ignore:You will likely lose important projection information:UserWarning",
    "ignore:Use `@` matmul:PendingDeprecationWarning",
)

SCENE = Scene(width=64, height=64)
BOX = "3.0,50.996,3.008,51.0"
FEATURE = {
    "type": "Feature",
    "properties": {},
    "geometry": {"type": "Polygon", "coordinates": [[[3, 50.997], [3.008, 50.997], [3.008, 51.0], [3, 50.997]]]},
}
PATH_VALUES = {
    "tileMatrixSetId": "WebMercatorQuad",
    "z": "14",
    "x": "8328",
    "y": "5485",
    "scale": "1",
    "format": "png",
    "lon": "3.004",
    "lat": "50.998",
    "minx": "3.0",
    "miny": "50.996",
    "maxx": "3.01",
    "maxy": "51.0",
    "width": "16",
    "height": "16",
}


@pytest.fixture(scope="module")
def titiler():
    """TiTiler, which is an extra."""
    return pytest.importorskip("titiler.core", reason="titiler.core is absent (pip install 'chronotile[cog]')")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder `allowed` with a GeoTIFF, and folders that `/cog` may not read."""
    root = tmp_path_factory.mktemp("cog")
    (root / "allowed").mkdir()
    write_tif(root / "allowed" / "a.tif", SCENE.numbers(0), SCENE, overviews=(2,))
    write_tif(root / "secret.tif", SCENE.numbers(1), SCENE)
    vrt = f"""<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
        <SourceFilename>{root}/secret.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
    (root / "allowed" / "vrt.tif").write_text(vrt)
    (root / "allowed" / "link.tif").symlink_to(root / "secret.tif")
    return root


@pytest.fixture(scope="module")
def app(titiler, folder):
    return application(served.make_services(), ServerOptions(cog_places=[str(folder / "allowed")]))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, raise_server_exceptions=False) as one:
        yield one


def cog_paths(app):
    """Method and path of every endpoint, with parameters filled in."""
    (mount,) = (route for route in app.routes if getattr(route, "path", "") == "/cog")
    spec = mount.app.app.openapi()
    return [
        (method.upper(), "/cog" + path.format(**PATH_VALUES))
        for path, methods in spec["paths"].items()
        for method in methods
    ]


def ask(client, method, path, url):
    body = FEATURE if method == "POST" else None
    return client.request(method, path, params={"url": url}, json=body)


def test_there_are_the_endpoints_of_the_issue(app):
    paths = {path.partition("?")[0].split("/")[2] for _method, path in cog_paths(app)}

    assert paths >= {"info", "info.geojson", "statistics", "tiles", "point", "preview", "bbox", "feature"}
    assert len(cog_paths(app)) >= 18


def test_every_endpoint_answers_for_an_allowed_file(app, client, folder):
    answers = {
        (method, path): ask(client, method, path, str(folder / "allowed" / "a.tif")).status_code
        for method, path in cog_paths(app)
    }

    assert {key: status for key, status in answers.items() if status != 200} == {}


@pytest.fixture
def opened(monkeypatch):
    """List of the targets that GDAL opens."""
    names = []
    real = rasterio.open

    def remember(name, *args, **kwargs):
        names.append(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(rasterio, "open", remember)
    return names


OUTSIDE = {
    "beside": "{}/secret.tif",
    "dots": "{}/allowed/../secret.tif",
    "link": "{}/allowed/link.tif",
    "encoded": "file://{}/allowed/%2e%2e/secret.tif",
    "vsi": "/vsisubfile/0_9999,{}/secret.tif",
    "curl": "/vsicurl/http://127.0.0.1:9/a.tif",
    "metadata": "http://169.254.169.254/latest/meta-data/a.tif",
    "vrt-scheme": "vrt://{}/secret.tif?a=.tif",
    "inline": "<VRTDataset><SourceFilename>{}/secret.tif</SourceFilename></VRTDataset>.tif",
    "subdataset": "GTIFF_DIR:1:{}/secret.tif",
    "passwd": "/etc/passwd",
}


@pytest.mark.parametrize("spelling", OUTSIDE.values(), ids=OUTSIDE)
def test_no_endpoint_opens_a_file_outside(app, client, folder, opened, spelling):
    url = spelling.format(folder)

    answers = {(method, path): ask(client, method, path, url) for method, path in cog_paths(app)}

    assert {key: each.status_code for key, each in answers.items() if each.status_code != 404} == {}
    assert opened == []


def test_all_urls_of_a_request_are_checked(client, folder, opened):
    good, bad = f"{folder}/allowed/a.tif", f"{folder}/secret.tif"

    statuses = [
        client.get("/cog/info", params=[("url", first), ("url", second)]).status_code
        for first, second in ((good, bad), (bad, good))
    ]

    assert sorted(statuses) == [200, 404]
    assert opened == [good]


def test_the_extension_of_wms_is_not_there(client, folder):
    query = {"SERVICE": "WMS", "REQUEST": "GetMap", "LAYERS": f"{folder}/secret.tif", "VERSION": "1.3.0"}

    assert client.get("/cog/wms", params=query).status_code == 404


def test_a_file_of_another_format_under_a_good_name_is_not_opened(client, folder):
    response = client.get("/cog/info", params={"url": f"{folder}/allowed/vrt.tif"})

    assert response.status_code == 503
    assert str(folder) not in response.text


@pytest.mark.slow
def test_titiler_comes_without_xarray_and_pandas(titiler):
    code = """
        import sys
        from chronotile.protocols.data.cog.routes import cog_routes
        cog_routes(["/data"], max_pixels=1, threads=1)
        print({"xarray", "pandas"} & set(sys.modules))
        import xarray
    """

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_titiler_has_threads_for_local_and_remote_files(client):
    # 8 threads of pictures for each; streamed answers have threads of their own.
    assert client.portal.call(lambda: anyio.to_thread.current_default_thread_limiter().total_tokens) == 16


def test_links_use_the_mount_path(client, folder):
    url = f"{folder}/allowed/a.tif"
    (template,) = client.get("/cog/WebMercatorQuad/tilejson.json", params={"url": url}).json()["tiles"]

    assert template.startswith("http://testserver/cog/tiles/WebMercatorQuad/")
    assert client.get(template.format(z=14, x=8328, y=5485)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"X-Forwarded-Host": "maps.example.org", "X-Forwarded-Proto": "https"}, "https://maps.example.org"),
        ({"X-Forwarded-Host": "maps.example.org", "X-Forwarded-Prefix": "/eo"}, "http://maps.example.org/eo"),
    ],
)
def test_links_lead_back_through_a_trusted_proxy(titiler, folder, headers, base):
    app = application(
        served.make_services(), ServerOptions(cog_places=[str(folder / "allowed")], trusted_proxies=["*"])
    )
    with TestClient(app) as client:
        query = {"url": f"{folder}/allowed/a.tif"}
        (template,) = client.get("/cog/WebMercatorQuad/tilejson.json", params=query, headers=headers).json()["tiles"]

        assert template.startswith(f"{base}/cog/tiles/WebMercatorQuad/")
        assert client.get("/cog/info", params={"url": f"{folder}/secret.tif"}, headers=headers).status_code == 404


def test_a_tile_has_the_pixels_of_the_file(client, folder):
    query = {"url": f"{folder}/allowed/a.tif", "max_size": "64"}

    picture = Image.open(io.BytesIO(client.get("/cog/preview.png", params=query).content))

    np.testing.assert_array_equal(np.asarray(picture)[..., 0], SCENE.numbers(0))


def test_a_part_without_a_size_is_bounded(client, folder):
    write_tif(folder / "allowed" / "wide.tif", np.zeros((2000, 2000), "uint8"), SCENE, overviews=(2, 4))
    west, south, east, north = "3.0", "50.8", "3.3", "51.0"
    path = f"/cog/bbox/{west},{south},{east},{north}.png"

    picture = Image.open(io.BytesIO(client.get(path, params={"url": f"{folder}/allowed/wide.tif"}).content))

    assert max(picture.size) == 1024


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/cog/preview.png", "max_size=100000", "max_size"),
        ("/cog/preview/100000x100000.png", "", "width"),
        (f"/cog/bbox/{BOX}/100000x100000.png", "", "width"),
        ("/cog/tiles/WebMercatorQuad/14/8328/5485.png", "tilesize=100000", "tilesize"),
        ("/cog/preview.png", "expression=b1*9**9**9**9", "expression"),
        ("/cog/preview.png", "expression=b1.__class__", "expression"),
        ("/cog/statistics", "histogram_bins=1000000000", "histogram_bins"),
        ("/cog/preview.png", "width=10", "width"),
    ],
)
def test_a_dear_request_is_refused_before_the_file_is_opened(client, folder, opened, path, query, parameter):
    response = client.get(f"{path}?url={folder}/allowed/a.tif&{query}")

    assert response.status_code == 400
    assert response.json()["parameter"] == parameter
    assert opened == []


@pytest.mark.parametrize(
    "query",
    [
        *("bidx=0", "bidx=-1", "colormap=[1]", 'colormap={"a":1}', "colormap=1e9", "nodata=-1e9"),
        *("color_formula=gamma RGB 3", "expression=b9", "coord_crs=EPSG:9", "algorithm=contours", "rescale=1"),
        *("buffer=1e9", "reproject=no"),
    ],
)
def test_values_unchecked_by_titiler_are_no_server_error(client, folder, query):
    response = client.get(f"/cog/tiles/WebMercatorQuad/14/8328/5485.png?url={folder}/allowed/a.tif&{query}")

    assert response.status_code in {200, 400, 404}
    assert str(folder) not in response.text


def test_a_large_body_is_refused(client, folder):
    body = json.dumps(FEATURE | {"properties": {"x": "y" * (2 << 20)}})

    response = client.post("/cog/feature.png", params={"url": f"{folder}/allowed/a.tif"}, content=body)

    assert response.status_code == 413


def test_faults_are_problem_documents_for_any_origin(client, folder):
    response = client.get("/cog/info", params={"url": f"{folder}/secret.tif"})

    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json()["parameter"] == "url"
    assert str(folder) not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "parameter"),
    [
        ("GET", "/cog/statistics?url={}&bidx=x", 400, "bidx"),
        ("GET", "/cog/info", 400, "url"),
        ("GET", "/cog/bbox/3.0,50.9,3.1,51.0.0/16x16.png?url={}", 404, "maxy"),
        ("POST", "/cog/feature.png?url={}", 400, "body"),
        ("GET", "/cog/nothing?url={}", 404, None),
        ("PUT", "/cog/info?url={}", 405, None),
    ],
)
def test_refusal_by_fastapi_is_a_problem_document_too(client, folder, method, path, status, parameter):
    response = client.request(method, path.format(f"{folder}/allowed/a.tif"))

    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert (response.json()["status"], response.json().get("parameter")) == (status, parameter)


@pytest.mark.parametrize("path", ["/cog/info?url={}", "/cog/preview.png?url={}", "/cog/info?url=/etc/passwd"])
def test_head_is_answered_as_get(client, folder, path):
    url = path.format(f"{folder}/allowed/a.tif")

    found, told = client.get(url), client.head(url)

    assert (told.status_code, told.headers["content-type"]) == (found.status_code, found.headers["content-type"])
    assert told.content == b""


def test_tile_outside_the_file_is_not_found(client, folder):
    response = client.get("/cog/tiles/WebMercatorQuad/14/0/0.png", params={"url": f"{folder}/allowed/a.tif"})

    assert response.status_code == 404


def test_without_places_there_is_nothing():
    with TestClient(application(served.make_services())) as client:
        assert client.get("/cog/info?url=/etc/passwd").status_code == 404


def test_a_mistaken_place_stops_the_start():
    with pytest.raises(ConfigurationError, match="COG_PREFIXES"):
        application(served.make_services(), ServerOptions(cog_places=["data"]))


@pytest.mark.slow
def test_a_server_without_cog_loads_no_titiler():
    code = (
        "import sys\nfrom chronotile.app.application import application\nfrom tests.protocols import served\n"
        "application(served.make_services())\n"
        "print([name for name in ('titiler', 'fastapi', 'rio_tiler') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=None)

    assert done.stdout.strip() == "[]"


def test_places_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CHRONOTILE_COG_PREFIXES", " /data/cogs, https://example.org/x/ ,")

    assert load_settings().cog_places == ("/data/cogs", "https://example.org/x/")


@pytest.fixture
def remote(folder):
    """A server with the same file below `/data/` and outside."""
    content = (folder / "allowed" / "a.tif").read_bytes()
    with redirecting_server({"/data/a.tif": content, "/secret/a.tif": content}) as server:
        yield server


@pytest.fixture
def remote_client(titiler, remote):
    places = [f"{remote.url}/data/"]
    with TestClient(application(served.make_services(), ServerOptions(cog_places=places))) as client:
        yield client
    looks.forget()


@pytest.mark.slow
def test_an_allowed_url_is_read(remote, remote_client, folder, client):
    near = client.get("/cog/preview.png", params={"url": f"{folder}/allowed/a.tif"})

    far = remote_client.get("/cog/preview.png", params={"url": f"{remote.url}/data/a.tif"})

    assert far.status_code == 200
    assert far.content == near.content


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/cog/info", "/cog/preview.png", "/cog/WebMercatorQuad/tilejson.json"])
def test_a_redirect_is_not_followed(remote, remote_client, path):
    remote.leads["/data/away.tif"] = 302, f"{remote.url}/secret/a.tif"

    response = remote_client.get(path, params={"url": f"{remote.url}/data/away.tif"})

    assert response.status_code == 404
    assert "redirects are not followed" in response.json()["detail"]
    assert {each for _host, each in remote.requests} == {"/data/away.tif"}


@pytest.mark.slow
def test_a_redirect_that_begins_after_the_file_was_opened_is_not_followed(remote, remote_client):
    """GDAL, which did so, had been given a URL that was requested a moment before."""
    url = f"{remote.url}/data/a.tif"
    assert remote_client.get("/cog/info", params={"url": url}).status_code == 200
    remote.leads["/data/a.tif"] = 302, f"{remote.url}/secret/a.tif"

    response = remote_client.get("/cog/preview.png", params={"url": url, "max_size": "16"})

    assert response.status_code in {200, 404}  # 200: of what is still in memory
    assert all(each == "/data/a.tif" for _host, each in remote.requests)


@pytest.mark.slow
def test_a_name_that_leads_inside_is_not_connected_to(titiler, remote, monkeypatch):
    seconds = {"connect_s": PATIENCE_S, "request_s": PATIENCE_S}
    client = HttpClient(InnerHosts(), lambda _host, _port: ["127.0.0.1"], **seconds)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    place = f"http://cogs.example.org:{remote.server_port}/data"
    with TestClient(application(served.make_services(), ServerOptions(cog_places=[place]))) as app_client:
        response = app_client.get("/cog/info", params={"url": f"{place}/a.tif"})
    client.close()

    assert response.status_code == 503
    assert "network inside" in response.json()["detail"]
    assert remote.requests == []


@pytest.mark.slow
def test_missing_remote_file_is_not_found(remote, remote_client):
    response = remote_client.get("/cog/info", params={"url": f"{remote.url}/data/gone.tif"})

    assert response.status_code == 404
    assert "404 Not Found" in response.json()["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT, Fault.IGNORE_RANGE, Fault.SHORT])
def test_a_server_that_fails_is_unavailable(titiler, folder, fault):
    with faulty_source(folder / "allowed") as source:
        app = application(served.make_services(), ServerOptions(cog_places=[source.url]))
        with TestClient(app, raise_server_exceptions=False) as client:
            source.switch(fault)
            response = ask(client, "GET", "/cog/preview.png", source.url_of("a.tif"))

    assert response.status_code == 503
    assert "problem+json" in response.headers["content-type"]


@pytest.mark.slow
def test_hosts_that_hang_hold_up_no_file_of_this_machine(titiler, folder, tmp_path, monkeypatch):
    patient = HttpClient(connect_s=PATIENCE_S, request_s=10 * PATIENCE_S)
    monkeypatch.setattr(remote_requests, "http_client", lambda: patient)
    monkeypatch.setattr(remote_requests, "AGAIN_WITHIN_S", 10 * PATIENCE_S)
    monkeypatch.setattr("chronotile.protocols.data.cog.routes.MOST_WAITING", 1)
    with faulty_source(tmp_path) as source, ThreadPoolExecutor(2) as clients:
        places = [str(folder / "allowed"), source.url]
        app = application(served.make_services(), ServerOptions(cog_places=places, threads={"pictures": 1}))
        with TestClient(app) as client:
            source.switch(Fault.HANG)
            far = [clients.submit(ask, client, "GET", "/cog/info", source.url_of(f"{name}.tif")) for name in "ab"]
            try:
                source.wait_until_hanging()
                (mount,) = (route for route in app.routes if getattr(route, "path", "") == "/cog")
                until(lambda: mount.app._elsewhere.is_full(1))
                refused = ask(client, "GET", "/cog/info", source.url_of("c.tif"))
                near = ask(client, "GET", "/cog/info", str(folder / "allowed" / "a.tif"))
                is_far_done = [each.done() for each in far]
            finally:  # else what hangs is waited for
                source.heal()
                source.cut_all()
            assert [each.result().status_code for each in far] == [404, 404]

    assert near.status_code == 200
    assert int(refused.headers["Retry-After"]) > 0
    assert is_far_done == [False, False]
    patient.close()
