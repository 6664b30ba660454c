"""Base of the sections of configuration and style files: strict models, types of values, messages about mistakes."""

import re
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from chronotile.core.yaml_source import KeyPath, Mistake, YamlNode, list_names, nearest

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


class Section(BaseModel):
    """A mapping that refuses unknown keys, and does not convert values to other types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


AnySection = TypeVar("AnySection", bound=Section)


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError(
            f"{text[:40]!r} is not a valid id; accepted are letters, digits, _ . and -, a letter or digit first, at "
            "most 200"
        )
    return text


def _range(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"the first number must be less than the second, got {bounds[0]:g} and {bounds[1]:g}")
    return bounds


def unique(members: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list without duplicates; refuse other lists."""
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is listed twice")
    return members


Text = Annotated[str, StringConstraints(min_length=1)]
Id = Annotated[str, AfterValidator(_id)]
"""Text that may be used in URLs and documents."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[tuple[Number, Number], AfterValidator(_range)]
"""Two numbers, the smaller first."""
Positive = Annotated[int, Field(gt=0, le=2**62)]


def validate(model: type[AnySection], node: YamlNode) -> tuple[AnySection | None, list[Mistake]]:
    """Return the values of `node` as a model; `None` and all mistakes if they are not valid."""
    try:
        return model.model_validate(node.plain()), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_mistake_of(model, node, dict(detail)) for detail in details if not _follows(dict(detail))]


def _follows(detail: dict[str, Any]) -> bool:
    # Whether a list is short only because its members are wrong, which is reported per member.
    return bool(detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"])


def _mistake_of(model: type[BaseModel], root: YamlNode, detail: dict[str, Any]) -> Mistake:
    """Return the mistake for an error of Pydantic. Its path may have tags of unions in `<>`, which are not keys."""
    path = tuple(step for step in detail["loc"] if not str(step).startswith("<") and step != "[key]")
    nodes = root.follow(path)
    written = path[: len(nodes) - 1]
    if detail["type"] == "missing" and isinstance(path[-1], str):
        return Mistake(nodes[-1].place, path, "the key is missing")
    if detail["type"] == "extra_forbidden":
        accepted = accepted_keys(model, path[:-1])
        return Mistake(
            nodes[-1].place, path, f"unknown key{nearest(str(path[-1]), accepted)}; accepted are {list_names(accepted)}"
        )
    return Mistake(nodes[-1].place, written, _describe_error(detail))


_WORDS = {
    "missing": "too few values",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list such as [a, b]",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "literal_error": "accepted are {expected}",
    "greater_than": "it must be greater than {gt:g}",
    "greater_than_equal": "it must be at least {ge:g}",
    "less_than_equal": "it must be at most {le:g}",
    "string_too_short": "must not be empty",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "value_error": "{error}",
}


def _describe_error(detail: dict[str, Any]) -> str:
    template = _WORDS.get(detail["type"])
    text = template.format(**detail.get("ctx", {})) if template else str(detail["msg"])
    value = detail["input"]
    if detail["type"] == "string_type" and isinstance(value, int | float):
        return f"{text}, got {value!r}; put it in quotes"
    if detail["type"] in {"value_error", "missing"} or isinstance(value, tuple | dict):
        return text
    return f"{text}, got {'nothing' if value is None else repr(value)[:60]}"


def accepted_keys(annotation: object, path: KeyPath) -> list[str]:
    """Return the keys that a model accepts at a path below it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return accepted_keys(get_args(annotation)[0], path)
    if origin in {Union, UnionType}:
        return [key for member in get_args(annotation) for key in accepted_keys(member, path)]
    if origin in {dict, tuple, Mapping} and path:
        member = get_args(annotation)[1 if origin is dict else 0]
        return accepted_keys(member, path[1:])
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    if not path:
        return list(annotation.model_fields)
    field = annotation.model_fields.get(str(path[0]))
    return [] if field is None else accepted_keys(field.annotation, path[1:])
