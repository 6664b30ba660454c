"""Speeds in README and docs/explanation/speed.md, compared with the recorded tables."""

import json
import re
from statistics import median

import pytest

from tests.docs.site import DOCS, ROOT

NUMBER = r"\d[\d,]*(?:\.\d+)?²?"
MEASURED = (DOCS / "explanation" / "speed.md").read_text(encoding="utf-8").partition("## Measured")[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVED = "chronotile, same store, not optimised, time chunks"


def rounds_of(table):
    """Return the rounds of a table by contender, case and unit."""
    rows = json.loads((ROOT / "benchmarks" / "results" / f"{table}.json").read_text(encoding="utf-8"))["rows"]
    return {(row["contender"], row["case"], row["unit"]): row["rounds"] for row in rows}


def numbers_in(text):
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


def test_speeds_of_the_readme_match_the_page():
    section = re.search(r"## How fast\n(.*?)\n## ", README, re.DOTALL)[1]
    speeds = re.findall(NUMBER, section.replace("10,980²", "10980²"))

    assert len(speeds) >= 10
    assert [speed for speed in speeds if speed not in re.findall(NUMBER, MEASURED)] == []


@pytest.mark.parametrize(
    ("peer", "pattern"),
    [
        ("MapServer, PNG level 1", r"caches: ([\d. /]+) times MapServer"),
        ("TiTiler, tuned", r"\(PNG level 1\), ([\d. /]+) times TiTiler"),
    ],
)
def test_ratios_of_tiles_match_the_table(peer, pattern):
    rounds = rounds_of("cog-tiles")
    cases = ("z14 native", "z12", "z10", "z8")
    ratios = [
        median(rounds["chronotile, peers' cache", case, "req/s"]) / median(rounds[peer, case, "req/s"])
        for case in cases
    ]

    assert numbers_in(re.search(pattern, MEASURED)[1]) == pytest.approx(ratios, rel=0.03)


def test_ratios_of_points_match_the_table():
    rounds = rounds_of("point-series")
    ours = rounds[SERVED, "365 values", "ms"]
    peers = ("xcube, time chunks", "titiler.xarray, time chunks", "pygeoapi EDR, time chunks")
    ratios = [
        median(peer_ms / our_ms for peer_ms, our_ms in zip(rounds[peer, "365 values", "ms"], ours, strict=True))
        for peer in peers
    ]

    milliseconds, *factors = numbers_in(re.search(r"\| (1\.6 ms; .+?) from the same store", MEASURED)[1])
    assert milliseconds == pytest.approx(median(ours), rel=0.03)
    assert factors == pytest.approx(ratios, rel=0.03)


def test_ratios_of_fields_match_the_table():
    rounds = rounds_of("areas")
    ours = median(rounds["chronotile, one call", "5000 fields", "ms"])
    ratios = [
        median(rounds[peer, "5000 fields", "ms"]) / ours for peer in ("chronotile, a call a field", "xcube, tuned")
    ]

    seconds, *factors = numbers_in(re.search(r"36 dates in one call \| (.+?) times as long", MEASURED)[1])
    assert seconds == pytest.approx(ours / 1000, rel=0.03)
    assert factors == pytest.approx(ratios, rel=0.1)
