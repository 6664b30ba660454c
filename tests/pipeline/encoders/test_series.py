import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.series import Series
from chronotile.core.model.time.instants import format_instant
from chronotile.pipeline.encoders.document_parts import dump_json, format_instants, json_instants
from chronotile.pipeline.encoders.series.csv import encode_series_csv
from chronotile.pipeline.encoders.series.json import encode_series_json

DAYS = ["2020-06-01", "2020-06-11T10:50:00", "2020-06-21T00:00:00.25"]


def series_of(values, reasons, times):
    return Series(
        layer="NDVI",
        units="1",
        longitude=4.25,
        latitude=51,
        times=np.array(times, dtype="datetime64[ns]"),
        values=np.array(values, dtype=np.float64),
        reasons=tuple(reasons),
        encoding=Encoding(dtype="float64"),
    )


@pytest.fixture
def series():
    return series_of([0.1 + 0.2, np.nan, np.nan], [None, "nodata", 'thin, "grey" cloud'], DAYS)


def test_json_is_the_document_of_the_contract(series):
    assert encode_series_json(series) == (
        b'{"layer":"NDVI","units":"1","point":[4.25,51],'
        b'"times":["2020-06-01T00:00:00Z","2020-06-11T10:50:00Z","2020-06-21T00:00:00.25Z"],'
        b'"values":[0.30000000000000004,null,null],"reasons":[null,"nodata","thin, \\"grey\\" cloud"]}'
    )


def test_csv_has_a_header_and_quotes_where_needed(series):
    assert encode_series_csv(series).decode().split("\n") == [
        *("time,value,reason", "2020-06-01T00:00:00Z,0.30000000000000004,", "2020-06-11T10:50:00Z,,nodata"),
        *('2020-06-21T00:00:00.25Z,,"thin, ""grey"" cloud"', ""),
    ]


def test_a_series_without_times_is_empty_lists_and_a_header():
    series = series_of([], [], [])

    assert json.loads(encode_series_json(series))["values"] == []
    assert encode_series_csv(series) == b"time,value,reason\n"


values = st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=20)


@given(values)
def test_every_value_is_restored_from_json_and_csv(values):
    series = series_of(values, [None] * len(values), np.arange(len(values)).astype("datetime64[D]"))
    expected = [None if math.isnan(value) else value for value in values]

    from_json = json.loads(encode_series_json(series))["values"]
    rows = csv.DictReader(io.StringIO(encode_series_csv(series).decode()))

    assert from_json == expected
    assert [float(row["value"]) if row["value"] else None for row in rows] == expected


any_instants = st.lists(
    st.integers(-(2**62), 2**62) | st.integers(-(10**9), 10**9).map(lambda seconds: seconds * 10**9)
).map(lambda nanoseconds: np.array(nanoseconds, dtype="datetime64[ns]"))


@given(any_instants)
def test_many_instants_are_worded_as_each_alone(instants):
    assert format_instants(instants) == [format_instant(instant) for instant in instants]


@given(any_instants | st.just(np.array(["NaT"], dtype="datetime64[ns]")))
def test_json_words_instants_as_text_does(instants):
    written = dump_json(json_instants(instants))

    assert json.loads(written) == format_instants(instants)
