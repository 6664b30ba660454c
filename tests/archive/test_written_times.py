"""Times as a configuration lists them."""

import pytest

from chronotile.archive.discovery.collection import times_section
from chronotile.catalog.source_section import SourceSection
from chronotile.core.sections import validate
from chronotile.core.yaml_source import node_of
from chronotile.readers.name_parts import time_of_text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2019-06-04", "2019-06-14"], ["2019-06-04", "2019-06-14"]),
        (["201906", "201908"], ["2019-06", "2019-08"]),
        (["2019"], ["2019"]),
        (["20190604T105031"], ["2019-06-04T10:50:31Z"]),
        (["2019-06-d3", "2019-07-d1"], {"start": "2019-06-21", "step": "dekad", "count": 2}),
        (["2019-06-d1", "2019-07-d1"], ["2019-06-01T00:00:00Z", "2019-07-01T00:00:00Z"]),
    ],
    ids=["days", "months", "year", "instant", "dekads", "dekads with a gap"],
)
def test_times_are_written_in_their_shortest_form(texts, expected):
    assert times_section([time_of_text(text) for text in texts]) == expected


@pytest.mark.parametrize("texts", [["2019-06-04", "2019-06-14"], ["201906", "201907"], ["2019-06-d3", "2019-07-d1"]])
def test_configuration_reads_the_same_times(texts):
    spans = [time_of_text(text) for text in texts]
    values = {"kind": "cog", "href": "a.tif", "times": times_section(spans)}

    section, mistakes = validate(SourceSection, node_of(values, "made.yaml"))

    domain = section.time_domain()
    assert mistakes == []
    assert list(zip(domain.starts, domain.ends, strict=True)) == [(span.start, span.end) for span in spans]
