"""Encoding in the configuration, which overrides the file's encoding."""

import math

import numpy as np
import pytest

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableSpec
from chronotile.readers.configured_encoding import apply_configuration


@pytest.mark.parametrize(
    ("in_file", "said"), [(-9999.9, None), (None, -9999.9)], ids=["from the file", "from the configuration"]
)
def test_nodata_of_floats_outside_a_range_is_nodata(in_file, said):
    file = Encoding(dtype="float32", nodata=in_file, valid_range=(-1.0, 1.0))
    numbers = np.array([-9999.9, 0.5, 5.0], dtype="float32")

    encoding = apply_configuration(file, VariableSpec(id="v", nodata=said))

    assert encoding.reasons(numbers, encoding.valid(numbers)) == ["nodata", None, "outside_range"]


def test_nodata_beyond_its_type_is_infinite():
    assert apply_configuration(Encoding(dtype="float32", nodata=-1.7e308), VariableSpec(id="v")).nodata == -math.inf
