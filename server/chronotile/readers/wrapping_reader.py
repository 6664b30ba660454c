"""Readers around another reader."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from chronotile.core.model.source import SourceInfo
from chronotile.readers.reader import Reader

Method = TypeVar("Method", bound=Callable[..., object])


def _forward(method: Method) -> Method:
    """Return a method of `WrappingReader` that calls the same method of its reader."""

    @wraps(method, updated=())  # the copy must not be abstract
    def call(self: "WrappingReader", *values: object, **options: object) -> object:
        return getattr(self._reader, method.__name__)(*values, **options)

    return cast("Method", call)


class WrappingReader(Reader):
    """Reader that forwards to another reader; a subclass overrides the changed methods.

    Args:
        reader: Reader of the source.
        info: Replaces the information of `reader`; by default unchanged.
    """

    def __init__(self, reader: Reader, info: SourceInfo | None = None) -> None:
        self._reader = reader
        self._replaced_info = info

    @property
    def info(self) -> SourceInfo:
        """The replaced information, or the reader's."""
        return self._reader.info if self._replaced_info is None else self._replaced_info

    revision = _forward(Reader.revision)
    revision_key = _forward(Reader.revision_key)
    file_of = _forward(Reader.file_of)
    read_window = _forward(Reader.read_window)
    fetch_ahead = _forward(Reader.fetch_ahead)
    read_cell = _forward(Reader.read_cell)
    block_shape = _forward(Reader.block_shape)
    read_cost = _forward(Reader.read_cost)
    read_block = _forward(Reader.read_block)
    has_fast_cells = _forward(Reader.has_fast_cells)
    read_cells = _forward(Reader.read_cells)
    close = _forward(Reader.close)


Derivation = TypeVar("Derivation")
Options = ParamSpec("Options")
Result = TypeVar("Result")


class DerivingReader(WrappingReader, Generic[Derivation]):
    """Reader of a source and of variables that are derived from its variables.

    Methods with the decorator `dispatch_derived` take a derivation instead of the name of a variable. They are called
    for derived variables; calls for other variables go to the reader of the source.

    Args:
        reader: Reader of the source.
        derived: Derivations by id of the variable.
        info: Information about the source with its derived variables.
    """

    def __init__(self, reader: Reader, derived: Mapping[str, Derivation], info: SourceInfo) -> None:
        super().__init__(reader, info)
        self._derived = dict(derived)


def dispatch_derived(
    method: Callable[Concatenate[Any, Derivation, Options], Result],
) -> Callable[Concatenate[Any, str, Options], Result]:
    """Return a method of `DerivingReader` that takes the name of any variable."""

    @wraps(method)
    def call(
        self: DerivingReader[Derivation], variable: str, *values: Options.args, **options: Options.kwargs
    ) -> Result:
        derivation = self._derived.get(variable)
        if derivation is None:
            return cast("Result", getattr(self._reader, method.__name__)(variable, *values, **options))
        return method(self, derivation, *values, **options)

    return cast("Callable[Concatenate[Any, str, Options], Result]", call)
