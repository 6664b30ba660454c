"""Configuration files read, put together and checked; every mistake is reported at once."""

import glob
import itertools
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import morecantile
from morecantile.errors import MorecantileError
from pydantic import ValidationError
from pyproj.exceptions import CRSError

from chronotile.catalog.access_section import AccessSection
from chronotile.catalog.checks import Kinds, cross_mistakes, style_mistakes
from chronotile.catalog.configuration import CollectionSection, PlacesSection, RootSection
from chronotile.catalog.service_section import ServiceSection
from chronotile.core import yaml_source
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.crs import Crs, crs_of, is_north_first
from chronotile.core.model.tiles import PIXEL_SIZE_M, TileMatrix, TileMatrixSet
from chronotile.core.sections import ID, validate
from chronotile.core.yaml_source import KeyPath, Mistake, Node, Place, list_names, nearest, raise_mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is served, as the configuration says it."""

    service: ServiceSection
    access: AccessSection | None
    collections: Mapping[str, CollectionSection]
    """By id."""
    places: Mapping[str, PlacesSection]
    """By id of the set."""
    crs: tuple[Crs, ...]
    tile_matrix_sets: tuple[TileMatrixSet, ...]
    root: Node
    """What was written, and where."""
    kinds: Kinds
    """Of its sources."""

    def folder_of(self, *path: str) -> Path:
        """Return the folder from which relative paths at that key count: the one of its file."""
        return _folder(self.root.child(*path).place)


def load_configuration(
    file: Path, *, kinds: Kinds, environment: Mapping[str, str], styles: Collection[str] | None = None
) -> Configuration:
    """Return the configuration that a file and those it includes hold.

    Args:
        file: The file; messages name it as it is given here.
        kinds: Of the sources that can be read.
        environment: Where `${NAME}` takes its value from.
        styles: Ids of the styles there are; `None` leaves unknown ones to `build_catalogue`.

    Raises:
        ConfigurationError: With all mistakes, those of unreadable files included.
    """
    root, mistakes = _read_all(file, environment)
    if not root.entries:
        raise_mistakes(mistakes)
    return _checked(root, mistakes, styles, kinds)


def written_id(file: Path, *, environment: Mapping[str, str]) -> str | None:
    """Return `service.id` of a configuration, if it has one; nothing else of it is checked.

    Raises:
        ConfigurationError: A file cannot be read, or the id is not valid.
    """
    root, mistakes = _read_all(file, environment)
    written = root.child("service", "id")
    if not root.entries:
        raise_mistakes(mistakes)
    if written.content is None:
        return None
    if written.text is None or not ID.fullmatch(written.text):
        problem = "is not a valid id; use letters, digits, _, . and -, and begin with a letter or digit"
        raise_mistakes([Mistake(written.place, ("service", "id"), problem)])
    return written.text


def configuration_of(
    values: Mapping[str, object], *, file: Path, kinds: Kinds, styles: Collection[str] | None = None
) -> Configuration:
    """Return the configuration of values that no file holds, as if `file` held them.

    Raises:
        ConfigurationError: With all mistakes.
    """
    return _checked(yaml_source.node_of(values, str(file)), [], styles, kinds)


def _checked(root: Node, mistakes: list[Mistake], styles: Collection[str] | None, kinds: Kinds) -> Configuration:
    sections, wrong = validate(RootSection, root)
    sets, unknown = _tile_matrix_sets(root)
    mistakes = [*mistakes, *wrong, *unknown, *cross_mistakes(root, kinds)]
    if styles is not None:
        mistakes += style_mistakes(root, styles)
    raise_mistakes(mistakes)
    assert sections is not None  # noqa: S101 -- without mistakes there is a value
    return Configuration(
        service=sections.service,
        access=sections.access,
        collections=sections.collections,
        places=sections.places,
        crs=tuple(dict.fromkeys(crs_of(name) for name in sections.service.crs)),
        tile_matrix_sets=sets,
        root=root,
        kinds=kinds,
    )


def _read_all(file: Path, environment: Mapping[str, str]) -> tuple[Node, list[Mistake]]:
    """Return all files as one; each is read once, however many include it."""
    start = Place(str(file), 1)
    waiting: list[tuple[Path, Place, KeyPath]] = [(file, start, ())]
    seen: set[Path] = set()
    merged, mistakes = Node(start, {}), list[Mistake]()
    while waiting:
        path, named_at, key = waiting.pop(0)
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        node, wrong = _read(path, named_at, key, environment=environment)
        included, missing = _included(node, path)
        waiting += included
        merged, repeated = _merge(merged, node)
        mistakes += [*wrong, *missing, *repeated]
    return merged, mistakes


def _read(path: Path, named_at: Place, key: KeyPath, *, environment: Mapping[str, str]) -> tuple[Node, list[Mistake]]:
    empty = Node(Place(str(path), 1), {})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        origin = named_at if key else Place("", 0)  # no file names the first one
        return empty, [Mistake(origin, key, f"{path} cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        problem = f"the file is not UTF-8 text: byte {error.start} cannot be read; save it as UTF-8"
        return empty, [Mistake(empty.place, (), problem)]
    node, mistakes = yaml_source.read_yaml(text, str(path), environment=environment)
    return node or empty, mistakes


def _included(node: Node, path: Path) -> tuple[list[tuple[Path, Place, KeyPath]], list[Mistake]]:
    written = node.child("include")
    found, mistakes = list[tuple[Path, Place, KeyPath]](), list[Mistake]()
    for index, pattern in enumerate([written] if written.text else written.items):
        if not pattern.text:
            continue
        key: KeyPath = ("include",) if written.text else ("include", index)
        matches = sorted(glob.glob(str(path.parent / pattern.text), recursive=True))  # noqa: PTH207 -- may be absolute
        if not matches and not glob.has_magic(pattern.text):
            mistakes.append(Mistake(pattern.place, key, f"{pattern.text} matches no file"))
        found += [(Path(match), pattern.place, key) for match in matches]
    return found, mistakes


def _merge(first: Node, second: Node) -> tuple[Node, list[Mistake]]:
    """Return the top-level keys of both, and the sections and collections under them."""
    together, mistakes = dict(first.entries), list[Mistake]()
    for key, node in second.entries.items():
        present = together.get(key)
        if present is None or key == "include":
            together[key] = node
        elif isinstance(present.content, dict) and isinstance(node.content, dict):
            together[key] = Node(present.place, present.content | dict(node.content))
            mistakes += [
                _repeated(node.content[name], (key, name), present.content[name].place)
                for name in node.content
                if name in present.content
            ]
        else:
            mistakes.append(_repeated(node, (key,), present.place))
    return Node(first.place, together), mistakes


def _repeated(node: Node, path: KeyPath, first: Place) -> Mistake:
    return Mistake(node.place, path, f"the key is written twice, first in {first}")


def _tile_matrix_sets(root: Node) -> tuple[tuple[TileMatrixSet, ...], list[Mistake]]:
    written = root.child("service", "tile_matrix_sets")
    if written.content is None:
        defaults = ServiceSection().tile_matrix_sets
        return tuple(load_tile_matrix_set(name, folder=_folder(root.place)) for name in defaults), []
    sets, mistakes = dict[str, TileMatrixSet](), list[Mistake]()
    for index, node in enumerate(written.items):
        path = ("service", "tile_matrix_sets", index)
        if not node.text:
            continue
        try:
            found = load_tile_matrix_set(node.text, folder=_folder(node.place))
        except InvalidParameter as error:
            mistakes.append(Mistake(node.place, path, error.message))
            continue
        if found.id in sets:
            mistakes.append(Mistake(node.place, path, f"tile matrix set {found.id} is listed twice"))
        sets.setdefault(found.id, found)
    return tuple(sets.values()), mistakes


def _folder(place: Place) -> Path:
    return Path(place.file).parent.absolute()


ALIASES = {"WebMercatorQuad": ("EPSG:3857", "EPSG:900913", "GoogleMapsCompatible")}
"""What other servers call a set."""
MAX_FILE_BYTES = 1_000_000

_ANNEX_E_TOP = 559082264.0287178
_ANNEX_E = {
    "EPSG:3857": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible",
    "OGC:CRS84": "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad",
}
"""Scale sets of WMTS 1.0.0 Annex E that halve from the same first scale, by CRS."""


def load_tile_matrix_set(name: str, *, folder: Path) -> TileMatrixSet:
    """Return the set of a name, or of the JSON file at a path from `folder`.

    Raises:
        InvalidParameter: There is none, or it cannot be served; the message gives the reason in one line.
    """
    if "/" in name or name.lower().endswith(".json"):
        return _converted(_read_sets(folder / name, name))
    known = morecantile.tms.list()
    names = {alias: identifier for identifier, aliases in ALIASES.items() for alias in aliases}
    identifier = names.get(name, name)
    if identifier not in known:
        raise InvalidParameter(
            f"tile matrix set {name[:60]!r} is not known{nearest(name, known)}; accepted are "
            f"{list_names([*known, *names])} and paths to JSON files"
        )
    return _scheme(identifier)


@cache
def _scheme(identifier: str) -> TileMatrixSet:
    return _converted(morecantile.tms.get(identifier))


def _read_sets(path: Path, name: str) -> morecantile.TileMatrixSet:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidParameter(f"{name[:80]} is larger than {MAX_FILE_BYTES} bytes")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidParameter(f"{name[:80]} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"{name[:80]} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidParameter(f"{name[:80]} does not contain a JSON object")
    try:
        return morecantile.TileMatrixSet.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InvalidParameter(f"{name[:80]} is not a tile matrix set: {where}: {first['msg']}") from error
    except (CRSError, MorecantileError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidParameter(f"{name[:80]} is not a tile matrix set: {error}") from error


def _converted(source: morecantile.TileMatrixSet) -> TileMatrixSet:
    identifier = source.id or "custom"
    if source.is_variable:
        raise InvalidParameter(f"{identifier} has matrices of variable width, which are not served")
    if any(matrix.cornerOfOrigin != "topLeft" for matrix in source.tileMatrices):
        raise InvalidParameter(f"{identifier} counts rows from the bottom, which is not served; accepted is topLeft")
    crs = crs_of(source.crs.to_wkt())
    is_y_first = _is_y_first(source.orderedAxes, crs)
    matrices = tuple(_matrix(matrix, crs, is_y_first=is_y_first) for matrix in source.tileMatrices)
    _check_cells(identifier, matrices)
    return TileMatrixSet(
        id=identifier,
        title=source.title or identifier,
        crs=crs,
        matrices=matrices,
        well_known_scale_set=_well_known_scale_set(crs, matrices),
        uri=_registered_uri(source),
        aliases=ALIASES.get(identifier, ()),
    )


def _matrix(source: morecantile.models.TileMatrix, crs: Crs, *, is_y_first: bool) -> TileMatrix:
    """The scale follows from the cell: some sets count with pixels of another size (CanadianNAD83_LCC)."""
    first, second = source.pointOfOrigin
    left, top = (second, first) if is_y_first else (first, second)
    return TileMatrix(
        id=source.id,
        cell_size=source.cellSize,
        scale_denominator=source.cellSize * crs.metres_per_unit / PIXEL_SIZE_M,
        left=float(left),
        top=float(top),
        tile_width=source.tileWidth,
        tile_height=source.tileHeight,
        matrix_width=source.matrixWidth,
        matrix_height=source.matrixHeight,
    )


def _check_cells(identifier: str, matrices: tuple[TileMatrix, ...]) -> None:
    sizes = [matrix.cell_size for matrix in matrices]
    if not sizes:
        raise InvalidParameter(f"{identifier} has no tile matrix")
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        raise InvalidParameter(f"{identifier} has a tile matrix whose cellSize is not positive")
    if any(finer >= coarser for coarser, finer in itertools.pairwise(sizes)):
        raise InvalidParameter(f"{identifier} has tile matrices that do not go from coarse to fine")


def _well_known_scale_set(crs: Crs, matrices: tuple[TileMatrix, ...]) -> str | None:
    """WMTS 1.0.0 Annex E: only where the scales begin with the set's first and skip none.

    WorldCRS84Quad begins with the second scale of GoogleCRS84Quad (OGC 17-083r4 Annex D.2 names it nevertheless).
    """
    scales = (matrix.scale_denominator for matrix in matrices)
    is_whole = all(math.isclose(scale, _ANNEX_E_TOP / 2**level, rel_tol=1e-9) for level, scale in enumerate(scales))
    return _ANNEX_E.get(crs.name) if is_whole else None


def _registered_uri(source: morecantile.TileMatrixSet) -> str | None:
    # The set's own; WGS1984Quad, whose corners are written the other way, has that of WorldCRS84Quad.
    uri = "" if source.uri is None else str(source.uri)
    return uri if source.id and uri.endswith(f"/{source.id}") else None


def _is_y_first(axes: list[str] | None, crs: Crs) -> bool:
    """Whether corners in the document are written y before x: named axes that are the CRS's own follow its order."""
    own = [axis.abbrev.lower() for axis in crs.definition.axis_info]
    named = [axis.lower() for axis in axes or ()]
    if not named or named == own:
        return is_north_first(crs)
    return named[0] in {"y", "n", "lat", "northing", "latitude"}
