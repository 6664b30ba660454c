"""Rules: written, inherited and applied to a catalogue."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from affine import Affine

from chronotile.catalog.access_section import RuleSection, rule_of
from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError, InvalidParameter, SourceAway, UnknownLayer
from chronotile.core.model.access import EVERYONE, AccessRules, Rule
from chronotile.core.model.collection import Collection
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.restricted_services import restrict
from chronotile.readers.kinds import kind_options
from tests.protocols import served

PUBLIC = frozenset({"public"})
ANN = AccessRules.subjects_of(["ministry"], user="ann")
HIDDEN = Rule(see=frozenset({"group:ministry"}))


def section(**rights: tuple[str, ...]) -> RuleSection:
    return RuleSection.model_validate(rights)


def test_rule_inherits_unset_fields() -> None:
    default = section(see=("group:all",), process=("user:ann",))
    collection = section(see=("group:ministry",))
    variable = section(download=("key:robot",))

    rule = rule_of(default, collection, None, variable)

    assert rule == Rule(
        see=frozenset({"group:ministry"}), process=frozenset({"user:ann"}), download=frozenset({"key:robot"})
    )
    assert rule_of(None, None) == EVERYONE


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("rule", "right", "allowed"),
    [
        (EVERYONE, "see", True),
        (EVERYONE, "download", True),
        (EVERYONE, "process", True),
        (EVERYONE, "publish", False),
        (HIDDEN, "see", True),
        (Rule(see=frozenset()), "see", False),
        (Rule(see=frozenset({"user:bob"})), "see", False),
        (Rule(see=frozenset({"user:ann"})), "download", True),
        (Rule(download=frozenset()), "see", True),
        (Rule(download=frozenset()), "download", False),
        (Rule(see=frozenset({"user:bob"}), download=PUBLIC), "download", False),
        (Rule(process=frozenset({"user:bob"})), "process", False),
        (Rule(see=frozenset(), publish=frozenset({"user:ann"})), "publish", True),
    ],
)
def test_rule_allows_its_operations(rule: Rule, right: str, allowed: bool) -> None:
    assert rule.allows(ANN, right) is allowed


@pytest.mark.every_case
@pytest.mark.parametrize("subject", ["", "Public", "everyone", "group:", "group: a", "user:a ", "team:a", "group:a\nb"])
def test_invalid_subject_is_a_mistake(tmp_path: Path, subject: str) -> None:
    access = f"access: {{default: {{see: [{json.dumps(subject)}]}}}}\n"
    (tmp_path / "a.yaml").write_text(f"{access}collections: {{a: {{source: {{kind: cog, href: a.tif}}}}}}")
    with pytest.raises(ConfigurationError):
        load_configuration(tmp_path / "a.yaml", kinds=kind_options(), environment={})


@pytest.mark.every_case
@pytest.mark.parametrize(
    "access",
    [
        "{issuer: https://a.example}",
        "{audience: a}",
        "{issuer: http://a.example, audience: a}",
        "{issuer: http://localhost.example, audience: a}",
        "{issuer: 'http:///a.localhost', audience: a}",
        "{issuer: 'https://a.example?b', audience: a}",
        "{operator: [public]}",
        "",
        "{default: {see: }}",
        "{operate: }",
    ],
)
def test_invalid_issuer_is_a_mistake(tmp_path: Path, access: str) -> None:
    (tmp_path / "a.yaml").write_text(f"access: {access}\ncollections: {{a: {{source: {{kind: cog, href: a.tif}}}}}}")
    with pytest.raises(ConfigurationError):
        load_configuration(tmp_path / "a.yaml", kinds=kind_options(), environment={})


def mixed() -> Collection:
    """Return a collection with a hidden layer that has a larger extent and later times than the visible one."""
    far = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
    shown = served.make_layer("SHOWN", attribution="of 2020")
    hidden = served.make_layer(
        "HIDDEN",
        variable=served.make_variable("HIDDEN", grid=far, times=served.days_of("2030-01-01")),
        attribution="of 2030",
        access=HIDDEN,
    )
    return served.make_collection(
        shown, hidden, collection_id="s2", attribution="of 2030", bbox=BBox(-180, -90, 180, 90)
    )


def test_a_collection_is_described_as_if_there_was_no_hidden_layer() -> None:
    catalogue = served.make_services(mixed()).catalogue

    (seen,) = catalogue.restrict(PUBLIC, "see").collections

    assert [layer.id for layer in seen.layers] == ["SHOWN"]
    assert seen.bbox == seen.layers[0].main_variable.grid.bbox_in(crs_of("CRS:84"))
    assert seen.attribution == "of 2020"
    assert seen.is_partial
    assert catalogue.restrict(ANN, "see") is catalogue


def test_names_of_unavailable_sources_are_hidden_too() -> None:
    catalogue = replace(
        served.make_services().catalogue,
        unavailable={"gone": "gone", "GONE": "gone", "open": "open"},
        rules_of_unavailable={"gone": HIDDEN, "GONE": HIDDEN, "open": EVERYONE},
    ).restrict(PUBLIC, "see")

    with pytest.raises(UnknownLayer):
        catalogue.layer("GONE")
    with pytest.raises(UnknownLayer):
        catalogue.layer("gone.variable")
    with pytest.raises(SourceAway):
        catalogue.layer("open.variable")


def test_unavailable_collection_has_no_items_for_users_with_partial_access() -> None:
    catalogue = replace(
        served.make_services().catalogue,
        unavailable={"scenes": "scenes", "PUBLIC": "scenes", "SECRET": "scenes", "open": "open"},
        rules_of_unavailable={"scenes": EVERYONE, "PUBLIC": EVERYONE, "SECRET": HIDDEN, "open": EVERYONE},
    )

    assert catalogue.restrict(PUBLIC, "see").wholly_unavailable == {"open"}
    assert catalogue.restrict(ANN, "see").wholly_unavailable == {"open", "scenes"}


def test_a_granted_composite_gives_no_values_of_hidden_variables() -> None:
    red, shown = served.make_layer("RED", access=HIDDEN, variable=served.make_variable("RED")), served.make_layer()
    composite = served.make_composite()
    services = served.make_services(served.make_collection(red, shown, composite))
    services = replace(services, catalogue=replace(services.catalogue, access=AccessRules()))
    seen = restrict(services, PUBLIC)

    assert not seen.catalogue.layer(composite.id).queryable
    with pytest.raises(InvalidParameter, match="NDVI"):
        apply_expression(seen.catalogue.layer("NDVI"), composite.variables[0].name, seen)
