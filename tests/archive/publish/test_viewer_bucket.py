"""The viewer as files of a bucket: an own server of S3 (moto)."""

import pytest

from chronotile.archive.publish.bucket import BucketTarget
from tests.archive.publish.test_viewer_files import configuration, viewer
from tests.s3 import serving_s3

__all__ = ["configuration", "viewer"]
pytestmark = pytest.mark.client("moto_server")


@pytest.mark.usefixtures("viewer")
def test_viewer_in_a_bucket_has_the_files_of_one_in_a_folder(configuration, run, tmp_path, monkeypatch):
    import obstore

    options = ("publish", "main", "--viewer", "--config", configuration, "--zooms", "11-12", "--to")
    with serving_s3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{server.make_bucket()}/published/viewer"
        published, again = run(*options, url), run(*options, url)
        store = BucketTarget(url)._store
        paths = [each["path"] for some in obstore.list(store) for each in some]
        objects = {path: bytes(obstore.get(store, path).bytes()) for path in paths}
    run(*options, tmp_path / "out")

    folder = tmp_path / "out"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert published.exit_code == 0, published.output
    assert "13 were there" in again.output
    assert objects == files
