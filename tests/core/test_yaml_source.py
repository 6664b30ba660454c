"""Reading YAML with places, and writing it."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ConfigurationError
from chronotile.core.yaml_source import (
    MAX_DEPTH,
    Mistake,
    YamlLocation,
    YamlNode,
    key_text,
    nearest,
    node_of,
    raise_mistakes,
    read_yaml,
    write_yaml,
)

scalars = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | st.text()
documents = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def read(text, **environment):
    return read_yaml(text, "a.yaml", environment=environment)


def problems(text, **environment):
    return [str(mistake) for mistake in read(text, **environment)[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T10:00:00Z", "2001-01-01T10:00:00Z"),
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30:45", "12:30:45"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("017", 17),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  2001", "2001"),
        ("9" * 30, 1e30),
        ("9" * 5000, math.inf),
    ],
)
def test_scalars_are_those_of_yaml_12(text, value):
    node, mistakes = read(f"key: {text}")

    assert (node.child("key").plain(), mistakes) == (value, [])


def test_nan_is_a_number():
    assert math.isnan(read("key: .nan")[0].child("key").plain())


@pytest.mark.parametrize("key", ["NO", "on", "2001-01-01", "1e3", "null", "0.20"])
def test_keys_are_text_as_written(key):
    assert list(read(f"{key}: 1")[0].entries) == [key]


def test_every_value_has_the_line_of_its_key():
    node, _ = read("a: 1\nb:\n  c:\n    - x\n    -\n      d: 2\n")

    places = [node.child(*path).place.line for path in [("a",), ("b",), ("b", "c"), ("b", "c", 0), ("b", "c", 1, "d")]]

    assert places == [1, 2, 3, 4, 6]


def test_absent_value_has_the_place_of_its_nearest_ancestor():
    assert read("a: 1\nb:\n  c: 2")[0].child("b", "x", 3) == YamlNode(YamlLocation("a.yaml", 2))


def test_an_empty_text_is_an_empty_mapping():
    assert read("# nothing\n") == (YamlNode(YamlLocation("a.yaml", 1), {}), [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "a.yaml:1: the file must hold a mapping (key: value, with a space after the colon)"),
        ("a: 1\nb: 2\na: 3", "a.yaml:3: a: the key is written twice, first in line 1; remove one"),
        ("x:\n  a: 1\n  a: 1", "a.yaml:3: x.a: the key is written twice, first in line 2; remove one"),
        ("a: 1\n[b]: 2", "a.yaml:2: a key must be text"),
        ("a: !!python/name:os.system x", "a.yaml:1: a: tags (! and !!) are not supported; remove it"),
        ("a: !x [1]", "a.yaml:1: a: tags (! and !!) are not supported; remove it"),
        ("a: *b", "a.yaml:1: *b refers to nothing before it"),
        ("a: &a [*a]", "a.yaml:1: *a refers to nothing before it"),
        ("a: 1\n---\nb: 2", "a.yaml:2: a file holds one YAML document"),
    ],
    ids=["list", "duplicate", "nested duplicate", "key", "python tag", "tag", "alias", "inside itself", "documents"],
)
def test_a_mistake_in_the_text_has_its_line(text, problem):
    assert problems(text) == [problem]


@pytest.mark.parametrize("text", ["a: [1", "a:\n\tb: 1", "a: 'x", "a: \0", "a: b: c", "%x", "\x07"])
def test_invalid_yaml_is_one_mistake_in_one_line(text):
    (problem,) = problems(text)

    assert problem.startswith("a.yaml:")
    assert "not valid YAML" in problem
    assert "\n" not in problem


def test_an_unquoted_reference_in_braces_gets_a_hint():
    assert problems("a: {href: ${DATA}/x}", DATA="d")[0].endswith("inside { } and [ ] text with { or ${…} needs quotes")


def test_both_mistakes_of_a_text_are_found():
    assert len(problems("a: 1\na: 2\nb: !x 1\n")) == 2


def test_deep_nesting_is_refused():
    assert f"deeper than {MAX_DEPTH} levels" in problems("a: " + "[" * 900)[0]


def test_deep_nesting_through_aliases_is_refused():
    lines = ["x0: &x0 [1]", *(f"x{n}: &x{n} {'[' * 30}*x{n - 1}{']' * 30}" for n in range(1, 40))]

    assert f"deeper than {MAX_DEPTH} levels, aliases written out" in problems("\n".join(lines))[0]


def test_a_bomb_of_aliases_is_refused():
    lines = ["x0: &x0 [1]", *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30))]

    assert "more than 200000 values, aliases written out" in problems("\n".join(lines))[0]


def test_alias_is_replaced_by_its_anchor():
    node, _ = read("a: &x {b: [1, 2]}\nc: *x\n")

    assert node.child("c").plain() == {"b": (1, 2)}
    assert node.child("c").place.line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("${A}", "x"), ("${N}", 5), ("'${N}'", "5"), ("${A}/y/${N}", "x/y/5"), ("$A", "$A")),
        *((r"'_(?P<time>\d{8})$'", r"_(?P<time>\d{8})$"), ('"${YAML}"', "a: [1")),
    ],
)
def test_references_take_values_from_the_environment(text, value):
    assert read(f"key: {text}", A="x", N="5", YAML="a: [1")[0].child("key").plain() == value


def test_keys_take_nothing_from_the_environment():
    assert list(read('"${A}": 1', A="x")[0].entries) == ["${A}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: ${GONE}", "a.yaml:1: a: the environment has no variable GONE"),
        ("a: ${X:-1}", "a.yaml:1: a: ${X:-1} is not valid; accepted is ${NAME}, a variable of the environment"),
    ],
)
def test_a_reference_to_nothing_is_a_mistake(text, problem):
    assert problems(text) == [problem]


def test_without_an_environment_references_stay_text():
    assert read_yaml("a: ${B}", "a.yaml")[0].child("a").plain() == "${B}"


@given(st.text())
def test_any_text_gives_a_mapping_or_mistakes(text):
    node, mistakes = read(text, A="x")

    assert mistakes or isinstance(node.plain(), dict)
    assert all("\n" not in str(mistake) for mistake in mistakes)


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"\n #,?%@`~${}0.e", max_size=60)


@given(yaml_like)
def test_any_text_of_yamls_own_characters_gives_a_mapping_or_mistakes(text):
    node, mistakes = read(text)

    assert mistakes or isinstance(node.plain(), dict)


@given(documents)
def test_written_document_reads_as_the_same(values):
    node, mistakes = read_yaml(write_yaml(values), "a.yaml")

    assert mistakes == []
    assert node.plain() == node_of(values, "a.yaml").plain()


@pytest.mark.parametrize("text", ["2001-01-01", "NO", "1e-4", "0o17", "1:30", "yes", "null", "${A}", "0x1F", "=", "<<"])
def test_written_text_is_text_to_readers_of_yaml_11_too(text):
    assert yaml.safe_load(write_yaml({"a": text})) == {"a": text}


def test_values_without_a_form_in_yaml_are_refused():
    with pytest.raises(TypeError, match="set cannot be written"):
        node_of({"a": {1}}, "a.yaml")


def test_mistakes_come_file_by_file_and_line_by_line_once_a_key():
    mistakes = [
        Mistake(YamlLocation("b", 2), ("x",), "second file"),
        Mistake(YamlLocation("a", 9), ("y",), "late"),
        Mistake(YamlLocation("b", 1), ("z",), "early"),
        Mistake(YamlLocation("b", 2), ("x",), "follows from the first"),
    ]

    with pytest.raises(ConfigurationError) as caught:
        raise_mistakes(mistakes)

    assert caught.value.mistakes == ("b:1: z: early", "b:2: x: second file", "a:9: y: late")


def test_no_mistakes_raise_nothing():
    raise_mistakes([])


@pytest.mark.parametrize(("path", "text"), [((), ""), (("a", "b.c", 0, "d"), "a.b.c[0].d"), (("a", 1, 2), "a[1][2]")])
def test_path_is_written_as_people_write_it(path, text):
    assert key_text(path) == text


@pytest.mark.parametrize(
    ("word", "text"), [("scael", "; the nearest is scale"), ("SCALE", "; the nearest is scale"), ("q", "")]
)
def test_nearest_word_is_named_if_it_is_near(word, text):
    assert nearest(word, ["scale", "offset"]) == text
