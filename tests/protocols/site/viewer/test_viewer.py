"""Files of the viewer as sent, and its part of the configuration."""

import gzip
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.catalog.service_info import ServiceInfo
from chronotile.catalog.viewer_section import BaseMap, Geocoder, ViewerInfo
from chronotile.http.shipped_files import find_viewer
from chronotile.pipeline.services import Services
from tests.logos import logo_bytes
from tests.protocols import served
from tests.protocols.answer_schemas import schema_faults

FILES = {
    "index.html": "<!doctype html><title>viewer</title>",
    "main.js": "export const one = 1;",
    "app.css": "body { margin: 0 }",
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "build.mjs": "// not for pages",
    ".hidden": "secret",
    "vendor/leaflet.js": "export {};",
    "vendor/leaflet.d.ts": "export {};",
    "vendor/land.json": "{}",
    "i18n/nl.json": '{"map": "kaart"}',
    "data/towns/be.json": "[]",
    "chart/chart.js": "export const chart = 2;",
    "chart/point.png": "no picture",
}
PAGE = """<!doctype html>
<title>viewer</title>
<link rel="icon" href="icon.svg"><link rel="stylesheet" href="app.css">
<link rel="modulepreload" href="vendor/leaflet.js">
<script type="module" src="main.js"></script>
<svg><use href="icon.svg#map"/></svg>
<a href="#map">map</a> <a href="../">chronotile</a> <a href="https://example.org/a.js">elsewhere</a>
"""
OF_TILES = {"kind": "tiles", "layers": None, "opacity": 1.0}
STREETS = BaseMap(
    **OF_TILES,
    id="streets",
    title={"": "Streets", "nl": "Straten"},
    href="https://tiles.example/{z}/{x}/{y}.png",
    attribution="© streets",
    max_zoom=19,
)
ROADS = BaseMap(
    **OF_TILES,
    id="roads",
    title={"": "Roads"},
    href="http://maps.example:8080/wmts?TILEMATRIX={z}&TILEROW={y}&TILECOL={x}",
    attribution="roads",
    max_zoom=16,
)
HERE = BaseMap(**OF_TILES, id="here", title={"": "Here"}, href="/osm/{z}/{x}/{y}.png", attribution="osm", max_zoom=14)


@pytest.fixture
def make_viewer(tmp_path) -> Callable[..., TestClient]:
    """Return a function: `make_viewer(files, services)` makes a client; `None` makes it without viewer."""

    def make(files: dict[str, str] | None = FILES, services: Services | None = None) -> TestClient:
        folder = tmp_path / "viewer"
        for name, text in (files or {}).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (tmp_path / "outside.json").write_text('"not for pages"')
        shown = services or served.make_services()
        return TestClient(application(shown, ServerOptions(viewer=folder if files is not None else None)))

    return make


@pytest.fixture
def viewer(make_viewer):
    with make_viewer() as client:
        yield client


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/leaflet.js", "text/javascript; charset=utf-8"),
        ("vendor/land.json", "application/json"),
        ("i18n/nl.json", "application/json"),
        ("data/towns/be.json", "application/json"),
        ("chart/chart.js", "text/javascript; charset=utf-8"),
        ("chart/point.png", "image/png"),
    ],
)
def test_files_are_sent_unchanged(viewer, path, media_type):
    answer = viewer.get(f"/viewer/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.text == FILES[path or "index.html"]


def version_of(viewer) -> str:
    """The version that the page refers to."""
    return re.search(r'src="v/([0-9a-f]{12})/main.js"', viewer.get("/viewer/").text)[1]


@pytest.fixture
def paged(make_viewer):
    """A client of a viewer whose page refers to its files."""
    with make_viewer({**FILES, "index.html": PAGE}) as client:
        yield client


def test_page_refers_to_files_by_version_and_to_other_urls_unchanged(paged):
    version = version_of(paged)

    assert paged.get("/viewer/").text == (
        PAGE.replace('"icon.svg"', f'"v/{version}/icon.svg"')
        .replace('"icon.svg#map"', f'"v/{version}/icon.svg#map"')
        .replace('"app.css"', f'"v/{version}/app.css"')
        .replace('"vendor/leaflet.js"', f'"v/{version}/vendor/leaflet.js"')
        .replace('"main.js"', f'"v/{version}/main.js"')
    )


@pytest.mark.parametrize(
    ("query", "languages"),
    [
        ("", "nl-BE,nl;q=0.9,en;q=0.8"),
        ("?layer=NDVI", "nl"),
        ("?language=nl", "nl;q=1, en;q=0.5"),
        ("", "NL"),
        ("?embed=1", "nl"),
    ],
)
def test_page_preloads_the_first_requests_of_the_scripts(paged, query, languages):
    answer = paged.get(f"/viewer/{query}", headers={"Accept-Language": languages})

    told = requests.utils.parse_header_links(answer.headers["link"])
    version = version_of(paged)
    assert [each["url"] for each in told] == [f"v/{version}/i18n/nl.json", "config.json", "../layers"]
    assert all((each["rel"], each["as"]) == ("preload", "fetch") for each in told)
    assert "Accept-Language" in answer.headers["vary"]
    unchanged = {"Accept-Language": languages, "If-None-Match": answer.headers["etag"]}
    assert paged.get(f"/viewer/{query}", headers=unchanged).headers["link"] == answer.headers["link"]


@pytest.mark.parametrize(
    ("path", "languages"),
    [
        ("", ""),
        ("", "pl,nl"),
        ("", "../../outside"),
        ("", "*"),
        ("", "a" * 300),
        ("?language=fr&language=nl", "nl"),
        ("?language=fr", "nl"),
        ("?language=..", ".."),
        ("main.js", "nl"),
    ],
)
def test_page_preloads_nothing_for_scripts_in_another_language(paged, path, languages):
    answer = paged.get(f"/viewer/{path}", headers={"Accept-Language": languages})

    assert (answer.status_code, answer.headers.get("link")) == (200, None)


@pytest.mark.parametrize("path", ["main.js", "vendor/leaflet.js", "i18n/nl.json", "data/towns/be.json"])
def test_files_with_a_version_are_immutable(paged, path):
    answer = paged.get(f"/viewer/v/{version_of(paged)}/{path}")

    assert answer.text == FILES[path]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["", "index.html", "main.js", "v/0123456789ab/main.js", "config.json"])
def test_files_without_a_version_or_under_another_are_checked_each_time(paged, path):
    answer = paged.get(f"/viewer/{path}")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("change", ["main.js", "data/towns/be.json"])
def test_a_file_that_changes_gives_all_another_version(paged, tmp_path, change):
    before = version_of(paged)
    (tmp_path / "viewer" / change).write_text("something longer than before")

    after = version_of(paged)

    assert after != before
    assert paged.get(f"/viewer/v/{before}/main.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["v", "v/", "v/0123456789ab", "v/0123456789ab/", "v/0123456789ab/../main.js/x", "v/a/v/a/main.js"]
)
def test_versions_open_no_other_files(paged, path):
    assert paged.get(f"/viewer/{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "vendor/leaflet.js", "i18n/nl.json"])
def test_text_leaves_compressed_for_who_takes_that(make_viewer, path):
    long = {name: text * 200 for name, text in FILES.items()}
    with make_viewer(long) as client:
        whole, packed = (
            client.get(f"/viewer/{path}", headers={"Accept-Encoding": encoding}) for encoding in ("identity", "gzip")
        )

    assert (whole.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert whole.content == packed.content == long[path or "index.html"].encode()
    assert int(packed.headers["content-length"]) == len(gzip.compress(whole.content, 9, mtime=0))
    assert packed.headers["etag"] != whole.headers["etag"]


@pytest.mark.parametrize("encoding", ["gzip;q=0", "br, gzip;q=0", "identity, gzip;q=0.5"])
def test_who_would_not_have_gzip_gets_none(viewer, encoding):
    assert "content-encoding" not in viewer.get("/viewer/main.js", headers={"Accept-Encoding": encoding}).headers


def test_pictures_are_not_compressed_again(viewer):
    answer = viewer.get("/viewer/chart/point.png", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers


def test_all_files_of_a_page_may_be_requested_concurrently(viewer):
    with ThreadPoolExecutor(100) as browsers:
        answers = list(browsers.map(viewer.get, ["/viewer/main.js"] * 300))

    assert {answer.status_code for answer in answers} == {200}


def policy_of(viewer, path=""):
    directives = viewer.get(f"/viewer/{path}").headers["content-security-policy"].split("; ")
    return {name: sources for name, _, sources in (each.partition(" ") for each in directives)}


@pytest.mark.parametrize("path", ["", "main.js"])
def test_pages_load_and_run_nothing_foreign(viewer, path):
    assert viewer.get(f"/viewer/{path}").headers["x-content-type-options"] == "nosniff"
    assert policy_of(viewer, path) == {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }


@pytest.mark.parametrize(("query", "ancestors"), [("?embed=1", "*"), ("?embed=0", "'self'"), ("?layer=a&embed=1", "*")])
def test_pages_of_other_sites_may_embed_the_embeddable_page(viewer, query, ancestors):
    assert policy_of(viewer, query)["frame-ancestors"] == ancestors


@pytest.fixture
def configured(make_viewer):
    """A client of a viewer with base maps of three kinds, in two languages."""
    info = ViewerInfo(default_layer="NDVI", base_maps=(STREETS, ROADS, HERE))
    service = ServiceInfo(title={"": "Green"}, languages=("en", "nl"), viewer=info)
    with make_viewer(FILES, served.make_services(service=service)) as client:
        yield client


def test_hosts_of_base_maps_may_only_send_pictures(configured):
    policy = policy_of(configured)

    assert policy["img-src"] == "'self' data: blob: https://tiles.example http://maps.example:8080"
    assert sum("example" in sources for sources in policy.values()) == 1


def test_viewer_gets_base_maps_languages_and_the_first_layer(configured):
    answer = configured.get("/viewer/config.json?lang=nl")

    assert answer.headers["content-language"] == "nl"
    assert answer.json() == {
        "title": "Green",
        "languages": ["en", "nl"],
        "default_layer": "NDVI",
        "default_base_map": None,
        "base_maps": [
            OF_TILES
            | {"id": "streets", "title": "Straten", "href": STREETS.href, "attribution": "© streets", "max_zoom": 19},
            OF_TILES | {"id": "roads", "title": "Roads", "href": ROADS.href, "attribution": "roads", "max_zoom": 16},
            OF_TILES | {"id": "here", "title": "Here", "href": HERE.href, "attribution": "osm", "max_zoom": 14},
        ],
        "overlays": [],
        "geocoder": None,
    }


@pytest.fixture
def with_file(make_viewer, tmp_path):
    """Client of a viewer with a file of vector tiles, a missing file and a remote geocoder."""
    (tmp_path / "ground.pmtiles").write_bytes(bytes(range(200)))
    of_file = {
        "title": {"": "A"},
        "attribution": "A",
        "max_zoom": 14,
        "kind": "pmtiles",
        "layers": None,
        "opacity": 0.5,
    }
    here, gone = (
        BaseMap(**of_file, id=name, href=str(tmp_path / f"{file}.pmtiles"))
        for name, file in (("here", "ground"), ("gone", "gone"))
    )
    geocoder = Geocoder(href="https://geo.example/search?q={query}", attribution="G")
    info = ViewerInfo(base_maps=(here,), overlays=(gone,), default_base_map="here", geocoder=geocoder)
    with make_viewer(FILES, served.make_services(service=ServiceInfo(viewer=info))) as client:
        yield client


def test_file_of_vector_tiles_is_sent_by_ranges_under_its_id(with_file):
    document = with_file.get("/viewer/config.json").json()
    address = f"/{document['base_maps'][0]['href']}"

    assert address == "/viewer/maps/here.pmtiles"
    assert document["default_base_map"] == "here"
    part = with_file.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["content-range"] == "bytes 10-19/200"
    assert with_file.get(address).content == bytes(range(200))
    assert with_file.get(address, headers={"Range": "bytes=900-"}).status_code == 416


@pytest.fixture
def logo_file(tmp_path):
    file = tmp_path / "logo"
    file.write_bytes(logo_bytes())
    return file


@pytest.fixture
def with_logo(make_viewer, logo_file):
    """Client of a viewer with a logo."""
    with make_viewer(FILES, served.make_services(service=ServiceInfo(logo=logo_file))) as client:
        yield client


def test_logo_is_sent_as_a_picture_and_once(with_logo, logo_file):
    address = f"/{with_logo.get('/viewer/config.json').json()['logo']}"
    answer = with_logo.get(address)

    assert address == "/viewer/logo.png"
    assert (answer.content, answer.headers["content-type"]) == (logo_file.read_bytes(), "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert with_logo.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_replaced_logo_is_sent_in_its_format(with_logo, logo_file):
    logo_file.write_bytes(logo_bytes("WEBP"))

    assert with_logo.get("/viewer/config.json").json()["logo"] == "viewer/logo.webp"
    assert with_logo.get("/viewer/logo.webp").headers["content-type"] == "image/webp"
    assert with_logo.get("/viewer/logo.png").status_code == 404


@pytest.mark.parametrize("body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b""])
def test_wrong_logo_is_not_sent(with_logo, logo_file, body):
    logo_file.write_bytes(body)

    assert with_logo.get("/viewer/config.json").json()["logo"] is None
    answer = with_logo.get("/viewer/logo.png")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_viewer_without_logo_has_none(viewer):
    assert "logo" not in viewer.get("/viewer/config.json").json()
    assert viewer.get("/viewer/logo.png").status_code == 404


@pytest.mark.parametrize("fixture", ["configured", "with_file", "with_logo"])
def test_configuration_matches_its_schema(request, fixture):
    client = request.getfixturevalue(fixture)

    document = client.get("/viewer/config.json").json()

    assert schema_faults(client, "ViewerConfig", document, parts=("BaseMap", "Geocoder")) == []


@pytest.mark.parametrize("name", ["gone", "other", "..%2Fground"])
def test_missing_map_is_reported(with_file, name):
    answer = with_file.get(f"/viewer/maps/{name}.pmtiles")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_only_the_geocoder_may_be_requested(with_file):
    assert policy_of(with_file)["connect-src"] == "'self' https://geo.example"
    assert with_file.get("/viewer/config.json").json()["geocoder"]["attribution"] == "G"


def test_files_below_a_digest_have_the_version_of_it(make_viewer, tmp_path):
    files = {**FILES, "index.html": PAGE, "data/digest.json": '"a"'}
    with make_viewer(files) as client:
        before = version_of(client)
        (tmp_path / "viewer" / "data" / "towns" / "be.json").write_text('["longer"]')
        assert version_of(client) == before
        (tmp_path / "viewer" / "data" / "digest.json").write_text('"other"')
        assert version_of(client) != before


@pytest.mark.parametrize("name", [None, "GONE"])
def test_a_layer_that_is_not_served_is_no_default(make_viewer, name):
    service = ServiceInfo(viewer=ViewerInfo(default_layer=name))
    with make_viewer(FILES, served.make_services(service=service)) as client:
        assert client.get("/viewer/config.json").json()["default_layer"] is None


def test_a_language_that_is_not_offered_is_refused(viewer):
    assert viewer.get("/viewer/config.json?lang=fr").json()["parameter"] == "lang"


def test_same_file_is_304(viewer):
    etag = viewer.get("/viewer/main.js").headers["etag"]

    answer = viewer.get("/viewer/main.js", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_changed_file_is_sent_again(viewer, tmp_path):
    etag = viewer.get("/viewer/main.js").headers["etag"]
    (tmp_path / "viewer" / "main.js").write_text("export const two = 2;  // longer")

    answer = viewer.get("/viewer/main.js", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.text) == (200, "export const two = 2;  // longer")


@pytest.mark.parametrize(
    "path",
    [
        *("nothing.js", "vendor", "vendor/", "build.mjs", "vendor/leaflet.d.ts", ".hidden", "%2e%2e/outside.json"),
        *("..%2foutside.json", "%2e%2e%2foutside.json", "vendor/%2e%2e/%2e%2e/outside.json", "/outside.json", "%00"),
        *("main.js%00.css", "a/b/c/d/e/main.js", "x" * 5000 + ".js"),
    ],
)
def test_no_other_file_is_available(viewer, path):
    answer = viewer.get(f"/viewer/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "not for pages" not in answer.text


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("", "viewer/"),
        ("?layer=NDVI&date=2020-06-01", "viewer/?layer=NDVI&date=2020-06-01"),
        ("?a=%0d%0aX:y", "viewer/?a=%0d%0aX:y"),
    ],
)
def test_viewer_without_a_slash_leads_to_the_viewer(viewer, query, location):
    answer = viewer.get(f"/viewer{query}", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (308, location)


@pytest.mark.parametrize(
    "files", [{"main.js": "export {}", "vendor/leaflet.js": ""}, {}, None], ids=["no page", "nothing", "no folder"]
)
def test_missing_build_of_the_viewer_is_reported_with_the_command(make_viewer, files):
    with make_viewer(files) as client:
        answer = client.get("/viewer/")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "make viewer" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_viewer_built_while_serving_is_served(make_viewer, tmp_path):
    with make_viewer({}) as client:
        client.get("/viewer/")
        (tmp_path / "viewer").mkdir()
        (tmp_path / "viewer" / "index.html").write_text("page")

        assert client.get("/viewer/").text == "page"


def test_viewer_of_the_project_is_found():
    folder = find_viewer()

    assert folder == Path(__file__).parents[4] / "viewer" / "dist"
