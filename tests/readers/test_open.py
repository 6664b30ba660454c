"""Addresses that no reader can open, and the errors of failing remote stores."""

import pytest
import tensorstore as ts

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.kinds import open_source
from chronotile.readers.remote.requests import Away
from chronotile.readers.zarr.waits import result_within
from tests.scenes import make_spec

REMEDY = "is not supported; use s3:// with credentials of S3, or a server that needs none"


@pytest.mark.parametrize("kind", ["cog", "zarr", "netcdf"])
@pytest.mark.parametrize("user", ["me:se@cret@", "me@", ":secret@"])
def test_password_in_a_url_is_refused_without_naming_it(kind, user):
    with pytest.raises(UnsupportedSource) as refused:
        open_source(make_spec(kind, f"http://{user}a.example/b"))

    assert refused.value.message == "user and password in a URL are not supported; " + REMEDY.partition("; ")[2]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_query_in_the_url_of_a_zarr_store_is_refused_without_naming_it(scheme):
    with pytest.raises(UnsupportedSource) as refused:
        open_source(make_spec("zarr", f"{scheme}://a.example/b.zarr?sig=5167ed"))

    assert refused.value.message == f"a query in the URL of a Zarr store, such as a signature, {REMEDY}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CURL error Timeout was reached: too slow. [curl_code='28']", "its server did not respond in time"),
        ("CURL error Could not resolve hostname [curl_code='6']", "its host name is unknown: is its address correct?"),
        (
            "CURL error Could not connect to server [curl_code='7']",
            "its server cannot be reached, or answers with an error",
        ),
        ("Service Unavailable [HTTP code 503]", "its server answers 503"),
    ],
)
def test_reason_of_an_unavailable_store_is_reported(said, told):
    promise, future = ts.Promise.new()
    promise.set_exception(ValueError(f"ABORTED: All 1 retry attempts failed: {said}"))

    with pytest.raises(Away) as away:
        result_within(future)

    assert str(away.value) == told
