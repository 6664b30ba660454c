"""Reading the sets of places of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.errors import ChronotileError
from chronotile.model.places import PlaceSet, PlacesSpec
from chronotile.model.source import Finding
from chronotile.readers.place_files import read_places


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlaces:
    """The sets that could be read, by id, and what was found while reading."""

    sets: Mapping[str, PlaceSet]
    findings: tuple[Finding, ...]


def open_places(specs: Mapping[str, PlacesSpec], *, unchanged: Mapping[str, PlaceSet]) -> OpenPlaces:
    """Return the sets of `specs`; one that cannot be read is left out and becomes a finding.

    Args:
        specs: What to read, by id.
        unchanged: Sets read before from files that did not change; those that are configured as before are taken again.
    """
    sets, findings = dict[str, PlaceSet](), list[Finding]()
    for name, spec in specs.items():
        place = f"places.{name}"
        known = unchanged.get(name)
        try:
            sets[name] = known if known is not None and known.spec == spec else read_places(spec)
        except ChronotileError as error:
            findings.append(Finding("error", place, f"left out: {error.message}", path=spec.path))
        else:
            findings += [replace(finding, place=place) for finding in sets[name].findings]
    return OpenPlaces(sets=sets, findings=tuple(findings))
