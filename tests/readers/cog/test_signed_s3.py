"""COGs in a bucket of a server that checks signatures."""

import json

import pytest

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.space.grid import Window
from chronotile.readers.cog.files import open_cog
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.remote.requests import Refused
from tests.faulty_source import faulty_source
from tests.readers.cog.made_tifs import HEIGHT, WIDTH, Kind, write_made
from tests.readers.cog.truth import assert_equal, by_gdal
from tests.s3 import SignedServer, serving_s3

pytestmark = [pytest.mark.slow, pytest.mark.client("moto_server")]

WHOLE = Window(0, HEIGHT, 0, WIDTH)
KIND = Kind(predictor=2, block=(16, 16), dtype="float64", overviews=(2,))


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A server, and the path of the file that its bucket has."""
    folder = tmp_path_factory.mktemp("bucket")
    path = write_made(folder, KIND)
    with serving_s3(SignedServer) as server:
        server.upload(folder)
        yield server, path


@pytest.fixture
def environment(signed, monkeypatch, tmp_path):
    """Return `environment(KEY=…)`: the environment of a process that reads from the server, with replacements."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    def configure(**said):
        for name, value in (signed[0].environment | said).items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    return configure


def read(file):
    reader = CogReader("made", file, {"1": CogVariable()})
    return reader.read_window("1", index=0, level=0, window=WHOLE)


def href_of(server):
    return f"s3://{server.bucket}/a.tif"


def test_file_is_read_with_the_key_of_the_environment(signed, environment):
    server, path = signed
    environment()

    assert_equal(read(open_cog(href_of(server))), by_gdal(path, 0, WHOLE))


@pytest.mark.parametrize(
    "said",
    [{"AWS_SECRET_ACCESS_KEY": "another"}, {"AWS_ACCESS_KEY_ID": "nobody"}, {"AWS_NO_SIGN_REQUEST": "true"}],
    ids=["secret", "key", "anonymous"],
)
def test_file_is_refused_to_others(said, signed, environment):
    environment()
    file = open_cog(href_of(signed[0]))
    environment(**said)

    with pytest.raises(Refused, match="403"):
        open_cog(file.href)
    with pytest.raises(SourceUnavailable):
        read(file)


def test_renewed_keys_of_the_shared_file_are_used_immediately(signed, environment, tmp_path):
    server, path = signed
    key, secret = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    environment(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    (tmp_path / "credentials").write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = old\n")
    with pytest.raises(Refused):
        open_cog(href_of(server))

    (tmp_path / "credentials").write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")

    assert_equal(read(open_cog(href_of(server))), by_gdal(path, 0, WHOLE))


def test_keys_of_a_role_are_renewed_when_they_expire(environment, tmp_path):
    bucket = tmp_path / "files" / "bucket"
    bucket.mkdir(parents=True)
    write_made(bucket)
    with faulty_source(bucket.parent) as store:
        (tmp_path / "token").write_text("a token")
        environment(
            AWS_ACCESS_KEY_ID="",
            AWS_SECRET_ACCESS_KEY="",
            AWS_ENDPOINT_URL_S3=store.url,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=store.url_of("keys"),
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"),
        )
        write_keys(store.folder, "old", expires="2020-01-01T00:00:00Z")
        open_cog("s3://bucket/a.tif")
        write_keys(store.folder, "new", expires="2099-01-01T00:00:00Z")
        open_cog("s3://bucket/a.tif")

        signed_by = [request.headers["Authorization"] for request in store.requests if request.path != "keys"]
        assert ["Credential=old/" in signed_by[0], "Credential=new/" in signed_by[1]] == [True, True]
        assert store.count("keys") == 2


def write_keys(folder, key, *, expires):
    """Have a server of credentials give a key until a time."""
    keys = {"AccessKeyId": key, "SecretAccessKey": "secret", "Token": "token", "Expiration": expires}
    (folder / "keys").write_text(json.dumps(keys))


def test_object_that_is_replaced_is_noticed(signed, environment, tmp_path):
    server, _path = signed
    environment()
    (tmp_path / "files").mkdir()
    other = write_made(tmp_path / "files", KIND, "b.tif")
    server.upload(tmp_path / "files")
    file = open_cog(f"s3://{server.bucket}/b.tif")
    content = bytearray(other.read_bytes())
    content[-1] ^= 1
    other.write_bytes(content)

    server.upload(tmp_path / "files")

    with pytest.raises(SourceUnavailable, match="are being written"):
        read(file)


@pytest.mark.parametrize(("payer", "sent"), [("requester", "requester"), ("true", "requester"), ("", None)])
def test_requester_pays_header_is_in_each_request(payer, sent, environment, tmp_path):
    bucket = tmp_path / "files" / "bucket"
    bucket.mkdir(parents=True)
    write_made(bucket)
    with faulty_source(bucket.parent) as store:
        environment(AWS_REQUEST_PAYER=payer, AWS_ENDPOINT_URL_S3=store.url)

        read(open_cog("s3://bucket/a.tif"))

        assert {request.headers.get("x-amz-request-payer") for request in store.requests} == {sent}
