"""Requests that need a missing extra: a message names it, and no link leads to them."""

import sys

import pytest

CASES = {
    "video": ("av", "/animations/NDVI.mp4", "MP4"),
    "smooth": ("scipy", "/timeseries/NDVI/point?lon=4.6&lat=50.85&smooth=whittaker", "smooth"),
    "phenology": ("scipy", "/timeseries/NDVI/point?lon=4.6&lat=50.85&phenology=threshold", "phenology"),
    "coverage": ("h5py", "/ogcapi/collections/NDVI/coverage?f=NetCDF&bbox=4.6,50.8,4.62,50.82", "format NetCDF"),
    "position": ("h5netcdf", "/ogcapi/collections/NDVI/position?coords=POINT(4.6 50.85)&f=NetCDF", "format NetCDF"),
    "cube": ("h5netcdf", "/ogcapi/collections/NDVI/cube?bbox=4.6,50.8,4.62,50.82&f=NetCDF", "format NetCDF"),
}
EXTRAS = {"av": "video", "scipy": "analysis", "h5py": "netcdf", "h5netcdf": "netcdf"}


@pytest.mark.parametrize(("library", "url", "what"), CASES.values(), ids=CASES)
def test_a_request_that_needs_an_extra_names_it(client, monkeypatch, library, url, what):
    assert client.get(url).status_code == 200
    monkeypatch.setitem(sys.modules, library, None)

    answer = client.get(f"{url}&" if "?" in url else f"{url}?datetime=2020-06-11/..")

    assert answer.status_code == 501, answer.text
    assert answer.json()["detail"] == (
        f"{what} needs {library}, which the server lacks: "
        f"in its environment, pip install 'chronotile[{EXTRAS[library]}]'"
    )


def test_a_trend_needs_none(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)

    assert client.get("/timeseries/NDVI/point?lon=4.6&lat=50.85&trend=theil_sen").status_code == 200


def test_without_its_library_a_film_is_offered_as_gif(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)

    links = {link["rel"]: link for link in client.get("/?f=json").json()["links"]}

    assert links["animation"]["type"] == "image/gif"
    assert ".gif?" in links["animation"]["href"]


def test_without_its_library_netcdf_is_offered_nowhere(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)

    collection = client.get("/ogcapi/collections/NDVI?f=json").json()

    formats = {
        *collection["output_formats"],
        *collection["data_queries"]["cube"]["link"]["variables"]["output_formats"],
    }
    assert "NetCDF" not in formats
    assert not any("netcdf" in link.get("type", "") for link in collection["links"])


@pytest.mark.parametrize("path", ["coverage?bbox=4.6,50.8,4.62,50.82", "cube?bbox=4.6,50.8,4.62,50.82"])
@pytest.mark.parametrize("media_type", ["application/netcdf", "application/x-netcdf"])
def test_without_its_library_accept_does_not_choose_netcdf(client, monkeypatch, path, media_type):
    url, other = f"/ogcapi/collections/NDVI/{path}", "application/prs.coverage+json"
    assert client.get(url, headers={"accept": media_type}).headers["content-type"] in {
        media_type,
        "application/x-netcdf",
    }
    monkeypatch.setitem(sys.modules, "h5netcdf", None)

    second = client.get(url, headers={"accept": f"{media_type}, {other};q=0.5"})
    alone = client.get(url, headers={"accept": media_type})

    assert (second.status_code, second.headers["content-type"]) == (200, other)
    assert alone.status_code == 406
    assert "netcdf" not in alone.text
