"""The series of a place, as clients of an archive get it."""

from starlette.testclient import TestClient

from chronotile.app.application import application


def series_at(archive, layer, **place):
    """Return the document of `/timeseries/{layer}/point`, by `lon` and `lat`, or `x`, `y` and `crs`."""
    with TestClient(application(archive.services)) as client:
        answer = client.get(f"/timeseries/{layer}/point", params=place)
    assert answer.status_code == 200, answer.text
    return answer.json()
