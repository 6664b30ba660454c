"""YAML values with their file and line, and messages about mistakes for the author of the file.

Scalars follow the core schema of YAML 1.2: `2001-01-01`, `NO` and `on` are text, `1e-4` is a number. Keys are always
text, as written.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn, TypeAlias

import yaml
from yaml.composer import ComposerError

from chronotile.core.errors import ConfigurationError
from chronotile.core.yaml_faults import YamlFault, remedy

Scalar: TypeAlias = str | int | float | bool | None
PlainValue: TypeAlias = "Scalar | tuple[PlainValue, ...] | dict[str, PlainValue]"
KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and positions in lists, from the root down."""

MAX_DEPTH = 50
MAX_NODES = 200_000
"""Maximum number of values in a file; values behind an alias count at each use."""

NO_BREAK_SPACE = "\u00a0"
"""Part of text that is copied from web pages; looks like a space, but is not a space in YAML."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_CONSTANTS: dict[str, Scalar] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
    | {".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan")}
    | {f"{sign}{name}": float(f"{sign}inf") for sign in ("", "+", "-") for name in (".inf", ".Inf", ".INF")}
)


class YamlLocation(NamedTuple):
    """Position of a value or mistake."""

    file: str
    """Name from the caller; empty if the values were not read from a file."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a configuration or style file."""

    place: YamlLocation
    path: KeyPath
    text: str

    def __str__(self) -> str:
        """`file:line: key: text`, one line."""
        parts = (str(self.place), key_text(self.path), self.text)
        return " ".join(": ".join(part for part in parts if part).split())


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value and its position; a value under a key has the position of the key."""

    place: YamlLocation
    content: "Scalar | tuple[YamlNode, ...] | dict[str, YamlNode]" = None
    size: int = 1
    """Number of values in it, including itself."""
    depth: int = 0
    """Levels of values below it."""

    def plain(self) -> PlainValue:
        """Return the value without positions; lists become tuples."""
        if isinstance(self.content, dict):
            return {key: child.plain() for key, child in self.content.items()}
        if isinstance(self.content, tuple):
            return tuple(child.plain() for child in self.content)
        return self.content

    def child(self, *path: str | int) -> "YamlNode":
        """Return the node at `path` below; if it does not exist, an empty node at its nearest ancestor's position."""
        nodes = self.follow(path)
        return nodes[-1] if len(nodes) == len(path) + 1 else YamlNode(nodes[-1].place)

    def follow(self, path: KeyPath) -> "list[YamlNode]":
        """Return this node and the existing nodes along `path`."""
        nodes = [self]
        for step in path:
            below = nodes[-1].entries.get(step) if isinstance(step, str) else _member(nodes[-1].items, step)
            if below is None:
                break
            nodes.append(below)
        return nodes

    @property
    def entries(self) -> "Mapping[str, YamlNode]":
        """Values by key; empty if this is not a mapping."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def items(self) -> "tuple[YamlNode, ...]":
        """Members of a list; empty if this is not a list."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def text(self) -> str | None:
        """The value if it is text."""
        return self.content if isinstance(self.content, str) else None


def _member(members: tuple[YamlNode, ...], index: int) -> YamlNode | None:
    return members[index] if index < len(members) else None


def key_text(path: KeyPath) -> str:
    """Return a path for messages: `collections.s2.variables.NDVI.styles[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")[:200]


def nearest(word: str, accepted: Iterable[str]) -> str:
    """Return `; the nearest is …`, or empty text if no accepted word is similar."""
    choices = {name.lower(): name for name in accepted}
    close = difflib.get_close_matches(word[:80].lower(), choices, n=1, cutoff=0.5)
    return f"; the nearest is {choices[close[0]]}" if close else ""


def list_names(texts: Iterable[str], *, most: int = 40, separator: str = ", ") -> str:
    """Return names as one text: the first `most`, and the number of the others."""
    names = list(texts)
    return separator.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def raise_mistakes(mistakes: Sequence[Mistake]) -> None:
    """Raise all mistakes, ordered by file and line; the first counts if a key has several. Do nothing without any.

    Raises:
        ConfigurationError: There are mistakes.
    """
    if not mistakes:
        return
    files = list(dict.fromkeys(mistake.place.file for mistake in mistakes))
    first = {(mistake.place, mistake.path): mistake for mistake in reversed(mistakes)}
    ordered = sorted(
        (mistake for mistake in mistakes if first[mistake.place, mistake.path] is mistake),
        key=lambda mistake: (files.index(mistake.place.file), mistake.place.line),
    )
    raise ConfigurationError([str(mistake) for mistake in ordered])


def read_yaml(
    text: str, file: str, *, environment: Mapping[str, str] | None = None
) -> tuple[YamlNode | None, list[Mistake]]:
    """Return the mapping in a YAML text, and the mistakes of the text; `None` without a mapping.

    Args:
        text: The text of the file.
        file: Its name in messages.
        environment: Values of `${NAME}`; `None` leaves this text unchanged.
    """
    composer = _Composer(file, environment)
    start = YamlLocation(file, 1)
    try:
        root = composer.document(text)
    except (yaml.YAMLError, UnicodeError) as error:
        return None, [*composer.mistakes, _syntax_mistake(error, text, start)]
    if root.content is None:
        root = YamlNode(start, {})
    if not isinstance(root.content, dict):
        return None, [
            *composer.mistakes,
            Mistake(root.place, (), "the file must hold a mapping (key: value, with a space after the colon)"),
        ]
    return root, composer.mistakes


def node_of(values: object, file: str) -> YamlNode:
    """Return a node for plain values that were not read from a text; relative paths start at the folder of `file`."""
    place = YamlLocation(file, 0)
    if isinstance(values, Mapping):
        return YamlNode(place, {str(key): node_of(value, file) for key, value in values.items()})
    if isinstance(values, list | tuple):
        return YamlNode(place, tuple(node_of(value, file) for value in values))
    if values is None or isinstance(values, str | int | float):
        return YamlNode(place, values)
    raise TypeError(f"{type(values).__name__} cannot be written in YAML")


def write_yaml(values: object) -> str:
    """Return YAML text of mappings, lists and scalars; `read_yaml` and YAML 1.1 readers read the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would read as another type."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- the signature is the library's
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_text = _resolve(text) is text and not _REFERENCE.search(text)
    style = '"' if not text.isprintable() else None if is_text else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_multi_representer(tuple, yaml.SafeDumper.represent_list)


def _resolve(text: str) -> Scalar:
    """Return the value of a plain scalar (YAML 1.2 §10.3)."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return int(text, 16) if _HEX.fullmatch(text) else text


class _Composer:
    """Composes one document of events into nodes."""

    def __init__(self, file: str, environment: Mapping[str, str] | None) -> None:
        self.mistakes: list[Mistake] = []
        self._file = file
        self._environment = environment
        self._anchors: dict[str, YamlNode] = {}
        self._events: Iterator[yaml.Event] = iter(())

    def document(self, text: str) -> YamlNode:
        self._events = yaml.parse(text, Loader=_LOADER)
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return YamlNode(YamlLocation(self._file, 1))
        root = self._node(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            _refuse("a file holds one YAML document", after)
        return root

    def _node(self, event: yaml.Event, path: KeyPath) -> YamlNode:
        if len(path) > MAX_DEPTH:
            _refuse(f"values are nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        node = self._content(event, path)
        if node.depth > MAX_DEPTH:
            _refuse(f"values are nested deeper than {MAX_DEPTH} levels, aliases written out", event)
        if node.size > MAX_NODES:
            _refuse(f"the file has more than {MAX_NODES} values, aliases written out", event)
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: yaml.Event, path: KeyPath) -> YamlNode:
        place = self._place(event)
        if getattr(event, "tag", None):
            self.mistakes.append(Mistake(place, path, "tags (! and !!) are not supported; remove it"))
        if isinstance(event, yaml.MappingStartEvent):
            children = self._mapping(path)
            return _branch(place, children, children.values())
        if isinstance(event, yaml.SequenceStartEvent):
            members = tuple(self._members(path))
            return _branch(place, members, members)
        return YamlNode(place, self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None)

    def _mapping(self, path: KeyPath) -> dict[str, YamlNode]:
        children: dict[str, YamlNode] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place, key = self._place(event), self._key(event, path)
            child = replace(self._node(next(self._events), (*path, key)), place=place)
            if key in children:
                written = children[key].place.line
                self.mistakes.append(
                    Mistake(place, (*path, key), f"the key is written twice, first in line {written}; remove one")
                )
                continue
            children[key] = child
        return children

    def _members(self, path: KeyPath) -> Iterator[YamlNode]:
        count = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, (*path, count))
            count += 1

    def _key(self, event: yaml.Event, path: KeyPath) -> str:
        if isinstance(event, yaml.ScalarEvent):
            written = str(event.value)
            key = written if event.style else written.strip(NO_BREAK_SPACE)
            if key != written:
                problem = "the line is indented with no-break spaces; use plain spaces"
                self.mistakes.append(Mistake(self._place(event), (*path, key), problem))
            return key
        self._node(event, (*path, "?"))
        self.mistakes.append(Mistake(self._place(event), path, "a key must be text"))
        return "?"

    def _alias(self, event: yaml.AliasEvent) -> YamlNode:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            _refuse(f"*{event.anchor} refers to nothing before it", event)
        return replace(node, place=self._place(event))

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Scalar:
        text, is_plain = event.value, not event.style
        if self._environment is not None and "${" in text:
            text = _REFERENCE.sub(self._substitute(self._place(event), path), text)
        return _resolve(text) if is_plain else text

    def _substitute(self, place: YamlLocation, path: KeyPath) -> Callable[[re.Match[str]], str]:
        def value_of(match: re.Match[str]) -> str:
            name, environment = match[1], self._environment or {}
            if name in environment:
                return environment[name]
            problem = (
                f"the environment has no variable {name}"
                if _NAME.fullmatch(name)
                else f"{match[0][:60]} is not valid; accepted is ${{NAME}}, a variable of the environment"
            )
            self.mistakes.append(Mistake(place, path, problem))
            return match[0]

        return value_of

    def _place(self, event: yaml.Event) -> YamlLocation:
        return YamlLocation(self._file, 1 if event.start_mark is None else event.start_mark.line + 1)


def _branch(
    place: YamlLocation, content: tuple[YamlNode, ...] | dict[str, YamlNode], below: Collection[YamlNode]
) -> YamlNode:
    size = 1 + sum(node.size for node in below)
    return YamlNode(place, content, size, 1 + max((node.depth for node in below), default=0))


def _refuse(problem: str, event: yaml.Event) -> NoReturn:
    raise ComposerError(None, None, problem, event.start_mark)  # type: ignore[arg-type]  # marks of either parser do


def _syntax_mistake(error: Exception, text: str, start: YamlLocation) -> Mistake:
    mark, start_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    lines = text.splitlines() or [""]
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    place = mark or start_mark
    if isinstance(error, ComposerError) or (place is None and not isinstance(error, yaml.YAMLError)):
        return Mistake(start if place is None else YamlLocation(start.file, place.line + 1), (), problem)
    fault = YamlFault(
        lines,
        problem,
        line=0 if place is None else place.line,
        column=0 if place is None else place.column,
        start_line=None if start_mark is None else start_mark.line,
    )
    suggestion = remedy(fault)
    context = getattr(error, "context", None)
    words = f"{f'{context}, ' if context else ''}{problem}" if suggestion is None else suggestion.words
    line = fault.line if suggestion is None else suggestion.line
    return Mistake(YamlLocation(start.file, min(line + 1, len(lines))), (), f"not valid YAML: {words}")
