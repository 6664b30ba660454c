"""Collections to be: which files make one, before any of them was opened."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chronotile.archive.discovery.names import Looks, NameGroup, group_names, group_times, slug, without_suffix
from chronotile.archive.discovery.patterns import escape_pattern, href_of, paths_matching, time_pattern_of
from chronotile.archive.discovery.walk import WalkResult
from chronotile.model.source import SourceSpec, VariableSpec
from chronotile.model.time.instants import TimeDomain
from chronotile.readers.kind import SourceKind
from chronotile.readers.kinds import KINDS

NAMELESS = "data"
"""Id where neither the files' names nor their folder's have a letter or digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One collection to be."""

    id: str
    text: str
    """What the names of its files share, or the name of its one file."""
    kind: SourceKind
    root: Path
    """The folder looked into."""
    href: str
    """From that folder."""
    files: tuple[Path, ...]
    """From that folder."""
    time_pattern: str | None = None
    variables: tuple[str, ...] = ()
    """What stands for `{variable}` in the href."""
    left_out: tuple[str, ...] = ()
    """Paths from that folder that the href matches, but that may not be opened."""

    @property
    def first(self) -> Path:
        """The first file or the store."""
        return self.root / self.files[0]

    @property
    def is_literal(self) -> bool:
        """Whether its href is a path, in which no character stands for others."""
        return not self.kind.options.has_bands and len(self.files) == 1

    def spec(self, variables: Iterable[VariableSpec] = (), times: TimeDomain | None = None) -> SourceSpec:
        """Return what is to be opened; `times` that the files tell go before those of their names."""
        return SourceSpec(
            collection=self.id,
            kind=self.kind.name,
            href=f"{escape_pattern(str(self.root))}/{self.href}" if len(self.files) > 1 else str(self.first),
            time_pattern=self.time_pattern if times is None else None,
            times=times,
            variables={variable.id: variable for variable in variables},
            left_out=frozenset(str(self.root / path) for path in self.left_out),
        )


def drafts_of(found: WalkResult, root: Path, looks: Looks) -> list[Draft]:
    """Return the collections that the files make, in order of their names, each with an id of its own.

    Args:
        found: The files.
        root: From which they are counted.
        looks: Into files.
    """
    places = {KINDS[name]: [path.relative_to(root) for path in paths] for name, paths in found.places.items()}
    everything = sorted(path.as_posix() for kind, paths in places.items() if kind.options.is_of_files for path in paths)
    drafts = [draft for kind, paths in places.items() for draft in _of_kind(kind, paths, everything, root, looks=looks)]
    left_out = sorted(path.relative_to(root).as_posix() for path in found.left_out)
    bounded = (replace(draft, left_out=tuple(paths_matching(draft.href, left_out))) for draft in drafts)
    return list(_with_own_ids(sorted(bounded, key=lambda draft: draft.files[0])))


def _of_kind(
    kind: SourceKind, paths: Sequence[Path], everything: Sequence[str], root: Path, *, looks: Looks
) -> Iterator[Draft]:
    """Of files of bands, one for each group of like names; of other files, one for those that differ in their times."""
    if kind.options.has_bands:
        yield from (_of_group(group, kind, everything, root) for group in group_names(paths, looks))
    elif kind.options.is_of_files:
        for group in group_times(paths):
            if len(group.names) > 1 and group.is_dated:
                yield _of_group(group, kind, everything, root)
            else:
                yield from (_of_store(name.path, kind, root) for name in group.names)
    else:
        yield from (_of_store(path, kind, root) for path in paths)


def _of_group(group: NameGroup, kind: SourceKind, everything: Sequence[str], root: Path) -> Draft:
    text = group.shared_text
    return Draft(
        id=slug(text) or slug(_folder_text(group, root)) or NAMELESS,
        text=text or _folder_text(group, root),
        kind=kind,
        root=root,
        href=href_of(group, everything),
        files=tuple(name.path for name in group.names),
        time_pattern=time_pattern_of(group, root),
        variables=group.variables,
    )


def _folder_text(group: NameGroup, root: Path) -> str:
    """The nearest folder whose name does not vary."""
    fixed = [part for part in group.folder_pattern.split("/") if part and part.isprintable()]
    return fixed[-1] if fixed else root.name


def _of_store(path: Path, kind: SourceKind, root: Path) -> Draft:
    text = without_suffix(path.name)
    return Draft(id=slug(text) or NAMELESS, text=text, kind=kind, root=root, href=path.as_posix(), files=(path,))


def _with_own_ids(drafts: Iterable[Draft]) -> Iterator[Draft]:
    """Of several with one id the second is called `id-2`, and so on."""
    taken: set[str] = set()
    for draft in drafts:
        number, own = 1, draft.id
        while own in taken:
            number += 1
            own = f"{draft.id}-{number}"
        taken.add(own)
        yield replace(draft, id=own)
