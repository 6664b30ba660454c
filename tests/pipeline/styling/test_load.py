"""Style files: their meaning, and every kind of mistake with its line and key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ConfigurationError
from chronotile.core.model.style import TRANSPARENT, Colour
from chronotile.pipeline.styling.colours import parse_colour
from chronotile.pipeline.styling.load import find_styles, load_styles, style_folders

DESIGN = """title: NDVI, brown to green
range: [-0.08, 0.92]
ramp: {-0.08: "#8c5a2b", 0.2: "#e8d9a0", 0.5: "#7fb24b", 0.92: "#0b4d14"}
below: "#8c5a2b"
above: "#0b4d14"
nodata: transparent
flags: {cloud: "#ffffff80"}
labels: [0, 0.2, 0.4, 0.6, 0.8]
"""
BLACK_TO_WHITE = "ramp: {0: black, 1: white}\n"


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return `load(a=text, …)`: the styles of these files."""
    monkeypatch.chdir(tmp_path)

    def load_files(**files):
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        return load_styles([Path()])

    return load_files


@pytest.fixture
def mistakes_of(load):
    """Return `mistakes_of(a=text, …)`: the error lines of these files."""

    def refused(**files):
        with pytest.raises(ConfigurationError) as caught:
            load(**files)
        return list(caught.value.mistakes)

    return refused


def stops(style):
    """Values and colours of a ramp."""
    return [(stop.value, stop.colour.hex) for stop in style.ramp]


def test_the_example_of_the_design_is_read(load):
    style = load(ndvi=DESIGN)["ndvi"]

    assert (style.id, style.title, style.range) == ("ndvi", "NDVI, brown to green", (-0.08, 0.92))
    assert stops(style) == [(-0.08, "#8c5a2b"), (0.2, "#e8d9a0"), (0.5, "#7fb24b"), (0.92, "#0b4d14")]
    assert (style.below.hex, style.above.hex, style.nodata) == ("#8c5a2b", "#0b4d14", TRANSPARENT)
    assert style.flags == (("cloud", Colour(255, 255, 255, 128)),)
    assert style.labels == (0, 0.2, 0.4, 0.6, 0.8)


def test_defaults_are_those_of_the_design(load):
    style = load(a=BLACK_TO_WHITE)["a"]

    assert (style.title, style.range, style.nodata, style.flags, style.labels) == ("a", (0, 1), TRANSPARENT, (), ())
    assert (style.below.hex, style.above.hex) == ("#000000", "#ffffff")


def test_a_ramp_of_a_name_takes_that_styles_stops_over_its_own_range(load):
    text = "range: [10, 20]\nramp: other\nabove: red\n"

    style = load(a=text, other="ramp: {0: black, 0.25: red, 1: white}")["a"]

    assert stops(style) == [(10, "#000000"), (12.5, "#ff0000"), (20, "#ffffff")]
    assert (style.range, style.below.hex, style.above.hex) == ((10, 20), "#000000", "#ff0000")


def test_names_may_lead_to_names(load):
    styles = load(a="range: [0, 4]\nramp: b", b="range: [0, 2]\nramp: c", c=BLACK_TO_WHITE)

    assert stops(styles["a"]) == [(0, "#000000"), (4, "#ffffff")]


def test_range_wider_than_the_stops_continues_in_their_colours(load):
    style = load(a="range: [-1, 2]\n" + BLACK_TO_WHITE)["a"]

    assert stops(style) == [(-1, "#000000"), (0, "#000000"), (1, "#ffffff"), (2, "#ffffff")]


def test_stops_may_stand_in_any_order(load):
    assert stops(load(a="ramp: {1: white, -1e-1: black}")["a"]) == [(-0.1, "#000000"), (1, "#ffffff")]


def test_classes_have_colours_and_labels(load):
    style = load(a='classes: [{value: 4, colour: "#0a0", label: trees}, {value: 2.5, colour: blue}]')["a"]

    assert [(each.value, each.colour.hex, each.label) for each in style.classes] == [
        (4, "#00aa00", "trees"),
        (2.5, "#0000ff", "2.5"),
    ]
    assert (style.range, style.ramp, style.is_categorical) == ((2.5, 4), (), True)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#8c5a2b", (140, 90, 43, 255)),
        ("#FFFFFF80", (255, 255, 255, 128)),
        ("#0af", (0, 170, 255, 255)),
        ("transparent", (0, 0, 0, 0)),
        ("Grey", (128, 128, 128, 255)),
    ],
)
def test_colours_are_read(text, colour):
    assert parse_colour(text) == Colour(*colour)


@pytest.mark.parametrize("text", ["", "#", "#12", "#12345", "#1234567", "#gggggg", "blau", "rgb(1,2,3)", "#0af\n"])
def test_other_text_is_no_colour(text):
    with pytest.raises(ValueError, match="is not a colour; accepted are #rgb"):
        parse_colour(text)


@given(st.tuples(*[st.integers(0, 255)] * 4))
def test_colour_is_read_as_written(channels):
    assert parse_colour(Colour(*channels).hex) == Colour(*channels)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("titel: x\n" + BLACK_TO_WHITE, "a.yaml:1: titel: unknown key; the nearest is title; accepted are title, "
            "range, ramp, classes, below, above, nodata, flags, labels"),
        ("title: x", "a.yaml:1: a style has either a ramp or classes"),
        (BLACK_TO_WHITE + "classes: [{value: 1, colour: red}]", "a.yaml:1: a style has either a ramp or classes"),
        ("ramp: {0: black}", "a.yaml:1: ramp: a ramp has at least two stops at different values"),
        ("ramp: {0: black, 0.0: white, 1: red}", "a.yaml:1: ramp: two stops have one value"),
        ("ramp:\n  0: black\n  x: white", "a.yaml:3: ramp.x: 'x' is not a number; a stop is written as value: colour"),
        ("ramp:\n  0: black\n  .inf: white\n  1: red", "a.yaml:3: ramp..inf: '.inf' is not a number; a stop "
            "is written as value: colour"),
        ("ramp:\n  0: black\n  inf: white\n  1: red", "a.yaml:3: ramp.inf: must be a finite number, got inf"),
        ("ramp:\n  0: #8c5a2b\n  1: white", 'a.yaml:2: ramp.0: the colour is missing; one that begins with # needs '
            'quotes: "#8c5a2b"'),
        ("ramp: {0: black, 1: 5}", "a.yaml:1: ramp.1: 5 is not a colour; accepted are #rgb, #rrggbb, "
            "#rrggbbaa, transparent, red …"),
        ("ramp: [black, white]", "a.yaml:1: ramp: must be a mapping (key: value)"),
        ("range: [1, 0]\n" + BLACK_TO_WHITE, "a.yaml:1: range: the first number must be less than the second, got 1 "
            "and 0"),
        ("range: [0, 0.5]\n" + BLACK_TO_WHITE, "a.yaml:2: ramp: the stop 1 lies outside the range"),
        ("ramp: viridis\nrange: [0, 1]", "a.yaml:1: ramp: there is no style 'viridis' with a ramp"),
        ("ramp: a\nrange: [0, 1]", "a.yaml:1: ramp: the ramp refers back to a"),
        ("\nnodata: blau\n" + BLACK_TO_WHITE, "a.yaml:2: nodata: 'blau' is not a colour; accepted are #rgb, #rrggbb, "
            "#rrggbbaa, transparent, red …"),
        ("flags: {cloud: [1, 2, 3]}\n" + BLACK_TO_WHITE, "a.yaml:1: flags.cloud: (1, 2, 3) is not a colour; accepted "
            "are "
            "#rgb, #rrggbb, #rrggbbaa, transparent, red …"),
        ("labels: [low]\n" + BLACK_TO_WHITE, "a.yaml:1: labels[0]: must be a number, got 'low'"),
        ("classes: []", "a.yaml:1: classes: must have 1 or more entries"),
        ("classes:\n  - value: 1\n    color: red", "a.yaml:2: classes[0].colour: the key is missing"),
        ("classes: [{value: 1, colour: red}, {value: 1.0, colour: red}]", "a.yaml:1: classes: value 1 has two classes"),
        ("classes: [{value: 1, colour: red}]\nbelow: red", "a.yaml:2: below: below belongs to a ramp; classes have "
            "none"),
        ("classes: [{value: 1, colour: red}]\nrange: [0, 1]", "a.yaml:2: range: range belongs to a ramp; classes have "
            "none"),
        ("title: x\ntitle: y\n" + BLACK_TO_WHITE, "a.yaml:2: title: the key is written twice, first in "
            "line 1; remove one"),
        ("ramp: {", "a.yaml:1: not valid YAML: a value is missing here, or a [ or { before it is not closed"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line_and_key(mistakes_of, text, mistake):
    assert mistake in mistakes_of(a=text)


def test_a_ramp_of_a_name_needs_a_range(mistakes_of):
    assert mistakes_of(a="ramp: b", b=BLACK_TO_WHITE) == [
        "a.yaml:1: range: the key is missing; a ramp's name needs a range to fill"
    ]


def test_a_style_of_classes_is_no_ramp(mistakes_of):
    text = "ramp: gray\nrange: [0, 1]"

    assert mistakes_of(a=text, gray="classes: [{value: 1, colour: red}]", greys=BLACK_TO_WHITE) == [
        "a.yaml:1: ramp: there is no style 'gray' with a ramp; the nearest is greys"
    ]


def test_all_mistakes_of_all_files_are_reported_together(mistakes_of):
    mistakes = mistakes_of(
        a="below: x\nabove: y\n" + BLACK_TO_WHITE, b="ramp: c\nrange: [0, 1]", c=BLACK_TO_WHITE, d="["
    )

    assert [mistake.split(":")[:2] for mistake in mistakes] == [["a.yaml", "1"], ["a.yaml", "2"], ["d.yaml", "1"]]


@pytest.mark.parametrize("name", ["default", "a b", "-a"])
def test_a_file_whose_name_is_no_id_is_refused(mistakes_of, name):
    assert mistakes_of(**{name: BLACK_TO_WHITE}) == [
        f"{name}.yaml:1: '{name}' cannot be the id of a style; rename the file"
    ]


def test_a_file_that_is_no_text_is_a_mistake(mistakes_of, tmp_path):
    (tmp_path / "b.yaml").write_bytes(b"\xff")

    assert mistakes_of() == ["b.yaml:1: the file is not UTF-8 text: byte 0 cannot be read; save it as UTF-8"]


def test_style_in_the_configuration_folder_hides_a_shipped_one(tmp_path):
    for folder, title in (("own", "Own"), ("shipped", "Shipped")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yaml").write_text(f"title: {title}\n{BLACK_TO_WHITE}")
    folders = [tmp_path / "own", tmp_path / "absent", tmp_path / "shipped"]

    assert find_styles(folders) == {"a": tmp_path / "own" / "a.yaml"}
    assert load_styles(folders)["a"].title == "Own"


def test_styles_are_searched_in_the_configuration_folder_first():
    assert style_folders(Path("config/x.yaml"))[0] == Path("config/styles")
    assert style_folders(None) == style_folders(Path("config/x.yaml"))[1:]


def test_the_shipped_styles_are_without_mistakes():
    styles = load_styles(style_folders(None))

    assert {"ndvi", "fapar", "fcover", "lai", "greys", "viridis", "scene-classes"} <= set(styles)


@pytest.mark.parametrize("style_id", sorted(find_styles(style_folders(None))))
def test_the_stops_of_a_shipped_style_reach_from_end_to_end(style_id):
    style = load_styles(style_folders(None))[style_id]

    values = [stop.value for stop in style.ramp or style.classes] if not style.is_categorical else list(style.range)

    assert (values[0], values[-1]) == style.range


tokens = st.sampled_from(["title", "range", "ramp", "classes", "value", "colour", "flags", "0", "1", "red", "a"])
plain = st.none() | st.booleans() | st.floats() | tokens | st.text(max_size=6)
trees = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tokens, inner, max_size=4))


@pytest.mark.slow
@given(text=st.text() | st.dictionaries(tokens, trees, max_size=4).map(str))
def test_any_text_gives_styles_or_mistakes(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "any-style"
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_text(text, encoding="utf-8", newline="")

    assert mistakes_in(folder) == () or all("\n" not in mistake for mistake in mistakes_in(folder))


def mistakes_in(folder):
    """Return the lines that the styles of a folder are refused with; any other exception fails the test."""
    try:
        load_styles([folder])
    except ConfigurationError as error:
        return error.mistakes
    return ()
