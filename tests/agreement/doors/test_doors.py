"""Every kind of source through every door: each pair shows the made values, or is refused in the words of the table.

The table has all kinds and doors that the code has: a new source kind, process, format of coverages or path of the
server without its row or column fails here.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from chronotile.app.application import application
from chronotile.jobs.processes.registry import processes
from chronotile.protocols.ogcapi.coverages.formats import FORMATS
from chronotile.readers.kinds import kind_options
from tests.agreement.doors import asking, commands, jobs
from tests.agreement.doors.kinds import KINDS, SOURCE_KINDS
from tests.agreement.doors.site import Site, serving_all
from tests.protocols import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # of TiTiler's libraries
]

DOORS = {**asking.ASKED, **{f"job {name}": jobs.done(name) for name in jobs.JOBS}, **commands.RUN}
FLOAT_PNG = "a PNG holds whole numbers from 0 to 65535"
NO_FILES = "has nothing to download: it has no files of its own"
NO_ITEMS = "has no items; name its files as SOURCE"
NOT_A_TIFF = "url is not a GeoTIFF that may be opened here"
NOT_OFFERED = {
    **dict.fromkeys([(kind, "coverage png") for kind in ("formula", "scenes-formula")], FLOAT_PNG),
    **dict.fromkeys([(kind, "products") for kind in ("stack", "netcdf", "zarr", "group", "swath", "cube")], NO_FILES),
    **dict.fromkeys([(kind, "optimise") for kind in ("formula", "mask", "clear~clear")], NO_ITEMS),
    ("stack", "optimise"): "its file names contain no times",
    **dict.fromkeys(
        [(kind, "cog") for kind in ("netcdf", "zarr", "group", "swath", "granules", "orbits", "cube")], NOT_A_TIFF
    ),
}
"""Pairs that are refused, and words of the answer."""
OF_PATHS = {
    "map": {"wms", "wmts", "tiles", "layers"},
    "animation": {"animations"},
    "cube tile": {"cubes"},
    "zarr": {"zarr"},
    "area": {"timeseries"},
    "stac": {"stac"},
    "odata": {"odata"},
    "products": {"products"},
    "edr": {"ogcapi"},
    "WCS 2.0.1": {"wcs"},
    "WPS": {"wps"},
    "opensearch": {"opensearch"},
    "cog": {"cog"},
}
"""By protocol: first parts of the server's paths that lead to pixels or items."""
OF_NO_COLLECTION = {
    *("", "clients", "conformance", "docs", "health", "metrics", "openapi.json", "places", "ramps", "viewer"),
    *("signin", "signout", "usage"),
}
"""First parts of paths that lead to neither."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All kinds, served."""
    with ExitStack() as stack:
        folders = tmp_path_factory.mktemp("doors"), tmp_path_factory.mktemp("scratch")
        yield stack.enter_context(serving_all(*folders))


@pytest.mark.every_case
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_source_shows_its_values_through_a_door_or_is_refused_in_words(site: Site, kind, door):
    words = NOT_OFFERED.get((kind, door))

    if words is None:
        DOORS[door](site, kind)
    else:
        with pytest.raises(asking.NotOffered, match=words):
            DOORS[door](site, kind)


def test_documentation_lists_all_refused_values():
    written = (Path(__file__).parents[3] / "docs" / "design" / "every-interface.md").read_text(encoding="utf-8")

    assert [words for words in NOT_OFFERED.values() if words not in written] == []


def test_the_table_has_every_kind_of_source():
    options = kind_options()
    known = {*options, *(f"{name}, tiles" for name, each in options.items() if each.may_have_items)}
    known |= {f"{name}, live" for name, each in options.items() if each.has_items}

    assert set(SOURCE_KINDS.values()) == known


def test_the_table_has_every_process():
    assert jobs.JOBS.keys() | jobs.WITHOUT_LAYERS == processes().keys()


def test_the_table_has_every_format_of_coverages():
    assert asking.READ.keys() == FORMATS.keys()


def test_the_table_has_every_path_that_the_server_has():
    app = application(served.make_services(*served.tree_collections()))

    first = {route.path.strip("/").split("/")[0] for route in app.routes if hasattr(route, "path")}

    assert OF_PATHS.keys() <= DOORS.keys()
    assert first - {"{DOCUMENT}"} - OF_NO_COLLECTION <= set().union(*OF_PATHS.values())
