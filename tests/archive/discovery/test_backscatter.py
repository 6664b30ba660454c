"""Layers in decibels of variables with linear power."""

import pytest

from chronotile.archive.discovery.backscatter import decibel_layers
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo


def layers_of(*names):
    encoding = Encoding(dtype="float32")
    return decibel_layers(
        {name: VariableInfo(name=name, encoding=encoding, levels=(), observed_range=(0.0, 2.0)) for name in names}
    )


@pytest.mark.parametrize("name", ["VV-mean", "gamma0.VV"])
def test_variables_that_formulas_cannot_name_are_skipped(name):
    assert layers_of(name) == ({}, {})


@pytest.mark.parametrize("prefix", ["", "gamma0_", "sigma0_"])
@pytest.mark.parametrize(("vv", "vh"), [("VV", "VH"), ("vv", "vh")])
def test_polarisation_is_the_last_word(prefix, vv, vh):
    sections, composites = layers_of(prefix + vh, "other_VV", prefix + vv)

    assert sections["VH_VV_DB"]["formula"] == f"10 * log10({prefix}{vh} / {prefix}{vv})"
    assert composites["VV_VH_RATIO"]["variables"] == [f"{prefix}{vv}_DB", f"{prefix}{vh}_DB", "VH_VV_DB"]


def test_polarisations_of_different_products_are_no_pair():
    assert layers_of("gamma0_VV", "sigma0_VH")[1] == {}
