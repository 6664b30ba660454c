"""The viewer as files: published cubes, refusals, and resumed runs."""

import json
import shutil

import numpy as np
import pytest

from chronotile.archive.publish.viewer_files import MARK, file_of, shared_box, tiles_of, windows_of
from chronotile.core.model.space.boxes import BBox
from tests.logos import logo_bytes
from tests.viewer.browser.served import STORES, every

CONFIGURATION = """
collections:
  main:
    source: {kind: zarr, href: ndvi.zarr}
    variables: {value: {layer: ndvi, title: NDVI, range: [-0.08, 0.92], styles: [ndvi]}}
"""


@pytest.fixture
def viewer(tmp_path, monkeypatch):
    """Return a viewer of one page that replaces the built one."""
    folder = tmp_path / "dist"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text('<html lang="en"><meta charset="utf-8"><a href="../">top</a>')
    (folder / "js" / "main.js").write_text("1")
    monkeypatch.setattr("chronotile.http.shipped_files.find_viewer", lambda: folder)


@pytest.fixture
def configuration(tmp_path):
    STORES[0].write(tmp_path)
    file = tmp_path / "c.yaml"
    file.write_text(CONFIGURATION)
    return file


def texts(days) -> list[str]:
    return [f"{day}T00:00:00Z" for day in days]


def test_dates_are_grouped_by_years_or_parts_of_long_years():
    assert list(windows_of(texts(every(5, "2019-01-01", 80)))) == ["2019-01-01/2019-12-31", "2020-01-01/2020-12-31"]
    assert list(windows_of(texts(every(1, "2020-01-01", 366))))[::3] == [
        "2020-01-01/2020-03-31",
        "2020-10-01/2020-12-31",
    ]
    hours = [
        str(each) + "Z" for each in np.datetime64("2020-02-28T00", "s") + np.arange(60) * np.timedelta64(1800, "s")
    ]
    assert list(windows_of(hours * 2)) == ["2020-02-28/2020-02-28", "2020-02-29/2020-02-29"] * 2
    assert list(windows_of([])) == []


def test_tiles_are_those_that_a_box_touches():
    assert tiles_of(BBox(3.70, 50.97, 3.86, 51.06), 12) == [(2090, 1370), (2090, 1371), (2091, 1370), (2091, 1371)]
    assert tiles_of(BBox(170, -10, -170, 10), 2) == [(3, 1), (3, 2), (0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("box", "layer", "expected"),
    [
        ((0, 40, 8, 50), (4, 45, 12, 55), (4, 45, 8, 50)),
        ((-180, -90, 180, 90), (177, -20, -178, -15), (177, -20, -178, -15)),
        ((178, -19, 179, -18), (177, -20, -178, -15), (178, -19, 179, -18)),
        ((-179.5, -19, -179, -18), (177, -20, -178, -15), (-179.5, -19, -179, -18)),
        ((170, -19, -170, -18), (-175, -20, -160, -10), (-175, -19, -170, -18)),
        ((0, 40, 8, 50), (9, 40, 10, 50), None),
        ((170, -20, -170, -10), (-180, -90, 180, 90), (170, -20, -170, -10)),
        ((-180, -90, 180, 90), (-180, -60, 180, 60), (-180, -60, 180, 60)),
    ],
)
def test_layers_share_a_box_with_others_also_across_180_degrees(box, layer, expected):
    assert shared_box(BBox(*box), BBox(*layer)) == expected


def test_answers_have_paths_by_their_distinguishing_parameters():
    assert file_of("layers", {"limit": "9"}) == "layers.json"
    assert file_of("tiles/a/legend.json", {"style": "s", "ramp": "r"}) == "tiles/a/legend/s/r.json"
    assert file_of("places/p/values", {"layer": "a", "datetime": "2019"}) == "places/p/values/a.json"
    assert file_of("viewer/config.json", {"lang": "nl"}) == "viewer/config.json"


@pytest.mark.usefixtures("viewer")
def test_a_layer_whose_name_ends_like_a_file_is_published(configuration, run, tmp_path):
    configuration.write_text(CONFIGURATION.replace("layer: ndvi", "layer: n.json"))
    ran = run("publish", "main", "--viewer", "--to", tmp_path / "out", "--config", configuration, "--zooms", "12-12")

    assert ran.exit_code == 0, ran.output
    of_layer = tmp_path / "out" / "layers" / "n.json"
    assert json.loads((of_layer / "times.json").read_bytes())["total"] > 0
    assert json.loads(of_layer.with_name("n.json.json").read_bytes())["id"] == "n.json"


@pytest.mark.usefixtures("viewer")
def test_viewer_is_published_continued_and_published_again(configuration, run, tmp_path):
    out = tmp_path / "out"
    ran = run("publish", "main", "--viewer", "--to", out, "--config", configuration, "--zooms", "10-12")
    assert ran.exit_code == 0, ran.output
    listed = json.loads((out / "layers.json").read_bytes())["layers"][0]
    cubes = sorted(out.glob(f"cubes/ndvi/{listed['revision']}/12/*/*/*.ctc"))
    cubes = [each for each in cubes if each.stat().st_size > 0]
    assert "about" in ran.output
    assert len(cubes) == 4
    assert cubes[0].read_bytes()[:2] == b"\x1f\x8b"
    page = (out / "viewer" / "index.html").read_text()
    assert "data-static" in page
    assert "frame-ancestors" not in page
    assert 'href="../index.html"' in page
    assert list(out.rglob("*.part")) == []

    cubes[0].unlink()
    kept = cubes[1].stat().st_mtime_ns
    again = run("publish", "main", "--viewer", "--to", out, "--config", configuration, "--zooms", "10-12")
    assert again.exit_code == 0, again.output
    assert cubes[0].is_file()
    assert cubes[1].stat().st_mtime_ns == kept

    mark = json.loads((out / MARK).read_bytes())
    shutil.move(out / "cubes" / "ndvi" / listed["revision"], out / "cubes" / "ndvi" / "former")
    (out / MARK).write_text(json.dumps({**mark, "revisions": {"ndvi": "former"}}))
    renewed = run("publish", "main", "--viewer", "--to", out, "--config", configuration, "--datetime", "2019-02")
    assert renewed.exit_code == 0, renewed.output
    assert not (out / "cubes" / "ndvi" / "former").exists()
    times = json.loads((out / "layers" / "ndvi" / "times.json").read_bytes())
    assert (times["times"][0][:7], times["total"]) == ("2019-02", 5)


@pytest.mark.usefixtures("viewer")
def test_published_viewer_has_the_logo(configuration, run, tmp_path):
    (tmp_path / "logo.png").write_bytes(logo_bytes())
    configuration.write_text(f"service: {{logo: logo.png}}\n{CONFIGURATION}")

    ran = run("publish", "main", "--viewer", "--to", tmp_path / "out", "--config", configuration, "--zooms", "12-12")

    assert ran.exit_code == 0, ran.output
    logo = json.loads((tmp_path / "out" / "viewer" / "config.json").read_bytes())["logo"]
    assert (tmp_path / "out" / logo).read_bytes() == logo_bytes()


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-files", "3"], "--max-files: at most 3"),
        (["--zooms", "x"], "is not like 4-11"),
        (["--zooms", "14-15"], "others than --zooms"),
        (["--bbox", "60,10,61,11"], "nothing in the box"),
        (["--datetime", "2001"], "no layers with numbers"),
        (["--url", "https://example.org"], "not for --viewer"),
    ],
)
def test_unpublishable_viewer_is_refused_with_a_reason(options, words, configuration, run, tmp_path):
    ran = run("publish", "main", "--viewer", "--to", tmp_path / "out", "--config", configuration, *options)
    assert ran.exit_code == 1
    assert words in " ".join(ran.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("viewer")
def test_other_places_and_collections_are_refused(configuration, run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    ran = run("publish", "main", "--viewer", "--to", tmp_path / "full", "--config", configuration)
    assert ran.exit_code == 1
    assert "something else" in ran.output
    ran = run("publish", "absent", "--viewer", "--to", tmp_path / "out", "--config", configuration)
    assert ran.exit_code == 1
    assert "no collection" in ran.output


@pytest.mark.usefixtures("viewer")
def test_sets_of_too_many_places_are_skipped_and_named(configuration, run, tmp_path, monkeypatch):
    square = {"type": "Polygon", "coordinates": [[[3.75, 51], [3.76, 51], [3.76, 51.01], [3.75, 51.01], [3.75, 51]]]}
    features = [{"type": "Feature", "id": number, "properties": {}, "geometry": square} for number in (1, 2)]
    (tmp_path / "p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    configuration.write_text(f"{CONFIGURATION}\nplaces: {{plots: {{href: p.geojson, title: Plots}}}}\n")
    monkeypatch.setattr("chronotile.archive.publish.viewer_files.MAX_PLACES", 1)

    ran = run("publish", "main", "--viewer", "--to", tmp_path / "out", "--config", configuration, "--zooms", "12-12")

    assert ran.exit_code == 0, ran.output
    assert "left out: places plots: it has 2, at most 1 are published" in " ".join(ran.output.split())
    assert json.loads((tmp_path / "out" / "places.json").read_bytes()) == {"places": []}


@pytest.mark.usefixtures("viewer")
def test_places_have_tiles_if_the_layer_is_alone(configuration, run, tmp_path):
    corners = ([(3.75, 51), (3.76, 51), (3.76, 51.01)], [(21, -34), (21.1, -34), (21.1, -33.9)])
    features = [
        {
            "type": "Feature",
            "id": id_,
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        }
        for id_, ring in enumerate(corners)
    ]
    (tmp_path / "p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    configuration.write_text(f"{CONFIGURATION}\nplaces: {{plots: {{href: p.geojson, title: Plots}}}}\n")
    out = tmp_path / "out"

    ran = run("publish", "main", "--viewer", "--to", out, "--config", configuration, "--zooms", "12-12")

    assert ran.exit_code == 0, ran.output
    (published,) = json.loads((out / "places.json").read_bytes())["places"]
    (layer,) = json.loads((out / "layers.json").read_bytes())["layers"]
    tiles = {tuple(map(int, each.with_suffix("").parts[-3:])) for each in out.rglob("*.mvt")}
    assert shared_box(BBox(*published["bbox"]), BBox(*layer["bbox"])) == tuple(published["bbox"])
    assert tiles == {(zoom, *tile) for zoom in range(13) for tile in tiles_of(BBox(*published["bbox"]), zoom)}
    assert len(tiles) < 40
    assert f"main: {2 + len(tiles) + len(list(out.rglob('*.ctc')))} files" in ran.output


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize("box", ["-180,-20,-178,-10", "179,-20,-178,-10"])
def test_a_layer_across_180_degrees_is_published_in_a_box(box, configuration, run, tmp_path):
    (store,) = (each for each in STORES if each.name == "dateline")
    store.write(tmp_path)
    configuration.write_text(CONFIGURATION.replace("ndvi.zarr", "dateline.zarr"))
    out = tmp_path / "out"

    ran = run("publish", "main", "--viewer", "--to", out, "--config", configuration, "--zooms", "6-6", f"--bbox={box}")

    assert ran.exit_code == 0, ran.output
    (layer,) = json.loads((out / "layers.json").read_bytes())["layers"]
    columns = {int(each.parts[-3]) for each in out.rglob("*.ctc") if each.stat().st_size > 0}
    assert layer["bbox"][0] == (-180 if box.startswith("-") else 179)
    assert columns == ({0} if box.startswith("-") else {0, 63})
