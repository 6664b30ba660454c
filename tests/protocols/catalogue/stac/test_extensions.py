"""Fields of extensions, and of the common metadata, that describe layers."""

import pytest

from chronotile.protocols.catalogue.stac.extensions import band_of
from tests.protocols.served import make_layer, make_variable

REAL_TYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
"""Names of types in STAC 1.1 that numpy has too."""


def data_type_of(dtype):
    return band_of(make_layer(variable=make_variable(dtype=dtype)))["data_type"]


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", REAL_TYPES)
def test_band_has_the_type_of_its_numbers(dtype):
    assert data_type_of(dtype) == dtype


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_type_without_a_name_in_stac_is_other(dtype):
    assert data_type_of(dtype) == "other"
