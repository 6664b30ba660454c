"""A style that only hidden layers use does not exist for other clients."""

import pytest

from tests.access.test_archive import TILE, Archive, archive  # noqa: F401 -- the fixture

pytestmark = pytest.mark.slow

SHEET = 'title: "Yield of 2031"\nrange: [0, 1]\nramp: {0: "#440154", 1: "#ffffff"}\n'
DRAWN = (
    f"/tiles/NDVI/{TILE}.png?ramp=RAMP",
    f"/tiles/NDVI/{TILE}.png?ramp=RAMP_r",
    "/tiles/NDVI/legend.png?ramp=RAMP",
    "/tiles/NDVI/legend.json?ramp=RAMP",
    "/ogcapi/styles/RAMP",
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=default/RAMP&CRS=EPSG:32631"
    "&BBOX=500000,5649700,500400,5650000&WIDTH=40&HEIGHT=30&FORMAT=image/png",
)


@pytest.fixture(params=["opened", "away"])
def styled(archive: Archive, request: pytest.FixtureRequest) -> Archive:  # noqa: F811 -- the fixture
    """Archive whose hidden layer has a style that no other layer uses; its files may be missing."""
    folder = archive.folder
    (folder / "styles").mkdir()
    for name in ("hidden-yield", "unused"):
        (folder / "styles" / f"{name}.yaml").write_text(SHEET.replace("Yield of 2031", f"Title of {name}"))
    file = folder / "chronotile.yaml"
    file.write_text(file.read_text().replace("{layer: SECRET}", "{layer: SECRET, styles: [hidden-yield]}"))
    (folder / "closed").rename(folder / {"opened": "closed", "away": "moved"}[request.param])
    archive.client.app.state.chronotile.live.refresh()
    return archive


def test_style_of_hidden_layers_is_unknown_to_others(styled: Archive) -> None:
    client = styled.client
    listed = {each["id"] for each in client.get("/ramps").json()["ramps"]}
    hidden = [client.get(url.replace("RAMP", "hidden-yield")) for url in DRAWN]
    unknown = [client.get(url.replace("RAMP", "unknown-yiel")) for url in DRAWN]

    assert {"unused", "viridis", "ndvi"} <= listed
    assert "hidden-yield" not in listed
    assert [(each.status_code, each.text.replace("hidden-yield", "unknown-yiel")) for each in hidden] == [
        (each.status_code, each.text) for each in unknown
    ]


def test_style_of_hidden_layers_is_drawn_for_its_users(styled: Archive) -> None:
    client, ministry = styled.client, styled.bearer("ministry")
    ramps = client.get("/ramps", headers=ministry)
    drawn = client.get(DRAWN[0].replace("RAMP", "hidden-yield"), headers=ministry)

    assert "Title of hidden-yield" in ramps.text
    assert "private" in ramps.headers["cache-control"]
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")
