"""Configurations written to files, and sources that were not opened from any."""

from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Colour, Stop, Style
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants
from chronotile.readers.kinds import kind_options

SMALLEST = "collections: {c: {source: {kind: cog, href: a.tif}}}\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes files in the working directory, so that messages name them without a folder."""
    monkeypatch.chdir(tmp_path)

    def write_files(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write_files


@pytest.fixture
def load(write):
    """Return `load(text)` or `load({"config.yaml": text, …})`: the configuration in `config.yaml`."""

    def load_files(files, *, environment=None, styles=None):
        folder = write({"config.yaml": files} if isinstance(files, str) else files)
        file = (folder / "config.yaml").relative_to(folder)
        return load_configuration(file, kinds=kind_options(), environment=environment or {}, styles=styles)

    return load_files


@pytest.fixture
def mistakes_of(load):
    """Return `mistakes_of(text)`: the error lines of a configuration."""

    def refused(files, **options):
        with pytest.raises(ConfigurationError) as caught:
            load(files, **options)
        return list(caught.value.mistakes)

    return refused


def make_times(*days):
    """Return a time domain of days."""
    return domain_of_instants(np.datetime64(day, "ns") for day in days)


def make_variable(name, *, times=NO_TIME, crs="EPSG:4326", corner=(4.0, 51.0), size=(1.0, 1.0), **fields):
    """Return a variable of 10 by 10 cells; `corner` is the north-west one."""
    transform = Affine(size[0] / 10, 0, corner[0], 0, -size[1] / 10, corner[1])
    grid = NativeGrid(crs=crs_of(crs), transform=transform, width=10, height=10)
    return VariableInfo(name=name, encoding=Encoding(dtype="uint8"), levels=(grid,), times=times, **fields)


def make_info(*variables, **fields):
    """Return a source of variables."""
    return SourceInfo(variables={variable.name: variable for variable in variables}, **fields)


def make_style(style_id, *, span=(0.0, 1.0)):
    """Return a ramp from black to white."""
    ramp = (Stop(span[0], Colour(0, 0, 0)), Stop(span[1], Colour(255, 255, 255)))
    return Style(id=style_id, title=style_id, range=span, ramp=ramp)


@pytest.fixture
def make():
    """Return the factories of this module."""
    return SimpleNamespace(times=make_times, variable=make_variable, info=make_info, style=make_style)
