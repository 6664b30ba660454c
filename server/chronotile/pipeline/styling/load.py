"""Style files, read and checked; mistakes of all files are reported together (docs/reference/configuration.md)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.style import TRANSPARENT, Colour, Stop, Style, StyleClass
from chronotile.core.sections import ID, Number, Range, Section, Text, validate
from chronotile.core.xml_text import MAX_BYTES
from chronotile.core.yaml_source import Mistake, YamlLocation, YamlNode, nearest, raise_mistakes, read_yaml
from chronotile.pipeline.styling.colours import parse_colour
from chronotile.pipeline.styling.read_sld import read_sld


def _colour(value: object) -> Colour:
    """Parse a colour; an unquoted `#` starts a comment in YAML, so that the value is missing."""
    if value is None:
        raise ValueError('the colour is missing; one that begins with # needs quotes: "#8c5a2b"')
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 -- pydantic collects these
            f"{str(value)[:40]} is not a colour; accepted are #rgb, #rrggbb, #rrggbbaa, transparent, red …"
        )
    return parse_colour(value)


def _physical(key: object) -> object:
    """Parse a key as a number; keys of a mapping are text."""
    try:
        return float(key) if isinstance(key, str) else key
    except ValueError:
        raise ValueError(f"{key!r} is not a number; a stop is written as value: colour") from None


def _stops(stops: dict[float, Colour]) -> dict[float, Colour]:
    if len(stops) < 2:
        raise ValueError("a ramp has at least two stops at different values")
    return stops


ColourText = Annotated[Colour, BeforeValidator(_colour, json_schema_input_type=str)]
Stops = Annotated[dict[Annotated[Number, BeforeValidator(_physical)], ColourText], AfterValidator(_stops)]
Ramp = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[Stops, Tag("<stops>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<stops>"),
]


SLD = ".sld"
KINDS = (".yaml", SLD)
"""Suffixes of style files; of two files with one name, the first kind is read."""


class ClassSection(Section):
    """A colour for one value."""

    value: Number
    """Physical value."""
    colour: ColourText
    """Colour of the value."""
    label: Text | None = None
    """Label; default: the value."""


class StyleSection(Section):
    """Colours of values: a ramp or classes."""

    title: Text | None = None
    """Title; default: the id."""
    range: Range | None = None
    """Physical values of the ends of the ramp; default: its first and last value. Required if `ramp` is an id."""
    ramp: Ramp | None = None
    """Colours by physical value, or the id of a style whose ramp is stretched over `range`."""
    classes: Annotated[tuple[ClassSection, ...], Field(min_length=1)] | None = None
    """Colours and labels of single values."""
    below: ColourText | None = None
    """Colour of values below `range`; default: colour of its lower end."""
    above: ColourText | None = None
    """Colour of values above `range`; default: colour of its upper end."""
    nodata: ColourText = TRANSPARENT
    """Colour of missing values; default: transparent."""
    flags: dict[Text, ColourText] = Field(default_factory=dict)
    """Colours of flags by name; default: colour of `nodata`."""
    labels: tuple[Number, ...] = ()
    """Physical values next to the legend; default: chosen automatically."""


@dataclass(frozen=True, slots=True)
class _StyleFile:
    """One style file."""

    id: str
    node: YamlNode
    section: StyleSection


def find_styles(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the style files by id; of equal ids, the file in the earlier folder."""
    paths = [path for folder in folders for kind in KINDS for path in sorted(folder.glob(f"*{kind}"))]
    return {path.stem: path for path in reversed(paths)}


@cache
def shipped_styles() -> Mapping[str, Style]:
    """Return the styles that come with chronotile, by id."""
    return load_styles(style_folders(None))


def load_styles(folders: Sequence[Path]) -> dict[str, Style]:
    """Return the styles of folders by id; of equal ids, the style in the earlier folder.

    Raises:
        ConfigurationError: Lists all mistakes of all files.
    """
    sheets, styles, mistakes = dict[str, _StyleFile](), dict[str, Style](), list[Mistake]()
    for style_id, path in sorted(find_styles(folders).items()):
        if ID.fullmatch(style_id) is None or style_id == "default":
            problem = f"{style_id[:40]!r} cannot be the id of a style; rename the file"
            mistakes.append(Mistake(YamlLocation(str(path), 1), (), problem))
            continue
        if path.suffix == SLD:
            style, wrong = _read_sld(style_id, path)
            mistakes += wrong
            styles |= {} if style is None else {style_id: style}
            continue
        sheet, wrong = _read(style_id, path)
        mistakes += wrong
        if sheet is not None:
            sheets[style_id] = sheet
    for sheet in sheets.values():
        mistakes += _mistakes(sheet, sheets)
    raise_mistakes(mistakes)
    styles |= {sheet.id: _style(sheet, sheets) for sheet in sheets.values()}
    return dict(sorted(styles.items()))


def style_folders(configuration: Path | None) -> tuple[Path, ...]:
    """Return the folders of styles: `styles/` next to the configuration, then those that come with chronotile."""
    package = Path(__file__).parents[2]
    installed, source = package / "_files" / "styles", package.parents[1] / "styles"
    shipped = installed if installed.is_dir() else source
    return (shipped,) if configuration is None else (configuration.parent / "styles", shipped)


def _read_sld(style_id: str, path: Path) -> tuple[Style | None, Sequence[Mistake]]:
    """Read the first layer of a document: its default style, else its first style."""
    start = YamlLocation(str(path), 1)
    try:
        with path.open("rb") as file:
            layer = read_sld(file.read(MAX_BYTES + 1), id=style_id)[0]
    except OSError as error:
        return None, [Mistake(start, (), f"the file cannot be read: {error.strerror}")]
    except InvalidParameter as error:
        return None, [Mistake(start, (), error.message)]
    defined = sorted(
        (style for style in layer.styles if style.style is not None), key=lambda style: not style.is_default
    )
    if not defined:
        return None, [Mistake(start, (), "the SLD has no UserStyle in its first layer")]
    return defined[0].style, []


def _read(style_id: str, path: Path) -> tuple[_StyleFile | None, Sequence[Mistake]]:
    start = YamlLocation(str(path), 1)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return None, [Mistake(start, (), f"the file cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return None, [
            Mistake(start, (), f"the file is not UTF-8 text: byte {error.start} cannot be read; save it as UTF-8")
        ]
    return _parse(style_id, text, str(path))


@lru_cache(maxsize=256)
def _parse(style_id: str, text: str, file: str) -> tuple[_StyleFile | None, Sequence[Mistake]]:
    """Parse a style file; cached, as a reload reads all styles again although few have changed."""
    node, mistakes = read_yaml(text, file)
    if node is None:
        return None, tuple(mistakes)
    section, wrong = validate(StyleSection, node)
    return None if section is None else _StyleFile(style_id, node, section), (*mistakes, *wrong)


def _mistakes(sheet: _StyleFile, sheets: Mapping[str, _StyleFile]) -> list[Mistake]:
    """Return mistakes that concern several keys of a style, or several styles."""
    section = sheet.section
    if (section.ramp is None) == (section.classes is None):
        return [Mistake(sheet.node.place, (), "a style has either a ramp or classes")]
    wrong = _class_mistakes(section) if section.classes is not None else _ramp_mistakes(sheet, sheets)
    return [Mistake(sheet.node.child(key).place, (key,), text) for key, text in wrong]


def _class_mistakes(section: StyleSection) -> list[tuple[str, str]]:
    values = [entry.value for entry in section.classes or ()]
    twice = sorted({value for value in values if values.count(value) > 1})
    wrong = [("classes", f"value {twice[0]:g} has two classes")] if twice else []
    present = section.model_fields_set & {"range", "below", "above", "labels"}
    return wrong + [(key, f"{key} belongs to a ramp; classes have none") for key in sorted(present)]


def _ramp_mistakes(sheet: _StyleFile, sheets: Mapping[str, _StyleFile]) -> list[tuple[str, str]]:
    section = sheet.section
    if isinstance(section.ramp, str):
        wrong = [] if section.range else [("range", "the key is missing; a ramp's name needs a range to fill")]
        problem = _chain_problem(sheet, sheets)
        return wrong + ([("ramp", problem)] if problem else [])
    if len(section.ramp or ()) < len(sheet.node.child("ramp").entries):
        return [("ramp", "two stops have one value")]
    low, high = section.range or (-math.inf, math.inf)
    outside = [value for value in section.ramp or () if not low <= value <= high]
    return [("ramp", f"the stop {value:g} lies outside the range") for value in outside[:1]]


def _chain_problem(sheet: _StyleFile, sheets: Mapping[str, _StyleFile]) -> str | None:
    """Return the mistake if a chain of named ramps does not lead to stops."""
    passed = [sheet.id]
    ramp: Any = sheet.section.ramp
    while isinstance(ramp, str):
        following = sheets.get(ramp)
        if ramp in passed:
            return f"the ramp refers back to {ramp}"
        if following is None or following.section.ramp is None:
            ramps = [other.id for other in sheets.values() if other.section.ramp is not None]
            return f"there is no style {ramp[:40]!r} with a ramp{nearest(ramp, ramps)}"
        passed.append(ramp)
        ramp = following.section.ramp
    return None


def _style(sheet: _StyleFile, sheets: Mapping[str, _StyleFile]) -> Style:
    section = sheet.section
    ramp = _ramp(sheet, sheets)
    classes = tuple(
        StyleClass(entry.value, entry.colour, entry.label or f"{entry.value:.12g}") for entry in section.classes or ()
    )
    values = [stop.value for stop in ramp] or [entry.value for entry in classes]
    return Style(
        id=sheet.id,
        title=section.title or sheet.id,
        range=(min(values), max(values)),
        ramp=ramp,
        classes=classes,
        below=_end_colour(section.below, ramp, 0),
        above=_end_colour(section.above, ramp, -1),
        nodata=section.nodata,
        flags=tuple(section.flags.items()),
        labels=section.labels,
    )


def _end_colour(colour: Colour | None, ramp: tuple[Stop, ...], end: int) -> Colour:
    if colour is not None:
        return colour
    return ramp[end].colour if ramp else TRANSPARENT


def _ramp(sheet: _StyleFile, sheets: Mapping[str, _StyleFile]) -> tuple[Stop, ...]:
    """Return the stops from one end of the range to the other; the outermost colours are extended to its ends."""
    section = sheet.section
    if section.ramp is None:
        return ()
    if isinstance(section.ramp, str):
        low, high = section.range or (0.0, 1.0)
        return _style(sheets[section.ramp], sheets).stops_over(low, high)
    stops = tuple(Stop(value, colour) for value, colour in sorted(section.ramp.items()))
    if section.range is None:
        return stops
    low, high = section.range
    head = (Stop(low, stops[0].colour),) if stops[0].value > low else ()
    tail = (Stop(high, stops[-1].colour),) if stops[-1].value < high else ()
    return (*head, *stops, *tail)
