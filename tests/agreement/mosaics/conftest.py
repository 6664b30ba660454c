"""Fixture of tests of mosaics: the served made archive of scenes."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.scenes_archive.forms import STATIC
from tests.scenes_archive.plan import SMALL, Plan
from tests.scenes_archive.serving import Served, serving_scenes


@pytest.fixture(scope="module")
def serve(scene_forms, tmp_path_factory) -> Callable[..., Served]:
    """Return `serve(form, made, **configuration)`: an archive in one form, served until the module's last test."""
    made_before: dict[object, Served] = {}
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())

        def make(form: str = STATIC, made: Plan = SMALL, **configuration: str) -> Served:
            key = (form, made, *configuration.items())
            if key not in made_before:
                source = scene_forms.source(made, form)
                for name, value in source.environment.items():
                    environment.setenv(name, value)
                folder = tmp_path_factory.mktemp("served")
                made_before[key] = stack.enter_context(serving_scenes(folder, made, source, **configuration))
            return made_before[key]

        yield make
