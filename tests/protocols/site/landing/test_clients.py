"""The client packages that a server offers, installed by pip and npm from its URLs."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from lxml import html
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.http.shipped_files import ClientPackages, find_client_packages
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import CLIENT

WHEEL, ARCHIVE = "chronotile_client-0.1.0-py3-none-any.whl", "chronotile-0.1.0.tgz"
INSTALL_S = 1800


def options(folder):
    return ServerOptions(clients=ClientPackages({each.name: each for each in folder.iterdir()}))


@pytest.fixture
def client(tmp_path):
    """Client of a server with both packages; their content is arbitrary."""
    for name in (WHEEL, ARCHIVE):
        (tmp_path / name).write_bytes(name.encode())
    with TestClient(application(served.make_services(), options(tmp_path))) as client:
        yield client


def texts(client, path):
    page = html.document_fromstring(client.get(path, headers={"Accept": "text/html"}).text)
    return [each.text_content() for each in page.iterfind(".//pre")]


@pytest.mark.parametrize(("name", "media_type"), [(WHEEL, "application/zip"), (ARCHIVE, "application/gzip")])
def test_packages_are_sent_unchanged(client, name, media_type):
    answer = client.get(f"/clients/{name}")

    assert (answer.content, answer.headers["content-type"]) == (name.encode(), media_type)
    assert client.get(f"/clients/{name}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_list_has_a_line_for_pip_and_one_for_npm(client):
    python, javascript = texts(client, "/clients/")

    assert python.splitlines()[0] == f"pip install http://testserver/clients/{WHEEL}"
    assert javascript == f"npm install http://testserver/clients/{ARCHIVE}"
    assert client.get("/clients", follow_redirects=False).headers["location"] == "clients/"


@pytest.mark.parametrize(
    "versions", [("0.9.0", "0.10.0"), ("0.10.0rc1", "0.10.0"), ("0.10.0", "0.10.1rc1"), ("1.0", "1.0.1")]
)
@pytest.mark.parametrize("form", ["chronotile_client-{}-py3-none-any.whl", "chronotile-{}.tgz"])
def test_newest_package_is_that_of_the_highest_version(versions, form):
    older, newer = map(form.format, versions)
    packages = ClientPackages({name: Path(name) for name in (newer, older, f"chronotile{form[-4:]}")})

    assert packages.address(form[-4:], "http://a") == f"http://a/clients/{newer}"


def test_landing_page_leads_to_the_packages(client):
    links = {each["rel"]: each["href"] for each in client.get("/").json()["links"]}

    assert links["python-client"] == f"http://testserver/clients/{WHEEL}"
    assert links["clients"] == "http://testserver/clients/"
    page = html.document_fromstring(client.get("/?f=html").text)
    assert page.xpath("//details//a/@href") == ["clients/"]


def test_list_without_packages_explains_how_to_make_them(tmp_path):
    with TestClient(application(served.make_services())) as client:
        page = client.get("/clients/").text
        missing = client.get(f"/clients/{WHEEL}")
        links = client.get("/").json()["links"]

    assert page.count("make clients") == 2
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        f"there is no package '{WHEEL}'; /clients/ lists all packages",
    )
    assert "python-client" not in [each["rel"] for each in links]


@pytest.mark.parametrize("name", ["..%2Fpyproject.toml", "%2Fetc%2Fpasswd", ".python"])
def test_no_other_file_of_the_machine_is_sent(client, name):
    assert client.get(f"/clients/{name}").status_code == 404


@pytest.mark.slow
def test_client_is_installed_by_its_address_and_imported(tmp_path):
    dist, bare = tmp_path / "dist", tmp_path / "bare"
    pip = (sys.executable, "-m", "pip", "--quiet")
    build = (*pip, "wheel", "--no-deps", "--wheel-dir", dist, CLIENT.parent)
    subprocess.run(build, check=True, timeout=INSTALL_S)
    with listening(application(served.make_services(), options(dist))) as url, httpx2.Client(base_url=url) as client:
        address = texts(client, "/clients/")[0].splitlines()[0].removeprefix("pip install ")
        install = (*pip, "install", "--no-deps", "--no-index", "--target", bare, address)
        subprocess.run(install, check=True, timeout=INSTALL_S)

    program = "import chronotile_client; print(chronotile_client.__file__, chronotile_client.__version__)"
    environment = os.environ | {"PYTHONPATH": str(bare)}
    shown = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)

    file, version = shown.stdout.split()
    assert Path(file).is_relative_to(bare)
    assert address == f"{url}/clients/chronotile_client-{version}-py3-none-any.whl"


def test_clone_serves_the_output_of_make(monkeypatch, tmp_path):
    package = tmp_path / "server" / "chronotile"
    (tmp_path / "clients" / "dist").mkdir(parents=True)
    for name in (WHEEL, ".python"):
        (tmp_path / "clients" / "dist" / name).write_bytes(b"")
    monkeypatch.setattr("chronotile.__file__", str(package / "__init__.py"))

    assert list(find_client_packages().files) == [WHEEL]
