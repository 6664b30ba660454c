"""Sources in a store that speaks as S3 does and is not Amazon's."""

import urllib.request
from pathlib import Path

import numpy as np
import pytest

from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.readers.made_swaths import aligned_dataset
from tests.readers.remote_scenes import SCENE, numbers_of, write_here
from tests.running import PATIENCE_S
from tests.scenes import make_spec, save_zarr

pytestmark = [pytest.mark.slow, pytest.mark.client("moto_server")]

OWN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE")


def upload(server, bucket: str, folder: Path) -> None:
    """Put all files of a folder into a bucket, for everybody to read."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        url = f"{server.address}/{bucket}/data/{path.relative_to(folder)}"
        headers = {"Content-Type": "application/octet-stream", "x-amz-acl": "public-read"}
        request = urllib.request.Request(url, path.read_bytes(), headers, method="PUT")
        urllib.request.urlopen(request, timeout=PATIENCE_S).close()


@pytest.fixture(params=["keys", "profile", "nobody"])
def asking_as(request, s3_server, monkeypatch, tmp_path):
    """Return the environment of a program that reads from the server."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if request.param != "keys":
        for name in OWN:
            monkeypatch.delenv(name, raising=False)
    if request.param == "profile":
        (tmp_path / "credentials").write_text("[me]\naws_access_key_id = a\naws_secret_access_key = b\n")
        monkeypatch.setenv("AWS_PROFILE", "me")
    return request.param


@pytest.mark.usefixtures("asking_as")
@pytest.mark.parametrize("kind", ["cog", "zarr-v3"])
def test_source_in_s3_is_read_with_the_settings_of_the_environment(kind, s3_server, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    bucket = s3_server.make_bucket()
    name = write_here(kind, folder, SCENE)
    upload(s3_server, bucket, folder)

    reader = open_source(make_spec("cog" if kind == "cog" else "zarr", f"s3://{bucket}/data/{name}"))

    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.usefixtures("asking_as")
def test_swath_in_s3_equals_the_local_swath(s3_server, tmp_path):
    store = Path(save_zarr(aligned_dataset(np.arange(4800.0).reshape(2, 40, 60)), tmp_path / "files/a.zarr"))
    bucket = s3_server.make_bucket()
    upload(s3_server, bucket, store.parent)

    remote, local = (
        open_source(make_spec("zarr", href, variables={})) for href in (f"s3://{bucket}/data/a.zarr", str(store))
    )

    window = Window(10, 80, 10, 90)
    numbers, expected = (r.read_window("v", index=1, level=0, window=window).numbers for r in (remote, local))
    np.testing.assert_array_equal(numbers, expected)
    assert np.isfinite(expected).all()
