"""The forms of the made archive, each read by a program that is not ours."""

import json
import subprocess
import threading
import urllib.error
import urllib.request

import pystac
import pytest
import rasterio
from rasterio.io import MemoryFile

from tests.faulty_source import Fault
from tests.s3 import REGION
from tests.scenes_archive import forms
from tests.scenes_archive.files import path_of
from tests.scenes_archive.pgstac import lack_of_pgstac
from tests.scenes_archive.plan import SMALL
from tests.strict import find_program

pytestmark = pytest.mark.slow

SCENE = SMALL.scenes(0)[0]
IDS = sorted(scene.id for scene in SMALL.all_scenes())
LIST_ITEMS = """
import json, sys
from pystac_client import Client
client = Client.open(sys.argv[1])
search = client.search(collections=["scenes"], limit=10)
print(json.dumps({item.id: item.assets["B04"].href for item in search.items()}))
"""


def numbers_of(url):
    """(y, x); fetched first, as GDAL does not let the server's threads of this process run while it opens a file."""
    with urllib.request.urlopen(url) as answer, MemoryFile(answer.read()) as memory, memory.open() as file:
        return file.read(1)


@pytest.mark.parametrize("form", forms.WITHOUT_SERVERS[1:])
def test_relative_addresses_of_a_static_catalogue_lead_to_the_files(scene_forms, form):
    catalogue = pystac.Catalog.from_file(scene_forms.source(SMALL, form).href)

    item = next(item for item in catalogue.get_items(recursive=True) if item.id == SCENE.id)

    with rasterio.open(item.assets["B04"].get_absolute_href()) as file:
        assert (file.read(1) == SCENE.numbers("B04")).all()


def test_catalogue_over_http_leads_to_the_files(scene_forms):
    catalogue = pystac.Catalog.from_file(scene_forms.source(SMALL, forms.OVER_HTTP).href)

    item = next(item for item in catalogue.get_items(recursive=True) if item.id == SCENE.id)

    assert (numbers_of(item.assets["B08"].get_absolute_href()) == SCENE.numbers("B08")).all()


@pytest.mark.client("pypgstac", "postgres")
@pytest.mark.skipif(lack_of_pgstac() is not None, reason=str(lack_of_pgstac()))
def test_pystac_client_pages_through_the_stac_api(scene_forms):
    url = scene_forms.source(SMALL, forms.STAC_API).href.split("/collections/")[0]
    python = find_program("pypgstac").parent / "python"

    answer = subprocess.run([python, "-c", LIST_ITEMS, url], check=True, capture_output=True, text=True)

    found = json.loads(answer.stdout)
    assert sorted(found) == IDS
    assert (numbers_of(found[SCENE.id]) == SCENE.numbers("B04")).all()


@pytest.mark.client("moto_server")
def test_signed_s3_answers_its_key_alone(scene_forms):
    from obstore.exceptions import PermissionDeniedError
    from obstore.store import S3Store

    source = scene_forms.source(SMALL, forms.SIGNED_S3)
    own = source.environment
    address = own["AWS_ENDPOINT_URL_S3"]
    options = {"endpoint": address, "region": REGION, "client_options": {"allow_http": True}}
    key = {"access_key_id": own["AWS_ACCESS_KEY_ID"]}

    good = S3Store("scenes", secret_access_key=own["AWS_SECRET_ACCESS_KEY"], **key, **options)
    bad = S3Store("scenes", secret_access_key="another", **key, **options)

    assert bytes(good.get_range(path_of(SCENE, "B04"), start=0, length=2)) == b"II"
    with pytest.raises(PermissionDeniedError):
        bad.get_range(path_of(SCENE, "B04"), start=0, length=2)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{address}/scenes/{path_of(SCENE, 'B04')}")


def test_geoparquet_names_files_of_the_http_server(scene_forms):
    from pyarrow import parquet

    source = scene_forms.source(SMALL, forms.GEOPARQUET)

    rows = parquet.read_table(source.href).to_pylist()

    assert sorted(row["id"] for row in rows) == IDS
    assert rows[0]["assets"]["B04"]["href"].startswith(source.environment["CHRONOTILE_SOURCE_PREFIXES"])


def test_delayed_requests_are_answered_when_released(scene_forms):
    server = scene_forms.http(SMALL)
    path = path_of(SCENE, "SCL")
    server.switch(Fault.HOLD, path)
    sizes = []
    reading = threading.Thread(target=lambda: sizes.append(len(urllib.request.urlopen(server.url_of(path)).read())))
    reading.start()
    server.wait_until_hanging(path)

    server.release()

    reading.join()
    assert sizes == [(server.folder / path).stat().st_size]


def test_redirects_have_the_configured_targets(scene_forms):
    server = scene_forms.http(SMALL)
    server.redirects["moved.tif"] = server.url_of(path_of(SCENE, "SCL"))

    with urllib.request.urlopen(server.url_of("moved.tif")) as answer:
        assert answer.url == server.url_of(path_of(SCENE, "SCL"))
