"""One made archive is indexed from each form of access: the same items, times and places."""

import os

import numpy as np
import pytest
from typer.testing import CliRunner

from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.cli.main import app
from chronotile.readers.cog.header import CogHeader
from tests.scenes_archive import forms
from tests.scenes_archive.pgstac import lack_of_pgstac
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

SCENES = {scene.id: scene for scene in SMALL.all_scenes()}
VARIABLES = "{B04: {}, B08: {}, SCL: {}}"


def cases():
    for form in forms.FORMS:
        needed = forms.NEEDS.get(form, ())
        lack = lack_of_pgstac() if form == forms.STAC_API else None
        marks = [pytest.mark.client(*needed)] if needed else []
        marks += [pytest.mark.skipif(lack is not None, reason=str(lack))] if lack is not None else []
        yield pytest.param(form, marks=marks)


@pytest.fixture
def index_of(scene_forms, tmp_path, monkeypatch, closed_at_end):
    """Return `index_of(form)`: its index, after `chronotile index`, and the command's output."""

    def index(form, more=""):
        source = scene_forms.source(SMALL, form)
        for name in [name for name in os.environ if name.startswith("CHRONOTILE_")]:
            monkeypatch.delenv(name)
        for name, value in source.environment.items():
            monkeypatch.setenv(name, value)
        place, jobs = tmp_path / "c.yaml", tmp_path / "jobs"
        monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(jobs))
        place.write_text(
            f"collections:\n  s2:\n    source: {source.section[:-1]}{more}}}\n    variables: {VARIABLES}\n"
        )
        done = CliRunner().invoke(app, ["index", str(place)])
        assert done.exit_code == 0, done.output
        return closed_at_end(item_index(Settings(config=place, jobs_dir=jobs))), done.output

    return index


@pytest.mark.parametrize("form", list(cases()))
def test_each_form_has_all_scenes_at_their_times_and_places(index_of, form):
    index, output = index_of(form)
    assert f"s2: {len(SCENES)} added, 0 replaced, 0 unchanged, 0 removed" in output
    found = index.covering("s2", index.extent("s2"))
    assert len(found) == len(SCENES)
    stamps = {scene.day if form == forms.FILES else scene.datetime for scene in SCENES.values()}
    times = np.array(sorted(stamp.removesuffix("Z") for stamp in stamps), dtype="datetime64[ns]")
    assert (index.times("s2").instants == times).all()
    if form != forms.FILES:
        assert {ref.id for ref in found} == set(SCENES)
    assets = index.assets([ref.number for ref in found])
    for ref in found:
        names = {asset.name: asset for asset in assets[ref.number]}
        assert {"B04", "B08", "SCL"} <= set(names)
        if form == forms.FILES:
            header = CogHeader.from_bytes(names["B04"].header)
            assert header.levels()[0] == names["B04"].grid


@pytest.mark.client(*forms.NEEDS[forms.STAC_API])
@pytest.mark.skipif(lack_of_pgstac() is not None, reason=str(lack_of_pgstac()))
def test_api_filters_and_lists_updates(index_of):
    clear = {scene.id for scene in SCENES.values() if scene.cloud_cover < 40}
    assert 0 < len(clear) < len(SCENES)
    index, output = index_of(forms.STAC_API, ", filter: 'eo:cloud_cover < 40'")
    assert f"s2: {len(clear)} added" in output
    assert {ref.id for ref in index.covering("s2", index.extent("s2"))} == clear
    _index, output = index_of(forms.STAC_API, ", filter: 'eo:cloud_cover < 40'")
    assert "s2: only changes were read" in output
    assert f"s2: 0 added, 0 replaced, {len(clear)} unchanged" in output  # all were updated at one time
